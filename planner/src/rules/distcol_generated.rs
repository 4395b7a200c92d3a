//! See [`RULE`].

use super::support::ident;
use super::{Check, ColumnCase, Objection};
use super::rule::declare_rule;
use crate::schema::Generated;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// The distribution column is `GENERATED ALWAYS AS (...)`.
    ///
    /// ## Why on Citus
    ///
    /// Citus must know the shard before the row is there to compute the column from.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE TABLE shipment (code text, region text GENERATED ALWAYS AS (left(code, 2)) STORED);
    /// SELECT create_distributed_table('shipment', 'region');
    /// ERROR:  cannot distribute relation: shipment
    /// DETAIL:  Distribution column must not use GENERATED ALWAYS AS (...) STORED.
    /// ```
    ///
    /// ## Use instead
    ///
    /// Turn it into an ordinary column that the application fills (a trigger cannot: distributed tables have none), or
    /// distribute by another one.
    ///
    /// ## When to ignore
    ///
    /// Never: the call fails.
    ///
    /// ## Source
    ///
    /// `commands/create_distributed_table.c:DistributionColumnUsesGeneratedStoredColumn`
    code: "CA208", name: "distcol-generated", level: Error, effect: Blocked,
    title: "a generated column cannot be the distribution column",
    remediation: "Turn it into an ordinary column, or choose another one.",
    source: "commands/create_distributed_table.c:DistributionColumnUsesGeneratedStoredColumn",
    check: Check::DistributionColumn { applies, word },
}

fn applies(layout: &Layout<'_>, case: &ColumnCase) -> bool {
    layout.graph.column(case.table, case.column).generated.is_some()
}

fn word(layout: &Layout<'_>, case: &ColumnCase) -> Objection {
    let (table, column) = (layout.graph.table(case.table), layout.graph.column(case.table, case.column));
    let kind = if column.generated == Some(Generated::Virtual) { "VIRTUAL" } else { "STORED" };
    Objection {
        message: format!("cannot distribute relation: {}", table.name.name),
        detail: Some(format!(
            "Distribution column must not use GENERATED ALWAYS AS (...) {kind}. {}.{} does.",
            table.name,
            ident(&column.name)
        )),
        hint: Some("After this the application must fill the column.".to_owned()),
        fix_sql: (kind == "STORED")
            .then(|| format!("ALTER TABLE {} ALTER COLUMN {} DROP EXPRESSION;", table.name, ident(&column.name))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::Generated;

    #[test]
    fn refuses_a_generated_distribution_column_only() {
        let schema =
            schema([table("t").columns("a text, b text").with(|t| t.columns[0].generated = Some(Generated::Stored))]);
        assert_eq!(found(&schema, "t: distributed a", "distcol-generated"), ["t.a"]);
        assert!(found(&schema, "t: distributed b", "distcol-generated").is_empty());
        assert!(found(&schema, "t: reference", "distcol-generated").is_empty());
    }
}
