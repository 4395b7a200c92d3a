//! See [`RULE`].

use super::support::bare;
use super::{Check, Objection, TableCase};
use super::rule::declare_rule;
use crate::graph::TableId;
use crate::layout::Layout;
use crate::schema::TableKind;

declare_rule! {
    /// ## What it is
    ///
    /// A partition of the table is partitioned itself.
    ///
    /// ## Why on Citus
    ///
    /// Citus handles one level of partitioning: a partitioned table, its partitions, and below each of them the shards.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE TABLE reading_2025 PARTITION OF reading FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') PARTITION BY HASH (meter_id);
    /// SELECT create_distributed_table('reading', 'meter_id');
    /// ERROR:  distributing multi-level partitioned tables is not supported
    /// ```
    ///
    /// ## Use instead
    ///
    /// Attach the leaves to the top table (with a multi-column RANGE key if need be). A hash level that only spread the
    /// load is not needed any more: shards do that.
    ///
    /// ## When to ignore
    ///
    /// Never for a table to be distributed.
    ///
    /// ## Source
    ///
    /// `commands/create_distributed_table.c:EnsureRelationCanBeDistributed`
    code: "CA105", name: "multi-level-partitioning", level: Error, effect: Blocked,
    title: "partitions of partitions cannot be distributed",
    remediation: "Flatten the tree to one level; a hash level is made redundant by shards.",
    source: "commands/create_distributed_table.c:EnsureRelationCanBeDistributed",
    conversion: conversion,
    check: Check::Table { applies, word },
}

fn applies(layout: &Layout<'_>, case: &TableCase) -> bool {
    layout.is_distributed(case.table) && sub_partitioned(layout, case.table).is_some()
}

fn sub_partitioned(layout: &Layout<'_>, table: TableId) -> Option<TableId> {
    let graph = layout.graph;
    graph.partitions(table).iter().copied().find(|&p| graph.table(p).kind == TableKind::Partitioned)
}

fn word(layout: &Layout<'_>, case: &TableCase) -> Objection {
    let partition = sub_partitioned(layout, case.table).unwrap_or(case.table);
    let (table, partition) = (bare(layout, case.table), bare(layout, partition));
    Objection {
        message: "distributing multi-level partitioned tables is not supported".to_owned(),
        detail: Some(format!(
            "Relation \"{partition}\" is partitioned table itself and it is also partition of relation \"{table}\"."
        )),
        hint: Some(format!(
            "Attach the leaves below \"{partition}\" to \"{table}\" itself. A hash level is made redundant by shards."
        )),
        fix_sql: None,
    }
}

fn conversion(layout: &Layout<'_>, table: TableId, _: &dyn Fn(TableId) -> bool) -> Option<String> {
    sub_partitioned(layout, table).map(|_| "Citus does not support multi-level partitioned tables".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn refuses_two_levels_but_not_one() {
        let schema = schema([
            table("flat").columns("id bigint").partitioned(),
            table("flat_1").columns("id bigint").partition_of("flat"),
            table("deep").columns("id bigint").partitioned(),
            table("deep_1").columns("id bigint").partition_of("deep").partitioned(),
            table("deep_1_1").columns("id bigint").partition_of("deep_1"),
        ]);
        let both = "flat: distributed id; deep: distributed id";
        assert_eq!(found(&schema, both, "multi-level-partitioning"), ["deep"]);
        let detail = one(&schema, both, "multi-level-partitioning").detail.unwrap();
        assert_eq!(
            detail,
            "Relation \"deep_1\" is partitioned table itself and it is also partition of relation \"deep\"."
        );
    }
}
