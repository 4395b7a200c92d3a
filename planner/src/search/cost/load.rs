//! How much of the database's load each table carries: its part of the bytes and of the writes, or a guess.

use std::collections::BTreeSet;

use super::{Cost, DATABASE};
use crate::classes::ColumnClasses;
use crate::graph::{Graph, TableId};
use crate::schema::TableKind;

/// What each table carries, in parts of [`DATABASE`].
pub struct Loads {
    pub load: Vec<Cost>,
    /// Part of the rows written over and over; all zero where nothing was counted.
    pub writes: Vec<Cost>,
    /// No sizes known: guessed from the structure.
    pub guessed: bool,
}

impl Loads {
    pub fn new(graph: &Graph<'_>, classes: &ColumnClasses) -> Self {
        let measured: Vec<f64> = graph.tables().map(|t| measured_weight(graph, t)).collect();
        let guessed = says_little(graph, &measured);
        let sizes = parts(&if guessed { structural_weights(graph, classes) } else { measured });
        let changes: Vec<f64> = graph.tables().map(|t| changes(graph, t)).collect();
        let writes = parts(&changes);
        let load = if guessed || changes.iter().all(|&c| c == 0.0) {
            sizes
        } else {
            // Bytes say what is kept, writes what is done: twice as much weight to what is sure to matter.
            sizes.iter().zip(&writes).map(|(size, writes)| (2 * size + writes) / 3).collect()
        };
        Loads { load, writes, guessed }
    }
}

/// Each weight as its part of [`DATABASE`].
fn parts(weights: &[f64]) -> Vec<Cost> {
    let total: f64 = weights.iter().sum::<f64>().max(f64::MIN_POSITIVE);
    weights.iter().map(|w| (w / total * DATABASE as f64).round() as Cost).collect()
}

/// Rows of a table that were written beyond those that are there.
fn changes(graph: &Graph<'_>, table: TableId) -> f64 {
    if graph.is_partition(table) {
        return 0.0;
    }
    graph.leaves(table).into_iter().filter_map(|t| graph.table(t).changes).sum::<i64>() as f64
}

/// Whether sizes are no basis for a choice: little is there, and most tables are empty. A schema that was restored without
/// its rows but for a few look-up tables must not be planned as if these were the load.
fn says_little(graph: &Graph<'_>, measured: &[f64]) -> bool {
    let tables = graph.planned_tables().filter(|&t| graph.table(t).kind != TableKind::Foreign);
    let (filled, empty): (Vec<TableId>, Vec<TableId>) = tables.partition(|t| measured[t.0] > 0.0);
    filled.is_empty() || filled.len() < empty.len() && measured.iter().sum::<f64>() < MUCH
}

/// Bytes from which a database is taken as it is, however many of its tables are empty.
const MUCH: f64 = 100.0 * 1024.0 * 1024.0;

/// Bytes of a row, where nothing else is known.
const USUAL_WIDTH: f64 = 100.0;

/// Weight of a table by what is known of it: bytes, else rows of a usual width.
fn measured_weight(graph: &Graph<'_>, table: TableId) -> f64 {
    if graph.is_partition(table) || graph.table(table).kind == TableKind::Foreign {
        return 0.0;
    }
    let rows = graph.rows(table).unwrap_or(0);
    let files = graph.citus_table(table).and_then(|t| t.shard_count).unwrap_or(1).max(1);
    match graph.bytes(table).unwrap_or(0) {
        0 => rows as f64 * USUAL_WIDTH,
        // Of a few pages most are empty, on several nodes even more of them: the rows say more.
        bytes if bytes <= 65_536 * files => rows as f64 * USUAL_WIDTH,
        bytes => bytes as f64,
    }
}

/// Guess where nothing is known: what references others (by foreign key or by name) is larger than what is referenced, and
/// people partition what is large.
fn structural_weights(graph: &Graph<'_>, classes: &ColumnClasses) -> Vec<f64> {
    let declared = graph.edges.iter().map(|e| (graph.root(e.referencing), graph.root(e.referenced)));
    let by_name = classes.classes.iter().flat_map(|class| {
        let entity = class.entity.map(|(table, _)| table);
        let inferred = class.members.iter().filter(|m| classes.is_inferred(m.0, m.1)).map(|m| m.0);
        inferred.filter_map(move |table| Some((table, entity?)))
    });
    let references: BTreeSet<(TableId, TableId)> = declared.chain(by_name).collect();
    let mut depth = vec![0u32; graph.schema.tables.len()];
    for _ in 0..MAX_DEPTH {
        for &(from, to) in &references {
            if from != to {
                depth[from.0] = depth[from.0].max((depth[to.0] + 1).min(MAX_DEPTH));
            }
        }
    }
    let referenced: BTreeSet<TableId> = references.iter().filter(|(from, to)| from != to).map(|r| r.1).collect();
    let weight = |t: TableId| {
        let table = graph.table(t);
        let is_list = depth[t.0] == 0 && referenced.contains(&t);
        match table.kind {
            _ if graph.is_partition(t) => 0.0,
            TableKind::Foreign => 0.0,
            TableKind::Partitioned => 8.0 * f64::from(1u32 << depth[t.0]),
            TableKind::Ordinary if is_list => LIST,
            TableKind::Ordinary => f64::from(1u32 << depth[t.0]),
        }
    };
    graph.tables().map(weight).collect()
}

/// What is referenced and references nothing is a list, or the few that all the rest belongs to.
const LIST: f64 = 0.125;

/// Chains of foreign keys longer than this do not make a table seem larger still (and cycles end).
const MAX_DEPTH: u32 = 4;
