//! See [`RULE`].

use super::support::name;
use super::{Check, Objection, TableCase};
use super::rule::declare_rule;
use crate::graph::TableId;
use crate::identifier::{RelationName, quote_identifier};
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// The table is called like another table of its schema with a number behind it, and that number will be a shard of
    /// the other table.
    ///
    /// ## Why on Citus
    ///
    /// Shards are tables named after the table and their number, counted from 102008 on a fresh cluster. Once `orders`
    /// has the shard 102008, Citus takes a table `orders_102008` for that shard: it refuses to distribute it and hides
    /// it from psql.
    ///
    /// ## Example
    ///
    /// ```sql
    /// SELECT create_distributed_table('orders', 'shop_id');
    /// SELECT create_distributed_table('orders_102008', 'shop_id');
    /// ERROR:  relation "orders_102008" is a shard relation
    /// ```
    ///
    /// ## Use instead
    ///
    /// Rename the table before anything is distributed.
    ///
    /// ## When to ignore
    ///
    /// Where the cluster has counted far beyond the number already, and no shard of the other table has it.
    ///
    /// ## Source
    ///
    /// `commands/create_distributed_table.c:EnsureCitusTableCanBeCreated`
    code: "CA108", name: "shard-name-collision", level: Error, effect: Blocked,
    title: "the name is that of a shard of another table",
    remediation: "Rename the table before anything is distributed.",
    source: "commands/create_distributed_table.c:EnsureCitusTableCanBeCreated",
    check: Check::Table { applies, word },
}

/// Where Citus starts to count shards.
const FIRST_SHARD: u64 = 102_008;

/// `citus.shard_count` where nobody changed it.
const SHARDS_PER_TABLE: u64 = 32;

fn applies(layout: &Layout<'_>, case: &TableCase) -> bool {
    if layout.is_local(case.table) {
        return false;
    }
    let Some((base, shard)) = base_and_shard(layout, case.table) else { return false };
    !layout.is_local(base) && shard >= FIRST_SHARD && shard < FIRST_SHARD + shards(layout)
}

/// The table that a table's name would make it a shard of, and the number of the shard.
pub(super) fn base_and_shard(layout: &Layout<'_>, table: TableId) -> Option<(TableId, u64)> {
    let name = name(layout, table);
    let (base, number) = name.name.rsplit_once('_')?;
    if number.starts_with('0') || !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some((layout.graph.find(&RelationName::new(&name.schema, base))?, number.parse().ok()?))
}

/// How many shards the layout makes.
fn shards(layout: &Layout<'_>) -> u64 {
    let of = |t: TableId| if layout.is_distributed(t) { SHARDS_PER_TABLE } else { 1 };
    layout.graph.tables().filter(|&t| !layout.is_local(t)).map(of).sum()
}

fn word(layout: &Layout<'_>, case: &TableCase) -> Objection {
    let name = name(layout, case.table);
    let base = name.name.rsplit_once('_').map_or("", |(base, _)| base);
    Objection {
        message: format!("relation \"{}\" is a shard relation", name.name),
        detail: Some(format!(
            "Shards of {} are named {base}_{FIRST_SHARD} and so on. Citus takes {name} for one of them.",
            RelationName::new(&name.schema, base)
        )),
        hint: Some("Rename it before anything is distributed.".to_owned()),
        fix_sql: Some(format!(
            "ALTER TABLE {name} RENAME TO {};",
            quote_identifier(&format!("{}_t", name.name))
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn refuses_the_name_of_a_shard_to_be() {
        let t = |name: &str| table(name).columns("id bigint");
        let schema = schema([t("orders"), t("orders_102008"), t("orders_2024"), t("items_102009")]);
        let all = "orders: distributed id; orders_102008: distributed id; orders_2024: distributed id; \
                   items_102009: distributed id";
        assert_eq!(found(&schema, all, "shard-name-collision"), ["orders_102008"]);
        assert!(found(&schema, "orders_102008: distributed id", "shard-name-collision").is_empty());
    }
}
