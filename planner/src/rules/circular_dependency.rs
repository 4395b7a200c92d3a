//! See [`RULE`].

use super::default_or_check_depends_on_table::{used_by_index, used_tables, used_with_indexes};
use super::situation::Situation;
use super::support::{drop_index, name};
use super::{Check, Objection, ObjectType, Refusal};
use super::rule::{Report, declare_rule};
use crate::graph::TableId;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// A default, check, generated column or index of the table calls a function that takes or returns the row type of the
    /// table itself (or of a table that depends on this one in the same way).
    ///
    /// ## Why on Citus
    ///
    /// Citus creates what an object depends on before the object, and gives up on circles.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE FUNCTION f(x c) RETURNS int ...;
    /// ALTER TABLE c ALTER v SET DEFAULT f(NULL);
    /// SELECT create_distributed_table('c', 'k');
    /// ERROR:  Citus can not handle circular dependencies between distributed objects
    /// DETAIL:  "table public.c" circularly depends itself, resolve circular dependency first
    /// ```
    ///
    /// ## Use instead
    ///
    /// A function that takes the columns it needs.
    ///
    /// ## When to ignore
    ///
    /// Never: the call fails.
    ///
    /// ## Source
    ///
    /// `metadata/dependency.c:EnsureDependenciesCanBeDistributed`
    code: "CA612", name: "circular-dependency", level: Error, effect: Blocked,
    title: "the table depends on itself",
    remediation: "Let the function take columns instead of the row.",
    source: "metadata/dependency.c:EnsureDependenciesCanBeDistributed",
    conversion: conversion,
    check: Check::NewcomerAndObjects { refuses, walk },
}

const MESSAGE: &str = "Citus can not handle circular dependencies between distributed objects";

/// Whether one of these tables needs the table again, by whatever way.
pub(super) fn lead_back(layout: &Layout<'_>, mut open: Vec<TableId>, table: TableId) -> bool {
    let mut seen: Vec<TableId> = Vec::new();
    while let Some(next) = open.pop() {
        if next == table {
            return true;
        }
        if !seen.contains(&next) {
            seen.push(next);
            open.extend(used_tables(layout, next, true));
        }
    }
    false
}

fn refuses(layout: &Layout<'_>, table: TableId, _: &[TableId]) -> Option<Refusal> {
    lead_back(layout, used_tables(layout, table, true), table).then(|| {
        let name = name(layout, table);
        let objection = Objection {
            message: MESSAGE.to_owned(),
            detail: Some(format!("\"table {name}\" circularly depends itself, resolve circular dependency first")),
            hint: Some("Let the function take the columns that it needs instead of the row.".to_owned()),
            fix_sql: None,
        };
        (ObjectType::Table, name.name.clone(), objection)
    })
}

/// Indexes that are made when the table is there.
fn walk(situation: &Situation<'_>, report: &mut Report<'_>) {
    let layout = &situation.layout;
    for table in layout.graph.tables().filter(|&t| !layout.is_local(t)) {
        let t = layout.graph.table(table);
        for index in t.indexes.iter().filter(|i| i.parent.is_none()) {
            if !lead_back(layout, used_by_index(layout, table, index), table) {
                continue;
            }
            let objection = Objection {
                message: MESSAGE.to_owned(),
                detail: Some(format!("The index needs the row type of {}, and {} the index.", t.name, t.name)),
                hint: Some("Let the function take the columns that it needs instead of the row.".to_owned()),
                fix_sql: Some(drop_index(&t.name, &index.name)),
            };
            report(&t.name, ObjectType::of_index(index), &index.name, objection);
        }
    }
}

fn conversion(layout: &Layout<'_>, table: TableId, _: &dyn Fn(TableId) -> bool) -> Option<String> {
    lead_back(layout, used_with_indexes(layout, table), table).then(|| MESSAGE.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::{Dependency, DependencyKind};

    #[test]
    fn follows_row_types_in_circles() {
        let uses = |name: &str, other: &str| {
            let dependency = Dependency {
                kind: DependencyKind::Table,
                name: format!("public.{other}"),
                via: "default".into(),
                via_name: "id".into(),
                extension: None,
            };
            table(name).columns("id bigint").with(|t| t.dependencies.push(dependency))
        };
        let schema = schema([uses("a", "a"), uses("b", "c"), table("c").columns("id bigint")]);
        assert_eq!(found(&schema, "a: reference; b: reference; c: reference", "circular-dependency"), ["a"]);
        assert!(found(&schema, "b: reference; c: reference", "circular-dependency").is_empty());
    }
    #[test]
    fn finds_circles_through_indexes() {
        let of_index = Dependency {
            kind: DependencyKind::Table,
            name: "public.a".into(),
            via: "index".into(),
            via_name: "by_row".into(),
            extension: None,
        };
        let schema = schema([
            table("r").columns("id bigint").primary_key("id"),
            table("a").columns("r_id bigint").foreign_key("fk", "r_id", "r(id)").with(|t| {
                t.indexes.push(index("by_row", "f(a.*)", None));
                t.dependencies.push(of_index);
            }),
        ]);
        assert_eq!(found(&schema, "r: reference; a: distributed r_id", "circular-dependency"), ["a.by_row"]);
        assert_eq!(blocked(&schema, "r: reference"), ["circular-dependency a.fk"]);
        assert!(blocked(&schema, "").is_empty());
    }
}
