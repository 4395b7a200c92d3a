//! See [`RULE`].

use super::serial_int_worker_insert::is_narrow;
use super::support::{ident, widen_type};
use super::{Check, Objection, ObjectType, Report, Situation};
use super::rule::declare_rule;

declare_rule! {
    /// ## What it is
    ///
    /// An identity column has type int or smallint, and its table becomes distributed or a reference table.
    ///
    /// ## Why on Citus
    ///
    /// Each worker draws numbers from a range of its own, which begins beyond what an int can hold.
    ///
    /// ## Example
    ///
    /// ```sql
    /// -- on a worker:
    /// INSERT INTO ticket (org_id) VALUES (1);
    /// ERROR:  nextval: reached maximum value of sequence "ticket_id_seq" (2147483647)
    /// ```
    ///
    /// ## Use instead
    ///
    /// bigint, before distributing: afterwards the type of an identity column cannot be changed.
    ///
    /// ## When to ignore
    ///
    /// Where every client connects to the coordinator.
    ///
    /// ## Source
    ///
    /// `metadata/metadata_sync.c:AlterSequenceMinMax`
    code: "CA606", name: "identity-int-worker-insert", level: Info, effect: Runtime,
    title: "workers cannot draw numbers for an int identity column",
    remediation: "Widen the column to bigint before distributing.",
    source: "metadata/metadata_sync.c:AlterSequenceMinMax",
    check: Check::Layout(walk),
}

fn walk(situation: &Situation<'_>, report: &mut Report<'_>) {
    let layout = &situation.layout;
    for table in layout.graph.planned_tables().filter(|&t| !layout.is_local(t)) {
        let t = layout.graph.table(table);
        for column in t.columns.iter().filter(|c| is_narrow(c) && c.identity.is_some()) {
            report(&t.name, ObjectType::Column, &column.name, Objection {
                message: format!("identity column {} works on the coordinator only", ident(&column.name)),
                detail: Some(format!("{}.{} is {}: on a worker its sequence begins beyond the range of the type.", t.name, ident(&column.name), column.type_text)),
                hint: Some("Widen it, and the columns that reference it, before distributing if clients connect to workers.".to_owned()),
                fix_sql: widen_type(layout, table, &column.name, "bigint"),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::Identity;

    #[test]
    fn tells_of_int_identities() {
        let schema = schema([table("t").columns("a int, b bigint").with(|t| {
            t.columns[0].identity = Some(Identity::Always);
            t.columns[1].identity = Some(Identity::Always);
        })]);
        assert_eq!(found(&schema, "t: distributed b", "identity-int-worker-insert"), ["t.a"]);
        assert!(found(&schema, "", "identity-int-worker-insert").is_empty());
    }
}
