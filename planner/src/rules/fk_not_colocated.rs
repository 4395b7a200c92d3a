//! See [`RULE`].

use super::support::{distribution_column, drop_constraint, ident, keep_as_reference, name};
use super::{Check, ForeignKeyCase, Objection, Standing};
use super::rule::declare_rule;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// A foreign key leads from a distributed table to one of another colocation group, or to a local table that Citus
    /// manages.
    ///
    /// ## Why on Citus
    ///
    /// A foreign key is checked shard by shard, on one node. Only tables of one group keep rows that belong together on
    /// the same node.
    ///
    /// ## Example
    ///
    /// ```sql
    /// ALTER TABLE purchase ADD FOREIGN KEY (shopper_id) REFERENCES shopper;   -- purchase by store_id, shopper by id
    /// ERROR:  cannot create foreign key constraint since relations are not colocated or not referencing a reference table
    /// ```
    ///
    /// ## Use instead
    ///
    /// Distribute both in one group, by the columns that the key joins; or make the referenced table a reference table;
    /// or drop the key and check it in the application.
    ///
    /// ## When to ignore
    ///
    /// Where losing the key was decided.
    ///
    /// ## Source
    ///
    /// `commands/foreign_constraint.c:ErrorIfUnsupportedForeignConstraintExists`
    code: "CA406", name: "fk-not-colocated", level: Error, effect: Blocked,
    title: "foreign key between tables that are not colocated",
    remediation: "Distribute both tables in one group, make the referenced table a reference table, or drop the key.",
    source: "commands/foreign_constraint.c:ErrorIfUnsupportedForeignConstraintExists",
    check: Check::ForeignKey { applies, word },
}

fn applies(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> bool {
    let Standing::Distributed(_, group) = case.from(layout) else { return false };
    match case.to(layout) {
        Standing::Distributed(_, other) => group != other,
        Standing::Managed => true,
        _ => false,
    }
}

fn word(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> Objection {
    let (table, referenced) = (name(layout, case.edge.referencing), name(layout, case.edge.referenced));
    let by = |t| distribution_column(layout, t).map_or(String::new(), |c| ident(&c.name));
    let other = match case.to(layout) {
        Standing::Distributed(..) => format!("distributed by {}, in another group", by(case.edge.referenced)),
        _ => "a local table that Citus manages".to_owned(),
    };
    Objection {
        message: "cannot create foreign key constraint since relations are not colocated or not referencing a \
                  reference table"
            .to_owned(),
        detail: Some(format!(
            "{} of {table} is lost: {table} is distributed by {}, {referenced} is {other}.",
            ident(&case.foreign_key.name),
            by(case.edge.referencing)
        )),
        hint: keep_as_reference(layout, case.edge.referenced),
        fix_sql: Some(drop_constraint(table, &case.foreign_key.name)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    fn payments() -> crate::schema::Schema {
        schema([
            table("merchants").columns("id bigint").primary_key("id"),
            table("events").columns("user_id bigint, merchant_id bigint").foreign_key("fk", "merchant_id", "merchants(id)"),
        ])
    }

    #[test]
    fn refuses_another_group_and_names_the_way_back() {
        let finding = one(&payments(), "merchants: distributed id m; events: distributed user_id u", "fk-not-colocated");
        assert_eq!(
            finding.message,
            "cannot create foreign key constraint since relations are not colocated or not referencing a reference table"
        );
        assert_eq!(
            finding.detail.as_deref(),
            Some(
                "fk of public.events is lost: public.events is distributed by user_id, public.merchants is distributed by \
                 id, in another group."
            )
        );
        assert_eq!(
            finding.hint.as_deref(),
            Some(
                "Kept if public.merchants becomes a reference table: SELECT advisor.plan_distribution(overrides => \
                 '{\"public.events\": {\"role\": \"distributed\", \"column\": \"user_id\", \"group\": \"u\"}, \
                 \"public.merchants\": {\"role\": \"reference\"}}');"
            )
        );
        assert_eq!(finding.fix_sql.as_deref(), Some("ALTER TABLE public.events DROP CONSTRAINT fk;"));
    }

    #[test]
    fn accepts_the_same_group_and_reference_tables() {
        assert!(blocked(&payments(), "merchants: distributed id m; events: distributed merchant_id m").is_empty());
        assert!(blocked(&payments(), "merchants: reference; events: distributed user_id u").is_empty());
    }
}
