//! Prints the migration script of a schema model (`SELECT advisor.schema_model()`), for a trial on a real cluster:
//! `migrate [--steps] MODEL.json [ASSIGNMENT.json]`.
//!
//! Without an assignment it is that of the planner's own choice. With `--steps`, one JSON string per statement instead.

use citus_planner::Request;
use citus_planner::assignment::Assignment;
use citus_planner::graph::Graph;
use citus_planner::layout::Layout;
use citus_planner::migration;
use citus_planner::plan::{Plan, PlannedTable};
use citus_planner::schema::Schema;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (options, files): (Vec<_>, Vec<_>) = arguments.iter().partition(|a| *a == "--steps");
    let (model, assignment) = match files[..] {
        [model] => (model, None),
        [model, assignment] => (model, Some(assignment)),
        _ => return Err("usage: migrate [--steps] MODEL.json [ASSIGNMENT.json]".into()),
    };
    let schema: Schema = serde_json::from_str(&std::fs::read_to_string(model)?)?;
    let graph = Graph::new(&schema);
    let plan = match assignment {
        None => citus_planner::plan(&graph, &Request::default(), &mut || ())?,
        Some(file) => {
            let assignment = serde_json::from_str(&std::fs::read_to_string(file)?)?;
            let assignment = Assignment::from_json(&assignment, "assignment")?;
            given(&graph, &assignment)?
        }
    };
    if options.is_empty() {
        migration::script(&plan).iter().for_each(|line| println!("{line}"));
    } else {
        for step in migration::steps(&plan) {
            println!("{}", serde_json::to_string(&step.statement)?);
        }
    }
    Ok(())
}

/// The plan of exactly this assignment.
fn given<'a>(graph: &'a Graph<'a>, assignment: &Assignment) -> Result<Plan<'a>, citus_planner::error::Error> {
    let layout = Layout::from_assignment(graph, assignment, &[], "assignment")?;
    let tables = graph.planned_tables().map(|table| PlannedTable {
        table,
        rows: graph.rows(table),
        bytes: graph.bytes(table),
        overridden: true,
        because: String::new(),
    });
    Ok(Plan::new(layout, tables.collect(), Request::default(), None))
}
