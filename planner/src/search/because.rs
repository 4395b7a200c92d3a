//! One sentence for each table's role, with evidence that a person can check.

use super::cost::{CostModel, DATABASE};
use crate::backfill;
use crate::classes::ColumnClasses;
use crate::graph::{Edge, Graph, TableId};
use crate::identifier::quote_identifier;
use crate::layout::{Layout, Placement};
use crate::plan::{ForeignKeyFate, foreign_key_fate};
use crate::report::number::{count, percent};
use crate::schema::TableKind;

/// Why the table has its role.
pub fn because(
    layout: &Layout<'_>,
    classes: &ColumnClasses,
    model: &CostModel<'_, '_>,
    table: TableId,
    overridden: bool,
) -> String {
    let graph = layout.graph;
    if overridden {
        return "overridden".to_owned();
    }
    let share = || {
        if model.sizes_guessed || graph.bytes(table).is_none() && graph.rows(table).is_none() {
            String::new()
        } else {
            format!("{} of the data", percent(model.load(table), DATABASE))
        }
    };
    match layout.placement(table) {
        Placement::Distributed { column, group } => {
            let name = quote_identifier(&graph.column(table, column).name);
            if let Some(backfill) = graph.backfill(table, column) {
                return sentence(&[
                    share(),
                    format!(
                        "gets {name} over {}: with it its rows stay on the node of {}",
                        backfill::in_words(graph, backfill),
                        backfill.path(graph).first().map_or(String::new(), |e| graph.table(e.referenced).name.to_string())
                    ),
                ]);
            }
            let kept = |edge: &&Edge| kept(layout, edge);
            let partner = graph.outgoing(table).filter(kept).find(|e| {
                e.referenced != table
                    && e.columns.iter().any(|&(from, _)| from == column)
                    && layout.placement(e.referenced).group() == Some(group)
            });
            if let Some(edge) = partner {
                let referenced = &graph.table(edge.referenced).name;
                return sentence(&[
                    share(),
                    format!("references {referenced} on {name}: together their rows stay on one node"),
                ]);
            }
            let followers: Vec<TableId> = layout.members(group).into_iter().filter(|&t| t != table).collect();
            if classes.is_inferred(table, column) && !followers.is_empty() {
                return sentence(&[
                    share(),
                    format!(
                        "shares {name} with {}, inferred from the name: no foreign key says so",
                        names(graph, &followers)
                    ),
                ]);
            }
            let referenced_by = graph
                .incoming(table)
                .filter(kept)
                .filter(|e| layout.placement(e.referencing).group() == Some(group))
                .filter(|e| e.columns.iter().any(|&(_, to)| graph.root(e.referenced) == table && to == column))
                .map(|e| graph.root(e.referencing));
            let mut referenced_by: Vec<TableId> = referenced_by.filter(|&t| t != table).collect();
            referenced_by.sort_unstable();
            referenced_by.dedup();
            if !referenced_by.is_empty() {
                return sentence(&[
                    share(),
                    format!("{name} is what {} it by", verb(graph, &referenced_by, "references", "reference")),
                ]);
            }
            if followers.is_empty() {
                return sentence(&[
                    share(),
                    format!("no other table of the plan goes with it on {name}: a group of its own"),
                ]);
            }
            sentence(&[share(), format!("in one group with {} on {name}", names(graph, &followers))])
        }
        Placement::Reference => {
            let users: Vec<&Edge> =
                graph.incoming(table).filter(|e| !layout.is_local(e.referencing) && e.referencing != table).collect();
            // Best the foreign key that nothing but the copy could keep.
            let off_column = |e: &&&Edge| {
                let column = layout.placement(e.referencing).distribution_column();
                column.is_some_and(|c| e.columns.iter().all(|&(from, _)| from != c))
            };
            let distributed = users.iter().find(|e| layout.is_distributed(e.referencing));
            let Some(edge) = users.iter().find(off_column).or(distributed).or(users.first()) else {
                let named = model.inferred_relations().filter(|(_, entity)| entity.0 == table);
                let mut named = named.map(|(member, _)| member).filter(|m| layout.is_distributed(m.0));
                return match named.next() {
                    Some((other, column)) => sentence(&[
                        share(),
                        format!(
                            "{} points at it with {}, inferred from the name: a copy on every node keeps that join local",
                            graph.table(other).name,
                            quote_identifier(&graph.column(other, column).name)
                        ),
                    ]),
                    None => sentence(&[share(), "a copy on every node".into()]),
                };
            };
            let columns = edge.columns.iter().map(|&(from, _)| graph.column(edge.referencing, from).name.as_str());
            let columns = crate::identifier::quote_identifiers(columns);
            let from = graph.root(edge.referencing);
            let many = match users.len() {
                1 => String::new(),
                n => format!(" (and {})", count(n - 1, "more foreign key")),
            };
            let why = if off_column(&edge) {
                format!(
                    "{} references it on {columns}{many}, which is not its distribution column: a copy on every node keeps \
                     that foreign key",
                    graph.table(from).name
                )
            } else if layout.is_distributed(edge.referencing) {
                format!("{} references it on {columns}{many}: a copy on every node keeps that", graph.table(from).name)
            } else {
                format!(
                    "the reference table {} references it on {columns}{many}, and reference tables can only reference \
                     reference tables",
                    graph.table(from).name
                )
            };
            sentence(&[share(), why])
        }
        Placement::Local => local(layout, table, share()),
    }
}

fn local(layout: &Layout<'_>, table: TableId, share: String) -> String {
    let graph = layout.graph;
    let t = graph.table(table);
    let why = if t.kind == TableKind::Foreign {
        "a foreign table cannot be distributed".to_owned()
    } else if graph.is_in_inheritance(table) {
        "tables with inheritance cannot be distributed".to_owned()
    } else if graph.partitions(table).iter().any(|&p| graph.table(p).kind == TableKind::Partitioned) {
        "Citus does not distribute multi-level partitioned tables".to_owned()
    } else if graph.incoming(table).chain(graph.outgoing(table)).any(|e| e.referencing != e.referenced) {
        "distributing it would cost more foreign keys, keys or triggers than it would spread load".to_owned()
    } else {
        "nothing connects it with a distributed table, and spreading it by itself would gain little".to_owned()
    };
    sentence(&[share, why])
}

fn kept(layout: &Layout<'_>, edge: &Edge) -> bool {
    !matches!(foreign_key_fate(layout, edge).0, ForeignKeyFate::Lost { .. })
}

/// Joins what there is to say.
fn sentence(parts: &[String]) -> String {
    parts.iter().filter(|p| !p.is_empty()).cloned().collect::<Vec<_>>().join("; ")
}

fn names(graph: &Graph<'_>, tables: &[TableId]) -> String {
    match tables {
        [one] => graph.table(*one).name.to_string(),
        [one, two] => format!("{} and {}", graph.table(*one).name, graph.table(*two).name),
        [one, rest @ ..] => format!("{} and {}", graph.table(*one).name, count(rest.len(), "more table")),
        [] => String::new(),
    }
}

fn verb(graph: &Graph<'_>, tables: &[TableId], one: &str, many: &str) -> String {
    format!("{} {}", names(graph, tables), if tables.len() == 1 { one } else { many })
}
