//! See [`RULE`].

use std::collections::BTreeSet;

use super::support::{enumerate, keep_as_reference, name};
use super::{Check, Objection, ObjectType, Report, Situation};
use super::rule::declare_rule;
use crate::graph::TableId;
use crate::layout::Layout;
use crate::schema::View;

declare_rule! {
    /// ## What it is
    ///
    /// A view reads both tables that Citus knows and tables that stay local.
    ///
    /// ## Why on Citus
    ///
    /// Citus creates a view on the workers when everything it reads is in its metadata. A view that also reads a local
    /// table stays on the coordinator: an application connected to a worker does not find it.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE VIEW sale_memo AS SELECT ... FROM sale JOIN memo ...;   -- sale distributed, memo local
    /// -- on a worker: ERROR:  relation "sale_memo" does not exist
    /// ```
    ///
    /// ## Use instead
    ///
    /// Make the local tables reference tables.
    ///
    /// ## When to ignore
    ///
    /// Where every client connects to the coordinator.
    ///
    /// ## Source
    ///
    /// `commands/view.c:PostprocessViewStmt`
    code: "CA701", name: "view-mixed", level: Info, effect: Silent,
    title: "the view exists on the coordinator only",
    remediation: "Make the local tables that it reads reference tables.",
    source: "commands/view.c:PostprocessViewStmt",
    check: Check::Layout(walk),
}

/// Tables that a view reads, through other views too.
pub(super) fn tables_read(layout: &Layout<'_>, view: &View) -> Vec<TableId> {
    let graph = layout.graph;
    let (mut seen, mut tables) = (BTreeSet::new(), BTreeSet::new());
    let mut open: Vec<_> = view.reads.iter().collect();
    while let Some(name) = open.pop() {
        if let Some(table) = graph.find(name) {
            tables.insert(table);
        } else if seen.insert(name) {
            open.extend(graph.schema.views.iter().filter(|v| v.name == *name).flat_map(|v| &v.reads));
        }
    }
    tables.into_iter().collect()
}

fn walk(situation: &Situation<'_>, report: &mut Report<'_>) {
    let views = &situation.layout.graph.schema.views;
    for view in views.iter().filter(|v| !v.materialized) {
        let tables = tables_read(&situation.layout, view);
        let local: Vec<&TableId> = tables.iter().filter(|&&t| !situation.is_known(t)).collect();
        if local.is_empty() || local.len() == tables.len() {
            continue;
        }
        let names: Vec<String> = local.iter().map(|&&t| name(&situation.layout, t).to_string()).collect();
        report(&view.name, ObjectType::View, &view.name.name, Objection {
            message: format!("view {} is not created on the workers", view.name),
            detail: Some(format!("Beside tables of Citus it reads {}, which stays local.", enumerate(&names))),
            hint: keep_as_reference(&situation.layout, *local[0]),
            fix_sql: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::{RelationName, View};

    #[test]
    fn tells_mixed_views_from_others() {
        let mut schema = schema([table("d").columns("id bigint"), table("l").columns("id bigint")]);
        let n = |name: &str| RelationName::new("public", name);
        let view = |name: &str, reads: &[&str]| View {
            name: n(name),
            materialized: false,
            reads: reads.iter().map(|r| n(r)).collect(),
            ..View::default()
        };
        schema.views = vec![view("a", &["d"]), view("b", &["a", "l"]), view("c", &["l"])];
        assert_eq!(found(&schema, "d: distributed id", "view-mixed"), ["b.b"]);
        assert!(found(&schema, "d: distributed id; l: reference", "view-mixed").is_empty());
    }
}
