//! CHECK constraints that are NOT VALID: Citus would create the shards with them in force, so that a row which
//! PostgreSQL has tolerated stops the copy. They come back NOT VALID when the rows are where they belong.

use crate::graph::TableId;
use crate::identifier::{quote_identifier, quote_literal};
use crate::layout::Placement;
use crate::schema::Check;

use super::context::{Migration, regclass};
use super::sql::{Block, Failure};
use super::{Phase, Step, backfill, local_tables, notebook};

/// What the notebook calls them.
const KIND: &str = "check";

/// Those of tables that become reference or distributed tables; of tables that Citus has or takes into its metadata also
/// those that are not inherited, since it would validate the former and let children inherit the latter. Partitions
/// inherit theirs.
fn put_aside<'m>(migration: &'m Migration<'_, '_>) -> impl Iterator<Item = (TableId, &'m Check)> {
    of_tables(migration, |check| !check.validated)
}

/// Those of the way back, on which Citus makes every table anew.
pub(super) fn put_aside_back<'m>(migration: &'m Migration<'_, '_>) -> impl Iterator<Item = (TableId, &'m Check)> {
    of_tables(migration, |check| !check.validated || check.no_inherit)
}

fn of_tables<'m>(
    migration: &'m Migration<'_, '_>,
    of_moving: fn(&Check) -> bool,
) -> impl Iterator<Item = (TableId, &'m Check)> {
    let forgotten: fn(&Check) -> bool = |check| !check.validated || check.no_inherit;
    // What Citus has already it makes anew.
    let moving = migration
        .pending_tables()
        .filter(|&t| migration.placement(t) != Placement::Local || migration.current(t).is_some())
        .map(move |t| (t, if migration.current(t).is_some() { forgotten } else { of_moving }));
    let declared = move |table: TableId, wanted: fn(&Check) -> bool| {
        let checks = migration.graph.table(table).checks.iter();
        checks.filter(move |c| !c.inherited && (c.put_aside || wanted(c))).map(move |check| (table, check))
    };
    let settled = migration.plan.tables.iter().map(|t| t.table).filter(|&t| !migration.is_pending(t));
    let left: Vec<_> = settled.flat_map(move |t| declared(t, |_| false)).collect();
    let mut found: Vec<_> = moving.flat_map(move |(t, wanted)| declared(t, wanted)).collect();
    for table in local_tables::converted(migration) {
        found.extend(declared(table, forgotten));
    }
    for one in left {
        if !found.iter().any(|f| f.0 == one.0 && f.1.name == one.1.name) {
            found.push(one);
        }
    }
    found.into_iter()
}

/// A condition in SQL: the table is where it will be, and a check of this name is the one that came back.
fn is_settled(migration: &Migration<'_, '_>, table: TableId) -> String {
    match migration.placement(table) {
        Placement::Local if migration.current(table).is_none() => {
            format!("EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = {})", regclass(migration.name(table)))
        }
        _ => migration.is_placed(table),
    }
}

fn what(migration: &Migration<'_, '_>, table: TableId, check: &Check) -> String {
    format!("check \"{}\" of {}", check.name, migration.name(table))
}

/// Reads the definition of the constraint as it is now into `present`.
fn read_present(block: Block, migration: &Migration<'_, '_>, table: TableId, check: &Check) -> Block {
    block.declare("present text").run(format!(
        "SELECT pg_get_constraintdef(oid) INTO present FROM pg_constraint WHERE conrelid = {} AND conname = {} \
         AND contype = 'c'",
        regclass(migration.name(table)),
        quote_literal(&check.name)
    ))
}

/// Those of tables that get a column go before it is filled: PostgreSQL would hold every row that is written anew against them.
pub(super) fn drop_before_filling(migration: &Migration<'_, '_>) -> Vec<Step> {
    let checks = put_aside(migration).filter(|&(table, _)| backfill::is_pending(migration, table));
    checks.map(|(table, check)| drop_one(migration, table, check, Phase::Prepare)).collect()
}

pub(super) fn drop(migration: &Migration<'_, '_>) -> Vec<Step> {
    let checks = put_aside(migration).filter(|&(table, _)| !backfill::is_pending(migration, table));
    checks.map(|(table, check)| drop_one(migration, table, check, Phase::Drop)).collect()
}

fn drop_one(migration: &Migration<'_, '_>, table: TableId, check: &Check, phase: Phase) -> Step {
    let name = migration.name(table);
    let failure =
        Failure::new(format!("{} is not the one that was planned", what(migration, table, check)), "Make a new plan.");
    let block = if phase == Phase::Prepare { migration.filling_block() } else { migration.checked_block() };
    let statement = read_present(block, migration, table, check)
        .return_if(&format!("present IS NULL OR {}", is_settled(migration, table)))
        .fail_if(&format!("present <> {}", quote_literal(&check.definition)), &failure.detail("present"))
        .run(notebook::put_aside(
            KIND,
            name,
            &check.name,
            &check.definition,
            &serde_json::to_string(check).expect("a check is text and flags"),
        ))
        .run(format!("ALTER TABLE {name} DROP CONSTRAINT {}", quote_identifier(&check.name)))
        .finish();
    let because = format!(
        "Comes back in phase constraints: Citus would {} while it moves {name}.",
        if check.validated { "let children inherit it" } else { "enforce it on rows that PostgreSQL has tolerated" }
    );
    Step { phase, relation: Some(name.clone()), statement, because }
}

pub(super) fn create(migration: &Migration<'_, '_>) -> Vec<Step> {
    let checks = put_aside(migration).map(|(table, check)| {
        let name = migration.name(table);
        let add = format!("ALTER TABLE {name} ADD CONSTRAINT {} {}", quote_identifier(&check.name), check.definition);
        let comment = check.comment.as_ref().map(|text| {
            let check = quote_identifier(&check.name);
            format!("COMMENT ON CONSTRAINT {check} ON {name} IS {}", quote_literal(text))
        });
        let failure = Failure::new(
            format!("{} cannot come back: {name} is not in its place", what(migration, table, check)),
            "Mend what an earlier step has reported, then run all these steps again.",
        );
        let statement = read_present(migration.checked_block(), migration, table, check)
            .return_if("present IS NOT NULL")
            .fail_if(
                &format!("NOT ({})", migration.is_placed(table)),
                &failure.detail(&quote_literal(&format!("{add};"))),
            )
            .run(add)
            .run_all(comment)
            .run(notebook::back(KIND, name, &check.name))
            .finish();
        Step {
            phase: Phase::Constraints,
            relation: Some(name.clone()),
            statement,
            because: "As it was. Locks the table for a moment.".to_owned(),
        }
    });
    checks.collect()
}

/// For the way back.
pub(super) fn drop_back(migration: &Migration<'_, '_>, table: TableId, check: &Check) -> Step {
    let name = migration.name(table);
    let is_citus = format!("EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = {})", regclass(name));
    let model = serde_json::to_string(check).expect("a check is text and flags");
    let statement = read_present(migration.checked_block(), migration, table, check)
        .return_if(&format!("present IS NULL OR NOT {is_citus}"))
        .run(notebook::put_aside(KIND, name, &check.name, &check.definition, &model))
        .run(format!("ALTER TABLE {name} DROP CONSTRAINT {}", quote_identifier(&check.name)))
        .finish();
    let because = "Comes back in phase constraints.".to_owned();
    Step { phase: Phase::Drop, relation: Some(name.clone()), statement, because }
}

pub(super) fn create_back(migration: &Migration<'_, '_>, table: TableId, check: &Check) -> Step {
    let name = migration.name(table);
    let quoted = quote_identifier(&check.name);
    let comment = check
        .comment
        .as_ref()
        .map(|text| format!("COMMENT ON CONSTRAINT {quoted} ON {name} IS {}", quote_literal(text)));
    let statement = read_present(migration.checked_block(), migration, table, check)
        .return_if("present IS NOT NULL")
        .run(format!("ALTER TABLE {name} ADD CONSTRAINT {quoted} {}", check.definition))
        .run_all(comment)
        .run(notebook::back(KIND, name, &check.name))
        .finish();
    Step { phase: Phase::Constraints, relation: Some(name.clone()), statement, because: "As it was.".to_owned() }
}
