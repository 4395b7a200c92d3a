//! See [`RULE`].

use super::situation::named_tables;
use super::{Check, Objection, ObjectType, Report};
use super::rule::declare_rule;
use crate::layout::{Layout, SYSTEM_COLUMNS, columns_hint};

declare_rule! {
    /// ## What it is
    ///
    /// An assignment names `ctid`, `tableoid`, `xmin`, ... as the distribution column.
    ///
    /// ## Why on Citus
    ///
    /// System columns are not part of the row that is sent to a shard.
    ///
    /// ## Example
    ///
    /// ```sql
    /// SELECT create_distributed_table('log', 'ctid');
    /// ERROR:  cannot reference system column "ctid" in relation "log"
    /// ```
    ///
    /// ## Use instead
    ///
    /// Name a column of the table.
    ///
    /// ## When to ignore
    ///
    /// Never: the call fails.
    ///
    /// ## Source
    ///
    /// `utils/distribution_column.c:BuildDistributionKeyFromColumnName`
    code: "CA202", name: "distcol-system", level: Error, effect: Blocked,
    title: "a system column cannot be the distribution column",
    remediation: "Name a column of the table.",
    source: "utils/distribution_column.c:BuildDistributionKeyFromColumnName",
    check: Check::Named(walk),
}

fn walk(layout: &Layout<'_>, report: &mut Report<'_>) {
    for (table, entry, missing) in named_tables(layout) {
        let Some(column) = entry.column.as_deref().filter(|c| missing && SYSTEM_COLUMNS.contains(c)) else { continue };
        let name = &layout.graph.table(table).name;
        report(name, ObjectType::Column, column, Objection {
            message: format!("cannot reference system column \"{column}\" in relation \"{}\"", name.name),
            detail: Some(format!("{column} is a system column.")),
            hint: Some(columns_hint(layout.graph, table, column)),
            fix_sql: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn refuses_system_columns() {
        let schema = schema([table("t").columns("id bigint")]);
        assert_eq!(found(&schema, "t: distributed ctid", "distcol-system"), ["t.ctid"]);
        assert!(found(&schema, "t: distributed id", "distcol-system").is_empty());
        assert!(found(&schema, "t: distributed ctid", "distcol-missing").is_empty());
    }
}
