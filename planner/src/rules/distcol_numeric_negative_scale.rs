//! See [`RULE`].

use super::support::{ident, set_type};
use super::{Check, ColumnCase, Objection};
use super::rule::declare_rule;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// The distribution column is `numeric(p, s)` with s below zero (PostgreSQL 15 and newer).
    ///
    /// ## Why on Citus
    ///
    /// Values are rounded to tens, hundreds, ... when stored, after Citus has hashed them as written.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE TABLE forecast (zone numeric(5, -2));
    /// SELECT create_distributed_table('forecast', 'zone');
    /// ERROR:  cannot distribute relation: forecast
    /// DETAIL:  Distribution column must not use numeric type with negative scale
    /// ```
    ///
    /// ## Use instead
    ///
    /// Plain `numeric` or an integer type.
    ///
    /// ## When to ignore
    ///
    /// Never: the call fails.
    ///
    /// ## Source
    ///
    /// `commands/create_distributed_table.c:DistributionColumnUsesNumericColumnNegativeScale`
    code: "CA209", name: "distcol-numeric-negative-scale", level: Error, effect: Blocked,
    title: "numeric with a negative scale cannot be the distribution column",
    remediation: "Use numeric without a scale, or an integer type.",
    source: "commands/create_distributed_table.c:DistributionColumnUsesNumericColumnNegativeScale",
    check: Check::DistributionColumn { applies, word },
}

fn applies(layout: &Layout<'_>, case: &ColumnCase) -> bool {
    let column = layout.graph.column(case.table, case.column);
    // The modifier of numeric is 4 + (precision << 16 | scale), the scale in 11 bits with a sign.
    let scale = ((((column.type_modifier - 4) & 2047) ^ 1024) - 1024) < 0;
    matches!(column.data_type.as_str(), "pg_catalog.numeric" | "pg_catalog.\"numeric\"") && column.type_modifier >= 4 && scale
}

fn word(layout: &Layout<'_>, case: &ColumnCase) -> Objection {
    let (table, column) = (layout.graph.table(case.table), layout.graph.column(case.table, case.column));
    Objection {
        message: format!("cannot distribute relation: {}", table.name.name),
        detail: Some(format!(
            "Distribution column must not use numeric type with negative scale. {}.{} is {}.",
            table.name,
            ident(&column.name),
            column.type_text
        )),
        hint: None,
        fix_sql: Some(set_type(&table.name, &column.name, "numeric")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn refuses_a_negative_scale_only() {
        let numeric = |modifier: i32| {
            schema([table("t").columns("a pg_catalog.\"numeric\"").with(|t| t.columns[0].type_modifier = modifier)])
        };
        let refuses =
            |modifier| !found(&numeric(modifier), "t: distributed a", "distcol-numeric-negative-scale").is_empty();
        assert!(refuses(4 + ((5 << 16) | (-2 & 2047))));
        assert!(!refuses(4 + ((5 << 16) | 2)));
        assert!(!refuses(4 + ((2 << 16) | 5)));
        assert!(!refuses(-1));
    }
}
