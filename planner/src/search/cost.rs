//! What a layout costs, in points: the whole database is [`DATABASE`] points of load, a guarantee has a price in the same
//! coin. Every term has its name here; `docs/design.md` explains them. Whole numbers, so that sums do not depend on order.

use std::collections::BTreeSet;

use crate::backfill::is_filled_over;
use crate::classes::{ColumnClasses, NAMELESS};
use crate::graph::{ColumnId, Edge, Graph, TableId};
use crate::layout::{Layout, Placement};
use crate::plan::{ForeignKeyFate, KeyFate, foreign_key_fate, key_fate};
use crate::rules;
use crate::schema::{ConstraintKind, Index, Table, TableKind, TypeKind};

/// Thousandths of a point.
pub type Cost = i64;

const POINT: Cost = 1_000;

/// The load of the whole database.
pub const DATABASE: Cost = 1_000 * POINT;

/// Keeping load on one node costs its share; copying it to every node costs half as much again: reads spread, writes and
/// disk multiply.
const REPLICATION_PERCENT: Cost = 150;

/// A guarantee that is lost: a foreign key is worth 6 % of the database, a unique key or a trigger 2 % ...
const FOREIGN_KEY: Cost = 60 * POINT;
const UNIQUE: Cost = 20 * POINT;
const TRIGGER: Cost = 20 * POINT;

/// ... but all guarantees of a kind together never more than this: in a schema of 900 foreign keys one more or less must
/// not outweigh the tables that carry the load.
const ALL_FOREIGN_KEYS: Cost = 1_500 * POINT;
const ALL_UNIQUES: Cost = 500 * POINT;
const ALL_TRIGGERS: Cost = 300 * POINT;

/// Distributing less than half of the load misses the point of the exercise: four points for each point short of it.
const SPREAD_TARGET_PERCENT: Cost = 50;
const SPREAD_SHORTFALL: Cost = 4;

/// One more colocation group: something to rebalance and to know. Sizes that are only guessed justify a group less.
const GROUP: Cost = 5 * POINT;
const GROUP_BY_GUESS: Cost = 60 * POINT;

/// A reference table is a duty (two-phase commit on every write), however small.
const REFERENCE_TABLE: Cost = POINT;

/// A column that has to be added and filled: every row of the table is written anew, once. A twentieth of the load, and a
/// point for the trouble.
const BACKFILL_PERCENT: Cost = 5;
const BACKFILL: Cost = POINT;

/// Another way to the value, which has to agree.
const BACKFILL_RIVAL: Cost = 2 * POINT;

/// A table whose rows belong to a tenant, placed otherwise than by the tenant: what is asked about one tenant is then no
/// longer asked of one node. All such tables together never cost more than this, their load apart.
const TENANT_APART: Cost = 5 * POINT;
const TENANT_APART_PERCENT: Cost = 10;
const ALL_TENANT_APART: Cost = 200 * POINT;

/// A column, and the key of the table that its name points at.
pub type InferredRelation = ((TableId, ColumnId), (TableId, ColumnId));

/// What the terms need to know of the whole schema.
pub struct CostModel<'g, 'a> {
    graph: &'g Graph<'a>,
    classes: &'g ColumnClasses,
    /// Load of each table: its part of [`DATABASE`].
    loads: Vec<Cost>,
    /// No sizes known: loads are guessed from the structure.
    pub sizes_guessed: bool,
    foreign_key: Cost,
    unique: Cost,
    trigger: Cost,
}

impl<'g, 'a> CostModel<'g, 'a> {
    pub fn new(graph: &'g Graph<'a>, classes: &'g ColumnClasses) -> Self {
        let measured: Vec<f64> = graph.tables().map(|t| measured_weight(graph, t)).collect();
        let sizes_guessed = says_little(graph, &measured);
        let weights = if sizes_guessed { structural_weights(graph, classes) } else { measured };
        let total: f64 = weights.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        let loads = weights.iter().map(|w| (w / total * DATABASE as f64).round() as Cost).collect();
        let each = |price: Cost, together: Cost, count: usize| price.min(together / count.max(1) as Cost);
        let planned = || graph.planned_tables().map(|t| graph.table(t));
        let uniques = planned().flat_map(|t| &t.indexes).filter(|i| rules::is_judged_key(i)).count();
        let triggers = planned().map(|t| t.triggers.len() + t.policies.len()).sum();
        CostModel {
            graph,
            classes,
            loads,
            sizes_guessed,
            foreign_key: each(FOREIGN_KEY, ALL_FOREIGN_KEYS, graph.edges.len()),
            unique: each(UNIQUE, ALL_UNIQUES, uniques),
            trigger: each(TRIGGER, ALL_TRIGGERS, triggers),
        }
    }

    /// Part of [`DATABASE`] that a planned table carries.
    pub fn load(&self, table: TableId) -> Cost {
        self.loads[table.0]
    }

    /// Cost of each colocation group.
    pub fn group(&self) -> Cost {
        if self.sizes_guessed { GROUP_BY_GUESS } else { GROUP }
    }

    /// Cost of distributing this much load and no more.
    pub fn shortfall(&self, distributed: Cost) -> Cost {
        SPREAD_SHORTFALL * (DATABASE * SPREAD_TARGET_PERCENT / 100 - distributed).max(0)
    }

    /// Cost of a table's placement by itself: where its load goes and what its own keys and triggers lose.
    pub fn placement(&self, layout: &Layout<'_>, table: TableId) -> Cost {
        let load = self.load(table);
        let t = self.graph.table(table);
        match layout.placement(table) {
            Placement::Local => load,
            Placement::Reference => load * REPLICATION_PERCENT / 100 + REFERENCE_TABLE + self.triggers(t),
            Placement::Distributed { column, .. } => {
                self.keys(layout, table) + self.triggers(t) + self.column(table, column) + self.backfill(table, column)
            }
        }
    }

    fn triggers(&self, table: &Table) -> Cost {
        let lost = table.triggers.len() + table.policies.iter().filter(|p| p.subquery).count();
        self.trigger * lost as Cost
    }

    fn keys(&self, layout: &Layout<'_>, table: TableId) -> Cost {
        let t = self.graph.table(table);
        let judged = t.indexes.iter().filter(|i| rules::is_judged_key(i));
        let cost = |index| match key_fate(layout, table, index) {
            KeyFate::Kept => 0,
            // A generated number stays unique in practice; a business key becomes unique per distribution value only.
            KeyFate::Widened { .. } if is_surrogate(t, index) => self.unique / 40,
            KeyFate::Widened { .. } => self.unique / 4,
            KeyFate::Lost { .. } => self.unique,
        };
        judged.map(cost).sum()
    }

    /// What it costs that a table whose rows belong to a tenant is not distributed by the tenant.
    pub fn tenant(&self, table: TableId, placement: Placement) -> Cost {
        let Some(backfills) = self.graph.backfills() else { return 0 };
        let Some(tenant) = backfills.tenant_of(table) else { return 0 };
        let column = placement.distribution_column();
        if column.is_some_and(|c| self.classes.class(table, c) == tenant) {
            return 0;
        }
        let each = TENANT_APART.min(ALL_TENANT_APART / backfills.tables_of_tenant().max(1) as Cost);
        each + self.load(table) * TENANT_APART_PERCENT / 100
    }

    /// What it costs to give a table this column and to fill it; nothing for a column that is there.
    pub fn backfill(&self, table: TableId, column: ColumnId) -> Cost {
        let Some(backfill) = self.graph.backfill(table, column) else { return 0 };
        let load = self.load(table);
        // Rows that no path leads from have to be found and mended first.
        let doubt = if backfill.is_certain { 0 } else { load / 50 + POINT / 5 };
        BACKFILL + load * BACKFILL_PERCENT / 100 + doubt + BACKFILL_RIVAL * backfill.rivals().len() as Cost
    }

    /// How well a column spreads the rows, and how sure we are that it can.
    fn column(&self, table: TableId, column: ColumnId) -> Cost {
        let load = self.load(table);
        let c = self.graph.column(table, column);
        let mut cost = 0;
        if !c.not_null {
            cost += load / 50 + POINT / 5;
        }
        let base = self.graph.base_type(&c.data_type);
        if base.is_some_and(|b| "BDTE".contains(b.category.as_str()) || is_float(&b.text) || b.kind == TypeKind::Enum) {
            cost += load / 2 + POINT;
        }
        if let (Some(statistics), Some(rows)) = (&c.statistics, self.graph.rows(table)) {
            let distinct = statistics.distinct_values(rows);
            if rows > 1_000 && distinct < 128.0 {
                cost += (load as f64 * 0.8 * (1.0 - distinct / 128.0)) as Cost;
            }
            let top = statistics.top_frequency.unwrap_or(0.0);
            if top > 1.0 / 32.0 {
                cost += (load as f64 * top) as Cost;
            }
        }
        if self.classes.is_inferred(table, column) {
            cost += load / 500;
        }
        // A guess is no reason to spread a table that nothing else is joined with.
        if self.sizes_guessed && !self.classes.is_shared(table, column) {
            cost += load + POINT;
        }
        cost
    }

    /// What the name of a table's distribution column costs: it decides between equals, a little more where nothing else
    /// is known.
    pub fn name(&self, table: TableId, placement: Placement) -> Cost {
        let Some(column) = placement.distribution_column() else { return 0 };
        let rank = self.classes.classes[self.classes.class(table, column)].name_rank as Cost;
        let most = if self.sizes_guessed { self.load(table) / 20 } else { self.load(table) / 200 };
        most * rank / NAMELESS as Cost
    }

    /// Relations that only names suggest, in the order of the classes.
    pub fn inferred_relations(&self) -> impl Iterator<Item = InferredRelation> {
        self.classes.classes.iter().flat_map(|class| {
            let members = class.members.iter().filter(|m| self.classes.is_inferred(m.0, m.1));
            members.filter_map(|&m| Some((m, class.entity?))).filter(|(m, entity)| m.0 != entity.0)
        })
    }

    /// Cost of a relation that only names suggest (`device_id` of a table, and the key of `devices`): rows that are joined
    /// should be on one node. Nothing is guaranteed, so it is worth a third of a foreign key.
    pub fn inferred_relation(
        &self,
        layout: &Layout<'_>,
        (table, column): (TableId, ColumnId),
        (entity, key): (TableId, ColumnId),
    ) -> Cost {
        let together = match (layout.placement(table), layout.placement(entity)) {
            (Placement::Distributed { column: c, group: a }, Placement::Distributed { column: k, group: b }) => {
                (c, k) == (column, key) && a == b
            }
            (_, Placement::Reference) | (Placement::Local, Placement::Local) => true,
            _ => false,
        };
        if together { 0 } else { self.foreign_key / 3 + self.foreign_key * 4 / 3 * self.load(table) / DATABASE }
    }

    /// Cost of a foreign key under a layout.
    pub fn foreign_key(&self, layout: &Layout<'_>, edge: &Edge) -> Cost {
        match foreign_key_fate(layout, edge).0 {
            ForeignKeyFate::Kept => match (layout.placement(edge.referencing), layout.placement(edge.referenced)) {
                (Placement::Local, Placement::Reference) => self.foreign_key / 20,
                (Placement::Reference, Placement::Local) => self.foreign_key / 3,
                _ => 0,
            },
            // What a column is filled over holds of the rows without anybody's promise.
            ForeignKeyFate::Widened { columns, .. } if is_filled_over(self.graph, edge, &columns) => self.foreign_key / 40,
            ForeignKeyFate::Widened { .. } => self.foreign_key / 10,
            ForeignKeyFate::Lost { .. } => {
                let load = self.load(self.graph.root(edge.referencing));
                self.foreign_key + self.foreign_key * 4 * load / DATABASE
            }
        }
    }
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

/// Weight of a table by what is known of it: bytes, else rows of a usual width.
fn measured_weight(graph: &Graph<'_>, table: TableId) -> f64 {
    if graph.is_partition(table) || graph.table(table).kind == TableKind::Foreign {
        return 0.0;
    }
    let rows = graph.rows(table).unwrap_or(0);
    match graph.bytes(table).unwrap_or(0) {
        0 => rows as f64 * 100.0,
        // The files of an empty table have a few pages for its indexes; they say nothing.
        bytes if rows == 0 && bytes <= 65_536 => 0.0,
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
    let weight = |t: TableId| {
        let table = graph.table(t);
        match table.kind {
            _ if graph.is_partition(t) => 0.0,
            TableKind::Foreign => 0.0,
            TableKind::Partitioned => 8.0 * f64::from(1u32 << depth[t.0]),
            TableKind::Ordinary => f64::from(1u32 << depth[t.0]),
        }
    };
    graph.tables().map(weight).collect()
}

/// Chains of foreign keys longer than this do not make a table seem larger still (and cycles end).
const MAX_DEPTH: u32 = 4;

fn is_float(type_text: &str) -> bool {
    matches!(type_text, "real" | "double precision")
}

/// Whether a key is a generated number or uuid, unique in practice however it is enforced.
pub fn is_surrogate(table: &Table, index: &Index) -> bool {
    let mut keys = index.columns.iter().filter(|c| c.key);
    let (Some(only), None) = (keys.next(), keys.next()) else { return false };
    let Some(column) = table.columns.iter().find(|c| Some(&c.name) == only.column.as_ref()) else { return false };
    let default = column.default.as_deref().unwrap_or_default();
    column.identity.is_some()
        || !column.sequences.is_empty()
        || default.contains("uuid")
        || default.contains("nextval(")
        || column.data_type == "pg_catalog.uuid"
        || index.constraint.as_ref().is_some_and(|c| c.kind == ConstraintKind::PrimaryKey)
            && column.name.to_lowercase().ends_with("id")
}
