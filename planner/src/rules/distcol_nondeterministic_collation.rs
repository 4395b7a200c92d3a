//! See [`RULE`].

use super::support::ident;
use super::{Check, ColumnCase, Objection};
use super::rule::declare_rule;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// The distribution column has a collation in which different bytes can be equal (`deterministic = false`, usually
    /// for case-insensitive text).
    ///
    /// ## Why on Citus
    ///
    /// Equal values must lie in one shard, but Citus hashes bytes: `A` and `a` could be equal and lie in two shards.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    /// CREATE TABLE mailbox (address text COLLATE ci);
    /// SELECT create_distributed_table('mailbox', 'address');
    /// ERROR:  Hash distributed partition columns may not use a non deterministic collation
    /// ```
    ///
    /// ## Use instead
    ///
    /// A deterministic collation for this column; for case-insensitive values `citext`, or a lower-case copy of the
    /// value.
    ///
    /// ## When to ignore
    ///
    /// Never: the call fails.
    ///
    /// ## Source
    ///
    /// `commands/create_distributed_table.c:EnsureRelationCanBeDistributed`
    code: "CA207", name: "distcol-nondeterministic-collation", level: Error, effect: Blocked,
    title: "the distribution column has a nondeterministic collation",
    remediation: "Give the column a deterministic collation, or use citext.",
    source: "commands/create_distributed_table.c:EnsureRelationCanBeDistributed",
    check: Check::DistributionColumn { applies, word },
}

fn applies(layout: &Layout<'_>, case: &ColumnCase) -> bool {
    layout.graph.column(case.table, case.column).collation.as_ref().is_some_and(|c| !c.deterministic)
}

fn word(layout: &Layout<'_>, case: &ColumnCase) -> Objection {
    let (table, column) = (layout.graph.table(case.table), layout.graph.column(case.table, case.column));
    let collation = column.collation.as_ref().map_or("", |c| c.name.as_str());
    Objection {
        message: "Hash distributed partition columns may not use a non deterministic collation".to_owned(),
        detail: Some(format!(
            "{}.{} has the collation {collation}: equal values may differ in their bytes, and so in their shard.",
            table.name,
            ident(&column.name)
        )),
        hint: Some("Give the column a deterministic collation; citext keeps it case-insensitive.".to_owned()),
        fix_sql: Some(format!(
            "ALTER TABLE {} ALTER COLUMN {} TYPE {} COLLATE pg_catalog.\"default\";",
            table.name,
            ident(&column.name),
            column.type_text
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::Collation;

    #[test]
    fn refuses_a_nondeterministic_collation_of_the_distribution_column() {
        let schema = schema([table("t").columns("a text, b text").with(|t| {
            t.columns[0].collation = Some(Collation { name: "public.ci".into(), deterministic: false });
        })]);
        assert_eq!(found(&schema, "t: distributed a", "distcol-nondeterministic-collation"), ["t.a"]);
        assert!(found(&schema, "t: distributed b", "distcol-nondeterministic-collation").is_empty());
    }
}
