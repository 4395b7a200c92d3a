//! What a column that is being added will hold, as SQL: the value that a row's path leads to, whether the tables between
//! have been given the column or not.

use super::{Backfill, Way};
use crate::graph::{ColumnId, Edge, Graph, TableId};
use crate::identifier::quote_identifier;
use crate::layout::Layout;
use crate::schema::{DataType, TableKind};

/// The operator that says that two columns are equal; `None` where it is not known.
pub fn equality(graph: &Graph<'_>, a: (TableId, ColumnId), b: (TableId, ColumnId)) -> Option<String> {
    let base = |(table, column): (TableId, ColumnId)| graph.base_type(&graph.column(table, column).data_type);
    let (x, y) = (base(a)?, base(b)?);
    if x == y {
        return x.equality.clone();
    }
    // Types that PostgreSQL brings are compared across, or cast, by its own operators.
    let built_in = |t: &DataType| !t.user_made && t.extension.is_none();
    (built_in(x) && built_in(y)).then(|| "OPERATOR(pg_catalog.=)".to_owned())
}

/// A table in FROM; ONLY keeps inheritance children out.
pub fn from(graph: &Graph<'_>, table: TableId) -> String {
    let t = graph.table(table);
    let only = if t.kind == TableKind::Partitioned { "" } else { "ONLY " };
    format!("{only}{}", t.name)
}

/// `ADD COLUMN` of it, without the table. It is empty first: filled and NOT NULL come later.
pub fn add_column(backfill: &Backfill) -> String {
    let column = &backfill.column;
    let collation = match &column.collation {
        Some(collation) if collation.name != "pg_catalog.\"default\"" => format!(" COLLATE {}", collation.name),
        _ => String::new(),
    };
    format!("ADD COLUMN {} {}{collation}", quote_identifier(&column.name), column.type_text)
}

/// The statement that fills it, without the semicolon, for all rows that have no value yet. Tables that are filled before
/// it have their column.
pub fn fill(layout: &Layout<'_>, backfill: &Backfill) -> String {
    let column = quote_identifier(&backfill.column.name);
    let value = Values::while_filling(layout).along_all("t", backfill, 1);
    format!("UPDATE {} AS t SET {column} = {value} WHERE t.{column} IS NULL", from(layout.graph, backfill.table))
}

/// Writes the value of columns, of rows called by an alias.
#[derive(Clone, Copy)]
pub struct Values<'g, 'a> {
    graph: &'g Graph<'a>,
    /// Where columns that are being added can be read already: those that tables are distributed by.
    filled: Option<&'g Layout<'a>>,
}

impl<'g, 'a> Values<'g, 'a> {
    /// Before anything was added.
    pub fn by_path(graph: &'g Graph<'a>) -> Self {
        Values { graph, filled: None }
    }

    /// While tables are filled one after the other: those that come before have their column.
    pub fn while_filling(layout: &'g Layout<'a>) -> Self {
        Values { graph: layout.graph, filled: Some(layout) }
    }

    /// The value of a column: its name, or an expression for one that is being added.
    pub fn of(&self, alias: &str, table: TableId, column: ColumnId) -> String {
        let is_there = |layout: &Layout<'_>| layout.placement(table).distribution_column() == Some(column);
        match self.graph.backfill(table, column) {
            Some(backfill) if !self.filled.is_some_and(is_there) => self.along_all(alias, backfill, 1),
            _ => format!("{alias}.{}", quote_identifier(&self.graph.column(table, column).name)),
        }
    }

    /// What a row is filled with: the first value that a way leads to.
    pub fn along_all(&self, alias: &str, backfill: &Backfill, depth: usize) -> String {
        let needed = if backfill.is_certain { 1 } else { backfill.ways.len() };
        let ways: Vec<String> =
            backfill.ways.iter().take(needed).filter(|w| w.fills).map(|w| self.along(alias, w, depth)).collect();
        match ways.as_slice() {
            [one] => one.clone(),
            several => format!("COALESCE({})", several.join(", ")),
        }
    }

    /// What one way leads to: a subquery that returns one value, or NULL.
    pub fn along(&self, alias: &str, way: &Way, depth: usize) -> String {
        let edge = &self.graph.edges[way.edge];
        let parent = format!("p{depth}");
        let value = match self.graph.backfill(edge.referenced, way.source) {
            Some(backfill) if !self.is_filled(edge.referenced, way.source) => {
                self.along_all(&parent, backfill, depth + 1)
            }
            _ => format!("{parent}.{}", quote_identifier(&self.graph.column(edge.referenced, way.source).name)),
        };
        let (from, conditions) = (from(self.graph, edge.referenced), self.joined(alias, &parent, edge));
        format!("(SELECT {value} FROM {from} AS {parent} WHERE {conditions})")
    }

    fn is_filled(&self, table: TableId, column: ColumnId) -> bool {
        self.filled.is_some_and(|layout| layout.placement(table).distribution_column() == Some(column))
    }

    fn joined(&self, alias: &str, parent: &str, edge: &Edge) -> String {
        let pairs = edge.columns.iter().map(|&(a, b)| {
            let operator = equality(self.graph, (edge.referencing, a), (edge.referenced, b)).unwrap_or_default();
            let name = |table: TableId, column: ColumnId| quote_identifier(&self.graph.column(table, column).name);
            format!("{parent}.{} {operator} {alias}.{}", name(edge.referenced, b), name(edge.referencing, a))
        });
        pairs.collect::<Vec<_>>().join(" AND ")
    }

    /// A condition: this way leads to another value than the row is filled with. NULL on either side says nothing.
    pub fn disagrees(&self, alias: &str, backfill: &Backfill, rival: &Way) -> Option<String> {
        let path = self.along_all(alias, backfill, 1);
        let other = self.along(alias, rival, 1);
        let operator = equality(self.graph, backfill.source, backfill.source)?;
        Some(format!("({path} {operator} {other}) IS FALSE"))
    }

    /// Tables and columns that are there and that the value of a column is read from.
    pub fn reads(&self, table: TableId, column: ColumnId) -> Vec<(TableId, Vec<ColumnId>)> {
        let Some(backfill) = self.graph.backfill(table, column) else { return vec![(table, vec![column])] };
        let ways = backfill.ways.iter().flat_map(|way| {
            let edge = &self.graph.edges[way.edge];
            let own = (table, edge.columns.iter().map(|c| c.0).collect());
            let keys = (edge.referenced, edge.columns.iter().map(|c| c.1).collect());
            // Ways that only compare may come back to this table.
            let rest = if way.fills || self.graph.backfill(edge.referenced, way.source).is_none() {
                self.reads(edge.referenced, way.source)
            } else {
                Vec::new()
            };
            [own, keys].into_iter().chain(rest)
        });
        ways.collect()
    }
}
