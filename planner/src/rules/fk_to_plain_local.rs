//! See [`RULE`].

use super::support::{drop_constraint, ident, keep_as_reference, name};
use super::{Check, ForeignKeyCase, Objection, Standing};
use super::rule::declare_rule;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// A distributed table has a foreign key to a table that stays local.
    ///
    /// ## Why on Citus
    ///
    /// The rows of the distributed table lie on the workers, the referenced rows on the coordinator: no node can check
    /// the key. (From a reference table the key is accepted, for Citus then manages the local table.)
    ///
    /// ## Example
    ///
    /// ```sql
    /// ALTER TABLE orders ADD FOREIGN KEY (shop_id) REFERENCES shops;   -- shops is local
    /// ERROR:  referenced table "shops" must be a distributed table or a reference table
    /// ```
    ///
    /// ## Use instead
    ///
    /// Make the referenced table a reference table, or distribute it in the same group with the distribution column in
    /// the key.
    ///
    /// ## When to ignore
    ///
    /// Never: the key is refused.
    ///
    /// ## Source
    ///
    /// `commands/foreign_constraint.c:ErrorIfUnsupportedForeignConstraintExists`
    code: "CA402", name: "fk-to-plain-local", level: Error, effect: Blocked,
    title: "foreign key from a distributed table to a local one",
    remediation: "Make the referenced table a reference table, distribute it in the same group, or drop the key.",
    source: "commands/foreign_constraint.c:ErrorIfUnsupportedForeignConstraintExists",
    check: Check::ForeignKey { applies, word },
}

fn applies(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> bool {
    !case.is_self_reference()
        && matches!(case.from(layout), Standing::Distributed(..))
        && case.to(layout) == Standing::Plain
}

fn word(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> Objection {
    let (table, referenced) = (name(layout, case.edge.referencing), name(layout, case.edge.referenced));
    Objection {
        message: format!(
            "referenced table \"{}\" must be a distributed table or a reference table",
            referenced.name
        ),
        detail: Some(format!(
            "{} of {table} references {referenced}, which stays on the coordinator while {table} is on the workers.",
            ident(&case.foreign_key.name)
        )),
        hint: keep_as_reference(layout, case.edge.referenced),
        fix_sql: Some(drop_constraint(table, &case.foreign_key.name)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn refuses_distributed_to_local() {
        let schema = schema([
            table("p").columns("id bigint").primary_key("id"),
            table("c").columns("p_id bigint").foreign_key("fk", "p_id", "p(id)"),
        ]);
        let finding = one(&schema, "c: distributed p_id", "fk-to-plain-local");
        assert_eq!(finding.message, "referenced table \"p\" must be a distributed table or a reference table");
        assert_eq!(
            finding.hint.as_deref(),
            Some(
                "Kept if public.p becomes a reference table: SELECT advisor.plan_distribution(overrides => \
                 '{\"public.c\": {\"role\": \"distributed\", \"column\": \"p_id\", \"group\": \"g\"}, \"public.p\": {\"role\": \"reference\"}}');"
            )
        );
        for fine in ["", "p: reference; c: distributed p_id", "p: distributed id; c: distributed p_id", "c: reference"] {
            assert!(blocked(&schema, fine).is_empty(), "{fine}");
        }
    }
}
