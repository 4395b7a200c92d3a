//! See [`RULE`].

use super::rule::declare_rule;
use super::support::{ident, name};
use super::{Check, ObjectType, Objection, Report, Situation};
use crate::global_keys::{self, Fate};
use crate::graph::{ColumnId, TableId};
use crate::identifier::quote_identifiers;

declare_rule! {
    /// ## What it is
    ///
    /// A global foreign key (`advisor.add_global_foreign_key`) of tables that the plan distributes, whose place a native
    /// foreign key can take.
    ///
    /// ## Why on Citus
    ///
    /// Citus allows no triggers on its tables. But a native foreign key between two tables of one colocation group can be had
    /// where it contains the distribution column and the partition key of the referenced table, and there is a unique
    /// constraint on all of that. `stock (item_id)`, which references `items (item_id)`, becomes `stock (shop_id, item_id,
    /// item_added)` references `items (shop_id, item_id, added)`. That says more than before: a row that disagrees in one of the
    /// columns that are added stops the script.
    ///
    /// ## Example
    ///
    /// ```sql
    /// SELECT advisor.drop_constraint('stock', 'stock_item_id_fkey');
    /// SELECT create_distributed_table('items', 'shop_id'), create_distributed_table('stock', 'shop_id', colocate_with => 'items');
    /// ALTER TABLE stock ADD FOREIGN KEY (shop_id, item_id, item_added) REFERENCES items (shop_id, item_id, added);
    /// ```
    ///
    /// ## Use instead
    ///
    /// Run the query of the hint before the migration; it must return no row. From then on an item's partition key cannot be
    /// changed while stock references it, but with ON UPDATE CASCADE.
    ///
    /// ## When to ignore
    ///
    /// Where the query has returned nothing and the application writes the added columns with each row.
    ///
    /// ## Source
    ///
    /// `commands/foreign_constraint.c:ErrorIfUnsupportedForeignConstraintExists`
    code: "CA508", name: "global-foreign-key-native", level: Warning, effect: Data,
    title: "a native foreign key takes the place of a global one, and demands more of the rows",
    remediation: "Look for rows that disagree before the migration.",
    source: "commands/foreign_constraint.c:ErrorIfUnsupportedForeignConstraintExists",
    check: Check::Layout(walk),
}

fn walk(situation: &Situation<'_>, report: &mut Report<'_>) {
    let layout = &situation.layout;
    let graph = layout.graph;
    for key in global_keys::global_foreign_keys(graph) {
        let Fate::Native { columns, .. } = global_keys::fate(layout, &key) else { continue };
        let (referencing, referenced) = (key.edge.referencing, key.edge.referenced);
        let list = |table: TableId, pick: fn(&(ColumnId, ColumnId)) -> ColumnId| {
            quote_identifiers(columns.iter().map(|pair| graph.column(table, pick(pair)).name.as_str()))
        };
        let compared = |pair: &(ColumnId, ColumnId), operator: &str| {
            let column = |table, column| ident(&graph.column(table, column).name);
            format!("r.{} {operator} k.{}", column(referencing, pair.0), column(referenced, pair.1))
        };
        let (declared, added): (Vec<_>, Vec<_>) = columns.iter().partition(|pair| key.edge.columns.contains(pair));
        let joins: Vec<String> = declared.iter().map(|pair| compared(pair, "=")).collect();
        let differs: Vec<String> = added.iter().map(|pair| compared(pair, "IS DISTINCT FROM")).collect();
        let (table, other) = (name(layout, referencing), name(layout, referenced));
        report(table, ObjectType::Trigger, &key.declared.name, Objection {
            message: format!(
                "{} goes on as a native foreign key: ({}) references {other} ({})",
                ident(&key.declared.name),
                list(referencing, |pair| pair.0),
                list(referenced, |pair| pair.1)
            ),
            detail: Some(format!(
                "Its triggers go, which Citus does not allow. The native one demands the columns that are added of each row of \
                 {table}; a row that disagrees with the row it references stops the script. This must return no row:"
            )),
            hint: (!differs.is_empty()).then(|| {
                format!("SELECT r.* FROM {table} r JOIN {other} k ON {} WHERE {};", joins.join(" AND "), differs.join(" OR "))
            }),
            fix_sql: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    /// `stock` references `items` by its number alone.
    fn stock(columns: &str) -> crate::schema::Schema {
        let check = "CREATE CONSTRAINT TRIGGER stock_item_fkey AFTER INSERT OR UPDATE ON public.stock FROM public.items NOT \
            DEFERRABLE INITIALLY IMMEDIATE FOR EACH ROW WHEN ((new.item_id IS NOT NULL)) EXECUTE FUNCTION \
            advisor.check_global_foreign_key('00000000000000aa', 'simple', 'restrict', 'no action')";
        let reference = "CREATE CONSTRAINT TRIGGER stock_item_fkey_referenced AFTER DELETE OR UPDATE ON public.items FROM \
            public.stock NOT DEFERRABLE INITIALLY IMMEDIATE FOR EACH ROW WHEN ((old.item_id IS NOT NULL)) EXECUTE FUNCTION \
            advisor.check_global_reference('00000000000000aa', 'simple', 'restrict', 'no action')";
        schema([
            table("stock").columns(columns).trigger("stock_item_fkey").with(|t| {
                t.triggers[0].function = crate::global_keys::CHECK.to_owned();
                t.triggers[0].definition = check.to_owned();
            }),
            table("items")
                .columns("shop_id bigint, item_id bigint")
                .primary_key("shop_id, item_id")
                .trigger("stock_item_fkey_referenced")
                .with(|t| {
                    t.triggers[0].function = crate::global_keys::REFERENCE.to_owned();
                    t.triggers[0].definition = reference.to_owned();
                }),
        ])
    }

    #[test]
    fn names_the_native_key_and_the_rows_that_would_disagree() {
        let schema = stock("shop_id bigint, item_id bigint");
        let finding = one(&schema, "stock: distributed shop_id; items: distributed shop_id", "global-foreign-key-native");
        assert_eq!(
            finding.message,
            "stock_item_fkey goes on as a native foreign key: (shop_id, item_id) references public.items (shop_id, item_id)"
        );
        assert_eq!(
            finding.hint.as_deref().unwrap(),
            "SELECT r.* FROM public.stock r JOIN public.items k ON r.item_id = k.item_id WHERE r.shop_id IS DISTINCT FROM k.shop_id;"
        );
    }

    #[test]
    fn is_silent_where_the_key_is_lost_or_stays() {
        let rule = "global-foreign-key-native";
        assert!(found(&stock("shop_id bigint, item_id bigint"), "", rule).is_empty());
        let stranger = stock("place bigint, item_id bigint");
        assert!(found(&stranger, "stock: distributed place; items: distributed shop_id", rule).is_empty());
    }

    #[test]
    fn the_native_key_goes_first_on_the_way_back() {
        let schema = stock("shop_id bigint, item_id bigint");
        let graph = crate::graph::Graph::new(&schema);
        let distributed = serde_json::json!({"role": "distributed", "column": "shop_id", "group": "shop"});
        let wanted = serde_json::json!({"public.stock": distributed, "public.items": distributed});
        let overrides = crate::assignment::Assignment::from_json(&wanted, "overrides").unwrap();
        let request = crate::Request { overrides, ..crate::Request::default() };
        let plan = crate::plan(&graph, &request, &mut || ()).unwrap();
        let steps = crate::migration::rollback_steps(&plan);
        let place = |text: &str| steps.iter().position(|s| s.statement.contains(text)).expect(text);
        assert!(place("DROP CONSTRAINT stock_item_fkey") < place("undistribute_table('public.stock')"));
        assert!(place("undistribute_table('public.items')") < place("CREATE CONSTRAINT TRIGGER stock_item_fkey AFTER INSERT"));
    }
}
