//! See [`RULE`].

use super::support::{name, size, thousands};
use super::{Check, Objection, TableCase};
use super::rule::declare_rule;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// A reference table has more than a gigabyte or ten million rows.
    ///
    /// ## Why on Citus
    ///
    /// Every node keeps a full copy, and every write goes to all of them in one two-phase commit.
    ///
    /// ## Example
    ///
    /// ```sql
    /// SELECT create_reference_table('products');   -- 40 GB on every node
    /// ```
    ///
    /// ## Use instead
    ///
    /// Distribute it by a column on which it is joined, where foreign keys allow it.
    ///
    /// ## When to ignore
    ///
    /// Where it is read much and written rarely, and the disks are large enough.
    ///
    /// ## Source
    ///
    /// `commands/create_distributed_table.c:CreateReferenceTable`
    code: "CA904", name: "reference-table-large", level: Warning, effect: Advice,
    title: "a large reference table",
    remediation: "Distribute it, if the foreign keys to it allow that.",
    source: "commands/create_distributed_table.c:CreateReferenceTable",
    check: Check::Table { applies, word },
}

fn applies(layout: &Layout<'_>, case: &TableCase) -> bool {
    layout.is_reference(case.table)
        && (layout.graph.bytes(case.table) > Some(LARGE) || layout.graph.rows(case.table) > Some(MANY))
}

const LARGE: i64 = 1024 * 1024 * 1024;
const MANY: i64 = 10_000_000;

fn word(layout: &Layout<'_>, case: &TableCase) -> Objection {
    let rows = layout.graph.rows(case.table).map(|r| format!("{} rows", thousands(r)));
    let bytes = layout.graph.bytes(case.table).map(|b| format!("{} on each node", size(b)));
    let evidence: Vec<String> = rows.into_iter().chain(bytes).collect();
    Objection {
        message: format!("reference table {} is large", name(layout, case.table)),
        detail: Some(format!("{}; each write goes to every node.", evidence.join(", "))),
        hint: None,
        fix_sql: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn weighs_reference_tables() {
        let with = |name: &str, bytes: i64| table(name).columns("id bigint").with(|t| t.bytes = Some(bytes));
        let schema = schema([with("a", 40 << 30), with("b", 16384)]);
        assert_eq!(found(&schema, "a: reference; b: reference", "reference-table-large"), ["a"]);
        assert!(found(&schema, "a: distributed id", "reference-table-large").is_empty());
    }
}
