//! See [`RULE`].

use super::support::{ident, name};
use super::{Check, Objection, TableCase};
use super::rule::declare_rule;
use crate::layout::Layout;
use crate::schema::{ConstraintKind, Index};

declare_rule! {
    /// ## What it is
    ///
    /// A table that becomes distributed or a reference table has no primary key.
    ///
    /// ## Why on Citus
    ///
    /// Without one nothing names a row: duplicates stay unnoticed, shards cannot be moved while rows change
    /// (replica-identity), and tools that compare nodes have nothing to go by.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE TABLE event (tenant_id bigint, payload jsonb);
    /// ```
    ///
    /// ## Use instead
    ///
    /// A primary key with the distribution column in front.
    ///
    /// ## When to ignore
    ///
    /// For append-only logs.
    ///
    /// ## Source
    ///
    /// `operations/shard_transfer.c:ErrorIfTableCannotBeReplicated`
    code: "CA903", name: "no-primary-key", level: Info, effect: Advice,
    title: "the table has no primary key",
    remediation: "Add a primary key with the distribution column in front.",
    source: "operations/shard_transfer.c:ErrorIfTableCannotBeReplicated",
    check: Check::Table { applies, word },
}

fn applies(layout: &Layout<'_>, case: &TableCase) -> bool {
    let is_primary = |i: &Index| i.constraint.as_ref().is_some_and(|c| c.kind == ConstraintKind::PrimaryKey);
    !layout.is_local(case.table) && !layout.graph.table(case.table).indexes.iter().any(is_primary)
}

fn word(layout: &Layout<'_>, case: &TableCase) -> Objection {
    let table = name(layout, case.table);
    let column = layout.distribution_column_name(case.table).map(ident);
    Objection {
        message: format!("{table} has no primary key"),
        detail: Some("Nothing names a single row.".to_owned()),
        hint: column.map(|c| format!("A key of a distributed table needs {c} among its columns.")),
        fix_sql: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn asks_for_a_primary_key() {
        let schema = schema([table("a").columns("id bigint"), table("b").columns("id bigint").primary_key("id")]);
        assert_eq!(found(&schema, "a: reference; b: reference", "no-primary-key"), ["a"]);
        assert!(found(&schema, "b: reference", "no-primary-key").is_empty());
    }
}
