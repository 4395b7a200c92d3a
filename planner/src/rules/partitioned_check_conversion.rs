//! See [`RULE`].

use super::Check;
use super::rule::declare_rule;
use crate::graph::TableId;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// A local partitioned table must come under the management of Citus (a foreign key connects it with a reference
    /// table), has a check constraint, and has partitions.
    ///
    /// ## Why on Citus
    ///
    /// Citus turns the table and each of its partitions into shards, and gives the check that the partitions inherit
    /// another name in each of them. The partitions then lack the constraint of their parent, and PostgreSQL does not
    /// attach them again.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE TABLE reading (site int, day date, CHECK (site > 0)) PARTITION BY RANGE (day);
    /// CREATE TABLE reading_2026 PARTITION OF reading FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
    /// ALTER TABLE reading ADD FOREIGN KEY (site) REFERENCES site;   -- a reference table
    /// ERROR:  child table is missing constraint "reading_site_check_102055"
    /// ```
    ///
    /// ## Use instead
    ///
    /// Distribute the partitioned table, which keeps its checks. Or put the check on each partition instead.
    ///
    /// ## When to ignore
    ///
    /// Never: the foreign key is refused.
    ///
    /// ## Source
    ///
    /// `commands/citus_add_local_table_to_metadata.c:RenameShardRelationConstraints`
    code: "CA620", name: "partitioned-check-conversion", level: Error, effect: Blocked,
    title: "a check of a partitioned table keeps Citus from managing it",
    remediation: "Distribute the table, or put the check on each partition instead.",
    source: "commands/citus_add_local_table_to_metadata.c:RenameShardRelationConstraints",
    conversion: conversion,
    check: Check::Layout(|_, _| {}),
}

/// The message has the number of a shard behind the name, which nobody knows beforehand.
fn conversion(layout: &Layout<'_>, table: TableId, _: &dyn Fn(TableId) -> bool) -> Option<String> {
    if layout.graph.partitions(table).is_empty() {
        return None;
    }
    let check = layout.graph.table(table).checks.first()?;
    Some(format!("child table is missing constraint \"{}\"", check.name))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::{Check, Table};

    #[test]
    fn stands_in_the_way_of_a_foreign_key() {
        let with = |leaf: bool, change: fn(&mut Table)| {
            let own = table("a").columns("r_id bigint").partitioned().foreign_key("fk", "r_id", "r(id)").with(change);
            let mut tables = vec![table("r").columns("id bigint").primary_key("id"), own];
            tables.extend(leaf.then(|| table("a_1").columns("r_id bigint").partition_of("a")));
            schema(tables)
        };
        let checked: fn(&mut Table) = |t| {
            t.checks.push(Check {
                name: "positive".into(),
                definition: "CHECK ((r_id > 0))".into(),
                validated: true,
                no_inherit: false,
                inherited: false, comment: None, put_aside: false });
        };
        assert_eq!(blocked(&with(true, checked), "r: reference"), ["partitioned-check-conversion a.fk"]);
        assert!(blocked(&with(true, checked), "r: reference; a: distributed r_id").is_empty());
        assert!(blocked(&with(true, checked), "").is_empty());
        assert!(blocked(&with(false, checked), "r: reference").is_empty());
        assert!(blocked(&with(true, |_| ()), "r: reference").is_empty());
    }
}
