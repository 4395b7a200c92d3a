//! Alternatives are other plans, ranked by price, and each assignment passed back as overrides is that very plan.

mod random_schema;

use std::collections::BTreeSet;

use citus_planner::Request;
use citus_planner::assignment::Assignment;
use citus_planner::graph::Graph;
use citus_planner::search::alternatives::alternatives;
use random_schema::{Random, Shape, random_schema};

#[test]
fn ranked_different_and_good_as_overrides() {
    let mut random = Random(11);
    let mut several = 0;
    for round in 0..200 {
        let schema = random_schema(&mut random, Shape { tables: 8, columns: 5 });
        let graph = Graph::new(&schema);
        let found = alternatives(&graph, &Request::default(), 6, &mut || ()).unwrap();
        let best = citus_planner::plan(&graph, &Request::default(), &mut || ()).unwrap();
        assert_eq!(found[0].plan.layout.to_assignment(), best.layout.to_assignment(), "round {round}");
        assert!(found.len() <= 6 && found.is_sorted_by_key(|a| a.cost()), "round {round}");
        let labels: BTreeSet<String> =
            found.iter().map(|a| serde_json::to_string(&a.plan.layout.to_assignment()).unwrap()).collect();
        assert_eq!(labels.len(), found.len(), "round {round}: twice the same");
        for alternative in &found {
            let assignment = alternative.plan.layout.to_assignment();
            let json = serde_json::to_value(&assignment).unwrap();
            let overrides = Assignment::from_json(&json, "overrides").unwrap();
            let request = Request { overrides, ..Request::default() };
            let back = citus_planner::plan(&graph, &request, &mut || ()).unwrap();
            assert_eq!(back.layout.to_assignment(), assignment, "round {round}: {}", alternative.label);
            let price = |p: &citus_planner::plan::Plan<'_>| p.search.as_ref().unwrap().price.total();
            assert_eq!(price(&back), alternative.cost(), "round {round}: {}", alternative.label);
        }
        several += usize::from(found.len() > 2);
    }
    assert!(several > 100, "only {several} schemas have alternatives");
}
