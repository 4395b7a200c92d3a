//! See [`RULE`].

use super::support::{column_list, ident, name, rebuild_foreign_key};
use super::{Check, ForeignKeyCase, Objection, Standing};
use super::rule::declare_rule;
use crate::layout::Layout;
use crate::schema::ReferentialAction::{NoAction, SetDefault, SetNull};

declare_rule! {
    /// ## What it is
    ///
    /// A foreign key that has the distribution column of the referencing table among its columns says ON DELETE SET
    /// NULL or SET DEFAULT, be it for other columns only (`SET NULL (parent_id)`). So every such key is refused once it
    /// is widened with the distribution column.
    ///
    /// ## Why on Citus
    ///
    /// Setting the distribution column would move the row to another shard. Citus does not look at the list of columns
    /// (citus#7132).
    ///
    /// ## Example
    ///
    /// ```sql
    /// ALTER TABLE task ADD FOREIGN KEY (tenant_id, parent_id) REFERENCES task ON DELETE SET NULL (parent_id);
    /// ERROR:  cannot create foreign key constraint
    /// DETAIL:  SET NULL or SET DEFAULT is not supported in ON DELETE operation when distribution key is included in the foreign
    ///          key constraint
    /// ```
    ///
    /// ## Use instead
    ///
    /// NO ACTION, and the application sets the column to NULL before it deletes (`UPDATE child SET parent_id = NULL
    /// WHERE tenant_id = $1 AND parent_id = $2`). CASCADE only where losing the rows is right. Or a reference table as
    /// the target, referenced without the distribution column.
    ///
    /// ## When to ignore
    ///
    /// Never: the key is refused.
    ///
    /// ## Source
    ///
    /// `commands/foreign_constraint.c:EnsureSupportedFKeyOnDistKey`
    code: "CA407", name: "fk-set-null-distcol", level: Error, effect: Blocked,
    title: "ON DELETE SET NULL or SET DEFAULT on a foreign key with the distribution column",
    remediation: "Use NO ACTION and set the column in the application before the delete.",
    source: "commands/foreign_constraint.c:EnsureSupportedFKeyOnDistKey",
    check: Check::ForeignKey { applies, word },
}

fn applies(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> bool {
    matches!(case.on_delete, SetNull | SetDefault) && reaches(layout, case) && case.has_distribution_column(layout)
}

/// Whether the key would be accepted but for its actions: to a reference table, or within one group.
pub(super) fn reaches(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> bool {
    match (case.from(layout), case.to(layout)) {
        (Standing::Distributed(..), Standing::Reference) => true,
        (Standing::Distributed(_, a), Standing::Distributed(_, b)) => a == b,
        _ => false,
    }
}

fn word(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> Objection {
    let graph = layout.graph;
    let table = case.edge.referencing;
    let others = case.columns.iter().map(|&(from, _)| from);
    let others = others.filter(|&c| layout.placement(table).distribution_column() != Some(c));
    let others: Vec<&str> = others.map(|c| graph.column(table, c).name.as_str()).collect();
    Objection {
        message: "cannot create foreign key constraint".to_owned(),
        detail: Some(format!(
            "SET NULL or SET DEFAULT is not supported in ON DELETE operation when distribution key is included in the \
             foreign key constraint. {} of {} includes it.",
            ident(&case.foreign_key.name),
            name(layout, table)
        )),
        hint: Some(match others.is_empty() {
            true => "With NO ACTION such rows must be deleted or moved before the referenced one.".to_owned(),
            false => format!(
                "With NO ACTION the application sets {} to NULL before it deletes the referenced row.",
                column_list(others)
            ),
        }),
        fix_sql: rebuild_foreign_key(layout, case, &case.columns, NoAction, case.on_update),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::ReferentialAction::SetNull;

    #[test]
    fn refuses_it_only_with_the_distribution_column() {
        let child = |name: &str, columns: &str, target: &str| {
            table(name).columns("t bigint, p bigint").foreign_key(name, columns, target).with(|t| {
                t.foreign_keys[0].on_delete = SetNull;
                t.foreign_keys[0].on_delete_columns = vec!["p".into()];
            })
        };
        let schema = schema([
            table("p").columns("t bigint, id bigint").primary_key("t, id"),
            table("r").columns("id bigint").primary_key("id"),
            child("a", "t, p", "p(t, id)"),
            child("b", "p", "r(id)"),
        ]);
        let all = "p: distributed t; r: reference; a: distributed t; b: distributed t";
        assert_eq!(blocked(&schema, all), ["fk-set-null-distcol a.a"]);
        assert!(blocked(&schema, "r: reference; b: distributed t").is_empty());
        assert_eq!(
            one(&schema, all, "fk-set-null-distcol").fix_sql.unwrap(),
            "ALTER TABLE public.a DROP CONSTRAINT a, ADD CONSTRAINT a FOREIGN KEY (t, p) REFERENCES \
             public.p (t, id);"
        );
    }
}
