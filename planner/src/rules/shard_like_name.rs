//! See [`RULE`].

use super::shard_name_collision::base_and_shard;
use super::{Check, Objection, TableCase};
use super::rule::declare_rule;
use crate::identifier::quote_identifier;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// A table is called like another table of its schema with a number of six or more digits behind it, and the other
    /// table becomes one of Citus.
    ///
    /// ## Why on Citus
    ///
    /// Citus hides its shards from psql and other tools by their names. When the other table gets a shard with that
    /// number, this table disappears from lists and can no longer be distributed (shard-name-collision).
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE TABLE orders_102008 (...);
    /// SELECT create_distributed_table('orders', 'shop_id');
    /// \\d   -- orders_102008 is not shown
    /// ```
    ///
    /// ## Use instead
    ///
    /// Rename it.
    ///
    /// ## When to ignore
    ///
    /// Where the number is out of reach.
    ///
    /// ## Source
    ///
    /// `worker/worker_shard_visibility.c:HideShardsFromSomeApplications`
    code: "CA117", name: "shard-like-name", level: Warning, effect: Silent,
    title: "the table would be hidden from psql as a shard",
    remediation: "Rename the table.",
    source: "worker/worker_shard_visibility.c:HideShardsFromSomeApplications",
    check: Check::Table { applies, word },
}

fn applies(layout: &Layout<'_>, case: &TableCase) -> bool {
    base_and_shard(layout, case.table).is_some_and(|(base, shard)| shard >= 100_000 && !layout.is_local(base))
}

fn word(layout: &Layout<'_>, case: &TableCase) -> Objection {
    let name = &layout.graph.table(case.table).name;
    Objection {
        message: format!("{name} is named like a shard"),
        detail: Some("Citus hides tables with the names of its shards from psql.".to_owned()),
        hint: None,
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
    fn tells_of_names_with_a_shard_number() {
        let t = |name: &str| table(name).columns("id bigint");
        let schema = schema([t("orders"), t("orders_102999"), t("orders_2024")]);
        assert_eq!(found(&schema, "orders: distributed id", "shard-like-name"), ["orders_102999"]);
        assert!(found(&schema, "", "shard-like-name").is_empty());
    }
}
