//! See [`RULE`].

use super::situation::named_tables;
use super::{Check, Objection, ObjectType, Report};
use super::rule::declare_rule;
use crate::layout::{Layout, SYSTEM_COLUMNS, columns_hint};

declare_rule! {
    /// ## What it is
    ///
    /// An assignment names a distribution column that the table does not have.
    ///
    /// ## Why on Citus
    ///
    /// Citus takes the column as raw text: no quotes, no case folding. `TenantId` and `"TenantId"` are two different
    /// columns to it, and `quote_ident()` breaks the call.
    ///
    /// ## Example
    ///
    /// ```sql
    /// SELECT create_distributed_table('team_member', 'org_id');
    /// ERROR:  column "org_id" of relation "team_member" does not exist
    /// ```
    ///
    /// ## Use instead
    ///
    /// Name an existing column, written as in `pg_attribute.attname`.
    ///
    /// ## When to ignore
    ///
    /// Never: the call fails.
    ///
    /// ## Source
    ///
    /// `utils/distribution_column.c:BuildDistributionKeyFromColumnName`
    code: "CA201", name: "distcol-missing", level: Error, effect: Blocked,
    title: "the distribution column does not exist",
    remediation: "Name an existing column, raw, without quotes.",
    source: "utils/distribution_column.c:BuildDistributionKeyFromColumnName",
    check: Check::Named(walk),
}

fn walk(layout: &Layout<'_>, report: &mut Report<'_>) {
    for (table, entry, missing) in named_tables(layout) {
        let Some(column) = entry.column.as_deref().filter(|c| missing && !SYSTEM_COLUMNS.contains(c)) else { continue };
        let name = &layout.graph.table(table).name;
        report(name, ObjectType::Column, column, Objection {
            message: format!("column \"{column}\" of relation \"{}\" does not exist", name.name),
            detail: Some(format!("{name} has no column with exactly this name.")),
            hint: Some(columns_hint(layout.graph, table, column)),
            fix_sql: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn takes_the_column_raw() {
        let schema = schema([table("t").columns("TenantId bigint")]);
        assert_eq!(found(&schema, "t: distributed \"TenantId\"", "distcol-missing"), ["t.\"TenantId\""]);
        assert_eq!(found(&schema, "t: distributed tenantid", "distcol-missing"), ["t.tenantid"]);
        assert!(found(&schema, "t: distributed TenantId", "distcol-missing").is_empty());
    }
}
