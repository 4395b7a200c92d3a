//! See [`RULE`].

use super::support::ident;
use super::{Check, Objection, ObjectType, Report, Situation};
use super::rule::declare_rule;

declare_rule! {
    /// ## What it is
    ///
    /// A table that becomes distributed, a reference table or managed by Citus has a rewrite rule (`CREATE RULE`).
    ///
    /// ## Why on Citus
    ///
    /// Rules are not among what Citus copies. They go on rewriting statements on the coordinator, but not those of an
    /// application connected to a worker; on a local table that Citus comes to manage they are lost altogether.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE RULE keep_history AS ON DELETE TO load DO INSTEAD NOTHING;
    /// SELECT create_distributed_table('load', 'shipper_id');   -- accepted; on a worker DELETE deletes
    /// ```
    ///
    /// ## Use instead
    ///
    /// Drop the rule and do its work in the application, or in a view.
    ///
    /// ## When to ignore
    ///
    /// Where every client connects to the coordinator.
    ///
    /// ## Source
    ///
    /// `operations/node_protocol.c:GetFullTableCreationCommands`
    code: "CA503", name: "rule-present", level: Warning, effect: Silent,
    title: "rules are not copied to the shards",
    remediation: "Drop the rule and do its work in the application.",
    source: "operations/node_protocol.c:GetFullTableCreationCommands",
    check: Check::Layout(walk),
}

fn walk(situation: &Situation<'_>, report: &mut Report<'_>) {
    let graph = situation.layout.graph;
    for table in graph.tables().filter(|&t| situation.is_known(t)) {
        let t = graph.table(table);
        for rule in &t.rules {
            let (message, detail) = match situation.managed[table.0] {
                true => ("is lost", "Citus makes the local table anew, without its rules."),
                false => ("does not work on workers", "Rules are not copied to the workers."),
            };
            report(&t.name, ObjectType::Rule, &rule.name, Objection {
                message: format!("rule {} {message}", ident(&rule.name)),
                detail: Some(format!("Rule {} is on {}. {detail}", ident(&rule.name), t.name)),
                hint: Some("Do its work in the application.".to_owned()),
                fix_sql: Some(format!("DROP RULE {} ON {};", ident(&rule.name), t.name)),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::RewriteRule;

    #[test]
    fn tells_of_rules_where_citus_is() {
        let schema = schema([table("t").columns("id bigint").with(|t| {
            t.rules.push(RewriteRule { name: "keep".into(), definition: String::new() });
        })]);
        assert_eq!(found(&schema, "t: distributed id", "rule-present"), ["t.keep"]);
        assert!(found(&schema, "", "rule-present").is_empty());
    }
}
