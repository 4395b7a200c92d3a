//! See [`RULE`].

use super::support::{column_list, distribution_column, enumerate, generator, ident, name, resting_on, widen_key};
use super::{Check, KeyCase, Objection};
use super::rule::declare_rule;
use crate::layout::Layout;
use crate::schema::{ConstraintKind, Index, IndexColumn};

declare_rule! {
    /// ## What it is
    ///
    /// A primary key, unique constraint or unique index of a distributed table does not have the distribution column
    /// among its columns. Partial, invalid and deferrable ones count too.
    ///
    /// ## Why on Citus
    ///
    /// Each shard can only see its own rows. With the distribution column in the key, rows that could collide lie in
    /// the same shard; without it nobody would notice duplicates in two shards.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint);
    /// SELECT create_distributed_table('orders', 'customer_id');
    /// ERROR:  cannot create constraint on "orders"
    /// DETAIL:  Distributed relations cannot have UNIQUE, EXCLUDE, or PRIMARY KEY constraints that do not include the partition
    ///          column (with an equality operator if EXCLUDE).
    /// ```
    ///
    /// ## Use instead
    ///
    /// - A key on values that a sequence, identity or UUID default makes: put the distribution column in front. The
    ///   values stay unique in practice.
    /// - A key that means "unique within one customer" anyway: the same.
    /// - A key that must be unique over all (an e-mail address): keep the column in a table distributed by it, or make
    ///   the whole table a reference table.
    /// - A key that another one implies: drop it.
    ///
    /// After widening, foreign keys that rest on the key must be widened too, and `ON CONFLICT (id)` must name the new
    /// columns.
    ///
    /// ## When to ignore
    ///
    /// Where the values are unique by construction and the guarantee is not needed.
    ///
    /// ## Source
    ///
    /// `commands/table.c:ErrorIfUnsupportedConstraint, commands/index.c:ErrorIfUnsupportedIndexStmt`
    code: "CA301", name: "unique-missing-distcol", level: Error, effect: Blocked,
    title: "a primary key, unique constraint or unique index lacks the distribution column",
    remediation: "Put the distribution column in front of the key, or make the table a reference table.",
    source: "commands/table.c:ErrorIfUnsupportedConstraint, commands/index.c:ErrorIfUnsupportedIndexStmt",
    check: Check::Key { applies, word },
}

/// How a key has the distribution column.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// In its key columns (of an exclusion constraint: with an equality operator).
    Key,
    /// Only in INCLUDE.
    Include,
    /// Only inside an expression.
    Expression,
    No,
}

/// How a key has the distribution column; `None` where the table has none or the index is no key.
pub(super) fn holds(layout: &Layout<'_>, case: &KeyCase<'_>) -> Option<Holds> {
    let column = distribution_column(layout, case.table)?;
    let index = case.index;
    let exclusion = is_exclusion(index);
    if !index.unique && !exclusion {
        return None;
    }
    let is_it = |c: &&IndexColumn| c.column.as_deref() == Some(column.name.as_str());
    Some(match index.columns.iter().find(is_it) {
        Some(_) if index.columns.iter().filter(is_it).any(|c| c.key && (!exclusion || c.exclusion_equality)) => Holds::Key,
        Some(c) if !c.key => Holds::Include,
        _ if index.columns.iter().any(|c| c.key && c.column.is_none() && mentions(&c.text, &column.name)) => {
            Holds::Expression
        }
        _ => Holds::No,
    })
}

pub(super) fn is_exclusion(index: &Index) -> bool {
    index.constraint.as_ref().is_some_and(|c| c.kind == ConstraintKind::Exclusion)
}

/// Whether a deparsed expression has the column as a whole word.
fn mentions(expression: &str, column: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    expression.match_indices(column).any(|(at, _)| {
        let before = expression[..at].chars().next_back();
        let after = expression[at + column.len()..].chars().next();
        !before.is_some_and(inside) && !after.is_some_and(inside)
    })
}

/// What Citus says of a key without the distribution column; of an index that is no constraint it says something else.
pub(super) fn message(layout: &Layout<'_>, case: &KeyCase<'_>) -> String {
    match case.index.constraint {
        Some(_) => format!("cannot create constraint on \"{}\"", name(layout, case.table).name),
        None => "creating unique indexes on non-partition columns is currently unsupported".to_owned(),
    }
}

fn applies(layout: &Layout<'_>, case: &KeyCase<'_>) -> bool {
    !is_exclusion(case.index)
        && match holds(layout, case) {
            Some(Holds::No) => true,
            // A constraint with INCLUDE slips through, an index is looked at more closely.
            Some(Holds::Include) => case.index.constraint.is_none(),
            _ => false,
        }
}

fn word(layout: &Layout<'_>, case: &KeyCase<'_>) -> Objection {
    let table = layout.graph.table(case.table);
    let keys = case.index.columns.iter().filter(|c| c.key);
    let columns: Vec<&str> = keys.map(|c| c.column.as_deref().unwrap_or(&c.text)).collect();
    let column = distribution_column(layout, case.table).map_or(String::new(), |c| ident(&c.name));
    let made_by = match columns[..] {
        [one] => table.columns.iter().find(|c| c.name == one).and_then(generator),
        _ => None,
    };
    let consequence = match made_by {
        Some(generator) => format!(
            "Its values come from {generator}, so they stay unique in practice; widened with {column}, only the guarantee \
             over all shards is lost."
        ),
        None => format!(
            "Widened with {column} it would be unique per {column} only. If it must stay unique over all, keep it in a \
             table distributed by it, or make {} a reference table.",
            table.name
        ),
    };
    let resting = resting_on(layout, case.table, case.index);
    Objection {
        message: message(layout, case),
        detail: Some(format!(
            "{} is distributed by {column}, which {} on {} does not include: shards cannot see each other's rows. \
             {consequence}",
            table.name,
            ident(&case.index.name),
            column_list(columns.iter().copied())
        )),
        hint: Some(match resting.is_empty() {
            true => format!("ON CONFLICT {} must name {column} too afterwards.", column_list(columns)),
            false => format!(
                "Foreign keys that rest on it must be dropped before and made again with {column} in front: {}.",
                enumerate(&resting)
            ),
        }),
        fix_sql: widen_key(layout, case.table, case.index),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::ConstraintKind;

    #[test]
    fn refuses_keys_without_the_distribution_column() {
        let schema = schema([table("t").columns("id bigint, x bigint").primary_key("id").unique("t_x", "x, id")]);
        let finding = one(&schema, "t: distributed x", "unique-missing-distcol");
        assert_eq!((finding.object_name.as_str(), finding.object_type.as_str()), ("t_pkey", "primary key"));
        assert_eq!(finding.message, "cannot create constraint on \"t\"");
        assert_eq!(
            finding.fix_sql.as_deref(),
            Some("ALTER TABLE public.t DROP CONSTRAINT t_pkey, ADD CONSTRAINT t_pkey PRIMARY KEY (x, id);")
        );
        assert!(found(&schema, "t: distributed id", "unique-missing-distcol").is_empty());
        assert!(found(&schema, "t: reference", "unique-missing-distcol").is_empty());
    }

    #[test]
    fn words_an_index_that_is_no_constraint_differently() {
        let mut partial = index("t_live", "x", Some(ConstraintKind::Unique));
        partial.constraint = None;
        partial.predicate = Some("(x > 0)".into());
        let schema = schema([table("t").columns("id bigint, x bigint").with(|t| t.indexes.push(partial))]);
        let finding = one(&schema, "t: distributed id", "unique-missing-distcol");
        assert_eq!(finding.message, "creating unique indexes on non-partition columns is currently unsupported");
        assert_eq!(finding.object_type.as_str(), "unique index");
        assert_eq!(
            finding.fix_sql.as_deref(),
            Some(
                "BEGIN;\nDROP INDEX public.t_live;\nCREATE UNIQUE INDEX t_live ON public.t USING btree (id, x) WHERE (x > 0);\nCOMMIT;"
            )
        );
    }

    #[test]
    fn an_index_of_a_partition_follows_its_parent() {
        let parent = table("p").columns("id bigint, x bigint").partitioned().primary_key("id");
        let leaf = table("p_1").columns("id bigint, x bigint").partition_of("p").primary_key("id").with(|t| {
            t.indexes[0].parent = Some("p_pkey".into());
            t.indexes.push(index("p_1_own", "id", Some(ConstraintKind::Unique)));
        });
        let schema = schema([parent, leaf]);
        assert_eq!(found(&schema, "p: distributed x", "unique-missing-distcol"), ["p.p_pkey", "p_1.p_1_own"]);
    }
}
