//! See [`RULE`].

use super::rule::declare_rule;
use super::support::{ident, name};
use super::{Check, ColumnCase, Objection};
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// The plan gives a table its distribution column. It fills the rows that are there; the rows to come are the
    /// application's.
    ///
    /// ## Why on Citus
    ///
    /// Citus chooses the shard of a row by the value that the statement gives. A statement that gives none has no shard, and
    /// no default and no trigger can help: a trigger would run on the shard that is not known yet, and Citus takes no table
    /// that has triggers.
    ///
    /// ## Example
    ///
    /// ```sql
    /// INSERT INTO invoice_line (invoice_id, amount) VALUES (7, 12.50);
    /// ERROR:  cannot perform an INSERT without a partition column value
    /// ```
    ///
    /// ## Use instead
    ///
    /// Let the application write the column with every row, and name its columns in every INSERT and COPY. Until phase keys
    /// of the script a row may still come without it: it gets its value there.
    ///
    /// ## When to ignore
    ///
    /// Where the application sends it already, or nobody writes to the table.
    ///
    /// ## Source
    ///
    /// `planner/multi_router_planner.c:BuildRoutesForInsert`
    code: "CA220", name: "backfill-new-rows", level: Warning, effect: Runtime,
    title: "statements that write the table must name its new distribution column",
    remediation: "Write the column with every row.",
    source: "planner/multi_router_planner.c:BuildRoutesForInsert",
    check: Check::DistributionColumn { applies, word },
}

fn applies(layout: &Layout<'_>, case: &ColumnCase) -> bool {
    layout.graph.backfill(case.table, case.column).is_some()
}

fn word(layout: &Layout<'_>, case: &ColumnCase) -> Objection {
    let (table, column) = (name(layout, case.table), ident(&layout.graph.column(case.table, case.column).name));
    let path = layout.graph.backfill(case.table, case.column).map(|b| b.path(layout.graph)).unwrap_or_default();
    let parent = path.first().map_or(String::new(), |edge| name(layout, edge.referenced).to_string());
    Objection {
        message: "cannot perform an INSERT without a partition column value".to_owned(),
        detail: Some(format!(
            "{table} gets {column}, and it is its distribution column: from phase keys of the script on, an INSERT or COPY \
             that does not name {column} fails."
        )),
        hint: Some(format!(
            "Let the application send {column}, the one of the row of {parent}. A BEFORE INSERT trigger cannot set it: Citus \
             chooses the shard before."
        )),
        fix_sql: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    #[test]
    fn is_said_of_columns_that_are_added() {
        let schema = schema([
            table("shop").columns("id bigint not null").primary_key("id"),
            table("orders")
                .columns("id bigint not null, shop_id bigint not null")
                .primary_key("id")
                .foreign_key("o_s", "shop_id", "shop(id)"),
            table("line").columns("id bigint, order_id bigint not null").foreign_key("l_o", "order_id", "orders(id)"),
        ]);
        let all = "shop: distributed id; orders: distributed shop_id; line: distributed shop_id";
        assert_eq!(found_of_plan(&schema, all, "backfill-new-rows"), ["line.shop_id"]);
        assert!(found_of_plan(&schema, "shop: distributed id; orders: distributed shop_id; line: local", "backfill-new-rows").is_empty());
    }
}
