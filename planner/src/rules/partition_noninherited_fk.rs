//! See [`RULE`].

use super::support::{drop_constraint, ident, name};
use super::{Check, ForeignKeyCase, Objection};
use super::rule::declare_rule;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// A foreign key is declared on a partition and not on the partitioned table above it, the partitioned table stays
    /// local, and the key connects the partition with a reference table. (The same when a local partition is
    /// referenced.)
    ///
    /// ## Why on Citus
    ///
    /// Such a key makes Citus take the local table into its metadata, and it does that for whole partitioned tables
    /// only.
    ///
    /// ## Example
    ///
    /// ```sql
    /// ALTER TABLE log_2024 ADD FOREIGN KEY (region_id) REFERENCES region;   -- log_2024 is a partition of log, region a reference table
    /// ERROR:  cannot build foreign key between reference table and a partition
    /// ```
    ///
    /// ## Use instead
    ///
    /// Declare the foreign key on the partitioned table. On a table that is distributed a key of one partition is fine.
    ///
    /// ## When to ignore
    ///
    /// Never: the key is refused.
    ///
    /// ## Source
    ///
    /// `commands/table.c:ConvertPostgresLocalTablesToCitusLocalTables`
    code: "CA401", name: "partition-noninherited-fk", level: Error, effect: Blocked,
    title: "a foreign key of a partition alone cannot reach a reference table",
    remediation: "Declare the foreign key on the partitioned table.",
    source: "commands/table.c:ConvertPostgresLocalTablesToCitusLocalTables",
    check: Check::ForeignKey { applies, word },
}

fn applies(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> bool {
    case.converts(layout).is_some_and(|table| layout.graph.is_partition(table))
}

fn word(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> Objection {
    let graph = layout.graph;
    let converted = case.converts(layout).unwrap_or(case.edge.referencing);
    let (partition, root) = (name(layout, converted), name(layout, graph.root(converted)));
    let table = name(layout, case.edge.referencing);
    Objection {
        message: "cannot build foreign key between reference table and a partition".to_owned(),
        detail: Some(format!(
            "{} of {table} connects partition {partition} of {root} with a reference table. For that Citus would have to \
             manage {root}, and it does so only for foreign keys of {root} itself.",
            ident(&case.foreign_key.name)
        )),
        hint: Some(format!("Declare the foreign key on {root}.")),
        fix_sql: Some(if table == partition {
            format!(
                "{}\nALTER TABLE {root} ADD CONSTRAINT {} {};",
                drop_constraint(table, &case.foreign_key.name),
                ident(&case.foreign_key.name),
                case.foreign_key.definition
            )
        } else {
            drop_constraint(table, &case.foreign_key.name)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn refuses_a_key_of_a_local_partition() {
        let schema = schema([
            table("region").columns("id bigint").primary_key("id"),
            table("log").columns("region_id bigint").partitioned(),
            table("log_1").columns("region_id bigint").partition_of("log").foreign_key("fk", "region_id", "region(id)"),
            table("flat").columns("region_id bigint").foreign_key("fk_flat", "region_id", "region(id)"),
        ]);
        assert_eq!(blocked(&schema, "region: reference"), ["partition-noninherited-fk log_1.fk"]);
        assert!(blocked(&schema, "region: reference; log: distributed region_id").is_empty());
    }
}
