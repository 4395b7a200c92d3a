//! One schema a tenant: found where it is so, and only there; what Citus would refuse of it is named.

use citus_planner::graph::Graph;
use citus_planner::plan::Plan;
use citus_planner::report::{self, Format};
use citus_planner::schema::Schema;
use citus_planner::{Request, plan};
use serde_json::{Value, json};

fn column(name: &str) -> Value {
    json!({ "name": name, "type": "pg_catalog.int8", "type_text": "bigint", "not_null": true })
}

fn table(schema: &str, name: &str, columns: &[&str]) -> Value {
    let key = json!({
        "name": format!("{name}_pkey"), "unique": true, "method": "btree", "definition": "",
        "constraint": { "kind": "primary_key", "name": format!("{name}_pkey"), "definition": "PRIMARY KEY (id)" },
        "columns": [{ "column": "id", "text": "id" }],
    });
    json!({
        "name": { "schema": schema, "name": name }, "kind": "ordinary", "owner": "o", "persistence": "permanent",
        "columns": columns.iter().map(|c| column(c)).collect::<Vec<_>>(), "indexes": [key], "foreign_keys": [],
    })
}

fn foreign_key(table: &mut Value, name: &str, column: &str, to: (&str, &str)) {
    table["foreign_keys"].as_array_mut().unwrap().push(json!({
        "name": name, "columns": [column], "referenced": { "schema": to.0, "name": to.1 }, "referenced_columns": ["id"],
        "definition": "",
    }));
}

/// Tenants with customers and orders, and plans that all share.
fn database(tenants: usize) -> Vec<Value> {
    let mut tables = vec![table("public", "plans", &["id"])];
    for tenant in 1..=tenants {
        let schema = format!("tenant_{tenant}");
        let mut customers = table(&schema, "customers", &["id", "plan_id"]);
        foreign_key(&mut customers, "customers_plan_id_fkey", "plan_id", ("public", "plans"));
        let mut orders = table(&schema, "orders", &["id", "customer_id"]);
        foreign_key(&mut orders, "orders_customer_id_fkey", "customer_id", (&schema, "customers"));
        tables.extend([customers, orders]);
    }
    tables
}

fn with_plan(mut tables: Vec<Value>, look: impl FnOnce(&Plan<'_>)) {
    tables.sort_by_key(|t| (t["name"]["schema"].to_string(), t["name"]["name"].to_string()));
    let mut schemas: Vec<String> = tables.iter().map(|t| t["name"]["schema"].as_str().unwrap().to_owned()).collect();
    schemas.dedup();
    let schema: Schema = serde_json::from_value(json!({
        "model_version": 1, "database": "d", "server_version": 150020, "schemas": schemas, "tables": tables,
        "types": { "pg_catalog.int8": {
            "text": "bigint", "kind": "base", "hash_class": true, "hash_function": true, "btree_class": true, "category": "N",
        } },
    }))
    .unwrap();
    let graph = Graph::new(&schema);
    look(&plan(&graph, &Request::default(), &mut || {}).unwrap());
}

#[test]
fn many_schemas_of_one_shape_are_distributed_as_schemas() {
    with_plan(database(4), |plan| {
        let found = plan.tenant_schemas.as_ref().unwrap();
        assert_eq!((found.schemas.len(), found.tables, found.refusals.len()), (4, 2, 0));
        assert_eq!(
            found.statements(plan.graph())[..2],
            ["SELECT create_reference_table('public.plans');", "SELECT citus_schema_distribute('tenant_1');"]
        );
        let text = report::render(plan, Format::Text).join("\n");
        assert!(text.contains("4 schemas have the same 2 tables: one schema a tenant"), "{text}");
        assert!(text.contains("SELECT citus_schema_distribute('tenant_4');"), "{text}");
    });
}

#[test]
fn two_schemas_or_different_ones_are_no_tenants() {
    with_plan(database(2), |plan| assert_eq!(plan.tenant_schemas, None));
    let different = (1..=4).map(|i| table(&format!("s{i}"), &format!("t{i}"), &["id"])).collect();
    with_plan(different, |plan| assert_eq!(plan.tenant_schemas, None));
    // Tables that are no tenant's outnumber theirs.
    let mut others = database(3);
    others.extend((1..=9).map(|i| table("app", &format!("t{i}"), &["id"])));
    with_plan(others, |plan| assert_eq!(plan.tenant_schemas, None));
}

#[test]
fn a_tenant_that_lags_behind_is_one_all_the_same() {
    let mut tables = database(5);
    let lagging =
        tables.iter_mut().find(|t| t["name"]["schema"] == "tenant_3" && t["name"]["name"] == "orders").unwrap();
    lagging["columns"].as_array_mut().unwrap().push(column("note"));
    with_plan(tables, |plan| {
        let found = plan.tenant_schemas.as_ref().unwrap();
        assert_eq!(found.schemas.len(), 5);
        assert_eq!(found.different, [("tenant_3".to_owned(), "with orders.note bigint".to_owned())]);
    });
}

#[test]
fn what_ties_tenants_together_is_named() {
    let mut tables = database(3);
    for t in &mut tables {
        if t["name"]["schema"] == "tenant_2" && t["name"]["name"] == "orders" {
            foreign_key(t, "crossing", "customer_id", ("tenant_1", "customers"));
            t["triggers"] = json!([{ "name": "audit", "definition": "", "function": "public.f", "enabled": "O" }]);
        }
        if t["name"]["name"] == "plans" {
            t["columns"].as_array_mut().unwrap().push(column("customer_id"));
            foreign_key(t, "inward", "customer_id", ("tenant_3", "customers"));
        }
    }
    with_plan(tables, |plan| {
        let refusals = &plan.tenant_schemas.as_ref().unwrap().refusals;
        let of = |name: &str| refusals.iter().find(|f| f.object_name == name).unwrap();
        assert!(of("crossing").message.starts_with("foreign keys from distributed schemas can only point"));
        assert_eq!(
            of("inward").message,
            "cannot create foreign keys to tables in a distributed schema from another schema"
        );
        assert_eq!(of("audit").fix_sql.as_deref(), Some("DROP TRIGGER audit ON tenant_2.orders;"));
        assert!(plan.findings.iter().any(|f| f.code == "CA119" && f.object_name == "crossing"));
    });
}
