//! See [`RULE`].

use super::{Check, Objection, ObjectType, Report, Situation};
use super::rule::declare_rule;

declare_rule! {
    /// ## What it is
    ///
    /// A local table is connected with a reference table by foreign keys, directly or through other local tables.
    ///
    /// ## Why on Citus
    ///
    /// Citus takes every local table of such a web into its metadata (a "Citus local table"): the table is made anew
    /// under its name, views over it are created again, and it is locked meanwhile. With the foreign keys in place
    /// while reference tables are made this also catches tables that should be distributed later; so the script drops
    /// foreign keys first. Dropping the last such key turns the tables back, which rewrites them.
    ///
    /// ## Example
    ///
    /// ```sql
    /// ALTER TABLE note ADD FOREIGN KEY (country) REFERENCES country;   -- country is a reference table
    /// NOTICE:  local tables that are added to metadata automatically by citus, but not chained with reference tables via foreign keys
    ///          might be automatically converted back to postgres tables
    /// ```
    ///
    /// ## Use instead
    ///
    /// Nothing, if the foreign key is wanted; else drop it. Making the local table a reference table too avoids it.
    ///
    /// ## When to ignore
    ///
    /// Where the table has no identity column, no rules and no comments that matter.
    ///
    /// ## Source
    ///
    /// `commands/table.c:ConvertPostgresLocalTablesToCitusLocalTables`
    code: "CA416", name: "fk-auto-local-conversion", level: Info, effect: Silent,
    title: "the local table comes under the management of Citus",
    remediation: "Know it; drop the foreign key where the table must stay plain.",
    source: "commands/table.c:ConvertPostgresLocalTablesToCitusLocalTables",
    check: Check::Layout(walk),
}

fn walk(situation: &Situation<'_>, report: &mut Report<'_>) {
    let graph = situation.layout.graph;
    for table in graph.planned_tables().filter(|t| situation.managed[t.0]) {
        let name = &graph.table(table).name;
        report(name, ObjectType::Table, &name.name, Objection {
            message: format!("local table {name} is added to Citus metadata"),
            detail: Some(format!(
                "Foreign keys connect {name} with a reference table. It stays on the coordinator, but Citus makes it anew \
                 and manages it from then on."
            )),
            hint: None,
            fix_sql: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn follows_chains_of_foreign_keys() {
        let schema = schema([
            table("r").columns("id bigint").primary_key("id"),
            table("a").columns("id bigint, r_id bigint").primary_key("id").foreign_key("z", "r_id", "r(id)"),
            table("b").columns("a_id bigint").foreign_key("b", "a_id", "a(id)"),
            table("c").columns("id bigint"),
        ]);
        assert_eq!(found(&schema, "r: reference", "fk-auto-local-conversion"), ["a", "b"]);
        assert!(found(&schema, "", "fk-auto-local-conversion").is_empty());
    }
}
