//! See [`RULE`].

use super::support::{drop_constraint, ident, keep_as_reference, name};
use super::{Check, ForeignKeyCase, Objection, Standing};
use super::rule::declare_rule;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// A table that stays local, and that Citus does not manage, has a foreign key to a distributed table.
    ///
    /// ## Why on Citus
    ///
    /// Citus does not look at ALTER TABLE on a plain table, and while the key is added the query that should find
    /// orphans returns nothing: existing orphans pass, and the key counts as validated. Later INSERT and UPDATE of the
    /// local table are checked, DELETE and UPDATE of the referenced table are not.
    ///
    /// ## Example
    ///
    /// ```sql
    /// ALTER TABLE note ADD FOREIGN KEY (org_id) REFERENCES org;   -- note local, org distributed: accepted
    /// DELETE FROM org WHERE id = 1;                               -- accepted although notes refer to it
    /// ```
    ///
    /// ## Use instead
    ///
    /// Distribute the local table with the other one, make the other one a reference table, or drop the key and know
    /// that it is lost.
    ///
    /// ## When to ignore
    ///
    /// Never count on it: the key does not hold.
    ///
    /// ## Source
    ///
    /// `executor/multi_executor.c:AlterTableConstraintCheck`
    code: "CA411", name: "fk-local-to-distributed-unchecked", level: Error, effect: Silent,
    title: "foreign key from a local table to a distributed one: accepted, not enforced",
    remediation: "Distribute the local table too, make the referenced table a reference table, or drop the key.",
    source: "executor/multi_executor.c:AlterTableConstraintCheck",
    check: Check::ForeignKey { applies, word },
}

fn applies(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> bool {
    case.from(layout) == Standing::Plain && matches!(case.to(layout), Standing::Distributed(..))
}

fn word(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> Objection {
    let (table, referenced) = (name(layout, case.edge.referencing), name(layout, case.edge.referenced));
    Objection {
        message: format!("foreign key {} is not enforced", ident(&case.foreign_key.name)),
        detail: Some(format!(
            "{table} stays local and {referenced} is distributed. Citus accepts the key, but existing orphans are not \
             noticed and deletes in {referenced} are not checked."
        )),
        hint: keep_as_reference(layout, case.edge.referenced),
        fix_sql: Some(drop_constraint(table, &case.foreign_key.name)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn is_silent_and_not_blocked() {
        let schema = schema([
            table("p").columns("id bigint").primary_key("id"),
            table("c").columns("p_id bigint").foreign_key("fk", "p_id", "p(id)"),
        ]);
        assert_eq!(found(&schema, "p: distributed id", "fk-local-to-distributed-unchecked"), ["c.fk"]);
        assert!(blocked(&schema, "p: distributed id").is_empty());
        assert!(found(&schema, "p: reference", "fk-local-to-distributed-unchecked").is_empty());
    }
}
