//! What follows from a statement's conditions: which columns have one value, and which are equal to each other.
//!
//! Conclusions are drawn as PostgreSQL's planner draws them, since Citus reads off its restrictions: through inner joins both
//! ways, through outer joins from the side that is kept to the other, into subqueries as far as conditions can be pushed down.

use std::collections::{BTreeMap, BTreeSet};

use super::statement::{ColumnRef, Command, Condition, Cte, Expression, From, JoinKind, Query, Source};
use crate::identifier::RelationName;

/// A query within the statement, numbered in the order of visits.
pub type QueryId = usize;

/// A column of a source of a query.
pub type NodeId = usize;

/// A table where a statement names it.
#[derive(Clone, Debug)]
pub struct Occurrence {
    pub table: RelationName,
    /// What the statement calls it.
    pub alias: String,
    pub query: QueryId,
    pub source: usize,
    /// Whether the statement writes to it here.
    pub written: bool,
    /// Inside a view: its columns cannot be named outside.
    pub in_view: bool,
    /// Which node each column is that the statement speaks of, by name.
    pub columns: BTreeMap<String, NodeId>,
}

/// What is known of a query within the statement.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// Sources of the range table that are queries, and CTEs.
    pub sources: BTreeMap<usize, QueryId>,
    /// Subqueries of WHERE and ON, and whether they name columns of an outer query.
    pub tests: Vec<QueryId>,
    /// Subqueries elsewhere.
    pub scalars: Vec<QueryId>,
    pub correlated: bool,
    /// The output's nodes: number, node, reference of GROUP BY and DISTINCT.
    pub output: Vec<(i64, Option<NodeId>, i64)>,
}

/// How conclusions pass between a query and the one around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Border {
    /// PostgreSQL makes a join of it.
    Open,
    /// An anti-join: what holds outside holds inside.
    Inward,
    /// Run by itself, once for each row.
    Closed,
}

/// The whole statement.
pub struct Facts<'q> {
    pub queries: Vec<&'q Query>,
    pub parts: Vec<Part>,
    pub occurrences: Vec<Occurrence>,
    /// Equalities between columns as they were written, outer joins included.
    pub equalities: Vec<(NodeId, NodeId)>,
    nodes: BTreeMap<(QueryId, usize, i64), NodeId>,
    count: usize,
    same: Vec<NodeId>,
    flow: Vec<(NodeId, NodeId)>,
    pinned: BTreeSet<NodeId>,
    /// The column of a table that an output column of a subquery is.
    origins: BTreeMap<NodeId, NodeId>,
    ctes: Vec<(QueryId, &'q Cte, QueryId)>,
    /// Columns of tables by node: occurrence and raw name.
    columns: BTreeMap<NodeId, (usize, String)>,
    view_depth: usize,
    /// Between each query of the way to the one that is visited, and the one before it.
    borders: Vec<Border>,
}

impl<'q> Facts<'q> {
    pub fn of(query: &'q Query) -> Self {
        let mut facts = Facts {
            queries: Vec::new(),
            parts: Vec::new(),
            occurrences: Vec::new(),
            equalities: Vec::new(),
            nodes: BTreeMap::new(),
            count: 0,
            same: Vec::new(),
            flow: Vec::new(),
            pinned: BTreeSet::new(),
            origins: BTreeMap::new(),
            ctes: Vec::new(),
            columns: BTreeMap::new(),
            view_depth: 0,
            borders: Vec::new(),
        };
        facts.visit(query, &mut Vec::new(), Border::Closed);
        facts.spread();
        facts
    }

    /// Whether a column has one value for the whole statement.
    pub fn is_pinned(&self, node: NodeId) -> bool {
        self.pinned.contains(&node)
    }

    /// The representative of all columns that are equal to this one.
    pub fn class(&self, node: NodeId) -> NodeId {
        let mut node = node;
        while self.same[node] != node {
            node = self.same[node];
        }
        node
    }

    pub fn unite(&mut self, a: NodeId, b: NodeId) {
        let (a, b) = (self.class(a), self.class(b));
        self.same[a.max(b)] = a.min(b);
    }

    /// The table's column that a node is: occurrence and raw name.
    pub fn column(&self, node: NodeId) -> Option<(usize, &str)> {
        let mut node = node;
        // Outputs of subqueries within subqueries.
        while let Some(&origin) = self.origins.get(&node) {
            node = origin;
        }
        self.columns.get(&node).map(|(occurrence, name)| (*occurrence, name.as_str()))
    }

    /// Queries inside this one, itself included.
    pub fn within(&self, query: QueryId) -> BTreeSet<QueryId> {
        let mut found = BTreeSet::new();
        let mut open = vec![query];
        while let Some(next) = open.pop() {
            if found.insert(next) {
                let part = &self.parts[next];
                open.extend(part.sources.values().chain(&part.tests).chain(&part.scalars));
                open.extend(self.ctes.iter().filter(|c| c.0 == next).map(|c| c.2));
            }
        }
        found
    }

    /// Whether a source of a query is a CTE that PostgreSQL runs by itself.
    pub fn is_fenced(&self, query: QueryId, source: usize) -> bool {
        matches!(self.queries[query].sources[source], Source::Cte { .. })
            && self.ctes.iter().filter(|c| self.parts[query].sources.get(&source) == Some(&c.2)).any(|(_, cte, _)| {
                cte.recursive
                    || cte.materialized
                    || cte.query.volatile
                    || cte.references > 1
                    || cte.query.command != Command::Select
            })
    }

    /// How the outermost query can name a column that is equal to this one and comes out of one of its subqueries.
    pub fn named_outside(&self, node: NodeId) -> Option<(NodeId, &str, &str)> {
        let class = self.class(node);
        self.nodes.iter().find_map(|(&(query, source, number), &candidate)| {
            if query != 0 || self.class(candidate) != class {
                return None;
            }
            let inner = self.queries[*self.parts[0].sources.get(&source)?];
            let output = inner.output.iter().find(|o| o.number == number && !o.junk)?;
            Some((candidate, self.queries[0].aliases.get(source)?.as_str(), output.name.as_str()))
        })
    }

    fn node(&mut self, key: (QueryId, usize, i64)) -> NodeId {
        if let Some(&node) = self.nodes.get(&key) {
            return node;
        }
        let node = self.fresh();
        self.nodes.insert(key, node);
        node
    }

    fn fresh(&mut self) -> NodeId {
        self.same.push(self.count);
        self.count += 1;
        self.count - 1
    }

    fn visit(&mut self, query: &'q Query, outer: &mut Vec<QueryId>, border: Border) -> QueryId {
        let id = self.queries.len();
        self.queries.push(query);
        self.parts.push(Part::default());
        outer.push(id);
        self.borders.push(border);
        self.view_depth += usize::from(query.is_view);
        for cte in &query.ctes {
            let inner = self.visit(&cte.query, outer, Border::Closed);
            self.ctes.push((id, cte, inner));
        }
        for (position, source) in query.sources.iter().enumerate() {
            match source {
                Source::Table { name, alias, columns } => {
                    let occurrence = self.occurrences.len();
                    let mut nodes = BTreeMap::new();
                    for (&number, column) in columns {
                        let node = self.node((id, position, number));
                        nodes.insert(column.clone(), node);
                        self.columns.insert(node, (occurrence, column.clone()));
                    }
                    self.occurrences.push(Occurrence {
                        table: name.clone(),
                        alias: alias.clone(),
                        query: id,
                        source: position,
                        written: query.target == Some(position),
                        in_view: self.view_depth > 0,
                        columns: nodes,
                    });
                }
                Source::Subquery(inner) => {
                    let border = if is_simple(inner) { Border::Open } else { Border::Closed };
                    let inner = self.visit(inner, outer, border);
                    self.parts[id].sources.insert(position, inner);
                    self.link(id, position, inner, true);
                }
                Source::Cte { name, levels_up } => {
                    let owner = outer.len().checked_sub(1 + levels_up).map(|at| outer[at]);
                    let found = self.ctes.iter().rev().find(|c| Some(c.0) == owner && c.1.name == *name).map(|c| c.2);
                    // A recursive CTE is found by itself only when it is complete.
                    if let Some(inner) = found {
                        self.parts[id].sources.insert(position, inner);
                        let fenced = self.is_fenced(id, position);
                        self.link(id, position, inner, !fenced);
                    }
                }
                _ => {}
            }
        }
        let nullable = nullable_sources(&query.from, &strict_sources(query));
        let mut tests = Vec::new();
        for condition in &query.conditions {
            self.condition(condition, outer, None, &mut tests);
        }
        for item in &query.from {
            self.from(item, outer, &nullable, &mut tests);
        }
        self.parts[id].tests = tests;
        for scalar in &query.scalars {
            let inner = self.visit(scalar, outer, Border::Closed);
            self.parts[id].scalars.push(inner);
        }
        let mut output = Vec::new();
        for entry in query.output.iter().filter(|o| !o.junk || o.reference > 0) {
            let node = self.resolve(&entry.expression, outer);
            output.push((if entry.junk { 0 } else { entry.number }, node, entry.reference));
        }
        if query.command == Command::Insert {
            self.given(query, id, outer);
        }
        self.parts[id].output = output;
        self.view_depth -= usize::from(query.is_view);
        outer.pop();
        self.borders.pop();
        id
    }

    /// What INSERT gives to a column: a value, or a column of its SELECT.
    fn given(&mut self, query: &Query, id: QueryId, outer: &[QueryId]) {
        let Some(target) = query.target else { return };
        for entry in query.output.iter().filter(|o| !o.junk) {
            let node = self.node((id, target, entry.number));
            match (&entry.expression, self.resolve(&entry.expression, outer)) {
                (_, Some(from)) => {
                    self.flow.push((from, node));
                    self.unite(from, node);
                }
                (Expression::Null, None) => {}
                // Whatever is computed for the one row.
                _ => {
                    self.pinned.insert(node);
                }
            }
        }
        for (position, source) in query.sources.iter().enumerate() {
            if matches!(source, Source::Values(_)) {
                for number in 1..=query.output.len() as i64 {
                    let node = self.node((id, position, number));
                    self.pinned.insert(node);
                }
            }
        }
    }

    /// Connects what a source gives with what its query puts out.
    fn link(&mut self, id: QueryId, source: usize, inner: QueryId, transparent: bool) {
        let query = self.queries[inner];
        let leaves: Vec<QueryId> =
            query.set_leaves.iter().filter_map(|leaf| self.parts[inner].sources.get(leaf).copied()).collect();
        for (number, node, reference) in self.parts[inner].output.clone() {
            let outside = self.node((id, source, number));
            for &leaf in &leaves {
                let below = self.parts[leaf].output.iter().find(|o| o.0 == number).and_then(|o| o.1);
                if let Some(below) = below.filter(|_| transparent && !query.limit) {
                    self.flow.push((outside, below));
                }
            }
            let Some(node) = node else { continue };
            self.origins.insert(outside, node);
            if leaves.is_empty() {
                self.unite(outside, node);
            }
            let listed = |list: &[i64]| list.contains(&reference) && reference > 0;
            let passes = !query.limit
                && (query.group_by.is_empty() || listed(&query.group_by))
                && (query.distinct.is_empty() || listed(&query.distinct))
                && query.windows.iter().all(|w| listed(w))
                && (!query.aggregates || !query.group_by.is_empty());
            if transparent && passes && leaves.is_empty() {
                self.flow.push((outside, node));
            }
            if transparent && is_simple(query) {
                self.flow.push((node, outside));
            }
        }
    }

    /// The node of an expression that is a column. Notes that the query it is in looks outside.
    fn resolve(&mut self, expression: &Expression, outer: &[QueryId]) -> Option<NodeId> {
        let Expression::Column(ColumnRef { levels_up, source, number }) = expression else { return None };
        let at = outer.len().checked_sub(1 + levels_up)?;
        for &query in &outer[at + 1..] {
            self.parts[query].correlated = true;
        }
        let query = outer[at];
        if let Some(Source::Join(columns)) = self.queries[query].sources.get(*source) {
            let column = usize::try_from(number - 1).ok().and_then(|n| columns.get(n)).cloned()?;
            return self.resolve(&column, &outer[..=at]);
        }
        Some(self.node((query, *source, *number)))
    }

    /// `kept`: of an outer join, the sources of the side whose rows are all kept; an ON condition says nothing of them.
    fn condition(
        &mut self,
        condition: &'q Condition,
        outer: &mut Vec<QueryId>,
        kept: Option<&BTreeSet<usize>>,
        tests: &mut Vec<QueryId>,
    ) {
        match condition {
            Condition::Equal(a, b) => self.equal(a, b, outer, kept),
            Condition::Exists { negated, equal, query } => {
                let border = match negated {
                    _ if !is_simple(query) => Border::Closed,
                    // NOT IN is no join for PostgreSQL.
                    true if !equal.is_empty() => Border::Closed,
                    true => Border::Inward,
                    false => Border::Open,
                };
                let inner = self.visit(query, outer, border);
                tests.push(inner);
                for (expression, number) in equal {
                    let output = self.parts[inner].output.iter().find(|o| o.0 == *number).and_then(|o| o.1);
                    let (Some(column), Some(output)) = (self.resolve(expression, outer), output) else { continue };
                    self.equalities.push((column, output));
                    self.unite(column, output);
                    if border == Border::Open {
                        self.flow.extend([(column, output), (output, column)]);
                    }
                }
            }
            Condition::Other(queries) => {
                for query in queries {
                    let inner = self.visit(query, outer, Border::Closed);
                    tests.push(inner);
                }
            }
        }
    }

    fn equal(&mut self, a: &Expression, b: &Expression, outer: &[QueryId], kept: Option<&BTreeSet<usize>>) {
        let is_kept = |e: &Expression| match e {
            Expression::Column(c) => c.levels_up == 0 && kept.is_some_and(|k| k.contains(&c.source)),
            _ => false,
        };
        match (self.resolve(a, outer), self.resolve(b, outer)) {
            (Some(x), Some(y)) => {
                self.equalities.push((x, y));
                self.unite(x, y);
                // Whether what is known of the first may be said of the second.
                let passes = |from: &Expression, to: &Expression| {
                    let (from, to) = (levels_up(from), levels_up(to));
                    let crossed = &self.borders[self.borders.len() - from.max(to)..];
                    crossed.iter().all(|b| match b {
                        Border::Open => true,
                        Border::Inward => from > to,
                        Border::Closed => false,
                    })
                };
                if !is_kept(b) && passes(a, b) {
                    self.flow.push((x, y));
                }
                if !is_kept(a) && passes(b, a) {
                    self.flow.push((y, x));
                }
            }
            (Some(x), None) if *b == Expression::Value && !is_kept(a) => {
                self.pinned.insert(x);
            }
            (None, Some(y)) if *a == Expression::Value && !is_kept(b) => {
                self.pinned.insert(y);
            }
            _ => {}
        }
    }

    fn from(&mut self, item: &'q From, outer: &mut Vec<QueryId>, nullable: &BTreeSet<usize>, tests: &mut Vec<QueryId>) {
        let From::Join { kind, left, right, on } = item else { return };
        // Where WHERE throws away the rows that a side has not, the join is an inner one.
        let is_outer = |side: &From| sources(side).iter().any(|s| nullable.contains(s));
        let kept: Option<BTreeSet<usize>> = match kind {
            JoinKind::Left if is_outer(right) => Some(sources(left)),
            JoinKind::Right if is_outer(left) => Some(sources(right)),
            JoinKind::Full => match (is_outer(left), is_outer(right)) {
                (true, true) => Some(sources(item)),
                (false, true) => Some(sources(left)),
                (true, false) => Some(sources(right)),
                (false, false) => None,
            },
            _ => None,
        };
        for condition in on {
            self.condition(condition, outer, kept.as_ref(), tests);
        }
        self.from(left, outer, nullable, tests);
        self.from(right, outer, nullable, tests);
    }

    /// Carries values along the flow until nothing more follows.
    fn spread(&mut self) {
        let mut next: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
        for &(from, to) in &self.flow {
            next.entry(from).or_default().push(to);
        }
        let mut open: Vec<NodeId> = self.pinned.iter().copied().collect();
        while let Some(node) = open.pop() {
            for &to in next.get(&node).into_iter().flatten() {
                if self.pinned.insert(to) {
                    open.push(to);
                }
            }
        }
    }

    /// The same facts if these columns had one value.
    pub fn pin(&mut self, nodes: impl IntoIterator<Item = NodeId>) {
        self.pinned.extend(nodes);
        self.spread();
    }
}

/// Whether PostgreSQL makes a subquery part of the query around it.
fn is_simple(query: &Query) -> bool {
    query.command == Command::Select
        && !query.limit
        && !query.aggregates
        && query.group_by.is_empty()
        && query.distinct.is_empty()
        && query.windows.is_empty()
        && query.set_leaves.is_empty()
        && query.ctes.is_empty()
        && !query.volatile
}

fn levels_up(expression: &Expression) -> usize {
    match expression {
        Expression::Column(column) => column.levels_up,
        _ => 0,
    }
}

/// The sources of a part of FROM.
pub fn sources(item: &From) -> BTreeSet<usize> {
    match item {
        From::Source(source) => BTreeSet::from([*source]),
        From::Join { left, right, .. } => sources(left).into_iter().chain(sources(right)).collect(),
    }
}

/// Sources whose rows an outer join may leave out; those of `strict` make their join an inner one.
fn nullable_sources(from: &[From], strict: &BTreeSet<usize>) -> BTreeSet<usize> {
    fn side(item: &From, strict: &BTreeSet<usize>, found: &mut BTreeSet<usize>) {
        let members = sources(item);
        if members.is_disjoint(strict) {
            found.extend(members);
        }
    }
    fn walk(item: &From, strict: &BTreeSet<usize>, found: &mut BTreeSet<usize>) {
        let From::Join { kind, left, right, .. } = item else { return };
        match kind {
            JoinKind::Left => side(right, strict, found),
            JoinKind::Right => side(left, strict, found),
            JoinKind::Full => {
                side(left, strict, found);
                side(right, strict, found);
            }
            JoinKind::Inner => {}
        }
        walk(left, strict, found);
        walk(right, strict, found);
    }
    let mut found = BTreeSet::new();
    from.iter().for_each(|item| walk(item, strict, &mut found));
    found
}

/// Sources of a query of which WHERE wants a value.
fn strict_sources(query: &Query) -> BTreeSet<usize> {
    let columns = query.conditions.iter().flat_map(|condition| match condition {
        Condition::Equal(a, b) => vec![a, b],
        _ => Vec::new(),
    });
    let strict = columns.filter_map(|side| match side {
        Expression::Column(c) if c.levels_up == 0 => Some(c.source),
        _ => None,
    });
    strict.collect()
}
