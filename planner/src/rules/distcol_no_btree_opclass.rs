//! See [`RULE`].

use super::support::ident;
use super::{Check, ColumnCase, Objection};
use super::rule::declare_rule;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// The distribution column has a type that can be hashed but has no default btree operator class: `xid`, `cid`,
    /// `aclitem`.
    ///
    /// ## Why on Citus
    ///
    /// Citus also compares distribution values, and asks for the btree class without checking that there is one: the
    /// error is an internal one.
    ///
    /// ## Example
    ///
    /// ```sql
    /// SELECT create_distributed_table('s', 'transaction_id');   -- xid
    /// ERROR:  cache lookup failed for opclass 0
    /// ```
    ///
    /// ## Use instead
    ///
    /// Another column, or `bigint` or `text` as its type.
    ///
    /// ## When to ignore
    ///
    /// Never: the call fails.
    ///
    /// ## Source
    ///
    /// `utils/distribution_column.c:BuildDistributionKeyFromColumnName`
    code: "CA204", name: "distcol-no-btree-opclass", level: Error, effect: Blocked,
    title: "the type of the distribution column cannot be sorted",
    remediation: "Choose another column, or change the type before distributing.",
    source: "utils/distribution_column.c:BuildDistributionKeyFromColumnName",
    check: Check::DistributionColumn { applies, word },
}

fn applies(layout: &Layout<'_>, case: &ColumnCase) -> bool {
    let column = layout.graph.column(case.table, case.column);
    layout.graph.data_type(&column.data_type).is_some_and(|t| t.hash_class && !t.btree_class)
}

fn word(layout: &Layout<'_>, case: &ColumnCase) -> Objection {
    let (table, column) = (layout.graph.table(case.table), layout.graph.column(case.table, case.column));
    Objection {
        message: "cache lookup failed for opclass 0".to_owned(),
        detail: Some(format!(
            "{}.{} is of type {}, which has no btree operator class; the message is an internal error of Citus.",
            table.name,
            ident(&column.name),
            column.type_text
        )),
        hint: Some("Choose another distribution column, or another type for this one before distributing.".to_owned()),
        fix_sql: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn refuses_what_hashes_but_does_not_sort() {
        let mut schema = schema([table("t").columns("a xid, b xml, c bigint")]);
        schema.types.get_mut("pg_catalog.xid").unwrap().btree_class = false;
        assert_eq!(found(&schema, "t: distributed a", "distcol-no-btree-opclass"), ["t.a"]);
        assert!(found(&schema, "t: distributed b", "distcol-no-btree-opclass").is_empty());
        assert!(found(&schema, "t: distributed c", "distcol-no-btree-opclass").is_empty());
    }
}
