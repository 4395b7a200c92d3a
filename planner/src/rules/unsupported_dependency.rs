//! See [`RULE`].

use super::support::{drop_constraint, drop_index, name};
use super::{Check, Objection, ObjectType, Report, Situation};
use super::default_or_check_depends_on_table::{used_by_index, used_tables, used_with_indexes};
use super::rule::declare_rule;
use crate::graph::TableId;
use crate::layout::Layout;
use crate::schema::{Dependency, DependencyKind, Index};

declare_rule! {
    /// ## What it is
    ///
    /// The table uses a range, multirange or base type, an operator, or an operator class that a user made and that
    /// belongs to no extension; or an index of it does; or a table does whose row type the table or the index uses.
    ///
    /// ## Why on Citus
    ///
    /// Citus creates what a table depends on, on every node: schemas, functions, collations, roles, extensions,
    /// domains, enums, composite types, sequences, text search configurations. Not ranges, base types, operators,
    /// operator classes and families, casts, languages.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE TYPE price_range AS RANGE (subtype = numeric);
    /// CREATE TABLE offer (shop_id bigint, span price_range);
    /// SELECT create_distributed_table('offer', 'shop_id');
    /// ERROR:  "table public.offer" has dependency on unsupported object "type public.price_range"
    /// ```
    ///
    /// ## Use instead
    ///
    /// A built-in type (`numrange`), two columns, a function in the place of the operator; or package the object into
    /// an extension that is installed on all nodes.
    ///
    /// ## When to ignore
    ///
    /// Never: the call fails, even if the object was made on every worker by hand.
    ///
    /// ## Source
    ///
    /// `metadata/dependency.c:SupportedDependencyByCitus`
    code: "CA611", name: "unsupported-dependency", level: Error, effect: Blocked,
    title: "the table or index depends on something that Citus cannot create on the workers",
    remediation: "Use built-in objects, or package it into an extension.",
    source: "metadata/dependency.c:SupportedDependencyByCitus",
    conversion: conversion,
    check: Check::NewcomerAndObjects { refuses, walk },
}

/// How PostgreSQL describes the object; `None` where Citus can create it.
fn description(dependency: &Dependency) -> Option<String> {
    if dependency.extension.is_some() {
        return None;
    }
    let of_method = |kind: &str| {
        let (name, method) = dependency.name.split_once(" USING ").unwrap_or((&dependency.name, "btree"));
        format!("{kind} {name} for access method {method}")
    };
    match dependency.kind {
        DependencyKind::UnsupportedType => Some(format!("type {}", dependency.name)),
        DependencyKind::Operator => Some(format!("operator {}", dependency.name)),
        DependencyKind::OperatorClass => Some(of_method("operator class")),
        DependencyKind::OperatorFamily => Some(of_method("operator family")),
        DependencyKind::Cast => Some(format!("cast {}", dependency.name)),
        _ => None,
    }
}

/// `operator does not exist: integer public.### integer`, from `public.###(integer,integer)`.
fn missing_operator(operator: &str) -> String {
    let (name, arguments) = operator.rsplit_once('(').unwrap_or((operator, ""));
    let arguments: Vec<&str> = arguments.trim_end_matches(')').split(',').map(str::trim).collect();
    match arguments[..] {
        [left, right] if left.eq_ignore_ascii_case("none") => format!("operator does not exist: {name} {right}"),
        [left, right] => format!("operator does not exist: {left} {name} {right}"),
        _ => format!("operator does not exist: {name}"),
    }
}

/// Tables whose row types these need, by whatever way; these included, the table itself not. A local table has its
/// indexes by the time that others are converted.
fn reached(layout: &Layout<'_>, mut open: Vec<TableId>, table: TableId, with_indexes: bool) -> Vec<TableId> {
    let mut found = Vec::new();
    while let Some(next) = open.pop() {
        if next != table && !found.contains(&next) {
            found.push(next);
            let exists = with_indexes && layout.is_local(next);
            open.extend(if exists { used_with_indexes(layout, next) } else { used_tables(layout, next, false) });
        }
    }
    found
}

/// What the tables need whose row types are used, the table needs: what it is, and of which of them.
fn of_used<'a>(layout: &Layout<'a>, used: &[TableId], with_indexes: bool) -> Option<(String, TableId, &'a Dependency)> {
    let graph = layout.graph;
    used.iter().find_map(|&u| {
        graph.table(u).dependencies.iter().find_map(|dependency| {
            let followed = match (dependency.via.as_str(), dependency.kind) {
                ("policy" | "trigger", _) => false,
                // The index of a table that Citus has taken was refused, and is not there.
                ("index", _) => with_indexes && layout.is_local(u),
                ("column", _) => true,
                // Citus does not look for operators in defaults and checks.
                (_, kind) => kind != DependencyKind::Operator,
            };
            Some((description(dependency).filter(|_| followed)?, u, dependency))
        })
    })
}

/// What keeps Citus from creating the table itself: the message and what the object is. A table that exists has indexes,
/// which may use the row types of others.
fn of_table(layout: &Layout<'_>, table: TableId, exists: bool) -> Option<(String, String)> {
    let graph = layout.graph;
    let family: Vec<TableId> = std::iter::once(table).chain(graph.descendants(table)).collect();
    let own = || {
        let all = family.iter().flat_map(|&t| graph.table(t).dependencies.iter().map(move |d| (t, d)));
        all.filter(|(_, d)| !matches!(d.via.as_str(), "index" | "policy" | "trigger"))
    };
    // Citus does not look for operators in defaults and checks: the workers do not find them, later.
    let is_late = |d: &Dependency| d.kind == DependencyKind::Operator && d.via != "column";
    let subject = |t: TableId, what: &str| {
        format!("\"table {}\" has dependency on unsupported object \"{what}\"", name(layout, t))
    };
    let early = own().filter(|(_, d)| !is_late(d)).find_map(|(t, d)| {
        let what = description(d)?;
        Some((subject(t, &what), format!("{what} ({} {})", d.via, d.via_name)))
    });
    let beneath = || {
        let used = if exists { used_with_indexes(layout, table) } else { used_tables(layout, table, false) };
        let (what, other, d) = of_used(layout, &reached(layout, used, table, exists), exists)?;
        Some((subject(table, &what), format!("{what} ({} {} of {})", d.via, d.via_name, name(layout, other))))
    };
    let late = || {
        own().filter(|(_, d)| is_late(d)).find_map(|(_, d)| {
            let what = description(d)?;
            Some((missing_operator(&d.name), format!("{what} ({} {})", d.via, d.via_name)))
        })
    };
    early.or_else(beneath).or_else(late)
}

/// Indexes of a table that cannot be created on the workers, with the object that is in the way.
fn of_indexes<'a>(layout: &Layout<'a>, table: TableId) -> impl Iterator<Item = (&'a Index, String)> {
    let t = layout.graph.table(table);
    let indexes = t.indexes.iter().filter(|i| i.parent.is_none());
    indexes.filter_map(move |index| {
        let of_index = |d: &&Dependency| d.via == "index" && d.via_name == index.name;
        let own = t.dependencies.iter().filter(of_index).find_map(description);
        let beneath = || {
            let used = reached(layout, used_by_index(layout, table, index), table, true);
            of_used(layout, &used, true).map(|(what, ..)| what)
        };
        Some((index, own.or_else(beneath)?))
    })
}

/// The refusal of a table is reported with the tables (see [`refuses`]); here are the indexes.
fn walk(situation: &Situation<'_>, report: &mut Report<'_>) {
    let layout = &situation.layout;
    for table in layout.graph.tables().filter(|&t| !layout.is_local(t)) {
        let relation = name(layout, table);
        for (index, what) in of_indexes(layout, table) {
            // A constraint is refused as a part of the table.
            let (subject, fix) = match &index.constraint {
                Some(constraint) => (format!("table {relation}"), drop_constraint(relation, &constraint.name)),
                None => {
                    let index = crate::schema::RelationName::new(&relation.schema, &index.name);
                    (format!("index {index}"), drop_index(relation, &index.name))
                }
            };
            report(relation, ObjectType::of_index(index), &index.name, Objection {
                message: format!("\"{subject}\" has dependency on unsupported object \"{what}\""),
                detail: Some(format!("Citus cannot create {what} on the workers.")),
                hint: Some("Use a built-in one, or package it into an extension.".to_owned()),
                fix_sql: Some(fix),
            });
        }
    }
}

fn refuses(layout: &Layout<'_>, table: TableId, _: &[TableId]) -> Option<super::Refusal> {
    let (message, what) = of_table(layout, table, false)?;
    let objection = Objection {
        message,
        detail: Some(format!("{} depends on {what}, which Citus cannot create on the workers.", name(layout, table))),
        hint: Some("Use a built-in one, or package it into an extension that is installed on all nodes.".to_owned()),
        fix_sql: None,
    };
    Some((ObjectType::Table, name(layout, table).name.clone(), objection))
}

/// A table that exists already is made anew with its indexes.
fn conversion(layout: &Layout<'_>, table: TableId, _: &dyn Fn(TableId) -> bool) -> Option<String> {
    let of_index = || {
        let (_, what) = of_indexes(layout, table).next()?;
        Some(format!("\"table {}\" has dependency on unsupported object \"{what}\"", name(layout, table)))
    };
    of_table(layout, table, true).map(|(message, _)| message).or_else(of_index)
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::{Dependency, DependencyKind};

    fn dependency(kind: DependencyKind, name: &str, via: &str, via_name: &str) -> Dependency {
        Dependency { kind, name: name.into(), via: via.into(), via_name: via_name.into(), extension: None }
    }

    #[test]
    fn refuses_tables_and_indexes() {
        let with = |name: &str, d: Dependency| {
            table(name).columns("id bigint").with(|t| {
                t.indexes.push(index("by_id", "id", None));
                t.dependencies.push(d);
            })
        };
        let extension = Dependency {
            extension: Some("citext".into()),
            ..dependency(DependencyKind::OperatorClass, "public.citext_ops USING btree", "index", "by_id")
        };
        let schema = schema([
            with("a", dependency(DependencyKind::UnsupportedType, "public.r", "column", "id")),
            with("b", dependency(DependencyKind::OperatorClass, "public.o USING btree", "index", "by_id")),
            with("c", dependency(DependencyKind::Operator, "public.###(integer,integer)", "check", "b")),
            with("d", extension),
        ]);
        let all = "a: reference; b: reference; c: reference; d: reference";
        assert_eq!(found(&schema, all, "unsupported-dependency"), ["a", "b.by_id", "c"]);
        let messages: Vec<String> = findings(&schema, all).into_iter().map(|f| f.message).collect();
        for wanted in [
            "\"table public.a\" has dependency on unsupported object \"type public.r\"",
            "\"index public.by_id\" has dependency on unsupported object \"operator class public.o for access method btree\"",
            "operator does not exist: integer public.### integer",
        ] {
            assert!(messages.iter().any(|m| m == wanted), "{messages:?}");
        }
        assert!(found(&schema, "d: reference", "unsupported-dependency").is_empty());
    }
    #[test]
    fn is_said_of_a_table_without_its_distribution_column_too() {
        let range = dependency(DependencyKind::UnsupportedType, "public.r", "column", "id");
        let schema = schema([
            table("a").columns("id bigint").with(|t| t.dependencies.push(range)),
            table("b").columns("id bigint"),
        ]);
        assert_eq!(found(&schema, "a: distributed gone; b: distributed gone", "unsupported-dependency"), ["a"]);
        assert_eq!(found(&schema, "a: distributed gone; b: distributed gone", "distcol-missing").len(), 2);
    }

    #[test]
    fn follows_the_row_types_of_other_tables() {
        let uses = |name: &str, via: &str, via_name: &str| {
            dependency(DependencyKind::Table, &format!("public.{name}"), via, via_name)
        };
        let operator = |via: &str, via_name: &str| {
            dependency(DependencyKind::Operator, "public.===(bigint,bigint)", via, via_name)
        };
        let with = |name: &str, dependencies: Vec<Dependency>| {
            table(name).columns("id bigint, r_id bigint").foreign_key(&format!("{name}_fk"), "r_id", "r(id)").with(move |t| {
                t.indexes.push(index(&format!("{}_i", t.name.name), "id", None));
                t.dependencies = dependencies;
            })
        };
        let schema = schema([
            table("r").columns("id bigint").primary_key("id"),
            with("indexed", vec![operator("index", "indexed_i")]),
            with("checked", vec![operator("check", "c")]),
            with("row_of_indexed", vec![uses("indexed", "column", "id")]),
            with("row_of_checked", vec![uses("checked", "column", "id")]),
            with("index_of_indexed", vec![uses("indexed", "index", "index_of_indexed_i")]),
        ]);
        // In a conversion the index is there; both objections are said.
        let rule = "unsupported-dependency";
        assert_eq!(
            found(&schema, "r: reference", rule),
            ["checked.checked_fk", "index_of_indexed.index_of_indexed_fk", "indexed.indexed_fk", "row_of_indexed.row_of_indexed_fk"]
        );
        assert_eq!(found(&schema, "r: reference", "default-or-check-depends-on-table").len(), 3);
        // The index of a local table is in the way of the index on its row; of the table only what makes its row.
        let mut schema = schema;
        schema.tables.iter_mut().for_each(|t| t.foreign_keys.clear());
        assert_eq!(found(&schema, "index_of_indexed: reference", rule), ["index_of_indexed.index_of_indexed_i"]);
        assert!(found(&schema, "row_of_indexed: reference; row_of_checked: reference", rule).is_empty());
        // One that is distributed has no such index.
        let both = "indexed: reference; index_of_indexed: reference";
        assert_eq!(found(&schema, both, rule), ["indexed.indexed_i"]);
    }
}
