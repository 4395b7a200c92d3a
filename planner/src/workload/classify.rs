//! What Citus makes of a statement under a layout: the decisions of its planners (`multi_router_planner.c`,
//! `query_pushdown_planning.c`, `recursive_planning.c`, `multi_logical_planner.c`), as far as they follow from the tables, the
//! columns that are equal, and the shape of the query. `docs/design.md` says how it was compared with a real Citus.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{Facts, NodeId, QueryId};
use super::statement::{Command, Expression, From, JoinKind, Query, Source};
use crate::graph::TableId;
use crate::identifier::quote_identifier;
use crate::layout::{GroupId, Layout, Placement};

/// How a statement runs on Citus, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Touches no distributed and no reference table: the coordinator answers, as now.
    Local,
    /// One shard of each table, on one node, answers by itself; an INSERT sends each row to its shard.
    Router,
    /// All shards answer at once, each by itself: tables are joined, or rows grouped, by the distribution column.
    Pushdown,
    /// All shards are asked, and the coordinator puts their answers together; perhaps in several rounds.
    FanOut,
    /// Rows travel between the nodes to be joined.
    Repartition,
    /// Citus refuses it.
    Unsupported,
    /// Cannot be analysed.
    Unknown,
}

impl Class {
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Local => "local",
            Class::Router => "router",
            Class::Pushdown => "pushdown",
            Class::FanOut => "fan-out",
            Class::Repartition => "repartition",
            Class::Unsupported => "unsupported",
            Class::Unknown => "unknown",
        }
    }
}

/// What a statement is under a layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub class: Class,
    /// The predicate that would make it a router query.
    pub missing: Option<String>,
}

/// Judges a statement. `parameters`: the highest `$n` in its text.
pub fn classify(layout: &Layout<'_>, query: &Query, parameters: usize) -> Verdict {
    let mut judge = Judge::new(layout, query);
    let class = judge.statement();
    let missing = if class > Class::Router { judge.missing(parameters) } else { None };
    Verdict { class, missing }
}

struct Judge<'l, 'a, 'q> {
    layout: &'l Layout<'a>,
    facts: Facts<'q>,
    /// Of each occurrence: the table, and the node of its distribution column.
    tables: Vec<Option<Placed>>,
}

#[derive(Clone, Copy)]
struct Placed {
    table: TableId,
    placement: Placement,
    /// Of a distributed table, where the statement names a column of it at all.
    key: Option<NodeId>,
}

impl Placed {
    fn group(&self) -> Option<GroupId> {
        self.placement.group()
    }
}

impl<'l, 'a, 'q> Judge<'l, 'a, 'q> {
    fn new(layout: &'l Layout<'a>, query: &'q Query) -> Self {
        let facts = Facts::of(query);
        let place = |o: &super::facts::Occurrence| {
            let table = layout.graph.find(&o.table)?;
            let key = layout.distribution_column_name(table).and_then(|name| o.columns.get(name).copied());
            Some(Placed { table, placement: layout.placement(table), key })
        };
        let tables = facts.occurrences.iter().map(place).collect();
        let mut judge = Judge { layout, facts, tables };
        judge.unite_set_operations();
        judge
    }

    /// Outputs of a UNION are distribution columns where those of all its leaves are.
    fn unite_set_operations(&mut self) {
        for id in 0..self.facts.queries.len() {
            let query = self.facts.queries[id];
            let leaves: Vec<QueryId> =
                query.set_leaves.iter().filter_map(|l| self.facts.parts[id].sources.get(l).copied()).collect();
            let Some(&first) = leaves.first() else { continue };
            for (number, node, _) in self.facts.parts[first].output.clone() {
                let below: Vec<Option<NodeId>> = leaves
                    .iter()
                    .map(|&l| self.facts.parts[l].output.iter().find(|o| o.0 == number).and_then(|o| o.1))
                    .collect();
                let all_keys = below.iter().all(|n| n.is_some_and(|n| self.is_key(n)));
                let (Some(node), true) = (node, all_keys) else { continue };
                for other in below.into_iter().flatten() {
                    self.facts.unite(node, other);
                }
                // The set operation puts out what its first leaf does.
                for (_, output, _) in self.facts.parts[id].output.clone().into_iter().filter(|o| o.0 == number) {
                    if let Some(output) = output {
                        self.facts.unite(node, output);
                    }
                }
            }
        }
    }

    /// Whether a column is, or is equal to, the distribution column of a table.
    fn is_key(&self, node: NodeId) -> bool {
        let class = self.facts.class(node);
        self.tables.iter().flatten().filter_map(|p| p.key).any(|key| self.facts.class(key) == class)
    }

    /// Occurrences inside a query, with what is below it.
    fn inside(&self, query: QueryId) -> Vec<(usize, Placed)> {
        let queries = self.facts.within(query);
        let occurrences = self.facts.occurrences.iter().enumerate();
        occurrences
            .filter(|(_, o)| queries.contains(&o.query))
            .filter_map(|(i, _)| Some((i, self.tables[i]?)))
            .collect()
    }

    fn distributed(&self, query: QueryId) -> Vec<(usize, Placed)> {
        self.inside(query).into_iter().filter(|(_, p)| p.placement.is_distributed()).collect()
    }

    fn is_pinned(&self, placed: &Placed) -> bool {
        placed.key.is_some_and(|key| self.facts.is_pinned(key))
    }

    /// Whether all distributed tables inside are of one group and have one value each.
    fn is_routed(&self, query: QueryId) -> bool {
        let tables = self.distributed(query);
        tables.iter().all(|(_, p)| self.is_pinned(p) && p.group() == tables[0].1.group())
    }

    fn statement(&self) -> Class {
        match self.facts.queries[0].command {
            Command::Select => self.select(0),
            Command::Insert => self.insert(),
            Command::Update | Command::Delete => self.modify(),
            Command::Merge => self.merge(),
            Command::Utility => Class::Unknown,
        }
    }

    fn select(&self, id: QueryId) -> Class {
        let query = self.facts.queries[id];
        let inside = self.inside(id);
        let distributed = self.distributed(id);
        if distributed.is_empty() {
            let reference = inside.iter().any(|(_, p)| p.placement == Placement::Reference);
            return if reference { Class::Router } else { Class::Local };
        }
        let with_local = inside.iter().any(|(_, p)| p.placement == Placement::Local);
        let writes = self.facts.within(id).iter().any(|&q| self.facts.queries[q].command != Command::Select);
        if self.is_routed(id) && !with_local {
            return Class::Router;
        }
        if query.locks_rows || query.grouping_sets || query.recursive {
            return Class::Unsupported;
        }
        if !query.set_leaves.is_empty() {
            return self.set_operation(id);
        }
        let mut worst = if with_local || writes { Class::FanOut } else { Class::Local };
        // What takes part in the join: a class of equal distribution columns in a group, and whether it is a table.
        let mut units: Vec<Unit> = Vec::new();
        for (occurrence, placed) in self.facts.occurrences.iter().zip(&self.tables) {
            let Some(placed) = placed.filter(|p| p.placement.is_distributed()) else { continue };
            if occurrence.query == id {
                let key = placed.key.map(|k| self.facts.class(k));
                units.push(Unit { source: Some(occurrence.source), group: placed.group(), key, kind: UnitKind::Table });
            }
        }
        for (&source, &inner) in &self.facts.parts[id].sources {
            if !matches!(query.sources.get(source), Some(Source::Subquery(_) | Source::Cte { .. })) {
                continue;
            }
            let below = self.distributed(inner);
            if below.is_empty() {
                continue;
            }
            let class = self.select(inner);
            if self.facts.parts[inner].correlated {
                match self.together(inner) {
                    Some(unit) if class <= Class::FanOut => {
                        units.push(Unit { source: Some(source), kind: UnitKind::Test { correlated: true }, ..unit });
                        continue;
                    }
                    _ => return Class::Unsupported,
                }
            }
            match self.pushable(inner).filter(|_| !self.facts.is_fenced(id, source)) {
                Some(unit) if class <= Class::FanOut => units.push(Unit { source: Some(source), ..unit }),
                // A round of its own; its result goes to every node.
                _ => worst = worst.max(class.max(Class::FanOut)),
            }
        }
        for &test in &self.facts.parts[id].tests {
            if self.distributed(test).is_empty() {
                continue;
            }
            let correlated = self.facts.parts[test].correlated;
            let class = self.select(test);
            // One that is run for each row of a shard finds all of its own on that shard.
            match if correlated { self.together(test) } else { self.pushable(test) } {
                Some(unit) if class <= Class::FanOut => {
                    units.push(Unit { source: None, kind: UnitKind::Test { correlated }, ..unit });
                }
                _ if correlated => return Class::Unsupported,
                _ => worst = worst.max(class.max(Class::FanOut)),
            }
        }
        for &scalar in &self.facts.parts[id].scalars {
            let below = self.distributed(scalar);
            let Some(unit) = below.first().map(|_| self.together(scalar)) else { continue };
            let class = self.select(scalar);
            if self.facts.parts[scalar].correlated {
                match unit {
                    Some(unit) if class <= Class::FanOut => {
                        units.push(Unit { source: None, kind: UnitKind::Test { correlated: true }, ..unit });
                    }
                    _ => return Class::Unsupported,
                }
            } else {
                worst = worst.max(class.max(Class::FanOut));
            }
        }
        worst.max(self.join(id, units))
    }

    /// What the join of a query's parts is.
    fn join(&self, id: QueryId, units: Vec<Unit>) -> Class {
        let query = self.facts.queries[id];
        let Some(anchor) = units.iter().find(|u| u.kind == UnitKind::Table).or(units.first()).cloned() else {
            return Class::FanOut;
        };
        // Rows of a reference table are on every node: each would look for partners among its own.
        if anchor.kind == (UnitKind::Test { correlated: true }) {
            return Class::Unsupported;
        }
        let together = |u: &Unit| u.group == anchor.group && u.key.is_some() && u.key == anchor.key;
        let apart: Vec<&Unit> = units.iter().filter(|u| !together(u)).collect();
        if apart.is_empty() {
            let by_key = |references: &[i64]| references.iter().any(|&r| self.output_is(id, r, anchor.key));
            return if units.len() > 1 || by_key(&query.group_by) || by_key(&query.distinct) {
                Class::Pushdown
            } else {
                Class::FanOut
            };
        }
        if apart.iter().any(|u| u.kind == UnitKind::Test { correlated: true }) {
            return Class::Unsupported;
        }
        let tables = units.iter().filter(|u| u.kind == UnitKind::Table).count();
        let tables_apart: Vec<&&Unit> = apart.iter().filter(|u| u.kind == UnitKind::Table).collect();
        if tables_apart.is_empty() {
            // Subqueries that are joined otherwise have a round of their own.
            return Class::FanOut;
        }
        if tables < units.len() || query.from.iter().any(has_outer_join) && self.outer_join_apart(id, &tables_apart) {
            return Class::Unsupported;
        }
        if self.is_connected(id, &units) { Class::Repartition } else { Class::Unsupported }
    }

    /// Whether one of these tables is on a side of an outer join.
    fn outer_join_apart(&self, id: QueryId, apart: &[&&Unit]) -> bool {
        fn sides(item: &From, found: &mut BTreeSet<usize>) {
            if let From::Join { kind, left, right, .. } = item {
                if *kind != JoinKind::Inner {
                    found.extend(super::facts::sources(item));
                }
                sides(left, found);
                sides(right, found);
            }
        }
        let mut outer = BTreeSet::new();
        self.facts.queries[id].from.iter().for_each(|item| sides(item, &mut outer));
        apart.iter().any(|u| u.source.is_some_and(|s| outer.contains(&s)))
    }

    /// Whether equalities connect all tables of a query: else there is a Cartesian product.
    fn is_connected(&self, id: QueryId, units: &[Unit]) -> bool {
        let sources: BTreeSet<usize> = units.iter().filter_map(|u| u.source).collect();
        let Some(&first) = sources.first() else { return true };
        let mut reached = BTreeSet::from([first]);
        let mut edges: Vec<(usize, usize)> = Vec::new();
        let source = |node: NodeId| {
            let (occurrence, _) = self.facts.column(node)?;
            let occurrence = &self.facts.occurrences[occurrence];
            (occurrence.query == id).then_some(occurrence.source)
        };
        for &(a, b) in &self.facts.equalities {
            edges.extend(source(a).zip(source(b)));
        }
        loop {
            let before = reached.len();
            for &(a, b) in &edges {
                if reached.contains(&a) || reached.contains(&b) {
                    reached.extend([a, b]);
                }
            }
            if reached.len() == before {
                return sources.is_subset(&reached);
            }
        }
    }

    /// The unit that a subquery is when its tables are joined by their distribution columns.
    fn together(&self, id: QueryId) -> Option<Unit> {
        let tables = self.distributed(id);
        let (_, first) = tables.first()?;
        let key = self.facts.class(first.key?);
        let together =
            tables.iter().all(|(_, p)| p.group() == first.group() && p.key.map(|k| self.facts.class(k)) == Some(key));
        let with_local = self.inside(id).iter().any(|(_, p)| p.placement == Placement::Local);
        let reads = self.facts.queries[id].command == Command::Select;
        let unit = Unit { source: None, group: first.group(), key: Some(key), kind: UnitKind::Subquery };
        (together && !with_local && reads).then_some(unit)
    }

    /// The same when every shard can answer it by itself.
    fn pushable(&self, id: QueryId) -> Option<Unit> {
        let query = self.facts.queries[id];
        let unit = self.together(id)?;
        if query.limit {
            return None;
        }
        let key = unit.key?;
        let by_key = |references: &[i64]| references.iter().any(|&r| self.output_is(id, r, Some(key)));
        let whole_groups = (query.group_by.is_empty() && !query.aggregates || by_key(&query.group_by))
            && (query.distinct.is_empty() || by_key(&query.distinct))
            && query.windows.iter().all(|w| by_key(w));
        if !whole_groups || !query.ctes.is_empty() && !query.set_leaves.is_empty() {
            return None;
        }
        if !query.set_leaves.is_empty() {
            let all = self.facts.parts[id].output.iter().any(|o| o.1.is_some_and(|n| self.facts.class(n) == key));
            let leaves = query.set_leaves.iter().filter_map(|l| self.facts.parts[id].sources.get(l));
            let each = leaves.into_iter().all(|&l| self.pushable(l).is_some());
            return (all && each).then_some(unit);
        }
        let inner = self.facts.parts[id].sources.values().chain(&self.facts.parts[id].tests);
        for &inner in inner {
            if !self.distributed(inner).is_empty() && self.pushable(inner).is_none() {
                return None;
            }
        }
        Some(unit)
    }

    /// Whether GROUP BY or DISTINCT's reference is to a column of this class.
    fn output_is(&self, id: QueryId, reference: i64, key: Option<NodeId>) -> bool {
        let output = self.facts.parts[id].output.iter().filter(|o| o.2 == reference && reference > 0);
        output.filter_map(|o| o.1).any(|node| Some(self.facts.class(node)) == key)
    }

    fn set_operation(&self, id: QueryId) -> Class {
        let query = self.facts.queries[id];
        let leaves = query.set_leaves.iter().filter_map(|l| self.facts.parts[id].sources.get(l).copied());
        let worst = leaves.map(|leaf| self.select(leaf)).max().unwrap_or(Class::Local);
        match self.pushable(id) {
            Some(_) if worst <= Class::FanOut => Class::Pushdown,
            _ => worst.max(Class::FanOut),
        }
    }

    /// The table that a statement writes to.
    fn target(&self) -> Option<(usize, Placed)> {
        let found = self.facts.occurrences.iter().position(|o| o.query == 0 && o.written)?;
        Some((found, self.tables[found]?))
    }

    /// What is read besides the target.
    fn others(&self) -> Vec<Placed> {
        let target = self.target().map(|t| t.0);
        self.inside(0).into_iter().filter(|(i, _)| Some(*i) != target).map(|(_, p)| p).collect()
    }

    fn sets_key(&self, placed: &Placed) -> bool {
        let column = self.layout.distribution_column_name(placed.table);
        column.is_some_and(|c| self.facts.queries[0].sets.contains(c))
    }

    fn insert(&self) -> Class {
        let query = self.facts.queries[0];
        let Some((_, target)) = self.target() else { return Class::Local };
        let others = self.others();
        let reads_distributed = others.iter().any(|p| p.placement.is_distributed());
        let reads_local = others.iter().any(|p| p.placement == Placement::Local);
        if target.placement.is_distributed() && self.sets_key(&target) {
            return Class::Unsupported;
        }
        match target.placement {
            Placement::Local if reads_distributed => Class::FanOut,
            Placement::Local => Class::Local,
            Placement::Reference if reads_distributed || reads_local => Class::FanOut,
            Placement::Reference => Class::Router,
            Placement::Distributed { column, .. } => {
                let attribute = self.layout.graph.column(target.table, column);
                let given = query.output.iter().find(|o| o.name == attribute.name && !o.junk);
                match given.map(|o| &o.expression) {
                    None if attribute.default.is_none() && attribute.identity.is_none() => return Class::Unsupported,
                    Some(Expression::Null) => return Class::Unsupported,
                    _ => {}
                }
                if others.is_empty() {
                    return Class::Router;
                }
                if reads_local || !reads_distributed {
                    return Class::FanOut;
                }
                let together = self.distributed(0);
                let key = target.key.map(|k| self.facts.class(k));
                let colocated = together
                    .iter()
                    .all(|(_, p)| p.group() == target.group() && p.key.map(|k| self.facts.class(k)) == key);
                let source = self.facts.parts[0].sources.values().next().copied();
                let plain = source.is_none_or(|s| self.pushable(s).is_some());
                if colocated && plain {
                    return if self.is_routed(0) { Class::Router } else { Class::Pushdown };
                }
                let select = source.map_or(Class::FanOut, |s| self.select(s));
                match select {
                    Class::Unsupported => Class::Unsupported,
                    // What every shard can answer by itself is sent on to the shards of the target; else by way of the
                    // coordinator.
                    _ if given.is_some() && source.is_some_and(|s| self.answers_alone(s)) => Class::Repartition,
                    other => other.max(Class::FanOut),
                }
            }
        }
    }

    /// Whether nothing is left to the coordinator.
    fn answers_alone(&self, id: QueryId) -> bool {
        self.pushable(id).is_some()
    }

    fn modify(&self) -> Class {
        let query = self.facts.queries[0];
        let Some((_, target)) = self.target() else { return Class::Local };
        let others = self.others();
        let reads_distributed = others.iter().any(|p| p.placement.is_distributed());
        let reads_local = others.iter().any(|p| p.placement == Placement::Local);
        match target.placement {
            Placement::Local if reads_distributed => Class::FanOut,
            Placement::Local => Class::Local,
            _ if query.volatile => Class::Unsupported,
            Placement::Reference if reads_distributed && !self.only_in_tests() => Class::Unsupported,
            Placement::Reference if reads_distributed => Class::FanOut,
            Placement::Reference if reads_local => Class::FanOut,
            Placement::Reference => Class::Router,
            Placement::Distributed { .. } if self.sets_key(&target) => Class::Unsupported,
            Placement::Distributed { .. } if self.is_routed(0) => Class::Router,
            Placement::Distributed { .. } => {
                let class = self.select_like(0);
                if reads_local { class.max(Class::FanOut) } else { class }
            }
        }
    }

    /// Whether all that a statement reads of distributed tables is in subqueries that can be answered before it.
    fn only_in_tests(&self) -> bool {
        let part = &self.facts.parts[0];
        let tests: BTreeSet<QueryId> = part
            .tests
            .iter()
            .filter(|&&t| !self.facts.parts[t].correlated)
            .flat_map(|&t| self.facts.within(t))
            .collect();
        self.distributed(0).iter().all(|(o, _)| tests.contains(&self.facts.occurrences[*o].query))
    }

    /// A multi-shard UPDATE or DELETE: joins stay on the shards, or are refused.
    fn select_like(&self, id: QueryId) -> Class {
        match self.select(id) {
            Class::Repartition => Class::Unsupported,
            other => other,
        }
    }

    fn merge(&self) -> Class {
        let Some((_, target)) = self.target() else { return Class::Local };
        let others = self.others();
        match target.placement {
            Placement::Reference => Class::Unsupported,
            Placement::Local if others.iter().all(|p| p.placement == Placement::Local) => Class::Local,
            Placement::Local => Class::Unsupported,
            Placement::Distributed { .. } if self.sets_key(&target) => Class::Unsupported,
            Placement::Distributed { .. } => {
                let key = target.key.map(|k| self.facts.class(k));
                let distributed: Vec<&Placed> = others.iter().filter(|p| p.placement.is_distributed()).collect();
                let colocated = distributed
                    .iter()
                    .all(|p| p.group() == target.group() && p.key.map(|k| self.facts.class(k)) == key);
                match () {
                    () if colocated && !distributed.is_empty() && self.is_routed(0) => Class::Router,
                    () if colocated && !distributed.is_empty() && distributed.len() == others.len() => Class::Pushdown,
                    // The join must be on the target's distribution column, so that rows can be sent there.
                    () if key.is_some_and(|k| self.facts.equalities.iter().any(|e| self.facts.class(e.0) == k)) => {
                        Class::Repartition
                    }
                    () => Class::Unsupported,
                }
            }
        }
    }

    /// The predicate that would leave one shard to ask, if there is one: a value for each class of distribution columns.
    fn missing(&mut self, parameters: usize) -> Option<String> {
        let distributed = self.distributed(0);
        let group = distributed.first()?.1.group();
        if distributed.iter().any(|(_, p)| p.group() != group || p.key.is_none()) {
            return None;
        }
        let mut wanted: BTreeMap<NodeId, (usize, NodeId)> = BTreeMap::new();
        for (occurrence, placed) in &distributed {
            let key = placed.key?;
            if self.facts.is_pinned(key) {
                continue;
            }
            // Columns within a view, or a query's that can be reached from outside, are named as the outermost query does.
            let better = |o: usize| {
                let occurrence = &self.facts.occurrences[o];
                (occurrence.in_view, occurrence.query, !occurrence.written, occurrence.source)
            };
            let entry = wanted.entry(self.facts.class(key)).or_insert((*occurrence, key));
            if better(*occurrence) < better(entry.0) {
                *entry = (*occurrence, key);
            }
        }
        let mut chosen: Vec<(usize, NodeId)> = wanted.values().copied().collect();
        chosen.sort_unstable();
        let mut predicates = Vec::new();
        for (occurrence, key) in chosen {
            predicates.push(self.pin(occurrence, key, true)?);
        }
        // Some need a value of their own all the same: behind an outer join, in a subquery with a LIMIT.
        for (occurrence, placed) in &distributed {
            let key = placed.key?;
            if !self.facts.is_pinned(key) {
                predicates.push(self.pin(*occurrence, key, false)?);
            }
        }
        if predicates.is_empty() || self.statement() != Class::Router {
            return None;
        }
        let value = parameters + 1;
        Some(predicates.iter().map(|column| format!("{column} = ${value}")).collect::<Vec<_>>().join(" AND "))
    }

    /// Gives a distribution column a value, and says how the statement names the column: where it is wanted, in the outermost
    /// query. `None` for a column that cannot be named.
    fn pin(&mut self, occurrence: usize, key: NodeId, outside: bool) -> Option<String> {
        let o = &self.facts.occurrences[occurrence];
        if o.query != 0
            && outside
            && let Some((node, alias, column)) = self.facts.named_outside(key)
        {
            let name = format!("{}.{}", quote_identifier(alias), quote_identifier(column));
            self.facts.pin([node]);
            if self.facts.is_pinned(key) {
                return Some(name);
            }
        }
        let o = &self.facts.occurrences[occurrence];
        if o.in_view {
            return None;
        }
        let column = self.layout.distribution_column_name(self.tables[occurrence]?.table)?;
        let name = format!("{}.{}", quote_identifier(&o.alias), quote_identifier(column));
        self.facts.pin([key]);
        Some(name)
    }
}

/// What takes part in a join as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Unit {
    source: Option<usize>,
    group: Option<GroupId>,
    /// Class of its distribution columns.
    key: Option<NodeId>,
    kind: UnitKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum UnitKind {
    Table,
    Subquery,
    /// A subquery of WHERE or of the select list.
    Test {
        correlated: bool,
    },
}

fn has_outer_join(item: &From) -> bool {
    match item {
        From::Source(_) => false,
        From::Join { kind, left, right, .. } => {
            *kind != JoinKind::Inner || has_outer_join(left) || has_outer_join(right)
        }
    }
}
