//! Global foreign keys of tables that move: their triggers go, on both tables and with what is written down of them; a native
//! foreign key takes their place where there can be one.

use crate::global_keys::{Fate, GlobalForeignKey, UNIQUE, fate, global_foreign_keys};
use crate::graph::ColumnId;
use crate::identifier::{RelationName, quote_identifier, quote_literal};
use crate::layout::Placement;
use crate::schema::{ForeignKey, MatchType, ReferentialAction};

use super::context::{Migration, regclass};
use super::foreign_keys::{KIND, adding, declared, is_there};
use super::sql::comment;
use super::{Phase, Step, notebook};

/// Those that do not stay, with what becomes of them.
fn changed(migration: &Migration<'_, '_>) -> Vec<(GlobalForeignKey, Fate)> {
    let moves = |key: &GlobalForeignKey| {
        let root = |table| migration.graph.root(table);
        migration.is_pending(root(key.edge.referencing)) || migration.is_pending(root(key.edge.referenced))
    };
    let keys = global_foreign_keys(migration.graph).into_iter().filter(moves);
    let with_fate = keys.map(|key| (fate(&migration.plan.layout, &key), key));
    with_fate.filter(|(fate, _)| *fate != Fate::Kept).map(|(fate, key)| (key, fate)).collect()
}

/// `advisor.drop_constraint` takes the triggers of both tables: one that stayed behind would stop every statement. And it takes
/// what is written down, by which `repair_constraints` would make them again. Uniques go last, for foreign keys need them.
pub(super) fn drop(migration: &Migration<'_, '_>) -> Vec<Step> {
    let keys = changed(migration);
    let mut steps: Vec<Step> = keys.iter().map(|(key, fate)| drop_foreign_key(migration, key, fate)).collect();
    let moving = migration.pending_tables().filter(|&table| migration.placement(table) != Placement::Local);
    for table in moving.map(|table| migration.graph.table(table)) {
        for unique in table.triggers.iter().filter(|trigger| trigger.function == UNIQUE) {
            let because = format!(
                "Lost: global unique constraint {} of {}. {}.",
                unique.name,
                table.name,
                migration.reason("CA506", &table.name, &unique.name).trim_end_matches('.')
            );
            steps.push(drop_one(migration, &table.name, &unique.name, None, because));
        }
    }
    steps
}

fn drop_foreign_key(migration: &Migration<'_, '_>, key: &GlobalForeignKey, fate: &Fate) -> Step {
    let (table, name) = (migration.name(key.edge.referencing), &key.declared.name);
    let (aside, because) = match native(migration, key, fate) {
        Some(native) => {
            let model = serde_json::to_string(&native).expect("a foreign key is text and flags");
            let aside = notebook::put_aside(KIND, table, name, &native.definition, &model);
            let what = format!("global foreign key {name} of {table}");
            (Some(aside), format!("A native foreign key takes the place of {what} in phase constraints."))
        }
        None => (None, format!("Lost: global foreign key {name} of {table}. {}.", why(fate))),
    };
    drop_one(migration, table, name, aside, because)
}

fn drop_one(
    migration: &Migration<'_, '_>,
    table: &RelationName,
    name: &str,
    aside: Option<String>,
    because: String,
) -> Step {
    let is_there = format!(
        "EXISTS (SELECT FROM pg_trigger WHERE tgrelid = {} AND tgname = {} AND NOT tgisinternal)",
        regclass(table),
        quote_literal(name)
    );
    let drop = format!("PERFORM advisor.drop_constraint({}, {})", regclass(table), quote_literal(name));
    let block = migration.checked_block().return_if(&format!("NOT {is_there}"));
    let statement = block.run_all(aside.into_iter().chain([drop])).finish();
    Step { phase: Phase::Drop, relation: Some(table.clone()), statement, because }
}

fn why(fate: &Fate) -> String {
    match fate {
        Fate::Lost { why } => format!(
            "CA507: Citus allows no triggers on its tables, and no native foreign key can take its place: {why}"
        ),
        _ => String::new(),
    }
}

/// The native foreign key that takes its place.
fn native(migration: &Migration<'_, '_>, key: &GlobalForeignKey, fate: &Fate) -> Option<ForeignKey> {
    let Fate::Native { columns, on_update } = fate else { return None };
    let graph = migration.graph;
    let (referencing, referenced) = (key.edge.referencing, key.edge.referenced);
    let names = |table, pick: fn(&(ColumnId, ColumnId)) -> ColumnId| -> Vec<String> {
        columns.iter().map(|pair| graph.column(table, pick(pair)).name.clone()).collect()
    };
    let (from, to) = (names(referencing, |pair| pair.0), names(referenced, |pair| pair.1));
    let global = &key.declared;
    // With columns that are never NULL, MATCH FULL would refuse every row without a referenced one.
    let is_wider = columns.len() > key.edge.columns.len();
    let match_type = if is_wider { MatchType::Simple } else { global.match_type };
    // SET NULL of all columns would be of those that are added, too.
    let sets = matches!(global.on_delete, ReferentialAction::SetNull | ReferentialAction::SetDefault);
    let on_delete_columns = match global.on_delete_columns.is_empty() && is_wider && sets {
        true => global.columns.clone(),
        false => global.on_delete_columns.clone(),
    };
    let mut native = ForeignKey {
        columns: from,
        referenced_columns: to,
        match_type,
        on_delete_columns,
        on_update: *on_update,
        ..global.clone()
    };
    native.definition = declared(&native, migration.name(referenced));
    Some(native)
}

/// The native foreign keys, when all tables are in their places.
pub(super) fn create(migration: &Migration<'_, '_>) -> Vec<Step> {
    let keys = changed(migration);
    keys.iter()
        .map(|(key, fate)| {
            let table = migration.name(key.edge.referencing);
            let name = &key.declared.name;
            let step =
                |statement, because| Step { phase: Phase::Constraints, relation: Some(table.clone()), statement, because };
            let Some(native) = native(migration, key, fate) else {
                return step(comment(&format!("Not re-created: global foreign key {name} of {table}. {}", why(fate))), why(fate));
            };
            let (block, statements) = adding(migration, &key.edge, &native, &native.definition, None);
            let because = format!(
                "In the place of a global foreign key, on the distribution column and the partition key of {} as well. Every row is \
                 looked at: readers go on, writers of both tables wait.",
                migration.name(key.edge.referenced)
            );
            step(block.run_all(statements).finish(), because)
        })
        .collect()
}

/// The native foreign keys that are there already where the script is run again.
pub(super) fn known<'a>(migration: &Migration<'_, 'a>) -> Vec<(&'a RelationName, String)> {
    let keys = changed(migration).into_iter().filter(|(_, fate)| matches!(fate, Fate::Native { .. }));
    keys.map(|(key, _)| (migration.name(key.edge.referencing), key.declared.name)).collect()
}

/// On the way back: the native foreign keys that took their place go. The triggers come back with all others.
pub(super) fn drop_native(migration: &Migration<'_, '_>) -> Vec<Step> {
    let keys = changed(migration);
    let natives = keys.iter().filter_map(|(key, fate)| Some((key, native(migration, key, fate)?)));
    natives
        .map(|(key, native)| {
            let (table, name) = (migration.name(key.edge.referencing), &native.name);
            let statement = migration
                .checked_block()
                .run(notebook::back(KIND, table, name))
                .return_if(&format!("NOT {}", is_there(table, name)))
                .run(format!("ALTER TABLE {table} DROP CONSTRAINT {}", quote_identifier(name)))
                .finish();
            let because = format!("A global foreign key takes its place again: {name} of {table}.");
            Step { phase: Phase::Drop, relation: Some(table.clone()), statement, because }
        })
        .collect()
}
