//! Replays the cases of the oracle from models: `ORACLE_MODELS` is a directory with `<case>.json`, each what
//! `advisor.schema_model()` says of the case's schema.sql; `ORACLE_CASES` the directory of the cases themselves.

mod comparison;

use std::path::{Path, PathBuf};
use std::{env, fs};

use citus_planner::assignment::Assignment;
use citus_planner::error::Error;
use citus_planner::graph::Graph;
use citus_planner::layout::Layout;
use citus_planner::rules::judge;
use citus_planner::schema::Schema;
use comparison::{Outcome, Row, codes, compare};
use serde_json::Value;

fn json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn rows(schema: &Schema, assignment: &Value) -> Result<Vec<Row>, Error> {
    let graph = Graph::new(schema);
    let assignment = Assignment::from_json(assignment, "assignment")?;
    let layout = Layout::from_assignment(&graph, &assignment, &["public".to_owned()], "assignment")?;
    Ok(judge(&layout).iter().map(Row::from).collect())
}

/// What `check_data` said, where the case has rows.
fn of_rows(file: &Path) -> Vec<Row> {
    if !file.exists() {
        return Vec::new();
    }
    json(file).as_array().unwrap().iter().map(Row::from).collect()
}

#[test]
fn blocks_exactly_what_citus_refuses() {
    let Ok(models) = env::var("ORACLE_MODELS").map(PathBuf::from) else {
        println!("skipped: ORACLE_MODELS names no directory of models");
        return;
    };
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/oracle");
    let cases = env::var("ORACLE_CASES").map_or(shared, PathBuf::from);
    let codes = codes(&json(&cases.join("codes.json")));
    let mut names: Vec<String> = fs::read_dir(&cases)
        .unwrap()
        .filter_map(|e| e.ok()?.file_name().into_string().ok())
        .filter(|n| cases.join(n).join("verdict.json").exists() && models.join(format!("{n}.json")).exists())
        .collect();
    names.sort();
    let mut outcome = Outcome::default();
    for name in &names {
        let schema: Schema = serde_json::from_value(json(&models.join(format!("{name}.json")))).unwrap();
        let found = match rows(&schema, &json(&cases.join(name).join("assignment.json"))) {
            Ok(found) => found.into_iter().chain(of_rows(&models.join(format!("{name}.rows")))).collect::<Vec<_>>(),
            // An extension that the server lacked leaves its tables out of the model.
            Err(error) => {
                println!("not replayed: {name}: {error}");
                continue;
            }
        };
        outcome.rows_were_read = models.join(format!("{name}.rows")).exists();
        compare(name, &json(&cases.join(name).join("verdict.json")), &codes, &found, &mut outcome);
    }
    outcome.print();
    println!("{} cases, {}", names.len(), outcome.summary());
    assert!(!names.is_empty(), "no model in {} belongs to a case", models.display());
    assert!(outcome.false_alarms.is_empty() && outcome.misses.is_empty(), "the advisor and Citus disagree");
    assert!(outcome.other_codes.is_empty(), "blocked for another reason than Citus gives");
}
