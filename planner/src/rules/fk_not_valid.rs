//! See [`RULE`].

use super::support::{ident, name};
use super::{Check, ForeignKeyCase, Objection};
use super::rule::declare_rule;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// A foreign key that was never validated belongs to a table that becomes distributed or a reference table.
    ///
    /// ## Why on Citus
    ///
    /// With the key in place the shards are made with it, and the copy checks every row: PostgreSQL tolerated the
    /// orphans, the copy does not.
    ///
    /// ## Example
    ///
    /// ```sql
    /// SELECT create_distributed_table('task', 'project_id');
    /// ERROR:  insert or update on table "task_102345" violates foreign key constraint "task_project"
    /// ```
    ///
    /// ## Use instead
    ///
    /// Delete or mend the orphans and validate; or drop the key before and add it NOT VALID afterwards (not on a
    /// partitioned table).
    ///
    /// ## When to ignore
    ///
    /// Where no orphan exists.
    ///
    /// ## Source
    ///
    /// `operations/stage_protocol.c:WorkerCreateShardCommandList`
    code: "CA414", name: "fk-not-valid", level: Warning, effect: Data,
    title: "orphans under a NOT VALID foreign key stop the distribution",
    remediation: "Validate it before, or drop it and add it NOT VALID afterwards.",
    source: "operations/stage_protocol.c:WorkerCreateShardCommandList",
    check: Check::ForeignKey { applies, word },
}

fn applies(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> bool {
    !case.foreign_key.validated && !layout.is_local(case.edge.referencing)
}

fn word(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> Objection {
    let table = name(layout, case.edge.referencing);
    Objection {
        message: format!(
            "insert or update on table \"{}\" violates foreign key constraint \"{}\"",
            table.name, case.foreign_key.name
        ),
        detail: Some(format!(
            "{} of {table} was never validated. With it in place the copy fails at the first row without a row in {}.",
            ident(&case.foreign_key.name),
            name(layout, case.edge.referenced)
        )),
        hint: Some("Mend the orphans and validate, or drop it before and add it NOT VALID afterwards.".to_owned()),
        fix_sql: Some(format!("ALTER TABLE {table} VALIDATE CONSTRAINT {};", ident(&case.foreign_key.name))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn tells_of_keys_never_validated() {
        let schema = |validated: bool| {
            schema([
                table("p").columns("id bigint").primary_key("id"),
                table("c").columns("p_id bigint").foreign_key("fk", "p_id", "p(id)").with(|t| {
                    t.foreign_keys[0].validated = validated;
                }),
            ])
        };
        assert_eq!(found(&schema(false), "p: reference; c: distributed p_id", "fk-not-valid"), ["c.fk"]);
        assert!(found(&schema(false), "p: reference", "fk-not-valid").is_empty());
        assert!(found(&schema(true), "p: reference; c: distributed p_id", "fk-not-valid").is_empty());
    }
}
