//! Chooses a role for every table, all together: candidates, their cost, the best combination.

pub mod alternatives;
mod because;
mod bound;
pub mod cost;
mod domains;
mod priced;
mod solver;

use std::collections::{BTreeSet, HashMap};

use crate::assignment::Assignment;
use crate::classes::ColumnClasses;
use crate::error::{Error, ErrorKind};
use crate::graph::{Edge, Graph, TableId};
use crate::layout::{self, Layout, Named, Placement, Target};
use crate::plan::{ForeignKeyFate, foreign_key_fate};
use crate::plan::{Plan, PlannedTable, SearchOutcome};
use crate::{Prices, Request};
use cost::{Cost, CostModel};
use domains::Domains;
use priced::PricedDomains;
use solver::Solution;

/// The best plan for a request.
///
/// # Errors
/// Names in the request that do not exist (see [`layout::resolve`]); 42703 for a distribution column; 42809 for
/// something that is no table; 22023 for a partition, which follows its table.
pub fn search<'a>(graph: &'a Graph<'a>, request: &Request, tick: &mut dyn FnMut()) -> Result<Plan<'a>, Error> {
    let classes = column_classes(graph, request);
    let overrides = check_overrides(graph, request)?;
    let scope = scope(graph, request, &overrides)?;
    let search = Search::new(graph, request, classes, overrides, &scope, tick);
    let solution = search.priced.solve(tick);
    let decided_by_name = search.rival(&solution, tick);
    Ok(search.plan(&solution, decided_by_name, tick))
}

/// The classes of the columns that are there, and of those that tables could be given.
fn column_classes<'g>(graph: &'g Graph<'_>, request: &Request) -> &'g ColumnClasses {
    graph.look_for_backfills(&layout::columns_asked_for(graph, request));
    graph.classes()
}

/// A request with everything worked out that the solver needs.
struct Search<'s, 'a> {
    graph: &'a Graph<'a>,
    request: &'s Request,
    classes: &'s ColumnClasses,
    overrides: Vec<(TableId, Named)>,
    scope: &'s BTreeSet<TableId>,
    model: CostModel<'s, 'a>,
    domains: Domains<'a>,
    /// Planned tables; the variables of the problem.
    tables: Vec<TableId>,
    priced: PricedDomains,
    /// What of the load can be distributed at all.
    reachable: Cost,
}

impl<'s, 'a> Search<'s, 'a> {
    fn new(
        graph: &'a Graph<'a>,
        request: &'s Request,
        classes: &'s ColumnClasses,
        overrides: Vec<(TableId, Named)>,
        scope: &'s BTreeSet<TableId>,
        tick: &mut dyn FnMut(),
    ) -> Self {
        let mut model = cost_model(graph, classes, scope, &request.prices);
        let domains = Domains::new(graph, classes, &model, &overrides, scope, tick);
        let tables: Vec<TableId> = graph.planned_tables().collect();
        let reachable = domains.distributable.iter().map(|&t| model.load(t)).sum();
        model.set_reachable(reachable);
        let priced = PricedDomains::new(&domains, &model, &tables, tick);
        Search { graph, request, classes, overrides, scope, model, domains, tables, priced, reachable }
    }

    /// The layout of a choice.
    fn layout(&self, choice: &[usize]) -> Layout<'a> {
        let mut layout = Layout::local(self.graph);
        let mut groups: HashMap<usize, usize> = HashMap::new();
        for (&table, &value) in self.tables.iter().zip(choice) {
            let placement = match self.domains.of[table.0][value] {
                Placement::Distributed { column, group } => {
                    let next = groups.len();
                    let renumbered = *groups.entry(group).or_insert(next);
                    if renumbered == layout.groups.len() {
                        layout.groups.push(self.domains.labels[group].clone());
                    }
                    Placement::Distributed { column, group: renumbered }
                }
                other => other,
            };
            layout.place(table, placement);
        }
        layout
    }

    /// What the terms would be at other prices.
    fn model_with(&self, prices: &Prices) -> CostModel<'s, 'a> {
        let mut model = cost_model(self.graph, self.classes, self.scope, prices);
        model.set_reachable(self.reachable);
        model
    }

    /// Whether a choice holds tables that Citus refuses for each other.
    fn is_refused(&self, choice: &[usize]) -> bool {
        let cost = |p: &solver::PairCost| solver::pair_cost(&self.priced.problem, p, choice[p.a], choice[p.b]);
        self.priced.problem.pairs.iter().any(|p| cost(p) >= cost::REFUSED)
    }

    /// Everything about a choice that is no solution: the plan that it makes when it is insisted on.
    fn plan_of(&self, choice: &[usize], tick: &mut dyn FnMut()) -> Plan<'a> {
        let cost = self.model.cost(&self.layout(choice));
        let solution = Solution { cost, bound: 0, choice: choice.to_vec(), steps: 0 };
        self.plan(&solution, None, tick)
    }

    /// Everything about the layout of a solution.
    fn plan(&self, solution: &Solution, decided_by_name: Option<(String, String)>, tick: &mut dyn FnMut()) -> Plan<'a> {
        let (graph, model) = (self.graph, &self.model);
        let mut layout = self.layout(&solution.choice);
        layout.named = self.overrides.iter().map(|(_, named)| named.clone()).collect();
        tick();
        let price = model.price(&layout);
        let outcome = SearchOutcome {
            proven: solution.proven(),
            bound: solution.bound,
            layouts: self.tables.iter().map(|&t| self.domains.of[t.0].len() as u64).fold(1, u64::saturating_mul),
            steps: solution.steps,
            sizes_guessed: model.sizes_guessed(),
            decided_by_name,
            baseline: model.price(&Layout::local(graph)).total(),
            reachable: self.reachable,
            foreign_key_worth: model.foreign_key_worth(),
            price,
        };
        let overridden: BTreeSet<TableId> = self.overrides.iter().map(|(t, _)| *t).collect();
        let mut reasons = because::Reasons::new(&layout, self.classes, model);
        let planned: Vec<PlannedTable> = self
            .tables
            .iter()
            .filter(|t| self.scope.contains(t))
            .map(|&table| {
                tick();
                let because = match self.domains.begun.contains(&table) {
                    true => because::BEGUN.to_owned(),
                    false => reasons.of(table, overridden.contains(&table)),
                };
                PlannedTable {
                    table,
                    rows: graph.rows(table),
                    bytes: graph.bytes(table),
                    overridden: overridden.contains(&table),
                    because,
                }
            })
            .collect();
        Plan::new(layout, planned, qualified(graph, self.request, &self.overrides), Some(outcome))
    }

    /// Whether names alone decided which group the heaviest tables form: the best layout without that group costs the
    /// same, names apart.
    fn rival(&self, solution: &Solution, tick: &mut dyn FnMut()) -> Option<(String, String)> {
        let values = &self.priced.problem.values;
        let group = self.priced.heaviest_group(&solution.choice)?;
        let members = solution.choice.iter().enumerate().filter(|&(v, &value)| values[v][value].group == Some(group));
        if members.count() < 2 || self.overrides.len() == self.tables.len() {
            return None;
        }
        let named = self.priced.cost_of_names(&solution.choice);
        let (rest, kept) = self.priced.restricted(|v, value| values[v][value].group != Some(group))?;
        let rest = rest.without_names();
        // Where the plan itself is not proven best, neither need be what speaks against it: one good layout is enough.
        let rival = match solution.proven() {
            true if bound::exceeds(&rest.problem, solution.cost - named, tick) => return None,
            true => rest.solve(tick),
            false => rest.descend(tick),
        };
        if rival.cost > solution.cost - named {
            return None;
        }
        let choice: Vec<usize> = rival.choice.iter().zip(&kept).map(|(&value, kept)| kept[value]).collect();
        if self.priced.cost_of_names(&choice) <= named {
            return None;
        }
        let other = self.priced.heaviest_group(&choice)?;
        Some((self.domains.labels[group].clone(), self.domains.labels[other].clone()))
    }
}

/// The cost model of a plan that speaks of these tables.
fn cost_model<'s, 'a>(
    graph: &'a Graph<'a>,
    classes: &'s ColumnClasses,
    scope: &BTreeSet<TableId>,
    prices: &Prices,
) -> CostModel<'s, 'a> {
    let mut model = CostModel::new(graph, classes, prices);
    model.leave_aside(graph.planned_tables().filter(|t| !scope.contains(t)));
    model
}

/// Tables that a foreign key references which is lost.
fn referenced_in_vain(search: &Search<'_, '_>, choice: &[usize]) -> BTreeSet<TableId> {
    let layout = search.layout(choice);
    let lost = |edge: &&Edge| matches!(foreign_key_fate(&layout, edge).0, ForeignKeyFate::Lost { .. });
    search.graph.edges.iter().filter(lost).map(|edge| search.graph.root(edge.referenced)).collect()
}

/// Overrides by table, refused where they could not even be tried.
fn check_overrides(graph: &Graph<'_>, request: &Request) -> Result<Vec<(TableId, Named)>, Error> {
    let named =
        layout::resolve(graph, &request.overrides, &request.search_path, "overrides", Graph::find_column_or_backfill)?;
    let mut overrides = Vec::new();
    for (written, named) in request.overrides.0.keys().zip(named) {
        match &named.target {
            Target::Table(table) if graph.is_partition(*table) => {
                return Err(Error::new(
                    ErrorKind::InvalidParameter,
                    format!(
                        "\"{written}\" in overrides is a partition of \"{}\"",
                        graph.table(graph.root(*table)).name
                    ),
                )
                .hint("Name the partitioned table; its partitions follow it."));
            }
            Target::Table(table) => overrides.push((*table, named.clone())),
            Target::MissingColumn(table) => {
                let column = named.entry.column.clone().unwrap_or_default();
                return Err(Error::new(
                    ErrorKind::UndefinedColumn,
                    format!("column \"{column}\" of relation \"{written}\" in overrides does not exist"),
                )
                .hint(layout::columns_hint(graph, *table, &column)));
            }
            Target::Other { kind, .. } => {
                return Err(Error::new(
                    ErrorKind::WrongObjectType,
                    format!("\"{written}\" in overrides is a {kind}, not a table"),
                )
                .hint("Only tables take a role."));
            }
            Target::ExtensionTable { extension, .. } => {
                return Err(Error::new(
                    ErrorKind::WrongObjectType,
                    format!("\"{written}\" in overrides belongs to the extension \"{extension}\""),
                )
                .hint("Tables of extensions stay as they are; the extension's own updates expect it."));
            }
        }
    }
    Ok(overrides)
}

/// The request with every table by its full name: another session may have another search path.
fn qualified(graph: &Graph<'_>, request: &Request, overrides: &[(TableId, Named)]) -> Request {
    let named = overrides.iter().map(|(table, named)| (graph.table(*table).name.to_string(), named.entry.clone()));
    Request { overrides: Assignment(named.collect()), ..request.clone() }
}

/// Planned tables that the plan speaks of: those of the schemas asked for, and those named.
fn scope(graph: &Graph<'_>, request: &Request, overrides: &[(TableId, Named)]) -> Result<BTreeSet<TableId>, Error> {
    let Some(schemas) = &request.schemas else { return Ok(graph.planned_tables().collect()) };
    if let Some(unknown) = schemas.iter().find(|s| !graph.schema.schemas.contains(s)) {
        return Err(Error::new(ErrorKind::UndefinedSchema, format!("schema \"{unknown}\" does not exist"))
            .hint(layout::schemas_hint(graph, unknown)));
    }
    let inside = graph.planned_tables().filter(|&t| schemas.contains(&graph.table(t).name.schema));
    Ok(inside.chain(overrides.iter().map(|(t, _)| *t)).collect())
}
