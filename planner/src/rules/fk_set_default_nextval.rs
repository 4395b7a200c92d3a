//! See [`RULE`].

use super::support::{ident, name, rebuild_foreign_key};
use super::{Check, ForeignKeyCase, Objection, Standing};
use super::rule::declare_rule;
use crate::graph::ColumnId;
use crate::layout::Layout;
use crate::schema::ReferentialAction::{self, SetDefault};

declare_rule! {
    /// ## What it is
    ///
    /// A foreign key has ON DELETE or ON UPDATE SET DEFAULT, and a column that it would set has a default with
    /// nextval().
    ///
    /// ## Why on Citus
    ///
    /// Shards have no such defaults: numbers are drawn on the coordinator. The action would set the column to NULL
    /// instead, so Citus refuses it, for reference tables and managed local tables too.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE TABLE thing (bucket int DEFAULT nextval('buckets') REFERENCES bucket ON DELETE SET DEFAULT);
    /// ERROR:  cannot create foreign key constraint since Citus does not support ON DELETE / UPDATE SET DEFAULT actions on the columns that default to sequences
    /// ```
    ///
    /// ## Use instead
    ///
    /// Another action; NO ACTION and an UPDATE by the application do the same.
    ///
    /// ## When to ignore
    ///
    /// Never: the key is refused.
    ///
    /// ## Source
    ///
    /// `commands/foreign_constraint.c:ForeignKeySetsNextValColumnToDefault`
    code: "CA403", name: "fk-set-default-nextval", level: Error, effect: Blocked,
    title: "SET DEFAULT of a foreign key would draw from a sequence",
    remediation: "Use another action, or another default.",
    source: "commands/foreign_constraint.c:ForeignKeySetsNextValColumnToDefault",
    check: Check::ForeignKey { applies, word },
}

fn applies(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> bool {
    case.from(layout) != Standing::Plain
        && (case.to(layout) != Standing::Plain || case.is_self_reference())
        && columns_set(case).any(|column| draws(layout, case, column))
        || case.converts(layout).is_some() && columns_set(case).any(|column| draws(layout, case, column))
}

/// Columns that an action would set to their defaults.
fn columns_set<'c>(case: &'c ForeignKeyCase<'_>) -> impl Iterator<Item = ColumnId> + 'c {
    let all = case.on_update == SetDefault || case.foreign_key.on_delete_columns.is_empty();
    let none = case.on_update != SetDefault && case.on_delete != SetDefault;
    let named = &case.foreign_key.on_delete_columns;
    let declared = &case.foreign_key.columns;
    case.columns.iter().map(|&(from, _)| from).enumerate().filter_map(move |(i, column)| {
        // Columns in front of the declared ones were added by widening and are never named.
        let name = (i + declared.len()).checked_sub(case.columns.len()).map(|i| &declared[i]);
        (!none && (all || name.is_some_and(|name| named.contains(name)))).then_some(column)
    })
}

fn draws(layout: &Layout<'_>, case: &ForeignKeyCase<'_>, column: ColumnId) -> bool {
    let column = layout.graph.column(case.edge.referencing, column);
    column.identity.is_some() || column.default.as_deref().is_some_and(|default| default.contains("nextval("))
}

fn word(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> Objection {
    let action = |action| if action == SetDefault { ReferentialAction::NoAction } else { action };
    let column = columns_set(case).find(|&column| draws(layout, case, column));
    let column = column.map_or(String::new(), |c| ident(&layout.graph.column(case.edge.referencing, c).name));
    Objection {
        message: "cannot create foreign key constraint since Citus does not support ON DELETE / UPDATE SET DEFAULT \
                  actions on the columns that default to sequences"
            .to_owned(),
        detail: Some(format!(
            "{} of {} would set {column} to its default, which draws from a sequence; shards have no such default.",
            ident(&case.foreign_key.name),
            name(layout, case.edge.referencing)
        )),
        hint: Some("With NO ACTION the application sets the column before it deletes or changes the referenced row.".to_owned()),
        fix_sql: rebuild_foreign_key(layout, case, &case.columns, action(case.on_delete), action(case.on_update)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::ReferentialAction::SetDefault;

    #[test]
    fn refuses_a_default_from_a_sequence() {
        let child = |name: &str, default: &str| {
            let columns = format!("p_id bigint default {default}");
            table(name).columns(&columns).foreign_key(name, "p_id", "p(id)").with(|t| t.foreign_keys[0].on_delete = SetDefault)
        };
        let schema = schema([
            table("p").columns("id bigint").primary_key("id"),
            child("a", "nextval('public.s'::regclass)"),
            child("b", "7"),
        ]);
        assert_eq!(blocked(&schema, "p: reference; a: reference; b: reference"), ["fk-set-default-nextval a.a"]);
        assert_eq!(blocked(&schema, "p: reference"), ["fk-set-default-nextval a.a"]);
        assert!(blocked(&schema, "").is_empty());
    }
}
