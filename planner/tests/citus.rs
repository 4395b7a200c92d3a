//! Compares what the advisor said of random schemas with what a live Citus answered: `CITUS_CASES` is a directory of
//! cases that `pgrx-tests/citus/live.py` wrote, in the form of `../shared/oracle` with `rows.json` beside each verdict.

mod comparison;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use citus_planner::assignment::Assignment;
use citus_planner::audit::audit;
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

/// With `CITUS_REPLAY` the planner as it is here judges the models again, in the place of the extension that was asked.
fn replay(folder: &Path, verdict: &Value, asked: Vec<Row>) -> Vec<Row> {
    if env::var_os("CITUS_REPLAY").is_none() {
        return asked;
    }
    let schema: Schema = serde_json::from_value(json(&folder.join("model.json"))).unwrap();
    let graph = Graph::new(&schema);
    let mut assignment = Assignment::from_json(&json(&folder.join("assignment.json")), "assignment").unwrap();
    let from_rows =
        |table: &String| verdict["refused for rows"].as_array().is_some_and(|t| t.iter().any(|t| t == table));
    assignment.0.retain(|table, _| !from_rows(table));
    let layout = Layout::from_assignment(&graph, &assignment, &["public".to_owned()], "assignment").unwrap();
    let mut rows: Vec<Row> = judge(&layout).iter().map(Row::from).collect();
    rows.extend(
        asked.into_iter().filter(|r| from_rows(&r.relation) && ["table", "column"].contains(&r.object_type.as_str())),
    );
    rows
}

/// What the audit of the cluster calls refused, although it is there.
fn audited(folder: &Path, verdict: &Value) -> Vec<Row> {
    let mut rows: Vec<Row> =
        verdict["audit"].as_array().map(|rows| rows.iter().map(Row::from).collect()).unwrap_or_default();
    if env::var_os("CITUS_REPLAY").is_some() && folder.join("cluster.json").exists() {
        let schema: Schema = serde_json::from_value(json(&folder.join("cluster.json"))).unwrap();
        rows = audit(&Graph::new(&schema)).iter().map(Row::from).collect();
    }
    rows.retain(|r| r.effect == "blocked");
    rows
}

#[test]
fn says_what_a_live_citus_says() {
    let Ok(cases) = env::var("CITUS_CASES").map(PathBuf::from) else {
        println!("skipped: CITUS_CASES names no directory of cases");
        return;
    };
    // How rejections are called; without it only whether they are rejections is compared.
    let oracle = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/oracle");
    let names = env::var("ORACLE").map_or(oracle, PathBuf::from).join("codes.json");
    let codes = if names.exists() { codes(&json(&names)) } else { Vec::new() };
    let mut folders: Vec<PathBuf> = fs::read_dir(&cases).unwrap().map(|e| e.unwrap().path()).collect();
    folders.retain(|f| f.join("verdict.json").exists());
    folders.sort();
    let mut outcome = Outcome { rows_were_read: true, ..Outcome::default() };
    let mut rules: BTreeMap<String, usize> = BTreeMap::new();
    for folder in &folders {
        let verdict = json(&folder.join("verdict.json"));
        let rows: Vec<Row> = json(&folder.join("rows.json")).as_array().unwrap().iter().map(Row::from).collect();
        let rows = replay(folder, &verdict, rows);
        for row in rows.iter().filter(|r| r.effect == "blocked") {
            *rules.entry(row.name.clone()).or_default() += 1;
        }
        let name = folder.file_name().unwrap().to_string_lossy();
        for row in audited(folder, &verdict) {
            let what = format!("{name}: audit: {} {} of {}", row.object_type, row.object_name, row.relation);
            outcome.false_alarms.push(format!("{what}: {:?}", row.name));
        }
        compare(&name, &verdict, &codes, &rows, &mut outcome);
    }
    outcome.print();
    let rules: Vec<String> = rules.iter().map(|(name, count)| format!("{name} {count}")).collect();
    println!("rules that blocked: {}", rules.join(", "));
    println!("{} cases, {}", folders.len(), outcome.summary());
    assert!(outcome.false_alarms.is_empty() && outcome.misses.is_empty(), "the advisor and Citus disagree");
    assert!(outcome.other_codes.is_empty(), "blocked for another reason than Citus gives");
}
