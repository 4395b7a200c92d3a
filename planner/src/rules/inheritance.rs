//! See [`RULE`].

use super::support::{enumerate, name};
use super::{Check, Objection, TableCase};
use super::rule::declare_rule;
use crate::graph::TableId;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// The table inherits from another one, or another one inherits from it (`INHERITS`, not partitioning).
    ///
    /// ## Why on Citus
    ///
    /// Citus knows declarative partitioning only. Rows of an inheritance child are rows of the parent too, and Citus
    /// has no way to keep that across shards. Its message speaks of the kind of the table and does not mention
    /// inheritance.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE TABLE vehicle (id bigint);
    /// CREATE TABLE truck (axles int) INHERITS (vehicle);
    /// SELECT create_distributed_table('truck', 'id');
    /// ERROR:  truck is not a regular, foreign or partitioned table
    /// ```
    ///
    /// ## Use instead
    ///
    /// Make the parent a partitioned table and attach the children, or end the inheritance and treat the tables as
    /// independent ones.
    ///
    /// ## When to ignore
    ///
    /// Never for a table to be distributed; a tree that stays local may stay as it is, unless a foreign key to a
    /// reference table would make Citus manage it.
    ///
    /// ## Source
    ///
    /// `deparser/citus_ruleutils.c:EnsureRelationKindSupported`
    code: "CA102", name: "inheritance", level: Error, effect: Blocked,
    title: "the table takes part in inheritance",
    remediation: "Convert the tree to declarative partitioning, or end the inheritance.",
    source: "deparser/citus_ruleutils.c:EnsureRelationKindSupported",
    conversion: conversion,
    check: Check::Table { applies, word },
}

fn applies(layout: &Layout<'_>, case: &TableCase) -> bool {
    !layout.is_local(case.table) && layout.graph.is_in_inheritance(case.table)
}

fn word(layout: &Layout<'_>, case: &TableCase) -> Objection {
    let graph = layout.graph;
    let table = graph.table(case.table);
    let parents = table.inherits.iter().map(|parent| (table.name.to_string(), parent.to_string()));
    let children = graph.inheritance_children(case.table).iter();
    let links: Vec<(String, String)> =
        parents.chain(children.map(|&child| (name(layout, child).to_string(), table.name.to_string()))).collect();
    let detail: Vec<String> = links.iter().map(|(child, parent)| format!("{child} inherits from {parent}")).collect();
    let fix: Vec<String> =
        links.iter().map(|(child, parent)| format!("ALTER TABLE {child} NO INHERIT {parent};")).collect();
    Objection {
        message: format!("{} is not a regular, foreign or partitioned table", table.name.name),
        detail: Some(format!("{}. Citus supports declarative partitioning only.", enumerate(&detail))),
        hint: Some("Attach the children to a partitioned table instead, or end the inheritance: the parent then no \
                    longer shows the children's rows."
            .to_owned()),
        fix_sql: Some(fix.join("\n")),
    }
}

fn conversion(layout: &Layout<'_>, table: TableId, _: &dyn Fn(TableId) -> bool) -> Option<String> {
    layout.graph.is_in_inheritance(table).then(|| {
        format!(
            "cannot add local table \"{}\" to metadata, local tables added to metadata cannot be involved in \
             inheritance relationships",
            layout.graph.table(table).name.name
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::RelationName;

    #[test]
    fn refuses_both_ends() {
        let child = table("truck").columns("id bigint").with(|t| t.inherits = vec![RelationName::new("public", "vehicle")]);
        let schema = schema([table("vehicle").columns("id bigint"), child, table("road").columns("id bigint")]);
        let all = "vehicle: reference; truck: distributed id; road: reference";
        assert_eq!(found(&schema, all, "inheritance"), ["truck", "vehicle"]);
        assert!(found(&schema, "road: reference", "inheritance").is_empty());
        let fix = one(&schema, "truck: reference", "inheritance").fix_sql;
        assert_eq!(fix.as_deref(), Some("ALTER TABLE public.truck NO INHERIT public.vehicle;"));
    }
}
