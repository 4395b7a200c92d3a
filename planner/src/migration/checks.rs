//! CHECK constraints that are NOT VALID: Citus would create the shards with them in force, so that a row which
//! PostgreSQL has tolerated stops the copy. They come back NOT VALID when the rows are where they belong.

use crate::graph::TableId;
use crate::identifier::{quote_identifier, quote_literal};
use crate::layout::Placement;
use crate::schema::Check;

use super::context::{Migration, regclass};
use super::sql::{Block, Failure};
use super::{Phase, Step};

/// Those of tables that become reference or distributed tables; partitions inherit theirs.
fn not_valid<'m>(migration: &'m Migration<'_, '_>) -> impl Iterator<Item = (TableId, &'m Check)> {
    migration.pending_tables().filter(|&t| migration.placement(t) != Placement::Local).flat_map(|table| {
        let checks = migration.graph.table(table).checks.iter();
        checks.filter(|check| !check.validated && !check.inherited).map(move |check| (table, check))
    })
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

pub(super) fn drop(migration: &Migration<'_, '_>) -> Vec<Step> {
    let checks = not_valid(migration).map(|(table, check)| {
        let name = migration.name(table);
        let failure = Failure::new(
            format!("{} is not the one that was planned", what(migration, table, check)),
            "Make a new plan.",
        );
        let statement = read_present(migration.checked_block(), migration, table, check)
            .return_if(&format!("present IS NULL OR {}", migration.is_placed(table)))
            .fail_if(&format!("present <> {}", quote_literal(&check.definition)), &failure.detail("present"))
            .run(format!("ALTER TABLE {name} DROP CONSTRAINT {}", quote_identifier(&check.name)))
            .finish();
        let because = format!(
            "Comes back in phase constraints: {name} is not sure to satisfy it, and Citus would enforce it while it \
             copies the rows."
        );
        Step { phase: Phase::Drop, relation: Some(name.clone()), statement, because }
    });
    checks.collect()
}

pub(super) fn create(migration: &Migration<'_, '_>) -> Vec<Step> {
    let checks = not_valid(migration).map(|(table, check)| {
        let name = migration.name(table);
        let add = format!("ALTER TABLE {name} ADD CONSTRAINT {} {}", quote_identifier(&check.name), check.definition);
        let failure = Failure::new(
            format!("{} cannot come back: {name} is not in its place", what(migration, table, check)),
            "Mend what an earlier step has reported, then run all these steps again; a new plan would not know of it.",
        );
        let statement = read_present(migration.checked_block(), migration, table, check)
            .return_if("present IS NOT NULL")
            .fail_if(
                &format!("NOT ({})", migration.is_placed(table)),
                &failure.detail(&quote_literal(&format!("{add};"))),
            )
            .run(add)
            .finish();
        Step { phase: Phase::Constraints, relation: Some(name.clone()), statement, because: "As it was.".to_owned() }
    });
    checks.collect()
}
