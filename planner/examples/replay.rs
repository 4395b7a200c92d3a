//! Plans a schema model without a server: `cargo run -p citus_planner --example replay -- model.json [format] [overrides]`.
//! The model is what `SELECT advisor.schema_model()` prints.

use std::error::Error;

use citus_planner::Request;
use citus_planner::assignment::Assignment;
use citus_planner::graph::Graph;
use citus_planner::report::{self, Format};
use citus_planner::schema::Schema;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let model = arguments.next().ok_or("usage: replay model.json [text|json|sql] [overrides]")?;
    let format = Format::parse(arguments.next().as_deref().unwrap_or("text"))?;
    let schema: Schema = serde_json::from_str(&std::fs::read_to_string(model)?)?;
    let overrides = match arguments.next() {
        Some(json) => Assignment::from_json(&serde_json::from_str(&json)?, "overrides")?,
        None => Assignment::default(),
    };
    let request = Request { overrides, search_path: vec!["public".to_owned()], ..Request::default() };
    let graph = Graph::new(&schema);
    let plan = citus_planner::plan(&graph, &request, &mut || ())?;
    for line in report::render(&plan, format) {
        println!("{line}");
    }
    Ok(())
}
