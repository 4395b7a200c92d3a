//! See [`RULE`].

use super::support::{enumerate, name, size};
use super::view_mixed::tables_read;
use super::{Check, Objection, ObjectType, Report, Situation};
use super::rule::declare_rule;

declare_rule! {
    /// ## What it is
    ///
    /// A materialized view reads a table that becomes distributed or a reference table.
    ///
    /// ## Why on Citus
    ///
    /// Materialized views are never distributed. REFRESH pulls its rows to the coordinator, and workers do not know it.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE MATERIALIZED VIEW top_site AS SELECT ... FROM event ...;   -- event distributed
    /// ```
    ///
    /// ## Use instead
    ///
    /// A distributed rollup table that is filled by INSERT ... SELECT.
    ///
    /// ## When to ignore
    ///
    /// Where it is small and read through the coordinator.
    ///
    /// ## Source
    ///
    /// `commands/view.c`
    code: "CA702", name: "matview", level: Info, effect: Silent,
    title: "the materialized view stays on the coordinator",
    remediation: "Use a distributed rollup table where it is large.",
    source: "commands/view.c",
    check: Check::Layout(walk),
}

fn walk(situation: &Situation<'_>, report: &mut Report<'_>) {
    let views = &situation.layout.graph.schema.views;
    for view in views.iter().filter(|v| v.materialized) {
        let tables = tables_read(&situation.layout, view);
        let known: Vec<String> = tables
            .iter()
            .filter(|&&t| !situation.layout.is_local(t))
            .map(|&t| name(&situation.layout, t).to_string())
            .collect();
        if known.is_empty() {
            continue;
        }
        let size = view.bytes.map(|b| format!(" It has {}.", size(b))).unwrap_or_default();
        report(&view.name, ObjectType::View, &view.name.name, Objection {
            message: format!("materialized view {} stays on the coordinator", view.name),
            detail: Some(format!("It reads {}; REFRESH brings the rows to the coordinator.{size}", enumerate(&known))),
            hint: None,
            fix_sql: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::{RelationName, View};

    #[test]
    fn tells_of_materialized_views() {
        let mut schema = schema([table("d").columns("id bigint")]);
        let name = RelationName::new("public", "m");
        let reads = vec![RelationName::new("public", "d")];
        schema.views.push(View { name, materialized: true, reads, bytes: Some(16384), ..View::default() });
        assert_eq!(found(&schema, "d: distributed id", "matview"), ["m.m"]);
        assert!(found(&schema, "", "matview").is_empty());
    }
}
