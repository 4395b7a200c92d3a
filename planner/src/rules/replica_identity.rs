//! See [`RULE`].

use super::support::name;
use super::{Check, Objection, TableCase};
use super::rule::declare_rule;
use crate::graph::TableId;
use crate::identifier::quote_literal;
use crate::layout::Layout;
use crate::schema::{ConstraintKind, Index, ReplicaIdentity, TableKind};

declare_rule! {
    /// ## What it is
    ///
    /// A distributed table, or a partition of it, has no primary key and no replica identity. A deferrable primary key
    /// does not count.
    ///
    /// ## Why on Citus
    ///
    /// Moving and splitting shards, and `create_distributed_table_concurrently`, use logical replication: UPDATE and
    /// DELETE of such a table fail meanwhile.
    ///
    /// ## Example
    ///
    /// ```sql
    /// SELECT citus_rebalance_start();
    /// ERROR:  cannot use logical replication to transfer shards of the relation feed since it doesn't have a REPLICA IDENTITY or PRIMARY KEY
    /// ```
    ///
    /// ## Use instead
    ///
    /// A primary key that has the distribution column, or REPLICA IDENTITY FULL.
    ///
    /// ## When to ignore
    ///
    /// Where rows are only ever inserted.
    ///
    /// ## Source
    ///
    /// `operations/shard_transfer.c:ErrorIfTableCannotBeReplicated`
    code: "CA705", name: "replica-identity", level: Info, effect: Runtime,
    title: "shards without a replica identity cannot be moved while they are written",
    remediation: "Give it a primary key, or REPLICA IDENTITY FULL.",
    source: "operations/shard_transfer.c:ErrorIfTableCannotBeReplicated",
    check: Check::Table { applies, word },
}

fn applies(layout: &Layout<'_>, case: &TableCase) -> bool {
    layout.is_distributed(case.table) && culprit(layout, case.table).is_some()
}

/// The first leaf whose rows nothing identifies.
fn culprit(layout: &Layout<'_>, table: TableId) -> Option<TableId> {
    let graph = layout.graph;
    let identifies = |i: &Index| {
        i.constraint.as_ref().is_some_and(|c| c.kind == ConstraintKind::PrimaryKey && !c.deferrable) && i.valid
    };
    graph.leaves(table).into_iter().find(|&leaf| match graph.table(leaf).replica_identity {
        ReplicaIdentity::Full | ReplicaIdentity::Index(_) => false,
        ReplicaIdentity::Nothing => true,
        ReplicaIdentity::Default => !graph.table(leaf).indexes.iter().any(identifies),
    })
}

fn word(layout: &Layout<'_>, case: &TableCase) -> Objection {
    let table = name(layout, culprit(layout, case.table).unwrap_or(case.table));
    let root = name(layout, case.table);
    let leaves = layout.graph.leaves(case.table).len();
    let (who, fix) = if layout.graph.table(case.table).kind == TableKind::Partitioned {
        // REPLICA IDENTITY is a property of each partition.
        let literal = quote_literal(&root.to_string());
        let fix = format!(
            "DO $replica_identity$ DECLARE p regclass; BEGIN FOR p IN SELECT relid FROM pg_partition_tree({literal}) WHERE \
             isleaf LOOP EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', p); END LOOP; END $replica_identity$;"
        );
        let others = if leaves == 1 { "" } else { ", perhaps others too," };
        (format!("Of the partitions of {root} {table}{others} has"), fix)
    } else {
        (format!("{table} has"), format!("ALTER TABLE {table} REPLICA IDENTITY FULL;"))
    };
    Objection {
        message: format!(
            "cannot use logical replication to transfer shards of the relation {} since it doesn't have a REPLICA IDENTITY or \
             PRIMARY KEY",
            table.name
        ),
        detail: Some(format!("{who} neither: its shards cannot be moved while rows are updated or deleted.")),
        hint: None,
        fix_sql: Some(fix),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn looks_at_leaves() {
        let schema = schema([
            table("a").columns("id bigint").primary_key("id"),
            table("b").columns("id bigint"),
            table("c").columns("id bigint").primary_key("id").with(|t| {
                t.indexes[0].constraint.as_mut().unwrap().deferrable = true;
            }),
        ]);
        assert_eq!(found(&schema, "a: distributed id; b: distributed id; c: distributed id", "replica-identity"), ["b", "c"]);
        assert!(found(&schema, "a: distributed id; b: reference", "replica-identity").is_empty());
    }
}
