//! See [`RULE`].

use super::support::{bare, column_list, ident, name, thousands};
use super::{Check, ForeignKeyCase, Objection};
use super::rule::declare_rule;
use crate::identifier::quote_identifiers;
use crate::layout::Layout;
use crate::schema::Index;

declare_rule! {
    /// ## What it is
    ///
    /// No index of the referencing table begins with the columns of a foreign key.
    ///
    /// ## Why on Citus
    ///
    /// Each delete or key change in the referenced table looks for referencing rows: without an index it reads the
    /// whole table, all its partitions and, for a reference table, all its shards. The same scan serves joins.
    ///
    /// ## Example
    ///
    /// ```sql
    /// DELETE FROM payment_users WHERE user_id = 1;   -- reads all partitions of payment_events
    /// ```
    ///
    /// ## Use instead
    ///
    /// An index on the referencing columns.
    ///
    /// ## When to ignore
    ///
    /// Where referenced rows are never deleted and never joined from that side.
    ///
    /// ## Source
    ///
    /// `utils/adt/ri_triggers.c (PostgreSQL)`
    code: "CA902", name: "missing-fk-index", level: Info, effect: Advice,
    title: "no index on the referencing columns",
    remediation: "Create an index that begins with the referencing columns.",
    source: "utils/adt/ri_triggers.c (PostgreSQL)",
    check: Check::ForeignKey { applies, word },
}

fn applies(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> bool {
    let table = layout.graph.table(case.edge.referencing);
    let columns = &case.foreign_key.columns;
    let leads = |index: &Index| {
        let leading = index.columns.iter().take(columns.len());
        index.valid
            && index.predicate.is_none()
            && index.columns.len() >= columns.len()
            && leading.into_iter().all(|c| c.key && c.column.as_ref().is_some_and(|c| columns.contains(c)))
    };
    let known = !layout.is_local(case.edge.referencing) || !layout.is_local(case.edge.referenced);
    known && !table.indexes.iter().any(leads)
}

fn word(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> Objection {
    let (table, referenced) = (name(layout, case.edge.referencing), name(layout, case.edge.referenced));
    let partitions = layout.graph.partitions(case.edge.referencing).len();
    let reads = match partitions {
        0 => format!("reads all of {table}"),
        _ => format!("reads all {} partitions of {table}", thousands(partitions as i64)),
    };
    let columns = case.foreign_key.columns.iter().map(String::as_str);
    Objection {
        message: format!("{} has no index on {}", bare(layout, case.edge.referencing), column_list(columns.clone())),
        detail: Some(format!("{} references {referenced}: each delete there {reads}.", ident(&case.foreign_key.name))),
        hint: None,
        fix_sql: Some(format!("CREATE INDEX ON {table} ({});", quote_identifiers(columns))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn looks_at_leading_columns() {
        let schema = schema([
            table("p").columns("id bigint").primary_key("id"),
            table("a").columns("p_id bigint, x bigint").foreign_key("a", "p_id", "p(id)").with(|t| {
                t.indexes.push(index("late", "x, p_id", None));
            }),
            table("b").columns("p_id bigint, x bigint").foreign_key("b", "p_id", "p(id)").with(|t| {
                t.indexes.push(index("early", "p_id, x", None));
            }),
        ]);
        let finding = one(&schema, "p: reference; a: distributed x; b: distributed x", "missing-fk-index");
        assert_eq!(finding.fix_sql.as_deref(), Some("CREATE INDEX ON public.a (p_id);"));
        assert!(found(&schema, "", "missing-fk-index").is_empty());
    }
}
