//! See [`RULE`].

use super::support::{distribution_column, ident, name, widen_key};
use super::unique_missing_distcol::{Holds, holds, is_exclusion, message};
use super::{Check, KeyCase, Objection};
use super::rule::declare_rule;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// The distribution column occurs in a unique index, but only inside an expression.
    ///
    /// ## Why on Citus
    ///
    /// Citus looks for the column itself. It does not see that equal expressions may imply equal columns.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE UNIQUE INDEX ON voucher ((tenant_id || '-' || code));   -- distributed by tenant_id
    /// ERROR:  creating unique indexes on non-partition columns is currently unsupported
    /// ```
    ///
    /// ## Use instead
    ///
    /// Add the distribution column as a column of its own.
    ///
    /// ## When to ignore
    ///
    /// Where `SET LOCAL citus.allow_unsafe_constraints TO on` was used knowingly because equal expressions do imply
    /// equal columns.
    ///
    /// ## Source
    ///
    /// `commands/index.c:ErrorIfUnsupportedIndexStmt`
    code: "CA304", name: "unique-distcol-only-in-expression", level: Error, effect: Blocked,
    title: "a unique index has the distribution column only inside an expression",
    remediation: "Add the distribution column to the index as a column of its own.",
    source: "commands/index.c:ErrorIfUnsupportedIndexStmt",
    check: Check::Key { applies, word },
}

fn applies(layout: &Layout<'_>, case: &KeyCase<'_>) -> bool {
    !is_exclusion(case.index) && holds(layout, case).is_some_and(|holds| holds == Holds::Expression)
}

fn word(layout: &Layout<'_>, case: &KeyCase<'_>) -> Objection {
    let column = distribution_column(layout, case.table).map_or(String::new(), |c| ident(&c.name));
    Objection {
        message: message(layout, case),
        detail: Some(format!(
            "{} is distributed by {column}, which {} has only inside an expression; Citus does not look there.",
            name(layout, case.table),
            ident(&case.index.name)
        )),
        hint: Some(format!("With {column} in front the index means the same if the expression determines {column}.")),
        fix_sql: widen_key(layout, case.table, case.index),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::ConstraintKind;

    #[test]
    fn an_expression_does_not_count() {
        let unique = |name: &str, columns: &str| {
            let mut index = index(name, columns, Some(ConstraintKind::Unique));
            index.constraint = None;
            index
        };
        let schema = schema([table("t").columns("tenant_id text, code text").with(|t| {
            t.indexes.push(unique("a", "upper(tenant_id)"));
            t.indexes.push(unique("b", "tenant_id, upper(code)"));
            t.indexes.push(unique("c", "upper(my_tenant_id)"));
        })]);
        assert_eq!(found(&schema, "t: distributed tenant_id", "unique-distcol-only-in-expression"), ["t.a"]);
        assert!(found(&schema, "t: distributed code", "unique-distcol-only-in-expression").len() == 1);
        assert!(found(&schema, "t: reference", "unique-distcol-only-in-expression").is_empty());
        assert_eq!(found(&schema, "t: distributed tenant_id", "unique-missing-distcol"), ["t.c"]);
    }
}
