//! Domains with every cost worked out: what the solver is given, and what can be asked of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::cost::{Cost, CostModel, InferredRelation, REFUSED, Term, WorkloadJoin, total};
use super::domains::Domains;
use super::solver::{self, PairCost, Problem, Shortfall, Solution, Value};
use crate::graph::{Edge, Graph, TableId};
use crate::layout::{Layout, Placement};
use crate::rules;

/// Starting points of the search: the classes that could spread most; fewer where there are many tables.
const MOST_STARTS: usize = 32;
const MOST_STARTS_OF_MANY: usize = 4;
const MANY: usize = 500;

/// The problem of a schema.
pub struct PricedDomains {
    pub problem: Problem,
    /// What of each value's cost is for its name.
    pub names: Vec<Vec<Cost>>,
}

/// What connects two tables.
#[derive(Default)]
struct Connection<'m> {
    edges: Vec<&'m Edge>,
    relations: Vec<InferredRelation>,
    joins: Vec<&'m WorkloadJoin>,
    /// One may be refused for the other.
    depend: bool,
}

impl PricedDomains {
    pub fn new(domains: &Domains<'_>, model: &CostModel<'_, '_>, tables: &[TableId], tick: &mut dyn FnMut()) -> Self {
        let graph = domains.graph;
        let mut scratch = Layout::local(graph);
        scratch.groups.clone_from(&domains.labels);
        let mut values = Vec::new();
        let mut names = Vec::new();
        for &table in tables {
            tick();
            let (mut own, mut own_names) = (Vec::new(), Vec::new());
            for &placement in &domains.of[table.0] {
                scratch.place(table, placement);
                let mut name = 0;
                let cost = total(|charge| {
                    let mut charge = |term, cost| {
                        name += if term == Term::Name { cost } else { 0 };
                        charge(term, cost);
                    };
                    model.placement(&scratch, table, &mut charge);
                    for edge in self_edges(graph, table) {
                        model.foreign_key(&scratch, edge, &mut charge);
                    }
                    for join in model.joins.iter().filter(|j| j.left == table && j.right == table) {
                        model.join(&scratch, join, &mut charge);
                    }
                });
                own.push(Value { cost, group: placement.group() });
                own_names.push(name);
            }
            scratch.place(table, Placement::Local);
            values.push(own);
            names.push(own_names);
        }
        let pairs = pairs(domains, model, tables, &mut scratch, tick);
        let (slope, target) = model.shortfall_slope();
        let problem = Problem {
            values,
            pairs,
            loads: tables.iter().map(|&t| model.load(t)).collect(),
            group_cost: model.group(),
            groups: domains.labels.len(),
            shortfall: Shortfall { slope, target },
        };
        PricedDomains { problem, names }
    }

    /// The best choice.
    pub fn solve(&self, tick: &mut dyn FnMut()) -> Solution {
        solver::solve(&self.problem, starts(&self.problem), tick)
    }

    /// A good choice, without a bound.
    pub fn descend(&self, tick: &mut dyn FnMut()) -> Solution {
        solver::descend_from(&self.problem, starts(&self.problem), tick)
    }

    /// The same without what names cost.
    pub fn without_names(&self) -> Self {
        let mut without = PricedDomains { problem: self.problem.clone(), names: self.names.clone() };
        for (values, names) in without.problem.values.iter_mut().zip(&mut without.names) {
            for (value, name) in values.iter_mut().zip(names) {
                value.cost -= std::mem::take(name);
            }
        }
        without
    }

    /// The same with only some values of each variable; `None` where that leaves one without any. Also which values they are.
    pub fn restricted(&self, keep: impl Fn(usize, usize) -> bool) -> Option<(Self, Vec<Vec<usize>>)> {
        let all = &self.problem.values;
        let kept: Vec<Vec<usize>> =
            (0..all.len()).map(|variable| (0..all[variable].len()).filter(|&v| keep(variable, v)).collect()).collect();
        if kept.iter().any(Vec::is_empty) {
            return None;
        }
        let only = |variable: usize| kept[variable].iter().map(move |&v| all[variable][v]).collect::<Vec<_>>();
        let pairs = self.problem.pairs.iter().map(|p| {
            let columns = all[p.b].len();
            let row = |&a: &usize| kept[p.b].iter().map(move |&b| p.costs[a * columns + b]);
            PairCost { a: p.a, b: p.b, costs: kept[p.a].iter().flat_map(row).collect() }
        });
        let problem = Problem {
            values: (0..all.len()).map(only).collect(),
            pairs: pairs.collect(),
            loads: self.problem.loads.clone(),
            ..self.problem
        };
        let names = kept.iter().zip(&self.names).map(|(k, n)| k.iter().map(|&v| n[v]).collect()).collect();
        Some((PricedDomains { problem, names }, kept))
    }

    /// The group that carries most load under a choice.
    pub fn heaviest_group(&self, choice: &[usize]) -> Option<usize> {
        let mut loads: BTreeMap<usize, Cost> = BTreeMap::new();
        for (variable, &value) in choice.iter().enumerate() {
            if let Some(group) = self.problem.values[variable][value].group {
                *loads.entry(group).or_default() += self.problem.loads[variable];
            }
        }
        loads.into_iter().max_by_key(|&(group, load)| (load, std::cmp::Reverse(group))).map(|(group, _)| group)
    }

    /// What the names of a choice cost.
    pub fn cost_of_names(&self, choice: &[usize]) -> Cost {
        choice.iter().zip(&self.names).map(|(&value, names)| names[value]).sum()
    }
}

/// A cost for each pair of placements of two tables between which there is something.
fn pairs(
    domains: &Domains<'_>,
    model: &CostModel<'_, '_>,
    tables: &[TableId],
    scratch: &mut Layout<'_>,
    tick: &mut dyn FnMut(),
) -> Vec<PairCost> {
    let graph = domains.graph;
    let variable: HashMap<TableId, usize> = tables.iter().enumerate().map(|(i, &t)| (t, i)).collect();
    let mut connected: BTreeMap<(usize, usize), Connection<'_>> = BTreeMap::new();
    for edge in &graph.edges {
        let (a, b) = (variable[&graph.root(edge.referencing)], variable[&graph.root(edge.referenced)]);
        if a != b {
            connected.entry((a, b)).or_default().edges.push(edge);
        }
    }
    for relation in model.inferred_relations() {
        let (a, b) = (variable[&relation.0.0], variable[&relation.1.0]);
        connected.entry((a, b)).or_default().relations.push(relation);
    }
    for join in model.joins.iter().filter(|j| j.left != j.right) {
        let (a, b) = (variable[&join.left], variable[&join.right]);
        connected.entry((a, b)).or_default().joins.push(join);
    }
    for (a, b) in rules::dependent_tables(scratch) {
        connected.entry((variable[&a], variable[&b])).or_default().depend = true;
    }
    let mut pairs = Vec::new();
    for ((a, b), connection) in connected {
        tick();
        let (from, to) = (tables[a], tables[b]);
        let mut costs = Vec::new();
        for &placement in &domains.of[from.0] {
            scratch.place(from, placement);
            for &placement in &domains.of[to.0] {
                scratch.place(to, placement);
                let refused =
                    connection.depend && (refused_next_to(scratch, from, to) || refused_next_to(scratch, to, from));
                let cost = total(|charge| {
                    charge(Term::Refused, if refused { REFUSED } else { 0 });
                    connection.edges.iter().for_each(|edge| model.foreign_key(scratch, edge, charge));
                    connection.relations.iter().for_each(|&r| model.inferred_relation(scratch, r, charge));
                    connection.joins.iter().for_each(|join| model.join(scratch, join, charge));
                });
                costs.push(cost);
            }
        }
        scratch.place(from, Placement::Local);
        scratch.place(to, Placement::Local);
        pairs.push(PairCost { a, b, costs });
    }
    pairs
}

/// Whether Citus refuses a table for the place of another, all others being as they should.
fn refused_next_to(layout: &Layout<'_>, table: TableId, other: TableId) -> bool {
    if layout.is_local(table) {
        return false;
    }
    let mut accepted = rules::used_tables(layout, table);
    accepted.retain(|&t| t != other);
    // Reference tables are made before all others.
    if layout.is_reference(other) || layout.is_distributed(other) && !layout.is_reference(table) {
        accepted.push(other);
    }
    rules::is_refused(layout, table, &accepted)
}

/// Foreign keys within a table and its partitions.
fn self_edges<'g>(graph: &'g Graph<'_>, table: TableId) -> impl Iterator<Item = &'g Edge> {
    let within = graph.descendants(table);
    std::iter::once(table)
        .chain(within)
        .flat_map(|t| graph.outgoing(t))
        .filter(move |edge| graph.root(edge.referenced) == table)
}

/// Everything local, and for each of the groups that could spread most: its tables distributed, what they reference a
/// reference table, the rest local.
fn starts(problem: &Problem) -> Vec<Vec<usize>> {
    let cheapest = |variable: usize, wanted: &dyn Fn(&Value) -> bool| {
        let values = problem.values[variable].iter().enumerate().filter(|(_, v)| wanted(v));
        values.min_by_key(|(position, v)| (v.cost, *position)).map(|(position, _)| position)
    };
    let plain = |variable: usize| cheapest(variable, &|v| v.group.is_none()).unwrap_or(0);
    let local: Vec<usize> = (0..problem.values.len()).map(plain).collect();
    let mut potential = vec![0; problem.groups];
    for (variable, values) in problem.values.iter().enumerate() {
        let groups: BTreeSet<usize> = values.iter().filter_map(|v| v.group).collect();
        for group in groups {
            potential[group] += problem.loads[variable] + 1;
        }
    }
    let mut groups: Vec<usize> = (0..problem.groups).filter(|&g| potential[g] > 0).collect();
    groups.sort_by_key(|&g| (std::cmp::Reverse(potential[g]), g));
    let most = if problem.values.len() > MANY { MOST_STARTS_OF_MANY } else { MOST_STARTS };
    let mut starts = vec![local.clone()];
    for group in groups.into_iter().take(most) {
        let mut start = local.clone();
        for (variable, choice) in start.iter_mut().enumerate() {
            if let Some(value) = cheapest(variable, &|v| v.group == Some(group)) {
                *choice = value;
            }
        }
        // Referenced tables follow, each at most once, so that two foreign keys that want different things cannot keep
        // this going for ever; the descent mends the rest.
        let mut followed = BTreeSet::new();
        let mut open = true;
        while open {
            open = false;
            for pair in &problem.pairs {
                let outside = problem.values[pair.b][start[pair.b]].group.is_none();
                if !outside || followed.contains(&pair.b) {
                    continue;
                }
                let cost = |value: usize| pair.costs[start[pair.a] * problem.values[pair.b].len() + value];
                let better = (0..problem.values[pair.b].len())
                    .filter(|&v| problem.values[pair.b][v].group.is_none())
                    .min_by_key(|&v| (cost(v), v));
                if let Some(value) = better.filter(|&v| cost(v) < cost(start[pair.b])) {
                    start[pair.b] = value;
                    followed.insert(pair.b);
                    open = true;
                }
            }
        }
        starts.push(start);
    }
    starts
}
