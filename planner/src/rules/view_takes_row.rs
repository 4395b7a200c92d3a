//! See [`RULE`].

use super::circular_dependency::lead_back;
use super::rule::declare_rule;
use super::support::{name, with_readers};
use super::{Check, Objection, ObjectType, Report, Situation};
use crate::graph::TableId;
use crate::layout::Layout;
use crate::schema::{RelationName, View};

declare_rule! {
    /// ## What it is
    ///
    /// A view calls a function that takes or returns rows of a table that it reads (or that this one depends on), or of one
    /// that stays local. Or it reads such a view.
    ///
    /// ## Why on Citus
    ///
    /// Citus takes the functions of a view for something that the tables beneath it need, and creates what a table needs
    /// before the table: that is a circle. Nor would the view work: on a worker the rows are of a shard, whose type is
    /// not the one that the function takes. The script drops it, and says what it was.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE FUNCTION without_password(person) RETURNS person ...;
    /// CREATE VIEW everybody AS SELECT (without_password(p)).name FROM person p;
    /// SELECT create_reference_table('person');
    /// ERROR:  Citus can not handle circular dependencies between distributed objects
    /// DETAIL:  "table person" circularly depends itself, resolve circular dependency first
    /// ```
    ///
    /// ## Use instead
    ///
    /// A function of the columns it needs, or the expression itself, before the migration: such a view stays.
    ///
    /// ## When to ignore
    ///
    /// Where nobody reads the view any more.
    ///
    /// ## Source
    ///
    /// `metadata/metadata_sync.c:GetDependentFunctionsWithRelation`, `metadata/dependency.c:ExpandCitusSupportedTypes`
    code: "CA712", name: "view-takes-row", level: Warning, effect: Runtime,
    title: "the view calls a function on rows of a table",
    remediation: "Let the function take the columns that it needs instead of the row, before the migration.",
    source: "metadata/metadata_sync.c:GetDependentFunctionsWithRelation",
    check: Check::Layout(walk),
}

/// Positions of the views that keep Citus from taking a table that they read.
pub(super) fn seeds(layout: &Layout<'_>) -> Vec<usize> {
    let views = &layout.graph.schema.views;
    if views.iter().all(|view| view.takes_rows_of.is_empty()) {
        return Vec::new();
    }
    let situation = Situation::new(layout);
    let is_lost = |v: &usize| in_the_way(&situation, &views[*v]).is_some_and(|(table, _)| is_to_come(&situation, table));
    (0..views.len()).filter(is_lost).collect()
}

/// A table that Citus cannot take for the functions of the view, first those that it does not have, and the one whose rows
/// they need.
fn in_the_way<'a>(situation: &Situation<'a>, view: &'a View) -> Option<(TableId, &'a RelationName)> {
    let layout = &situation.layout;
    let find = |name: &RelationName| layout.graph.find(name);
    let mut read: Vec<TableId> = view.reads.iter().filter_map(find).filter(|&t| situation.is_known(t)).collect();
    read.sort_by_key(|&table| !is_to_come(situation, table));
    read.into_iter().find_map(|table| {
        let is_bad = |other: TableId| layout.is_local(other) || lead_back(layout, vec![other], table);
        Some((table, view.takes_rows_of.iter().find(|taken| find(taken).is_none_or(is_bad))?))
    })
}

fn is_to_come(situation: &Situation<'_>, table: TableId) -> bool {
    situation.layout.graph.citus_table(table).is_none()
}

fn walk(situation: &Situation<'_>, report: &mut Report<'_>) {
    let layout = &situation.layout;
    let views = &layout.graph.schema.views;
    let lost = seeds(layout);
    let seen = (0..views.len()).filter(|&v| lost.contains(&v) || in_the_way(situation, &views[v]).is_some());
    let all = with_readers(layout, seen.collect());
    let lost = with_readers(layout, lost);
    for v in all {
        let view = &views[v];
        let message = if lost.contains(&v) {
            format!("the migration drops view {}", view.name)
        } else {
            format!("view {} calls a function on rows of a shard", view.name)
        };
        let detail = match in_the_way(situation, view) {
            Some((read, taken)) => {
                let read = name(layout, read);
                format!("It reads {read} and calls a function that needs rows of {taken}: Citus does not take {read} while such a view is there.")
            }
            None => "It reads a view that calls a function on rows of a table.".to_owned(),
        };
        report(&view.name, ObjectType::View, &view.name.name, Objection {
            message,
            detail: Some(detail),
            hint: Some("Let the function take the columns that it needs instead of the row; then the view stays.".to_owned()),
            fix_sql: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::{RelationName, View};

    #[test]
    fn names_views_whose_functions_take_rows_and_those_over_them() {
        let n = |name: &str| RelationName::new("public", name);
        let view = |name: &str, reads: &str, taken: &[&str]| View {
            name: n(name),
            reads: vec![n(reads)],
            takes_rows_of: taken.iter().map(|t| n(t)).collect(),
            ..View::default()
        };
        let mut schema = schema([table("t").columns("id bigint"), table("u").columns("id bigint")]);
        schema.views = vec![view("a", "b", &[]), view("b", "t", &["t"]), view("c", "t", &["u"]), view("d", "t", &[])];
        let rule = "view-takes-row";
        assert_eq!(found(&schema, "t: distributed id; u: reference", rule), ["a.a", "b.b"]);
        assert_eq!(found(&schema, "t: reference", rule), ["a.a", "b.b", "c.c"]);
        assert!(found(&schema, "u: reference", rule).is_empty());
    }
}
