//! What `pg_get_indexdef` says of an index, and `pg_get_constraintdef` of its constraint. The former looks for the default operator class of each column in `pg_opclass`, which takes longer
//! than everything else in the catalog together, so PostgreSQL is asked only where an index is more than the usual
//! `CREATE INDEX ... USING btree (columns)`.

use std::collections::HashMap;

use citus_planner::identifier::{quote_identifier, quote_identifiers};
use pgrx::pg_sys::{self, Oid};

use super::assemble::qualified;
use super::queries::query;
use super::rows::{Index, IndexColumn, IndexDefinition, Rows};
use crate::error::Result;
use crate::pg::operator_class;

/// Fills in [`Index::definition`] and [`Index::constraint_definition`].
pub fn fill(rows: &mut Rows) -> Result<()> {
    let mut columns: HashMap<u32, Vec<&IndexColumn>> = HashMap::new();
    for column in &rows.index_columns {
        columns.entry(column.index).or_default().push(column);
    }
    let tables: HashMap<u32, String> = rows.tables.iter().map(|t| (t.oid, qualified(&t.schema, &t.name))).collect();
    let mut defaults = HashMap::new();
    for index in &mut rows.indexes {
        let columns = columns.get(&index.oid).map_or(&[][..], Vec::as_slice);
        index.definition = tables.get(&index.relation).and_then(|table| usual(index, columns, table, &mut defaults));
        if index.definition.is_some() {
            index.constraint_definition = usual_constraint(index, columns);
        }
    }
    let is_open =
        |i: &&Index| i.definition.is_none() || i.constraint_type.is_some() && i.constraint_definition.is_none();
    let others: Vec<u32> = rows.indexes.iter().filter(is_open).map(|i| i.oid).collect();
    if others.is_empty() {
        return Ok(());
    }
    let definitions: Vec<IndexDefinition> = query(include_str!("index_definitions.sql"), &others)?;
    let mut definitions: HashMap<u32, IndexDefinition> = definitions.into_iter().map(|d| (d.oid, d)).collect();
    for index in &mut rows.indexes {
        if let Some(found) = definitions.remove(&index.oid) {
            index.definition = found.definition;
            index.constraint_definition = found.constraint_definition;
        }
    }
    Ok(())
}

/// The definition of an index of which PostgreSQL would say no more than this.
fn usual(index: &Index, columns: &[&IndexColumn], table: &str, defaults: &mut HashMap<u32, Oid>) -> Option<String> {
    // A partitioned one is ON ONLY; NULLS NOT DISTINCT, WITH and WHERE stand behind the columns.
    if index.kind != "i"
        || index.method != "btree"
        || index.nulls_not_distinct
        || index.options.is_some()
        || index.predicate.is_some()
        || columns.is_empty()
    {
        return None;
    }
    let mut written = Vec::new();
    for column in columns {
        let (name, data_type, class) = (column.column.as_ref()?, column.data_type?, column.operator_class?);
        // Of those that PostgreSQL brings none takes options.
        let is_built_in = Oid::from(class).to_u32() < pg_sys::FirstNormalObjectId;
        let mut default = || operator_class::default_class(Oid::from(data_type), pg_sys::BTREE_AM_OID);
        if !column.key
            || column.collation_schema.is_some()
            || !is_built_in
            || *defaults.entry(data_type).or_insert_with(&mut default) != Oid::from(class)
        {
            return None;
        }
        let order = match (column.descending, column.nulls_first) {
            (false, false) => "",
            (false, true) => " NULLS FIRST",
            (true, true) => " DESC",
            (true, false) => " DESC NULLS LAST",
        };
        written.push(format!("{}{order}", quote_identifier(name)));
    }
    let unique = if index.unique { "UNIQUE " } else { "" };
    Some(format!(
        "CREATE {unique}INDEX {} ON {table} USING btree ({})",
        quote_identifier(&index.name),
        written.join(", ")
    ))
}

/// The definition of the constraint of a usual index.
fn usual_constraint(index: &Index, columns: &[&IndexColumn]) -> Option<String> {
    let kind = match index.constraint_type.as_deref()? {
        "p" => "PRIMARY KEY",
        "u" if !index.period.unwrap_or_default() => "UNIQUE",
        _ => return None,
    };
    let names: Option<Vec<&str>> = columns.iter().map(|c| c.column.as_deref()).collect();
    let mut definition = format!("{kind} ({})", quote_identifiers(names?));
    // PostgreSQL 18 has PRIMARY KEY (id, during WITHOUT OVERLAPS); such an index is no B-tree.
    if index.deferrable.unwrap_or_default() {
        definition += " DEFERRABLE";
    }
    if index.initially_deferred.unwrap_or_default() {
        definition += " INITIALLY DEFERRED";
    }
    Some(definition)
}
