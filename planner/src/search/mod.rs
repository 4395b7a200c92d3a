//! Chooses a role for every table, all together: candidates, their cost, the best combination.

mod because;
pub mod cost;
mod solver;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::Request;
use crate::assignment::{Assignment, Role};
use crate::error::{Error, ErrorKind};
use crate::graph::{ColumnId, Edge, Graph, TableId};
use crate::layout::{self, Layout, Named, Placement, Target};
use crate::plan::{Plan, PlannedTable, SearchOutcome};
use crate::rules::{self, Effect, Level, ObjectType};
use crate::schema::TableKind;

use crate::classes::{self, ClassId, ColumnClasses};
use cost::{Cost, CostModel, InferredRelation};
use solver::{PairCost, Problem, Solution, Value};

/// Distribution columns that are weighed for one table.
const MOST_CANDIDATES: usize = 10;

/// Starting points of the search: the classes that could spread most.
const MOST_STARTS: usize = 32;

/// The best plan for a request.
///
/// # Errors
/// Names in the request that do not exist (see [`layout::resolve`]); 42703 for a distribution column; 42809 for
/// something that is no table; 22023 for a partition, which follows its table.
pub fn search<'a>(graph: &'a Graph<'a>, request: &Request, tick: &mut dyn FnMut()) -> Result<Plan<'a>, Error> {
    let mut classes = ColumnClasses::new(graph);
    let backfills = graph.look_for_backfills(&classes, &layout::columns_asked_for(graph, request));
    classes.include(graph, backfills);
    let overrides = check_overrides(graph, request)?;
    let scope = scope(graph, request, &overrides)?;
    let model = CostModel::new(graph, &classes);
    let mut domains = Domains::new(graph, &classes, &overrides, &scope);
    domains.drop_impossible(&overrides);
    tick();
    let tables: Vec<TableId> = graph.planned_tables().collect();
    let priced = PricedDomains::new(&domains, &model, &tables, tick);
    let solution = priced.solve(&domains, &model, true, tick);
    let mut layout = domains.layout(&tables, &solution);
    layout.named = overrides.iter().map(|(_, named)| named.clone()).collect();
    let decided_by_name = priced.rival(&domains, &model, &tables, &solution, &overrides, tick);
    let overridden: BTreeSet<TableId> = overrides.iter().map(|(t, _)| *t).collect();
    let outcome = SearchOutcome {
        proven: solution.proven,
        layouts: tables.iter().map(|&t| domains.of[t.0].len() as u64).fold(1, u64::saturating_mul),
        steps: solution.steps,
        sizes_guessed: model.sizes_guessed,
        decided_by_name,
    };
    let planned: Vec<PlannedTable> = tables
        .iter()
        .filter(|t| scope.contains(t))
        .map(|&table| PlannedTable {
            table,
            rows: graph.rows(table),
            bytes: graph.bytes(table),
            overridden: overridden.contains(&table),
            because: because::because(&layout, &classes, &model, table, overridden.contains(&table)),
        })
        .collect();
    Ok(Plan::new(layout, planned, qualified(graph, request, &overrides), Some(outcome)))
}

/// Overrides by table, refused where they could not even be tried.
fn check_overrides(graph: &Graph<'_>, request: &Request) -> Result<Vec<(TableId, Named)>, Error> {
    let named = layout::resolve(graph, &request.overrides, &request.search_path, "overrides", Graph::find_column_or_backfill)?;
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

/// The placements that are weighed for each planned table; empty for partitions.
struct Domains<'g, 'a> {
    graph: &'g Graph<'a>,
    of: Vec<Vec<Placement>>,
    /// Labels of the groups that placements refer to.
    labels: Vec<String>,
}

impl<'a> Domains<'a, 'a> {
    fn new(
        graph: &'a Graph<'a>,
        classes: &ColumnClasses,
        overrides: &[(TableId, Named)],
        scope: &BTreeSet<TableId>,
    ) -> Self {
        let mut labels: Vec<String> = Vec::new();
        let mut by_label: BTreeMap<String, usize> = BTreeMap::new();
        let mut by_class: HashMap<ClassId, usize> = HashMap::new();
        let mut forced: HashMap<TableId, Placement> = HashMap::new();
        // Labels first: what joins a labelled table without a label of its own joins its group.
        for (table, named) in overrides {
            let (Some(label), Some(column)) = (&named.entry.group, &named.entry.column) else { continue };
            let Some(column) = graph.find_column_or_backfill(*table, column) else { continue };
            let group = *by_label.entry(label.clone()).or_insert_with(|| {
                labels.push(label.clone());
                labels.len() - 1
            });
            by_class.entry(classes.class(*table, column)).or_insert(group);
            forced.insert(*table, Placement::Distributed { column, group });
        }
        let mut group_of = |class: ClassId, labels: &mut Vec<String>| {
            *by_class.entry(class).or_insert_with(|| {
                let wanted = &classes.classes[class].label;
                let label = if labels.contains(wanted) {
                    distinct(wanted, &classes.classes[class], graph)
                } else {
                    wanted.clone()
                };
                let label = if labels.contains(&label) { format!("{label} {}", labels.len() + 1) } else { label };
                labels.push(label);
                labels.len() - 1
            })
        };
        for (table, named) in overrides {
            let placement = match named.entry.role {
                Role::Local => Placement::Local,
                Role::Reference => Placement::Reference,
                Role::Distributed => {
                    let column = named.entry.column.as_deref().and_then(|c| graph.find_column_or_backfill(*table, c));
                    let Some(column) = column else { continue };
                    Placement::Distributed { column, group: group_of(classes.class(*table, column), &mut labels) }
                }
            };
            forced.entry(*table).or_insert(placement);
        }
        let mut of = vec![Vec::new(); graph.schema.tables.len()];
        for table in graph.planned_tables() {
            of[table.0] = match forced.get(&table) {
                Some(&placement) => vec![placement],
                None if !scope.contains(&table) || graph.table(table).kind == TableKind::Foreign => {
                    vec![Placement::Local]
                }
                None => {
                    let distributed = candidates(graph, classes, table).into_iter().map(|column| {
                        Placement::Distributed { column, group: group_of(classes.class(table, column), &mut labels) }
                    });
                    let distributed: Vec<_> = distributed.collect();
                    [Placement::Local, Placement::Reference].into_iter().chain(distributed).collect()
                }
            };
        }
        Domains { graph, of, labels }
    }

    /// Takes out what Citus refuses whatever the other tables do: asks the rules about each candidate by itself.
    fn drop_impossible(&mut self, overrides: &[(TableId, Named)]) {
        let overridden: BTreeSet<TableId> = overrides.iter().map(|(t, _)| *t).collect();
        let most = self.of.iter().map(Vec::len).max().unwrap_or(0);
        let mut impossible: BTreeSet<(TableId, usize)> = BTreeSet::new();
        for value in 0..most {
            let mut alone = Layout::local(self.graph);
            for table in self.graph.planned_tables().filter(|t| !overridden.contains(t)) {
                match self.of[table.0].get(value) {
                    // A group of its own: whether groups fit together is another question.
                    Some(&Placement::Distributed { column, .. }) => {
                        alone.groups.push(String::new());
                        alone.place(table, Placement::Distributed { column, group: alone.groups.len() - 1 });
                    }
                    Some(&Placement::Reference) => alone.place(table, Placement::Reference),
                    _ => {}
                }
            }
            for finding in rules::judge(&alone) {
                let of_the_table = matches!(finding.object_type, ObjectType::Table | ObjectType::Column);
                let refused = finding.effect == Effect::Blocked || finding.level == Level::Error;
                // Who runs the script, and whether it ran before, says nothing about what a table could be.
                let of_the_session = matches!(finding.name, "not-owner" | "already-distributed");
                if of_the_table && refused && !of_the_session {
                    let Some(table) = self.graph.find(&finding.relation) else { continue };
                    impossible.insert((self.graph.root(table), value));
                }
            }
        }
        for table in self.graph.planned_tables().filter(|t| !overridden.contains(t)) {
            let mut value = 0;
            self.of[table.0].retain(|&placement| {
                value += 1;
                placement == Placement::Local || !impossible.contains(&(table, value - 1))
            });
        }
    }

    fn layout(&self, tables: &[TableId], solution: &Solution) -> Layout<'a> {
        let mut layout = Layout::local(self.graph);
        let mut groups: HashMap<usize, usize> = HashMap::new();
        for (variable, &table) in tables.iter().enumerate() {
            let placement = match self.of[table.0][solution.choice[variable]] {
                Placement::Distributed { column, group } => {
                    let next = groups.len();
                    let renumbered = *groups.entry(group).or_insert(next);
                    if renumbered == layout.groups.len() {
                        layout.groups.push(self.labels[group].clone());
                    }
                    Placement::Distributed { column, group: renumbered }
                }
                other => other,
            };
            layout.place(table, placement);
        }
        layout
    }
}

/// A label for a group whose plain one is taken: with the entity's table.
fn distinct(label: &str, class: &classes::Class, graph: &Graph<'_>) -> String {
    match class.entity.or(class.members.first().copied()) {
        Some((table, _)) => format!("{}.{label}", graph.table(table).name.name),
        None => label.to_owned(),
    }
}

/// Columns worth weighing as distribution column, best first: those that other tables share, then keys of their own.
fn candidates(graph: &Graph<'_>, classes: &ColumnClasses, table: TableId) -> Vec<ColumnId> {
    let t = graph.table(table);
    let in_key = |name: &str| {
        t.indexes.iter().any(|i| rules::is_judged_key(i) && i.columns.iter().any(|c| c.column.as_deref() == Some(name)))
    };
    let mut ranked: Vec<(bool, usize, usize, bool, ColumnId)> = Vec::new();
    for (column, c) in t.columns.iter().enumerate() {
        let class = &classes.classes[classes.class(table, column)];
        let tables: BTreeSet<TableId> = class.members.iter().map(|m| m.0).collect();
        let shared = tables.len() > 1;
        let own_key = in_key(&c.name);
        if shared || own_key || c.name.to_lowercase().ends_with("id") {
            ranked.push((!shared, usize::MAX - tables.len(), class.name_rank, !own_key, column));
        }
    }
    ranked.sort_unstable();
    let offered = graph.backfills().map(|b| b.candidates(graph, table)).unwrap_or_default();
    ranked.into_iter().take(MOST_CANDIDATES).map(|r| r.4).chain(offered).collect()
}

/// Domains with every cost worked out, names apart.
struct PricedDomains {
    values: Vec<Vec<Value>>,
    names: Vec<Vec<Cost>>,
    pairs: Vec<PairCost>,
    loads: Vec<Cost>,
}

impl PricedDomains {
    fn new(domains: &Domains<'_, '_>, model: &CostModel<'_, '_>, tables: &[TableId], tick: &mut dyn FnMut()) -> Self {
        let graph = domains.graph;
        let mut scratch = Layout::local(graph);
        scratch.groups.clone_from(&domains.labels);
        let variable: HashMap<TableId, usize> = tables.iter().enumerate().map(|(i, &t)| (t, i)).collect();
        let mut values = Vec::new();
        let mut names = Vec::new();
        for &table in tables {
            tick();
            let mut own = Vec::new();
            for &placement in &domains.of[table.0] {
                scratch.place(table, placement);
                let among_itself: Cost = self_edges(graph, table).map(|edge| model.foreign_key(&scratch, edge)).sum();
                let cost = model.placement(&scratch, table) + model.tenant(table, placement) + among_itself;
                own.push(Value { cost, group: placement.group() });
            }
            scratch.place(table, Placement::Local);
            names.push(domains.of[table.0].iter().map(|&p| model.name(table, p)).collect());
            values.push(own);
        }
        let mut connected: BTreeMap<(usize, usize), Vec<&Edge>> = BTreeMap::new();
        for edge in &graph.edges {
            let (a, b) = (variable[&graph.root(edge.referencing)], variable[&graph.root(edge.referenced)]);
            if a != b {
                connected.entry((a, b)).or_default().push(edge);
            }
        }
        let mut inferred: BTreeMap<(usize, usize), Vec<InferredRelation>> = BTreeMap::new();
        for relation in model.inferred_relations() {
            let (a, b) = (variable[&relation.0.0], variable[&relation.1.0]);
            connected.entry((a, b)).or_default();
            inferred.entry((a, b)).or_default().push(relation);
        }
        let mut pairs = Vec::new();
        for ((a, b), edges) in connected {
            tick();
            let relations = inferred.remove(&(a, b)).unwrap_or_default();
            let (from, to) = (tables[a], tables[b]);
            let mut costs = Vec::new();
            for &placement in &domains.of[from.0] {
                scratch.place(from, placement);
                for &placement in &domains.of[to.0] {
                    scratch.place(to, placement);
                    let declared: Cost = edges.iter().map(|edge| model.foreign_key(&scratch, edge)).sum();
                    let by_name: Cost = relations.iter().map(|&(m, e)| model.inferred_relation(&scratch, m, e)).sum();
                    costs.push(declared + by_name);
                }
            }
            scratch.place(from, Placement::Local);
            scratch.place(to, Placement::Local);
            pairs.push(PairCost { a, b, costs });
        }
        PricedDomains { values, names, pairs, loads: tables.iter().map(|&t| model.load(t)).collect() }
    }

    fn solve(
        &self,
        domains: &Domains<'_, '_>,
        model: &CostModel<'_, '_>,
        with_names: bool,
        tick: &mut dyn FnMut(),
    ) -> Solution {
        let mut values = self.values.clone();
        if with_names {
            for (values, names) in values.iter_mut().zip(&self.names) {
                for (value, name) in values.iter_mut().zip(names) {
                    value.cost += name;
                }
            }
        }
        self.solve_values(values, domains, model, tick)
    }

    fn solve_values(
        &self,
        values: Vec<Vec<Value>>,
        domains: &Domains<'_, '_>,
        model: &CostModel<'_, '_>,
        tick: &mut dyn FnMut(),
    ) -> Solution {
        let shortfall = |spread| model.shortfall(spread);
        let problem = Problem {
            values,
            pairs: self.pairs.clone(),
            loads: self.loads.clone(),
            group_cost: model.group(),
            groups: domains.labels.len(),
            shortfall: &shortfall,
        };
        let starts = starts(&problem);
        solver::solve(&problem, starts, tick)
    }

    /// Whether names alone decided which group the heaviest tables form: the best layout without that group costs the
    /// same, names apart.
    fn rival(
        &self,
        domains: &Domains<'_, '_>,
        model: &CostModel<'_, '_>,
        tables: &[TableId],
        solution: &Solution,
        overrides: &[(TableId, Named)],
        tick: &mut dyn FnMut(),
    ) -> Option<(String, String)> {
        let group = self.heaviest_group(&solution.choice)?;
        let members =
            solution.choice.iter().enumerate().filter(|&(v, &value)| self.values[v][value].group == Some(group));
        if members.count() < 2 {
            return None;
        }
        let overridden = |t: &TableId| overrides.iter().any(|(o, _)| o == t);
        // Domains without that group; a variable that has nothing else was told to use it.
        let without: Vec<Vec<usize>> = self
            .values
            .iter()
            .map(|values| (0..values.len()).filter(|&v| values[v].group != Some(group)).collect())
            .collect();
        if without.iter().any(Vec::is_empty) || tables.iter().all(overridden) {
            return None;
        }
        let values = |v: usize| without[v].iter().map(|&i| self.values[v][i]).collect::<Vec<_>>();
        let pairs = self.pairs.iter().map(|p| {
            let columns = self.values[p.b].len();
            let cost = |&a: &usize| without[p.b].iter().map(move |&b| p.costs[a * columns + b]);
            PairCost { a: p.a, b: p.b, costs: without[p.a].iter().flat_map(cost).collect() }
        });
        let rest = PricedDomains {
            values: (0..tables.len()).map(values).collect(),
            names: Vec::new(),
            pairs: pairs.collect(),
            loads: self.loads.clone(),
        };
        let rival = rest.solve(domains, model, false, tick);
        let named: Cost = solution.choice.iter().enumerate().map(|(v, &value)| self.names[v][value]).sum();
        if rival.cost > solution.cost - named {
            return None;
        }
        let rival_names: Cost =
            rival.choice.iter().enumerate().map(|(v, &value)| self.names[v][without[v][value]]).sum();
        if rival_names <= named {
            return None;
        }
        let choice: Vec<usize> = rival.choice.iter().enumerate().map(|(v, &value)| without[v][value]).collect();
        let other = self.heaviest_group(&choice)?;
        Some((domains.labels[group].clone(), domains.labels[other].clone()))
    }

    /// The group that carries most load under a choice.
    fn heaviest_group(&self, choice: &[usize]) -> Option<usize> {
        let mut loads: BTreeMap<usize, Cost> = BTreeMap::new();
        for (variable, &value) in choice.iter().enumerate() {
            if let Some(group) = self.values[variable][value].group {
                *loads.entry(group).or_default() += self.loads[variable];
            }
        }
        loads.into_iter().max_by_key(|&(group, load)| (load, std::cmp::Reverse(group))).map(|(group, _)| group)
    }
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
fn starts(problem: &Problem<'_>) -> Vec<Vec<usize>> {
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
    let mut starts = vec![local.clone()];
    for group in groups.into_iter().take(MOST_STARTS) {
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
