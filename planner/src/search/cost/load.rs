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
        let busy = how_busy(graph, &changes);
        let writes: Vec<Cost> = parts(&changes).into_iter().map(|part| part * busy / ALL_BUSY).collect();
        let load = if guessed || busy == 0 {
            sizes
        } else {
            // Bytes say what is kept, writes what is done: twice as much weight to what is sure to matter.
            let kept = |size: &Cost| size * (3 * ALL_BUSY - busy) / ALL_BUSY;
            sizes.iter().zip(&writes).map(|(size, writes)| (kept(size) + writes) / 3).collect()
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

/// [`how_busy`] of a database whose rows have all been written over.
const ALL_BUSY: Cost = 1_000;

/// How much of the database has been written over: a few rows in one table, or what somebody did once before the counters began
/// anew elsewhere, must not carry as much as the rest together.
fn how_busy(graph: &Graph<'_>, changes: &[f64]) -> Cost {
    let rows: i64 = graph.planned_tables().filter_map(|t| graph.rows(t)).sum();
    let busy: f64 = changes.iter().sum::<f64>() / (rows.max(1) as f64);
    (busy.min(1.0) * ALL_BUSY as f64).round() as Cost
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

/// Bytes of a page of PostgreSQL's.
const PAGE: f64 = 8_192.0;

/// Up to how many bytes rows of a usual width say more than pages, of which most are half empty or hold what is gone.
const SMALL: f64 = 65_536.0;

/// Weight of a table by what is known of it: the bytes that its rows take, of small tables rather the rows. The same rows
/// weigh the same in one place as in many shards, or a plan would be another one after its migration.
fn measured_weight(graph: &Graph<'_>, table: TableId) -> f64 {
    if graph.is_partition(table) || graph.table(table).kind == TableKind::Foreign {
        return 0.0;
    }
    let rows = graph.rows(table).unwrap_or(0) as f64 * USUAL_WIDTH;
    match graph.bytes(table).unwrap_or(0) {
        0 => rows,
        bytes => {
            let taken = (bytes as f64 - first_pages(graph, table)).max(0.0);
            if taken <= SMALL && rows > 0.0 { rows.min(SMALL) } else { taken }
        }
    }
}

/// What the files of a table take with a row each: the first page of the table and of its TOAST, and what its indexes begin
/// with; in every shard.
fn first_pages(graph: &Graph<'_>, table: TableId) -> f64 {
    let of_leaf = |leaf: TableId| {
        let shards = graph.citus_table(leaf).and_then(|t| t.shard_count).unwrap_or(1).max(1);
        let of_indexes: u32 = graph.table(leaf).indexes.iter().map(|i| first_pages_of_index(&i.method)).sum();
        shards as f64 * PAGE * f64::from(2 + of_indexes)
    };
    graph.leaves(table).into_iter().filter(|&l| graph.table(l).bytes.is_some_and(|b| b > 0)).map(of_leaf).sum()
}

/// Pages of an index on one row, its free space map among them, as measured with PostgreSQL 15.
fn first_pages_of_index(method: &str) -> u32 {
    match method {
        "gist" => 1,
        "gin" | "spgist" => 3,
        "hash" | "brin" => 6,
        _ => 2,
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
