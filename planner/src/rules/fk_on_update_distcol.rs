//! See [`RULE`].

use super::fk_set_null_distcol::reaches;
use super::support::{ident, name, rebuild_foreign_key};
use super::{Check, ForeignKeyCase, Objection};
use super::rule::declare_rule;
use crate::layout::Layout;
use crate::schema::ReferentialAction::{Cascade, NoAction, SetDefault, SetNull};

declare_rule! {
    /// ## What it is
    ///
    /// A foreign key that has the distribution column of the referencing table among its columns says ON UPDATE
    /// CASCADE, SET NULL or SET DEFAULT.
    ///
    /// ## Why on Citus
    ///
    /// The action would change the distribution column, and with it the shard of the row. Citus forbids changing it at
    /// all.
    ///
    /// ## Example
    ///
    /// ```sql
    /// ALTER TABLE branch ADD FOREIGN KEY (repo_id) REFERENCES repo ON UPDATE CASCADE;   -- both distributed by it
    /// ERROR:  cannot create foreign key constraint
    /// DETAIL:  SET NULL, SET DEFAULT or CASCADE is not supported in ON UPDATE operation when distribution key included in the foreign
    ///          constraint.
    /// ```
    ///
    /// ## Use instead
    ///
    /// ON UPDATE NO ACTION. Object-relational mappers often write CASCADE by habit: keys that never change lose
    /// nothing.
    ///
    /// ## When to ignore
    ///
    /// Never: the key is refused.
    ///
    /// ## Source
    ///
    /// `commands/foreign_constraint.c:EnsureSupportedFKeyOnDistKey`
    code: "CA408", name: "fk-on-update-distcol", level: Error, effect: Blocked,
    title: "ON UPDATE action on a foreign key with the distribution column",
    remediation: "Use ON UPDATE NO ACTION.",
    source: "commands/foreign_constraint.c:EnsureSupportedFKeyOnDistKey",
    check: Check::ForeignKey { applies, word },
}

fn applies(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> bool {
    matches!(case.on_update, SetNull | SetDefault | Cascade)
        && reaches(layout, case)
        && case.has_distribution_column(layout)
}

fn word(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> Objection {
    Objection {
        message: "cannot create foreign key constraint".to_owned(),
        detail: Some(format!(
            "SET NULL, SET DEFAULT or CASCADE is not supported in ON UPDATE operation when distribution key included in \
             the foreign constraint. {} of {} includes it.",
            ident(&case.foreign_key.name),
            name(layout, case.edge.referencing)
        )),
        hint: Some("Nothing is lost where the referenced key never changes.".to_owned()),
        fix_sql: rebuild_foreign_key(layout, case, &case.columns, case.on_delete, NoAction),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::ReferentialAction::Cascade;

    #[test]
    fn refuses_cascade_with_the_distribution_column() {
        let child = |name: &str, target: &str| {
            table(name).columns("x bigint, y bigint").foreign_key(name, "x", target).with(|t| t.foreign_keys[0].on_update = Cascade)
        };
        let schema = schema([
            table("d").columns("id bigint").primary_key("id"),
            table("r").columns("id bigint").primary_key("id"),
            child("a", "d(id)"),
            child("b", "r(id)"),
        ]);
        let all = "d: distributed id; r: reference; a: distributed x; b: distributed y";
        assert_eq!(blocked(&schema, all), ["fk-on-update-distcol a.a"]);
        assert!(blocked(&schema, "r: reference; b: distributed y").is_empty());
        let by_x = "d: distributed id; r: reference; a: reference; b: distributed x";
        assert_eq!(found(&schema, by_x, "fk-on-update-distcol"), ["b.b"]);
    }
}
