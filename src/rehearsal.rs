//! `advisor.rehearse_migration`: the script of a plan, tried on an empty copy of the tables.
//!
//! All of it happens in one subtransaction, which is taken back: the copy, its shards on the nodes, the notebook. The
//! tables themselves are only looked at. A database made for it would need a connection of its own, hence a library
//! for connections and a password; and Citus' functions run in a transaction, but for the one that copies while others write.

use citus_planner::graph::Graph;
use citus_planner::migration::{self, Rehearsal, Step};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::catalog;
use crate::error::{Result, not_in_state, report as refuse};
use crate::pg::query;
use crate::pg::savepoint::{attempt, attempt_statement};
use crate::pg::values::{Jsonb, Names, Text};
use crate::planning::with_plan;

/// Tries each step of `migration_steps` on an empty copy, and leaves nothing behind.
#[pg_extern(volatile, parallel_unsafe)]
fn rehearse_migration(
    schemas: default!(Option<Names>, "NULL"),
    overrides: default!(Option<Jsonb>, "'{}'"),
) -> Result<TableIterator<'static, (name!(step, i32), name!(statement, Text), name!(outcome, Text))>> {
    catalog::require_coordinator()?;
    let (steps, rehearsal) = with_plan(schemas, overrides, |plan| {
        let unfinished = plan.graph().schema.unfinished.is_some();
        (!unfinished).then(|| (migration::steps(plan), Rehearsal::new(plan)))
    })?
    .ok_or_else(|| {
        not_in_state(
            "a migration of this database is not finished",
            "Run SELECT statement FROM advisor.migration_steps() ORDER BY step; it completes what was begun.",
        )
    })?;
    let mut tried: Vec<(Step, String)> = Vec::new();
    let mut troubles: Vec<(String, String)> = Vec::new();
    if !steps.is_empty() {
        let over = attempt(|| -> std::result::Result<(), ErrorReport> {
            run("SET LOCAL client_min_messages TO error")?;
            run("SET LOCAL check_function_bodies TO off")?;
            run("SET LOCAL citus.multi_shard_modify_mode TO 'sequential'")?;
            for statement in &rehearsal.statements {
                if let Err(error) = attempt_statement(|| run(statement)) {
                    troubles.push((statement.clone(), said(&error)));
                }
                check_for_interrupts!();
            }
            let schema = catalog::read(rehearsal.request.schemas.as_deref())?;
            let graph = Graph::new(&schema);
            let plan = citus_planner::plan(&graph, &rehearsal.request, &mut || {
                check_for_interrupts!();
            })
            .map_err(refuse)?;
            for step in migration::steps(&plan) {
                let outcome = if step.statement.starts_with("--") {
                    String::new()
                } else {
                    match attempt_statement(|| run(&step.statement)) {
                        Ok(()) => "ok".to_owned(),
                        Err(error) => said(&error),
                    }
                };
                tried.push((step, outcome));
                check_for_interrupts!();
            }
            // Nothing of it is to stay.
            Err(taken_back())
        });
        match over {
            Err(error) if error.message() == taken_back().message() => {}
            Err(error) => return Err(error),
            Ok(()) => {}
        }
    }
    let mut rows: Vec<(i32, Text, Text)> = Vec::new();
    if !steps.is_empty() {
        let left_out = rehearsal.left_out.iter().map(|what| (format!("-- {what}"), "not rehearsed".to_owned()));
        let troubles = troubles.into_iter().map(|(statement, error)| (statement, format!("not rehearsed: {error}")));
        rows.extend(left_out.chain(troubles).map(|(statement, outcome)| (0, Text(statement), Text(outcome))));
    }
    let outcomes = rehearsal.outcomes(&steps, tried);
    rows.extend((1..).zip(steps).zip(outcomes).map(|((n, step), outcome)| (n, Text(step.statement), Text(outcome))));
    Ok(TableIterator::new(rows))
}

/// As PostgreSQL would print it.
fn said(error: &ErrorReport) -> String {
    let detail = error.detail().map(|d| format!("; {d}")).unwrap_or_default();
    format!("ERROR: {}{detail}", error.message())
}

fn run(sql: &str) -> Result<()> {
    query::command(sql)
}

/// The end of a rehearsal: an error that nobody sees.
fn taken_back() -> ErrorReport {
    ErrorReport::new(PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION, "the rehearsal is over", "")
}
