//! See [`RULE`].

use super::rule::declare_rule;
use super::support::{enumerate, ident, name};
use super::{Check, ColumnCase, Objection};
use crate::layout::Layout;
use crate::schema::Trigger;

declare_rule! {
    /// ## What it is
    ///
    /// A distribution column that the plan adds is filled by UPDATE, and the table has triggers for UPDATE.
    ///
    /// ## Why on Citus
    ///
    /// Not Citus' doing: the rows are filled while the tables are still PostgreSQL's own, and the application goes on. A
    /// trigger that stamps `updated_at` would stamp every row; one that writes an audit log would write a line for each. The
    /// script keeps triggers and rules still by `session_replication_role`, for its own statements only. Superusers may set
    /// that, and roles that were granted it. For anybody else they fire, and so do triggers that are `ENABLE ALWAYS`.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE TRIGGER touch BEFORE UPDATE ON invoice_line FOR EACH ROW EXECUTE FUNCTION touch();
    /// ```
    ///
    /// ## Use instead
    ///
    /// Run the script as a superuser, or `GRANT SET ON PARAMETER session_replication_role TO ...`. Decide about triggers that
    /// are `ENABLE ALWAYS`: to keep one still, disable it while the column is filled, and nobody else relies on it.
    ///
    /// ## When to ignore
    ///
    /// Where a superuser runs the script, or what the triggers do is harmless for rows that do not really change.
    ///
    /// ## Source
    ///
    /// `src/backend/commands/trigger.c:ExecBRUpdateTriggers`
    code: "CA223", name: "backfill-fires-triggers", level: Warning, effect: Silent,
    title: "filling the distribution column may fire triggers for UPDATE",
    remediation: "Run the script as a superuser, who keeps them still.",
    source: "src/backend/commands/trigger.c:ExecBRUpdateTriggers",
    check: Check::DistributionColumn { applies, word },
}

fn applies(layout: &Layout<'_>, case: &ColumnCase) -> bool {
    layout.graph.backfill(case.table, case.column).is_some() && !fired(layout, case).is_empty()
}

/// Triggers of the table or of its partitions that an UPDATE of the new column fires, as `table.trigger`.
fn fired(layout: &Layout<'_>, case: &ColumnCase) -> Vec<String> {
    let members = std::iter::once(case.table).chain(layout.graph.descendants(case.table));
    let triggers = members.flat_map(|t| layout.graph.table(t).triggers.iter().map(move |trigger| (t, trigger)));
    triggers.filter(|(_, t)| fires(t)).map(|(table, t)| format!("{}.{}", name(layout, table), ident(&t.name))).collect()
}

fn fires(trigger: &Trigger) -> bool {
    // The events stand before ON; nobody's trigger is for a column that does not exist yet.
    let events = trigger.definition.split(" ON ").next().unwrap_or_default();
    trigger.enabled != "D" && trigger.enabled != "R" && events.contains("UPDATE") && !events.contains("UPDATE OF")
}

fn word(layout: &Layout<'_>, case: &ColumnCase) -> Objection {
    let (table, column) = (name(layout, case.table), ident(&layout.graph.column(case.table, case.column).name));
    let fired = fired(layout, case);
    Objection {
        message: format!("filling {column} updates every row of {table}, which has {}", enumerate(&fired)),
        detail: Some(
            "The script keeps triggers still where whoever runs it may set session_replication_role; else they fire, and \
             those that are ENABLE ALWAYS in any case."
                .to_owned(),
        ),
        hint: Some("Run the script as a superuser; phase drop says what becomes of the triggers.".to_owned()),
        fix_sql: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    #[test]
    fn counts_only_triggers_that_fire() {
        let with = |definition: &str| {
            schema([
                table("shop").columns("id bigint not null").primary_key("id"),
                table("orders")
                    .columns("id bigint not null, shop_id bigint not null")
                    .primary_key("id")
                    .foreign_key("o_s", "shop_id", "shop(id)"),
                table("line")
                    .columns("order_id bigint not null")
                    .foreign_key("l_o", "order_id", "orders(id)")
                    .trigger("touch")
                    .with(|t| t.triggers[0].definition = definition.into()),
            ])
        };
        let all = "shop: distributed id; orders: distributed shop_id; line: distributed shop_id";
        let found = |events: &str| {
            let definition = format!("CREATE TRIGGER touch {events} ON public.line FOR EACH ROW EXECUTE FUNCTION touch()");
            found_of_plan(&with(&definition), all, "backfill-fires-triggers")
        };
        assert_eq!(found("BEFORE INSERT OR UPDATE"), ["line.shop_id"]);
        assert!(found("AFTER DELETE").is_empty());
        assert!(found("BEFORE UPDATE OF order_id").is_empty());
    }
}
