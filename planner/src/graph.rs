//! A [`Schema`] with its names resolved: who references whom, whose partition, which leaves, how large.
//!
//! Built once per call; everything after it speaks of tables and columns by position.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::backfill::{Backfill, Backfills};
use crate::citus_version::CitusVersion;
use crate::classes::{ColumnClasses, KeysByEntity};
use crate::schema::{
    CitusTable, Column, DataType, ForeignKey, RelationName, Schema, Sequence, Table, TableKind, TypeKind,
};

/// Position of a table in [`Schema::tables`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(pub usize);

/// Position of a column in [`Table::columns`].
pub type ColumnId = usize;

/// A foreign key whose both sides are in the model.
#[derive(Clone, Debug)]
pub struct Edge {
    pub referencing: TableId,
    /// Position in the referencing table's [`Table::foreign_keys`].
    pub foreign_key: usize,
    pub referenced: TableId,
    /// (referencing column, referenced column), in the constraint's order.
    pub columns: Vec<(ColumnId, ColumnId)>,
}

/// Position of an edge in [`Graph::edges`].
pub type EdgeId = usize;

/// The resolved model.
pub struct Graph<'a> {
    pub schema: &'a Schema,
    /// The Citus release to plan for.
    pub citus: CitusVersion,
    /// Sorted by (referencing table, constraint name).
    pub edges: Vec<Edge>,
    by_name: HashMap<&'a RelationName, TableId>,
    citus_tables: HashMap<&'a RelationName, &'a CitusTable>,
    columns: Vec<HashMap<&'a str, ColumnId>>,
    outgoing: Vec<Vec<EdgeId>>,
    incoming: Vec<Vec<EdgeId>>,
    partitions: Vec<Vec<TableId>>,
    inheritance_children: Vec<Vec<TableId>>,
    roots: Vec<TableId>,
    drawing: HashMap<&'a RelationName, Vec<(TableId, ColumnId)>>,
    sequences: HashMap<&'a RelationName, &'a Sequence>,
    backfills: OnceLock<Backfills>,
    /// Of the columns that are there.
    classes: OnceLock<ColumnClasses>,
    /// Of those that tables could be given too.
    all_classes: OnceLock<ColumnClasses>,
    keys_by_entity: OnceLock<KeysByEntity>,
}

impl<'a> Graph<'a> {
    pub fn new(schema: &'a Schema) -> Self {
        let tables = &schema.tables;
        let by_name: HashMap<_, _> = tables.iter().enumerate().map(|(i, t)| (&t.name, TableId(i))).collect();
        let columns: Vec<HashMap<_, _>> =
            tables.iter().map(|t| t.columns.iter().enumerate().map(|(i, c)| (c.name.as_str(), i)).collect()).collect();
        let mut partitions = vec![Vec::new(); tables.len()];
        let mut inheritance_children = vec![Vec::new(); tables.len()];
        let mut edges = Vec::new();
        for (i, table) in tables.iter().enumerate() {
            if let Some(parent) = table.partition_of.as_ref().and_then(|p| by_name.get(p)) {
                partitions[parent.0].push(TableId(i));
            }
            for parent in table.inherits.iter().filter_map(|p| by_name.get(p)) {
                inheritance_children[parent.0].push(TableId(i));
            }
            // By name, whatever order a model has them in: ways over foreign keys are chosen by the place of their edges.
            let mut keys: Vec<_> = table.foreign_keys.iter().enumerate().collect();
            keys.sort_by(|a, b| a.1.name.cmp(&b.1.name));
            for (position, key) in keys {
                let Some(&referenced) = by_name.get(&key.referenced) else { continue };
                let pairs = key.columns.iter().zip(&key.referenced_columns).filter_map(|(from, to)| {
                    Some((*columns[i].get(from.as_str())?, *columns[referenced.0].get(to.as_str())?))
                });
                edges.push(Edge {
                    referencing: TableId(i),
                    foreign_key: position,
                    referenced,
                    columns: pairs.collect(),
                });
            }
        }
        let mut outgoing = vec![Vec::new(); tables.len()];
        let mut incoming = vec![Vec::new(); tables.len()];
        for (id, edge) in edges.iter().enumerate() {
            outgoing[edge.referencing.0].push(id);
            incoming[edge.referenced.0].push(id);
        }
        let parent = |t: usize| tables[t].partition_of.as_ref().and_then(|p| by_name.get(p));
        let root = |mut t: usize| {
            while let Some(above) = parent(t) {
                t = above.0;
            }
            TableId(t)
        };
        let roots = (0..tables.len()).map(root).collect();
        let mut drawing: HashMap<&RelationName, Vec<(TableId, ColumnId)>> = HashMap::new();
        for (i, table) in tables.iter().enumerate() {
            for (position, column) in table.columns.iter().enumerate() {
                for sequence in &column.sequences {
                    drawing.entry(sequence).or_default().push((TableId(i), position));
                }
            }
        }
        let citus = CitusVersion::of(schema.citus_target.as_deref(), schema.citus_version.as_deref());
        let citus_tables = schema.citus_tables.iter().map(|t| (&t.name, t)).collect();
        Graph {
            schema,
            citus,
            edges,
            by_name,
            citus_tables,
            columns,
            outgoing,
            incoming,
            partitions,
            inheritance_children,
            roots,
            drawing,
            sequences: schema.sequences.iter().map(|s| (&s.name, s)).collect(),
            backfills: OnceLock::new(),
            classes: OnceLock::new(),
            all_classes: OnceLock::new(),
            keys_by_entity: OnceLock::new(),
        }
    }

    pub fn table(&self, id: TableId) -> &'a Table {
        &self.schema.tables[id.0]
    }

    pub fn tables(&self) -> impl Iterator<Item = TableId> + use<> {
        (0..self.schema.tables.len()).map(TableId)
    }

    /// Tables that a plan speaks of: partitions follow the table they are a partition of.
    pub fn planned_tables(&self) -> impl Iterator<Item = TableId> + '_ {
        self.tables().filter(|&t| !self.is_partition(t))
    }

    pub fn find(&self, name: &RelationName) -> Option<TableId> {
        self.by_name.get(name).copied()
    }

    /// What Citus has of the table by now, if anything.
    pub fn citus_table(&self, table: TableId) -> Option<&'a CitusTable> {
        self.citus_tables.get(&self.table(table).name).copied()
    }

    /// A column of the table, or one that it could be given: those stand behind its own.
    pub fn column(&self, table: TableId, column: ColumnId) -> &Column {
        match self.backfill(table, column) {
            Some(backfill) => &backfill.column,
            None => &self.table(table).columns[column],
        }
    }

    /// Position of a column that is there, by its raw name.
    pub fn find_column(&self, table: TableId, name: &str) -> Option<ColumnId> {
        self.columns[table.0].get(name).copied()
    }

    /// Position of a column that is there or, failing that, of one that the table could be given.
    pub fn find_column_or_backfill(&self, table: TableId, name: &str) -> Option<ColumnId> {
        self.find_column(table, name).or_else(|| {
            let root = self.root(table);
            let backfills = self.backfills()?.of(root);
            let position = backfills.iter().position(|b| b.is_possible && b.column.name == name)?;
            Some(self.table(table).columns.len() + position)
        })
    }

    /// What a position behind the table's own columns stands for; `None` for a column that is there.
    pub fn backfill(&self, table: TableId, column: ColumnId) -> Option<&Backfill> {
        let behind = column.checked_sub(self.table(table).columns.len())?;
        self.backfills()?.of(self.root(table)).get(behind)
    }

    /// The columns that tables could be given, where somebody has looked for them.
    pub fn backfills(&self) -> Option<&Backfills> {
        self.backfills.get()
    }

    /// Looks for columns that tables could be given, unless that is done. `wanted` names, by table and raw column name,
    /// some that must not be left out.
    pub fn look_for_backfills(&self, wanted: &[(TableId, String)]) -> &Backfills {
        let classes = self.classes.get_or_init(|| ColumnClasses::new(self));
        let backfills = self.backfills.get_or_init(|| Backfills::new(self, classes, wanted));
        self.all_classes.get_or_init(|| {
            let mut all = classes.clone();
            all.include(self, backfills);
            all
        });
        backfills
    }

    /// The classes of all columns: of those that tables could be given too, where somebody has looked for them.
    pub fn classes(&self) -> &ColumnClasses {
        self.all_classes.get().unwrap_or_else(|| self.classes.get_or_init(|| ColumnClasses::new(self)))
    }

    /// Single-column keys by what their tables are called.
    pub fn keys_by_entity(&self) -> &KeysByEntity {
        self.keys_by_entity.get_or_init(|| KeysByEntity::new(self))
    }

    pub fn foreign_key(&self, edge: &Edge) -> &'a ForeignKey {
        &self.table(edge.referencing).foreign_keys[edge.foreign_key]
    }

    /// Foreign keys declared on this table.
    pub fn outgoing(&self, table: TableId) -> impl Iterator<Item = &Edge> {
        self.outgoing[table.0].iter().map(|&e| &self.edges[e])
    }

    /// Foreign keys that reference this table.
    pub fn incoming(&self, table: TableId) -> impl Iterator<Item = &Edge> {
        self.incoming[table.0].iter().map(|&e| &self.edges[e])
    }

    /// [`Graph::outgoing`] with their positions.
    pub fn outgoing_ids(&self, table: TableId) -> impl Iterator<Item = (EdgeId, &Edge)> {
        self.outgoing[table.0].iter().map(|&e| (e, &self.edges[e]))
    }

    /// [`Graph::incoming`] with their positions.
    pub fn incoming_ids(&self, table: TableId) -> impl Iterator<Item = (EdgeId, &Edge)> {
        self.incoming[table.0].iter().map(|&e| (e, &self.edges[e]))
    }

    pub fn is_partition(&self, table: TableId) -> bool {
        self.table(table).partition_of.is_some()
    }

    /// The partitioned table at the top; the table itself where it is no partition.
    pub fn root(&self, table: TableId) -> TableId {
        self.roots[table.0]
    }

    pub fn sequence(&self, name: &RelationName) -> Option<&'a Sequence> {
        self.sequences.get(name).copied()
    }

    /// Columns whose default draws from a sequence, in the order of tables and columns.
    pub fn drawing_from(&self, sequence: &RelationName) -> &[(TableId, ColumnId)] {
        self.drawing.get(sequence).map_or(&[], Vec::as_slice)
    }

    /// Direct partitions.
    pub fn partitions(&self, table: TableId) -> &[TableId] {
        &self.partitions[table.0]
    }

    /// All tables below a partitioned table, sub-partitioned ones included, the table itself not.
    pub fn descendants(&self, table: TableId) -> Vec<TableId> {
        let mut found = Vec::new();
        let mut open = self.partitions(table).to_vec();
        while let Some(next) = open.pop() {
            found.push(next);
            open.extend_from_slice(self.partitions(next));
        }
        found.sort_unstable();
        found
    }

    /// Tables that hold the rows: the leaves of a partitioned table, or the table itself.
    pub fn leaves(&self, table: TableId) -> Vec<TableId> {
        if self.table(table).kind != TableKind::Partitioned {
            return vec![table];
        }
        self.descendants(table).into_iter().filter(|&t| self.table(t).kind != TableKind::Partitioned).collect()
    }

    /// Tables that inherit from this one (plain inheritance).
    pub fn inheritance_children(&self, table: TableId) -> &[TableId] {
        &self.inheritance_children[table.0]
    }

    /// Whether the table takes part in plain inheritance, on either side. Read from `pg_inherits`, not from
    /// `relhassubclass`, which stays true after the children are gone.
    pub fn is_in_inheritance(&self, table: TableId) -> bool {
        let t = self.table(table);
        !t.inherits.is_empty() || !self.inheritance_children(table).is_empty()
    }

    /// Estimated rows of all leaves; `None` where none was ever analysed.
    pub fn rows(&self, table: TableId) -> Option<i64> {
        if let Some(rows) = self.table(table).rows.filter(|_| self.partitions(table).is_empty()) {
            return Some(rows);
        }
        self.leaves(table)
            .into_iter()
            .filter_map(|t| self.table(t).rows)
            .fold(None, |sum, rows| Some(sum.unwrap_or(0) + rows))
    }

    /// Bytes of all leaves; `None` where none is known.
    pub fn bytes(&self, table: TableId) -> Option<i64> {
        if let Some(bytes) = self.table(table).bytes.filter(|_| self.partitions(table).is_empty()) {
            return Some(bytes);
        }
        self.leaves(table)
            .into_iter()
            .filter_map(|t| self.table(t).bytes)
            .fold(None, |sum, bytes| Some(sum.unwrap_or(0) + bytes))
    }

    pub fn data_type(&self, key: &str) -> Option<&'a DataType> {
        self.schema.types.get(key)
    }

    /// The type below any number of domains.
    pub fn base_type(&self, key: &str) -> Option<&'a DataType> {
        let mut found = self.data_type(key)?;
        while found.kind == TypeKind::Domain {
            found = self.data_type(found.inner.as_deref()?)?;
        }
        Some(found)
    }
}
