//! What a layout costs, in points: the whole database is [`DATABASE`] points of load, a guarantee has a price in the same
//! coin. Every [`Term`] is charged here and nowhere else; `docs/design.md` explains them. Whole numbers, so that sums do not
//! depend on order.

mod load;
mod price;
mod term;

pub use price::{Charge, Price, Subject};
pub use term::Term;

use std::collections::{BTreeSet, HashMap};

use crate::Prices;
use crate::backfill::is_filled_over;
use crate::classes::{ColumnClasses, NAMELESS, means_the_same};
use crate::graph::{ColumnId, Edge, Graph, TableId};
use crate::layout::{Layout, Placement};
use crate::plan::{ForeignKeyFate, KeyFate, foreign_key_fate, key_fate};
use crate::rules;
use crate::schema::{ConstraintKind, Index, Table, TableKind, TypeKind};
use load::Loads;

/// Thousandths of a point.
pub type Cost = i64;

/// Takes what is charged.
pub type Charges<'c> = dyn FnMut(Term, Cost) + 'c;

pub const POINT: Cost = 1_000;

/// The load of the whole database.
pub const DATABASE: Cost = 1_000 * POINT;

/// A guarantee that is lost: a foreign key is worth what the user says (6 % of the database), a unique key or a trigger a
/// third of that ...
const UNIQUE_PART: Cost = 3;

/// ... but all guarantees of a kind together never more than so many of them: in a schema of 900 foreign keys one more or
/// less must not outweigh the tables that carry the load.
const MOST_FOREIGN_KEYS: Cost = 25;
const MOST_UNIQUES: Cost = 25;
const MOST_TRIGGERS: Cost = 15;

/// Distributing less than half of the load misses the point of the exercise: so many points for each point short of it (or
/// of what can be distributed at all) that no guarantee is worth as much.
const SPREAD_TARGET_PERCENT: Cost = 50;
const REACHABLE_PERCENT: Cost = 80;
const SPREAD_SHORTFALL: Cost = 20;

/// One more colocation group: something to rebalance and to know. Sizes that are only guessed justify a group less.
const GROUP: Cost = 5 * POINT;
const GROUP_BY_GUESS: Cost = 60 * POINT;

/// A reference table is a duty (two-phase commit on every write), however small; all of them together at most so much.
const REFERENCE_TABLE: Cost = POINT;
const ALL_REFERENCE_TABLES: Cost = 50 * POINT;

/// A table that nothing is on one node with, left on the coordinator or distributed by itself, cannot be joined there, whoever
/// may want to: like a relation that nobody has written down. All of them together cost at most so much.
const ALL_LOCAL_TABLES: Cost = 200 * POINT;

/// Each gigabyte of a copy on each node, whatever part of the database it is: on three nodes a gigabyte costs what a foreign
/// key is worth. Every node that is added has to copy it before it can be used.
const GIGABYTE_COPIED: Cost = 20 * POINT;

/// Moving a table that is in its place already, where Citus has tables: work, and a plan that changes its mind for a
/// trifle is none. Less than a relation that only names suggest, and than any guarantee that the move would save.
const ELSEWHERE: Cost = 18 * POINT;

/// A distribution column in which the statistics have seen NULL: Citus refuses those rows, and only a person knows what
/// belongs there. A plan that runs as it is comes before one that does not.
const NULLS_THERE: Cost = 60 * POINT;

/// Writing a table once more, to where it goes, and filling a new column: hundredths of the load.
const MOVE_PERCENT: Cost = 1;
const BACKFILL_PERCENT: Cost = 5;
const BACKFILL: Cost = POINT;

/// A column that no other table shares keeps nothing together: hundredths of the load.
const ALONE_PERCENT: Cost = 10;

/// Another way to the value of a new column, which has to agree.
const BACKFILL_RIVAL: Cost = 2 * POINT;

/// A table whose rows belong to a tenant, placed otherwise than by the tenant: what is asked about one tenant is then no
/// longer asked of one node. All such tables together never cost more than this, their load apart.
const TENANT_APART: Cost = 5 * POINT;
const TENANT_APART_PERCENT: Cost = 10;
const ALL_TENANT_APART: Cost = 200 * POINT;
const ALL_HOLDERS_APART: Cost = 600 * POINT;

/// A statement that every node must answer costs a fifth of what one costs that joins across nodes.
const FAN_OUT_PERCENT: Cost = 20;

/// Tables in which tools that change schemas write down what they did.
const KEPT_BY_TOOLS: [&str; 12] = [
    "schema_migrations",
    "ar_internal_metadata",
    "flyway_schema_history",
    "schema_version",
    "databasechangelog",
    "databasechangeloglock",
    "_prisma_migrations",
    "__diesel_schema_migrations",
    "alembic_version",
    "django_migrations",
    "goose_db_version",
    "knex_migrations",
];

/// What Citus refuses: more than everything else together.
pub const REFUSED: Cost = 1_000_000 * POINT;

/// A cost in points, as a decimal number.
pub fn points(cost: Cost) -> String {
    let sign = if cost < 0 { "-" } else { "" };
    format!("{sign}{}.{:03}", cost.abs() / POINT, cost.abs() % POINT)
}

/// A column, and the key of the table that its name points at.
pub type InferredRelation = ((TableId, ColumnId), (TableId, ColumnId));

/// Statements of the workload that join two tables.
#[derive(Clone, Debug)]
pub struct WorkloadJoin {
    pub left: TableId,
    pub right: TableId,
    columns: Vec<(ColumnId, ColumnId)>,
    /// Their part of [`DATABASE`].
    part: Cost,
}

impl WorkloadJoin {
    /// The columns that are equated, on both sides.
    pub fn columns(&self) -> impl Iterator<Item = (TableId, ColumnId)> {
        self.columns.iter().flat_map(|&(a, b)| [(self.left, a), (self.right, b)])
    }
}

/// What the terms need to know of the whole schema.
pub struct CostModel<'g, 'a> {
    pub graph: &'g Graph<'a>,
    classes: &'g ColumnClasses,
    loads: Loads,
    nodes: Cost,
    foreign_key: Cost,
    unique: Cost,
    trigger: Cost,
    reference_table: Cost,
    local_table: Cost,
    /// Of a table that would have to leave its place; zero where Citus has no tables: everything has to move then.
    elsewhere: Cost,
    /// Load that has to be distributed before anything else counts.
    target: Cost,
    /// Tables that the plan does not speak of: that they stay where they are is no choice of its.
    aside: BTreeSet<TableId>,
    pub joins: Vec<WorkloadJoin>,
    /// By table: columns by which statements find its rows, and their part of [`DATABASE`].
    filters: HashMap<TableId, Vec<(Vec<ColumnId>, Cost)>>,
}

impl<'g, 'a> CostModel<'g, 'a> {
    pub fn new(graph: &'g Graph<'a>, classes: &'g ColumnClasses, prices: &Prices) -> Self {
        let loads = Loads::new(graph, classes);
        let worth = DATABASE / 10_000 * Cost::from(prices.foreign_key_worth);
        let each = |price: Cost, most: Cost, count: usize| price.min(price * most / count.max(1) as Cost);
        let planned = || graph.planned_tables().map(|t| graph.table(t));
        let uniques = planned().flat_map(|t| &t.indexes).filter(|i| rules::is_judged_key(i)).count();
        let triggers = planned().map(|t| t.triggers.len() + t.policies.len()).sum();
        let tables = planned().count();
        let foreign_key = each(worth, MOST_FOREIGN_KEYS, graph.edges.len());
        // What a key or a trigger is worth in foreign keys is the same in every schema.
        let third = foreign_key / UNIQUE_PART;
        let (joins, filters) = workload(graph);
        CostModel {
            graph,
            classes,
            loads,
            nodes: Cost::from(prices.nodes.max(1)),
            foreign_key,
            unique: each(third, MOST_UNIQUES, uniques),
            trigger: each(third, MOST_TRIGGERS, triggers),
            reference_table: REFERENCE_TABLE.min(ALL_REFERENCE_TABLES / tables.max(1) as Cost),
            local_table: third.min(ALL_LOCAL_TABLES / tables.max(1) as Cost),
            elsewhere: if graph.schema.citus_tables.iter().any(|t| t.kind != "local") { ELSEWHERE } else { 0 },
            target: DATABASE * SPREAD_TARGET_PERCENT / 100,
            aside: BTreeSet::new(),
            joins,
            filters,
        }
    }

    /// Says how much of the load can be distributed at all.
    pub fn set_reachable(&mut self, reachable: Cost) {
        self.target = (DATABASE * SPREAD_TARGET_PERCENT / 100).min(reachable * REACHABLE_PERCENT / 100);
    }

    /// Says which tables the plan does not speak of.
    pub fn leave_aside(&mut self, tables: impl Iterator<Item = TableId>) {
        self.aside = tables.collect();
    }

    /// Part of [`DATABASE`] that a planned table carries.
    pub fn load(&self, table: TableId) -> Cost {
        self.loads.load[table.0]
    }

    /// Whether no sizes are known: loads are guessed from the structure.
    pub fn sizes_guessed(&self) -> bool {
        self.loads.guessed
    }

    /// Whether loads are of bytes and writes; else of bytes alone.
    pub fn counts_writes(&self) -> bool {
        !self.loads.guessed && self.loads.writes.iter().any(|&w| w > 0)
    }

    /// What the loss of one foreign key of a small table costs.
    pub fn foreign_key_worth(&self) -> Cost {
        self.foreign_key
    }

    /// Cost of each colocation group.
    pub fn group(&self) -> Cost {
        if self.loads.guessed && self.elsewhere == 0 { GROUP_BY_GUESS } else { GROUP }
    }

    /// Cost of distributing this much load and no more.
    pub fn shortfall(&self, distributed: Cost) -> Cost {
        SPREAD_SHORTFALL * (self.target - distributed).max(0)
    }

    /// How much a point short costs, and up to where there is a shortfall.
    pub fn shortfall_slope(&self) -> (Cost, Cost) {
        (SPREAD_SHORTFALL, self.target)
    }

    /// A table's placement by itself: where its load goes, what its own keys and triggers lose, how well its column spreads.
    pub fn placement(&self, layout: &Layout<'_>, table: TableId, charge: &mut Charges<'_>) {
        let load = self.load(table);
        let t = self.graph.table(table);
        charge(Term::Move, self.moving(layout, table));
        charge(Term::TenantApart, self.tenant_apart(table, layout.placement(table)));
        match layout.placement(table) {
            Placement::Local => {
                charge(Term::LocalLoad, load);
                charge(Term::LocalTable, self.left_local(table));
            }
            Placement::Reference => {
                charge(Term::Copies, self.copies(table));
                charge(Term::ReferenceTable, self.reference_table);
                charge(Term::TriggerLost, self.triggers(t));
            }
            Placement::Distributed { column, .. } => {
                self.keys(layout, table, charge);
                charge(Term::TriggerLost, self.triggers(t));
                self.column(table, column, charge);
                charge(Term::Backfill, self.backfill(table, column));
                self.fan_out(table, column, charge);
                charge(Term::Name, self.name(table, column));
            }
        }
    }

    /// Writing the rows to where they go, unless they are there.
    fn moving(&self, layout: &Layout<'_>, table: TableId) -> Cost {
        let now = self.graph.citus_table(table);
        let stays = match layout.placement(table) {
            Placement::Local => now.is_none_or(|t| t.kind == "local"),
            Placement::Reference => now.is_some_and(|t| t.kind == "reference"),
            Placement::Distributed { .. } => now.is_some_and(|t| {
                t.kind == "distributed" && t.distribution_column.as_deref() == layout.distribution_column_name(table)
            }),
        };
        if stays {
            return 0;
        }
        // The foreign key that told what its column went with may be lost for it: another that goes with nothing is no better.
        let stood = now.is_some_and(|t| t.kind == "distributed");
        let column = layout.placement(table).distribution_column();
        let is_alone = stood && column.is_some_and(|column| !self.classes.is_shared(table, column));
        let again = if is_alone { self.alone(table) } else { 0 };
        self.elsewhere + again + self.load(table) * MOVE_PERCENT / 100
    }

    /// A table distributed by a column that no other shares.
    fn alone(&self, table: TableId) -> Cost {
        self.local_table + self.load(table) * ALONE_PERCENT / 100
    }

    /// A table that stays on the coordinator while others leave it; those in which tools keep their own books may.
    fn left_local(&self, table: TableId) -> Cost {
        let t = self.graph.table(table);
        let is_open = t.kind != TableKind::Foreign
            && !KEPT_BY_TOOLS.contains(&t.name.name.as_str())
            && !self.aside.contains(&table);
        if self.target > 0 && is_open { self.local_table } else { 0 }
    }

    /// A copy on every node, as a local table is one on one. Every write is done on each; every gigabyte counts for itself,
    /// however large the rest is.
    fn copies(&self, table: TableId) -> Cost {
        let bytes = self.graph.bytes(table).unwrap_or(0);
        let gigabytes = ((i128::from(bytes) * i128::from(GIGABYTE_COPIED * self.nodes)) >> 30) as Cost;
        self.nodes * (self.load(table) + self.loads.writes[table.0]) + gigabytes
    }

    fn triggers(&self, table: &Table) -> Cost {
        let lost = table.triggers.len() + table.policies.iter().filter(|p| p.subquery).count();
        self.trigger * lost as Cost
    }

    fn keys(&self, layout: &Layout<'_>, table: TableId, charge: &mut Charges<'_>) {
        let t = self.graph.table(table);
        for index in t.indexes.iter().filter(|i| rules::is_judged_key(i)) {
            match key_fate(layout, table, index) {
                KeyFate::Kept => {}
                // A generated number stays unique in practice; a business key becomes unique per distribution value only.
                KeyFate::Widened { .. } if is_surrogate(t, index) => charge(Term::KeyWidened, self.unique / 40),
                KeyFate::Widened { .. } => charge(Term::KeyWidened, self.unique / 4),
                KeyFate::Lost { .. } => charge(Term::KeyLost, self.unique),
            }
        }
    }

    /// How well a column spreads the rows, and how sure we are that it can.
    fn column(&self, table: TableId, column: ColumnId, charge: &mut Charges<'_>) {
        let load = self.load(table);
        let c = self.graph.column(table, column);
        if !c.not_null {
            let seen = c.statistics.as_ref().is_some_and(|s| s.null_fraction > 0.0);
            // Where nobody has looked there may be some.
            let unknown = if c.statistics.is_none() { load / 20 } else { load / 50 };
            charge(Term::NullableColumn, unknown + POINT / 5 + if seen { load + NULLS_THERE } else { 0 });
        }
        let base = self.graph.base_type(&c.data_type);
        if base.is_some_and(|b| {
            "ABCDEGRTV".contains(b.category.as_str())
                || is_float(&b.text)
                || b.text == "jsonb"
                || b.kind == TypeKind::Enum
        }) {
            charge(Term::PoorType, load / 2 + POINT);
        }
        let rows = self.graph.rows(table);
        let distinct = self.distinct_values(table, column);
        if let (Some(rows), Some(distinct)) = (rows, distinct)
            && rows > 1_000
            && distinct < 128.0
        {
            charge(Term::FewValues, (load as f64 * 0.8 * (1.0 - distinct / 128.0)) as Cost);
        }
        if let (Some(statistics), Some(rows), Some(distinct)) = (&c.statistics, rows, distinct) {
            // NULLs have to become one value first, and are then as common as any other.
            let top = statistics.top_frequency.unwrap_or(0.0).max(statistics.null_fraction);
            if top > 1.0 / 32.0 {
                charge(Term::CommonValue, (load as f64 * top) as Cost);
            }
            // Whatever is written now has the same few values: one shard at a time takes it all.
            let ordered = statistics.correlation.is_some_and(|c| c.abs() > 0.95);
            if ordered && rows as f64 > 1_000.0 * distinct.max(1.0) {
                charge(Term::InOrder, load / 1_000);
            }
        }
        if self.classes.is_inferred(table, column) {
            charge(Term::Inferred, load / 500);
        }
        // What Citus has placed so is no guess any more.
        let stands = self.graph.citus_table(table).and_then(|t| t.distribution_column.as_ref()) == Some(&c.name);
        if self.loads.guessed && !stands && self.is_bold_guess(table, column) {
            charge(Term::Alone, load + POINT);
        } else if !self.classes.is_shared(table, column) {
            charge(Term::Alone, self.alone(table));
        }
        if !leads_an_index(self.graph.table(table), &c.name) && self.graph.backfill(table, column).is_none() {
            charge(Term::Unindexed, load / 500);
        }
    }

    /// How many values a distribution column has: what the statistics say, but not more than the table has rows that it
    /// references. `None` where neither is known.
    fn distinct_values(&self, table: TableId, column: ColumnId) -> Option<f64> {
        let statistics = self.graph.column(table, column).statistics.as_ref();
        let counted = statistics.and_then(|s| Some(s.distinct_values(self.graph.rows(table)?)));
        let entity = self.classes.classes[self.classes.class(table, column)].entity.filter(|e| e.0 != table);
        let referenced = entity.and_then(|e| self.graph.rows(e.0)).filter(|&r| r > 0).map(|r| r as f64);
        match (counted, referenced) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Whether nothing but a guessed size would speak for distributing a table so: no other table shares the column, or a
    /// schema of tenants has the table for all of them, or a column has to be filled that is no tenant's. What is partitioned
    /// is large, whatever else is guessed.
    fn is_bold_guess(&self, table: TableId, column: ColumnId) -> bool {
        if self.graph.table(table).kind == TableKind::Partitioned {
            return false;
        }
        let backfills = self.graph.backfills();
        let is_for_all = backfills.is_some_and(|b| b.tenant().is_some() && b.tenant_of(table).is_none());
        let is_filled = self.graph.backfill(table, column).is_some();
        is_for_all || is_filled && !self.is_tenants(table, column) || !self.classes.is_shared(table, column)
    }

    /// What it costs to give a table this column and to fill it; nothing for a column that is there.
    fn backfill(&self, table: TableId, column: ColumnId) -> Cost {
        let Some(backfill) = self.graph.backfill(table, column) else { return 0 };
        let load = self.load(table);
        // Rows that no path leads from have to be found and mended first.
        let doubt = if backfill.is_certain { 0 } else { load / 50 + POINT / 5 };
        // The tenant is known to whoever sends a row; what else is copied has to be looked up for each, a promise more.
        let sent = match self.is_tenants(table, column) {
            true => BACKFILL + load * BACKFILL_PERCENT / 100,
            false => (self.foreign_key / 3).max(BACKFILL) + load * 2 * BACKFILL_PERCENT / 100,
        };
        sent + doubt + BACKFILL_RIVAL * backfill.rivals().len() as Cost
    }

    /// What it costs that a table whose rows belong to a tenant is not distributed by the tenant.
    fn tenant_apart(&self, table: TableId, placement: Placement) -> Cost {
        let Some(backfills) = self.graph.backfills() else { return 0 };
        let Some(tenant) = backfills.tenant_of(table) else { return 0 };
        if placement.distribution_column().is_some_and(|c| self.classes.class(table, c) == tenant) {
            return 0;
        }
        // A table that has the column says itself whose its rows are: as if it lost a foreign key.
        let says_so = self.classes.holds(tenant, table) && backfills.is_made_for_tenants();
        let (each, all) = match says_so {
            true => (self.foreign_key.max(TENANT_APART), ALL_HOLDERS_APART),
            false => (TENANT_APART, ALL_TENANT_APART),
        };
        let each = each.min(all / backfills.tables_of_tenant().max(1) as Cost);
        each + self.load(table) * TENANT_APART_PERCENT / 100
    }

    /// Statements that look for rows by other columns.
    fn fan_out(&self, table: TableId, column: ColumnId, charge: &mut Charges<'_>) {
        let filters = self.filters.get(&table).into_iter().flatten();
        let asked: Cost = filters.filter(|(columns, _)| !columns.contains(&column)).map(|(_, part)| part).sum();
        charge(Term::FanOut, asked * FAN_OUT_PERCENT / 100);
    }

    /// What the name of a table's distribution column costs: it decides between equals, a little more where nothing else
    /// is known.
    fn name(&self, table: TableId, column: ColumnId) -> Cost {
        let rank = self.classes.rank(self.graph, table, column) as Cost;
        let most = if self.loads.guessed { self.load(table) / 20 } else { self.load(table) / 200 };
        most * rank / NAMELESS as Cost
    }

    /// Relations that only names suggest, in the order of the classes.
    pub fn inferred_relations(&self) -> impl Iterator<Item = InferredRelation> {
        self.classes.classes.iter().flat_map(|class| {
            let members = class.members.iter().filter(|m| self.classes.is_inferred(m.0, m.1));
            members.filter_map(|&m| Some((m, class.entity?))).filter(|(m, entity)| m.0 != entity.0)
        })
    }

    /// A relation that only names suggest (`device_id` of a table, and the key of `devices`): rows that are joined should be
    /// on one node. Nothing is guaranteed, so it is worth a third of a foreign key.
    pub fn inferred_relation(
        &self,
        layout: &Layout<'_>,
        ((table, column), (entity, key)): InferredRelation,
        charge: &mut Charges<'_>,
    ) {
        let both = (layout.placement(table), layout.placement(entity));
        let in_one_group = both.0.group().is_some() && both.0.group() == both.1.group();
        let widened = || both.0.distribution_column().zip(both.1.distribution_column());
        if joined_on_a_node(layout, table, entity, |pair| pair == (column, key)) {
            charge(Term::RelationApart, self.copied_from_its_group(layout, table, entity) / 3);
        } else if let Some((from, to)) = widened().filter(|_| in_one_group)
            && means_the_same(self.graph, (table, from), (entity, to))
        {
            // As a foreign key would be widened.
            charge(
                Term::RelationApart,
                if self.is_tenants(table, from) { self.foreign_key / 40 } else { self.foreign_key / 10 },
            );
        } else {
            let load = self.foreign_key * 2 / 3 * self.load(table) / DATABASE;
            charge(Term::RelationApart, self.foreign_key / 3 + load);
        }
    }

    /// Of two tables that are joined on a node by a copy, though the copied one has a column of the other's group and could be
    /// there itself: what that costs.
    fn copied_from_its_group(&self, layout: &Layout<'_>, table: TableId, copied: TableId) -> Cost {
        match (layout.placement(table), layout.placement(copied)) {
            (Placement::Distributed { column, .. }, Placement::Reference)
                if self.classes.holds(self.classes.class(table, column), copied) =>
            {
                self.foreign_key / 10
            }
            _ => 0,
        }
    }

    /// Whether a column holds the tenant.
    fn is_tenants(&self, table: TableId, column: ColumnId) -> bool {
        self.graph.backfills().and_then(|b| b.tenant()) == Some(self.classes.class(table, column))
    }

    /// Statements of the workload that join two tables.
    pub fn join(&self, layout: &Layout<'_>, join: &WorkloadJoin, charge: &mut Charges<'_>) {
        if !joined_on_a_node(layout, join.left, join.right, |pair| join.columns.contains(&pair)) {
            charge(Term::JoinAcross, join.part);
        }
    }

    /// A foreign key under a layout.
    pub fn foreign_key(&self, layout: &Layout<'_>, edge: &Edge, charge: &mut Charges<'_>) {
        match foreign_key_fate(layout, edge).0 {
            ForeignKeyFate::Kept => match (layout.placement(edge.referencing), layout.placement(edge.referenced)) {
                (Placement::Local, Placement::Reference) => charge(Term::ForeignKeyManaged, self.foreign_key / 20),
                (Placement::Reference, Placement::Local) => charge(Term::ForeignKeyManaged, self.foreign_key / 3),
                _ => {
                    let (from, to) = (self.graph.root(edge.referencing), self.graph.root(edge.referenced));
                    charge(Term::RelationApart, self.copied_from_its_group(layout, from, to));
                }
            },
            // What a column is filled over holds of the rows without anybody's promise.
            ForeignKeyFate::Widened { columns, .. } if is_filled_over(self.graph, edge, &columns) => {
                charge(Term::ForeignKeyWidened, self.foreign_key / 40);
            }
            // Rows that reference each other are of one tenant: that is what a tenant is.
            ForeignKeyFate::Widened { .. }
                if layout.placement(edge.referencing).distribution_column().is_some_and(|c| {
                    edge.referencing == self.graph.root(edge.referencing) && self.is_tenants(edge.referencing, c)
                }) =>
            {
                charge(Term::ForeignKeyWidened, self.foreign_key / 40);
            }
            // A composite foreign key says already what its rows share: that they share one more is a bold promise.
            ForeignKeyFate::Widened { columns, .. } if edge.columns.len() > 1 && columns.len() > edge.columns.len() => {
                charge(Term::ForeignKeyWidened, self.foreign_key * 3 / 5);
            }
            ForeignKeyFate::Widened { .. } => charge(Term::ForeignKeyWidened, self.foreign_key / 10),
            ForeignKeyFate::Lost { .. } => {
                let load = self.load(self.graph.root(edge.referencing));
                let joined = if is_identifying(self.graph, edge) { 4 } else { 2 };
                charge(Term::ForeignKeyLost, self.foreign_key + self.foreign_key * joined * load / DATABASE);
            }
        }
    }
}

/// The sum of what is charged.
pub fn total(charging: impl FnOnce(&mut Charges<'_>)) -> Cost {
    let mut sum = 0;
    charging(&mut |_, cost| sum += cost);
    sum
}

/// Whether rows of two tables that are equal in some columns are on one node, where `joins` says which pairs of columns
/// equate them.
fn joined_on_a_node(
    layout: &Layout<'_>,
    left: TableId,
    right: TableId,
    joins: impl Fn((ColumnId, ColumnId)) -> bool,
) -> bool {
    match (layout.placement(left), layout.placement(right)) {
        (Placement::Distributed { column: a, group: one }, Placement::Distributed { column: b, group: other }) => {
            one == other && joins((a, b))
        }
        (Placement::Reference, _) | (_, Placement::Reference) | (Placement::Local, Placement::Local) => true,
        _ => false,
    }
}

/// Columns by which statements find the rows of a table, and the part of the workload that does.
type Filters = HashMap<TableId, Vec<(Vec<ColumnId>, Cost)>>;

/// The workload by tables and columns that are there.
fn workload(graph: &Graph<'_>) -> (Vec<WorkloadJoin>, Filters) {
    let Some(workload) = graph.schema.workload.as_ref().filter(|w| w.total > 0) else { return Default::default() };
    let part = |weight: i64| (i128::from(weight) * i128::from(DATABASE) / i128::from(workload.total)) as Cost;
    let table = |name| graph.find(name).map(|t| graph.root(t));
    let mut joins = Vec::new();
    for join in &workload.joins {
        let (Some(left), Some(right)) = (table(&join.left), table(&join.right)) else { continue };
        let pair = |(a, b): &(String, String)| Some((graph.find_column(left, a)?, graph.find_column(right, b)?));
        let columns: Vec<_> = join.columns.iter().filter_map(pair).collect();
        joins.push(WorkloadJoin { left, right, columns, part: part(join.weight) });
    }
    let mut filters = Filters::new();
    for filter in &workload.filters {
        let Some(table) = table(&filter.relation) else { continue };
        let columns = filter.columns.iter().filter_map(|c| graph.find_column(table, c)).collect();
        filters.entry(table).or_default().push((columns, part(filter.weight)));
    }
    (joins, filters)
}

/// Whether the rows of a table are parts of what they reference, the foreign key being in their primary key: a line of an order.
/// They are found, read and deleted with it.
fn is_identifying(graph: &Graph<'_>, edge: &Edge) -> bool {
    let table = graph.table(edge.referencing);
    let is_primary = |kind| kind == ConstraintKind::PrimaryKey;
    let primary = table.indexes.iter().find(|i| i.constraint.as_ref().is_some_and(|c| is_primary(c.kind)));
    let holds =
        |name: &String| primary.is_some_and(|i| i.columns.iter().any(|c| c.key && c.column.as_ref() == Some(name)));
    primary.is_some() && graph.foreign_key(edge).columns.iter().all(holds)
}

/// Whether an index begins with a column.
fn leads_an_index(table: &Table, name: &str) -> bool {
    table.indexes.iter().any(|i| i.columns.first().and_then(|c| c.column.as_deref()) == Some(name))
}

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
