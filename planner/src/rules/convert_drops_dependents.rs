//! See [`RULE`].

use super::support::enumerate;
use super::{Check, Objection, ObjectType, Report, Situation};
use super::rule::declare_rule;
use crate::identifier::quote_literal;
use crate::schema::Column;

declare_rule! {
    /// ## What it is
    ///
    /// A local table comes under the management of Citus (fk-auto-local-conversion) and has comments, column options,
    /// or views that depend on it.
    ///
    /// ## Why on Citus
    ///
    /// The table is made anew from what Citus reads of it. Comments and column options (`n_distinct`) are not read;
    /// grants and comments on views over it, and indexes of materialized views, are lost when these are created again.
    /// Rules are lost too (rule-present), and identity columns start anew (identity-reset-on-local-conversion).
    ///
    /// ## Example
    ///
    /// ```sql
    /// COMMENT ON TABLE note IS 'by hand';
    /// ALTER TABLE note ADD FOREIGN KEY (country) REFERENCES country;   -- a reference table
    /// -- the comment is gone
    /// ```
    ///
    /// ## Use instead
    ///
    /// Note them down and apply them again afterwards.
    ///
    /// ## When to ignore
    ///
    /// Where nothing of it matters.
    ///
    /// ## Source
    ///
    /// `commands/citus_add_local_table_to_metadata.c:CreateCitusLocalTable`
    code: "CA417", name: "convert-drops-dependents", level: Warning, effect: Silent,
    title: "what Citus does not rebuild when it manages a local table",
    remediation: "Apply comments, column options and grants on views again afterwards.",
    source: "commands/citus_add_local_table_to_metadata.c:CreateCitusLocalTable",
    check: Check::Layout(walk),
}

fn walk(situation: &Situation<'_>, report: &mut Report<'_>) {
    let graph = situation.layout.graph;
    for table in graph.planned_tables().filter(|t| situation.managed[t.0]) {
        let t = graph.table(table);
        let columns = |f: fn(&Column) -> bool| t.columns.iter().any(f);
        let views = graph.schema.views.iter().filter(|v| v.reads.contains(&t.name));
        let mut lost: Vec<String> = Vec::new();
        if t.comment.is_some() || columns(|c| c.comment.is_some()) {
            lost.push("comments".to_owned());
        }
        if columns(|c| !c.options.is_empty()) {
            lost.push("column options".to_owned());
        }
        lost.extend(views.map(|v| match v.materialized {
            true => format!("indexes, grants and comments of materialized view {}", v.name),
            false => format!("grants and comments of view {}", v.name),
        }));
        if lost.is_empty() {
            continue;
        }
        report(&t.name, ObjectType::Table, &t.name.name, Objection {
            message: format!("converting {} to a Citus local table loses {}", t.name, enumerate(&lost)),
            detail: Some("Citus makes the table anew and does not copy these.".to_owned()),
            hint: Some("Apply them again afterwards.".to_owned()),
            fix_sql: t.comment.as_ref().map(|c| format!("COMMENT ON TABLE {} IS {};", t.name, quote_literal(c))),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn tells_what_is_lost() {
        let schema = |comment: Option<&str>| {
            schema([
                table("r").columns("id bigint").primary_key("id"),
                table("a").columns("r_id bigint").foreign_key("a", "r_id", "r(id)").with(|t| t.comment = comment.map(Into::into)),
            ])
        };
        let finding = one(&schema(Some("it's mine")), "r: reference", "convert-drops-dependents");
        assert_eq!(finding.fix_sql.as_deref(), Some("COMMENT ON TABLE public.a IS 'it''s mine';"));
        assert!(found(&schema(Some("x")), "", "convert-drops-dependents").is_empty());
        assert!(found(&schema(None), "r: reference", "convert-drops-dependents").is_empty());
    }
}
