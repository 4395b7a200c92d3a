//! See [`RULE`].

use super::rule::declare_rule;
use super::support::{enumerate, ident, name};
use super::{Check, ColumnCase, Objection};
use crate::backfill::sql::{self, Values};
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// A distribution column that the plan adds is filled over a foreign key that may be NULL, or that was never validated: a
    /// row may have no parent from which it could get a value.
    ///
    /// ## Why on Citus
    ///
    /// Every row of a distributed table needs a value in the distribution column, since it decides where the row lives.
    ///
    /// ## Example
    ///
    /// ```sql
    /// SELECT t.* FROM invoice_line AS t WHERE (SELECT p1.shop_id FROM invoice AS p1 WHERE p1.id = t.invoice_id) IS NULL;
    /// ```
    ///
    /// ## Use instead
    ///
    /// Give such rows a parent, or delete them, before the script runs; it refuses to begin while there are any.
    /// `advisor.check_data()` counts them.
    ///
    /// ## When to ignore
    ///
    /// Where the query has returned nothing and the application writes no such rows.
    ///
    /// ## Source
    ///
    /// `commands/multi_copy.c:CitusSendTupleToPlacements`
    code: "CA221", name: "backfill-no-value", level: Warning, effect: Data,
    title: "a row may have no parent to get the distribution column from",
    remediation: "Look for such rows before the migration; give them a parent, or delete them.",
    source: "commands/multi_copy.c:CitusSendTupleToPlacements",
    check: Check::DistributionColumn { applies, word },
}

fn applies(layout: &Layout<'_>, case: &ColumnCase) -> bool {
    layout.graph.backfill(case.table, case.column).is_some_and(|b| !b.is_certain)
}

/// What makes the path unsure, in words.
fn doubts(layout: &Layout<'_>, case: &ColumnCase) -> Vec<String> {
    let graph = layout.graph;
    let Some(backfill) = graph.backfill(case.table, case.column) else { return Vec::new() };
    let mut doubts = Vec::new();
    for edge in backfill.path(graph) {
        let (table, key) = (name(layout, edge.referencing), graph.foreign_key(edge));
        let nullable = edge.columns.iter().map(|c| graph.column(edge.referencing, c.0)).filter(|c| !c.not_null);
        doubts.extend(nullable.map(|c| format!("{table}.{} may be NULL", ident(&c.name))));
        if !key.validated || !key.enforced {
            doubts.push(format!("{} of {table} was never validated", ident(&key.name)));
        }
    }
    let source = graph.column(backfill.source.0, backfill.source.1);
    if !source.not_null {
        doubts.push(format!("{}.{} may be NULL", name(layout, backfill.source.0), ident(&source.name)));
    }
    doubts
}

fn word(layout: &Layout<'_>, case: &ColumnCase) -> Objection {
    let (table, column) = (name(layout, case.table), ident(&layout.graph.column(case.table, case.column).name));
    let value = Values::by_path(layout.graph).of("t", case.table, case.column);
    Objection {
        message: format!("the partition column of table {table} cannot be NULL"),
        detail: Some(format!(
            "{table} gets {column} over {}, and {}. This must return no row:",
            layout.graph.backfill(case.table, case.column).map_or(String::new(), |b| crate::backfill::in_words(layout.graph, b)),
            enumerate(&doubts(layout, case))
        )),
        hint: Some(format!("SELECT t.* FROM {} AS t WHERE {value} IS NULL;", sql::from(layout.graph, case.table))),
        fix_sql: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    #[test]
    fn asks_for_rows_that_no_path_leads_from() {
        let with = |order: &str| {
            schema([
                table("shop").columns("id bigint not null").primary_key("id"),
                table("orders")
                    .columns("id bigint not null, shop_id bigint not null")
                    .primary_key("id")
                    .foreign_key("o_s", "shop_id", "shop(id)"),
                table("line").columns(order).foreign_key("l_o", "order_id", "orders(id)"),
            ])
        };
        let all = "shop: distributed id; orders: distributed shop_id; line: distributed shop_id";
        let told = of_plan(&with("order_id bigint"), all, "backfill-no-value");
        assert_eq!(
            told[0].hint.as_deref(),
            Some(
                "SELECT t.* FROM ONLY public.line AS t WHERE (SELECT p1.shop_id FROM ONLY public.orders AS p1 \
                 WHERE p1.id OPERATOR(pg_catalog.=) t.order_id) IS NULL;"
            )
        );
        assert!(told[0].detail.as_deref().unwrap().contains("public.line.order_id may be NULL"));
        assert!(of_plan(&with("order_id bigint not null"), all, "backfill-no-value").is_empty());
    }
}
