//! See [`RULE`].

use super::support::ident;
use super::{Check, Objection, ObjectType, Report, Situation};
use super::rule::declare_rule;
use crate::identifier::quote_literal;
use crate::schema::{Column, RelationName};

declare_rule! {
    /// ## What it is
    ///
    /// A column has options such as `n_distinct` (`ALTER COLUMN ... SET (n_distinct = ...)`).
    ///
    /// ## Why on Citus
    ///
    /// STORAGE, COMPRESSION and the statistics target are kept; these options are not, and the planner of the worker
    /// estimates without them. Afterwards Citus refuses to set most of them.
    ///
    /// ## Example
    ///
    /// ```sql
    /// ALTER TABLE orders ALTER COLUMN customer_id SET (n_distinct = 100000);
    /// SELECT create_distributed_table('orders', 'shop_id');   -- the shards do not have it
    /// ```
    ///
    /// ## Use instead
    ///
    /// Extended statistics, or set the options on the shards (`run_command_on_shards`).
    ///
    /// ## When to ignore
    ///
    /// Where estimates on the workers are good without.
    ///
    /// ## Source
    ///
    /// `deparser/citus_ruleutils.c:pg_get_tablecolumnoptionsdef_string`
    code: "CA615", name: "column-options-lost", level: Info, effect: Silent,
    title: "column options are not kept on the shards",
    remediation: "Set them on the shards with run_command_on_shards, or do without.",
    source: "deparser/citus_ruleutils.c:pg_get_tablecolumnoptionsdef_string",
    check: Check::Layout(walk),
}

fn walk(situation: &Situation<'_>, report: &mut Report<'_>) {
    let layout = &situation.layout;
    for table in layout.graph.planned_tables().filter(|&t| !layout.is_local(t)) {
        let t = layout.graph.table(table);
        for column in t.columns.iter().filter(|c| !c.options.is_empty()) {
            report(&t.name, ObjectType::Column, &column.name, Objection {
                message: format!("options of column {} are not kept on the shards", ident(&column.name)),
                detail: Some(format!("{}.{} has {}.", t.name, ident(&column.name), column.options.join(", "))),
                hint: None,
                fix_sql: Some(fix(&t.name, column)),
            });
        }
    }
}

fn fix(table: &RelationName, column: &Column) -> String {
    let statement = format!("ALTER TABLE %s ALTER COLUMN {} SET ({})", ident(&column.name), column.options.join(", "));
    format!(
        "SELECT run_command_on_shards({}, {});",
        quote_literal(&table.to_string()),
        quote_literal(&statement)
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn tells_of_options() {
        let schema = schema([table("t").columns("a bigint").with(|t| t.columns[0].options = vec!["n_distinct=9".into()])]);
        let finding = one(&schema, "t: reference", "column-options-lost");
        assert_eq!(
            finding.fix_sql.as_deref(),
            Some("SELECT run_command_on_shards('public.t', 'ALTER TABLE %s ALTER COLUMN a SET (n_distinct=9)');")
        );
        assert!(found(&schema, "", "column-options-lost").is_empty());
    }
}
