//! See [`RULE`].

use super::{Check, Objection, ObjectType, Report};
use super::rule::declare_rule;
use crate::assignment::Role;
use crate::layout::{Layout, Target};

declare_rule! {
    /// ## What it is
    ///
    /// A view, materialized view or sequence is named in an assignment as if it were a table.
    ///
    /// ## Why on Citus
    ///
    /// Citus distributes ordinary and partitioned tables. A view over distributed tables needs nothing: Citus creates
    /// it on the workers too. A materialized view stays on the coordinator.
    ///
    /// ## Example
    ///
    /// ```sql
    /// SELECT create_reference_table('open_invoices');   -- a view
    /// ERROR:  open_invoices is not a regular, foreign or partitioned table
    /// ```
    ///
    /// ## Use instead
    ///
    /// Leave it out of the assignment and distribute the tables that it reads.
    ///
    /// ## When to ignore
    ///
    /// Never: the call fails.
    ///
    /// ## Source
    ///
    /// `deparser/citus_ruleutils.c:EnsureRelationKindSupported`
    code: "CA101", name: "unsupported-relkind", level: Error, effect: Blocked,
    title: "only tables can be distributed",
    remediation: "Leave it out; distribute the tables that it reads.",
    source: "deparser/citus_ruleutils.c:EnsureRelationKindSupported",
    check: Check::Named(walk),
}

fn walk(layout: &Layout<'_>, report: &mut Report<'_>) {
    for named in layout.named.iter().filter(|n| n.entry.role != Role::Local) {
        let Target::Other { name, kind } = &named.target else { continue };
        report(name, ObjectType::Table, &name.name, Objection {
            message: format!("{} is not a regular, foreign or partitioned table", name.name),
            detail: Some(format!("{name} is a {kind}; only tables can be {}.", named.entry.role.as_str())),
            hint: Some("Leave it out of the assignment.".to_owned()),
            fix_sql: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::{RelationName, View};

    #[test]
    fn refuses_a_view_but_not_a_table() {
        let mut schema = schema([table("t").columns("id bigint")]);
        let name = RelationName::new("public", "v");
        schema.views.push(View { name, materialized: false, reads: Vec::new(), bytes: None, ..View::default() });
        assert_eq!(found(&schema, "v: reference; t: reference", "unsupported-relkind"), ["v"]);
        assert!(found(&schema, "v: local; t: reference", "unsupported-relkind").is_empty());
    }
}
