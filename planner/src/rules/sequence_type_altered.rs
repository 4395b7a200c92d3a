//! See [`RULE`].

use super::support::{ident, set_type};
use super::{Check, Objection, ObjectType, Refusal};
use super::rule::declare_rule;
use crate::graph::TableId;
use crate::layout::Layout;
use crate::schema::{Column, Sequence};

declare_rule! {
    /// ## What it is
    ///
    /// A column of type int or smallint draws from a bigint sequence that starts, or has come, beyond the range of the
    /// column.
    ///
    /// ## Why on Citus
    ///
    /// Citus gives the sequence the type of the column (`ALTER SEQUENCE ... AS integer`), which PostgreSQL refuses
    /// then. Within the range the type changes silently, and the sequence ends at the largest value of the type.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE SEQUENCE wide START 5000000000;
    /// CREATE TABLE a (id int DEFAULT nextval('wide'));
    /// SELECT create_distributed_table('a', 'org_id');
    /// ERROR:  START value (5000000000) cannot be greater than MAXVALUE (2147483647)
    /// ```
    ///
    /// ## Use instead
    ///
    /// Widen the column to bigint before distributing.
    ///
    /// ## When to ignore
    ///
    /// Never: the call fails.
    ///
    /// ## Source
    ///
    /// `commands/create_distributed_table.c:AlterSequenceType`
    code: "CA603", name: "sequence-type-altered", level: Error, effect: Blocked,
    title: "the sequence is beyond the range of the column that it feeds",
    remediation: "Widen the column to bigint before distributing.",
    source: "commands/create_distributed_table.c:AlterSequenceType",
    conversion: conversion,
    check: Check::Newcomer(refuses),
}

fn culprit<'a>(layout: &Layout<'a>, table: TableId) -> Option<(&'a Column, &'a Sequence, i64)> {
    let graph = layout.graph;
    graph.table(table).columns.iter().filter(|c| c.identity.is_none()).find_map(|column| {
        let (largest, data_type) = match column.data_type.as_str() {
            "pg_catalog.int2" => (i64::from(i16::MAX), "smallint"),
            "pg_catalog.int4" => (i64::from(i32::MAX), "integer"),
            _ => return None,
        };
        let [name] = column.sequences.as_slice() else { return None };
        let sequence = graph.sequence(name).filter(|s| s.data_type != data_type)?;
        (sequence.start > largest || sequence.last_value > Some(largest)).then_some((column, sequence, largest))
    })
}

fn message(sequence: &Sequence, largest: i64) -> String {
    let (what, value) = match sequence.last_value {
        Some(value) if sequence.start <= largest => ("RESTART", value),
        _ => ("START", sequence.start),
    };
    format!("{what} value ({value}) cannot be greater than MAXVALUE ({largest})")
}

fn refuses(layout: &Layout<'_>, table: TableId, _: &[TableId]) -> Option<Refusal> {
    let (column, sequence, largest) = culprit(layout, table)?;
    let name = &layout.graph.table(table).name;
    let objection = Objection {
        message: message(sequence, largest),
        detail: Some(format!(
            "Citus gives sequence {} the type of {name}.{}, {}.",
            sequence.name,
            ident(&column.name),
            column.type_text
        )),
        hint: Some("Widen the column before distributing.".to_owned()),
        fix_sql: Some(set_type(name, &column.name, "bigint")),
    };
    Some((ObjectType::Column, column.name.clone(), objection))
}

fn conversion(layout: &Layout<'_>, table: TableId, _: &dyn Fn(TableId) -> bool) -> Option<String> {
    culprit(layout, table).map(|(_, sequence, largest)| message(sequence, largest))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::{RelationName, Sequence};

    fn with(start: i64, last_value: Option<i64>) -> Vec<String> {
        let name = RelationName::new("public", "s");
        let mut schema =
            schema([table("t").columns("id int, k bigint").with(|t| t.columns[0].sequences = vec![name.clone()])]);
        let sequence = Sequence { name, data_type: "bigint".into(), owned_by: None, start, increment: 1, last_value };
        schema.sequences.push(sequence);
        let of_rule = findings(&schema, "t: distributed k").into_iter().filter(|f| f.name == "sequence-type-altered");
        of_rule.map(|f| f.message).collect()
    }

    #[test]
    fn compares_with_the_range_of_the_column() {
        assert_eq!(with(5_000_000_000, None), ["START value (5000000000) cannot be greater than MAXVALUE (2147483647)"]);
        assert_eq!(
            with(1, Some(6_000_000_000)),
            ["RESTART value (6000000000) cannot be greater than MAXVALUE (2147483647)"]
        );
        assert!(with(1, Some(7)).is_empty());
    }
}
