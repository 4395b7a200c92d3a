//! Judges real schemas under the plan and under crude assignments: `CORPUS_MODELS` is a directory of models
//! (`advisor.schema_model()`).

use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{env, fs};

use citus_planner::Request;
use citus_planner::graph::Graph;
use citus_planner::layout::{Layout, Placement};
use citus_planner::rules::{Effect, Finding, judge};
use citus_planner::schema::{ConstraintKind, Schema};

/// Everything in one group, each table by the first column of its primary key (or its first column).
fn distributed<'a>(graph: &'a Graph<'a>) -> Layout<'a> {
    let mut layout = Layout::local(graph);
    layout.groups.push("all".to_owned());
    for table in graph.planned_tables().collect::<Vec<_>>() {
        let t = graph.table(table);
        let is_primary = |k: ConstraintKind| k == ConstraintKind::PrimaryKey;
        let key = t.indexes.iter().find(|i| i.constraint.as_ref().is_some_and(|c| is_primary(c.kind)));
        let first = key.and_then(|i| i.columns[0].column.as_deref()).and_then(|c| graph.find_column(table, c));
        if !t.columns.is_empty() {
            layout.place(table, Placement::Distributed { column: first.unwrap_or(0), group: 0 });
        }
    }
    layout
}

fn reference<'a>(graph: &'a Graph<'a>) -> Layout<'a> {
    let mut layout = Layout::local(graph);
    for table in graph.planned_tables().collect::<Vec<_>>() {
        layout.place(table, Placement::Reference);
    }
    layout
}

#[test]
fn judges_real_schemas_quickly_and_alike() {
    let Ok(models) = env::var("CORPUS_MODELS").map(PathBuf::from) else {
        println!("skipped: CORPUS_MODELS names no directory of models");
        return;
    };
    let mut files: Vec<PathBuf> = fs::read_dir(models).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "json"));
    files.sort();
    for file in files {
        let schema: Schema = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let graph = Graph::new(&schema);
        let planned = citus_planner::plan(&graph, &Request::default(), &mut || ()).unwrap().layout;
        for (label, layout) in [
            ("planned", planned),
            ("local", Layout::local(&graph)),
            ("distributed", distributed(&graph)),
            ("reference", reference(&graph)),
        ] {
            let started = Instant::now();
            let findings = judge(&layout);
            let took = started.elapsed();
            assert_eq!(findings, judge(&layout), "{}: {label}", file.display());
            assert!(
                took < Duration::from_secs(if cfg!(debug_assertions) { 10 } else { 1 }),
                "{} {took:?}",
                file.display()
            );
            let blocked = findings.iter().filter(|f| f.effect == Effect::Blocked).count();
            println!(
                "{:<28} {label:<12} {:>5} tables {:>6} findings {blocked:>6} blocked {:>6} ms",
                file.file_stem().unwrap().to_string_lossy(),
                schema.tables.len(),
                findings.len(),
                took.as_millis()
            );
            assert!(label != "local" || blocked == 0, "{}: an objection to doing nothing", file.display());
            unique(&findings);
        }
    }
}

/// One row an object and rule.
fn unique(findings: &[Finding]) {
    let mut keys: Vec<_> = findings.iter().map(|f| (f.fingerprint(), f.object_type)).collect();
    let all = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), all, "two rows with one fingerprint");
}
