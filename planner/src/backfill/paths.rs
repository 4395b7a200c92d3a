//! Which tables reach the columns of a class over foreign keys, and how: the shortest of the surest ways.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use super::{MOST_FALLBACKS, sql};
use crate::classes::Class;
use crate::graph::{ColumnId, Edge, EdgeId, Graph, TableId};
use crate::schema::TableKind;

/// Steps that may lead to NULL, then steps.
pub type Distance = (u32, u32);

/// A chain longer than this is no path that anybody thinks along.
const MOST_STEPS: u32 = 8;

/// The share of rows without a parent that a foreign key is taken to have which is NOT VALID.
const UNCHECKED: f64 = 0.01;

/// The foreign keys that a value can come over; worked out once for all classes.
pub(super) struct Roads {
    /// By edge: whether every row has a parent by it; absent where it cannot be followed.
    certain: Vec<Option<bool>>,
    /// By table.
    readable: Vec<bool>,
}

impl Roads {
    pub(super) fn new(graph: &Graph<'_>) -> Self {
        let mut readable: Vec<bool> =
            graph.tables().map(|t| graph.table(t).kind != TableKind::Foreign && !graph.is_partition(t)).collect();
        // Nothing on the coordinator can be filled row by row from what is on the nodes.
        for table in graph.schema.citus_tables.iter().filter(|c| c.kind != "local").filter_map(|c| graph.find(&c.name))
        {
            readable[table.0] = false;
        }
        let follow = |edge: &Edge| {
            let ends = readable[edge.referencing.0] && readable[edge.referenced.0];
            (ends && can_be_followed(graph, edge)).then(|| is_certain(graph, edge))
        };
        Roads { certain: graph.edges.iter().map(follow).collect(), readable }
    }
}

/// All tables that reach a class.
pub(super) struct Reach {
    /// Tables that have the column themselves.
    holders: BTreeMap<TableId, Holder>,
    /// The others that reach it.
    steps: BTreeMap<TableId, Step>,
}

struct Holder {
    column: ColumnId,
    is_certain: bool,
}

struct Step {
    distance: Distance,
    first: EdgeId,
    source: (TableId, ColumnId),
}

/// A foreign key to a table that has the class's column, or could.
pub(super) struct Lead {
    pub(super) edge: EdgeId,
    pub(super) is_certain: bool,
    /// The column of the referenced table, where it is there.
    pub(super) holder: Option<ColumnId>,
}

impl Reach {
    pub(super) fn new(graph: &Graph<'_>, roads: &Roads, class: &Class) -> Self {
        let mut holders: BTreeMap<TableId, Holder> = BTreeMap::new();
        for &(table, column) in &class.members {
            let is_certain = graph.column(table, column).not_null;
            let better = holders.get(&table).is_none_or(|h| !h.is_certain && is_certain);
            if (better || class.entity == Some((table, column))) && roads.readable[table.0] {
                holders.insert(table, Holder { column, is_certain });
            }
        }
        let mut steps: BTreeMap<TableId, Step> = BTreeMap::new();
        // Distance, then the edge's place (by table and name), so that the order of discovery does not matter.
        let mut open = BinaryHeap::new();
        for (&table, holder) in &holders {
            let start = (u32::from(!holder.is_certain), 0);
            lead_to(graph, roads, table, start, (table, holder.column), &mut open);
        }
        while let Some(Reverse((distance, edge, source))) = open.pop() {
            let table = graph.edges[edge].referencing;
            if holders.contains_key(&table) || steps.contains_key(&table) {
                continue;
            }
            steps.insert(table, Step { distance, first: edge, source });
            if distance.1 < MOST_STEPS {
                lead_to(graph, roads, table, distance, source, &mut open);
            }
        }
        Reach { holders, steps }
    }

    /// Whether no table but those that have the column reaches it.
    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Tables that have or reach it.
    pub(super) fn tables(&self) -> usize {
        self.holders.len() + self.steps.len()
    }

    pub(super) fn reached(&self) -> impl Iterator<Item = TableId> {
        self.steps.keys().copied()
    }

    pub(super) fn holds(&self, table: TableId) -> bool {
        self.holders.contains_key(&table)
    }

    pub(super) fn first_edge(&self, table: TableId) -> EdgeId {
        self.steps[&table].first
    }

    /// Where the path of a table that reaches the class ends.
    pub(super) fn source(&self, table: TableId) -> (TableId, ColumnId) {
        self.steps[&table].source
    }

    pub(super) fn distance(&self, table: TableId) -> Option<Distance> {
        match self.holders.get(&table) {
            Some(holder) => Some((u32::from(!holder.is_certain), 0)),
            None => self.steps.get(&table).map(|s| s.distance),
        }
    }

    /// The share of rows that would get no value, as far as statistics know.
    pub(super) fn without_value(
        &self,
        graph: &Graph<'_>,
        roads: &Roads,
        table: TableId,
        known: &mut HashMap<TableId, f64>,
    ) -> f64 {
        if let Some(&share) = known.get(&table) {
            return share;
        }
        let mut share = 1.0;
        let nearer = |lead: &Lead| self.distance(graph.edges[lead.edge].referenced) < self.distance(table);
        for lead in self.ways(graph, roads, table).into_iter().filter(nearer).take(MOST_FALLBACKS) {
            let edge = &graph.edges[lead.edge];
            let by_key = edge.columns.iter().map(|&(from, _)| null_fraction(graph, edge.referencing, from));
            // Foreign keys that were never checked are those that had rows without a parent.
            let key = graph.foreign_key(edge);
            let unchecked = if key.validated && key.enforced { 0.0 } else { UNCHECKED };
            let by_key = by_key.fold(unchecked, f64::max);
            let behind = match lead.holder {
                Some(column) => null_fraction(graph, edge.referenced, column),
                None => self.without_value(graph, roads, edge.referenced, known),
            };
            share *= 1.0 - (1.0 - by_key) * (1.0 - behind);
        }
        known.insert(table, share);
        share
    }

    /// The foreign keys of a table that lead to the class, the path first, then by distance.
    pub(super) fn ways(&self, graph: &Graph<'_>, roads: &Roads, table: TableId) -> Vec<Lead> {
        let first = self.first_edge(table);
        let mut leads: Vec<(bool, Distance, Lead)> = Vec::new();
        for (id, edge) in graph.outgoing_ids(table) {
            let (Some(distance), Some(sure)) = (self.distance(edge.referenced), roads.certain[id]) else { continue };
            let holder = self.holders.get(&edge.referenced).map(|h| h.column);
            let is_certain = sure && distance.0 == 0;
            let distance = (distance.0 + u32::from(!sure), distance.1 + 1);
            leads.push((id != first, distance, Lead { edge: id, is_certain, holder }));
        }
        leads.sort_by_key(|(rest, distance, lead)| (*rest, *distance, lead.edge));
        leads.into_iter().map(|l| l.2).collect()
    }
}

/// As far as statistics know.
fn null_fraction(graph: &Graph<'_>, table: TableId, column: ColumnId) -> f64 {
    let column = graph.column(table, column);
    let known = column.statistics.as_ref().filter(|_| !column.not_null);
    known.map_or(0.0, |s| s.null_fraction)
}

type Open = BinaryHeap<Reverse<(Distance, EdgeId, (TableId, ColumnId))>>;

/// Foreign keys by which other tables reach this one.
fn lead_to(
    graph: &Graph<'_>,
    roads: &Roads,
    table: TableId,
    from: Distance,
    source: (TableId, ColumnId),
    open: &mut Open,
) {
    for (id, _) in graph.incoming_ids(table) {
        if let Some(sure) = roads.certain[id] {
            open.push(Reverse(((from.0 + u32::from(!sure), from.1 + 1), id, source)));
        }
    }
}

/// Whether a row's parent can be found by this foreign key: it leads to another table, and its columns can be compared.
fn can_be_followed(graph: &Graph<'_>, edge: &Edge) -> bool {
    edge.referencing != edge.referenced
        && edge.columns.len() == graph.foreign_key(edge).columns.len()
        && edge
            .columns
            .iter()
            .all(|&(from, to)| sql::equality(graph, (edge.referencing, from), (edge.referenced, to)).is_some())
}

/// Whether every row has a parent by this foreign key.
fn is_certain(graph: &Graph<'_>, edge: &Edge) -> bool {
    let key = graph.foreign_key(edge);
    key.validated
        && key.enforced
        && edge.columns.iter().all(|&(from, _)| graph.table(edge.referencing).columns[from].not_null)
}
