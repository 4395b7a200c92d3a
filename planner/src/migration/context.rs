//! What every part of a migration asks: which tables have still to move, who anchors a group, how SQL sees a table in
//! its place.

use std::collections::BTreeSet;

use crate::Request;
use crate::graph::{Edge, Graph, TableId};
use crate::identifier::{RelationName, quote_literal};
use crate::layout::{self, GroupId, Placement};
use crate::plan::{ForeignKeyFate, KeyFate, Plan, PlannedForeignKey};
use crate::rules::{self, Finding, ObjectType};
use crate::schema::{CitusTable, ForeignKey};

use super::sql::{Block, Failure};

/// Session setting by which a step sees that the checks at the start have passed.
const CHECKED: &str = "planned_migration.checked";
/// Session setting by which a step sees that columns may be added and filled.
const FILLING: &str = "planned_migration.filling";
/// Session setting by which the clean-up sees that everything is in its place.
const VERIFIED: &str = "planned_migration.verified";

/// A plan, seen as work to do.
pub(super) struct Migration<'p, 'a> {
    pub(super) plan: &'p Plan<'a>,
    pub(super) graph: &'a Graph<'a>,
    /// By table: planned, and not yet where the plan wants it.
    pending: Vec<bool>,
    /// Reference and distributed tables, each after those that it needs; the rules assume this order.
    order: Vec<TableId>,
    /// By group: the table that the others are colocated with.
    anchors: Vec<Option<TableId>>,
    /// Tells this migration from another one in the same session.
    fingerprint: String,
}

impl<'p, 'a> Migration<'p, 'a> {
    pub(super) fn new(plan: &'p Plan<'a>) -> Self {
        let graph = plan.graph();
        let colocation = colocation_by_group(plan);
        let mut pending = vec![false; graph.schema.tables.len()];
        for planned in &plan.tables {
            let moves = !is_in_place(plan, planned.table, &colocation);
            pending[planned.table.0] = moves;
            for partition in graph.descendants(planned.table) {
                pending[partition.0] = moves;
            }
        }
        let order = rules::conversion_order(&plan.layout);
        let anchors = (0..plan.layout.groups.len()).map(|group| anchor(plan, group, &order, &pending)).collect();
        let fingerprint = fingerprint(plan);
        Migration { plan, graph, pending, order, anchors, fingerprint }
    }

    /// The same for the way back, which is not to be mistaken for the way there.
    pub(super) fn back(plan: &'p Plan<'a>) -> Self {
        let mut migration = Migration::new(plan);
        migration.fingerprint.insert_str(0, "back ");
        migration
    }

    /// Whether there is nothing to do: every table in its place, every key as it will be.
    pub(super) fn is_done(&self) -> bool {
        !self.pending.contains(&true)
            && self.changed_foreign_keys().next().is_none()
            && self.plan.keys.iter().all(|k| k.fate == KeyFate::Kept)
            && self.plan.lost_objects.is_empty()
            && !self.is_unfinished()
    }

    /// Planned tables that have to move, partitions left out: they follow.
    pub(super) fn pending_tables(&self) -> impl Iterator<Item = TableId> + '_ {
        self.plan.tables.iter().map(|t| t.table).filter(|&t| self.is_pending(t))
    }

    /// Those of them that become reference or distributed tables, in the order in which Citus must be asked.
    pub(super) fn conversions(&self) -> impl Iterator<Item = TableId> + '_ {
        self.order.iter().copied().filter(|&t| self.is_pending(t))
    }

    /// Whether an earlier run was cut off, which left its notebook.
    pub(super) fn is_unfinished(&self) -> bool {
        self.graph.schema.unfinished.is_some()
    }

    /// Tables whose copies on the coordinator are in the way when all is done: those of this run, and of one before.
    pub(super) fn copies(&self) -> impl Iterator<Item = TableId> + '_ {
        let earlier = self.graph.schema.unfinished.as_ref();
        let moved = move |t: &TableId| earlier.is_some_and(|u| u.moved.contains(self.name(*t)));
        self.order.iter().copied().filter(move |t| self.is_pending(*t) || moved(t))
    }

    /// Tables that a step changes: those that move, and the other ends of foreign keys that are dropped.
    pub(super) fn touched(&self) -> BTreeSet<TableId> {
        let ends = self.changed_foreign_keys().flat_map(|k| [k.edge.referencing, k.edge.referenced]);
        ends.map(|t| self.graph.root(t))
            .chain(self.pending_tables())
            .chain(self.plan.keys.iter().filter(|k| k.fate != KeyFate::Kept).map(|k| self.graph.root(k.table)))
            .collect()
    }

    pub(super) fn is_pending(&self, table: TableId) -> bool {
        self.pending[table.0]
    }

    pub(super) fn name(&self, table: TableId) -> &'a RelationName {
        &self.graph.table(table).name
    }

    pub(super) fn placement(&self, table: TableId) -> Placement {
        self.plan.layout.placement(table)
    }

    /// What Citus has of the table when the plan was made.
    pub(super) fn current(&self, table: TableId) -> Option<&'a CitusTable> {
        self.graph.citus_table(table)
    }

    pub(super) fn anchor(&self, group: GroupId) -> Option<TableId> {
        self.anchors[group]
    }

    /// Foreign keys that are dropped at the start: those of tables that move, and those that the plan changes.
    pub(super) fn changed_foreign_keys(&self) -> impl Iterator<Item = ChangedForeignKey<'_, 'a>> {
        self.foreign_keys_where(|_| false)
    }

    /// These, and others.
    pub(super) fn foreign_keys_where<'m>(
        &'m self,
        others: impl Fn(&Edge) -> bool + 'm,
    ) -> impl Iterator<Item = ChangedForeignKey<'m, 'a>> {
        self.plan.foreign_keys.iter().filter_map(move |planned| {
            let edge = &self.graph.edges[planned.edge];
            let moves = self.is_pending(edge.referencing) || self.is_pending(edge.referenced);
            let changes = planned.fate != ForeignKeyFate::Kept || self.graph.foreign_key(edge).put_aside;
            (moves || changes || others(edge)).then(|| ChangedForeignKey {
                planned,
                edge,
                foreign_key: self.graph.foreign_key(edge),
                table: self.name(edge.referencing),
                referenced: self.name(edge.referenced),
            })
        })
    }

    /// The finding behind a loss, for its reason.
    pub(super) fn finding(&self, code: &str, relation: &RelationName, object: &str) -> Option<&'p Finding> {
        self.plan.findings.iter().find(|f| f.code == code && f.relation == *relation && f.object_name == object)
    }

    /// Why something is lost, in Citus' words where the plan has them.
    pub(super) fn reason(&self, code: &str, relation: &RelationName, object: &str) -> String {
        match self.finding(code, relation, object) {
            Some(Finding { message, detail: Some(detail), .. }) => format!("{code}: {message}. {detail}"),
            Some(finding) => format!("{code}: {}", finding.message),
            None => code.to_owned(),
        }
    }

    /// A condition in SQL: the table is where the plan wants it.
    pub(super) fn is_placed(&self, table: TableId) -> String {
        let table = self.graph.root(table);
        let row = |condition: &str| {
            format!(
                "EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = {}{condition})",
                regclass(self.name(table))
            )
        };
        match self.placement(table) {
            Placement::Local => format!("NOT {}", row(" AND (partmethod <> 'n' OR repmodel = 't')")),
            Placement::Reference => row(" AND partmethod = 'n' AND repmodel = 't'"),
            Placement::Distributed { column, group } => {
                let column = quote_literal(&self.graph.column(table, column).name);
                let by = format!(" AND partmethod = 'h' AND column_to_column_name(logicalrelid, partkey) = {column}");
                match self.anchor(group).filter(|&anchor| anchor != table) {
                    None => row(&by),
                    Some(anchor) => row(&format!(
                        "{by} AND colocationid = (SELECT colocationid FROM pg_dist_partition \
                         WHERE logicalrelid = {})",
                        regclass(self.name(anchor))
                    )),
                }
            }
        }
    }

    /// Starts a block that fails unless the checks at the start have passed in this session. This is what keeps
    /// `\gexec`, which goes on after an error, from destroying anything on the wrong database.
    pub(super) fn checked_block(&self) -> Block {
        self.block_after(CHECKED, "the checks at the start of this migration have not passed in this session")
    }

    /// Starts a block that fails unless the checks at the start allow to add and fill columns.
    pub(super) fn filling_block(&self) -> Block {
        self.block_after(FILLING, "the checks at the start of this migration have not passed in this session")
    }

    /// Starts a block that fails unless the checks at the start have passed, whether columns are still to be filled or not.
    pub(super) fn started_block(&self) -> Block {
        if self.fills_columns() { self.filling_block() } else { self.checked_block() }
    }

    /// Starts a block that fails unless everything was found in its place.
    pub(super) fn verified_block(&self) -> Block {
        self.block_after(VERIFIED, "the migration has not been verified in this session")
    }

    fn block_after(&self, setting: &str, message: &str) -> Block {
        Block::new().fail_if(
            &format!("current_setting('{setting}', true) IS DISTINCT FROM '{}'", self.fingerprint),
            &Failure::new(message, "Mend what the first error says, then run all steps in order, in one session."),
        )
    }

    pub(super) fn mark_checked(&self) -> String {
        self.mark(CHECKED)
    }

    /// After the checks at the start: columns come first, if there are any to fill.
    pub(super) fn mark_started(&self) -> String {
        if self.fills_columns() { self.mark(FILLING) } else { self.mark_checked() }
    }

    pub(super) fn fills_columns(&self) -> bool {
        self.plan.backfills.iter().any(|b| self.is_pending(b.table))
    }

    pub(super) fn mark_verified(&self) -> String {
        self.mark(VERIFIED)
    }

    fn mark(&self, setting: &str) -> String {
        format!("PERFORM set_config('{setting}', '{}', false)", self.fingerprint)
    }

    /// Forgets what an earlier run in the same session has found: an exception in the checks could not undo that.
    pub(super) fn forget(&self) -> Vec<String> {
        let filling = self.fills_columns().then_some(FILLING);
        [Some(CHECKED), filling, Some(VERIFIED)].into_iter().flatten().map(|s| format!("SET {s} TO '';")).collect()
    }
}

/// A foreign key that is dropped at the start, with all that is known of it.
pub(super) struct ChangedForeignKey<'m, 'a> {
    pub(super) planned: &'m PlannedForeignKey,
    pub(super) edge: &'a Edge,
    pub(super) foreign_key: &'a ForeignKey,
    pub(super) table: &'a RelationName,
    pub(super) referenced: &'a RelationName,
}

/// A table as a `regclass` literal: quoted as an identifier, then as text.
pub(super) fn regclass(name: &RelationName) -> String {
    format!("{}::regclass", quote_literal(&name.to_string()))
}

/// `primary key`, `foreign key`, ... with the raw name in double quotes, as PostgreSQL's messages have it.
pub(super) fn described(kind: ObjectType, name: &str, table: &RelationName) -> String {
    format!("{} \"{name}\" of {table}", kind.as_str())
}

fn is_distributed_by(plan: &Plan<'_>, table: TableId) -> Option<i64> {
    let citus = plan.graph().citus_table(table).filter(|t| t.kind == "distributed")?;
    let column = plan.layout.distribution_column_name(table)?;
    (citus.distribution_column.as_deref() == Some(column)).then_some(citus.colocation_id)
}

/// The colocation group of Citus that most members of a planned group are in already. Two planned groups may be one of
/// Citus: tables that a migration has brought together are not always seen to belong together afterwards, for only a
/// column that it filled relates them. They stay, for being in one group costs them nothing; where the user has named
/// two groups, they come apart.
fn colocation_by_group(plan: &Plan<'_>) -> Vec<Option<i64>> {
    let named = tables_with_named_groups(plan);
    let mut claimed: Vec<i64> = Vec::new();
    let mut found = Vec::new();
    for group in 0..plan.layout.groups.len() {
        let members = plan.layout.members(group);
        let is_named = members.iter().any(|t| named.contains(t));
        let mut ids: Vec<i64> = members.into_iter().filter_map(|t| is_distributed_by(plan, t)).collect();
        ids.retain(|id| !is_named || !claimed.contains(id));
        ids.sort_unstable();
        let mut counted: Vec<(usize, i64)> = ids.chunk_by(|a, b| a == b).map(|c| (c.len(), c[0])).collect();
        counted.sort_by_key(|&(count, id)| (std::cmp::Reverse(count), id));
        let id = counted.first().map(|&(_, id)| id);
        claimed.extend(id.filter(|_| is_named));
        found.push(id);
    }
    found
}

/// Tables of which the user has said which group they are to be in.
fn tables_with_named_groups(plan: &Plan<'_>) -> BTreeSet<TableId> {
    let Request { overrides, search_path, .. } = &plan.request;
    let find = Graph::find_column_or_backfill;
    let named = layout::resolve(plan.graph(), overrides, search_path, "overrides", find).unwrap_or_default();
    let of_group = named.into_iter().filter(|n| n.entry.group.is_some());
    let table = |n: layout::Named| if let layout::Target::Table(table) = n.target { Some(table) } else { None };
    of_group.filter_map(table).collect()
}

fn is_in_place(plan: &Plan<'_>, table: TableId, colocation: &[Option<i64>]) -> bool {
    let kind = plan.graph().citus_table(table).map(|t| t.kind.as_str());
    match plan.layout.placement(table) {
        Placement::Local => matches!(kind, None | Some("local")),
        Placement::Reference => kind == Some("reference"),
        Placement::Distributed { group, .. } => {
            is_distributed_by(plan, table).is_some_and(|id| colocation[group] == Some(id))
        }
    }
}

/// A member that is in place already, else the one that is converted first.
fn anchor(plan: &Plan<'_>, group: GroupId, order: &[TableId], pending: &[bool]) -> Option<TableId> {
    let members = order.iter().copied().filter(|&t| plan.layout.placement(t).group() == Some(group));
    members.min_by_key(|&t| pending[t.0])
}

/// FNV-1a over what the plan does to which tables: the same plan gives the same value, in every build.
fn fingerprint(plan: &Plan<'_>) -> String {
    let graph = plan.graph();
    let mut text = format!("{:?}", plan.layout.to_assignment());
    for planned in &plan.foreign_keys {
        let edge = &graph.edges[planned.edge];
        let key = graph.foreign_key(edge);
        text += &format!("{:?} {:?} {:?}", graph.table(edge.referencing).name, key, planned.fate);
    }
    for key in &plan.keys {
        text += &format!("{:?} {:?}", graph.table(key.table).indexes[key.index].definition, key.fate);
    }
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}
