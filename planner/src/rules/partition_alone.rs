//! See [`RULE`].

use super::situation::named_tables;
use super::support::override_call;
use super::{Check, Objection, ObjectType, Report};
use super::rule::declare_rule;
use crate::assignment::{Entry, Role};
use crate::graph::TableId;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// A partition is named in an assignment, while the partitioned table above it is not distributed.
    ///
    /// ## Why on Citus
    ///
    /// Citus distributes a partitioned table as a whole: one call for the parent does all partitions. A partition by
    /// itself is refused.
    ///
    /// ## Example
    ///
    /// ```sql
    /// SELECT create_distributed_table('event_2025_01', 'tenant_id');
    /// ERROR:  cannot distribute relation "event_2025_01" which is partition of "event"
    /// ```
    ///
    /// ## Use instead
    ///
    /// Name the partitioned table. Its partitions, and those attached later, follow.
    ///
    /// ## When to ignore
    ///
    /// Never: the call fails.
    ///
    /// ## Source
    ///
    /// `commands/create_distributed_table.c:EnsureRelationCanBeDistributed`
    code: "CA106", name: "partition-alone", level: Error, effect: Blocked,
    title: "a partition cannot be distributed without its parent",
    remediation: "Name the partitioned table; its partitions follow.",
    source: "commands/create_distributed_table.c:EnsureRelationCanBeDistributed",
    check: Check::Named(walk),
}

fn walk(layout: &Layout<'_>, report: &mut Report<'_>) {
    for (table, entry, _) in named_tables(layout).filter(|(_, entry, _)| entry.role != Role::Local) {
        let t = layout.graph.table(table);
        let Some(parent) = &t.partition_of else { continue };
        if follows_its_parent(layout, table, entry) {
            continue;
        }
        report(&t.name, ObjectType::Table, &t.name.name, Objection {
            message: format!(
                "cannot distribute relation \"{}\" which is partition of \"{}\"",
                t.name.name, parent.name
            ),
            detail: Some(format!("{} is distributed with {parent}, or not at all.", t.name)),
            hint: Some(format!("Distribute the partitioned table \"{}\" instead.", parent.name)),
            fix_sql: entry
                .column
                .as_deref()
                .map(|c| override_call(layout, layout.graph.root(table), Role::Distributed, Some(c))),
        });
    }
}

/// Whether the partition is distributed already, by the call for its parent, when its turn comes.
pub(super) fn follows_its_parent(layout: &Layout<'_>, partition: TableId, entry: &Entry) -> bool {
    let root = layout.graph.root(partition);
    entry.role == Role::Distributed
        && layout.is_distributed(root)
        && super::objection_to_table(layout, root).is_none()
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::{Dependency, DependencyKind};

    #[test]
    fn refuses_a_partition_by_itself() {
        let schema = schema([
            table("p").columns("id bigint").partitioned(),
            table("p_1").columns("id bigint").partition_of("p"),
        ]);
        assert_eq!(found(&schema, "p_1: distributed id", "partition-alone"), ["p_1"]);
        assert_eq!(found(&schema, "p_1: reference; p: distributed id", "partition-alone"), ["p_1"]);
        assert!(found(&schema, "p: distributed id", "partition-alone").is_empty());
    }

    #[test]
    fn says_what_the_partition_depends_on_too() {
        let dependency = |kind: DependencyKind, name: &str| Dependency {
            kind,
            name: name.into(),
            via: "column".into(),
            via_name: "id".into(),
            extension: None,
        };
        let range = dependency(DependencyKind::UnsupportedType, "public.r");
        let schema = schema([
            table("p").columns("id bigint").partitioned().with(|t| t.dependencies.push(range.clone())),
            table("p_1").columns("id bigint").partition_of("p").with(|t| t.dependencies.push(range.clone())),
            table("q").columns("id bigint").partitioned(),
            table("q_1").columns("id bigint").partition_of("q"),
        ]);
        let alone = "p_1: distributed id; q_1: distributed id";
        assert_eq!(blocked(&schema, alone), ["partition-alone p_1.p_1", "unsupported-dependency p_1.p_1", "partition-alone q_1.q_1"]);
        // A parent that is refused takes nothing along.
        let beside = "p: distributed id; q: distributed id; p_1: distributed id; q_1: distributed id";
        assert_eq!(
            blocked(&schema, beside),
            ["unsupported-dependency p.p", "partition-alone p_1.p_1", "unsupported-dependency p_1.p_1", "already-distributed q_1.q_1"]
        );
    }
}
