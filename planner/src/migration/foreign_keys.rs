//! Foreign keys: all that touch a moving table are dropped before the first one moves and come back at the end, as they
//! were or widened. With one of them in place Citus would turn its whole neighbourhood into managed local tables, and
//! that is a dead end for tables with identity columns.

use crate::graph::{ColumnId, Edge};
use crate::identifier::{RelationName, quote_identifier, quote_identifiers, quote_literal};
use crate::layout::Placement;
use crate::plan::ForeignKeyFate;
use crate::rules::ObjectType;
use crate::schema::{ForeignKey, MatchType, ReferentialAction};

use super::context::{ChangedForeignKey, Migration, described, regclass};
use super::guard::FOLLOW_LOCAL_TABLES;
use super::sql::{Block, Failure, comment};
use super::{Phase, Step, local_tables, notebook};

/// What the notebook calls them.
pub(super) const KIND: &str = "foreign key";

pub(super) fn drop(migration: &Migration<'_, '_>) -> Vec<Step> {
    migration.changed_foreign_keys().map(|key| drop_one(migration, &key)).collect()
}

/// Foreign keys come back in the order in which Citus likes them best: those among reference tables before a parallel
/// statement has touched any, those of local tables last, because they turn these tables into managed ones.
pub(super) fn create(migration: &Migration<'_, '_>) -> Vec<Step> {
    let mut keys: Vec<_> = migration.changed_foreign_keys().collect();
    keys.sort_by_key(|key| {
        let rank = |placement| match placement {
            Placement::Reference => 0,
            Placement::Distributed { .. } => 1,
            Placement::Local => 2,
        };
        let referencing = rank(migration.placement(key.edge.referencing));
        let referenced = rank(migration.placement(key.edge.referenced));
        (referencing.max(referenced) == 2, referencing, referenced)
    });
    keys.iter().map(|key| create_one(migration, key)).collect()
}

fn drop_one(migration: &Migration<'_, '_>, key: &ChangedForeignKey<'_, '_>) -> Step {
    let name = &key.foreign_key.name;
    let what = described(ObjectType::ForeignKey, name, key.table);
    let definition = quote_literal(&key.foreign_key.definition);
    let mut block = migration.checked_block().declare("present text");
    block = block.run(format!(
        "SELECT pg_get_constraintdef(oid) INTO present FROM pg_constraint \
         WHERE conrelid = {} AND conname = {} AND contype = 'f'",
        regclass(key.table),
        quote_literal(name)
    ));
    let (done, because) = match &key.planned.fate {
        ForeignKeyFate::Lost { code } => (
            "present IS NULL".to_owned(),
            format!("Lost: {what}. {}. {LOCKS_BOTH}", migration.reason(code, key.table, name).trim_end_matches('.')),
        ),
        _ => (
            // Once both tables are in their places, a foreign key of this name is the one that came back.
            format!(
                "present IS NULL OR ({} AND {})",
                migration.is_placed(key.edge.referencing),
                migration.is_placed(key.edge.referenced)
            ),
            format!("Comes back in phase constraints: {} cannot move under it. {LOCKS_BOTH}", moving(migration, key)),
        ),
    };
    let mut destroy = Vec::new();
    let model = serde_json::to_string(key.foreign_key).expect("a foreign key is text and flags");
    match key.planned.fate {
        ForeignKeyFate::Lost { .. } => {
            block = block.run(notebook::lost(key.table, name)).run(notebook::back(KIND, key.table, name));
            if migration.fills_columns() {
                destroy.push(notebook::way(key.table, name, &model));
            }
        }
        _ => {
            destroy.push(notebook::put_aside(KIND, key.table, name, &key.foreign_key.definition, &model));
        }
    }
    destroy.push(format!("ALTER TABLE {} DROP CONSTRAINT {}", key.table, quote_identifier(name)));
    let statement = block
        .return_if(&done)
        .fail_if(
            &format!("present <> {definition}"),
            &Failure::new(format!("{what} is not the one that was planned"), "Make a new plan.").detail("present"),
        )
        .run_all(destroy)
        .finish();
    Step { phase: Phase::Drop, relation: Some(key.table.clone()), statement, because }
}

/// What dropping a foreign key takes.
const LOCKS_BOTH: &str = "Locks both tables for a moment.";

/// Whom adding a foreign key keeps waiting.
fn looks_at_rows(key: &ChangedForeignKey<'_, '_>) -> &'static str {
    if key.foreign_key.validated {
        "Every row is looked at: readers go on, writers of both tables wait."
    } else {
        "No row is looked at; writers of both tables wait for a moment."
    }
}

/// The moving tables of a foreign key, for its reason.
fn moving(migration: &Migration<'_, '_>, key: &ChangedForeignKey<'_, '_>) -> String {
    match (migration.is_pending(key.edge.referencing), migration.is_pending(key.edge.referenced)) {
        (true, true) if key.edge.referencing != key.edge.referenced => format!("{} and {}", key.table, key.referenced),
        (false, true) => key.referenced.to_string(),
        _ => key.table.to_string(),
    }
}

fn create_one(migration: &Migration<'_, '_>, key: &ChangedForeignKey<'_, '_>) -> Step {
    let name = &key.foreign_key.name;
    let step =
        |statement, because| Step { phase: Phase::Constraints, relation: Some(key.table.clone()), statement, because };
    let (definition, because) = match &key.planned.fate {
        ForeignKeyFate::Lost { code } => {
            let reason = migration.reason(code, key.table, name);
            let because = format!("Citus cannot keep it. It was: {}", key.foreign_key.definition);
            let what = described(ObjectType::ForeignKey, name, key.table);
            return step(comment(&format!("Not re-created: {what}. {reason}")), because);
        }
        ForeignKeyFate::Kept => (key.foreign_key.definition.clone(), format!("As it was. {}", looks_at_rows(key))),
        ForeignKeyFate::Widened { columns, on_update } => widened(migration, key, columns, *on_update),
    };
    let is_changed = matches!(key.planned.fate, ForeignKeyFate::Widened { .. });
    let note = is_changed.then(|| notebook::changed(key.table, name));
    let (block, statements) = adding(migration, key.edge, key.foreign_key, &definition, note);
    let statement = local_tables::preserving(migration, key.edge, block, statements).finish();
    step(statement, because)
}

/// A condition: the table has a foreign key of this name.
pub(super) fn is_there(table: &RelationName, name: &str) -> String {
    format!(
        "EXISTS (SELECT FROM pg_constraint WHERE conrelid = {} AND conname = {} AND contype = 'f')",
        regclass(table),
        quote_literal(name)
    )
}

/// What adds a foreign key where it is not there yet, once both tables are in their places: the checks, and the statements behind
/// them, `note` among them.
pub(super) fn adding(
    migration: &Migration<'_, '_>,
    edge: &Edge,
    key: &ForeignKey,
    definition: &str,
    note: Option<String>,
) -> (Block, Vec<String>) {
    let (table, name) = (migration.name(edge.referencing), &key.name);
    let quoted = quote_identifier(name);
    let add = format!("ALTER TABLE {table} ADD CONSTRAINT {quoted} {definition}");
    let mut block = migration.checked_block().return_if(&is_there(table, name));
    for side in [edge.referencing, edge.referenced] {
        // A foreign key from a plain to a distributed table would be accepted, and not enforced.
        block = block.fail_if(
            &format!("NOT ({})", migration.is_placed(side)),
            &Failure::new(
                format!(
                    "{} cannot come back: {} is not in its place",
                    described(ObjectType::ForeignKey, name, table),
                    migration.name(side)
                ),
                "Mend what an earlier step has reported, then run all these steps again.",
            )
            .detail(&quote_literal(&format!("{add};"))),
        );
    }
    let layout = &migration.plan.layout;
    let sides = [(edge.referencing, edge.referenced), (edge.referenced, edge.referencing)];
    if sides.into_iter().any(|(one, other)| layout.is_local(one) && layout.is_reference(other)) {
        // It was off while tables moved; Citus would take the foreign key and not enforce it.
        block = block.fail_if(
            &format!("current_setting('{FOLLOW_LOCAL_TABLES}', true) = 'off'"),
            &Failure::new(
                format!(
                    "{} cannot come back: {FOLLOW_LOCAL_TABLES} is off",
                    described(ObjectType::ForeignKey, name, table)
                ),
                "Mend what an earlier step has reported, then run all these steps again.",
            )
            .detail(&quote_literal(&format!("{add};"))),
        );
    }
    let mut statements = vec![add, notebook::back(KIND, table, name)];
    statements.extend(note);
    if let Some(text) = &key.comment {
        statements.push(format!("COMMENT ON CONSTRAINT {quoted} ON {table} IS {}", quote_literal(text)));
    }
    (block, statements)
}

/// The clause of a widened foreign key, and what is different about it.
fn widened(
    migration: &Migration<'_, '_>,
    key: &ChangedForeignKey<'_, '_>,
    columns: &[(ColumnId, ColumnId)],
    on_update: ReferentialAction,
) -> (String, String) {
    let graph = migration.graph;
    let (referencing, referenced) = (key.edge.referencing, key.edge.referenced);
    let mut changes = Vec::new();
    if columns.len() > key.edge.columns.len() {
        let (from, to) = columns[0];
        changes.push(format!(
            "Widened by the distribution columns ({}, {}), without which Citus refuses it.",
            graph.column(referencing, from).name,
            graph.column(referenced, to).name
        ));
    }
    if on_update != key.foreign_key.on_update {
        changes.push(format!(
            "ON UPDATE {} becomes {}: Citus does not change a distribution column.",
            action(key.foreign_key.on_update),
            action(on_update)
        ));
    }
    // MATCH FULL refuses a row whose columns are partly NULL; with a distribution column that is never NULL it would
    // refuse every row without a parent.
    let mut match_type = key.foreign_key.match_type;
    let nullable = key.edge.columns.iter().any(|&(from, _)| !graph.column(referencing, from).not_null);
    if match_type == MatchType::Full && nullable && columns.len() > key.edge.columns.len() {
        match_type = MatchType::Simple;
        changes.push("MATCH FULL becomes MATCH SIMPLE, or rows without a parent would be refused.".to_owned());
    }
    let from = columns.iter().map(|&(c, _)| graph.column(referencing, c).name.as_str());
    let to = columns.iter().map(|&(_, c)| graph.column(referenced, c).name.as_str());
    let target = format!("{}({})", key.referenced, quote_identifiers(to));
    changes.push(looks_at_rows(key).to_owned());
    (clause(key.foreign_key, &quote_identifiers(from), &target, match_type, on_update), changes.join(" "))
}

/// A foreign key as it is, to a table of this name: in the words of `pg_get_constraintdef`.
pub fn declared(key: &ForeignKey, referenced: &RelationName) -> String {
    let columns = quote_identifiers(key.columns.iter().map(String::as_str));
    let target = format!("{referenced}({})", quote_identifiers(key.referenced_columns.iter().map(String::as_str)));
    clause(key, &columns, &target, key.match_type, key.on_update)
}

/// A foreign key in the order of clauses in which `pg_get_constraintdef` prints it.
fn clause(
    key: &ForeignKey,
    columns: &str,
    target: &str,
    match_type: MatchType,
    on_update: ReferentialAction,
) -> String {
    let mut text = format!("FOREIGN KEY ({columns}) REFERENCES {target}");
    text += match match_type {
        MatchType::Simple => "",
        MatchType::Full => " MATCH FULL",
        MatchType::Partial => " MATCH PARTIAL",
    };
    if on_update != ReferentialAction::NoAction {
        text += &format!(" ON UPDATE {}", action(on_update));
    }
    if key.on_delete != ReferentialAction::NoAction {
        text += &format!(" ON DELETE {}", action(key.on_delete));
    }
    if !key.on_delete_columns.is_empty() {
        text += &format!(" ({})", quote_identifiers(key.on_delete_columns.iter().map(String::as_str)));
    }
    if key.deferrable {
        text += " DEFERRABLE";
    }
    if key.initially_deferred {
        text += " INITIALLY DEFERRED";
    }
    if !key.enforced {
        text += " NOT ENFORCED";
    } else if !key.validated {
        text += " NOT VALID";
    }
    text
}

fn action(action: ReferentialAction) -> &'static str {
    match action {
        ReferentialAction::NoAction => "NO ACTION",
        ReferentialAction::Restrict => "RESTRICT",
        ReferentialAction::Cascade => "CASCADE",
        ReferentialAction::SetNull => "SET NULL",
        ReferentialAction::SetDefault => "SET DEFAULT",
    }
}
