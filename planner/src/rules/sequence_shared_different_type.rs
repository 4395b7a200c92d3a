//! See [`RULE`].

use super::support::{ident, set_type};
use super::{Check, Objection, ObjectType, Refusal};
use super::rule::declare_rule;
use crate::graph::{Graph, TableId};
use crate::layout::Layout;
use crate::schema::{Column, RelationName};

declare_rule! {
    /// ## What it is
    ///
    /// Two columns of tables that Citus knows draw from one sequence in their defaults and differ in type. Text and
    /// numeric count as types too; local tables do not count.
    ///
    /// ## Why on Citus
    ///
    /// Citus gives the sequence the type of the column.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE TABLE person (id bigint DEFAULT nextval('global_id'));
    /// CREATE TABLE company (id int DEFAULT nextval('global_id'));
    /// -- both distributed
    /// ERROR:  The sequence public.global_id is already used for a different type in column 2 of the table public.person
    /// ```
    ///
    /// ## Use instead
    ///
    /// The same type in all columns, before distributing, or a sequence for each.
    ///
    /// ## When to ignore
    ///
    /// Never: the call fails.
    ///
    /// ## Source
    ///
    /// `commands/create_distributed_table.c:EnsureSequenceTypeSupported`
    code: "CA602", name: "sequence-shared-different-type", level: Error, effect: Blocked,
    title: "one sequence feeds columns of different types",
    remediation: "Give the columns one type before distributing, or each its own sequence.",
    source: "commands/create_distributed_table.c:EnsureSequenceTypeSupported",
    conversion: conversion,
    check: Check::Newcomer(refuses),
}

/// Columns of a table whose defaults draw from exactly one sequence, with their positions.
fn drawing<'a>(layout: &Layout<'a>, table: TableId) -> impl Iterator<Item = (usize, &'a Column, &'a RelationName)> {
    let columns = layout.graph.table(table).columns.iter().enumerate().filter(|(_, c)| c.identity.is_none());
    columns.filter_map(|(i, c)| match c.sequences.as_slice() {
        [sequence] => Some((i, c, sequence)),
        _ => None,
    })
}

/// The first column that shares its sequence with one of another type: of the same table or one that Citus knows, which is
/// asked only where some column is of another.
fn clash<'a, T: Iterator<Item = TableId>>(
    layout: &Layout<'a>,
    table: TableId,
    known: impl Fn() -> T,
) -> Option<(&'a Column, &'a Column, String)> {
    drawing(layout, table).find_map(|(_, column, sequence)| {
        let all_alike = |&(t, c): &(TableId, usize)| layout.graph.column(t, c).data_type == column.data_type;
        if layout.graph.drawing_from(sequence).iter().all(all_alike) {
            return None;
        }
        let others = known().chain(std::iter::once(table)).flat_map(|t| drawing(layout, t).map(move |d| (t, d)));
        others.into_iter().find_map(|(t, (position, other, theirs))| {
            (theirs == sequence && other.data_type != column.data_type).then(|| {
                let message = format!(
                    "The sequence {sequence} is already used for a different type in column {} of the table {}",
                    position + 1,
                    layout.graph.table(t).name
                );
                (column, other, message)
            })
        })
    })
}

/// Tables that draw from a sequence of this table for a column of another type.
pub(super) fn sharing(graph: &Graph<'_>, table: TableId) -> Vec<TableId> {
    let mut found = Vec::new();
    for column in &graph.table(table).columns {
        for sequence in &column.sequences {
            let users = graph.drawing_from(sequence).iter().filter(|&&(t, c)| t != table && graph.column(t, c).data_type != column.data_type);
            found.extend(users.map(|&(t, _)| t));
        }
    }
    found
}

fn refuses(layout: &Layout<'_>, table: TableId, accepted: &[TableId]) -> Option<Refusal> {
    let (column, other, message) = clash(layout, table, || accepted.iter().copied())?;
    let name = &layout.graph.table(table).name;
    let objection = Objection {
        message,
        detail: Some(format!(
            "{name}.{} is {}, the other column that draws from the sequence is {}.",
            ident(&column.name),
            column.type_text,
            other.type_text
        )),
        hint: Some("Give both one type before distributing, or each its own sequence.".to_owned()),
        fix_sql: Some(set_type(name, &column.name, &other.type_text)),
    };
    Some((ObjectType::Column, column.name.clone(), objection))
}

fn conversion(layout: &Layout<'_>, table: TableId, known: &dyn Fn(TableId) -> bool) -> Option<String> {
    clash(layout, table, || layout.graph.planned_tables().filter(|&t| known(t))).map(|(.., message)| message)
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::RelationName;

    #[test]
    fn compares_types_of_known_tables() {
        let draws = |name: &str, columns: &str| {
            table(name).columns(columns).with(|t| t.columns[0].sequences = vec![RelationName::new("public", "s")])
        };
        let schema = schema([draws("a", "id bigint"), draws("b", "id int"), draws("c", "id bigint")]);
        assert_eq!(
            one(&schema, "a: reference; b: reference; c: reference", "sequence-shared-different-type").message,
            "The sequence public.s is already used for a different type in column 1 of the table public.a"
        );
        assert!(found(&schema, "a: reference; c: reference", "sequence-shared-different-type").is_empty());
    }
}
