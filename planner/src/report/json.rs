//! The whole plan as one JSON document, for programs.

use serde_json::{Value, json};

use crate::backfill::sql;
use crate::graph::{ColumnId, Edge, Graph, TableId};
use crate::plan::{ForeignKeyFate, KeyFate, Plan, PlannedBackfill, SearchOutcome};
use crate::rules::ObjectType;
use crate::search::cost::{Cost, DATABASE, POINT, Subject};

/// Raised when a reader must know that fields changed their meaning.
const FORMAT_VERSION: u32 = 1;

pub fn render(plan: &Plan<'_>) -> Value {
    let graph = plan.graph();
    let names = |ids: Vec<TableId>| ids.into_iter().map(|t| graph.table(t).name.to_string()).collect::<Vec<_>>();
    json!({
        "format_version": FORMAT_VERSION,
        "database": graph.schema.database,
        "citus_version": graph.citus.to_string(),
        "assignment": plan.layout.to_assignment(),
        "search": plan.search.as_ref().map(|s| json!({
            "proven": s.proven,
            "layouts": s.layouts,
            "sizes_guessed": s.sizes_guessed,
            "decided_by_name": s.decided_by_name,
        })),
        "workload": graph.schema.workload.as_ref().map(|w| json!({ "joins": w.joins.len(), "filters": w.filters.len() })),
        "no_workload": graph.schema.no_workload,
        "tenant_schemas": plan.tenant_schemas.as_ref().map(|t| json!({
            "verdict": "schema-based sharding",
            "schemas": t.schemas,
            "tables_each": t.tables,
            "different": t.different.iter().map(|(s, how)| json!({ "schema": s, "difference": how })).collect::<Vec<_>>(),
            "reference_tables": names(t.shared.clone()),
            "statements": t.statements(graph),
        })),
        "cost": plan.search.as_ref().map(|s| cost(plan, s)),
        "groups": plan.layout.groups.iter().enumerate().map(|(id, label)| json!({
            "label": label,
            "tables": names(plan.layout.members(id)),
        })).collect::<Vec<_>>(),
        "tables": plan.tables.iter().map(|t| {
            let placement = plan.layout.placement(t.table);
            json!({
                "relation": graph.table(t.table).name.to_string(),
                "role": placement.role(),
                "distribution_column": plan.layout.distribution_column_name(t.table),
                "colocation_group": placement.group().map(|g| &plan.layout.groups[g]),
                "rows": t.rows,
                "bytes": t.bytes,
                "overridden": t.overridden,
                "because": t.because,
            })
        }).collect::<Vec<_>>(),
        "foreign_keys": plan.foreign_keys.iter().map(|f| {
            let edge = &graph.edges[f.edge];
            let mut value = json!({
                "relation": graph.table(edge.referencing).name.to_string(),
                "name": graph.foreign_key(edge).name,
                "referenced": graph.table(edge.referenced).name.to_string(),
            });
            let (fate, columns, code) = match &f.fate {
                ForeignKeyFate::Kept => ("kept", &edge.columns, None),
                ForeignKeyFate::Widened { columns, .. } => ("widened", columns, None),
                ForeignKeyFate::Lost { code } => ("lost", &edge.columns, Some(*code)),
            };
            value["fate"] = json!(fate);
            value["code"] = json!(code);
            value["columns"] = json!(columns.iter().map(|c| column(graph, edge.referencing, c.0)).collect::<Vec<_>>());
            value["referenced_columns"] =
                json!(columns.iter().map(|c| column(graph, edge.referenced, c.1)).collect::<Vec<_>>());
            value
        }).collect::<Vec<_>>(),
        "keys": plan.keys.iter().map(|k| {
            let index = &graph.table(k.table).indexes[k.index];
            let (fate, added, code) = match k.fate {
                KeyFate::Kept => ("kept", None, None),
                KeyFate::Widened { column: added } => ("widened", Some(column(graph, k.table, added)), None),
                KeyFate::Lost { code } => ("lost", None, Some(code)),
            };
            json!({
                "relation": graph.table(k.table).name.to_string(),
                "name": index.name,
                "kind": ObjectType::of_index(index),
                "fate": fate,
                "added_column": added,
                "code": code,
            })
        }).collect::<Vec<_>>(),
        "backfills": plan.backfills.iter().map(|b| backfill(plan, b)).collect::<Vec<_>>(),
        "bytes_backfilled": plan.bytes_backfilled(),
        "issues": plan.reported().map(|f| {
            let mut value = json!(f);
            value["relation"] = json!(f.relation.to_string());
            value["fingerprint"] = json!(f.fingerprint());
            value
        }).collect::<Vec<_>>(),
        "issues_ignored": plan.findings.len() - plan.reported().count(),
        "not_seen": graph.schema.unseen,
    })
}

/// A column that a table gets: what it is, over which foreign keys it is filled, with which statement.
fn backfill(plan: &Plan<'_>, planned: &PlannedBackfill) -> Value {
    let graph = plan.graph();
    let backfill = plan.backfill(planned);
    let step = |edge: &Edge| {
        json!({
            "relation": graph.table(edge.referencing).name.to_string(),
            "foreign_key": graph.foreign_key(edge).name,
            "columns": graph.foreign_key(edge).columns,
            "referenced": graph.table(edge.referenced).name.to_string(),
            "referenced_columns": graph.foreign_key(edge).referenced_columns,
        })
    };
    json!({
        "relation": graph.table(planned.table).name.to_string(),
        "column": backfill.column.name,
        "type": backfill.column.type_text,
        "path": backfill.path(graph).into_iter().map(step).collect::<Vec<_>>(),
        "copies": {
            "relation": graph.table(backfill.source.0).name.to_string(),
            "column": column(graph, backfill.source.0, backfill.source.1),
        },
        "other_ways": backfill.rivals().iter().map(|w| &graph.foreign_key(&graph.edges[w.edge]).name).collect::<Vec<_>>(),
        "every_row_gets_a_value": backfill.is_certain,
        "bytes": planned.bytes,
        "statement": format!("{};", sql::fill(&plan.layout, backfill)),
    })
}

/// What the layout costs, in points of which the load of the database is a thousand: every number, and what it is for.
fn cost(plan: &Plan<'_>, search: &SearchOutcome) -> Value {
    let graph = plan.graph();
    let relation = |t: TableId| graph.table(t).name.to_string();
    json!({
        "points": points(search.price.total()),
        "bound": points(search.bound),
        "everything_local": points(search.baseline),
        "database": points(DATABASE),
        "one_foreign_key": points(search.foreign_key_worth),
        "terms": search.price.by_term().into_iter().map(|(term, cost)| json!({
            "term": term, "points": points(cost),
        })).collect::<Vec<_>>(),
        "charges": search.price.charges.iter().map(|charge| {
            let mut value = json!({"term": charge.term, "points": points(charge.cost)});
            match charge.subject {
                Subject::Layout => {}
                Subject::Group(group) => value["group"] = json!(plan.layout.groups[group]),
                Subject::Table(table) => value["relation"] = json!(relation(table)),
                Subject::ForeignKey(edge) => {
                    let edge = &graph.edges[edge];
                    value["relation"] = json!(relation(edge.referencing));
                    value["foreign_key"] = json!(graph.foreign_key(edge).name);
                }
                Subject::Relation(from, to) => {
                    value["relation"] = json!(relation(from));
                    value["related"] = json!(relation(to));
                }
            }
            value
        }).collect::<Vec<_>>(),
    })
}

fn points(cost: Cost) -> f64 {
    cost as f64 / POINT as f64
}

fn column<'g>(graph: &'g Graph<'_>, table: TableId, column: ColumnId) -> &'g str {
    &graph.column(table, column).name
}
