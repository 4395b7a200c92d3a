//! See [`RULE`].

use super::support::ident;
use super::{Check, ColumnCase, Objection};
use super::rule::declare_rule;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// The distribution column has a type without a default hash operator class, such as `json`, `xml`, `money`, `bit`,
    /// the geometric types or `tsvector`.
    ///
    /// ## Why on Citus
    ///
    /// The shard of a row is the hash of its distribution column.
    ///
    /// ## Example
    ///
    /// ```sql
    /// SELECT create_distributed_table('doc', 'body');   -- json
    /// ERROR:  data type json has no default operator class for specified partition method
    /// ```
    ///
    /// ## Use instead
    ///
    /// Another column, or another type for this one before the table is distributed: `jsonb` for `json`, `numeric` for
    /// `money`, `text` for `bit`.
    ///
    /// ## When to ignore
    ///
    /// Never: the call fails.
    ///
    /// ## Source
    ///
    /// `utils/distribution_column.c:BuildDistributionKeyFromColumnName`
    code: "CA203", name: "distcol-no-hash-opclass", level: Error, effect: Blocked,
    title: "the type of the distribution column cannot be hashed",
    remediation: "Choose another column, or change the type before distributing.",
    source: "utils/distribution_column.c:BuildDistributionKeyFromColumnName",
    check: Check::DistributionColumn { applies, word },
}

fn applies(layout: &Layout<'_>, case: &ColumnCase) -> bool {
    let column = layout.graph.column(case.table, case.column);
    layout.graph.data_type(&column.data_type).is_some_and(|t| !t.hash_class)
}

fn word(layout: &Layout<'_>, case: &ColumnCase) -> Objection {
    let (table, column) = (layout.graph.table(case.table), layout.graph.column(case.table, case.column));
    let data_type = layout.graph.data_type(&column.data_type).map_or(column.type_text.as_str(), |t| t.text.as_str());
    let better = match data_type {
        "json" => Some("jsonb"),
        "money" => Some("numeric"),
        "bit" | "bit varying" | "xml" => Some("text"),
        _ => None,
    };
    Objection {
        message: format!("data type {data_type} has no default operator class for specified partition method"),
        detail: Some(format!("{}.{} is of type {data_type}, which has no hash function.", table.name, ident(&column.name))),
        hint: Some("Choose another distribution column, or another type for this one before distributing.".to_owned()),
        fix_sql: better.map(|to| {
            let column = ident(&column.name);
            format!("ALTER TABLE {} ALTER COLUMN {column} TYPE {to} USING {column}::{to};", table.name)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn refuses_json_but_not_jsonb() {
        let schema = schema([table("t").columns("a json, b jsonb")]);
        let finding = one(&schema, "t: distributed a", "distcol-no-hash-opclass");
        assert_eq!(finding.message, "data type json has no default operator class for specified partition method");
        assert!(found(&schema, "t: distributed b", "distcol-no-hash-opclass").is_empty());
    }
}
