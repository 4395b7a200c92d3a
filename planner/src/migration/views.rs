//! Views that are too many to stay while the tables beneath them move.

use crate::graph::TableId;
use crate::report::number;

use super::context::{Migration, regclass};
use super::notebook::{EVERYWHERE, HERE_ONLY, SCHEMA, VIEWS};
use super::placement::QUIET;
use super::{Phase, Step};

/// Views over one table from which they are put aside. Whatever happens to the table, Citus looks for each of them at the
/// functions of all (`metadata_sync.c:GetDependentFunctionsWithRelation`, called by `dependency.c:GetDependingViews`): 1,864
/// took nine minutes on two cores, so 300 a quarter of one.
const MANY_VIEWS: usize = 300;

/// Tables that move and have so many views.
pub(super) fn laden(migration: &Migration<'_, '_>) -> Vec<TableId> {
    let views = &migration.graph.schema.views;
    let readers = |table: TableId| views.iter().filter(|v| v.reads.contains(migration.name(table))).count();
    migration.pending_tables().filter(|&t| readers(t) >= MANY_VIEWS).collect()
}

/// Puts them aside before the first table moves.
pub(super) fn put_aside(migration: &Migration<'_, '_>) -> Option<Step> {
    let tables = laden(migration);
    if tables.is_empty() {
        return None;
    }
    let names: Vec<String> = tables.iter().map(|&t| migration.name(t).to_string()).collect();
    let members: Vec<String> = tables.iter().map(|&t| regclass(migration.name(t))).collect();
    let placed: Vec<String> = tables.iter().map(|&t| migration.is_placed(t)).collect();
    let statement = migration
        .checked_block()
        .return_if(&format!("EXISTS (SELECT FROM {SCHEMA}.keepsakes WHERE relation = '{VIEWS}')"))
        .return_if(&placed.join(" AND "))
        .run(QUIET)
        .run(format!(
            "INSERT INTO {SCHEMA}.keepsakes VALUES ('{VIEWS}', {SCHEMA}.put_aside(ARRAY[{}], true))",
            members.join(", ")
        ))
        .finish();
    let because = format!(
        "{} views and more read a table of these: {}. With them in place Citus takes minutes for whatever happens to such a \
         table, and writers wait. Until the end of phase constraints the views over them are not there, nor functions of their \
         rows; they are written down in schema {SCHEMA}.",
        number::thousands(MANY_VIEWS as i64),
        names.join(", ")
    );
    Some(Step { phase: Phase::Drop, relation: None, statement, because })
}

/// Puts them back when the last foreign key is there.
pub(super) fn put_back(migration: &Migration<'_, '_>) -> Option<Step> {
    if laden(migration).is_empty() {
        return None;
    }
    let statement = migration
        .checked_block()
        .run(QUIET)
        .run(HERE_ONLY)
        .run(format!("PERFORM {SCHEMA}.recall('{VIEWS}')"))
        .run(EVERYWHERE)
        .finish();
    let because =
        "The views come back, on the coordinator only: to send them to the workers takes as long. Where one is \
                   wanted there, create it again (CREATE OR REPLACE VIEW)."
            .to_owned();
    Some(Step { phase: Phase::Constraints, relation: None, statement, because })
}
