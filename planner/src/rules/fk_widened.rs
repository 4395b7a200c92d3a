//! See [`RULE`].

use super::rule::declare_rule;
use super::support::{ident, name};
use super::{Check, ForeignKeyCase, Objection};
use crate::backfill::sql::Values;
use crate::identifier::quote_identifier;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// A foreign key that the plan makes again with the distribution column of both sides added.
    ///
    /// ## Why on Citus
    ///
    /// Between distributed tables a foreign key must contain both distribution columns. `task (project_id)` references
    /// `project (id)` becomes `task (tenant_id, project_id)` references `project (tenant_id, id)`, and so says more: that a
    /// task has the tenant of its project. Nobody has promised that so far, and a row that disagrees stops the script.
    ///
    /// ## Example
    ///
    /// ```sql
    /// ALTER TABLE task ADD FOREIGN KEY (tenant_id, project_id) REFERENCES project (tenant_id, id);
    /// ERROR:  insert or update on table "task_102036" violates foreign key constraint "task_project_id_fkey_102036"
    /// ```
    ///
    /// ## Use instead
    ///
    /// Run the query of the hint before the migration; it must return no row. Repair the rows that it finds, or make the
    /// referenced table a reference table and keep the foreign key as it is.
    ///
    /// ## When to ignore
    ///
    /// Where the query has returned nothing and the application cannot write such rows.
    ///
    /// ## Source
    ///
    /// `commands/foreign_constraint.c:ErrorIfUnsupportedForeignConstraintExists`
    code: "CA420", name: "fk-widened", level: Warning, effect: Data,
    title: "the widened foreign key demands more of the rows",
    remediation: "Look for rows that disagree before the migration.",
    source: "commands/foreign_constraint.c:ErrorIfUnsupportedForeignConstraintExists",
    check: Check::ForeignKey { applies, word },
}

/// Never of a declared foreign key: the plan asks it of those that it widens.
fn applies(_: &Layout<'_>, case: &ForeignKeyCase<'_>) -> bool {
    case.columns.len() > case.edge.columns.len()
}

fn word(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> Objection {
    let graph = layout.graph;
    let (referencing, referenced) = (case.edge.referencing, case.edge.referenced);
    let values = Values::by_path(graph);
    let column = |side: &str, table, column| values.of(side, table, column);
    let of = |&(from, to): &(usize, usize)| (column("r", referencing, from), column("k", referenced, to));
    let added = case.columns.iter().filter(|c| !case.edge.columns.contains(c)).map(of);
    let declared = case.edge.columns.iter().map(of);
    let differs: Vec<String> = added.map(|(from, to)| format!("{from} <> {to}")).collect();
    let joins: Vec<String> = declared.map(|(from, to)| format!("{from} = {to}")).collect();
    let (table, other) = (name(layout, referencing), name(layout, referenced));
    let bare = |table, column| quote_identifier(&graph.column(table, column).name);
    let demand = |&(from, to): &(usize, usize)| match (bare(referencing, from), bare(referenced, to)) {
        (from, to) if from == to => format!("an equal {from}"),
        (from, to) => format!("{from} = {to}"),
    };
    let demands = case.columns.iter().filter(|c| !case.edge.columns.contains(c)).map(demand);
    let demands = demands.collect::<Vec<_>>().join(" and ");
    Objection {
        message: format!("{} will demand {demands} too", ident(&case.foreign_key.name)),
        detail: Some(format!(
            "The script adds the distribution columns of {table} and {other} to it; a row whose values disagree with the \
             row it references stops the script. This must return no row:"
        )),
        hint: Some(format!(
            "SELECT r.* FROM {table} r JOIN {other} k ON {} WHERE {};",
            joins.join(" AND "),
            differs.join(" OR ")
        )),
        fix_sql: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::Request;
    use crate::graph::Graph;

    /// The plan's findings by this rule.
    fn told(of_child: &str) -> Vec<String> {
        let schema = schema([
            table("tenant").columns("id bigint").primary_key("id"),
            table("p").columns("tenant_id bigint, id bigint").primary_key("id").foreign_key("p_t", "tenant_id", "tenant(id)"),
            table("c")
                .columns("tenant_id bigint, p_id bigint")
                .foreign_key("c_t", "tenant_id", "tenant(id)")
                .foreign_key("fk", of_child, "p(id)"),
        ]);
        let graph = Graph::new(&schema);
        let plan = crate::plan(&graph, &Request::default(), &mut || ()).unwrap();
        let findings = plan.findings.iter().filter(|f| f.name == "fk-widened");
        findings.map(|f| format!("{} {}", f.object_name, f.hint.clone().unwrap_or_default())).collect()
    }

    #[test]
    fn gives_the_query_that_must_return_nothing() {
        assert_eq!(
            told("p_id"),
            ["fk SELECT r.* FROM public.c r JOIN public.p k ON r.p_id = k.id WHERE r.tenant_id <> k.tenant_id;"]
        );
    }

    #[test]
    fn accepts_foreign_keys_as_they_are_declared() {
        let schema = schema([
            table("p").columns("t bigint, id bigint").primary_key("t, id"),
            table("c").columns("t bigint, p_id bigint").foreign_key("fk", "t, p_id", "p(t, id)"),
        ]);
        assert!(found(&schema, "p: distributed t; c: distributed t", "fk-widened").is_empty());
    }
}
