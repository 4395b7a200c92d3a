//! See [`RULE`].

use super::support::ident;
use super::{Check, Objection, ObjectType, Report, Situation};
use super::rule::declare_rule;

declare_rule! {
    /// ## What it is
    ///
    /// A table that becomes distributed or a reference table was clustered on an index.
    ///
    /// ## Why on Citus
    ///
    /// Citus refuses `ALTER TABLE ... CLUSTER ON`, with which a dump restores the mark, and CLUSTER itself. A mark that
    /// is there when the table is distributed is lost.
    ///
    /// ## Example
    ///
    /// ```sql
    /// ALTER TABLE line CLUSTER ON line_n;
    /// ERROR:  alter table command is currently unsupported
    /// ```
    ///
    /// ## Use instead
    ///
    /// Nothing: the order of rows is that of insertion. Covering indexes (INCLUDE) or columnar storage serve scans.
    ///
    /// ## When to ignore
    ///
    /// Where the order was a habit.
    ///
    /// ## Source
    ///
    /// `commands/table.c:ErrorIfUnsupportedAlterTableStmt`
    code: "CA708", name: "cluster-on", level: Error, effect: Blocked,
    title: "CLUSTER ON is not supported on tables of Citus",
    remediation: "Do without; a covering index serves scans.",
    source: "commands/table.c:ErrorIfUnsupportedAlterTableStmt",
    check: Check::Layout(walk),
}

fn walk(situation: &Situation<'_>, report: &mut Report<'_>) {
    let layout = &situation.layout;
    for table in layout.graph.tables().filter(|&t| !layout.is_local(t)) {
        let t = layout.graph.table(table);
        for index in t.indexes.iter().filter(|i| i.clustered) {
            report(&t.name, ObjectType::Cluster, &index.name, Objection {
                message: "alter table command is currently unsupported".to_owned(),
                detail: Some(format!("{} is clustered on {}; that mark is lost.", t.name, ident(&index.name))),
                hint: None,
                fix_sql: Some(format!("ALTER TABLE {} SET WITHOUT CLUSTER;", t.name)),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn refuses_the_mark() {
        let schema = schema([table("t").columns("id bigint").with(|t| {
            t.indexes.push(index("i", "id", None));
            t.indexes[0].clustered = true;
        })]);
        assert_eq!(found(&schema, "t: reference", "cluster-on"), ["t.i"]);
        assert!(found(&schema, "", "cluster-on").is_empty());
    }
}
