//! Columns that tables do not have and could be given: a table that reaches the root of a hierarchy over foreign keys can
//! carry the root's key itself, filled along that path, and then be distributed with the rest.
//!
//! What is found here is only offered. Such a column stands behind the table's own (see
//! [`crate::graph::Graph::column`]), belongs to the class of what it copies, and is weighed, judged and priced like any
//! other; one that no table of the plan is distributed by is never seen again. [`paths`] finds the ways, [`sql`] says in SQL
//! what value they lead to.

mod paths;
pub mod sql;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::classes::{Class, ClassId, ColumnClasses, NAMELESS, singular};
use crate::graph::{ColumnId, Edge, EdgeId, Graph, TableId};
use crate::identifier::{MAX_IDENTIFIER_BYTES, quote_identifier, quote_identifiers};
use crate::schema::{Column, ConstraintKind, Index, ReplicaIdentity, TableKind, TypeKind};
use crate::statistics::ColumnStatistics;

use paths::{Distance, Reach, Roads};

/// Columns offered to one table; more would only be ways to say the same of ever farther roots.
const MOST_OFFERED: usize = 16;

/// Of those, how many the search weighs.
const MOST_WEIGHED: usize = 3;

/// Ways that are tried one after the other where the first may lead nowhere.
const MOST_FALLBACKS: usize = 3;

/// PostgreSQL's `MaxHeapAttributeNumber`.
const MOST_COLUMNS: usize = 1_600;

/// A column that a table could be given.
#[derive(Clone, Debug, PartialEq)]
pub struct Backfill {
    /// A planned table; its partitions get the column with it.
    pub table: TableId,
    /// As it will be: NOT NULL, of the type of what it copies.
    pub column: Column,
    /// The class of what it copies.
    pub class: ClassId,
    /// The foreign keys over which a value can come, best first. The first is the path; the others are tried where it leads
    /// to NULL, or must agree with it.
    pub ways: Vec<Way>,
    /// Where the path ends: the column that is there.
    pub source: (TableId, ColumnId),
    /// Every row gets a value, as far as constraints can tell.
    pub is_certain: bool,
    /// Whether PostgreSQL would let the table have it. If not, other paths may still lead through the table.
    pub is_possible: bool,
    /// Whether nothing is known that would stop it: the statistics know no row that would get no value, and the table's rows
    /// can be updated. If not, only a user asks for it.
    is_advisable: bool,
    /// Place among the columns offered to the table; 0 is best.
    rank: usize,
    /// How many of those are better: the same for all that only names tell apart.
    standing: usize,
    /// How far the source is; a table is filled after those that it is filled from.
    pub distance: Distance,
}

/// One foreign key over which a value can come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    pub edge: EdgeId,
    /// The column of the referenced table that is copied: its own, or one that it could be given.
    pub source: ColumnId,
    /// Never leads to NULL.
    pub is_certain: bool,
    /// Whether it is tried where the ways before it lead to NULL. If not, its value is only compared.
    pub fills: bool,
}

impl Backfill {
    /// Bytes that are written to fill it: every row of the table anew, with the column. `None` where the size is not known.
    pub fn bytes(&self, graph: &Graph<'_>) -> Option<i64> {
        let width = i64::from(self.column.statistics.as_ref().map_or(8, |s| s.average_width.max(1)));
        Some(graph.bytes(self.table)? + graph.rows(self.table).unwrap_or(0) * width)
    }

    /// Ways whose value may be another than that of the path.
    pub fn rivals(&self) -> &[Way] {
        self.ways.get(1..).unwrap_or_default()
    }

    /// The foreign keys from the table to the source, in order.
    pub fn path<'g>(&self, graph: &'g Graph<'_>) -> Vec<&'g Edge> {
        let mut path = Vec::new();
        let mut ways = self.ways.as_slice();
        while let Some(way) = ways.first() {
            let edge = &graph.edges[way.edge];
            path.push(edge);
            ways = graph.backfill(edge.referenced, way.source).map_or(&[], |b| &b.ways);
        }
        path
    }

    /// Whether this foreign key is the one that the column is filled over, from this column: it then holds of the filled rows
    /// without anybody's promise.
    pub fn is_filled_over(&self, graph: &Graph<'_>, edge: &Edge, source: ColumnId) -> bool {
        let first = self.ways.first();
        first.is_some_and(|w| {
            let own = &graph.edges[w.edge];
            (own.referencing, own.foreign_key) == (edge.referencing, edge.foreign_key) && w.source == source
        })
    }
}

/// The path in words: `ads (ad_id), campaigns (campaign_id) from campaigns.company_id`.
pub fn in_words(graph: &Graph<'_>, backfill: &Backfill) -> String {
    let steps = backfill.path(graph).into_iter().map(|edge| {
        let columns = graph.foreign_key(edge).columns.iter().map(String::as_str);
        format!("{} ({})", graph.table(edge.referenced).name, quote_identifiers(columns))
    });
    let steps: Vec<String> = steps.collect();
    let (table, column) = backfill.source;
    format!(
        "{} from {}.{}",
        steps.join(", "),
        graph.table(table).name,
        quote_identifier(&graph.column(table, column).name)
    )
}

/// Whether a foreign key with these columns is one that the referencing table's new column is filled over.
pub fn is_filled_over(graph: &Graph<'_>, edge: &Edge, columns: &[(ColumnId, ColumnId)]) -> bool {
    let filled = |&(from, to): &(ColumnId, ColumnId)| {
        graph.backfill(edge.referencing, from).is_some_and(|b| b.is_filled_over(graph, edge, to))
    };
    columns.iter().any(filled)
}

/// All that are offered, by table.
#[derive(Clone, Debug, Default)]
pub struct Backfills {
    of: HashMap<TableId, Vec<Backfill>>,
    /// Tables that are offered something, in the model's order.
    tables: Vec<TableId>,
    /// Columns that are there, of the classes that are offered.
    sources: HashMap<(TableId, ColumnId), ClassId>,
    /// The class of the tenant, where the schema has one: see [`tenant`].
    tenant: Option<(ClassId, BTreeSet<TableId>)>,
    is_sure: bool,
}

impl Backfills {
    /// Everything that can be offered under these classes. `wanted` names some by table and column that must not be left
    /// out for the number of others.
    pub fn new(graph: &Graph<'_>, classes: &ColumnClasses, wanted: &[(TableId, String)]) -> Self {
        let roads = Roads::new(graph);
        let held = held_by_most(graph, classes);
        let is_root =
            |&(id, class): &(ClassId, &Class)| is_root(graph, class) || held == Some(id) && is_hashed(graph, class);
        let roots = classes.classes.iter().enumerate().filter(is_root);
        let reaches: BTreeMap<ClassId, Reach> =
            roots.map(|(id, class)| (id, Reach::new(graph, &roads, class))).filter(|(_, r)| !r.is_empty()).collect();
        let mut reached_by: BTreeMap<TableId, Vec<ClassId>> = BTreeMap::new();
        for (&class, reach) in &reaches {
            for table in reach.reached() {
                reached_by.entry(table).or_default().push(class);
            }
        }
        let worth = |class: ClassId, table: TableId| {
            let reach = &reaches[&class];
            (classes.classes[class].name_rank, std::cmp::Reverse(reach.tables()), reach.distance(table))
        };
        for (&table, offered) in &mut reached_by {
            offered.sort_by_key(|&c| (worth(c, table), c));
        }
        // How many are better; nothing but a name tells those of equal worth apart, so that none of them is left out alone.
        let standing = |table: TableId, class: ClassId| {
            reached_by[&table].partition_point(|&c| worth(c, table) < worth(class, table))
        };
        let mut chosen: BTreeSet<(TableId, ClassId)> = BTreeSet::new();
        let mut open: Vec<(TableId, ClassId)> = Vec::new();
        for (&table, offered) in &reached_by {
            let is_wanted = |class: ClassId| {
                let names = || wanted.iter().filter(|w| w.0 == table).map(|w| &w.1);
                names().next().is_some()
                    && names().any(|n| {
                        name(graph, &classes.classes[class], table, reaches[&class].source(table)).as_ref() == Some(n)
                    })
            };
            let picked = offered.iter().filter(|&&c| standing(table, c) < MOST_OFFERED || is_wanted(c));
            open.extend(picked.map(|&class| (table, class)));
        }
        // A path leads through the columns of the tables between.
        while let Some((table, class)) = open.pop() {
            if chosen.insert((table, class)) {
                let next = graph.edges[reaches[&class].first_edge(table)].referenced;
                if !reaches[&class].holds(next) {
                    open.push((next, class));
                }
            }
        }
        let mut positions: HashMap<(TableId, ClassId), ColumnId> = HashMap::new();
        let mut taken: HashMap<TableId, usize> = HashMap::new();
        for &(table, class) in &chosen {
            let position = taken.entry(table).or_default();
            positions.insert((table, class), graph.table(table).columns.len() + *position);
            *position += 1;
        }
        let mut of: HashMap<TableId, Vec<Backfill>> = HashMap::new();
        let mut without: BTreeMap<ClassId, HashMap<TableId, f64>> = BTreeMap::new();
        for &(table, class) in &chosen {
            let mut backfill =
                offer((graph, &roads), (class, &classes.classes[class]), &reaches[&class], table, &positions);
            backfill.rank = reached_by[&table].iter().position(|&c| c == class).unwrap_or(usize::MAX);
            backfill.standing = standing(table, class);
            let known = without.entry(class).or_default();
            backfill.is_advisable =
                rows_can_be_updated(graph, table) && reaches[&class].without_value(graph, &roads, table, known) == 0.0;
            of.entry(table).or_default().push(backfill);
        }
        for table in of.values_mut() {
            same_names_are_one(table);
        }
        let mut tables: Vec<TableId> = of.keys().copied().collect();
        tables.sort_unstable();
        let offered: BTreeSet<ClassId> = chosen.iter().map(|c| c.1).collect();
        let members = |&class: &ClassId| classes.classes[class].members.iter().map(move |&m| (m, class));
        let sources = offered.iter().flat_map(members).collect();
        let tenant = tenant(graph, classes, &reaches, held);
        // A user's key is in many a schema that is not made for users to be apart.
        let is_sure = held.is_some() || tenant.as_ref().is_some_and(|t| classes.classes[t.0].name_rank < NAMELESS - 1);
        Backfills { of, tables, sources, tenant, is_sure }
    }

    /// What is offered to a planned table, in the order of the positions behind its own columns.
    pub fn of(&self, table: TableId) -> &[Backfill] {
        self.of.get(&table).map_or(&[], Vec::as_slice)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Backfill> {
        self.tables.iter().flat_map(|&t| self.of(t))
    }

    /// The class of a column that is there, if copies of it are offered.
    pub fn class_of_source(&self, at: (TableId, ColumnId)) -> Option<ClassId> {
        self.sources.get(&at).copied()
    }

    /// Positions of the columns worth weighing for a table, best first.
    pub fn candidates(&self, graph: &Graph<'_>, table: TableId) -> Vec<ColumnId> {
        let real = graph.table(table).columns.len();
        let possible = self.of(table).iter().enumerate().filter(|(_, b)| b.is_possible && b.is_advisable);
        let mut ranked: Vec<(usize, ColumnId)> = possible.map(|(place, b)| (b.rank, real + place)).collect();
        ranked.sort_unstable();
        let standing = |&(_, column): &(usize, ColumnId)| self.of(table)[column - real].standing;
        let worst = ranked.get(MOST_WEIGHED - 1).map_or(usize::MAX, standing);
        ranked.into_iter().take_while(|r| standing(r) <= worst).map(|r| r.1).collect()
    }

    /// Tables whose rows belong to a tenant.
    pub fn tables_of_tenant(&self) -> usize {
        self.tenant.as_ref().map_or(0, |t| t.1.len())
    }

    /// The class of the tenant's key.
    pub fn tenant(&self) -> Option<ClassId> {
        self.tenant.as_ref().map(|t| t.0)
    }

    /// Whether more than the usual sort of names says that there are tenants: keys do, or a name that is not just that of a user.
    pub fn is_made_for_tenants(&self) -> bool {
        self.is_sure
    }

    /// The class of the tenant's key, if the table's rows belong to a tenant: it has the column, or reaches it.
    pub fn tenant_of(&self, table: TableId) -> Option<ClassId> {
        self.tenant.as_ref().filter(|(_, tables)| tables.contains(&table)).map(|t| t.0)
    }
}

/// Whether columns of a class can be compared and distributed by.
fn is_hashed(graph: &Graph<'_>, class: &Class) -> bool {
    let Some(&(table, column)) = class.members.first() else { return false };
    let base = graph.base_type(&graph.column(table, column).data_type);
    base.is_some_and(|b| b.hash_class && b.hash_function && b.btree_class && b.equality.is_some())
}

/// Whether a class could be what a hierarchy hangs on: the key of a table, or a column that is called like a tenant's.
fn is_root(graph: &Graph<'_>, class: &Class) -> bool {
    // One table's own idea of a tenant is not yet everybody's.
    let is_tenants =
        class.members.len() > 1 && class.name_rank < NAMELESS && class.label.to_lowercase().ends_with("id");
    is_hashed(graph, class) && (class.entity.is_some() || is_tenants)
}

fn offer(
    (graph, roads): (&Graph<'_>, &Roads),
    (class_id, class): (ClassId, &Class),
    reach: &Reach,
    table: TableId,
    positions: &HashMap<(TableId, ClassId), ColumnId>,
) -> Backfill {
    let mut fills = 0;
    let ways: Vec<Way> = reach
        .ways(graph, roads, table)
        .into_iter()
        .filter_map(|way| {
            let referenced = graph.edges[way.edge].referenced;
            let source = way.holder.or_else(|| positions.get(&(referenced, class_id)).copied())?;
            // A table farther away may get its own value from this one.
            let nearer = reach.distance(referenced) < reach.distance(table);
            fills += usize::from(nearer);
            Some(Way { edge: way.edge, source, is_certain: way.is_certain, fills: nearer && fills <= MOST_FALLBACKS })
        })
        .collect();
    let is_certain = ways.first().is_some_and(|w| w.is_certain);
    let source = reach.source(table);
    let copied = graph.column(source.0, source.1);
    let name = name(graph, class, table, source);
    let is_possible = name.is_some() && takes_a_column(graph, table, copied);
    let column = Column {
        name: name.unwrap_or_default(),
        not_null: true,
        generated: None,
        identity: None,
        default: None,
        sequences: Vec::new(),
        options: Vec::new(),
        comment: None,
        statistics: statistics(graph, source),
        ..copied.clone()
    };
    let distance = reach.distance(table).unwrap_or_default();
    let is_advisable = is_possible;
    Backfill {
        table,
        column,
        class: class_id,
        ways,
        source,
        is_certain,
        is_possible,
        is_advisable,
        rank: 0,
        standing: 0,
        distance,
    }
}

/// Two columns of one name cannot both be asked for by it: the better one keeps it.
fn same_names_are_one(offered: &mut [Backfill]) {
    let mut best: BTreeMap<String, usize> = BTreeMap::new();
    for backfill in offered.iter() {
        let rank = best.entry(backfill.column.name.clone()).or_insert(backfill.rank);
        *rank = backfill.rank.min(*rank);
    }
    for backfill in offered {
        backfill.is_possible &= best[&backfill.column.name] == backfill.rank;
    }
}

/// What the column is called: as the one that it copies, or as the class where that is just `id`; with the root's name in
/// front where the table has such a column already.
fn name(graph: &Graph<'_>, class: &Class, table: TableId, source: (TableId, ColumnId)) -> Option<String> {
    let copied = &graph.column(source.0, source.1).name;
    let plain = if class.entity == Some(source) { &class.label } else { copied };
    let prefix = singular(&graph.table(source.0).name.name);
    let members = || std::iter::once(table).chain(graph.descendants(table));
    let is_free = |name: &String| {
        name.len() <= MAX_IDENTIFIER_BYTES
            && !crate::layout::SYSTEM_COLUMNS.contains(&name.as_str())
            && members().all(|t| graph.find_column(t, name).is_none())
    };
    [plain.clone(), format!("{prefix}_{plain}")].into_iter().find(is_free)
}

/// Whether the table can be given a column and have it filled.
fn takes_a_column(graph: &Graph<'_>, table: TableId, column: &Column) -> bool {
    let t = graph.table(table);
    let on_heap = |t: TableId| {
        let t = graph.table(t);
        t.kind != TableKind::Foreign && t.access_method.as_deref().is_none_or(|m| m == "heap") && t.rules.is_empty()
    };
    t.of_type.is_none()
        && !graph.is_in_inheritance(table)
        && t.columns.len() < MOST_COLUMNS
        && on_heap(table)
        && graph.descendants(table).into_iter().all(on_heap)
        && !forbids_null(graph, &column.data_type)
}

/// A table that is published takes no UPDATE without a replica identity.
fn rows_can_be_updated(graph: &Graph<'_>, table: TableId) -> bool {
    let family = || std::iter::once(table).chain(graph.descendants(table));
    let is_published = graph
        .schema
        .publications
        .iter()
        .any(|p| p.all_tables || family().any(|t| p.tables.contains(&graph.table(t).name)));
    let is_primary = |i: &Index| i.constraint.as_ref().is_some_and(|c| c.kind == ConstraintKind::PrimaryKey);
    let is_identified = |t: TableId| match &graph.table(t).replica_identity {
        ReplicaIdentity::Default => graph.table(t).indexes.iter().any(is_primary),
        ReplicaIdentity::Nothing => false,
        ReplicaIdentity::Full | ReplicaIdentity::Index(_) => true,
    };
    !is_published || family().all(|t| graph.table(t).kind == TableKind::Partitioned || is_identified(t))
}

/// A column of such a type cannot be added empty, to be filled later.
fn forbids_null(graph: &Graph<'_>, data_type: &str) -> bool {
    let mut open = graph.data_type(data_type);
    while let Some(found) = open.filter(|t| t.kind == TypeKind::Domain) {
        if found.not_null {
            return true;
        }
        open = found.inner.as_deref().and_then(|inner| graph.data_type(inner));
    }
    false
}

/// What the statistics of the source say of the copy: as many values, of the same width. How often each comes nobody knows.
fn statistics(graph: &Graph<'_>, (table, column): (TableId, ColumnId)) -> Option<ColumnStatistics> {
    let known = graph.column(table, column).statistics.as_ref()?;
    let distinct = known.distinct_values(graph.rows(table)?);
    Some(ColumnStatistics {
        null_fraction: 0.0,
        n_distinct: distinct,
        average_width: known.average_width,
        top_frequency: None,
        correlation: None,
    })
}

/// Fewer tables are no schema made for many tenants; and a column in the keys of fewer leads no schema.
const LEAST_OF_TENANT: usize = 3;

/// Planned tables that could have a tenant.
fn tables_in_all(graph: &Graph<'_>) -> usize {
    graph.planned_tables().filter(|&t| graph.table(t).kind != TableKind::Foreign).count()
}

/// Tables that have a column of a class.
fn holders(class: &Class) -> BTreeSet<TableId> {
    class.members.iter().map(|m| m.0).collect()
}

/// The column that more than half of the tables have, if several of them have it in keys of several columns: `tenant_id` of
/// `(tenant_id, name)`, `w_id` of `(w_id, d_id)`. Of several such the one with the most usual name, then the most common.
fn held_by_most(graph: &Graph<'_>, classes: &ColumnClasses) -> Option<ClassId> {
    let planned = tables_in_all(graph);
    let in_a_key = |&(table, column): &(TableId, ColumnId)| {
        let t = graph.table(table);
        let name = &t.columns[column].name;
        let composite = t.indexes.iter().filter(|i| i.unique && i.columns.iter().filter(|c| c.key).count() > 1);
        composite.into_iter().any(|i| i.columns.iter().any(|c| c.key && c.column.as_ref() == Some(name)))
    };
    let wide = classes.classes.iter().enumerate().filter(|(_, c)| 2 * c.members.len() > planned);
    let held = wide.filter_map(|(id, class)| {
        let tables = holders(class).len();
        let keyed = class.members.iter().filter(|m| in_a_key(m)).count();
        (tables >= LEAST_OF_TENANT && 2 * tables > planned && keyed >= LEAST_OF_TENANT).then_some((
            class.name_rank,
            std::cmp::Reverse(tables),
            id,
        ))
    });
    held.min().map(|(.., id)| id)
}

/// The tenant of a schema that is made for many, and the tables whose rows belong to one each: the column that most tables
/// have in their keys; else a usual tenant's (by its name) that at least half of the tables have or reach, and that is not
/// optional; else a column that more than half of the tables, and more than have any other, have themselves.
fn tenant(
    graph: &Graph<'_>,
    classes: &ColumnClasses,
    reaches: &BTreeMap<ClassId, Reach>,
    held: Option<ClassId>,
) -> Option<(ClassId, BTreeSet<TableId>)> {
    let planned = tables_in_all(graph);
    let of = |class: ClassId| -> BTreeSet<TableId> {
        let reached = reaches.get(&class).into_iter().flat_map(Reach::reached);
        holders(&classes.classes[class]).into_iter().chain(reached).collect()
    };
    if let Some(id) = held {
        return Some((id, of(id)));
    }
    let is_optional = |class: &Class| {
        let given = class.members.iter().filter(|m| graph.table(m.0).columns[m.1].not_null).count();
        2 * given < class.members.len()
    };
    let usual = classes.classes.iter().enumerate();
    let usual = usual.filter(|(_, c)| c.name_rank < NAMELESS && c.members.len() > 1 && !is_optional(c));
    let mut found: Vec<_> = usual.map(|(id, c)| (c.name_rank, id, of(id))).collect();
    found.retain(|(.., tables)| tables.len() >= LEAST_OF_TENANT && 2 * tables.len() >= planned);
    found.sort_by_key(|(rank, id, tables)| (*rank, std::cmp::Reverse(tables.len()), *id));
    if let Some((_, id, tables)) = found.into_iter().next() {
        return Some((id, tables));
    }
    let wide = classes.classes.iter().enumerate().filter(|(_, c)| 2 * c.members.len() > planned);
    let mut shared: Vec<(usize, ClassId)> = wide.map(|(id, c)| (holders(c).len(), id)).collect();
    shared.retain(|&(tables, _)| tables >= LEAST_OF_TENANT && 2 * tables > planned);
    shared.sort_unstable();
    let (most, id) = shared.pop()?;
    let is_alone = shared.last().is_none_or(|&(next, _)| next < most);
    is_alone.then(|| (id, of(id)))
}

#[cfg(test)]
mod tests;
