//! The plan is the best there is: compared with every legal assignment of small schemas, tried one by one, and of larger ones
//! with what a greedy planner finds. Nothing here knows how the search goes about it; a layout is priced as a whole.

mod random_schema;

use citus_planner::classes::ColumnClasses;
use citus_planner::graph::{Graph, TableId};
use citus_planner::layout::{Layout, Placement};
use citus_planner::rules::{Effect, Level, ObjectType, judge};
use citus_planner::schema::Schema;
use citus_planner::search::cost::{Cost, CostModel};
use citus_planner::{Prices, Request};
use random_schema::{Random, Shape, random_schema};

/// Small schemas, and at most so many layouts of each.
const SMALL: usize = 2_000;
const MOST_LAYOUTS: usize = 100_000;

/// Larger schemas.
const LARGE: usize = 60;

/// Every placement of every table that Citus would accept if the other tables were as they should. A group holds the columns of
/// one class.
fn placements(graph: &Graph<'_>, classes: &ColumnClasses) -> Vec<(TableId, Vec<Placement>)> {
    let columns = |t: TableId| 0..graph.table(t).columns.len();
    let all = |t: TableId| {
        let by = columns(t).map(move |column| Placement::Distributed { column, group: classes.class(t, column) });
        [Placement::Local, Placement::Reference].into_iter().chain(by).collect::<Vec<_>>()
    };
    let mut found: Vec<(TableId, Vec<Placement>)> = graph.planned_tables().map(|t| (t, all(t))).collect();
    for (table, placements) in &mut found {
        placements.retain(|&placement| {
            // Whatever it may need or stand beside is a reference table or local: in one of these ways it will do.
            let others: Vec<TableId> = graph.planned_tables().filter(|t| t != table).collect();
            let ways = 1_u32 << others.len().min(7);
            std::iter::once(ways - 1).chain(0..ways - 1).any(|way| {
                let mut layout = layout(graph, classes);
                for (i, &other) in others.iter().enumerate() {
                    let reference = way == ways - 1 || way >> (i % 7) & 1 == 1;
                    layout.place(other, if reference { Placement::Reference } else { Placement::Local });
                }
                layout.place(*table, placement);
                refused(&layout).iter().all(|name| *name != graph.table(*table).name.to_string())
            })
        });
    }
    found
}

fn layout<'a>(graph: &'a Graph<'a>, classes: &ColumnClasses) -> Layout<'a> {
    let mut layout = Layout::local(graph);
    layout.groups = (0..classes.classes.len()).map(|c| c.to_string()).collect();
    layout
}

/// Names of the tables that Citus refuses, or takes to no use.
fn refused(layout: &Layout<'_>) -> Vec<String> {
    let of_a_table = |t| matches!(t, ObjectType::Table | ObjectType::Column);
    let severe = |e, l| e == Effect::Blocked || l == Level::Error;
    let findings = judge(layout);
    findings
        .iter()
        .filter(|f| of_a_table(f.object_type) && severe(f.effect, f.level) && f.name != "not-owner")
        .map(|f| f.relation.to_string())
        .collect()
}

/// Sets what the shortfall is measured by.
fn set_reachable(model: &mut CostModel<'_, '_>, all: &[(TableId, Vec<Placement>)]) {
    let can = all.iter().filter(|(_, placements)| placements.iter().any(|p| p.is_distributed()));
    model.set_reachable(can.map(|&(t, _)| model.load(t)).sum());
}

/// The least that any legal layout costs, by trying all.
fn cheapest(model: &CostModel<'_, '_>, classes: &ColumnClasses, all: &[(TableId, Vec<Placement>)]) -> Cost {
    let mut layout = layout(model.graph, classes);
    let mut at = vec![0; all.len()];
    let mut best = Cost::MAX;
    loop {
        let cost = model.cost(&layout);
        if cost < best && refused(&layout).is_empty() {
            best = cost;
        }
        // The next one, as an odometer counts.
        let mut turning = 0;
        loop {
            let Some((table, placements)) = all.get(turning) else { return best };
            at[turning] = (at[turning] + 1) % placements.len();
            layout.place(*table, placements[at[turning]]);
            if at[turning] > 0 {
                break;
            }
            turning += 1;
        }
    }
}

fn described(schema: &Schema, graph: &Graph<'_>) -> String {
    let plan = citus_planner::plan(graph, &Request::default(), &mut || ()).unwrap();
    let assignment = serde_json::to_string(&plan.layout.to_assignment()).unwrap();
    format!("{assignment}\n{}", serde_json::to_string(schema).unwrap())
}

#[test]
fn no_legal_assignment_of_a_small_schema_costs_less() {
    let mut random = Random(41);
    let (mut tried, mut layouts, mut most) = (0, 0, 0);
    while tried < SMALL {
        let shape = *random.pick(&[
            Shape { tables: 3, columns: 6 },
            Shape { tables: 4, columns: 4 },
            Shape { tables: 5, columns: 3 },
            Shape { tables: 8, columns: 2 },
        ]);
        let schema = random_schema(&mut random, shape);
        let graph = Graph::new(&schema);
        let classes = graph.classes();
        let all = placements(&graph, classes);
        let count = all.iter().map(|(_, p)| p.len()).fold(1, usize::saturating_mul);
        // A few as large as may be, so that the others can be many.
        if count > if tried % 40 == 0 { MOST_LAYOUTS } else { MOST_LAYOUTS / 20 } {
            continue;
        }
        let mut model = CostModel::new(&graph, classes, &Prices::default());
        set_reachable(&mut model, &all);
        let plan = citus_planner::plan(&graph, &Request::default(), &mut || ()).unwrap();
        let outcome = plan.search.as_ref().unwrap();
        let best = cheapest(&model, classes, &all);
        assert_eq!(outcome.price.total(), best, "schema {tried}: {}", described(&schema, &graph));
        assert_eq!(outcome.price.total(), model.cost(&plan.layout), "schema {tried}");
        assert!(outcome.proven, "schema {tried}: {}", described(&schema, &graph));
        (tried, layouts, most) = (tried + 1, layouts + count, most.max(count));
    }
    println!("{tried} schemas, {layouts} layouts, {most} of one schema at most");
}

/// Table by table, the largest first, each as is cheapest while those after it are local.
fn greedy(model: &CostModel<'_, '_>, classes: &ColumnClasses, all: &[(TableId, Vec<Placement>)]) -> Cost {
    let mut layout = layout(model.graph, classes);
    let mut order: Vec<_> = all.iter().collect();
    order.sort_by_key(|(t, _)| std::cmp::Reverse(model.load(*t)));
    for (table, placements) in order {
        let costs = placements.iter().map(|&placement| {
            layout.place(*table, placement);
            let legal = refused(&layout).is_empty();
            (if legal { model.cost(&layout) } else { Cost::MAX }, placement)
        });
        let (_, cheapest) = costs.min_by_key(|&(cost, _)| cost).unwrap();
        layout.place(*table, cheapest);
    }
    model.cost(&layout)
}

#[test]
fn no_greedy_planner_does_better_and_no_layout_is_below_the_bound() {
    let mut random = Random(97);
    let (mut proven, mut worst) = (0, 0.0_f64);
    for round in 0..LARGE {
        let schema = random_schema(&mut random, Shape { tables: 60, columns: 6 });
        let graph = Graph::new(&schema);
        let classes = graph.classes();
        let all = placements(&graph, classes);
        let mut model = CostModel::new(&graph, classes, &Prices::default());
        let plan = citus_planner::plan(&graph, &Request::default(), &mut || ()).unwrap();
        let outcome = plan.search.as_ref().unwrap();
        model.set_reachable(outcome.reachable);
        let cost = outcome.price.total();
        assert!(outcome.bound <= cost, "round {round}");
        assert_eq!(outcome.proven, outcome.bound == cost, "round {round}");
        assert!(cost <= greedy(&model, classes, &all), "round {round}: {}", described(&schema, &graph));
        let mut layout = layout(&graph, classes);
        for _ in 0..50 {
            for (table, placements) in &all {
                layout.place(*table, *random.pick(placements));
            }
            assert!(outcome.bound <= model.cost(&layout) || !refused(&layout).is_empty(), "round {round}");
        }
        proven += usize::from(outcome.proven);
        worst = worst.max((cost - outcome.bound) as f64 / outcome.bound.max(1) as f64);
    }
    println!("{proven} of {LARGE} proven; the worst bound is {:.1} % below the plan", worst * 100.0);
}
