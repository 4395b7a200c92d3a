//! Random schemas, the same in every run.

use citus_planner::schema::*;
use serde_json::{Value, json};

/// Numbers that look random and are the same in every run.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) % n as u64) as usize
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        &of[self.below(of.len())]
    }
}

/// Column names: few enough that tables share them.
const NAMES: [&str; 6] = ["id", "tenant_id", "user_id", "shop_id", "code", "Weird \"one\""];

fn column(name: &str, random: &mut Random) -> Value {
    let data_type = if random.one_in(8) { "pg_catalog.int4" } else { "pg_catalog.int8" };
    let mut column = json!({"name": name, "type": data_type, "type_text": "bigint", "not_null": random.one_in(2)});
    if random.one_in(3) {
        let distinct = *random.pick(&[-1.0, -0.25, 3.0, 90.0, 5_000.0]);
        let top = if random.one_in(3) { json!(random.below(29) as f64 / 32.0) } else { Value::Null };
        column["statistics"] = json!({
            "null_fraction": random.below(3) as f64 / 8.0, "n_distinct": distinct, "average_width": 8, "top_frequency": top,
            "correlation": random.below(17) as f64 / 8.0 - 1.0,
        });
    }
    if random.one_in(12) {
        column["sequences"] = json!([{"schema": "public", "name": "shared"}]);
    }
    column
}

fn index(name: String, columns: &[&str], kind: Option<&str>, random: &mut Random) -> Value {
    let columns: Vec<Value> = columns.iter().map(|c| json!({"column": c, "text": c})).collect();
    let constraint = kind
        .map(|k| json!({"kind": k, "name": name, "definition": "", "deferrable": k == "unique" && random.one_in(4)}));
    json!({"name": name, "constraint": constraint, "unique": true, "columns": columns, "method": "btree", "definition": ""})
}

/// How large a random schema is at most.
#[derive(Clone, Copy)]
pub struct Shape {
    pub tables: usize,
    pub columns: usize,
}

/// Tables with keys, foreign keys, triggers, sequences that they share, row types that they use, statistics, and statements
/// that join them; some of each.
pub fn random_schema(random: &mut Random, shape: Shape) -> Schema {
    let mut tables: Vec<Value> = Vec::new();
    let mut keys: Vec<Vec<Vec<&str>>> = Vec::new();
    for t in 0..1 + random.below(shape.tables) {
        let mut names: Vec<&str> = NAMES.iter().copied().filter(|_| !random.one_in(3)).collect();
        while names.len() > shape.columns {
            names.remove(random.below(names.len()));
        }
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
            "changes": if random.one_in(4) { json!(1_000 + random.below(1_000_000)) } else { Value::Null },
            "dependencies": if t > 0 && random.one_in(8) {
                json!([{"kind": "table", "name": format!("public.t{}", random.below(t)), "via": "default", "via_name": "id"}])
            } else {
                json!([])
            },
        }));
    }
    let number = |text| json!({"text": text, "kind": "base", "hash_class": true, "hash_function": true, "btree_class": true, "category": "N"});
    let workload = if random.one_in(3) { random_workload(&tables, random) } else { Value::Null };
    serde_json::from_value(json!({
        "workload": workload,
        "model_version": MODEL_VERSION, "database": "d", "server_version": 150000, "citus_version": null,
        "schemas": ["public"], "tables": tables,
        "types": {"pg_catalog.int8": number("bigint"), "pg_catalog.int4": number("integer")},
    }))
    .unwrap()
}

fn random_workload(tables: &[Value], random: &mut Random) -> Value {
    let columns =
        |t: &Value| -> Vec<Value> { t["columns"].as_array().unwrap().iter().map(|c| c["name"].clone()).collect() };
    let (mut joins, mut filters) = (Vec::new(), Vec::new());
    for _ in 0..random.below(4) {
        let (left, right) = (random.pick(tables).clone(), random.pick(tables).clone());
        let pair = json!([random.pick(&columns(&left)), random.pick(&columns(&right))]);
        joins.push(json!({
            "left": left["name"], "right": right["name"], "columns": [pair], "weight": random.below(300),
        }));
        let one = random.pick(tables).clone();
        let by = if random.one_in(3) { vec![] } else { vec![random.pick(&columns(&one)).clone()] };
        filters.push(json!({"relation": one["name"], "columns": by, "weight": random.below(300)}));
    }
    json!({"total": 1_000, "joins": joins, "filters": filters})
}
