//! See [`RULE`].

use super::support::ident;
use super::{Check, ColumnCase, Objection};
use super::rule::declare_rule;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// The distribution column has a type whose default hash operator class lacks the hash function (support function
    /// 1).
    ///
    /// ## Why on Citus
    ///
    /// The shard of a row is the hash of its distribution column.
    ///
    /// ## Example
    ///
    /// ```sql
    /// SELECT create_distributed_table('t', 'c');
    /// ERROR:  could not identify a hash function for type public.odd
    /// ```
    ///
    /// ## Use instead
    ///
    /// Another column or type, or a complete operator class.
    ///
    /// ## When to ignore
    ///
    /// Never: the call fails.
    ///
    /// ## Source
    ///
    /// `commands/create_distributed_table.c:EnsureRelationCanBeDistributed`
    code: "CA206", name: "distcol-no-hash-proc", level: Error, effect: Blocked,
    title: "the type of the distribution column has no hash function",
    remediation: "Choose another column, or complete the operator class.",
    source: "commands/create_distributed_table.c:EnsureRelationCanBeDistributed",
    check: Check::DistributionColumn { applies, word },
}

fn applies(layout: &Layout<'_>, case: &ColumnCase) -> bool {
    let column = layout.graph.column(case.table, case.column);
    layout.graph.data_type(&column.data_type).is_some_and(|t| t.hash_class && t.btree_class && !t.hash_function)
}

fn word(layout: &Layout<'_>, case: &ColumnCase) -> Objection {
    let (table, column) = (layout.graph.table(case.table), layout.graph.column(case.table, case.column));
    let data_type = layout.graph.data_type(&column.data_type).map_or(column.type_text.as_str(), |t| t.text.as_str());
    Objection {
        message: format!("could not identify a hash function for type {data_type}"),
        detail: Some(format!(
            "The hash operator class of {data_type}, the type of {}.{}, has no hash function.",
            table.name,
            ident(&column.name)
        )),
        hint: Some("Choose another distribution column.".to_owned()),
        fix_sql: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn refuses_a_class_without_its_function() {
        let mut schema = schema([table("t").columns("a public.odd, b bigint")]);
        schema.types.get_mut("public.odd").unwrap().hash_function = false;
        assert_eq!(found(&schema, "t: distributed a", "distcol-no-hash-proc"), ["t.a"]);
        assert!(found(&schema, "t: distributed b", "distcol-no-hash-proc").is_empty());
    }
}
