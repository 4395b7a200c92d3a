//! See [`RULE`].

use super::support::ident;
use super::{Check, Objection, ObjectType, Report, Situation};
use super::rule::declare_rule;
use crate::global_keys::{CHECK, REFERENCE, TRUNCATION, UNIQUE};
use crate::layout::Placement;
use crate::schema::Trigger;

declare_rule! {
    /// ## What it is
    ///
    /// A table to be distributed or made a reference table has a trigger, enabled or not. Triggers of its partitions
    /// count too; internal ones and copies on partitions do not.
    ///
    /// ## Why on Citus
    ///
    /// A trigger would fire on the shards, on the workers, where the tables that its function reads are not to be
    /// found. Citus refuses the table with the trigger in place, and the trigger on the table.
    ///
    /// ## Example
    ///
    /// ```sql
    /// SELECT create_distributed_table('post', 'blog_id');
    /// ERROR:  cannot distribute relation "post" because it has triggers
    /// HINT:  Consider dropping all the triggers on "post" and retry.
    /// ```
    ///
    /// ## Use instead
    ///
    /// - A time of change: `DEFAULT now()`, and the application writes it.
    /// - A counter: a rollup, or count when asked.
    /// - An audit trail: distribute the audit table by the same column; `citus.enable_unsafe_triggers` (on all nodes)
    ///   allows triggers that touch only rows of the same distribution value.
    /// - A search vector: a generated column.
    /// - Routing rows to partitions: declarative partitioning.
    ///
    /// ## When to ignore
    ///
    /// Where `citus.enable_unsafe_triggers` is set knowingly on every node.
    ///
    /// ## Source
    ///
    /// `commands/create_distributed_table.c:EnsureRelationHasNoTriggers, commands/trigger.c`
    code: "CA501", name: "trigger-present", level: Error, effect: Blocked,
    title: "the table has a trigger",
    remediation: "Drop the trigger and do its work elsewhere: defaults, generated columns, the application.",
    source: "commands/create_distributed_table.c:EnsureRelationHasNoTriggers, commands/trigger.c",
    check: Check::Layout(walk),
}

fn walk(situation: &Situation<'_>, report: &mut Report<'_>) {
    let layout = &situation.layout;
    for table in layout.graph.tables() {
        let role = match layout.placement(table) {
            Placement::Local => continue,
            Placement::Reference => "reference",
            Placement::Distributed { .. } => "distributed",
        };
        let t = layout.graph.table(table);
        for trigger in &t.triggers {
            report(&t.name, ObjectType::Trigger, &trigger.name, Objection {
                message: format!("triggers are not supported on {role} tables"),
                detail: Some(format!(
                    "Trigger {} of {} calls {}. With it in place Citus refuses the table: cannot distribute relation \
                     \"{}\" because it has triggers.",
                    ident(&trigger.name),
                    t.name,
                    trigger.function,
                    t.name.name
                )),
                hint: Some(instead(trigger).to_owned()),
                fix_sql: Some(format!("DROP TRIGGER {} ON {};", ident(&trigger.name), t.name)),
            });
        }
    }
}

/// What does the work of a trigger, guessed from its names.
fn instead(trigger: &Trigger) -> &'static str {
    let names = format!("{} {}", trigger.name, trigger.function).to_lowercase();
    let any = |words: &[&str]| words.iter().any(|w| names.contains(w));
    if trigger.function == UNIQUE {
        "A table of the keys, distributed by them, keeps them unique: see global-unique-lost."
    } else if [CHECK, REFERENCE, TRUNCATION].contains(&trigger.function.as_str()) {
        "A native foreign key with the distribution column in both keys takes its place where there can be one: see global-foreign-key-lost and global-foreign-key-native."
    } else if any(&["tsvector", "search"]) {
        "A generated column (to_tsvector) keeps a search vector without a trigger."
    } else if any(&["updated", "modified", "touch", "timestamp", "stamp"]) {
        "A time of change can be DEFAULT now() and written by the application."
    } else if any(&["audit", "history", "log"]) {
        "Distribute the audit table by the same column and write it in the application, or allow the trigger with \
         citus.enable_unsafe_triggers if it touches only rows of the same distribution value."
    } else if any(&["count", "total", "sum"]) {
        "Keep totals in a rollup, or count when asked."
    } else if any(&["notify"]) {
        "NOTIFY reaches only listeners of the same node; use an outbox table."
    } else if any(&["partition"]) {
        "Declarative partitioning routes rows without a trigger."
    } else {
        "Do its work with a default, a generated column or in the application."
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn refuses_triggers_of_tables_and_partitions() {
        let schema = schema([
            table("p").columns("id bigint").partitioned().trigger("a"),
            table("p_1").columns("id bigint").partition_of("p").trigger("b"),
            table("r").columns("id bigint").trigger("c"),
            table("l").columns("id bigint").trigger("d"),
        ]);
        assert_eq!(found(&schema, "p: distributed id; r: reference", "trigger-present"), ["p.a", "p_1.b", "r.c"]);
        let message = one(&schema, "r: reference", "trigger-present").message;
        assert_eq!(message, "triggers are not supported on reference tables");
        assert!(found(&schema, "", "trigger-present").is_empty());
    }
}
