//! See [`RULE`].

use super::support::{column_list, drop_constraint, ident, name};
use super::{Check, Objection, ObjectType, Report, Situation};
use super::rule::declare_rule;

declare_rule! {
    /// ## What it is
    ///
    /// A foreign key rests on a primary key or unique constraint that Citus refuses under this layout.
    ///
    /// ## Why on Citus
    ///
    /// PostgreSQL itself then finds no key to reference. The echo of another problem: solve that one first. The order
    /// matters too: the wider key must exist before the foreign key is made again, and the old one cannot go while old
    /// foreign keys rest on it.
    ///
    /// ## Example
    ///
    /// ```sql
    /// ALTER TABLE offer ADD FOREIGN KEY (supplier_id) REFERENCES supplier (id);   -- supplier_pkey was refused
    /// ERROR:  there is no unique constraint matching given keys for referenced table "supplier"
    /// ```
    ///
    /// ## Use instead
    ///
    /// Drop the foreign keys, widen the key, distribute, then add the foreign keys with the wider columns.
    ///
    /// ## When to ignore
    ///
    /// Never: the key is refused.
    ///
    /// ## Source
    ///
    /// `commands/tablecmds.c:transformFkeyCheckAttrs (PostgreSQL)`
    code: "CA412", name: "fk-target-needs-unique", level: Error, effect: Blocked,
    title: "the key that the foreign key rests on is refused",
    remediation: "Solve the problem of the referenced key first.",
    source: "commands/tablecmds.c:transformFkeyCheckAttrs (PostgreSQL)",
    check: Check::Layout(walk),
}

fn walk(situation: &Situation<'_>, report: &mut Report<'_>) {
    let layout = &situation.layout;
    for &edge in &situation.without_target {
        let e = &layout.graph.edges[edge];
        let key = layout.graph.foreign_key(e);
        let (table, referenced) = (name(layout, e.referencing), name(layout, e.referenced));
        report(table, ObjectType::ForeignKey, &key.name, Objection {
            message: format!(
                "there is no unique constraint matching given keys for referenced table \"{}\"",
                referenced.name
            ),
            detail: Some(format!(
                "{} of {table} rests on the key {} of {referenced}, which Citus refuses.",
                ident(&key.name),
                column_list(key.referenced_columns.iter().map(String::as_str))
            )),
            hint: Some(format!("Solve the problem of the key of {referenced} first.")),
            fix_sql: Some(drop_constraint(table, &key.name)),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn is_the_echo_of_a_refused_key() {
        let schema = schema([
            table("p").columns("t bigint, id bigint").primary_key("id"),
            table("c").columns("t bigint, p_id bigint").foreign_key("fk", "p_id", "p(id)"),
        ]);
        assert_eq!(found(&schema, "p: distributed t; c: distributed t", "fk-target-needs-unique"), ["c.fk"]);
        assert!(found(&schema, "p: reference; c: distributed t", "fk-target-needs-unique").is_empty());
    }
}
