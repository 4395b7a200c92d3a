//! See [`RULE`].

use super::support::name;
use super::{Check, Objection, TableCase};
use super::rule::declare_rule;
use crate::graph::TableId;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// The table, or a partition of it, uses a table access method that was made by hand (`CREATE ACCESS METHOD`) and
    /// belongs to no extension.
    ///
    /// ## Why on Citus
    ///
    /// Citus creates extensions on the workers, and with them their access methods (columnar, say). One made by hand
    /// exists on the coordinator only, and the shards cannot be created.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE ACCESS METHOD heap_copy TYPE TABLE HANDLER heap_tableam_handler;
    /// CREATE TABLE ledger (book_id bigint) USING heap_copy;
    /// SELECT create_distributed_table('ledger', 'book_id');
    /// ERROR:  access method "heap_copy" does not exist
    /// ```
    ///
    /// ## Use instead
    ///
    /// Use heap or the access method of an extension.
    ///
    /// ## When to ignore
    ///
    /// Where the access method was created on every worker by hand first.
    ///
    /// ## Source
    ///
    /// `commands/create_distributed_table.c:CreateCitusTable`
    code: "CA110", name: "custom-access-method", level: Error, effect: Blocked,
    title: "the table uses an access method that the workers do not have",
    remediation: "Use heap, or an access method that belongs to an extension.",
    source: "commands/create_distributed_table.c:CreateCitusTable",
    conversion: conversion,
    check: Check::Table { applies, word },
}

fn applies(layout: &Layout<'_>, case: &TableCase) -> bool {
    !layout.is_local(case.table) && culprit(layout, case.table).is_some()
}

fn culprit<'a>(layout: &Layout<'a>, table: TableId) -> Option<(TableId, &'a str)> {
    let graph = layout.graph;
    let by_hand = |t: TableId| match &graph.table(t).access_method {
        Some(method) if method != "heap" && graph.table(t).access_method_extension.is_none() => Some((t, method.as_str())),
        _ => None,
    };
    by_hand(table).or_else(|| {
        if graph.partitions(table).is_empty() { None } else { graph.descendants(table).into_iter().find_map(by_hand) }
    })
}

fn word(layout: &Layout<'_>, case: &TableCase) -> Objection {
    let (table, method) = culprit(layout, case.table).unwrap_or((case.table, ""));
    Objection {
        message: message(method),
        detail: Some(format!("{} uses an access method that belongs to no extension: the workers lack it.", name(layout, table))),
        hint: Some("Accepted where the access method was created on every worker by hand first.".to_owned()),
        fix_sql: Some(format!("ALTER TABLE {} SET ACCESS METHOD heap;", name(layout, table))),
    }
}

fn message(method: &str) -> String {
    format!("access method \"{method}\" does not exist")
}

fn conversion(layout: &Layout<'_>, table: TableId, _: &dyn Fn(TableId) -> bool) -> Option<String> {
    culprit(layout, table).map(|(_, method)| message(method))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn refuses_methods_made_by_hand() {
        let by_hand = table("a").columns("id bigint").with(|t| t.access_method = Some("heap_copy".into()));
        let columnar = table("b").columns("id bigint").with(|t| {
            t.access_method = Some("columnar".into());
            t.access_method_extension = Some("citus_columnar".into());
        });
        let schema = schema([by_hand, columnar]);
        assert_eq!(found(&schema, "a: distributed id; b: distributed id", "custom-access-method"), ["a"]);
        assert!(found(&schema, "b: reference", "custom-access-method").is_empty());
    }
    #[test]
    fn stands_in_the_way_of_a_foreign_key_to_a_reference_table() {
        let with = |method: &str| {
            let own = table("a").columns("r_id bigint").foreign_key("fk", "r_id", "r(id)");
            schema([
                table("r").columns("id bigint").primary_key("id"),
                own.with(|t| t.access_method = Some(method.into())),
            ])
        };
        assert_eq!(blocked(&with("heap_copy"), "r: reference"), ["custom-access-method a.fk"]);
        assert!(blocked(&with("heap_copy"), "").is_empty());
        assert!(blocked(&with("heap"), "r: reference").is_empty());
    }
}
