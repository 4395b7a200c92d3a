//! See [`RULE`].

use super::support::{drop_index, keep_as_reference, name};
use super::{Check, Objection, ObjectType, Report, Situation};
use super::rule::declare_rule;
use crate::graph::TableId;
use crate::identifier::parse_qualified_name;
use crate::layout::Layout;
use crate::schema::{Index, Dependency, DependencyKind, RelationName};

declare_rule! {
    /// ## What it is
    ///
    /// A column has the row type of another table, or a default, check or generated column calls a function with that
    /// row type as argument or result, and the other table stays local.
    ///
    /// ## Why on Citus
    ///
    /// Citus creates what a table depends on before it creates the table on the workers. The row type of a table exists
    /// there only if that table does. (A function that reads a table in its body is not noticed.)
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE TABLE quote (org_id bigint, cents int DEFAULT cents_of(row(1, 5)::price));   -- price is a table
    /// SELECT create_distributed_table('quote', 'org_id');
    /// ERROR:  "table public.quote" has dependency to "table public.price" that is not in Citus' metadata
    /// HINT:  Distribute "table public.price" first to distribute "table public.quote"
    /// ```
    ///
    /// ## Use instead
    ///
    /// Make the other table a reference table first, or use a composite type of its own (`CREATE TYPE`).
    ///
    /// ## When to ignore
    ///
    /// Never: the call fails.
    ///
    /// ## Source
    ///
    /// `metadata/dependency.c:DeferErrorIfHasUnsupportedDependency`
    code: "CA608", name: "default-or-check-depends-on-table", level: Error, effect: Blocked,
    title: "the table depends on the row type of a table that is not distributed",
    remediation: "Make the other table a reference table first, or use a composite type of its own.",
    source: "metadata/dependency.c:DeferErrorIfHasUnsupportedDependency",
    conversion: conversion,
    check: Check::NewcomerAndObjects { refuses, walk },
}

/// Tables whose row types the definition of a table, or of a partition of it, uses; the table itself only if asked for.
pub(super) fn used_tables(layout: &Layout<'_>, table: TableId, itself: bool) -> Vec<TableId> {
    used_by(layout, table, &["index", "policy", "trigger"]).into_iter().filter(|&u| itself || u != table).collect()
}

/// The same of a table that exists with its indexes.
pub(super) fn used_with_indexes(layout: &Layout<'_>, table: TableId) -> Vec<TableId> {
    used_by(layout, table, &["policy", "trigger"])
}

/// The same of one index.
pub(super) fn used_by_index(layout: &Layout<'_>, table: TableId, index: &Index) -> Vec<TableId> {
    let dependencies = layout.graph.table(table).dependencies.iter();
    dependencies.filter(|d| d.via == "index" && d.via_name == index.name).filter_map(|d| used(layout, d)).collect()
}

fn used_by(layout: &Layout<'_>, table: TableId, without: &[&str]) -> Vec<TableId> {
    let family = std::iter::once(table).chain(layout.graph.descendants(table));
    let dependencies = family.flat_map(|t| &layout.graph.table(t).dependencies);
    dependencies.filter(|d| !without.contains(&d.via.as_str())).filter_map(|d| used(layout, d)).collect()
}

/// The table that a dependency leads to through its row type.
fn used(layout: &Layout<'_>, dependency: &Dependency) -> Option<TableId> {
    let (schema, name) = parse_qualified_name(&dependency.name).filter(|_| dependency.kind == DependencyKind::Table)?;
    layout.graph.find(&RelationName::new(schema?, name))
}

/// Indexes on expressions that need the row type of a table that the workers do not have.
fn walk(situation: &Situation<'_>, report: &mut Report<'_>) {
    let layout = &situation.layout;
    for table in layout.graph.tables().filter(|&t| !layout.is_local(t)) {
        let t = layout.graph.table(table);
        for index in t.indexes.iter().filter(|i| i.parent.is_none()) {
            let missing = used_by_index(layout, table, index).into_iter().find(|&u| layout.is_local(u));
            let Some(missing) = missing else { continue };
            let (name, missing_name) = (RelationName::new(&t.name.schema, &index.name), name(layout, missing));
            report(
                &t.name,
                ObjectType::of_index(index),
                &index.name,
                Objection {
                    message: format!(
                        "\"index {name}\" has dependency to \"table {missing_name}\" that is not in Citus' metadata"
                    ),
                    detail: Some(format!("The index uses the row type of {missing_name}, which the workers lack.")),
                    hint: keep_as_reference(layout, missing),
                    fix_sql: Some(drop_index(&t.name, &index.name)),
                },
            );
        }
    }
}

fn message(layout: &Layout<'_>, table: TableId, missing: TableId) -> String {
    format!(
        "\"table {}\" has dependency to \"table {}\" that is not in Citus' metadata",
        name(layout, table),
        name(layout, missing)
    )
}

fn refuses(layout: &Layout<'_>, table: TableId, accepted: &[TableId]) -> Option<(ObjectType, String, Objection)> {
    let used = used_tables(layout, table, false);
    let missing = used.into_iter().find(|&u| !accepted.contains(&layout.graph.root(u)))?;
    let objection = Objection {
        message: message(layout, table, missing),
        detail: Some(format!(
            "The definition of {} uses the row type of {}, which does not exist on the workers.",
            name(layout, table),
            name(layout, missing)
        )),
        hint: keep_as_reference(layout, missing),
        fix_sql: None,
    };
    Some((ObjectType::Table, name(layout, table).name.clone(), objection))
}

/// A local table is not known even if Citus manages it: what was the table is its shard by then, and keeps the row type.
fn conversion(layout: &Layout<'_>, table: TableId, _: &dyn Fn(TableId) -> bool) -> Option<String> {
    let used = used_with_indexes(layout, table).into_iter().filter(|&u| u != table);
    let missing = used.into_iter().find(|&u| layout.is_local(layout.graph.root(u)))?;
    Some(message(layout, table, missing))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::{Dependency, DependencyKind};

    #[test]
    fn wants_the_other_table_first() {
        let dependency = Dependency {
            kind: DependencyKind::Table,
            name: "public.price".into(),
            via: "default".into(),
            via_name: "cents".into(),
            extension: None,
        };
        let schema = schema([
            table("price").columns("id bigint"),
            table("a_quote").columns("org_id bigint").with(|t| t.dependencies.push(dependency)),
        ]);
        let rule = "default-or-check-depends-on-table";
        assert_eq!(found(&schema, "a_quote: distributed org_id", rule), ["a_quote"]);
        assert_eq!(
            one(&schema, "a_quote: reference", rule).message,
            "\"table public.a_quote\" has dependency to \"table public.price\" that is not in Citus' metadata"
        );
        assert!(found(&schema, "price: reference; a_quote: distributed org_id", rule).is_empty());
        assert!(found(&schema, "price: distributed id g; a_quote: distributed org_id g", rule).is_empty());
    }
    #[test]
    fn does_not_find_the_row_type_of_a_managed_table() {
        let uses = |name: &str| Dependency {
            kind: DependencyKind::Table,
            name: format!("public.{name}"),
            via: "column".into(),
            via_name: "x".into(),
            extension: None,
        };
        let schema = schema([
            table("r").columns("id bigint").primary_key("id"),
            table("price").columns("r_id bigint").foreign_key("a_fk", "r_id", "r(id)"),
            table("quote").columns("r_id bigint").foreign_key("b_fk", "r_id", "r(id)").with(|t| t.dependencies.push(uses("price"))),
            table("note").columns("r_id bigint").foreign_key("c_fk", "r_id", "r(id)").with(|t| t.dependencies.push(uses("r"))),
        ]);
        assert_eq!(blocked(&schema, "r: reference"), ["default-or-check-depends-on-table quote.b_fk"]);
        assert!(blocked(&schema, "r: reference; price: reference; quote: reference").is_empty());
    }
}
