//! See [`RULE`].

use super::support::{drop_constraint, ident, keep_as_reference, name};
use super::{Check, ForeignKeyCase, Objection, Standing};
use super::rule::declare_rule;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// A reference table, or a local table that Citus manages, has a foreign key to a distributed table.
    ///
    /// ## Why on Citus
    ///
    /// Every copy of the reference table would have to look into shards on other nodes. A local table that Citus does
    /// not manage is another matter: there the key is accepted and not enforced (fk-local-to-distributed-unchecked).
    ///
    /// ## Example
    ///
    /// ```sql
    /// ALTER TABLE industry ADD FOREIGN KEY (top_company) REFERENCES company;   -- industry reference, company distributed
    /// ERROR:  cannot create foreign key constraint since foreign keys from reference tables and local tables to distributed tables are not supported
    /// ```
    ///
    /// ## Use instead
    ///
    /// Distribute the referencing table with the other one, make both reference tables, or drop the key.
    ///
    /// ## When to ignore
    ///
    /// Never: the key is refused.
    ///
    /// ## Source
    ///
    /// `commands/foreign_constraint.c:ErrorIfUnsupportedForeignConstraintExists`
    code: "CA405", name: "fk-local-or-ref-to-distributed", level: Error, effect: Blocked,
    title: "foreign key from a reference table to a distributed one",
    remediation: "Distribute both together, make both reference tables, or drop the key.",
    source: "commands/foreign_constraint.c:ErrorIfUnsupportedForeignConstraintExists",
    check: Check::ForeignKey { applies, word },
}

fn applies(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> bool {
    matches!(case.from(layout), Standing::Reference | Standing::Managed)
        && matches!(case.to(layout), Standing::Distributed(..))
}

fn word(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> Objection {
    let (table, referenced) = (name(layout, case.edge.referencing), name(layout, case.edge.referenced));
    let role = match case.from(layout) {
        Standing::Reference => "a reference table",
        _ => "a local table that Citus manages, because foreign keys connect it with a reference table",
    };
    Objection {
        message: "cannot create foreign key constraint since foreign keys from reference tables and local tables to \
                  distributed tables are not supported"
            .to_owned(),
        detail: Some(format!(
            "{} of {table} references {referenced}, which is distributed; {table} is {role}.",
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
    fn refuses_reference_and_managed_tables() {
        let schema = schema([
            table("d").columns("id bigint").primary_key("id"),
            table("r").columns("id bigint").primary_key("id"),
            table("c").columns("d_id bigint, r_id bigint").foreign_key("to_d", "d_id", "d(id)").foreign_key("a_to_r", "r_id", "r(id)"),
        ]);
        let rule = "fk-local-or-ref-to-distributed c.to_d";
        assert_eq!(blocked(&schema, "d: distributed id; r: reference; c: reference"), [rule]);
        // Its foreign key to r comes first (pg_dump sorts by name) and makes c a managed table.
        assert_eq!(blocked(&schema, "d: distributed id; r: reference"), [rule]);
        assert!(blocked(&schema, "d: distributed id").is_empty());
    }

    #[test]
    fn whichever_foreign_key_comes_second_is_refused() {
        let schema = schema([
            table("d").columns("id bigint").primary_key("id"),
            table("r").columns("id bigint").primary_key("id"),
            table("c").columns("d_id bigint, r_id bigint").foreign_key("a_to_d", "d_id", "d(id)").foreign_key("b_to_r", "r_id", "r(id)"),
        ]);
        assert_eq!(blocked(&schema, "d: distributed id; r: reference"), ["fk-local-or-ref-to-distributed c.b_to_r"]);
    }
}
