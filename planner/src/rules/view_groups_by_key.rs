//! See [`RULE`].

use super::rule::declare_rule;
use super::support::with_readers;
use super::{Check, Objection, ObjectType, Report, Situation};
use crate::graph::Graph;
use crate::layout::Layout;
use crate::plan::{KeyFate, key_fate};
use crate::schema::{GroupedKey, View};

declare_rule! {
    /// ## What it is
    ///
    /// A view groups by the primary key of a table and selects other columns of it, and the plan widens or drops the key. Or it
    /// reads such a view.
    ///
    /// ## Why on Citus
    ///
    /// Not Citus' doing: PostgreSQL takes `GROUP BY id` for a grouping by all columns of the row as long as `(id)` is the
    /// primary key, and keeps the key for as long as the view is there. With `(tenant_id, id)` as the key the view can neither
    /// stay nor be created again as it was. The script drops it, and says what it was.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE VIEW totals AS SELECT o.id, o.number, sum(l.price) FROM orders o JOIN line l ON ... GROUP BY o.id;
    /// ALTER TABLE orders DROP CONSTRAINT orders_pkey, ADD PRIMARY KEY (tenant_id, id);
    /// ERROR:  cannot drop constraint orders_pkey on table orders because other objects depend on it
    /// ```
    ///
    /// ## Use instead
    ///
    /// Group by every column that is selected (`GROUP BY o.tenant_id, o.id, o.number`), before the migration: such a view
    /// stays.
    ///
    /// ## When to ignore
    ///
    /// Where nobody reads the view any more.
    ///
    /// ## Source
    ///
    /// `src/backend/catalog/pg_constraint.c:check_functional_grouping` of PostgreSQL
    code: "CA711", name: "view-groups-by-key", level: Warning, effect: Runtime,
    title: "the view needs a primary key that changes",
    remediation: "Group by every column that the view selects, before the migration.",
    source: "src/backend/catalog/pg_constraint.c:check_functional_grouping",
    check: Check::Layout(walk),
}

/// Positions of the views that could not be without a key that changes.
pub(super) fn seeds(layout: &Layout<'_>) -> Vec<usize> {
    let views = &layout.graph.schema.views;
    (0..views.len()).filter(|&v| changed_key(layout, &views[v]).is_some()).collect()
}

/// The key by which the view groups and which does not stay, if there is one.
fn changed_key<'a>(layout: &Layout<'a>, view: &'a View) -> Option<&'a GroupedKey> {
    view.groups_by.iter().find(|key| is_changed(layout.graph, layout, key))
}

fn is_changed(graph: &Graph<'_>, layout: &Layout<'_>, key: &GroupedKey) -> bool {
    let Some(table) = graph.find(&key.table) else { return false };
    let mut indexes = graph.table(table).indexes.iter();
    let index = indexes.find(|i| i.constraint.as_ref().is_some_and(|c| c.name == key.constraint));
    index.is_some_and(|index| key_fate(layout, table, index) != KeyFate::Kept)
}

fn walk(situation: &Situation<'_>, report: &mut Report<'_>) {
    let layout = &situation.layout;
    let views = &layout.graph.schema.views;
    for view in with_readers(layout, seeds(layout)).into_iter().map(|v| &views[v]) {
        let detail = match changed_key(layout, view) {
            Some(key) => format!("It groups by primary key \"{}\" of {}, which does not stay as it is.", key.constraint, key.table),
            None => "It reads a view that groups by a primary key which does not stay as it is.".to_owned(),
        };
        report(&view.name, ObjectType::View, &view.name.name, Objection {
            message: format!("the migration drops view {}", view.name),
            detail: Some(detail),
            hint: Some("Let it group by every column that it selects; then it stays.".to_owned()),
            fix_sql: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::{GroupedKey, RelationName, View};

    #[test]
    fn names_views_and_those_over_them_where_the_key_changes() {
        let n = |name: &str| RelationName::new("public", name);
        let view = |name: &str, reads: &str, grouped: bool| View {
            name: n(name),
            reads: vec![n(reads)],
            groups_by: grouped.then(|| GroupedKey { table: n("t"), constraint: "t_pkey".into() }).into_iter().collect(),
            ..View::default()
        };
        let mut schema = schema([table("t").columns("id bigint, tenant bigint").primary_key("id")]);
        schema.views = vec![view("a", "b", false), view("b", "t", true), view("c", "t", false)];
        let rule = "view-groups-by-key";
        assert_eq!(found(&schema, "t: distributed tenant", rule), ["a.a", "b.b"]);
        assert!(found(&schema, "t: distributed id", rule).is_empty());
        assert!(found(&schema, "t: reference", rule).is_empty());
        // Those that read it can be dropped first.
        let graph = crate::graph::Graph::new(&schema);
        let layout = crate::layout::Layout::from_assignment(&graph, &assignment("t: distributed tenant"), &["public".into()], "assignment");
        assert_eq!(crate::rules::lost_views(&layout.unwrap()), [0, 1]);
    }
}
