//! What cannot be kept: named before anything is touched, and triggers and policies dropped, which Citus would refuse.

use crate::identifier::{quote_identifier, quote_literal};
use crate::plan::LostObject;
use crate::rules::{self, Effect, Finding, ObjectType};
use crate::schema::View;

use super::context::{Migration, described, regclass};
use super::sql::{Failure, comment, one_line};
use super::{Phase, Step, global_keys};

/// What rows might stop, and what will be different: comments, so that nothing goes in silence.
pub(super) fn announce(migration: &Migration<'_, '_>) -> Vec<Step> {
    let mut steps = Vec::new();
    for finding in migration.plan.findings.iter().filter(|f| !is_dealt_with(f) && concerns(migration, f)) {
        let warning = match finding.effect {
            Effect::Data => "Refused if the rows are so",
            Effect::Silent => "Different afterwards",
            _ => continue,
        };
        let object = match finding.object_type {
            ObjectType::Table => finding.relation.to_string(),
            kind => described(kind, &finding.object_name, &finding.relation),
        };
        steps.push(Step {
            phase: Phase::Prepare,
            relation: Some(finding.relation.clone()),
            statement: comment(&format!("{warning}: {object}: {} ({})", finding.message, finding.code)),
            because: finding.detail.clone().or(finding.hint.clone()).unwrap_or_default(),
        });
    }
    steps
}

/// Objections that no step gets out of the way, a line each: with one of them the script must not begin.
pub(super) fn blockers(migration: &Migration<'_, '_>) -> Vec<String> {
    let mut lines: Vec<String> = migration
        .plan
        .findings
        .iter()
        .filter(|f| f.effect == Effect::Blocked && !is_dealt_with(f) && concerns(migration, f))
        .map(|f| one_line(&format!("{} {}: {}", f.code, f.relation, f.message)))
        .collect();
    for id in migration.pending_tables() {
        let table = migration.graph.table(id);
        for key in table.foreign_keys.iter().filter(|k| migration.graph.find(&k.referenced).is_none()) {
            lines.push(one_line(&format!(
                "{}: references {}, which is not part of the plan; drop that foreign key first",
                described(ObjectType::ForeignKey, &key.name, &table.name),
                key.referenced
            )));
        }
    }
    lines
}

/// Whether steps get it out of the way, or say themselves what is lost.
fn is_dealt_with(finding: &Finding) -> bool {
    match finding.name {
        // Judged on the objects, but with them in place Citus refuses the table.
        "unsupported-dependency" | "default-or-check-depends-on-table" => false,
        // A table with an identity column comes back before it moves on.
        "already-distributed" | "identity-citus-local" | "long-names" | "check-not-valid" => true,
        _ => matches!(
            finding.object_type,
            ObjectType::PrimaryKey
                | ObjectType::Unique
                | ObjectType::UniqueIndex
                | ObjectType::Exclusion
                | ObjectType::ForeignKey
                | ObjectType::Trigger
                | ObjectType::Policy
                // The mark is set while the table is still PostgreSQL's own.
                | ObjectType::Cluster
        ),
    }
}

/// Whether a finding is about a table that this migration moves.
fn concerns(migration: &Migration<'_, '_>, finding: &Finding) -> bool {
    migration.graph.find(&finding.relation).is_some_and(|table| migration.is_pending(table))
}

/// Triggers and policies that Citus refuses.
pub(super) fn drop(migration: &Migration<'_, '_>) -> Vec<Step> {
    let views = rules::lost_views(&migration.plan.layout);
    let views = views.into_iter().map(|v| drop_view(migration, &migration.graph.schema.views[v]));
    let objects = migration.plan.lost_objects.iter().map(|object| drop_one(migration, object));
    views.chain(global_keys::drop(migration)).chain(objects).collect()
}

fn drop_view(migration: &Migration<'_, '_>, view: &View) -> Step {
    let kind = if view.materialized { "MATERIALIZED VIEW" } else { "VIEW" };
    let statement = migration
        .checked_block()
        .return_if(&format!("to_regclass({}) IS NULL", quote_literal(&view.name.to_string())))
        .run(format!("DROP {kind} {}", view.name))
        .finish();
    let code =
        ["CA711", "CA712"].into_iter().find(|code| migration.finding(code, &view.name, &view.name.name).is_some());
    let because = format!(
        "Lost: view {}. {}. It was: {}",
        view.name,
        migration.reason(code.unwrap_or_default(), &view.name, &view.name.name).trim_end_matches('.'),
        view.statements.first().map(String::as_str).unwrap_or_default()
    );
    Step { phase: Phase::Drop, relation: Some(view.name.clone()), statement, because }
}

fn drop_one(migration: &Migration<'_, '_>, object: &LostObject) -> Step {
    let table = migration.graph.table(object.table);
    let (relation, name) = (&table.name, quote_identifier(&object.name));
    let what = described(object.kind, &object.name, relation);
    let mut block = migration.checked_block();
    let definition;
    if object.kind == ObjectType::Trigger {
        definition = table.triggers.iter().find(|t| t.name == object.name).map(|t| t.definition.clone());
        block = block
            .declare("present text")
            .run(format!(
                "SELECT pg_get_triggerdef(oid) INTO present FROM pg_trigger \
                 WHERE tgrelid = {} AND tgname = {} AND NOT tgisinternal",
                regclass(relation),
                quote_literal(&object.name)
            ))
            .return_if("present IS NULL")
            .fail_if(
                &format!("present <> {}", quote_literal(definition.as_deref().unwrap_or_default())),
                &Failure::new(format!("{what} is not the one that was planned"), "Make a new plan.").detail("present"),
            )
            .run(format!("DROP TRIGGER {name} ON {relation}"));
    } else {
        definition = table.policies.iter().find(|p| p.name == object.name).map(|p| p.definition.clone());
        block = block.run(format!("DROP POLICY IF EXISTS {name} ON {relation}"));
    }
    let because = format!(
        "Lost: {what}. {}. It was: {}",
        migration.reason(object.code, relation, &object.name).trim_end_matches('.'),
        definition.unwrap_or_default()
    );
    Step { phase: Phase::Drop, relation: Some(relation.clone()), statement: block.finish(), because }
}
