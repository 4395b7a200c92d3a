//! See [`RULE`].

use super::support::name;
use super::{Check, Objection, TableCase};
use super::rule::declare_rule;
use crate::graph::TableId;
use crate::layout::Layout;
use crate::schema::TableKind;

declare_rule! {
    /// ## What it is
    ///
    /// A partitioned table to be distributed, or a partition of it, has a name longer than 54 bytes.
    ///
    /// ## Why on Citus
    ///
    /// Shards are named `name_shardid`. Names beyond 63 bytes are cut, and for partitioned tables with rows (from 56 bytes on
    /// with six-digit shard numbers) the parallel copy then waits for itself. Ordinary tables, indexes and constraints
    /// do no harm.
    ///
    /// ## Example
    ///
    /// ```sql
    /// SELECT create_distributed_table('measurements_of_the_northern_weather_station_network_by_hour', 'station_id');
    /// ERROR:  canceling the transaction since it was involved in a distributed deadlock
    /// ```
    ///
    /// ## Use instead
    ///
    /// A shorter name, or `SET citus.multi_shard_modify_mode TO 'sequential'` for the call (and for later index
    /// builds).
    ///
    /// ## When to ignore
    ///
    /// Where the setting is used, or the tables are empty.
    ///
    /// ## Source
    ///
    /// `relay/relay_event_utility.c:AppendShardIdToName`
    code: "CA114", name: "long-names", level: Warning, effect: Data,
    title: "the name of a partitioned table or partition is too long for its shards",
    remediation: "Rename it, or distribute in sequential mode.",
    source: "relay/relay_event_utility.c:AppendShardIdToName",
    check: Check::Table { applies, word },
}

fn applies(layout: &Layout<'_>, case: &TableCase) -> bool {
    layout.is_distributed(case.table) && long(layout, case.table).is_some()
}

/// Longest name with room for an underscore and eight digits.
const LONGEST: usize = 54;

pub fn long(layout: &Layout<'_>, table: TableId) -> Option<TableId> {
    if layout.graph.table(table).kind != TableKind::Partitioned {
        return None;
    }
    let family = std::iter::once(table).chain(layout.graph.descendants(table));
    family.into_iter().find(|&t| name(layout, t).name.len() > LONGEST)
}

fn word(layout: &Layout<'_>, case: &TableCase) -> Objection {
    let long = long(layout, case.table).unwrap_or(case.table);
    let name = name(layout, long);
    Objection {
        message: "canceling the transaction since it was involved in a distributed deadlock".to_owned(),
        detail: Some(format!(
            "The name of {name} has {} bytes; with the number of a shard behind it, it does not fit into 63. With rows \
             anywhere in the table the parallel copy waits for itself.",
            name.name.len()
        )),
        hint: Some("Rename it, or set this for the session that distributes it.".to_owned()),
        fix_sql: Some("SET citus.multi_shard_modify_mode TO 'sequential';".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn counts_bytes_of_partitioned_tables() {
        let long = "x".repeat(56);
        let p = |name: &str| table(name).columns("id bigint").partitioned();
        let schema = schema([
            p("p"),
            table(&long).columns("id bigint").partition_of("p"),
            p("q"),
            table(&"y".repeat(63)).columns("id bigint"),
        ]);
        let all = format!("p: distributed id; q: distributed id; {}: distributed id", "y".repeat(63));
        assert_eq!(found(&schema, &all, "long-names"), ["p"]);
        assert!(found(&schema, "q: distributed id", "long-names").is_empty());
    }
}
