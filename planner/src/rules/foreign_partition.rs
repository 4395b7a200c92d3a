//! See [`RULE`].

use super::support::{enumerate, name};
use super::{Check, Objection, TableCase};
use super::rule::declare_rule;
use crate::graph::TableId;
use crate::layout::Layout;
use crate::schema::TableKind;

declare_rule! {
    /// ## What it is
    ///
    /// A partition of the table is a foreign table, often an archive on another server.
    ///
    /// ## Why on Citus
    ///
    /// Distributing a partitioned table distributes its partitions, and foreign tables cannot be distributed. The error
    /// comes after Citus has worked on the parent and names neither table.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE FOREIGN TABLE reading_2019 PARTITION OF reading FOR VALUES FROM ('2019-01-01') TO ('2020-01-01') SERVER archive;
    /// SELECT create_distributed_table('reading', 'meter_id');
    /// ERROR:  foreign tables cannot be distributed
    /// ```
    ///
    /// ## Use instead
    ///
    /// Detach the foreign partition and show it together with the table in a view with UNION ALL.
    ///
    /// ## When to ignore
    ///
    /// Never: the call fails.
    ///
    /// ## Source
    ///
    /// `commands/create_distributed_table.c:ErrorIfForeignTable`
    code: "CA104", name: "foreign-partition", level: Error, effect: Blocked,
    title: "a partition is a foreign table",
    remediation: "Detach the foreign partition; a view with UNION ALL can show both.",
    source: "commands/create_distributed_table.c:ErrorIfForeignTable",
    check: Check::Table { applies, word },
}

fn applies(layout: &Layout<'_>, case: &TableCase) -> bool {
    let partitions = layout.graph.partitions(case.table);
    layout.is_distributed(case.table) && !partitions.is_empty() && foreign_partitions(layout, case.table).next().is_some()
}

fn foreign_partitions<'l>(layout: &'l Layout<'_>, table: TableId) -> impl Iterator<Item = TableId> + 'l {
    layout.graph.descendants(table).into_iter().filter(|&t| layout.graph.table(t).kind == TableKind::Foreign)
}

fn word(layout: &Layout<'_>, case: &TableCase) -> Objection {
    let graph = layout.graph;
    let partitions: Vec<TableId> = foreign_partitions(layout, case.table).collect();
    let names: Vec<String> = partitions.iter().map(|&p| name(layout, p).to_string()).collect();
    let fix = partitions.iter().filter_map(|&p| {
        let parent = graph.table(p).partition_of.as_ref()?;
        Some(format!("ALTER TABLE {parent} DETACH PARTITION {};", name(layout, p)))
    });
    let verb = if names.len() == 1 { "is a foreign table" } else { "are foreign tables" };
    Objection {
        message: "foreign tables cannot be distributed".to_owned(),
        detail: Some(format!("Partition {} of {} {verb}.", enumerate(&names), name(layout, case.table))),
        hint: Some("Detached, it can be shown together with the table by a view with UNION ALL.".to_owned()),
        fix_sql: Some(fix.collect::<Vec<_>>().join("\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::TableKind;

    #[test]
    fn refuses_the_parent_of_a_foreign_partition() {
        let archive = table("p_old").columns("id bigint").partition_of("p").with(|t| t.kind = TableKind::Foreign);
        let leaf = table("p_new").columns("id bigint").partition_of("p");
        let schema = schema([table("p").columns("id bigint").partitioned(), archive, leaf]);
        assert_eq!(found(&schema, "p: distributed id", "foreign-partition"), ["p"]);
        assert!(found(&schema, "", "foreign-partition").is_empty());
    }
}
