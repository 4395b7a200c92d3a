//! See [`RULE`].

use super::Check;
use super::rule::declare_rule;
use crate::graph::TableId;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// A local table must come under the management of Citus (a foreign key connects it with a reference table), was
    /// created with `OF type`, and has a constraint: a key, a check, or a foreign key to itself.
    ///
    /// ## Why on Citus
    ///
    /// Citus turns the local table into a shard and gives each of its constraints a new name. PostgreSQL does not let
    /// the constraints of a typed table be renamed.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE TABLE address OF address_type (PRIMARY KEY (id));
    /// ALTER TABLE address ADD FOREIGN KEY (country) REFERENCES country;   -- a reference table
    /// ERROR:  cannot rename column of typed table
    /// ```
    ///
    /// ## Use instead
    ///
    /// End the link to the type first, `ALTER TABLE ... NOT OF`: the columns stay.
    ///
    /// ## When to ignore
    ///
    /// Never: the foreign key is refused.
    ///
    /// ## Source
    ///
    /// `commands/citus_add_local_table_to_metadata.c:RenameShardRelationConstraints`
    code: "CA118", name: "typed-table-conversion", level: Error, effect: Blocked,
    title: "constraints of a typed table keep Citus from managing it",
    remediation: "ALTER TABLE ... NOT OF before the foreign key is added.",
    source: "commands/citus_add_local_table_to_metadata.c:RenameShardRelationConstraints",
    conversion: conversion,
    check: Check::Layout(|_, _| {}),
}

fn conversion(layout: &Layout<'_>, table: TableId, _: &dyn Fn(TableId) -> bool) -> Option<String> {
    let t = layout.graph.table(table);
    let to_itself = t.foreign_keys.iter().any(|f| f.referenced == t.name);
    let constraint_trigger = t.triggers.iter().any(|t| t.definition.starts_with("CREATE CONSTRAINT TRIGGER"));
    let named = !t.checks.is_empty() || t.indexes.iter().any(|i| i.constraint.is_some()) || to_itself || constraint_trigger;
    (t.of_type.is_some() && named).then(|| "cannot rename column of typed table".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::Table;

    #[test]
    fn stands_in_the_way_of_a_foreign_key() {
        let with = |change: fn(&mut Table)| {
            schema([
                table("r").columns("id bigint").primary_key("id"),
                table("a").columns("id bigint, r_id bigint").primary_key("id").foreign_key("fk", "r_id", "r(id)").with(change),
            ])
        };
        let typed = with(|t| t.of_type = Some("public.ty".into()));
        assert_eq!(blocked(&typed, "r: reference"), ["typed-table-conversion a.fk"]);
        assert!(blocked(&typed, "").is_empty());
        assert!(blocked(&typed, "r: reference; a: reference").is_empty());
        assert!(blocked(&with(|_| ()), "r: reference").is_empty());
        let without_constraint = with(|t| {
            t.of_type = Some("public.ty".into());
            t.indexes.clear();
        });
        assert!(blocked(&without_constraint, "r: reference").is_empty());
    }
}
