//! The distribution that a cluster has, judged by the rules that judge a plan.

use crate::graph::Graph;
use crate::layout::{GroupId, Layout, Placement};
use crate::rules::{self, Effect, Finding, ObjectType};

/// Rules that speak of the act of distributing, which is over.
const OF_THE_ACT: [&str; 10] = [
    "already-distributed",
    "cluster-on",
    "many-partitions-locks",
    "not-owner",
    "convert-drops-dependents",
    "identity-reset-on-local-conversion",
    "bigint-sequence-jump",
    "fk-auto-local-conversion",
    "fk-cycle",
    "matview-conversion",
];

/// The layout of `pg_dist_partition`: a group is a colocation id. Tables with a single shard count as local.
pub fn layout<'a>(graph: &'a Graph<'a>) -> Layout<'a> {
    let mut layout = Layout::local(graph);
    for citus in &graph.schema.citus_tables {
        let Some(table) = graph.find(&citus.name).filter(|&t| !graph.is_partition(t)) else { continue };
        let column = citus.distribution_column.as_deref().and_then(|c| graph.find_column(table, c));
        let placement = match (citus.kind.as_str(), column) {
            ("reference", _) => Placement::Reference,
            ("distributed", Some(column)) => {
                Placement::Distributed { column, group: group(&mut layout, citus.colocation_id) }
            }
            _ => continue,
        };
        layout.place(table, placement);
    }
    layout
}

fn group(layout: &mut Layout<'_>, colocation_id: i64) -> GroupId {
    let label = format!("colocation {colocation_id}");
    layout.groups.iter().position(|g| *g == label).unwrap_or_else(|| {
        layout.groups.push(label);
        layout.groups.len() - 1
    })
}

/// What is wrong, or could be better, with the distribution that is there.
pub fn audit(graph: &Graph<'_>) -> Vec<Finding> {
    let layout = layout(graph);
    let of_single_shard = |name: &crate::schema::RelationName| {
        graph.schema.citus_tables.iter().any(|c| c.kind == "single_shard" && c.name == *name)
    };
    let references_single_shard = |finding: &Finding| {
        let key = graph
            .find(&finding.relation)
            .map(|t| graph.table(t))
            .and_then(|table| table.foreign_keys.iter().find(|k| k.name == finding.object_name));
        finding.object_type == ObjectType::ForeignKey && key.is_some_and(|k| of_single_shard(&k.referenced))
    };
    let mut findings = rules::judge(&layout);
    // The rows are in the shards already: nothing is copied any more that could fail.
    findings.retain(|f| {
        f.effect != Effect::Data
            && !OF_THE_ACT.contains(&f.name)
            && !of_single_shard(&f.relation)
            && !references_single_shard(f)
    });
    findings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::Schema;

    #[test]
    fn judges_what_is_there() {
        let table = |name: &str, column: &str| {
            json!({
                "name": {"schema": "public", "name": name}, "kind": "ordinary", "owner": "o", "persistence": "permanent",
                "columns": [{"name": column, "type": "pg_catalog.int8", "type_text": "bigint", "not_null": false}],
            })
        };
        let citus = |name: &str, kind: &str, column: Option<&str>, colocation: i64| {
            json!({
                "name": {"schema": "public", "name": name}, "kind": kind, "distribution_column": column,
                "colocation_id": colocation,
            })
        };
        let schema: Schema = serde_json::from_value(json!({
            "model_version": 1, "database": "d", "server_version": 150000, "citus_version": "13.2-1", "schemas": ["public"],
            "tables": [table("events", "event_id"), table("kinds", "kind_id"), table("users", "user_id")],
            "types": {"pg_catalog.int8": {"text": "bigint", "kind": "base", "hash_class": true, "hash_function": true,
                "btree_class": true}},
            "citus_tables": [
                citus("events", "distributed", Some("event_id"), 1),
                citus("kinds", "single_shard", None, 2),
                citus("users", "distributed", Some("user_id"), 1),
            ],
        }))
        .unwrap();
        let graph = Graph::new(&schema);
        let found: Vec<String> = audit(&graph).iter().map(|f| format!("{} {}", f.name, f.relation)).collect();
        assert!(found.contains(&"default-colocation-merge public.events".to_owned()), "{found:?}");
        assert!(!found.iter().any(|f| f.ends_with("kinds") || f.starts_with("distcol-null-data")), "{found:?}");
    }
}
