//! See [`RULE`].

use super::rule::{Report, declare_rule};
use super::situation::Situation;
use super::support::{enumerate, name};
use super::view_mixed::tables_read;
use super::{Check, ObjectType, Objection};
use crate::graph::TableId;

declare_rule! {
    /// ## What it is
    ///
    /// A materialized view reads a local table that must come under the management of Citus (a foreign key connects it
    /// with a reference table), and distributed tables.
    ///
    /// ## Why on Citus
    ///
    /// Citus makes the local table anew, drops the views over it and creates them again, which runs the query of a
    /// materialized view. It is now a query over shards. What Citus cannot plan ends with an error, and the foreign key
    /// is refused: two distributed tables that are not joined by their distribution columns, or are in different
    /// groups, for instance. REFRESH MATERIALIZED VIEW fails for the same reason ever after.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE MATERIALIZED VIEW sales AS
    ///   SELECT i.film_id, sum(p.amount) FROM payment p JOIN rental r USING (rental_id) JOIN inventory i USING (inventory_id)
    ///   GROUP BY 1;   -- payment and rental are distributed by customer_id
    /// ALTER TABLE inventory ADD FOREIGN KEY (store_id) REFERENCES store;   -- a reference table
    /// ERROR:  complex joins are only supported when all distributed tables are co-located and joined on their distribution columns
    /// ```
    ///
    /// ## Use instead
    ///
    /// Join distributed tables by their distribution columns too. Or drop the view before and create it WITH NO DATA
    /// afterwards, as the migration script does.
    ///
    /// ## When to ignore
    ///
    /// Where Citus plans the query: distributed tables of one group, all joined by their distribution columns.
    ///
    /// ## Source
    ///
    /// `commands/alter_table.c:GetViewCreationCommandsOfTable`
    code: "CA710", name: "matview-conversion", level: Warning, effect: Runtime,
    title: "Citus runs the query of the materialized view when it manages a table",
    remediation: "Join distributed tables by their distribution columns too, or drop the view before and create it again afterwards.",
    source: "commands/alter_table.c:GetViewCreationCommandsOfTable",
    check: Check::Layout(walk),
}

fn walk(situation: &Situation<'_>, report: &mut Report<'_>) {
    let (layout, graph) = (&situation.layout, situation.layout.graph);
    let names = |tables: &[TableId]| enumerate(&tables.iter().map(|&t| name(layout, t).to_string()).collect::<Vec<_>>());
    for view in graph.schema.views.iter().filter(|v| v.materialized) {
        let tables = tables_read(layout, view);
        let (mut managed, mut distributed) = (Vec::new(), Vec::new());
        for table in tables {
            if situation.managed[table.0] {
                managed.push(table);
            } else if layout.placement(graph.root(table)).is_distributed() {
                distributed.push(table);
            }
        }
        // Over a single distributed table Citus gathers the rows where nothing else helps.
        if managed.is_empty() || distributed.len() < 2 {
            continue;
        }
        report(&view.name, ObjectType::View, &view.name.name, Objection {
            message: format!("materialized view {} is filled anew while {} is taken into metadata", view.name, names(&managed)),
            detail: Some(format!(
                "It reads {}, which are distributed. Unless they are joined by their distribution columns Citus cannot plan \
                 the query, and refuses the foreign key that takes the local table into its metadata.",
                names(&distributed)
            )),
            hint: Some("Join them by their distribution columns too.".to_owned()),
            fix_sql: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::{RelationName, View};

    #[test]
    fn tells_of_views_that_are_filled_in_between() {
        let mut schema = schema([
            table("store").columns("id bigint").primary_key("id"),
            table("inventory").columns("store_id bigint").foreign_key("fk", "store_id", "store(id)"),
            table("payment").columns("customer_id bigint"),
            table("rental").columns("customer_id bigint"),
        ]);
        let reads = ["inventory", "payment", "rental"].map(|t| RelationName::new("public", t)).to_vec();
        schema.views.push(View { name: RelationName::new("public", "sales"), materialized: true, reads, bytes: None, ..View::default() });
        let rule = "matview-conversion";
        let distributed = "payment: distributed customer_id; rental: distributed customer_id";
        assert_eq!(found(&schema, &format!("store: reference; {distributed}"), rule), ["sales.sales"]);
        assert!(found(&schema, distributed, rule).is_empty());
        assert!(found(&schema, &format!("store: reference; inventory: reference; {distributed}"), rule).is_empty());
        assert!(found(&schema, "store: reference; payment: distributed customer_id", rule).is_empty());
        schema.views[0].materialized = false;
        assert!(found(&schema, &format!("store: reference; {distributed}"), rule).is_empty());
    }
}
