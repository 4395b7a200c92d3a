//! See [`RULE`].

use super::support::ident;
use super::{Check, Objection, ObjectType, Report, Situation};
use super::rule::declare_rule;
use crate::schema::Column;

declare_rule! {
    /// ## What it is
    ///
    /// A bigint column with a sequence or identity belongs to a table that becomes distributed or a reference table.
    ///
    /// ## Why on Citus
    ///
    /// Each worker draws from a range that begins at (group id << 48) + 1. Numbers are unique, but no longer in the
    /// order of time, and from group 32 on larger than what JavaScript keeps exactly (2^53).
    ///
    /// ## Example
    ///
    /// ```sql
    /// -- on a worker:
    /// INSERT INTO orders (shop_id) VALUES (1) RETURNING id;
    ///  281474976710657
    /// ```
    ///
    /// ## Use instead
    ///
    /// Sort by a timestamp instead of the number; insert through the coordinator where the order matters.
    ///
    /// ## When to ignore
    ///
    /// Where every client connects to the coordinator, or the order does not matter.
    ///
    /// ## Source
    ///
    /// `worker/worker_data_fetch_protocol.c:AlterSequenceMinMax`
    code: "CA607", name: "bigint-sequence-jump", level: Info, effect: Silent,
    title: "numbers drawn on workers start far apart",
    remediation: "Do not read an order into the numbers.",
    source: "worker/worker_data_fetch_protocol.c:AlterSequenceMinMax",
    check: Check::Layout(walk),
}

fn is_wide_generator(column: &Column) -> bool {
    column.data_type == "pg_catalog.int8" && (column.identity.is_some() || !column.sequences.is_empty())
}

fn walk(situation: &Situation<'_>, report: &mut Report<'_>) {
    let layout = &situation.layout;
    for table in layout.graph.planned_tables().filter(|&t| !layout.is_local(t)) {
        let t = layout.graph.table(table);
        for column in t.columns.iter().filter(|c| is_wide_generator(c)) {
            report(&t.name, ObjectType::Column, &column.name, Objection {
                message: format!("numbers of column {} are not ordered across nodes", ident(&column.name)),
                detail: Some(format!("Rows inserted into {} through a worker get numbers from a range of that worker.", t.name)),
                hint: None,
                fix_sql: None,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::Identity;

    #[test]
    fn tells_of_bigint_generators() {
        let schema = schema([table("t").columns("a bigint, b bigint").with(|t| t.columns[0].identity = Some(Identity::Always))]);
        assert_eq!(found(&schema, "t: distributed b", "bigint-sequence-jump"), ["t.a"]);
        assert!(found(&schema, "", "bigint-sequence-jump").is_empty());
    }
}
