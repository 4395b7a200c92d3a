//! From statements to what the cost model weighs: which columns are joined, and by which columns rows are found.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::Facts;
use super::statement::Query;
use super::{Filter, Join, Workload};
use crate::graph::{Graph, TableId};
use crate::identifier::RelationName;

/// Two relations and the pairs of their columns that are equated.
type JoinKey = (RelationName, RelationName, Vec<(String, String)>);

/// Sums up statements.
pub struct Edges<'g, 'a> {
    graph: &'g Graph<'a>,
    total: i64,
    seen: bool,
    joins: BTreeMap<JoinKey, i64>,
    filters: BTreeMap<(RelationName, Vec<String>), i64>,
}

impl<'g, 'a> Edges<'g, 'a> {
    pub fn new(graph: &'g Graph<'a>) -> Self {
        Edges { graph, total: 0, seen: false, joins: BTreeMap::new(), filters: BTreeMap::new() }
    }

    /// The relation that the model speaks of: a partition's table; `None` for what is not in it.
    fn relation(&self, name: &RelationName) -> Option<(TableId, RelationName)> {
        let root = self.graph.root(self.graph.find(name)?);
        Some((root, self.graph.table(root).name.clone()))
    }

    /// A statement that cannot be analysed has its part of the whole.
    pub fn add_unknown(&mut self, weight: i64) {
        self.total = self.total.saturating_add(weight);
    }

    /// What reads and writes no table of the model is left out: it stays where it is under any plan.
    pub fn add(&mut self, query: &Query, weight: i64) {
        let facts = Facts::of(query);
        let mut touched = false;
        let mut filters: BTreeSet<(RelationName, Vec<String>)> = BTreeSet::new();
        for occurrence in &facts.occurrences {
            let Some((root, name)) = self.relation(&occurrence.table) else { continue };
            touched = true;
            let pinned = occurrence.columns.iter().filter(|(_, node)| facts.is_pinned(**node));
            let columns = pinned.filter(|(column, _)| self.graph.find_column(root, column).is_some());
            filters.insert((name, columns.map(|(column, _)| column.clone()).collect()));
        }
        if !touched {
            return;
        }
        self.seen = true;
        self.total = self.total.saturating_add(weight);
        for filter in filters {
            let sum = self.filters.entry(filter).or_default();
            *sum = sum.saturating_add(weight);
        }
        let mut pairs: BTreeMap<(usize, usize), BTreeSet<(String, String)>> = BTreeMap::new();
        for &(a, b) in &facts.equalities {
            let (Some((left, x)), Some((right, y))) = (facts.column(a), facts.column(b)) else { continue };
            if left == right {
                continue;
            }
            let name = |occurrence: usize| &facts.occurrences[occurrence].table;
            if (name(left), left) <= (name(right), right) {
                pairs.entry((left, right)).or_default().insert((x.to_owned(), y.to_owned()));
            } else {
                pairs.entry((right, left)).or_default().insert((y.to_owned(), x.to_owned()));
            }
        }
        let mut joins: BTreeSet<JoinKey> = BTreeSet::new();
        for ((left, right), columns) in pairs {
            let relation = |o: usize| self.relation(&facts.occurrences[o].table);
            let (Some((a, left)), Some((b, right))) = (relation(left), relation(right)) else { continue };
            let known = |(x, y): &(String, String)| {
                self.graph.find_column(a, x).is_some() && self.graph.find_column(b, y).is_some()
            };
            let mut columns: Vec<_> = columns.into_iter().filter(known).collect();
            // A partition's table may stand on the other side of its neighbour than the partition does.
            let (left, right) = if left <= right {
                (left, right)
            } else {
                columns = columns.into_iter().map(|(x, y)| (y, x)).collect();
                columns.sort();
                (right, left)
            };
            if !columns.is_empty() {
                joins.insert((left, right, columns));
            }
        }
        for join in joins {
            let sum = self.joins.entry(join).or_default();
            *sum = sum.saturating_add(weight);
        }
    }

    /// `None` where no statement touches the model's tables.
    pub fn finish(self) -> Option<Workload> {
        let joins =
            self.joins.into_iter().map(|((left, right, columns), weight)| Join { left, right, columns, weight });
        let filters =
            self.filters.into_iter().map(|((relation, columns), weight)| Filter { relation, columns, weight });
        self.seen.then(|| Workload { total: self.total, joins: joins.collect(), filters: filters.collect() })
    }
}
