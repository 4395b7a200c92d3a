//! One sentence for each table's role, with evidence that a person can check.

use std::collections::BTreeMap;

use super::cost::{CostModel, DATABASE};
use crate::backfill;
use crate::classes::ColumnClasses;
use crate::graph::{ColumnId, Edge, Graph, TableId};
use crate::identifier::quote_identifier;
use crate::layout::{Layout, Placement};
use crate::plan::{ForeignKeyFate, foreign_key_fate};
use crate::report::number::{count, percent};
use crate::schema::TableKind;

/// Why a table goes where a migration that was cut off wants it.
pub const BEGUN: &str =
    "a migration that is not finished places it so; overrides say otherwise, its way back undoes it";

/// What the reasons of all tables are drawn from.
pub struct Reasons<'r, 'a> {
    layout: &'r Layout<'a>,
    classes: &'r ColumnClasses,
    model: &'r CostModel<'r, 'a>,
    members: Vec<Vec<TableId>>,
    /// Relations that only names suggest, by the table that is named.
    named: BTreeMap<TableId, Vec<(TableId, ColumnId)>>,
}

impl<'r, 'a> Reasons<'r, 'a> {
    pub fn new(layout: &'r Layout<'a>, classes: &'r ColumnClasses, model: &'r CostModel<'r, 'a>) -> Self {
        let mut named: BTreeMap<TableId, Vec<(TableId, ColumnId)>> = BTreeMap::new();
        for (member, entity) in model.inferred_relations() {
            named.entry(entity.0).or_default().push(member);
        }
        Reasons { layout, classes, model, members: layout.members_by_group(), named }
    }

    /// Why the table has its role.
    pub fn of(&mut self, table: TableId, overridden: bool) -> String {
        because(self, table, overridden)
    }
}

fn because(reasons: &Reasons<'_, '_>, table: TableId, overridden: bool) -> String {
    let Reasons { layout, classes, model, .. } = reasons;
    let graph = layout.graph;
    if overridden {
        return "overridden".to_owned();
    }
    let share = || {
        if model.sizes_guessed() || graph.bytes(table).is_none() && graph.rows(table).is_none() {
            String::new()
        } else {
            // Where writes were counted, a third of what a table carries is its part of them.
            let of = if model.counts_writes() { "load" } else { "data" };
            format!("{} of the {of}", percent(model.load(table), DATABASE))
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
                        backfill
                            .path(graph)
                            .first()
                            .map_or(String::new(), |e| graph.table(e.referenced).name.to_string())
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
            let followers: Vec<TableId> =
                reasons.members[group].iter().copied().filter(|&t| t != table).take(FEW).collect();
            let followers_in_all = reasons.members[group].len() - 1;
            if classes.is_inferred(table, column) && !followers.is_empty() {
                return sentence(&[
                    share(),
                    format!(
                        "shares {name} with {}, inferred from the name: no foreign key says so",
                        names(graph, &followers, followers_in_all)
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
            sentence(&[share(), format!("in one group with {} on {name}", names(graph, &followers, followers_in_all))])
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
                let mut named = reasons.named.get(&table).into_iter().flatten().copied();
                return match named.find(|m| layout.is_distributed(m.0)) {
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

/// More tables than are named.
const FEW: usize = 3;

/// Names of tables, of which there are so many.
fn names(graph: &Graph<'_>, tables: &[TableId], all: usize) -> String {
    match (tables, all) {
        ([one, ..], 1) => graph.table(*one).name.to_string(),
        ([one, two, ..], 2) => format!("{} and {}", graph.table(*one).name, graph.table(*two).name),
        ([one, ..], all) => format!("{} and {}", graph.table(*one).name, count(all - 1, "more table")),
        ([], _) => String::new(),
    }
}

fn verb(graph: &Graph<'_>, tables: &[TableId], one: &str, many: &str) -> String {
    format!("{} {}", names(graph, tables, tables.len()), if tables.len() == 1 { one } else { many })
}
