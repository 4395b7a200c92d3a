//! See [`RULE`].

use super::support::{ident, widen_type};
use super::{Check, ColumnCase, Objection};
use super::rule::declare_rule;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// The distribution column is a smallint or integer.
    ///
    /// ## Why on Citus
    ///
    /// Once the table is distributed, the type, default and NOT NULL of the distribution column cannot be changed.
    /// Every table of the group and every foreign key column has the same type, so running out of numbers later means
    /// distributing everything anew.
    ///
    /// ## Example
    ///
    /// ```sql
    /// ALTER TABLE orders ALTER COLUMN shop_id TYPE bigint;
    /// ERROR:  cannot execute ALTER TABLE command involving partition column
    /// ```
    ///
    /// ## Use instead
    ///
    /// bigint, in all tables of the group, before distributing.
    ///
    /// ## When to ignore
    ///
    /// Where the values are few by nature (countries, months).
    ///
    /// ## Source
    ///
    /// `commands/table.c:AlterInvolvesPartitionColumn`
    code: "CA213", name: "distcol-frozen-after", level: Info, effect: Runtime,
    title: "the distribution column cannot be widened later",
    remediation: "Widen it to bigint in all tables of the group before distributing.",
    source: "commands/table.c:AlterInvolvesPartitionColumn",
    check: Check::DistributionColumn { applies, word },
}

fn applies(layout: &Layout<'_>, case: &ColumnCase) -> bool {
    let key = layout.graph.column(case.table, case.column).data_type.as_str();
    matches!(key, "pg_catalog.int2" | "pg_catalog.int4")
}

fn word(layout: &Layout<'_>, case: &ColumnCase) -> Objection {
    let (table, column) = (layout.graph.table(case.table), layout.graph.column(case.table, case.column));
    Objection {
        message: "cannot execute ALTER TABLE command involving partition column".to_owned(),
        detail: Some(format!(
            "{}.{} is {}; once it is the distribution column it keeps that type.",
            table.name,
            ident(&column.name),
            column.type_text
        )),
        hint: Some("If its values may outgrow it, widen it now, with the columns that it is joined with.".to_owned()),
        fix_sql: widen_type(layout, case.table, &column.name, "bigint"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn tells_of_narrow_columns() {
        let schema = schema([table("t").columns("a int not null, b bigint not null")]);
        assert_eq!(found(&schema, "t: distributed a", "distcol-frozen-after"), ["t.a"]);
        assert!(found(&schema, "t: distributed b", "distcol-frozen-after").is_empty());
    }
}
