//! See [`RULE`].

use super::support::ident;
use super::{Check, Objection, ObjectType, Report, Situation};
use super::rule::declare_rule;

declare_rule! {
    /// ## What it is
    ///
    /// A policy of a distributed or reference table calls `current_setting()`.
    ///
    /// ## Why on Citus
    ///
    /// Policies are evaluated on the shards, in the sessions that Citus opens to the workers. A setting that the client
    /// made exists on the coordinator only: queries return no rows, without an error.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE POLICY tenant ON doc USING (tenant_id = current_setting('app.tenant')::bigint);
    /// SET app.tenant = '1';
    /// SELECT * FROM doc;   -- no rows
    /// ```
    ///
    /// ## Use instead
    ///
    /// `SET LOCAL` inside a transaction, with `citus.propagate_set_commands = 'local'`.
    ///
    /// ## When to ignore
    ///
    /// Where that setting is made, and every session uses SET LOCAL.
    ///
    /// ## Source
    ///
    /// `commands/variableset.c:PostprocessVariableSetStmt`
    code: "CA505", name: "rls-session-setting", level: Warning, effect: Runtime,
    title: "policies read session settings on the workers",
    remediation: "Use SET LOCAL inside transactions with citus.propagate_set_commands = 'local'.",
    source: "commands/variableset.c:PostprocessVariableSetStmt",
    check: Check::Layout(walk),
}

fn walk(situation: &Situation<'_>, report: &mut Report<'_>) {
    let layout = &situation.layout;
    for table in layout.graph.tables().filter(|&t| !layout.is_local(t)) {
        let t = layout.graph.table(table);
        let reads = |text: &Option<String>| text.as_deref().is_some_and(|text| text.contains("current_setting("));
        for policy in t.policies.iter().filter(|p| reads(&p.using) || reads(&p.with_check)) {
            report(&t.name, ObjectType::Policy, &policy.name, Objection {
                message: format!("policy {} sees no session settings of the client", ident(&policy.name)),
                detail: Some(format!(
                    "Policy {} of {} reads current_setting() on the workers, where SET of the client is not known: rows are \
                     missing without an error.",
                    ident(&policy.name),
                    t.name
                )),
                hint: Some("Then use SET LOCAL inside a transaction.".to_owned()),
                fix_sql: Some("ALTER SYSTEM SET citus.propagate_set_commands = 'local';".to_owned()),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::Policy;

    #[test]
    fn tells_of_settings_in_policies() {
        let policy = |name: &str, using: &str| Policy {
            name: name.into(),
            subquery: false,
            using: Some(using.into()),
            with_check: None,
            definition: String::new(),
        };
        let schema = schema([table("t").columns("id bigint").with(|t| {
            t.policies = vec![policy("a", "(id = (current_setting('app.t'::text))::bigint)"), policy("b", "(id > 0)")];
        })]);
        assert_eq!(found(&schema, "t: distributed id", "rls-session-setting"), ["t.a"]);
        assert!(found(&schema, "", "rls-session-setting").is_empty());
    }
}
