//! See [`RULE`].

use super::support::{actions, column_list, drop_constraint, ident, name};
use super::{Check, ForeignKeyCase, Objection};
use super::rule::declare_rule;
use crate::identifier::quote_identifiers;
use crate::layout::Layout;
use crate::schema::MatchType;

declare_rule! {
    /// ## What it is
    ///
    /// A MATCH FULL foreign key of a distributed table has the distribution column among its columns (as every widened
    /// one has), and other columns that may be NULL.
    ///
    /// ## Why on Citus
    ///
    /// The distribution column is never NULL. With MATCH FULL a row must have all columns or none, so a row without a
    /// reference cannot exist any more.
    ///
    /// ## Example
    ///
    /// ```sql
    /// FOREIGN KEY (hotel_id, room_no) REFERENCES room MATCH FULL
    /// INSERT INTO booking (hotel_id, room_no) VALUES (1, NULL);
    /// ERROR:  insert or update on table "booking_102010" violates foreign key constraint "booking_room"
    /// DETAIL:  MATCH FULL does not allow mixing of null and nonnull key values.
    /// ```
    ///
    /// ## Use instead
    ///
    /// MATCH SIMPLE, which is the default.
    ///
    /// ## When to ignore
    ///
    /// Where the columns are never NULL.
    ///
    /// ## Source
    ///
    /// `utils/adt/ri_triggers.c (PostgreSQL)`
    code: "CA413", name: "fk-match-full", level: Warning, effect: Data,
    title: "MATCH FULL refuses rows that are partly NULL",
    remediation: "Make the foreign key again with MATCH SIMPLE.",
    source: "utils/adt/ri_triggers.c (PostgreSQL)",
    check: Check::ForeignKey { applies, word },
}

fn applies(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> bool {
    case.foreign_key.match_type == MatchType::Full
        && case.columns.len() > 1
        && case.has_distribution_column(layout)
        && case.columns.iter().any(|&(from, _)| !layout.graph.column(case.edge.referencing, from).not_null)
}

fn word(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> Objection {
    let table = name(layout, case.edge.referencing);
    let columns = case.columns.iter().map(|&(from, _)| &layout.graph.column(case.edge.referencing, from).name);
    let columns: Vec<&str> = columns.map(String::as_str).collect();
    let to = case.columns.iter().map(|&(_, to)| layout.graph.column(case.edge.referenced, to).name.as_str());
    Objection {
        message: "MATCH FULL does not allow mixing of null and nonnull key values".to_owned(),
        detail: Some(format!(
            "{} of {table} is MATCH FULL over {}: a row whose distribution column is filled and another is NULL violates it.",
            ident(&case.foreign_key.name),
            column_list(columns.iter().copied())
        )),
        hint: Some("MATCH SIMPLE checks rows only where all columns are filled.".to_owned()),
        fix_sql: Some(format!(
            "{}\nALTER TABLE {table} ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({}){};",
            drop_constraint(table, &case.foreign_key.name),
            ident(&case.foreign_key.name),
            quote_identifiers(columns),
            name(layout, case.edge.referenced),
            quote_identifiers(to),
            actions(case.on_delete, &case.foreign_key.on_delete_columns, case.on_update)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::MatchType;

    #[test]
    fn tells_of_match_full_with_the_distribution_column() {
        let schema = |not_null: &str| {
            let columns = format!("h bigint not null, n bigint{not_null}");
            schema([
                table("room").columns("h bigint, n bigint").primary_key("h, n"),
                table("b").columns(&columns).foreign_key("fk", "h, n", "room(h, n)").with(|t| {
                    t.foreign_keys[0].match_type = MatchType::Full;
                }),
            ])
        };
        assert_eq!(found(&schema(""), "room: distributed h; b: distributed h", "fk-match-full"), ["b.fk"]);
        assert!(found(&schema(" not null"), "room: distributed h; b: distributed h", "fk-match-full").is_empty());
    }
}
