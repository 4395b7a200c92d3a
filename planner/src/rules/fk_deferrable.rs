//! See [`RULE`].

use super::support::{ident, name};
use super::{Check, ForeignKeyCase, Objection};
use super::rule::declare_rule;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// A deferrable foreign key belongs to a distributed or reference table.
    ///
    /// ## Why on Citus
    ///
    /// Citus accepts the key, but `SET CONSTRAINTS` changes only the session on the coordinator: after `DEFERRED` a
    /// violating INSERT fails at once all the same. INITIALLY DEFERRED works; a violation then appears at COMMIT, and
    /// `SET CONSTRAINTS ALL IMMEDIATE` does not bring it forward.
    ///
    /// ## Example
    ///
    /// ```sql
    /// BEGIN;
    /// SET CONSTRAINTS task_project DEFERRED;
    /// INSERT INTO task ...;   -- fails at once
    /// ```
    ///
    /// ## Use instead
    ///
    /// INITIALLY DEFERRED where deferring is needed, or insert in an order that needs none.
    ///
    /// ## When to ignore
    ///
    /// Where nobody uses SET CONSTRAINTS.
    ///
    /// ## Source
    ///
    /// `commands/utility_hook.c:ProcessUtilityInternal`
    code: "CA415", name: "fk-deferrable", level: Info, effect: Runtime,
    title: "SET CONSTRAINTS does not reach the shards",
    remediation: "Do not rely on SET CONSTRAINTS; use INITIALLY DEFERRED where deferring is needed.",
    source: "commands/utility_hook.c:ProcessUtilityInternal",
    check: Check::ForeignKey { applies, word },
}

fn applies(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> bool {
    case.foreign_key.deferrable && !layout.is_local(case.edge.referencing)
}

fn word(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> Objection {
    let table = name(layout, case.edge.referencing);
    Objection {
        message: format!("SET CONSTRAINTS {} has no effect on shards", ident(&case.foreign_key.name)),
        detail: Some(format!(
            "{} of {table} is {}. {}",
            ident(&case.foreign_key.name),
            if case.foreign_key.initially_deferred { "initially deferred" } else { "deferrable, initially immediate" },
            if case.foreign_key.initially_deferred {
                "A violation appears at COMMIT; SET CONSTRAINTS ALL IMMEDIATE does not bring it forward."
            } else {
                "It is checked at once, whatever SET CONSTRAINTS says."
            }
        )),
        hint: None,
        fix_sql: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn tells_of_deferrable_keys() {
        let schema = |deferrable: bool| {
            schema([
                table("p").columns("id bigint").primary_key("id"),
                table("c").columns("p_id bigint").foreign_key("fk", "p_id", "p(id)").with(|t| {
                    t.foreign_keys[0].deferrable = deferrable;
                }),
            ])
        };
        assert_eq!(found(&schema(true), "p: reference; c: reference", "fk-deferrable"), ["c.fk"]);
        assert!(found(&schema(false), "p: reference; c: reference", "fk-deferrable").is_empty());
    }
}
