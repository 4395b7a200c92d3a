//! What holds for every plan, tried on random schemas: overrides are kept, a plan passed back is itself, every loss has
//! its finding, and what the script makes is something that Citus accepts.

mod random_schema;

use std::collections::{BTreeMap, BTreeSet};

use citus_planner::Request;
use citus_planner::assignment::{Assignment, Role};
use citus_planner::graph::Graph;
use citus_planner::layout::Layout;
use citus_planner::plan::{ForeignKeyFate, KeyFate, Plan};
use citus_planner::report::{Format, render};
use citus_planner::rules::{Effect, ObjectType, judge};
use citus_planner::schema::*;
use random_schema::{Random, Shape, random_schema};
use serde_json::json;

fn random_overrides(schema: &Schema, random: &mut Random) -> Assignment {
    let mut entries = BTreeMap::new();
    for table in &schema.tables {
        if !random.one_in(3) {
            continue;
        }
        let entry = match random.below(3) {
            0 => json!({"role": "local"}),
            1 => json!({"role": "reference"}),
            _ => json!({"role": "distributed", "column": random.pick(&table.columns).name}),
        };
        entries.insert(table.name.to_string(), entry);
    }
    Assignment::from_json(&json!(entries), "overrides").unwrap()
}

fn planned<'a>(graph: &'a Graph<'a>, overrides: &Assignment) -> Plan<'a> {
    let request = Request { overrides: overrides.clone(), search_path: vec!["public".into()], ..Request::default() };
    citus_planner::plan(graph, &request, &mut || ()).unwrap()
}

/// The schema as the script leaves it, as far as keys, foreign keys and triggers go.
fn migrated(plan: &Plan<'_>) -> Schema {
    let graph = plan.graph();
    let mut schema = graph.schema.clone();
    for key in &plan.keys {
        let index = &mut schema.tables[key.table.0].indexes[key.index];
        match key.fate {
            KeyFate::Kept => {}
            KeyFate::Widened { column } => {
                let name = graph.column(key.table, column).name.clone();
                index.columns.retain(|c| c.column.as_deref() != Some(&name));
                let first = IndexColumn { column: Some(name.clone()), text: name, ..index.columns[0].clone() };
                index.columns.insert(0, first);
            }
            // Marked, and taken out below: positions must hold until then.
            KeyFate::Lost { .. } => index.unique = false,
        }
    }
    for planned in &plan.foreign_keys {
        let edge = &graph.edges[planned.edge];
        let foreign_key = &mut schema.tables[edge.referencing.0].foreign_keys[edge.foreign_key];
        match &planned.fate {
            ForeignKeyFate::Kept => {}
            ForeignKeyFate::Widened { columns, on_update } => {
                foreign_key.columns =
                    columns.iter().map(|c| graph.column(edge.referencing, c.0).name.clone()).collect();
                foreign_key.referenced_columns =
                    columns.iter().map(|c| graph.column(edge.referenced, c.1).name.clone()).collect();
                foreign_key.on_update = *on_update;
            }
            ForeignKeyFate::Lost { .. } => foreign_key.name = "lost".to_owned(),
        }
    }
    for table in &mut schema.tables {
        table.indexes.retain(|i| i.unique);
        table.foreign_keys.retain(|f| f.name != "lost");
    }
    for lost in plan.lost_objects.iter().filter(|l| l.kind == ObjectType::Trigger) {
        schema.tables[lost.table.0].triggers.retain(|t| t.name != lost.name);
    }
    schema
}

#[test]
fn what_holds_for_every_plan() {
    let mut random = Random(7);
    let mut refusals = 0;
    for round in 0..600 {
        let schema = random_schema(&mut random, Shape { tables: 7, columns: 6 });
        let graph = Graph::new(&schema);
        let overrides = if round % 2 == 0 { Assignment::default() } else { random_overrides(&schema, &mut random) };
        let plan = planned(&graph, &overrides);
        let context = || format!("round {round}:\n{}", render(&plan, Format::Text).join("\n"));

        // The model survives JSON, and the same input gives the same bytes.
        let replayed: Schema = serde_json::from_str(&serde_json::to_string(&schema).unwrap()).unwrap();
        assert_eq!(replayed, schema);
        let again_graph = Graph::new(&replayed);
        let again = planned(&again_graph, &overrides);
        for format in [Format::Text, Format::Json, Format::Sql] {
            assert_eq!(render(&plan, format), render(&again, format), "{}", context());
        }

        // What is named is kept as named.
        let assignment = plan.layout.to_assignment();
        for (table, entry) in &overrides.0 {
            let kept = &assignment.0[table];
            assert_eq!((kept.role, &kept.column), (entry.role, &entry.column), "{}", context());
        }

        // Without overrides the search never chooses what Citus refuses outright.
        if overrides.0.is_empty() {
            let refused = plan.findings.iter().find(|f| {
                f.effect == Effect::Blocked && matches!(f.object_type, ObjectType::Table | ObjectType::Column)
            });
            assert!(refused.is_none(), "{refused:?}\n{}", context());
        }

        // A plan passed back is itself.
        let back = planned(&graph, &assignment);
        assert_eq!(back.layout.to_assignment(), assignment, "{}", context());

        // Whatever is lost or changed has a finding. Of a table that Citus refuses outright that is the finding; its objects,
        // and foreign keys to it, are judged when that is solved. Those of all other tables are.
        let of_a_table = |f: &&citus_planner::rules::Finding| {
            f.effect == Effect::Blocked && matches!(f.object_type, ObjectType::Table | ObjectType::Column)
        };
        let refused: BTreeSet<RelationName> =
            plan.findings.iter().filter(of_a_table).map(|f| f.relation.clone()).collect();
        refusals += refused.len();
        for key in plan.keys.iter().filter(|k| k.fate != KeyFate::Kept) {
            let table = graph.table(key.table);
            let name = &table.indexes[key.index].name;
            let told = plan.findings.iter().any(|f| said(f, &table.name, name));
            assert!(told || refused.contains(&table.name), "{name}\n{}", context());
        }
        for foreign_key in plan.foreign_keys.iter().filter(|f| f.fate != ForeignKeyFate::Kept) {
            let edge = &graph.edges[foreign_key.edge];
            let name = &graph.foreign_key(edge).name;
            let ends = [edge.referencing, edge.referenced].map(|t| &graph.table(t).name);
            let told = plan.findings.iter().any(|f| said(f, ends[0], name));
            assert!(told || ends.iter().any(|t| refused.contains(*t)), "{name}\n{}", context());
        }

        // What the script makes is accepted: nothing blocked is left of keys, foreign keys and triggers.
        let after = migrated(&plan);
        let after_graph = Graph::new(&after);
        let layout = Layout::from_assignment(&after_graph, &assignment, &["public".to_owned()], "assignment").unwrap();
        let stands = |f: &citus_planner::rules::Finding| {
            let references_refused = after_graph.edges.iter().any(|e| {
                after_graph.foreign_key(e).name == f.object_name
                    && after_graph.table(e.referencing).name == f.relation
                    && refused.contains(&after_graph.table(e.referenced).name)
            });
            !refused.contains(&f.relation) && !references_refused
        };
        let left: Vec<_> = judge(&layout)
            .into_iter()
            .filter(|f| f.effect == Effect::Blocked && !matches!(f.object_type, ObjectType::Table | ObjectType::Column))
            .filter(stands)
            .collect();
        assert!(left.is_empty(), "{left:#?}\n{}", context());
        assert!(assignment.0.values().all(|e| e.role != Role::Distributed || e.column.is_some()));
    }
    assert!(refusals > 0, "no override was refused, so nothing was tried beside one");
}

fn said(finding: &citus_planner::rules::Finding, relation: &RelationName, name: &str) -> bool {
    finding.relation == *relation && finding.object_name == name && finding.effect != Effect::Advice
}
