//! See [`RULE`].

use super::Check;
use super::rule::declare_rule;
use crate::graph::TableId;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// A local table must come under the management of Citus (a foreign key connects it with a reference table), and a
    /// materialized view larger than 1 GB reads it.
    ///
    /// ## Why on Citus
    ///
    /// Citus makes the local table anew, and the views over it. It does not do that with materialized views larger than
    /// `citus.max_matview_size_to_auto_recreate`.
    ///
    /// ## Example
    ///
    /// ```sql
    /// ALTER TABLE note ADD FOREIGN KEY (country) REFERENCES country;   -- a reference table
    /// ERROR:  size of the materialized view note_totals exceeds citus.max_matview_size_to_auto_recreate (currently 1024 MB)
    /// ```
    ///
    /// ## Use instead
    ///
    /// Raise the setting, or drop the view and create it again afterwards.
    ///
    /// ## When to ignore
    ///
    /// Where the setting is raised.
    ///
    /// ## Source
    ///
    /// `commands/alter_table.c:ErrorIfMatViewSizeExceedsTheLimit`
    code: "CA703", name: "matview-too-big", level: Error, effect: Blocked,
    title: "a large materialized view keeps Citus from managing the table",
    remediation: "Raise citus.max_matview_size_to_auto_recreate, or recreate the view by hand.",
    source: "commands/alter_table.c:ErrorIfMatViewSizeExceedsTheLimit",
    conversion: conversion,
    check: Check::Layout(|_, _| {}),
}

fn conversion(layout: &Layout<'_>, table: TableId, _: &dyn Fn(TableId) -> bool) -> Option<String> {
    const LIMIT: i64 = 1024 * 1024 * 1024;
    let name = &layout.graph.table(table).name;
    let views = layout.graph.schema.views.iter().filter(|v| v.materialized && v.reads.contains(name));
    views.into_iter().find(|v| v.bytes > Some(LIMIT)).map(|view| {
        format!(
            "size of the materialized view {} exceeds citus.max_matview_size_to_auto_recreate (currently 1024 MB)",
            view.name.name
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::{RelationName, View};

    #[test]
    fn stands_in_the_way_of_a_foreign_key() {
        let with = |bytes: i64| {
            let mut schema = schema([
                table("r").columns("id bigint").primary_key("id"),
                table("a").columns("r_id bigint").foreign_key("fk", "r_id", "r(id)"),
            ]);
            let name = RelationName::new("public", "m");
            let reads = vec![RelationName::new("public", "a")];
            schema.views.push(View { name, materialized: true, reads, bytes: Some(bytes), ..View::default() });
            schema
        };
        assert_eq!(blocked(&with(2 << 30), "r: reference"), ["matview-too-big a.fk"]);
        assert!(blocked(&with(1 << 20), "r: reference").is_empty());
    }
}
