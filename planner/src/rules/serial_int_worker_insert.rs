//! See [`RULE`].

use super::support::{ident, widen_type};
use super::{Check, Objection, ObjectType, Report, Situation};
use super::rule::declare_rule;
use crate::schema::Column;

declare_rule! {
    /// ## What it is
    ///
    /// A column of type int or smallint has a default with nextval(), and its table becomes distributed or a reference
    /// table.
    ///
    /// ## Why on Citus
    ///
    /// Each worker draws bigint numbers from a range of its own; there is no room for that in an int. An INSERT that
    /// needs the default works on the coordinator only.
    ///
    /// ## Example
    ///
    /// ```sql
    /// -- on a worker:
    /// INSERT INTO ticket (org_id) VALUES (1);
    /// ERROR:  nextval(sequence) calls in worker nodes are not supported for column defaults of type int or smallint
    /// ```
    ///
    /// ## Use instead
    ///
    /// bigint, before distributing: afterwards the type of such a column cannot be changed.
    ///
    /// ## When to ignore
    ///
    /// Where every client connects to the coordinator.
    ///
    /// ## Source
    ///
    /// `worker/worker_data_fetch_protocol.c:worker_nextval`
    code: "CA605", name: "serial-int-worker-insert", level: Info, effect: Runtime,
    title: "workers cannot draw numbers for an int column",
    remediation: "Widen the column to bigint before distributing.",
    source: "worker/worker_data_fetch_protocol.c:worker_nextval",
    check: Check::Layout(walk),
}

/// Whether a column is too narrow for the numbers of a worker.
pub(super) fn is_narrow(column: &Column) -> bool {
    matches!(column.data_type.as_str(), "pg_catalog.int2" | "pg_catalog.int4")
}

fn walk(situation: &Situation<'_>, report: &mut Report<'_>) {
    let layout = &situation.layout;
    for table in layout.graph.planned_tables().filter(|&t| !layout.is_local(t)) {
        let t = layout.graph.table(table);
        for column in t.columns.iter().filter(|c| is_narrow(c) && c.identity.is_none() && !c.sequences.is_empty()) {
            report(&t.name, ObjectType::Column, &column.name, Objection {
                message: "nextval(sequence) calls in worker nodes are not supported for column defaults of type int or smallint".to_owned(),
                detail: Some(format!("{}.{} is {} and draws from {}: its default works on the coordinator only.", t.name, ident(&column.name), column.type_text, column.sequences[0])),
                hint: Some("Widen it, and the columns that reference it, before distributing if clients connect to workers.".to_owned()),
                fix_sql: widen_type(layout, table, &column.name, "bigint"),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::RelationName;

    #[test]
    fn tells_of_int_and_not_of_bigint() {
        let s = |name: &str| vec![RelationName::new("public", name)];
        let schema = schema([table("t").columns("a int, b bigint").with(|t| {
            t.columns[0].sequences = s("x");
            t.columns[1].sequences = s("y");
        })]);
        assert_eq!(found(&schema, "t: distributed b", "serial-int-worker-insert"), ["t.a"]);
        assert_eq!(found(&schema, "t: distributed b", "bigint-sequence-jump"), ["t.b"]);
        assert!(found(&schema, "", "serial-int-worker-insert").is_empty());
    }
}
