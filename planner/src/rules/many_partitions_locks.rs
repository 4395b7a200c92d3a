//! See [`RULE`].

use super::support::{name, thousands};
use super::{Check, Objection, TableCase};
use super::rule::declare_rule;
use crate::graph::TableId;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// A table with very many partitions and indexes is to be distributed.
    ///
    /// ## Why on Citus
    ///
    /// All shards of all partitions with all their indexes are created in one transaction on each node. Each is a lock;
    /// the table of locks holds about `max_locks_per_transaction * (max_connections + max_prepared_transactions)`.
    ///
    /// ## Example
    ///
    /// ```sql
    /// SELECT create_distributed_table('event', 'tenant_id');   -- 1,000 partitions
    /// ERROR:  out of shared memory
    /// HINT:  You might need to increase max_locks_per_transaction.
    /// ```
    ///
    /// ## Use instead
    ///
    /// Raise `max_locks_per_transaction` on all nodes (a restart), or merge old partitions first.
    ///
    /// ## When to ignore
    ///
    /// Where the setting is high already.
    ///
    /// ## Source
    ///
    /// `operations/create_shards.c:CreateDistributedTableWithShards`
    code: "CA116", name: "many-partitions-locks", level: Info, effect: Advice,
    title: "distributing takes a lock on every shard of every partition",
    remediation: "Raise max_locks_per_transaction on all nodes before distributing.",
    source: "operations/create_shards.c:CreateDistributedTableWithShards",
    check: Check::Table { applies, word },
}

fn applies(layout: &Layout<'_>, case: &TableCase) -> bool {
    layout.is_distributed(case.table) && locks(layout, case.table) > DEFAULT_LOCKS
}

/// Shards of a table and lock slots of a server where nobody changed the settings: 32; 64 * 100.
const SHARDS: i64 = 32;
const DEFAULT_LOCKS: i64 = 6_400;

/// Locks on each of two workers.
fn locks(layout: &Layout<'_>, table: TableId) -> i64 {
    let partitions = layout.graph.descendants(table);
    let relations: usize = partitions.iter().map(|&p| 1 + layout.graph.table(p).indexes.len()).sum();
    relations as i64 * SHARDS / 2
}

fn word(layout: &Layout<'_>, case: &TableCase) -> Objection {
    let partitions = layout.graph.descendants(case.table).len();
    let table = name(layout, case.table);
    Objection {
        message: format!("distributing {table} needs about {} locks in one transaction", thousands(locks(layout, case.table))),
        detail: Some(format!(
            "{} partitions with {SHARDS} shards each, and their indexes, spread over two nodes; the default settings have \
             room for about {}.",
            thousands(partitions as i64),
            thousands(DEFAULT_LOCKS)
        )),
        hint: Some("Raise max_locks_per_transaction on all nodes before distributing; that needs a restart.".to_owned()),
        fix_sql: Some("ALTER SYSTEM SET max_locks_per_transaction = 1024;".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn counts_partitions_and_indexes() {
        let partitions = |n: usize| {
            let leaves = (0..n).map(|i| table(&format!("p_{i}")).columns("id bigint").partition_of("p"));
            schema(leaves.chain([table("p").columns("id bigint").partitioned()]))
        };
        assert_eq!(found(&partitions(500), "p: distributed id", "many-partitions-locks"), ["p"]);
        assert!(found(&partitions(50), "p: distributed id", "many-partitions-locks").is_empty());
    }
}
