//! The result that everything else reads: reports, rows, the migration script. Computed once and only read afterwards.

use std::collections::{BTreeMap, BTreeSet};

use crate::Request;
use crate::backfill::{Backfill, is_filled_over};
use crate::classes::means_the_same;
use crate::graph::{ColumnId, Edge, EdgeId, Graph, TableId};
use crate::layout::{Layout, Placement};
use crate::rules::{self, Effect, Finding, ForeignKeyCase, KeyCase, ObjectType, Rule};
use crate::schema::{ConstraintKind, Index, ReferentialAction, RelationName};
use crate::search::cost::{Cost, Price};
use crate::tenant_schemas::TenantSchemas;

/// A plan for a whole database.
pub struct Plan<'a> {
    pub layout: Layout<'a>,
    /// What the user asked for.
    pub request: Request,
    /// Planned tables (no partitions), sorted by name, limited to the schemas asked for.
    pub tables: Vec<PlannedTable>,
    /// What becomes of every foreign key that touches a planned table, in the order of the graph's edges.
    pub foreign_keys: Vec<PlannedForeignKey>,
    /// What becomes of every unique and exclusion index (see [`rules::key_indexes`]) of planned tables.
    pub keys: Vec<PlannedKey>,
    /// Columns that tables get, in the order in which they are filled.
    pub backfills: Vec<PlannedBackfill>,
    /// Triggers and policies that the distribution costs.
    pub lost_objects: Vec<LostObject>,
    /// Every issue of the plan.
    pub findings: Vec<Finding>,
    /// The database has one schema a tenant: schemas are distributed rather than tables.
    pub tenant_schemas: Option<TenantSchemas>,
    /// How the layout was found; absent for a layout that was given.
    pub search: Option<SearchOutcome>,
}

/// What the search can say of its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchOutcome {
    /// Whether every legal layout was tried or excluded by a bound.
    pub proven: bool,
    /// No layout costs less than this.
    pub bound: Cost,
    /// What the layout costs, charge by charge.
    pub price: Price,
    /// What it would cost to leave everything local.
    pub baseline: Cost,
    /// What of the load can be distributed at all.
    pub reachable: Cost,
    /// What the loss of one foreign key of a small table costs.
    pub foreign_key_worth: Cost,
    /// Layouts that there are.
    pub layouts: u64,
    /// Steps taken.
    pub steps: u64,
    /// No statistics at all: sizes were guessed from the structure.
    pub sizes_guessed: bool,
    /// Another distribution column would have cost the same but for the names: (chosen, as good), qualified column names.
    pub decided_by_name: Option<(String, String)>,
}

#[derive(Clone, Debug)]
pub struct PlannedTable {
    pub table: TableId,
    pub rows: Option<i64>,
    /// Bytes; `None` where unknown.
    pub bytes: Option<i64>,
    /// The user said so.
    pub overridden: bool,
    /// One sentence that a person can check.
    pub because: String,
}

#[derive(Clone, Debug)]
pub struct PlannedForeignKey {
    pub edge: EdgeId,
    pub fate: ForeignKeyFate,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ForeignKeyFate {
    Kept,
    /// Re-created with the distribution columns of both sides in front, or without an ON UPDATE action that Citus refuses,
    /// or both.
    Widened {
        /// (referencing, referenced), complete.
        columns: Vec<(ColumnId, ColumnId)>,
        on_update: ReferentialAction,
    },
    /// Dropped and not re-created; by the rule with this code.
    Lost {
        code: &'static str,
    },
}

#[derive(Clone, Debug)]
pub struct PlannedKey {
    pub table: TableId,
    /// Position in the table's indexes.
    pub index: usize,
    pub fate: KeyFate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFate {
    Kept,
    /// Re-created with this column in front of the key columns.
    Widened {
        column: ColumnId,
    },
    Lost {
        code: &'static str,
    },
}

/// A distribution column that its table does not have yet.
#[derive(Clone, Debug)]
pub struct PlannedBackfill {
    pub table: TableId,
    /// Its position behind the table's own columns; [`Graph::backfill`] has the rest.
    pub column: ColumnId,
    /// Bytes written to fill it; absent where the size is not known.
    pub bytes: Option<i64>,
}

#[derive(Clone, Debug)]
pub struct LostObject {
    pub table: TableId,
    pub kind: ObjectType,
    /// Raw name.
    pub name: String,
    pub code: &'static str,
}

/// What a plan keeps, changes and moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    pub foreign_keys_kept: i32,
    pub foreign_keys_widened: i32,
    pub foreign_keys_dropped: i32,
    pub uniques_widened: i32,
    pub uniques_lost: i32,
    /// Of tables that are spread over the nodes.
    pub bytes_distributed: i64,
    /// Of tables that each node has a copy of, counted once.
    pub bytes_replicated: i64,
    /// Written to fill columns that are new.
    pub bytes_backfilled: i64,
}

impl<'a> Plan<'a> {
    /// Works out what a layout does to every key, foreign key and trigger. `tables` are those that the plan speaks of.
    pub fn new(layout: Layout<'a>, tables: Vec<PlannedTable>, request: Request, search: Option<SearchOutcome>) -> Self {
        let graph = layout.graph;
        let mut spoken_of = vec![false; graph.schema.tables.len()];
        for planned in &tables {
            spoken_of[planned.table.0] = true;
        }
        let planned = |t: TableId| spoken_of[graph.root(t).0];
        let mut findings: Vec<Finding> = rules::judge(&layout);
        let mut refused = Refusals::default();
        findings.iter().for_each(|f| refused.add(f));
        let mut foreign_keys = Vec::new();
        for (id, edge) in graph.edges.iter().enumerate() {
            if planned(edge.referencing) || planned(edge.referenced) {
                let (fate, objection) = foreign_key_fate(&layout, edge);
                if let Some((rule, case)) = objection {
                    let news = rule.find_foreign_key(&layout, &case);
                    news.iter().for_each(|f| refused.add(f));
                    findings.extend(news);
                }
                let refusals = refused.of(graph, edge);
                let fate = match fate {
                    // Refused not for what the two tables are, but for what Citus has made of others by then.
                    ForeignKeyFate::Kept => match refusals.first() {
                        Some(&code) => ForeignKeyFate::Lost { code },
                        None => ForeignKeyFate::Kept,
                    },
                    // Likewise: Citus may name another reason first.
                    ForeignKeyFate::Lost { code } if !refusals.contains(&code) => {
                        let code = refusals.first().copied().unwrap_or(code);
                        ForeignKeyFate::Lost { code }
                    }
                    told => told,
                };
                if let ForeignKeyFate::Widened { columns, .. } = &fate
                    && columns.len() > edge.columns.len()
                    && !is_filled_over(graph, edge, columns)
                {
                    let declared = ForeignKeyCase::declared(&layout, edge);
                    let case = ForeignKeyCase { columns: columns.clone(), ..declared };
                    findings.extend(rules::WIDENED.find_foreign_key(&layout, &case));
                }
                foreign_keys.push(PlannedForeignKey { edge: id, fate });
            }
        }
        findings.retain(|f| graph.find(&f.relation).is_none_or(planned));
        drop_echoes(&mut findings);
        let spoken_of: Vec<TableId> = tables.iter().map(|t| t.table).collect();
        let overridden: Vec<TableId> = tables.iter().filter(|t| t.overridden).map(|t| t.table).collect();
        let tenant_schemas = TenantSchemas::find(graph, &spoken_of, &overridden);
        findings.extend(tenant_schemas.iter().flat_map(|t| t.refusals.iter().cloned()));
        rules::sort(&mut findings);
        let mut keys = Vec::new();
        for table in graph.tables().filter(|&t| planned(t)) {
            for (position, index) in graph.table(table).indexes.iter().enumerate() {
                if rules::is_judged_key(index) {
                    keys.push(PlannedKey { table, index: position, fate: key_fate(&layout, table, index) });
                }
            }
        }
        let lost_objects = findings
            .iter()
            .filter(|f| {
                f.effect == Effect::Blocked && matches!(f.object_type, ObjectType::Trigger | ObjectType::Policy)
            })
            .filter_map(|f| {
                let table = graph.find(&f.relation)?;
                Some(LostObject { table, kind: f.object_type, name: f.object_name.clone(), code: f.code })
            })
            .collect();
        let mut backfills: Vec<PlannedBackfill> = tables
            .iter()
            .filter_map(|t| Some((t.table, layout.placement(t.table).distribution_column()?)))
            .filter_map(|(table, column)| {
                let bytes = graph.backfill(table, column)?.bytes(graph);
                Some(PlannedBackfill { table, column, bytes })
            })
            .collect();
        backfills.sort_by_key(|b| (graph.backfill(b.table, b.column).map(|b| b.distance), b.table));
        Plan { layout, request, tables, foreign_keys, keys, backfills, lost_objects, findings, tenant_schemas, search }
    }

    /// Bytes written to fill columns that tables get, as far as sizes are known.
    pub fn bytes_backfilled(&self) -> i64 {
        self.backfills.iter().filter_map(|b| b.bytes).sum()
    }

    /// What there is to know of a column that a table gets.
    pub fn backfill(&self, planned: &PlannedBackfill) -> &'a Backfill {
        self.graph().backfill(planned.table, planned.column).expect("a planned backfill was offered")
    }

    /// The plan in a few numbers.
    pub fn figures(&self) -> Figures {
        let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        let foreign_keys =
            |wanted: fn(&ForeignKeyFate) -> bool| count(self.foreign_keys.iter().filter(|f| wanted(&f.fate)).count());
        let keys = |wanted: fn(&KeyFate) -> bool| count(self.keys.iter().filter(|k| wanted(&k.fate)).count());
        let bytes = |wanted: fn(Placement) -> bool| {
            let all = self.tables.iter().filter(|t| wanted(self.layout.placement(t.table)));
            all.filter_map(|t| t.bytes).sum()
        };
        Figures {
            foreign_keys_kept: foreign_keys(|f| matches!(f, ForeignKeyFate::Kept)),
            foreign_keys_widened: foreign_keys(|f| matches!(f, ForeignKeyFate::Widened { .. })),
            foreign_keys_dropped: foreign_keys(|f| matches!(f, ForeignKeyFate::Lost { .. })),
            uniques_widened: keys(|k| matches!(k, KeyFate::Widened { .. })),
            uniques_lost: keys(|k| matches!(k, KeyFate::Lost { .. })),
            bytes_distributed: bytes(Placement::is_distributed),
            bytes_replicated: bytes(|p| p == Placement::Reference),
            bytes_backfilled: self.bytes_backfilled(),
        }
    }

    /// The findings to report: without those that the user ignores.
    pub fn reported(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|f| !f.is_ignored(self.graph().schema))
    }

    pub fn graph(&self) -> &'a Graph<'a> {
        self.layout.graph
    }
}

/// A foreign key that is refused for a reason of its own need not also be told that the key it references is.
fn drop_echoes(findings: &mut Vec<Finding>) {
    let is_echo = |f: &Finding| f.name == "fk-target-needs-unique";
    let object = |f: &Finding| (f.relation.clone(), f.object_name.clone());
    let refused: BTreeSet<_> = findings
        .iter()
        .filter(|f| f.object_type == ObjectType::ForeignKey && f.effect == Effect::Blocked && !is_echo(f))
        .map(object)
        .collect();
    findings.retain(|f| !is_echo(f) || !refused.contains(&object(f)));
}

/// The codes by which foreign keys are refused, or kept in name only, by relation and name.
#[derive(Default)]
struct Refusals(BTreeMap<(RelationName, String), Vec<&'static str>>);

impl Refusals {
    fn add(&mut self, finding: &Finding) {
        if matches!(finding.effect, Effect::Blocked | Effect::Silent) && finding.object_type == ObjectType::ForeignKey {
            let object = (finding.relation.clone(), finding.object_name.clone());
            self.0.entry(object).or_default().push(finding.code);
        }
    }

    fn of(&self, graph: &Graph<'_>, edge: &Edge) -> &[&'static str] {
        let object = (graph.table(edge.referencing).name.clone(), graph.foreign_key(edge).name.clone());
        self.0.get(&object).map_or(&[], Vec::as_slice)
    }
}

/// What becomes of a key under a layout: widened by the distribution column where that makes Citus accept it.
pub fn key_fate(layout: &Layout<'_>, table: TableId, index: &Index) -> KeyFate {
    let Some(rule) = rules::objection_to_key(layout, &KeyCase { table, index }) else { return KeyFate::Kept };
    let is_exclusion = index.constraint.as_ref().is_some_and(|c| c.kind == ConstraintKind::Exclusion);
    match layout.placement(table) {
        Placement::Distributed { column, .. } if !is_exclusion && index.valid => KeyFate::Widened { column },
        _ => KeyFate::Lost { code: rule.code },
    }
}

/// What becomes of a foreign key under a layout. Where the script changes it, also the rule that made it change (or that
/// forbids the change), with the case it was judged on, if that is more than the rule on the declared key says.
pub fn foreign_key_fate<'a>(
    layout: &Layout<'a>,
    edge: &'a Edge,
) -> (ForeignKeyFate, Option<(&'static Rule, ForeignKeyCase<'a>)>) {
    let declared = ForeignKeyCase::declared(layout, edge);
    let Some(rule) = rules::objection_to_foreign_key(layout, &declared) else {
        return (ForeignKeyFate::Kept, None);
    };
    let lost = ForeignKeyFate::Lost { code: rule.code };
    let Some(wide) = widened(layout, &declared) else { return (lost, None) };
    match rules::objection_to_foreign_key(layout, &wide) {
        None => (ForeignKeyFate::Widened { columns: wide.columns, on_update: wide.on_update }, None),
        Some(refusal) => {
            let tame = ForeignKeyCase { on_update: ReferentialAction::NoAction, ..wide.clone() };
            let news = (refusal.code != rule.code).then(|| (refusal, wide.clone()));
            if rules::objection_to_foreign_key(layout, &tame).is_none() {
                (ForeignKeyFate::Widened { columns: tame.columns, on_update: tame.on_update }, news)
            } else {
                (ForeignKeyFate::Lost { code: refusal.code }, news)
            }
        }
    }
}

/// The foreign key with the distribution columns of both sides in front, if the referenced side will have a key for it.
fn widened<'a>(layout: &Layout<'a>, declared: &ForeignKeyCase<'a>) -> Option<ForeignKeyCase<'a>> {
    let (referencing, referenced) = (declared.edge.referencing, declared.edge.referenced);
    let (Placement::Distributed { column: from, group: a }, Placement::Distributed { column: to, group: b }) =
        (layout.placement(referencing), layout.placement(referenced))
    else {
        return (layout.is_distributed(referencing) && layout.is_reference(referenced)).then(|| declared.clone());
    };
    if a != b {
        return None;
    }
    let mut wide = declared.clone();
    if !wide.columns.contains(&(from, to)) {
        // A promise about the rows that nothing suggests is no way to keep a foreign key.
        if !means_the_same(layout.graph, (referencing, from), (referenced, to)) {
            return None;
        }
        // A column cannot be matched with two others at once.
        if wide.columns.iter().any(|&(f, t)| f == from || t == to) {
            return None;
        }
        wide.columns.insert(0, (from, to));
    }
    let wanted: Vec<ColumnId> = wide.columns.iter().map(|&(_, to)| to).collect();
    has_key_on(layout, referenced, &wanted).then_some(wide)
}

/// Whether a table will have a unique index on just these columns, on which a foreign key can rest.
pub(crate) fn has_key_on(layout: &Layout<'_>, table: TableId, columns: &[ColumnId]) -> bool {
    let mut wanted: Vec<&str> = columns.iter().map(|&c| layout.graph.column(table, c).name.as_str()).collect();
    wanted.sort_unstable();
    layout.graph.table(table).indexes.iter().filter(|i| can_be_referenced(i)).any(|index| {
        let mut columns: Vec<&str> =
            index.columns.iter().filter(|c| c.key).filter_map(|c| c.column.as_deref()).collect();
        if let KeyFate::Widened { column } = key_fate(layout, table, index) {
            columns.push(&layout.graph.column(table, column).name);
        }
        columns.sort_unstable();
        columns == wanted
    })
}

/// Whether PostgreSQL lets a foreign key rest on this index.
fn can_be_referenced(index: &Index) -> bool {
    index.unique
        && index.valid
        && index.predicate.is_none()
        && index.columns.iter().filter(|c| c.key).all(|c| c.column.is_some())
        && index.constraint.as_ref().is_none_or(|c| !c.deferrable)
}
