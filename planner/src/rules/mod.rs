//! Every objection that Citus has, one file each. Legality is written here and nowhere else: the search asks
//! [`objection_to_foreign_key`] and [`objection_to_key`], the plan and the checks ask [`judge`].
//!
//! Adding a rule: a file, its `mod` line, its line in [`RULES`].

mod rule;

mod fk_not_colocated;

pub use rule::{
    Check, Effect, Finding, ForeignKeyCase, KeyCase, Level, ObjectType, Objection, Rule, TableCase, is_judged_key,
    key_indexes,
};

use crate::layout::Layout;

/// The register, sorted by code. Codes are never reused.
///
/// CA1xx table · CA2xx distribution column · CA3xx primary key, unique, exclusion · CA4xx foreign key ·
/// CA5xx trigger, rule, policy · CA6xx column, sequence, default, check, type · CA7xx view, index, statistics,
/// replication · CA9xx quality of the choice
pub const RULES: &[&Rule] = &[&fk_not_colocated::RULE];

/// The rule by which Citus refuses this foreign key under this layout, if any; the first one that Citus would raise.
pub fn objection_to_foreign_key(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> Option<&'static Rule> {
    RULES.iter().copied().find(|rule| match rule.check {
        Check::ForeignKey { applies, .. } => rule.effect == Effect::Blocked && applies(layout, case),
        _ => false,
    })
}

/// The rule by which Citus refuses this key (or would keep it in name only) under this layout, if any.
pub fn objection_to_key(layout: &Layout<'_>, case: &KeyCase<'_>) -> Option<&'static Rule> {
    RULES.iter().copied().find(|rule| match rule.check {
        Check::Key { applies, .. } => matches!(rule.effect, Effect::Blocked | Effect::Silent) && applies(layout, case),
        _ => false,
    })
}

/// The rule by which a foreign key that Citus accepts is not enforced under this layout, if any (a plain table that
/// references a distributed one).
pub fn unenforced_foreign_key(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> Option<&'static Rule> {
    RULES.iter().copied().find(|rule| match rule.check {
        Check::ForeignKey { applies, .. } => rule.effect == Effect::Silent && applies(layout, case),
        _ => false,
    })
}

/// Every finding under a layout, sorted.
pub fn judge(layout: &Layout<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in RULES {
        rule.find(layout, &mut findings);
    }
    sort(&mut findings);
    findings
}

/// By level, relation, code and object; each said once.
pub fn sort(findings: &mut Vec<Finding>) {
    findings.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
    findings.dedup_by(|a, b| a.code == b.code && a.sort_key() == b.sort_key());
}
