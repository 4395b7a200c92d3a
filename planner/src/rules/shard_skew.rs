//! See [`RULE`].

use super::rule::declare_rule;
use super::support::{distribution_column, ident, size};
use super::{Check, Objection, ObjectType, Report, Situation};
use crate::graph::TableId;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// One shard of a distributed table holds more than half of its bytes, or three times as much as the average shard
    /// (of at least three, and from 1 MB on).
    ///
    /// ## Why on Citus
    ///
    /// A shard is the smallest thing that can be moved. The node that has the big one does most of the work, whatever
    /// the rebalancer does.
    ///
    /// ## Example
    ///
    /// ```sql
    /// SELECT create_distributed_table('events', 'country');
    /// SELECT shard_name, shard_size FROM citus_shards WHERE table_name = 'events'::regclass;
    /// ```
    ///
    /// ## Use instead
    ///
    /// A distribution column with many values of like frequency; or, for one big tenant,
    /// `isolate_tenant_to_new_shard` and a node of its own.
    ///
    /// ## When to ignore
    ///
    /// Where the big shard is small enough for its node.
    ///
    /// ## Source
    ///
    /// `utils/shardinterval_utils.c:FindShardInterval`
    code: "CA906", name: "shard-skew", level: Warning, effect: Advice,
    title: "one shard is much larger than the others",
    remediation: "Distribute by a column with more even values, or isolate the big tenant.",
    source: "utils/shardinterval_utils.c:FindShardInterval",
    check: Check::Layout(walk),
}

/// Shards below this are as small as each other.
const SMALL: i64 = 1024 * 1024;

/// Bytes by position of the hash range: shards of partitions lie with those of their parent.
fn shard_bytes(layout: &Layout<'_>, table: TableId) -> Vec<i64> {
    let mut sums: Vec<i64> = Vec::new();
    for member in layout.graph.leaves(table) {
        let name = &layout.graph.table(member).name;
        let Some(citus) = layout.graph.schema.citus_tables.iter().find(|c| c.name == *name) else { continue };
        sums.resize(sums.len().max(citus.shard_bytes.len()), 0);
        sums.iter_mut().zip(&citus.shard_bytes).for_each(|(sum, bytes)| *sum = sum.saturating_add(*bytes));
    }
    sums
}

fn walk(situation: &Situation<'_>, report: &mut Report<'_>) {
    let layout = &situation.layout;
    for table in layout.graph.planned_tables() {
        let Some(column) = distribution_column(layout, table) else { continue };
        let shards = shard_bytes(layout, table);
        let (total, largest) = (shards.iter().sum::<i64>(), shards.iter().copied().max().unwrap_or(0));
        let uneven = largest > total / 2 || largest > total / shards.len().max(1) as i64 * 3;
        if shards.len() < 3 || largest < SMALL || !uneven {
            continue;
        }
        let t = layout.graph.table(table);
        report(&t.name, ObjectType::Column, &column.name, Objection {
            message: format!("one shard of {} has {} % of its bytes", t.name, 100 * (largest / 1024) / (total / 1024)),
            detail: Some(format!(
                "The largest of {} shards by {} has {} of {}.",
                shards.len(),
                ident(&column.name),
                size(largest),
                size(total)
            )),
            hint: Some("Few values, or one that most rows have, make a poor distribution column.".to_owned()),
            fix_sql: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::{CitusTable, RelationName};

    #[test]
    fn weighs_shards() {
        let skewed = |bytes: &[i64]| {
            let mut schema = schema([table("t").columns("id bigint")]);
            schema.citus_tables.push(CitusTable {
                name: RelationName::new("public", "t"),
                kind: "distributed".into(),
                distribution_column: Some("id".into()),
                colocation_id: 1,
                shard_count: Some(bytes.len() as i64),
                shard_bytes: bytes.to_vec(),
            });
            found(&schema, "t: distributed id", "shard-skew")
        };
        let mb = 1 << 20;
        assert_eq!(skewed(&[mb, 9 * mb, mb, mb]), ["t.id"]);
        assert_eq!(skewed(&[mb, mb, mb, mb, mb, mb, mb, mb, 5 * mb]), ["t.id"]);
        for even in [&[mb, 2 * mb, mb, mb][..], &[8192, 819_200, 8192, 8192], &[mb, 9 * mb], &[], &[0, 0, 0]] {
            assert!(skewed(even).is_empty(), "{even:?}");
        }
    }
}
