//! See [`RULE`].

use super::support::ident;
use super::{Check, Objection, ObjectType, Report, Situation};
use super::rule::declare_rule;

declare_rule! {
    /// ## What it is
    ///
    /// A policy of a distributed, reference or managed local table has a subquery in USING or WITH CHECK, be row
    /// security enabled or not. `tenant_id = (SELECT f())` counts.
    ///
    /// ## Why on Citus
    ///
    /// Policies are copied to the shards, where the tables of the subquery are not to be found.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE POLICY doc_member ON doc USING (team_id IN (SELECT team_id FROM member));
    /// SELECT create_distributed_table('doc', 'team_id');
    /// ERROR:  cannot create policy
    /// DETAIL:  Subqueries are not supported in policies on distributed tables
    /// ```
    ///
    /// ## Use instead
    ///
    /// A setting of the session, or a STABLE function in the place of the subquery (in PL/pgSQL if it reads a
    /// distributed table).
    ///
    /// ## When to ignore
    ///
    /// Never: the policy is refused.
    ///
    /// ## Source
    ///
    /// `commands/policy.c:ErrorIfUnsupportedPolicy`
    code: "CA504", name: "policy-subquery", level: Error, effect: Blocked,
    title: "a row security policy has a subquery",
    remediation: "Replace the subquery by a setting or a STABLE function.",
    source: "commands/policy.c:ErrorIfUnsupportedPolicy",
    check: Check::Layout(walk),
}

fn walk(situation: &Situation<'_>, report: &mut Report<'_>) {
    let graph = situation.layout.graph;
    for table in graph.tables().filter(|&t| situation.is_known(t)) {
        let t = graph.table(table);
        for policy in t.policies.iter().filter(|p| p.subquery) {
            report(&t.name, ObjectType::Policy, &policy.name, Objection {
                // What Citus says when the table is distributed already; before that it says "cannot create policy".
                message: "unexpected non-SELECT command in SubLink".to_owned(),
                detail: Some(format!(
                    "Subqueries are not supported in policies on distributed tables. Policy {} of {} has one; with it in \
                     place Citus refuses the table: cannot create policy.",
                    ident(&policy.name),
                    t.name
                )),
                hint: Some("A STABLE function in the place of the subquery is accepted.".to_owned()),
                fix_sql: Some(format!("DROP POLICY {} ON {};", ident(&policy.name), t.name)),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::Policy;

    #[test]
    fn refuses_subqueries_only() {
        let policy = |name: &str, subquery| Policy {
            name: name.into(),
            subquery,
            using: None,
            with_check: None,
            definition: String::new(),
        };
        let schema = schema([table("t")
            .columns("id bigint")
            .with(|t| t.policies = vec![policy("bad", true), policy("good", false)])]);
        assert_eq!(found(&schema, "t: distributed id", "policy-subquery"), ["t.bad"]);
        assert_eq!(found(&schema, "t: reference", "policy-subquery"), ["t.bad"]);
        assert!(found(&schema, "", "policy-subquery").is_empty());
    }
}
