//! The way back, from the same plan: every table that the migration moves comes back to where it is now, with the keys,
//! foreign keys, checks, triggers and policies that it has now. The statements hold all definitions themselves: made before
//! the migration, they need neither the advisor nor a plan of the database as it is afterwards. As the way there they
//! can be cut anywhere and run again, also after half a migration.

use crate::graph::{ColumnId, TableId};
use crate::identifier::{RelationName, quote_identifier, quote_literal};
use crate::layout::Placement;
use crate::plan::{KeyFate, Plan};
use crate::rules::{self, ObjectType};
use crate::schema::CitusTable;

use super::context::{ChangedForeignKey, Migration, described, regclass};
use super::notebook::{self, SCHEMA};
use super::sql::{Block, Failure};
use super::{Phase, Step, backfill, checks, foreign_keys, global_keys, guard, keys, local_tables, placement};

/// The way back of [`super::steps`], in order; empty where nothing would move.
pub fn rollback_steps(plan: &Plan<'_>) -> Vec<Step> {
    let migration = Migration::back(plan);
    if migration.is_done() {
        return Vec::new();
    }
    let mut tables: Vec<TableId> = migration.conversions().collect();
    tables.reverse();
    tables.extend(local_tables::converted(&migration));
    tables.extend(migration.pending_tables().filter(|&t| migration.placement(t) == Placement::Local));
    let mut steps = guard::prepare_back(&migration);
    steps.push(notebook::open_back(&migration));
    let foreign_keys = foreign_keys(&migration);
    steps.extend(foreign_keys.iter().map(|key| drop_foreign_key(&migration, key)));
    steps.extend(global_keys::drop_native(&migration));
    steps.extend(checks::put_aside_back(&migration).map(|(table, check)| checks::drop_back(&migration, table, check)));
    steps.extend(tables.iter().map(|&table| return_table(&migration, table)));
    steps.extend(restore_keys(&migration));
    steps.extend(earlier_placements(&migration, &tables));
    steps.push(guard::take_local_tables());
    steps.extend(restore_objects(&migration));
    steps.extend(restore_views(&migration));
    steps.extend(foreign_keys.iter().map(|key| restore_foreign_key(&migration, key)));
    steps
        .extend(checks::put_aside_back(&migration).map(|(table, check)| checks::create_back(&migration, table, check)));
    steps.push(verify(&migration));
    steps.push(notebook::close(&migration));
    steps.sort_by_key(|s| s.phase);
    steps
}

/// Those that the migration drops, and those among local tables that it makes Citus take.
fn foreign_keys<'m, 'a>(migration: &'m Migration<'_, 'a>) -> Vec<ChangedForeignKey<'m, 'a>> {
    let converted = local_tables::converted(migration);
    let is_converted = move |t: TableId| converted.contains(&migration.graph.root(t));
    migration.foreign_keys_where(move |edge| is_converted(edge.referencing) || is_converted(edge.referenced)).collect()
}

/// A condition in SQL: Citus has the table.
fn is_citus(name: &RelationName) -> String {
    format!("EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = {})", regclass(name))
}

/// A condition in SQL: the table is where it was when the plan was made.
fn is_back(migration: &Migration<'_, '_>, table: TableId) -> String {
    let table = migration.graph.root(table);
    let name = migration.name(table);
    match migration.current(table).filter(|now| now.kind != "local") {
        None => format!("NOT {}", is_citus(name)),
        Some(CitusTable { kind, .. }) if kind == "reference" => {
            format!("EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = {} AND repmodel = 't')", regclass(name))
        }
        Some(now) => format!(
            "EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = {} AND partmethod = 'h' AND \
             column_to_column_name(logicalrelid, partkey) = {})",
            regclass(name),
            quote_literal(now.distribution_column.as_deref().unwrap_or_default())
        ),
    }
}

fn drop_foreign_key(migration: &Migration<'_, '_>, key: &ChangedForeignKey<'_, '_>) -> Step {
    let name = &key.foreign_key.name;
    let model = serde_json::to_string(key.foreign_key).expect("a foreign key is text and flags");
    let definition = &key.foreign_key.definition;
    let statement = migration
        .checked_block()
        .declare("present text")
        .run(format!(
            "SELECT pg_get_constraintdef(oid) INTO present FROM pg_constraint WHERE conrelid = {} AND conname = {} AND \
             contype = 'f'",
            regclass(key.table),
            quote_literal(name)
        ))
        .run(format!(
            "IF present IS NULL OR present = {} AND {} AND {} THEN RETURN; END IF",
            quote_literal(definition),
            is_back(migration, key.edge.referencing),
            is_back(migration, key.edge.referenced)
        ))
        .run(notebook::put_aside(foreign_keys::KIND, key.table, name, definition, &model))
        .run(format!("ALTER TABLE {} DROP CONSTRAINT {}", key.table, quote_identifier(name)))
        .finish();
    let because = "Comes back in phase constraints, as it was before the migration.".to_owned();
    Step { phase: Phase::Drop, relation: Some(key.table.clone()), statement, because }
}

fn return_table(migration: &Migration<'_, '_>, table: TableId) -> Step {
    let name = migration.name(table);
    let was_local = migration.current(table).is_none_or(|now| now.kind == "local");
    let done = if was_local { format!("NOT {}", is_citus(name)) } else { is_back(migration, table) };
    let block = migration.checked_block().return_if(&done).return_if(&format!("NOT {}", is_citus(name)));
    let statement = placement::undistributed(block, migration, table);
    let because = "Its rows come back to the coordinator. Readers and writers wait.".to_owned();
    Step { phase: Phase::Drop, relation: Some(name.clone()), statement, because }
}

fn restore_keys(migration: &Migration<'_, '_>) -> Vec<Step> {
    let changed = migration.plan.keys.iter().filter(|k| k.fate != KeyFate::Kept);
    let mut steps: Vec<Step> =
        changed.map(|key| keys::restore(migration, key, &is_away(migration, key.table))).collect();
    for (table, column) in keys::set_not_null_columns(migration) {
        steps.push(drop_not_null(migration, table, column));
    }
    steps.extend(backfill::pending(migration).map(|planned| backfill::drop_added(migration, planned)));
    steps
}

/// A condition in SQL under which nothing of a table can be restored yet.
fn is_away(migration: &Migration<'_, '_>, table: TableId) -> String {
    is_citus(migration.name(migration.graph.root(table)))
}

fn drop_not_null(migration: &Migration<'_, '_>, table: TableId, column: ColumnId) -> Step {
    let (name, column) = (migration.name(table), quote_identifier(&migration.graph.column(table, column).name));
    let statement = migration
        .checked_block()
        .return_if(&is_citus(name))
        .run(format!("ALTER TABLE {name} ALTER COLUMN {column} DROP NOT NULL"))
        .finish();
    let because = "The key that was widened needed it.".to_owned();
    Step { phase: Phase::Keys, relation: Some(name.clone()), statement, because }
}

/// Tables that Citus had before, and had otherwise, go back there.
fn earlier_placements(migration: &Migration<'_, '_>, tables: &[TableId]) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut anchors: Vec<(i64, &RelationName)> = migration
        .graph
        .schema
        .citus_tables
        .iter()
        .filter(|c| c.kind == "distributed")
        .filter(|c| migration.graph.find(&c.name).is_some_and(|t| !migration.is_pending(t)))
        .map(|c| (c.colocation_id, &c.name))
        .collect();
    for &table in tables.iter().rev() {
        let Some(now) = migration.current(table).filter(|now| now.kind != "local") else { continue };
        let name = migration.name(table);
        let literal = quote_literal(&name.to_string());
        let (phase, call) = match &now.distribution_column {
            None => (Phase::Reference, format!("PERFORM create_reference_table({literal})")),
            Some(column) => {
                let anchor = anchors.iter().find(|(id, _)| *id == now.colocation_id).map(|a| a.1.to_string());
                if anchor.is_none() {
                    anchors.push((now.colocation_id, name));
                }
                let with = quote_literal(anchor.as_deref().unwrap_or("none"));
                let call = format!(
                    "PERFORM create_distributed_table({literal}, {}, colocate_with => {with})",
                    quote_literal(column)
                );
                (Phase::Distribute, call)
            }
        };
        let statement = migration
            .checked_block()
            .return_if(&is_back(migration, table))
            .run(placement::QUIET)
            .run(call)
            .run(format!("PERFORM truncate_local_data_after_distributing_table({literal})"))
            .finish();
        let because = "Where it was when the plan was made.".to_owned();
        steps.push(Step { phase, relation: Some(name.clone()), statement, because });
    }
    steps
}

/// Triggers and policies.
fn restore_objects(migration: &Migration<'_, '_>) -> Vec<Step> {
    let objects = migration.plan.lost_objects.iter().map(|object| {
        let table = migration.graph.table(object.table);
        let (relation, name) = (&table.name, quote_identifier(&object.name));
        let mut statements = Vec::new();
        let catalog;
        if object.kind == ObjectType::Trigger {
            catalog = ("pg_trigger", "tgrelid", "tgname");
            if let Some(trigger) = table.triggers.iter().find(|t| t.name == object.name) {
                statements.push(trigger.definition.clone());
                let word = match trigger.enabled.as_str() {
                    "D" => Some("DISABLE"),
                    "R" => Some("ENABLE REPLICA"),
                    "A" => Some("ENABLE ALWAYS"),
                    _ => None,
                };
                statements.extend(word.map(|word| format!("ALTER TABLE {relation} {word} TRIGGER {name}")));
                let text = trigger.comment.as_ref();
                statements
                    .extend(text.map(|t| format!("COMMENT ON TRIGGER {name} ON {relation} IS {}", quote_literal(t))));
            }
        } else {
            catalog = ("pg_policy", "polrelid", "polname");
            let policy = table.policies.iter().find(|p| p.name == object.name);
            statements.extend(policy.map(|p| p.definition.trim_end_matches(';').to_owned()));
        }
        let (catalog, of, named) = catalog;
        let there = format!(
            "EXISTS (SELECT FROM {catalog} WHERE {of} = {} AND {named} = {})",
            regclass(relation),
            quote_literal(&object.name)
        );
        let statement = waits_for_table(migration, object.table, migration.checked_block().return_if(&there))
            .run_all(statements)
            .finish();
        let because = format!("The migration drops {}.", described(object.kind, &object.name, relation));
        Step { phase: Phase::Constraints, relation: Some(relation.clone()), statement, because }
    });
    objects.collect()
}

/// Views that needed a key or a table as it was; those below come first.
fn restore_views(migration: &Migration<'_, '_>) -> Vec<Step> {
    let views = rules::lost_views(&migration.plan.layout).into_iter().rev();
    let steps = views.map(|v| &migration.graph.schema.views[v]).map(|view| {
        let statement = migration
            .checked_block()
            .return_if(&format!("to_regclass({}) IS NOT NULL", quote_literal(&view.name.to_string())))
            .run_all(view.statements.iter().cloned())
            .finish();
        let because = "The migration drops it, since it needs a key or a table as it was.".to_owned();
        Step { phase: Phase::Constraints, relation: Some(view.name.clone()), statement, because }
    });
    steps.collect()
}

fn waits_for_table(migration: &Migration<'_, '_>, table: TableId, block: Block) -> Block {
    let name = migration.name(migration.graph.root(table));
    block.fail_if(
        &format!("NOT ({})", is_back(migration, table)),
        &Failure::new(
            format!("{name} is not back where it was"),
            "Mend what an earlier step has reported, then run all steps again.",
        ),
    )
}

fn restore_foreign_key(migration: &Migration<'_, '_>, key: &ChangedForeignKey<'_, '_>) -> Step {
    let name = &key.foreign_key.name;
    let mut block = migration.checked_block().return_if(&foreign_keys::is_there(key.table, name));
    for side in [key.edge.referencing, key.edge.referenced] {
        block = waits_for_table(migration, side, block);
    }
    let quoted = quote_identifier(name);
    block = block
        .run(format!("ALTER TABLE {} ADD CONSTRAINT {quoted} {}", key.table, key.foreign_key.definition))
        .run(notebook::back(foreign_keys::KIND, key.table, name));
    if let Some(text) = &key.foreign_key.comment {
        block = block.run(format!("COMMENT ON CONSTRAINT {quoted} ON {} IS {}", key.table, quote_literal(text)));
    }
    let because = "As it was before the migration.".to_owned();
    Step { phase: Phase::Constraints, relation: Some(key.table.clone()), statement: block.finish(), because }
}

fn verify(migration: &Migration<'_, '_>) -> Step {
    let mut queries: Vec<String> = migration
        .pending_tables()
        .chain(local_tables::converted(migration))
        .map(|table| {
            format!(
                "SELECT {} WHERE NOT ({})",
                quote_literal(&format!("{} is not back where it was", migration.name(table))),
                is_back(migration, table)
            )
        })
        .collect();
    for key in migration.changed_foreign_keys() {
        queries.push(format!(
            "SELECT {} WHERE NOT {}",
            quote_literal(&format!(
                "{} is missing",
                described(ObjectType::ForeignKey, &key.foreign_key.name, key.table)
            )),
            foreign_keys::is_there(key.table, &key.foreign_key.name)
        ));
    }
    let statement = migration
        .checked_block()
        .declare("problems text")
        .run(format!(
            "SELECT string_agg(problem, E'\\n' ORDER BY problem) INTO problems FROM (\n    {}) AS found (problem)",
            queries.join("\n    UNION ALL\n    ")
        ))
        .fail_if(
            "problems IS NOT NULL",
            &Failure::new(
                "not everything is back",
                "Mend what an earlier step has reported, then run all steps again.",
            )
            .detail("problems"),
        )
        .run(format!("UPDATE {SCHEMA}.tables SET cleaned = true"))
        .run("RAISE NOTICE USING MESSAGE = 'everything is back where it was'")
        .run(migration.mark_verified())
        .finish();
    let because = "Every table and foreign key is looked at once more.".to_owned();
    Step { phase: Phase::Validate, relation: None, statement, because }
}
