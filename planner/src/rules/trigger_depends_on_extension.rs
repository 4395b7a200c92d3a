//! See [`RULE`].

use super::Check;
use super::rule::declare_rule;
use crate::graph::TableId;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// A local table has a trigger marked `DEPENDS ON EXTENSION` (or owned by one), and a foreign key connects the
    /// table with a reference table.
    ///
    /// ## Why on Citus
    ///
    /// Citus then takes the local table into its metadata and makes it anew, triggers included. It cannot make one that
    /// depends on an extension, and refuses the foreign key.
    ///
    /// ## Example
    ///
    /// ```sql
    /// ALTER TRIGGER office_touch ON office DEPENDS ON EXTENSION btree_gist;
    /// ALTER TABLE office ADD FOREIGN KEY (country) REFERENCES country;   -- a reference table
    /// ERROR:  trigger "office_touch" depends on an extension and this is not supported for distributed tables and local tables added to metadata
    /// ```
    ///
    /// ## Use instead
    ///
    /// `ALTER TRIGGER ... NO DEPENDS ON EXTENSION ...`, or drop the foreign key.
    ///
    /// ## When to ignore
    ///
    /// Never: the foreign key is refused.
    ///
    /// ## Source
    ///
    /// `commands/trigger.c:ErrorIfRelationHasUnsupportedTrigger`
    code: "CA502", name: "trigger-depends-on-extension", level: Error, effect: Blocked,
    title: "a trigger that depends on an extension keeps Citus from managing the table",
    remediation: "End the dependency (ALTER TRIGGER ... NO DEPENDS ON EXTENSION).",
    source: "commands/trigger.c:ErrorIfRelationHasUnsupportedTrigger",
    conversion: conversion,
    check: Check::Layout(|_, _| {}),
}

fn conversion(layout: &Layout<'_>, table: TableId, _: &dyn Fn(TableId) -> bool) -> Option<String> {
    let graph = layout.graph;
    let partitions = graph.descendants(table);
    let triggers = std::iter::once(table).chain(partitions).flat_map(|t| &graph.table(t).triggers);
    triggers.into_iter().find(|t| t.extension.is_some()).map(|trigger| {
        format!(
            "trigger \"{}\" depends on an extension and this is not supported for distributed tables and local tables \
             added to metadata",
            trigger.name
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn stands_in_the_way_of_a_foreign_key() {
        let office = |extension: Option<&str>| {
            let office = table("office").columns("country text").trigger("touch").foreign_key("fk", "country", "country(code)");
            schema([
                table("country").columns("code text").primary_key("code"),
                office.with(|t| t.triggers[0].extension = extension.map(String::from)),
            ])
        };
        assert_eq!(blocked(&office(Some("btree_gist")), "country: reference"), ["trigger-depends-on-extension office.fk"]);
        assert!(blocked(&office(Some("btree_gist")), "").is_empty());
        assert!(blocked(&office(None), "country: reference").is_empty());
    }
}
