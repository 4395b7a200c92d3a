//! See [`RULE`].

use super::{Check, Objection, TableCase};
use super::rule::declare_rule;
use crate::graph::TableId;
use crate::layout::Layout;
use crate::schema::TableKind;

declare_rule! {
    /// ## What it is
    ///
    /// The table is a foreign table (`CREATE FOREIGN TABLE`) and has role distributed or reference.
    ///
    /// ## Why on Citus
    ///
    /// Its rows live on another server; Citus could neither hash them nor keep copies of them. Citus can manage one as
    /// a local table, so that workers can read it through the coordinator.
    ///
    /// ## Example
    ///
    /// ```sql
    /// SELECT create_reference_table('remote_stock');
    /// ERROR:  foreign tables cannot be distributed
    /// ```
    ///
    /// ## Use instead
    ///
    /// Leave it local, or import its rows into an ordinary table and distribute that.
    ///
    /// ## When to ignore
    ///
    /// Never: the call fails.
    ///
    /// ## Source
    ///
    /// `commands/create_distributed_table.c:ErrorIfForeignTable`
    code: "CA103", name: "foreign-table", level: Error, effect: Blocked,
    title: "a foreign table cannot be distributed",
    remediation: "Leave it local, or import its rows into an ordinary table.",
    source: "commands/create_distributed_table.c:ErrorIfForeignTable",
    conversion: conversion,
    check: Check::Table { applies, word },
}

fn applies(layout: &Layout<'_>, case: &TableCase) -> bool {
    !layout.is_local(case.table) && layout.graph.table(case.table).kind == TableKind::Foreign
}

fn word(layout: &Layout<'_>, case: &TableCase) -> Objection {
    let name = &layout.graph.table(case.table).name;
    Objection {
        message: "foreign tables cannot be distributed".to_owned(),
        detail: Some(format!("{name} is a foreign table: its rows live on another server.")),
        hint: Some(format!(
            "Leave it local. Workers can read it through the coordinator after: SELECT \
             citus_add_local_table_to_metadata($${name}$$);"
        )),
        fix_sql: None,
    }
}

/// Citus would ask the remote server for a table with the name of a shard.
fn conversion(layout: &Layout<'_>, table: TableId, _: &dyn Fn(TableId) -> bool) -> Option<String> {
    let foreign = layout.graph.table(table).foreign.as_ref()?;
    let named = foreign.options.iter().any(|option| option.starts_with("table_name="));
    (foreign.wrapper == "postgres_fdw" && !named)
        .then(|| "table_name option must be provided when using postgres_fdw with Citus".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::TableKind;

    #[test]
    fn refuses_foreign_tables_that_do_not_stay_local() {
        let schema = schema([table("f").columns("id bigint").with(|t| t.kind = TableKind::Foreign)]);
        assert_eq!(found(&schema, "f: distributed id", "foreign-table"), ["f"]);
        assert_eq!(found(&schema, "f: reference", "foreign-table"), ["f"]);
        assert!(found(&schema, "", "foreign-table").is_empty());
    }
}
