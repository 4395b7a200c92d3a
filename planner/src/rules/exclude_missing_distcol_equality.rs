//! See [`RULE`].

use super::support::{distribution_column, ident, name, widen_key};
use super::unique_missing_distcol::{Holds, holds, is_exclusion, message};
use super::{Check, KeyCase, Objection};
use super::rule::declare_rule;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// An exclusion constraint of a distributed table does not compare the distribution column with `=`.
    ///
    /// ## Why on Citus
    ///
    /// Rows that exclude each other must lie in the same shard. That holds only if the constraint asks for equal
    /// distribution values.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE TABLE booking (room int, during tsrange, EXCLUDE USING gist (during WITH &&));
    /// SELECT create_distributed_table('booking', 'room');
    /// ERROR:  cannot create constraint on "booking"
    /// ```
    ///
    /// ## Use instead
    ///
    /// Add the distribution column `WITH =` (gist needs the extension btree_gist for that).
    ///
    /// ## When to ignore
    ///
    /// Never: the constraint is refused.
    ///
    /// ## Source
    ///
    /// `commands/table.c:ErrorIfUnsupportedConstraint`
    code: "CA302", name: "exclude-missing-distcol-equality", level: Error, effect: Blocked,
    title: "an exclusion constraint lacks the distribution column with an equality operator",
    remediation: "Add the distribution column WITH = to the constraint.",
    source: "commands/table.c:ErrorIfUnsupportedConstraint",
    check: Check::Key { applies, word },
}

/// An exclusion constraint with the column in INCLUDE makes Citus read past the operators: refused when tried.
fn applies(layout: &Layout<'_>, case: &KeyCase<'_>) -> bool {
    is_exclusion(case.index) && holds(layout, case).is_some_and(|holds| holds != Holds::Key)
}

fn word(layout: &Layout<'_>, case: &KeyCase<'_>) -> Objection {
    let column = distribution_column(layout, case.table).map_or(String::new(), |c| ident(&c.name));
    Objection {
        message: message(layout, case),
        detail: Some(format!(
            "{} is distributed by {column}, which {} does not compare for equality: rows that exclude each other could \
             lie in different shards.",
            name(layout, case.table),
            ident(&case.index.name)
        )),
        hint: Some(format!("With {column} WITH = added it excludes within one {column} only (gist: needs btree_gist).")),
        fix_sql: widen_key(layout, case.table, case.index),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::ConstraintKind;

    #[test]
    fn asks_for_equality() {
        let exclusion = |name: &str, equality: bool| {
            let mut index = index(name, "room, during", Some(ConstraintKind::Exclusion));
            index.method = "gist".into();
            index.columns[0].exclusion_operator = Some("pg_catalog.=".into());
            index.columns[0].exclusion_equality = equality;
            index.columns[1].exclusion_operator = Some("pg_catalog.&&".into());
            index
        };
        let schema = schema([table("b").columns("room bigint, during tsrange").with(|t| {
            t.indexes.push(exclusion("good", true));
            t.indexes.push(exclusion("bad", false));
        })]);
        let finding = one(&schema, "b: distributed room", "exclude-missing-distcol-equality");
        assert_eq!(finding.object_name, "bad");
        assert_eq!(
            finding.fix_sql.as_deref(),
            Some(
                "ALTER TABLE public.b DROP CONSTRAINT bad, ADD CONSTRAINT bad EXCLUDE USING gist \
                 (room WITH =, during WITH &&);"
            )
        );
        assert!(found(&schema, "b: reference", "exclude-missing-distcol-equality").is_empty());
    }
}
