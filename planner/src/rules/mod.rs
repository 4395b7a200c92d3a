//! Every objection that Citus has, one file each. Legality is written here and nowhere else: the search asks
//! [`objection_to_table`], [`objection_to_foreign_key`] and [`objection_to_key`], the plan and the checks ask [`judge`].
//!
//! Adding a rule: a file, and its line in the register below.

mod rule;
mod situation;
mod support;
#[cfg(test)]
pub(crate) mod testing;

pub use rule::{
    Check, ColumnCase, Effect, Finding, ForeignKeyCase, KeyCase, Level, ObjectType, Objection, Refusal, Report, Rule,
    Standing, TableCase, is_judged_key, key_indexes,
};
pub use situation::{Situation, conversion_order};

use std::collections::BTreeSet;
use std::sync::LazyLock;

use crate::graph::TableId;
use crate::layout::Layout;

macro_rules! register {
    ($($code:literal $file:ident,)*) => {
        $(mod $file;)*

        /// The register, sorted by code. Codes are never reused.
        ///
        /// CA1xx table · CA2xx distribution column · CA3xx primary key, unique, exclusion · CA4xx foreign key ·
        /// CA5xx trigger, rule, policy · CA6xx column, sequence, default, check, type · CA7xx view, index, statistics,
        /// replication · CA9xx quality of the choice
        ///
        /// Foreign key rules stand in the order in which Citus would raise them.
        pub const RULES: &[&Rule] = &[$(&$file::RULE),*];

        /// Code and file of each rule, as the register has them.
        #[cfg(test)]
        const FILES: &[(&str, &str)] = &[$(($code, stringify!($file))),*];
    };
}

register! {
    "CA101" unsupported_relkind,
    "CA102" inheritance,
    "CA103" foreign_table,
    "CA104" foreign_partition,
    "CA105" multi_level_partitioning,
    "CA106" partition_alone,
    "CA107" partitioned_reference_table,
    "CA108" shard_name_collision,
    "CA109" already_distributed,
    "CA110" custom_access_method,
    "CA111" extension_owned_table,
    "CA112" typed_table,
    "CA113" unlogged_table,
    "CA114" long_names,
    "CA115" not_owner,
    "CA116" many_partitions_locks,
    "CA117" shard_like_name,
    "CA118" typed_table_conversion,
    "CA119" tenant_schema,
    "CA201" distcol_missing,
    "CA202" distcol_system,
    "CA203" distcol_no_hash_opclass,
    "CA204" distcol_no_btree_opclass,
    "CA205" distcol_element_without_hash,
    "CA206" distcol_no_hash_proc,
    "CA207" distcol_nondeterministic_collation,
    "CA208" distcol_generated,
    "CA209" distcol_numeric_negative_scale,
    "CA210" distcol_null_data,
    "CA211" distcol_group_type_mismatch,
    "CA212" distcol_group_collation_mismatch,
    "CA213" distcol_frozen_after,
    "CA220" backfill_new_rows,
    "CA221" backfill_no_value,
    "CA222" backfill_ambiguous,
    "CA223" backfill_fires_triggers,
    "CA301" unique_missing_distcol,
    "CA302" exclude_missing_distcol_equality,
    "CA303" unique_distcol_only_in_include,
    "CA304" unique_distcol_only_in_expression,
    "CA305" without_overlaps_distcol,
    "CA401" partition_noninherited_fk,
    "CA402" fk_to_plain_local,
    "CA403" fk_set_default_nextval,
    "CA404" fk_ref_to_local_action,
    "CA405" fk_local_or_ref_to_distributed,
    "CA406" fk_not_colocated,
    "CA407" fk_set_null_distcol,
    "CA408" fk_on_update_distcol,
    "CA409" fk_distcol_missing_or_misplaced,
    "CA411" fk_local_to_distributed_unchecked,
    "CA412" fk_target_needs_unique,
    "CA413" fk_match_full,
    "CA414" fk_not_valid,
    "CA415" fk_deferrable,
    "CA416" fk_auto_local_conversion,
    "CA417" convert_drops_dependents,
    "CA418" fk_cycle,
    "CA419" fk_type_mismatch,
    "CA420" fk_widened,
    "CA501" trigger_present,
    "CA502" trigger_depends_on_extension,
    "CA503" rule_present,
    "CA504" policy_subquery,
    "CA505" rls_session_setting,
    "CA506" global_unique_lost,
    "CA507" global_foreign_key_lost,
    "CA508" global_foreign_key_native,
    "CA601" sequence_multiple_in_default,
    "CA602" sequence_shared_different_type,
    "CA603" sequence_type_altered,
    "CA604" sequence_text_nextval,
    "CA605" serial_int_worker_insert,
    "CA606" identity_int_worker_insert,
    "CA607" bigint_sequence_jump,
    "CA608" default_or_check_depends_on_table,
    "CA609" identity_reset_on_local_conversion,
    "CA610" identity_citus_local,
    "CA611" unsupported_dependency,
    "CA612" circular_dependency,
    "CA613" check_not_valid,
    "CA614" check_no_inherit,
    "CA615" column_options_lost,
    "CA616" large_object_column,
    "CA617" composite_column_write,
    "CA618" extension_on_workers,
    "CA619" check_whole_row,
    "CA620" partitioned_check_conversion,
    "CA621" sequence_type_follows,
    "CA701" view_mixed,
    "CA702" matview,
    "CA703" matview_too_big,
    "CA704" publication,
    "CA705" replica_identity,
    "CA706" index_tablespace,
    "CA707" table_tablespace,
    "CA708" cluster_on,
    "CA709" statistics_expression,
    "CA710" matview_conversion,
    "CA711" view_groups_by_key,
    "CA712" view_takes_row,
    "CA901" distcol_poor_choice,
    "CA902" missing_fk_index,
    "CA903" no_primary_key,
    "CA904" reference_table_large,
    "CA905" default_colocation_merge,
    "CA906" shard_skew,
}

/// The table or partition whose name is too long for its shards, by the rule `long-names`.
pub fn long_name(layout: &Layout<'_>, table: TableId) -> Option<TableId> {
    long_names::long(layout, table)
}

/// Rules by which Citus refuses a foreign key, or keeps it in name only: what the search asks most.
static FOREIGN_KEY_RULES: LazyLock<Vec<&Rule>> = LazyLock::new(|| binding(|c| matches!(c, Check::ForeignKey { .. })));

/// The same of keys.
static KEY_RULES: LazyLock<Vec<&Rule>> = LazyLock::new(|| binding(|c| matches!(c, Check::Key { .. })));

fn binding(wanted: impl Fn(&Check) -> bool) -> Vec<&'static Rule> {
    let binds = |rule: &&'static Rule| matches!(rule.effect, Effect::Blocked | Effect::Silent) && wanted(&rule.check);
    RULES.iter().copied().filter(binds).collect()
}

/// The rules that the release of Citus has, to plan for which the layout was made.
fn in_force(layout: &Layout<'_>) -> impl Iterator<Item = &'static Rule> + use<> {
    let version = layout.graph.citus;
    RULES.iter().copied().filter(move |rule| rule.holds_for(version))
}

/// Views that a layout costs, because they need a key as it is or a table as it was; in the order in which they can be
/// dropped.
pub fn lost_views(layout: &Layout<'_>) -> Vec<usize> {
    let seeds = view_groups_by_key::seeds(layout).into_iter().chain(view_takes_row::seeds(layout));
    support::with_readers(layout, seeds.collect())
}

/// What a widened foreign key demands of the rows; only a plan knows which it widens.
pub const WIDENED: &Rule = &fk_widened::RULE;

/// What keeps the schema of a tenant from being distributed as a whole.
pub const TENANT_SCHEMA: &Rule = &tenant_schema::RULE;

/// The rule by which Citus refuses this table in this role, whatever the other tables are; `None` for a local table.
pub fn objection_to_table(layout: &Layout<'_>, table: TableId) -> Option<&'static Rule> {
    in_force(layout).filter(|rule| rule.is_blocking()).find(|rule| match rule.check {
        Check::Table { applies, .. } => applies(layout, &TableCase { table }),
        Check::DistributionColumn { applies, .. } => layout
            .placement(table)
            .distribution_column()
            .is_some_and(|column| applies(layout, &ColumnCase { table, column })),
        _ => false,
    })
}

/// Whether Citus refuses this table in its role next to those that it accepted before, or takes it to no use. Who runs the
/// script, and whether it ran before, says nothing about what a table could be.
pub fn is_refused(layout: &Layout<'_>, table: TableId, accepted: &[TableId]) -> bool {
    in_force(layout).any(|rule| {
        let severe = rule.is_blocking() || rule.level == Level::Error;
        match rule.check {
            Check::Table { applies, .. } => severe && rule.name != "not-owner" && applies(layout, &TableCase { table }),
            Check::DistributionColumn { applies, .. } => {
                let column = layout.placement(table).distribution_column().filter(|_| severe);
                column.is_some_and(|column| applies(layout, &ColumnCase { table, column }))
            }
            Check::Newcomer(refuses) | Check::NewcomerAndObjects { refuses, .. } => {
                refuses(layout, table, accepted).is_some()
            }
            _ => false,
        }
    })
}

/// Planned tables whose row types a table uses: they have to be on the workers before it.
pub fn used_tables(layout: &Layout<'_>, table: TableId) -> Vec<TableId> {
    let used = default_or_check_depends_on_table::used_tables(layout, table, false);
    used.into_iter().map(|t| layout.graph.root(t)).filter(|&t| t != table).collect()
}

/// Tables that a table depends on, or that depend on it, for being accepted: through row types, sequences, names of shards.
/// Each pair once, the smaller first.
pub fn dependent_tables(layout: &Layout<'_>) -> BTreeSet<(TableId, TableId)> {
    let graph = layout.graph;
    let mut pairs = BTreeSet::new();
    for table in graph.planned_tables() {
        let mut others = used_tables(layout, table);
        others.extend(shard_name_collision::base_and_shard(layout, table).map(|(base, _)| base));
        others.extend(sequence_shared_different_type::sharing(graph, table));
        let others = others.into_iter().map(|t| graph.root(t)).filter(|&t| t != table);
        pairs.extend(others.map(|other| (table.min(other), table.max(other))));
    }
    pairs
}

/// The rule by which Citus refuses this foreign key under this layout, or keeps it in name only: the first one that Citus
/// would raise.
pub fn objection_to_foreign_key(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> Option<&'static Rule> {
    let version = layout.graph.citus;
    FOREIGN_KEY_RULES.iter().copied().find(|rule| match rule.check {
        Check::ForeignKey { applies, .. } => rule.holds_for(version) && applies(layout, case),
        _ => false,
    })
}

/// The rule by which Citus refuses this key (or would keep it in name only) under this layout, if any.
pub fn objection_to_key(layout: &Layout<'_>, case: &KeyCase<'_>) -> Option<&'static Rule> {
    let version = layout.graph.citus;
    KEY_RULES.iter().copied().find(|rule| match rule.check {
        Check::Key { applies, .. } => rule.holds_for(version) && applies(layout, case),
        _ => false,
    })
}

type Word = fn(&Layout<'_>, &ForeignKeyCase<'_>) -> Objection;

/// The rule by which Citus refuses this foreign key, and its wording.
fn foreign_key_refusal(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> Option<(&'static Rule, Word)> {
    in_force(layout).filter(|rule| rule.is_blocking()).find_map(|rule| match rule.check {
        Check::ForeignKey { applies, word } if applies(layout, case) => Some((rule, word)),
        _ => None,
    })
}

/// Every finding under a layout, sorted by level, relation, code and object.
///
/// What Citus would refuse has effect `blocked`. A table that it refuses stays local, so its keys, triggers and foreign
/// keys are judged as those of a local table (see [`Situation`]).
pub fn judge(layout: &Layout<'_>) -> Vec<Finding> {
    let situation = Situation::new(layout);
    let mut findings = situation.refusals.clone();
    situation::report_failed_conversions(&situation, &mut findings);
    for rule in in_force(layout) {
        rule.find(&situation, &mut findings);
    }
    sort(&mut findings);
    findings
}

/// By level, relation, code and object; each said once.
pub fn sort(findings: &mut Vec<Finding>) {
    findings.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
    findings.dedup_by(|a, b| a.code == b.code && a.sort_key() == b.sort_key());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_unique_and_those_of_the_register() {
        for (rule, (code, file)) in RULES.iter().zip(FILES) {
            assert_eq!(rule.code, *code, "{file}.rs");
            assert_eq!(rule.name.replace('-', "_"), *file, "file of {code}");
        }
        assert!(RULES.windows(2).all(|pair| pair[0].code < pair[1].code));
    }
}
