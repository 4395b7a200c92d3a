//! See [`RULE`].

use super::partition_alone::follows_its_parent;
use super::situation::named_tables;
use super::{Check, Objection, ObjectType, Report};
use super::rule::declare_rule;
use crate::assignment::Role;
use crate::graph::TableId;
use crate::identifier::quote_literal;
use crate::layout::{Layout, Placement};

declare_rule! {
    /// ## What it is
    ///
    /// The table is a reference table or distributed table of this Citus cluster, and the assignment wants something
    /// else of it; or a partition is named although the call for its parent does it.
    ///
    /// ## Why on Citus
    ///
    /// The functions that distribute have no IF NOT EXISTS. A table must be undistributed before it can be distributed
    /// differently; that rewrites it and is impossible with an identity column.
    ///
    /// ## Example
    ///
    /// ```sql
    /// SELECT create_distributed_table('orders', 'shop_id');
    /// SELECT create_distributed_table('orders', 'id');
    /// ERROR:  table "orders" is already distributed
    /// ```
    ///
    /// ## Use instead
    ///
    /// Keep it as it is, change it with `alter_distributed_table`, or undistribute it first.
    ///
    /// ## When to ignore
    ///
    /// Never: the call fails.
    ///
    /// ## Source
    ///
    /// `commands/create_distributed_table.c:EnsureTableNotDistributed`
    code: "CA109", name: "already-distributed", level: Error, effect: Blocked,
    title: "the table is distributed already, differently",
    remediation: "Keep it as it is, or undistribute it first.",
    source: "commands/create_distributed_table.c:EnsureTableNotDistributed",
    check: Check::Named(walk),
}

fn walk(layout: &Layout<'_>, report: &mut Report<'_>) {
    let graph = layout.graph;
    for (table, entry, _) in named_tables(layout).filter(|(_, entry, _)| entry.role != Role::Local) {
        let t = graph.table(table);
        let message = format!("table \"{}\" is already distributed", t.name.name);
        if graph.is_partition(table) {
            if follows_its_parent(layout, table, entry) {
                report(&t.name, ObjectType::Table, &t.name.name, Objection {
                    message,
                    detail: Some(format!("The call for {} distributes its partitions.", graph.table(graph.root(table)).name)),
                    hint: Some("Leave the partition out of the assignment.".to_owned()),
                    fix_sql: None,
                });
            }
        } else if let Some(kind) = other_kind(layout, table) {
            report(&t.name, ObjectType::Table, &t.name.name, Objection {
                message,
                detail: Some(format!("{} is {kind} now.", t.name)),
                hint: Some("Undistribute it first; that rewrites the table and fails with an identity column.".to_owned()),
                fix_sql: Some(format!("SELECT undistribute_table({});", quote_literal(&t.name.to_string()))),
            });
        }
    }
}

/// What the table is in the cluster, where that is not what the layout wants.
fn other_kind(layout: &Layout<'_>, table: TableId) -> Option<String> {
    let name = &layout.graph.table(table).name;
    let now = layout.graph.schema.citus_tables.iter().find(|c| c.name == *name)?;
    let same = match (layout.placement(table), now.kind.as_str()) {
        (_, "local") | (Placement::Reference, "reference") => true,
        (Placement::Distributed { .. }, "distributed") => {
            layout.distribution_column_name(table) == now.distribution_column.as_deref()
        }
        _ => false,
    };
    (!same).then(|| match &now.distribution_column {
        Some(column) => format!("distributed by {}", super::support::ident(column)),
        None => format!("a {} table", now.kind.replace('_', " ")),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::{CitusTable, RelationName};

    #[test]
    fn refuses_another_column_but_not_the_same() {
        let mut schema = schema([table("t").columns("id bigint, x bigint")]);
        schema.citus_tables.push(CitusTable {
            name: RelationName::new("public", "t"),
            kind: "distributed".into(),
            distribution_column: Some("id".into()),
            colocation_id: 1,
            shard_count: Some(32),
            shard_bytes: Vec::new(),
        });
        assert_eq!(found(&schema, "t: distributed x", "already-distributed"), ["t"]);
        assert_eq!(found(&schema, "t: reference", "already-distributed"), ["t"]);
        assert!(found(&schema, "t: distributed id", "already-distributed").is_empty());
    }

    #[test]
    fn refuses_a_partition_that_its_parent_took_along() {
        let schema = schema([
            table("p").columns("id bigint").partitioned(),
            table("p_1").columns("id bigint").partition_of("p"),
        ]);
        assert_eq!(found(&schema, "p: distributed id; p_1: distributed id", "already-distributed"), ["p_1"]);
    }
}
