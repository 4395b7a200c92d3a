//! See [`RULE`].

use super::support::{distribution_column, ident, name};
use super::{Check, KeyCase, Objection};
use super::rule::declare_rule;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// A primary key or unique constraint `WITHOUT OVERLAPS` (PostgreSQL 18) belongs to a table distributed by its
    /// period column.
    ///
    /// ## Why on Citus
    ///
    /// Periods that overlap are rarely equal, so they lie in different shards; each shard checks only its own. Citus
    /// accepts the key because the column is in it.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE TABLE lease (id int, valid_at daterange, PRIMARY KEY (id, valid_at WITHOUT OVERLAPS));
    /// SELECT create_distributed_table('lease', 'valid_at');   -- accepted, overlaps are not noticed
    /// ```
    ///
    /// ## Use instead
    ///
    /// Distribute by another column of the key.
    ///
    /// ## When to ignore
    ///
    /// Never: the constraint does not hold.
    ///
    /// ## Source
    ///
    /// `commands/table.c:ErrorIfUnsupportedConstraint`
    code: "CA305", name: "without-overlaps-distcol", level: Error, effect: Silent,
    title: "a WITHOUT OVERLAPS key is distributed by its period",
    remediation: "Distribute by another column of the key.",
    source: "commands/table.c:ErrorIfUnsupportedConstraint",
    check: Check::Key { applies, word },
}

fn applies(layout: &Layout<'_>, case: &KeyCase<'_>) -> bool {
    let period = case.index.constraint.as_ref().is_some_and(|c| c.period);
    let last = || case.index.columns.iter().rfind(|c| c.key).and_then(|c| c.column.as_deref());
    period && distribution_column(layout, case.table).is_some_and(|c| last() == Some(&c.name))
}

fn word(layout: &Layout<'_>, case: &KeyCase<'_>) -> Objection {
    let column = distribution_column(layout, case.table).map_or(String::new(), |c| ident(&c.name));
    Objection {
        message: format!("{} is checked per shard only", ident(&case.index.name)),
        detail: Some(format!(
            "{} is distributed by {column}, the period of {}: periods that overlap lie in different shards.",
            name(layout, case.table),
            ident(&case.index.name)
        )),
        hint: Some("Distribute by another column of the key.".to_owned()),
        fix_sql: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::ConstraintKind;

    #[test]
    fn the_period_is_no_distribution_column() {
        let mut period = index("t_pkey", "id, valid_at", Some(ConstraintKind::PrimaryKey));
        period.constraint.as_mut().unwrap().period = true;
        let schema = schema([table("t").columns("id bigint, valid_at daterange").with(|t| t.indexes.push(period))]);
        assert_eq!(found(&schema, "t: distributed valid_at", "without-overlaps-distcol"), ["t.t_pkey"]);
        assert!(found(&schema, "t: distributed id", "without-overlaps-distcol").is_empty());
    }
}
