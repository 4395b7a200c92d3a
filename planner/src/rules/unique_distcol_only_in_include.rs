//! See [`RULE`].

use super::support::{column_list, distribution_column, ident, name, widen_key};
use super::unique_missing_distcol::{Holds, holds, is_exclusion};
use super::{Check, KeyCase, Objection};
use super::rule::declare_rule;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// A primary key or unique constraint lists the distribution column under INCLUDE only.
    ///
    /// ## Why on Citus
    ///
    /// Citus looks for the distribution column among all columns of the index and does not ask whether it is part of
    /// the key. So it accepts the constraint, and from then on the key is unique within each shard only: duplicates go
    /// in without an error. A unique index without a constraint is refused.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE TABLE member (id bigint, club_id bigint, PRIMARY KEY (id) INCLUDE (club_id));
    /// SELECT create_distributed_table('member', 'club_id');   -- accepted
    /// INSERT INTO member VALUES (1, 1), (1, 2);               -- accepted as well
    /// ```
    ///
    /// ## Use instead
    ///
    /// Put the distribution column among the key columns, and treat the key as one that lacks it.
    ///
    /// ## When to ignore
    ///
    /// Where the values are unique by construction.
    ///
    /// ## Source
    ///
    /// `commands/table.c:ErrorIfUnsupportedConstraint`
    code: "CA303", name: "unique-distcol-only-in-include", level: Error, effect: Silent,
    title: "a key has the distribution column only in INCLUDE: unique per shard only",
    remediation: "Make the distribution column a key column.",
    source: "commands/table.c:ErrorIfUnsupportedConstraint",
    check: Check::Key { applies, word },
}

fn applies(layout: &Layout<'_>, case: &KeyCase<'_>) -> bool {
    case.index.constraint.is_some()
        && !is_exclusion(case.index)
        && holds(layout, case).is_some_and(|holds| holds == Holds::Include)
}

fn word(layout: &Layout<'_>, case: &KeyCase<'_>) -> Objection {
    let column = distribution_column(layout, case.table).map_or(String::new(), |c| ident(&c.name));
    let keys = case.index.columns.iter().filter(|c| c.key).map(|c| c.column.as_deref().unwrap_or(&c.text));
    let (table, keys) = (name(layout, case.table), column_list(keys));
    Objection {
        message: format!("{} is unique per shard only", ident(&case.index.name)),
        detail: Some(format!(
            "{table} is distributed by {column}, which {} only includes. Citus accepts that, and {keys} may then occur \
             once in every shard.",
            ident(&case.index.name)
        )),
        hint: Some(format!("With {column} as a key column it is unique per {column}, and Citus enforces it.")),
        fix_sql: widen_key(layout, case.table, case.index),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::ConstraintKind;

    #[test]
    fn tells_include_from_key() {
        let mut including = index("t_pkey", "id, x", Some(ConstraintKind::PrimaryKey));
        including.columns[1].key = false;
        let mut only_index = including.clone();
        only_index.name = "t_index".into();
        only_index.constraint = None;
        let schema =
            schema([table("t").columns("id bigint, x bigint").with(|t| t.indexes = vec![including, only_index])]);
        assert_eq!(found(&schema, "t: distributed x", "unique-distcol-only-in-include"), ["t.t_pkey"]);
        assert_eq!(found(&schema, "t: distributed x", "unique-missing-distcol"), ["t.t_index"]);
        assert!(found(&schema, "t: distributed id", "unique-distcol-only-in-include").is_empty());
    }
}
