//! See [`RULE`].

use super::rule::declare_rule;
use super::{Check, Objection, ObjectType, Report, Situation};
use crate::citus_version::{CitusVersion, Releases};

declare_rule! {
    /// ## What it is
    ///
    /// Extended statistics on an expression belong to a table that becomes distributed or a reference table.
    ///
    /// ## Why on Citus
    ///
    /// Until 12.1.11 and 13.2.2 (and in 14.0.0) Citus could only pass statistics on columns to the shards.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE STATISTICS by_month ON date_trunc('month', at), shop_id FROM orders;
    /// ERROR:  only simple column references are allowed in CREATE STATISTICS
    /// ```
    ///
    /// ## Use instead
    ///
    /// Citus 12.1.11, 13.2.2 or 14.0.1, which take them; or statistics on a generated column.
    ///
    /// ## When to ignore
    ///
    /// Never: the statement fails.
    ///
    /// ## Source
    ///
    /// `deparser/deparse_statistics_stmts.c:AppendColumnNames`
    code: "CA709", name: "statistics-expression", level: Error, effect: Blocked,
    title: "statistics on expressions are not supported by this release",
    remediation: "Drop them, or use Citus 13.2.2 or 14.0.1.",
    source: "deparser/deparse_statistics_stmts.c:AppendColumnNames",
    releases: &[
        Releases { since: None, until: Some(CitusVersion::new(12, 1, 11)) },
        Releases { since: Some(CitusVersion::new(13, 0, 0)), until: Some(CitusVersion::new(13, 2, 2)) },
        Releases { since: Some(CitusVersion::new(14, 0, 0)), until: Some(CitusVersion::new(14, 0, 1)) },
    ],
    check: Check::Layout(walk),
}

fn walk(situation: &Situation<'_>, report: &mut Report<'_>) {
    let layout = &situation.layout;
    let version = layout.graph.citus;
    for table in layout.graph.tables().filter(|&t| situation.is_known(t)) {
        let t = layout.graph.table(table);
        for statistics in t.statistics_objects.iter().filter(|s| s.expressions) {
            report(&t.name, ObjectType::Statistics, &statistics.name.name, Objection {
                message: "only simple column references are allowed in CREATE STATISTICS".to_owned(),
                detail: Some(format!("{} is on an expression, which Citus {version} cannot pass to shards.", statistics.name)),
                hint: Some("Citus 12.1.11, 13.2.2 and 14.0.1 take statistics on expressions.".to_owned()),
                fix_sql: Some(format!("DROP STATISTICS {};", statistics.name)),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::{RelationName, StatisticsObject};

    #[test]
    fn refuses_expressions_where_the_release_does() {
        let statistics = |name: &str, expressions: bool| StatisticsObject {
            name: RelationName::new("public", name),
            definition: String::new(),
            expressions,
        };
        let mut schema = schema([table("t").columns("id bigint").with(|t| {
            t.statistics_objects = vec![statistics("columns", false), statistics("month", true)];
        })]);
        let mut under = |version: &str, assignment: &str| {
            schema.citus_target = Some(version.to_owned());
            found(&schema, assignment, "statistics-expression")
        };
        assert_eq!(under("13.2.1", "t: reference"), ["t.month"]);
        assert_eq!(under("14.0.0", "t: distributed id"), ["t.month"]);
        assert!(under("13.2.1", "").is_empty());
        for version in ["12.1", "13.2", "13.2.2", "14.0.1", "14.0"] {
            assert!(under(version, "t: reference").is_empty(), "{version}");
        }
    }
}
