//! See [`RULE`].

use super::support::{ident, keep_as_reference, name, rebuild_foreign_key};
use super::{Check, ForeignKeyCase, Objection, Standing};
use super::rule::declare_rule;
use crate::layout::Layout;
use crate::schema::ReferentialAction::{NoAction, Restrict};

declare_rule! {
    /// ## What it is
    ///
    /// A reference table has a foreign key to a local table with CASCADE, SET NULL or SET DEFAULT.
    ///
    /// ## Why on Citus
    ///
    /// Citus takes the local table into its metadata and accepts the key, but only the copy of the reference table on
    /// the coordinator sees the local table: an action could not reach the copies on the workers.
    ///
    /// ## Example
    ///
    /// ```sql
    /// ALTER TABLE city ADD FOREIGN KEY (mayor) REFERENCES person ON DELETE CASCADE;   -- city reference, person local
    /// ERROR:  cannot define foreign key constraint, foreign keys from reference tables to local tables can only be defined with NO ACTION or RESTRICT behaviors
    /// ```
    ///
    /// ## Use instead
    ///
    /// NO ACTION or RESTRICT, or make the local table a reference table too.
    ///
    /// ## When to ignore
    ///
    /// Never: the key is refused.
    ///
    /// ## Source
    ///
    /// `commands/foreign_constraint.c:EnsureSupportedFKeyBetweenCitusLocalAndRefTable`
    code: "CA404", name: "fk-ref-to-local-action", level: Error, effect: Blocked,
    title: "a foreign key from a reference table to a local one may not cascade",
    remediation: "Use NO ACTION, or make the referenced table a reference table too.",
    source: "commands/foreign_constraint.c:EnsureSupportedFKeyBetweenCitusLocalAndRefTable",
    check: Check::ForeignKey { applies, word },
}

fn applies(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> bool {
    let harmless = |action| matches!(action, NoAction | Restrict);
    case.from(layout) == Standing::Reference
        && matches!(case.to(layout), Standing::Plain | Standing::Managed)
        && !(harmless(case.on_delete) && harmless(case.on_update))
}

fn word(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> Objection {
    let gentle = |action| if matches!(action, NoAction | Restrict) { action } else { NoAction };
    Objection {
        message: "cannot define foreign key constraint, foreign keys from reference tables to local tables can only be \
                  defined with NO ACTION or RESTRICT behaviors"
            .to_owned(),
        detail: Some(format!(
            "{} of {} would act on every copy of the reference table, but {} is on the coordinator only.",
            ident(&case.foreign_key.name),
            name(layout, case.edge.referencing),
            name(layout, case.edge.referenced)
        )),
        hint: keep_as_reference(layout, case.edge.referenced),
        fix_sql: rebuild_foreign_key(layout, case, &case.columns, gentle(case.on_delete), gentle(case.on_update)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::ReferentialAction::Cascade;

    #[test]
    fn refuses_actions_only() {
        let schema = schema([
            table("p").columns("id bigint").primary_key("id"),
            table("a").columns("p_id bigint").foreign_key("a", "p_id", "p(id)"),
            table("b").columns("p_id bigint").foreign_key("b", "p_id", "p(id)").with(|t| t.foreign_keys[0].on_delete = Cascade),
        ]);
        assert_eq!(blocked(&schema, "a: reference; b: reference"), ["fk-ref-to-local-action b.b"]);
        assert!(blocked(&schema, "a: reference; b: reference; p: reference").is_empty());
        assert!(blocked(&schema, "").is_empty());
    }
}
