//! Prints the migration script of a schema model under an assignment: `migrate MODEL.json ASSIGNMENT.json`.
//! With `--steps`, one JSON string per statement instead.

use citus_planner::assignment::Assignment;
use citus_planner::graph::Graph;
use citus_planner::layout::Layout;
use citus_planner::migration;
use citus_planner::plan::{Plan, PlannedTable};
use citus_planner::schema::Schema;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (steps, files): (Vec<_>, Vec<_>) = arguments.iter().partition(|a| *a == "--steps");
    let [model, assignment] = files[..] else {
        return Err("usage: migrate [--steps] MODEL.json ASSIGNMENT.json".into());
    };
    let schema: Schema = serde_json::from_str(&std::fs::read_to_string(model)?)?;
    let assignment = serde_json::from_str(&std::fs::read_to_string(assignment)?)?;
    let assignment = Assignment::from_json(&assignment, "assignment").map_err(|e| e.message)?;
    let graph = Graph::new(&schema);
    let layout = Layout::from_assignment(&graph, &assignment, &[], "assignment").map_err(|e| e.message)?;
    let planned = |table| PlannedTable {
        table,
        rows: graph.rows(table),
        bytes: graph.bytes(table),
        overridden: true,
        because: String::new(),
    };
    let plan = Plan::new(layout, graph.planned_tables().map(planned).collect(), None);
    if steps.is_empty() {
        migration::script(&plan).iter().for_each(|line| println!("{line}"));
    } else {
        for step in migration::steps(&plan) {
            println!("{}", serde_json::to_string(&step.statement)?);
        }
    }
    Ok(())
}
