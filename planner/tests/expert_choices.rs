//! What an expert would choose, written down before the planner was asked: `pgrx-tests/experts` has the choices and, for
//! schemas of our own, the schemas. `EXPERT_MODELS` is a directory of their models (`advisor.schema_model()`), made by
//! `pgrx-tests/experts/check`: `NAME.structure.json` without rows, `NAME.sizes.json` with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use citus_planner::Request;
use citus_planner::graph::{Graph, TableId};
use citus_planner::identifier::parse_qualified_name;
use citus_planner::layout::{Layout, Placement};
use citus_planner::schema::Schema;

/// What is wanted of a table.
#[derive(Clone, Debug, PartialEq)]
enum Wanted {
    /// By one of these columns, together with the others of the same paragraph.
    Distributed {
        columns: Vec<String>,
        paragraph: usize,
    },
    /// By whatever column.
    Spread,
    Reference,
    Local,
    /// Local or a reference table.
    Undistributed,
    /// Local or distributed: not copied.
    Unreplicated,
    Any,
}

/// A file of choices: lines of `KIND: tables` or `distributed COLUMN: tables`, with `with sizes` or `without sizes` in front
/// where it matters. A paragraph is a colocation group. `*` are all tables that have the column and are not named otherwise.
struct Choice {
    wanted: BTreeMap<TableId, Wanted>,
    /// Tables that are not named may be anything; else they must be named.
    rest: bool,
}

impl Choice {
    fn read(text: &str, graph: &Graph<'_>, sized: bool) -> Choice {
        let mut choice = Choice { wanted: BTreeMap::new(), rest: false };
        let mut stars: Vec<(String, Wanted)> = Vec::new();
        let mut paragraph = 0;
        for line in text.lines().filter(|l| !l.starts_with('#')) {
            let line = match (line.strip_prefix("with sizes "), line.strip_prefix("without sizes ")) {
                (Some(line), _) if sized => line,
                (_, Some(line)) if !sized => line,
                (None, None) => line,
                _ => continue,
            };
            let Some((kind, tables)) = line.split_once(": ") else {
                assert!(line.is_empty(), "not of the form KIND: tables: {line}");
                paragraph += 1;
                continue;
            };
            let wanted = match kind.split_once(' ').unwrap_or((kind, "")) {
                ("distributed", columns) => {
                    Wanted::Distributed { columns: columns.split('|').map(str::to_owned).collect(), paragraph }
                }
                ("spread", _) => Wanted::Spread,
                ("reference", _) => Wanted::Reference,
                ("local", _) => Wanted::Local,
                ("undistributed", _) => Wanted::Undistributed,
                ("unreplicated", _) => Wanted::Unreplicated,
                ("any", _) => Wanted::Any,
                ("rest", _) => {
                    choice.rest = true;
                    continue;
                }
                _ => panic!("unknown kind: {line}"),
            };
            for name in tables.split_whitespace() {
                if name == "*" {
                    stars.push((kind.split_once(' ').unwrap().1.to_owned(), wanted.clone()));
                } else {
                    choice.wanted.insert(find(graph, name), wanted.clone());
                }
            }
        }
        for (column, wanted) in stars {
            for table in graph.planned_tables().filter(|&t| graph.find_column(t, &column).is_some()) {
                choice.wanted.entry(table).or_insert_with(|| wanted.clone());
            }
        }
        choice
    }

    /// What the plan does otherwise, a line each.
    fn disagreements(&self, layout: &Layout<'_>) -> Vec<String> {
        let graph = layout.graph;
        let mut said = Vec::new();
        let mut groups: BTreeMap<usize, (usize, TableId)> = BTreeMap::new();
        for table in graph.planned_tables() {
            let name = &graph.table(table).name;
            let placement = layout.placement(table);
            let is = match placement {
                Placement::Distributed { .. } => {
                    format!("distributed by {}", layout.distribution_column_name(table).unwrap())
                }
                other => other.role().as_str().to_owned(),
            };
            let Some(wanted) = self.wanted.get(&table) else {
                if !self.rest {
                    said.push(format!("{name} is not named"));
                }
                continue;
            };
            let agrees = match wanted {
                Wanted::Distributed { columns, .. } => {
                    layout.distribution_column_name(table).is_some_and(|c| columns.iter().any(|w| w == c))
                }
                Wanted::Spread => placement.is_distributed(),
                Wanted::Reference => placement == Placement::Reference,
                Wanted::Local => placement == Placement::Local,
                Wanted::Undistributed => !placement.is_distributed(),
                Wanted::Unreplicated => placement != Placement::Reference,
                Wanted::Any => true,
            };
            if !agrees {
                said.push(format!("{name} is {is}, not {wanted:?}"));
                continue;
            }
            if let (Wanted::Distributed { paragraph, .. }, Some(group)) = (wanted, placement.group()) {
                let (first, other) = *groups.entry(*paragraph).or_insert((group, table));
                if first != group {
                    said.push(format!("{name} is not together with {}", graph.table(other).name));
                }
            }
        }
        said
    }
}

fn find(graph: &Graph<'_>, written: &str) -> TableId {
    let (schema, name) = parse_qualified_name(written).unwrap();
    let schema = schema.unwrap_or_else(|| "public".to_owned());
    let found =
        graph.planned_tables().find(|&t| graph.table(t).name.name == name && graph.table(t).name.schema == schema);
    found.unwrap_or_else(|| panic!("there is no table {written}"))
}

/// Every file of choices, by the name of its schema.
fn choices() -> BTreeMap<String, PathBuf> {
    let experts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pgrx-tests/experts");
    let folders = ["corpus", "schemas"].into_iter().map(|f| experts.join(f));
    let files = folders.flat_map(|f| fs::read_dir(f).unwrap()).map(|e| e.unwrap().path());
    let choices = files.filter(|f| f.extension().is_some_and(|e| e == "choice"));
    choices.map(|f| (f.file_stem().unwrap().to_string_lossy().into_owned(), f)).collect()
}

#[test]
fn the_plan_is_what_an_expert_would_choose() {
    let Ok(models) = env::var("EXPERT_MODELS").map(PathBuf::from) else {
        println!("skipped: EXPERT_MODELS names no directory of models");
        return;
    };
    let (mut agree, mut differ, mut absent) = (0, 0, 0);
    for (name, file) in choices() {
        let text = fs::read_to_string(file).unwrap();
        for sized in [true, false] {
            let how = if sized { "sizes" } else { "structure" };
            let Ok(model) = fs::read_to_string(models.join(format!("{name}.{how}.json"))) else {
                absent += 1;
                continue;
            };
            let schema: Schema = serde_json::from_str(&model).unwrap();
            let graph = Graph::new(&schema);
            let plan = citus_planner::plan(&graph, &Request::default(), &mut || ()).unwrap();
            assert_ne!(plan.search.as_ref().unwrap().sizes_guessed, sized, "{name}: sizes are not what they should be");
            let said = Choice::read(&text, &graph, sized).disagreements(&plan.layout);
            println!("{name:<20} {how:<10} {}", if said.is_empty() { "agrees" } else { "differs" });
            said.iter().for_each(|line| println!("    {line}"));
            if said.is_empty() { agree += 1 } else { differ += 1 }
        }
    }
    println!("{agree} agree, {differ} differ, {absent} have no model");
    assert!(agree + differ > 0, "no model was found");
    assert_eq!(differ, 0, "the plan is not what an expert would choose");
}
