//! See [`RULE`].

use super::support::ident;
use super::{Check, Objection, ObjectType, Report, Situation};
use super::rule::declare_rule;
use crate::identifier::quote_literal;

declare_rule! {
    /// ## What it is
    ///
    /// A local table with an identity column comes under the management of Citus, because foreign keys connect it with
    /// a reference table.
    ///
    /// ## Why on Citus
    ///
    /// Citus makes the table anew, and with it a fresh identity sequence at its START value: the next INSERT fails with
    /// a duplicate key, or repeats numbers silently where nothing is unique. Serial columns keep their counter. `ALTER
    /// COLUMN ... RESTART` is refused on the converted table.
    ///
    /// ## Example
    ///
    /// ```sql
    /// ALTER TABLE harbour ADD FOREIGN KEY (country) REFERENCES country;   -- country is a reference table
    /// INSERT INTO harbour (country) VALUES ('NO');
    /// ERROR:  duplicate key value violates unique constraint "harbour_pkey_102012"
    /// ```
    ///
    /// ## Use instead
    ///
    /// Set the counter right after the foreign key was added.
    ///
    /// ## When to ignore
    ///
    /// Where the table is empty.
    ///
    /// ## Source
    ///
    /// `commands/citus_add_local_table_to_metadata.c:DropIdentitiesOnTable`
    code: "CA609", name: "identity-reset-on-local-conversion", level: Error, effect: Data,
    title: "the identity column starts again at its first number",
    remediation: "Set the counter with setval() right after the foreign key is added.",
    source: "commands/citus_add_local_table_to_metadata.c:DropIdentitiesOnTable",
    check: Check::Layout(walk),
}

fn walk(situation: &Situation<'_>, report: &mut Report<'_>) {
    let graph = situation.layout.graph;
    for table in graph.planned_tables().filter(|t| situation.managed[t.0]) {
        let t = graph.table(table);
        for column in t.columns.iter().filter(|c| c.identity.is_some()) {
            let (name, raw) = (t.name.to_string(), &column.name);
            report(&t.name, ObjectType::Column, raw, Objection {
                message: format!("identity column {} starts again at its first number", ident(raw)),
                detail: Some(format!(
                    "A foreign key to a reference table makes Citus take {name} into its metadata, with a fresh sequence for \
                     {}: the next row repeats a number.",
                    ident(raw)
                )),
                hint: Some("Run this right after the foreign key was added.".to_owned()),
                fix_sql: Some(format!(
                    "SELECT setval(pg_get_serial_sequence({}, {}), (SELECT max({}) FROM {name}));",
                    quote_literal(&name),
                    quote_literal(raw),
                    ident(raw)
                )),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::Identity;

    #[test]
    fn tells_of_identities_of_managed_tables() {
        let schema = schema([
            table("r").columns("id bigint").primary_key("id"),
            table("a").columns("id bigint, r_id bigint").foreign_key("a", "r_id", "r(id)").with(|t| {
                t.columns[0].identity = Some(Identity::Always);
            }),
            table("b").columns("id bigint").with(|t| t.columns[0].identity = Some(Identity::Always)),
        ]);
        let finding = one(&schema, "r: reference", "identity-reset-on-local-conversion");
        assert_eq!(
            finding.fix_sql.as_deref(),
            Some("SELECT setval(pg_get_serial_sequence('public.a', 'id'), (SELECT max(id) FROM public.a));")
        );
        assert!(found(&schema, "a: reference; r: reference", "identity-reset-on-local-conversion").is_empty());
    }
}
