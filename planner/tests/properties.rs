//! What holds for every plan, tried on random schemas: overrides are kept, a plan passed back is itself, every loss has
//! its finding, and what the script makes is something that Citus accepts.

use std::collections::BTreeMap;

use citus_planner::Request;
use citus_planner::assignment::{Assignment, Role};
use citus_planner::graph::Graph;
use citus_planner::layout::Layout;
use citus_planner::plan::{ForeignKeyFate, KeyFate, Plan};
use citus_planner::report::{Format, render};
use citus_planner::rules::{Effect, ObjectType, judge};
use citus_planner::schema::*;
use serde_json::{Value, json};

/// Numbers that look random and are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) % n as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        &of[self.below(of.len())]
    }
}

/// Column names: few enough that tables share them.
const NAMES: [&str; 6] = ["id", "tenant_id", "user_id", "shop_id", "code", "Weird \"one\""];

fn column(name: &str, random: &mut Random) -> Value {
    let data_type = if random.one_in(8) { "pg_catalog.int4" } else { "pg_catalog.int8" };
    json!({"name": name, "type": data_type, "type_text": "bigint", "not_null": random.one_in(2)})
}

fn index(name: String, columns: &[&str], kind: Option<&str>, random: &mut Random) -> Value {
    let columns: Vec<Value> = columns.iter().map(|c| json!({"column": c, "text": c})).collect();
    let constraint = kind
        .map(|k| json!({"kind": k, "name": name, "definition": "", "deferrable": k == "unique" && random.one_in(4)}));
    json!({"name": name, "constraint": constraint, "unique": true, "columns": columns, "method": "btree", "definition": ""})
}

fn random_schema(random: &mut Random) -> Schema {
    let mut tables: Vec<Value> = Vec::new();
    let mut keys: Vec<Vec<Vec<&str>>> = Vec::new();
    for t in 0..1 + random.below(7) {
        let names: Vec<&str> = NAMES.iter().copied().filter(|_| !random.one_in(3)).collect();
        let names = if names.is_empty() { vec!["id"] } else { names };
        let columns: Vec<Value> = names.iter().map(|n| column(n, random)).collect();
        let mut indexes = Vec::new();
        let mut own_keys = Vec::new();
        if !random.one_in(5) {
            let key: Vec<&str> =
                if random.one_in(3) { names.iter().copied().take(2).collect() } else { vec![*random.pick(&names)] };
            indexes.push(index(format!("t{t}_pkey"), &key, Some("primary_key"), random));
            own_keys.push(key);
        }
        if random.one_in(2) {
            let key = vec![*random.pick(&names)];
            if !own_keys.contains(&key) {
                let made = index(format!("t{t}_key"), &key, Some("unique"), random);
                if made["constraint"]["deferrable"] == json!(false) {
                    own_keys.push(key);
                }
                indexes.push(made);
            }
        }
        let mut foreign_keys = Vec::new();
        for f in 0..random.below(4) {
            let to = random.below(t + 1);
            let Some(key) = (if to == t { own_keys.last() } else { keys[to].first() }).cloned() else { continue };
            let from: Vec<&str> = names.iter().copied().skip(random.below(2)).take(key.len()).collect();
            if from.len() < key.len() || (to == t && from == key) {
                continue;
            }
            let action = *random.pick(&["no_action", "no_action", "cascade", "set_null", "restrict"]);
            let update = *random.pick(&["no_action", "no_action", "cascade"]);
            foreign_keys.push(json!({
                "name": format!("t{t}_fk{f}"), "columns": from, "referenced": {"schema": "public", "name": format!("t{to}")},
                "referenced_columns": key, "on_delete": action, "on_update": update, "definition": "",
                "referenced_index": if to == t || key.is_empty() { Value::Null } else { json!(format!("t{to}_pkey")) },
            }));
        }
        let triggers: Vec<Value> = (0..usize::from(random.one_in(6)))
            .map(|_| json!({"name": "touch", "definition": "", "function": "public.touch()", "enabled": "O"}))
            .collect();
        let rows = if random.one_in(3) { Value::Null } else { json!(random.below(1_000_000)) };
        let bytes = rows.as_i64().map(|r| r * 80);
        keys.push(own_keys);
        tables.push(json!({
            "name": {"schema": "public", "name": format!("t{t}")}, "kind": "ordinary", "owner": "o", "persistence": "permanent",
            "rows": rows, "bytes": bytes, "columns": columns, "indexes": indexes, "foreign_keys": foreign_keys,
            "triggers": triggers, "access_method": "heap",
        }));
    }
    let number = |text| json!({"text": text, "kind": "base", "hash_class": true, "hash_function": true, "btree_class": true, "category": "N"});
    serde_json::from_value(json!({
        "model_version": MODEL_VERSION, "database": "d", "server_version": 150000, "citus_version": null,
        "schemas": ["public"], "tables": tables,
        "types": {"pg_catalog.int8": number("bigint"), "pg_catalog.int4": number("integer")},
    }))
    .unwrap()
}

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
    for round in 0..600 {
        let schema = random_schema(&mut random);
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

        // Whatever is lost or changed has a finding.
        for key in plan.keys.iter().filter(|k| k.fate != KeyFate::Kept) {
            let table = graph.table(key.table);
            let name = &table.indexes[key.index].name;
            let told = |f: &&_| said(f, &table.name, name);
            assert!(plan.findings.iter().find(told).is_some(), "{name}\n{}", context());
        }
        for foreign_key in plan.foreign_keys.iter().filter(|f| f.fate != ForeignKeyFate::Kept) {
            let edge = &graph.edges[foreign_key.edge];
            let name = &graph.foreign_key(edge).name;
            let told = |f: &&_| said(f, &graph.table(edge.referencing).name, name);
            assert!(plan.findings.iter().find(told).is_some(), "{name}\n{}", context());
        }

        // What the script makes is accepted: nothing blocked is left of keys, foreign keys and triggers.
        let after = migrated(&plan);
        let after_graph = Graph::new(&after);
        let layout = Layout::from_assignment(&after_graph, &assignment, &["public".to_owned()], "assignment").unwrap();
        let left: Vec<_> = judge(&layout)
            .into_iter()
            .filter(|f| f.effect == Effect::Blocked && !matches!(f.object_type, ObjectType::Table | ObjectType::Column))
            .collect();
        let distributable = plan
            .findings
            .iter()
            .all(|f| f.effect != Effect::Blocked || !matches!(f.object_type, ObjectType::Table | ObjectType::Column));
        assert!(left.is_empty() || !distributable, "{left:#?}\n{}", context());
        assert!(assignment.0.values().all(|e| e.role != Role::Distributed || e.column.is_some()));
    }
}

fn said(finding: &citus_planner::rules::Finding, relation: &RelationName, name: &str) -> bool {
    finding.relation == *relation && finding.object_name == name && finding.effect != Effect::Advice
}
