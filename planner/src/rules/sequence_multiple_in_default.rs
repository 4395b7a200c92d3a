//! See [`RULE`].

use super::support::{enumerate, ident};
use super::{Check, Objection, ObjectType, Refusal};
use super::default_or_check_depends_on_table::used_tables;
use super::rule::declare_rule;
use super::view_mixed::tables_read;
use crate::graph::TableId;
use crate::layout::Layout;
use crate::schema::{Column, RelationName, View};

declare_rule! {
    /// ## What it is
    ///
    /// The default of a column calls nextval() on two or more sequences.
    ///
    /// ## Why on Citus
    ///
    /// Citus ties each default to one sequence, whose type it adapts and which it creates on the workers.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE TABLE mixed (id bigint DEFAULT nextval('a') * 1000 + nextval('b'));
    /// SELECT create_distributed_table('mixed', 'org_id');
    /// ERROR:  More than one sequence in a column default is not supported for distribution or for adding local tables to metadata
    /// ```
    ///
    /// ## Use instead
    ///
    /// One sequence, or a function that draws from the others (on the coordinator only).
    ///
    /// ## When to ignore
    ///
    /// Never: the call fails.
    ///
    /// ## Source
    ///
    /// `metadata/metadata_sync.c:GetDependentSequencesWithRelation`
    code: "CA601", name: "sequence-multiple-in-default", level: Error, effect: Blocked,
    title: "a default draws from more than one sequence",
    remediation: "Use one sequence in the default.",
    source: "metadata/metadata_sync.c:GetDependentSequencesWithRelation",
    conversion: conversion,
    check: Check::Newcomer(refuses),
}

const MESSAGE: &str = "More than one sequence in a column default is not supported for distribution or for adding local \
                       tables to metadata";

fn culprit<'a>(layout: &Layout<'a>, table: TableId) -> Option<(&'a RelationName, &'a Column)> {
    let graph = layout.graph;
    let family = std::iter::once(table).chain(graph.descendants(table));
    family.chain(reached(layout, table)).find_map(|t| {
        let t = graph.table(t);
        let several = |c: &&Column| c.identity.is_none() && c.sequences.len() > 1;
        Some((&t.name, t.columns.iter().find(several)?))
    })
}

/// Tables whose sequences Citus looks at on its way: their row types are used, or views read them beside this table.
fn reached(layout: &Layout<'_>, table: TableId) -> Vec<TableId> {
    let graph = layout.graph;
    let mut views: Vec<&View> = Vec::new();
    let mut below = vec![&graph.table(table).name];
    while let Some(name) = below.pop() {
        for view in graph.schema.views.iter().filter(|v| v.reads.contains(name)) {
            if !views.iter().any(|v| v.name == view.name) {
                views.push(view);
                below.push(&view.name);
            }
        }
    }
    let mut found: Vec<TableId> = Vec::new();
    let mut open = used_tables(layout, table, false);
    open.extend(views.into_iter().flat_map(|view| tables_read(layout, view)));
    while let Some(next) = open.pop() {
        if next != table && !found.contains(&next) {
            found.push(next);
            open.extend(used_tables(layout, next, false));
        }
    }
    found.sort();
    found
}

fn refuses(layout: &Layout<'_>, table: TableId, _: &[TableId]) -> Option<Refusal> {
    let (name, column) = culprit(layout, table)?;
    let sequences: Vec<String> = column.sequences.iter().map(ToString::to_string).collect();
    let objection = Objection {
        message: MESSAGE.to_owned(),
        detail: Some(format!("The default of {name}.{} draws from {}.", ident(&column.name), enumerate(&sequences))),
        hint: Some("Keep one of the sequences.".to_owned()),
        fix_sql: Some(format!("ALTER TABLE {name} ALTER COLUMN {} DROP DEFAULT;", ident(&column.name))),
    };
    let own = layout.graph.table(table);
    let of_family = *name == own.name || layout.graph.descendants(table).iter().any(|&t| layout.graph.table(t).name == *name);
    Some(match of_family {
        true => (ObjectType::Column, column.name.clone(), objection),
        false => (ObjectType::Table, own.name.name.clone(), objection),
    })
}

fn conversion(layout: &Layout<'_>, table: TableId, _: &dyn Fn(TableId) -> bool) -> Option<String> {
    culprit(layout, table).map(|_| MESSAGE.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::{Dependency, DependencyKind, RelationName, View};

    #[test]
    fn counts_sequences() {
        let s = |name: &str| RelationName::new("public", name);
        let schema = schema([
            table("a").columns("id bigint").with(|t| t.columns[0].sequences = vec![s("x"), s("y")]),
            table("b").columns("id bigint").with(|t| t.columns[0].sequences = vec![s("x")]),
        ]);
        assert_eq!(found(&schema, "a: reference; b: reference", "sequence-multiple-in-default"), ["a.id"]);
        assert!(found(&schema, "b: reference", "sequence-multiple-in-default").is_empty());
        let uses = Dependency {
            kind: DependencyKind::Table,
            name: "public.a".into(),
            via: "column".into(),
            via_name: "x".into(),
            extension: None,
        };
        let mut schema = schema;
        schema.tables[1].dependencies.push(uses);
        assert_eq!(found(&schema, "a: reference; b: reference", "sequence-multiple-in-default"), ["a.id", "b"]);
        schema.tables[1].dependencies.clear();
        let reads = vec![s("a"), s("b")];
        schema.views.push(View { name: s("v"), materialized: false, reads, bytes: None, ..View::default() });
        assert_eq!(found(&schema, "b: reference", "sequence-multiple-in-default"), ["b"]);
    }
}
