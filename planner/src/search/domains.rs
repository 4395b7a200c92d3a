//! The placements that are weighed for each table: those that Citus would accept, and of columns that make no difference to
//! any other table the best only.

use std::collections::{BTreeSet, HashMap};

use super::cost::{CostModel, total};
use crate::assignment::Role;
use crate::classes::{Class, ClassId, ColumnClasses};
use crate::graph::{ColumnId, Graph, TableId};
use crate::layout::{Layout, Named, Placement};
use crate::rules;
use crate::schema::TableKind;

/// Distribution columns that are weighed for one table.
const MOST_CANDIDATES: usize = 24;

/// The placements of each planned table; empty for partitions.
pub struct Domains<'a> {
    pub graph: &'a Graph<'a>,
    pub of: Vec<Vec<Placement>>,
    /// Tables that could be distributed, were they not told otherwise.
    pub distributable: Vec<TableId>,
    /// Labels of the groups that placements refer to.
    pub labels: Vec<String>,
    /// Tables that are where a migration that was cut off wants them: it is finished before anything else is wanted.
    pub begun: BTreeSet<TableId>,
}

impl<'a> Domains<'a> {
    pub fn new(
        graph: &'a Graph<'a>,
        classes: &ColumnClasses,
        model: &CostModel<'_, 'a>,
        overrides: &[(TableId, Named)],
        scope: &BTreeSet<TableId>,
        tick: &mut dyn FnMut(),
    ) -> Self {
        let mut groups = Groups::default();
        let mut forced: HashMap<TableId, Placement> = HashMap::new();
        // Labels first: what joins a labelled table without a label of its own joins its group.
        for (table, named) in overrides {
            let entry = &named.entry;
            if let (Some(label), Some(column)) = (&entry.group, &entry.column) {
                let at = (*table, Role::Distributed, Some(column.as_str()));
                forced.extend(groups.placement(graph, classes, at, Some(label)).map(|p| (*table, p)));
            }
        }
        for (table, named) in overrides {
            let at = (*table, named.entry.role, named.entry.column.as_deref());
            if let Some(placement) = groups.placement(graph, classes, at, None) {
                forced.entry(*table).or_insert(placement);
            }
        }
        let mut begun = BTreeSet::new();
        for (table, placement) in placements_begun(graph, classes, &mut groups) {
            if scope.contains(&table) && !forced.contains_key(&table) {
                forced.insert(table, placement);
                begun.insert(table);
            }
        }
        let mut of = vec![Vec::new(); graph.schema.tables.len()];
        let mut distributable = Vec::new();
        let joined = joined_columns(graph, classes, model);
        let mut alone = Layout::local(graph);
        alone.groups.push(String::new());
        for table in graph.planned_tables() {
            tick();
            let used = rules::used_tables(&alone, table);
            let is_open = scope.contains(&table) && graph.table(table).kind != TableKind::Foreign;
            if is_open && can_be_distributed(&mut alone, table, &used) {
                distributable.push(table);
            }
            of[table.0] = match forced.get(&table) {
                Some(&placement) => vec![placement],
                None if !is_open => vec![Placement::Local],
                None => {
                    let mut placements = vec![Placement::Local];
                    alone.place(table, Placement::Reference);
                    if !rules::is_refused(&alone, table, &used) {
                        placements.push(Placement::Reference);
                    }
                    for column in candidates(&mut alone, classes, model, table, &used, &joined) {
                        let group = groups.of(classes.class(table, column), classes, graph);
                        placements.push(Placement::Distributed { column, group });
                    }
                    alone.place(table, Placement::Local);
                    placements
                }
            };
        }
        Domains { graph, of, distributable, labels: groups.labels, begun }
    }
}

/// Where a migration that was cut off wants its tables, as far as they can still be placed so. With half of it done sizes,
/// keys and foreign keys are not those that its plan was made on: another one would undo it, and lose what the first has kept.
fn placements_begun(graph: &Graph<'_>, classes: &ColumnClasses, groups: &mut Groups) -> Vec<(TableId, Placement)> {
    let begun = graph.schema.unfinished.iter().flat_map(|u| &u.placements);
    let placed = begun.filter_map(|p| {
        let table = graph.find(&p.table).filter(|&t| !graph.is_partition(t))?;
        let at = (table, p.role, p.distribution_column.as_deref());
        let placement = groups.placement(graph, classes, at, p.colocation_group.as_deref())?;
        Some((table, placement))
    });
    placed.collect()
}

/// Whether there is a column by which Citus would distribute a table.
fn can_be_distributed(alone: &mut Layout<'_>, table: TableId, used: &[TableId]) -> bool {
    let found = (0..alone.graph.table(table).columns.len()).any(|column| {
        alone.place(table, Placement::Distributed { column, group: 0 });
        !rules::is_refused(alone, table, used)
    });
    alone.place(table, Placement::Local);
    found
}

/// Groups by label and by class, as they are met.
#[derive(Default)]
struct Groups {
    labels: Vec<String>,
    taken: HashMap<String, usize>,
    by_class: HashMap<ClassId, usize>,
}

impl Groups {
    /// Where a table of this role and distribution column goes, in the group of this label or of the column's class; `None`
    /// where there is no such column.
    fn placement(
        &mut self,
        graph: &Graph<'_>,
        classes: &ColumnClasses,
        (table, role, column): (TableId, Role, Option<&str>),
        label: Option<&str>,
    ) -> Option<Placement> {
        Some(match role {
            Role::Local => Placement::Local,
            Role::Reference => Placement::Reference,
            Role::Distributed => {
                let column = graph.find_column_or_backfill(table, column?)?;
                let class = classes.class(table, column);
                let group = match label {
                    Some(label) => self.labelled(label, class),
                    None => self.of(class, classes, graph),
                };
                Placement::Distributed { column, group }
            }
        })
    }

    fn labelled(&mut self, label: &str, class: ClassId) -> usize {
        let group = match self.taken.get(label) {
            Some(&group) => group,
            None => self.push(label.to_owned()),
        };
        self.by_class.entry(class).or_insert(group);
        group
    }

    fn of(&mut self, class: ClassId, classes: &ColumnClasses, graph: &Graph<'_>) -> usize {
        if let Some(&group) = self.by_class.get(&class) {
            return group;
        }
        let wanted = &classes.classes[class].label;
        let label = match self.taken.contains_key(wanted) {
            true => distinct(wanted, &classes.classes[class], graph),
            false => wanted.clone(),
        };
        let label = match self.taken.contains_key(&label) {
            true => format!("{label} {}", self.labels.len() + 1),
            false => label,
        };
        let group = self.push(label);
        self.by_class.insert(class, group);
        group
    }

    fn push(&mut self, label: String) -> usize {
        self.taken.insert(label.clone(), self.labels.len());
        self.labels.push(label);
        self.labels.len() - 1
    }
}

/// A label for a group whose plain one is taken: with the entity's table.
fn distinct(label: &str, class: &Class, graph: &Graph<'_>) -> String {
    match class.entity.or(class.members.first().copied()) {
        Some((table, _)) => format!("{}.{label}", graph.table(table).name.name),
        None => label.to_owned(),
    }
}

/// Columns on which something depends between tables: those of foreign keys, on both sides, and those of joins.
fn joined_columns(
    graph: &Graph<'_>,
    classes: &ColumnClasses,
    model: &CostModel<'_, '_>,
) -> BTreeSet<(TableId, ColumnId)> {
    let mut joined = BTreeSet::new();
    for edge in &graph.edges {
        for &(from, to) in &edge.columns {
            let at_root = |table: TableId, column: ColumnId| {
                let root = graph.root(table);
                Some((root, graph.find_column(root, &graph.column(table, column).name)?))
            };
            joined.extend(at_root(edge.referencing, from));
            joined.extend(at_root(edge.referenced, to));
        }
    }
    for class in classes.classes.iter().filter(|c| c.members.len() > 1) {
        joined.extend(class.members.iter().copied());
    }
    joined.extend(model.joins.iter().flat_map(|join| join.columns()));
    joined
}

/// Columns worth weighing as distribution column, best first: those that other tables share, then keys of the table's own. A
/// column on which nothing between tables depends differs from another such only in its own price: the cheapest is enough.
fn candidates(
    alone: &mut Layout<'_>,
    classes: &ColumnClasses,
    model: &CostModel<'_, '_>,
    table: TableId,
    used: &[TableId],
    joined: &BTreeSet<(TableId, ColumnId)>,
) -> Vec<ColumnId> {
    let graph = alone.graph;
    let t = graph.table(table);
    let mut by_name: Vec<ColumnId> = (0..t.columns.len()).collect();
    by_name.sort_by_key(|&c| &t.columns[c].name);
    let mut ranked = Vec::new();
    let mut plain = None;
    for (place, column) in by_name.into_iter().enumerate() {
        alone.place(table, Placement::Distributed { column, group: 0 });
        if rules::is_refused(alone, table, used) {
            continue;
        }
        let class = &classes.classes[classes.class(table, column)];
        let tables = class.members.chunk_by(|a, b| a.0 == b.0).count();
        if joined.contains(&(table, column)) {
            ranked.push((tables == 1, usize::MAX - tables, class.name_rank, place, column));
            continue;
        }
        let price = total(|charge| model.placement(alone, table, charge));
        if plain.is_none_or(|(best, _)| price < best) {
            plain = Some((price, column));
        }
    }
    ranked.sort_unstable();
    let mut best: Vec<ColumnId> = ranked.into_iter().take(MOST_CANDIDATES).map(|r| r.4).collect();
    best.extend(plain.map(|(_, column)| column));
    // Where the price does not tell two apart, the first is taken: by what does not depend on other tables.
    best.sort_by_key(|&c| (classes.classes[classes.class(table, c)].name_rank, &t.columns[c].name));
    // And columns that the table could be given.
    for column in graph.backfills().map(|b| b.candidates(graph, table)).unwrap_or_default() {
        alone.place(table, Placement::Distributed { column, group: 0 });
        if !rules::is_refused(alone, table, used) {
            best.push(column);
        }
    }
    best
}
