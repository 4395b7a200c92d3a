//! See [`RULE`].

use super::rule::declare_rule;
use super::support::{drop_constraint, ident, name};
use super::{Check as Looks, Objection, TableCase};
use crate::graph::TableId;
use crate::identifier::quote_identifier;
use crate::layout::Layout;
use crate::schema::{Check, Table};

declare_rule! {
    /// ## What it is
    ///
    /// A check constraint of the table, or of a partition of it, reads the row as a whole: `CHECK (account IS NOT NULL)`,
    /// or `is_complete(account.*)`, where `account` is the table.
    ///
    /// ## Why on Citus
    ///
    /// Citus writes the check into the definition of each shard with the name of the table in it, and the shard has
    /// another name.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE TABLE account (id bigint, owner text, CHECK (account IS NOT NULL));
    /// SELECT create_distributed_table('account', 'id');
    /// ERROR:  missing FROM-clause entry for table "public.account"
    /// ```
    ///
    /// ## Use instead
    ///
    /// Name the columns: `CHECK ((id, owner) IS NOT NULL)`.
    ///
    /// ## When to ignore
    ///
    /// Never: the call fails.
    ///
    /// ## Source
    ///
    /// `deparser/citus_ruleutils.c:pg_get_tableschemadef_string`
    code: "CA619", name: "check-whole-row", level: Error, effect: Blocked,
    title: "a check reads the row as a whole",
    remediation: "Name the columns in the check.",
    source: "deparser/citus_ruleutils.c:pg_get_tableschemadef_string",
    conversion: conversion,
    check: Looks::Table { applies, word },
}

/// A check that is not valid is not there yet when the shards are made.
fn applies(layout: &Layout<'_>, case: &TableCase) -> bool {
    !layout.is_local(case.table) && culprit(layout, case.table, |c| c.validated).is_some()
}

fn culprit<'a>(layout: &Layout<'a>, table: TableId, which: fn(&Check) -> bool) -> Option<(TableId, &'a Check)> {
    let graph = layout.graph;
    let family = std::iter::once(table).chain(graph.descendants(table));
    family.into_iter().find_map(|t| {
        let table = graph.table(t);
        Some((t, table.checks.iter().find(|c| which(c) && reads_whole_row(table, &c.definition))?))
    })
}

/// Whether `table.*` stands in the text of an expression, outside of string literals. PostgreSQL writes it without the schema.
fn reads_whole_row(table: &Table, expression: &str) -> bool {
    let wanted = format!("{}.*", quote_identifier(&table.name.name));
    let mut before = ' ';
    let (mut rest, mut in_literal, mut in_name) = (expression, false, false);
    while let Some(c) = rest.chars().next() {
        let starts = !(in_literal || in_name || before.is_alphanumeric() || "_$.\"".contains(before));
        if starts && rest.starts_with(&wanted) {
            return true;
        }
        match c {
            '\'' if !in_name => in_literal = !in_literal,
            '"' if !in_literal => in_name = !in_name,
            _ => {}
        }
        before = c;
        rest = &rest[c.len_utf8()..];
    }
    false
}

fn message(layout: &Layout<'_>, table: TableId) -> String {
    format!("missing FROM-clause entry for table \"{}\"", name(layout, table))
}

fn word(layout: &Layout<'_>, case: &TableCase) -> Objection {
    let found = culprit(layout, case.table, |c| c.validated);
    let table = found.map_or(case.table, |(table, _)| table);
    Objection {
        message: message(layout, table),
        detail: found.map(|(_, check)| {
            format!("{} of {} reads the row as a whole: {}.", ident(&check.name), name(layout, table), check.definition)
        }),
        hint: Some("Name the columns in the check.".to_owned()),
        fix_sql: found.map(|(_, check)| drop_constraint(name(layout, table), &check.name)),
    }
}

fn conversion(layout: &Layout<'_>, table: TableId, _: &dyn Fn(TableId) -> bool) -> Option<String> {
    culprit(layout, table, |_| true).map(|(table, _)| message(layout, table))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::{Check, Schema};

    fn with(name: &str, definition: &str) -> Schema {
        let check = Check {
            name: "whole".into(),
            definition: definition.into(),
            validated: true,
            no_inherit: false,
            inherited: false, comment: None, put_aside: false };
        schema([
            table("r").columns("id bigint").primary_key("id"),
            table(name).columns("r_id bigint").foreign_key("fk", "r_id", "r(id)").with(|t| t.checks.push(check)),
        ])
    }

    #[test]
    fn refuses_checks_of_whole_rows() {
        let schema = with("a", "CHECK ((a.* IS NOT NULL))");
        assert_eq!(found(&schema, "a: distributed r_id", "check-whole-row"), ["a"]);
        let message = one(&schema, "a: distributed r_id", "check-whole-row").message;
        assert_eq!(message, "missing FROM-clause entry for table \"public.a\"");
        assert_eq!(blocked(&schema, "r: reference"), ["check-whole-row a.fk"]);
        assert_eq!(blocked(&with("A b", "CHECK (public.f(\"A b\".*))"), "r: reference"), ["check-whole-row A b.fk"]);
    }

    #[test]
    fn but_not_what_only_looks_like_it() {
        for definition in ["CHECK ((s <> 'a.*'::text))", "CHECK ((\"x a.*\" > 0))", "CHECK ((ba.* IS NULL))", "CHECK ((a * b) > 0)"] {
            assert!(blocked(&with("a", definition), "r: reference; a: reference").is_empty(), "{definition}");
        }
        assert!(blocked(&with("a", "CHECK ((a.* IS NOT NULL))"), "").is_empty());
    }
}
