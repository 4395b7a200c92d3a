//! See [`RULE`].

use super::support::name;
use super::{Check, Objection, TableCase};
use super::rule::declare_rule;
use crate::layout::Layout;
use crate::schema::TableKind;

declare_rule! {
    /// ## What it is
    ///
    /// A partitioned table has role reference.
    ///
    /// ## Why on Citus
    ///
    /// Only hash-distributed tables may be partitioned in Citus (the typing error in the message is its own).
    ///
    /// ## Example
    ///
    /// ```sql
    /// SELECT create_reference_table('exchange_rate');   -- PARTITION BY RANGE (day)
    /// ERROR:  distributing partitioned tables in only supported for hash-distributed tables
    /// ```
    ///
    /// ## Use instead
    ///
    /// Distribute it, leave it local, or turn it into an ordinary table: a table small enough to be copied to every
    /// node rarely needs partitions.
    ///
    /// ## When to ignore
    ///
    /// Never: the call fails.
    ///
    /// ## Source
    ///
    /// `commands/create_distributed_table.c:EnsureRelationCanBeDistributed`
    code: "CA107", name: "partitioned-reference-table", level: Error, effect: Blocked,
    title: "a partitioned table cannot be a reference table",
    remediation: "Distribute it, leave it local, or make it an ordinary table.",
    source: "commands/create_distributed_table.c:EnsureRelationCanBeDistributed",
    check: Check::Table { applies, word },
}

fn applies(layout: &Layout<'_>, case: &TableCase) -> bool {
    layout.is_reference(case.table) && layout.graph.table(case.table).kind == TableKind::Partitioned
}

fn word(layout: &Layout<'_>, case: &TableCase) -> Objection {
    Objection {
        message: "distributing partitioned tables in only supported for hash-distributed tables".to_owned(),
        detail: Some(format!("{} is partitioned; a reference table cannot be.", name(layout, case.table))),
        hint: Some("Distribute it, leave it local, or make it an ordinary table.".to_owned()),
        fix_sql: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn refuses_reference_only() {
        let schema = schema([table("p").columns("id bigint").partitioned(), table("t").columns("id bigint")]);
        assert_eq!(found(&schema, "p: reference; t: reference", "partitioned-reference-table"), ["p"]);
        assert!(found(&schema, "p: distributed id", "partitioned-reference-table").is_empty());
    }
}
