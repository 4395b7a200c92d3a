//! TRUNCATE of a referenced table: nobody can tell which rows have gone, so no row may reference any.

use std::cell::Cell;

use pgrx::pg_sys::Oid;

use super::super::unique::Checked;
use super::binding;
use super::violation::truncated;
use crate::error::notice;
use crate::pg::column;
use crate::pg::encoding::from_server;
use crate::pg::lock::{Mode, has_locked};
use crate::pg::query;
use crate::pg::row_trigger::Call;
use crate::pg::statement::{TruncateSaid, truncate_said};
use crate::pg::tables::is_empty;

thread_local! {
    /// What the TRUNCATE says that our own ones continue.
    static CONTINUED: Cell<Option<TruncateSaid>> = const { Cell::new(None) };
}

/// As natively, the referencing tables have to be truncated by the same statement, which CASCADE does. Which tables a statement
/// truncates no trigger is told: those that are locked as TRUNCATE does it, and are empty.
pub fn table_emptied(call: &Call) -> Checked {
    let missing = || {
        let mut tables = binding::referencing_tables(call).into_iter();
        tables.find(|&(_, table)| !(has_locked(table, Mode::AccessExclusive) && is_empty(table)))
    };
    let Some((root, _)) = missing() else { return Ok(()) };
    let said = CONTINUED.get().or_else(truncate_said);
    if let Some(said) = said.filter(|said| said.cascade) {
        continue_to(root, said);
        if missing().is_none() {
            return Ok(());
        }
    }
    Err(truncated(call.relation(), root, said.is_some()))
}

/// Truncates the referencing tables as the user who truncates.
fn continue_to(table: Oid, said: TruncateSaid) {
    struct Before(Option<TruncateSaid>);
    impl Drop for Before {
        fn drop(&mut self) {
            CONTINUED.set(self.0);
        }
    }
    let _before = Before(CONTINUED.replace(Some(said)));
    let name = from_server(column::relation_name(table).unwrap_or_default().to_bytes());
    notice(format!("truncate cascades to table \"{name}\""));
    let identity = if said.restart_identity { " RESTART IDENTITY" } else { "" };
    let relation = from_server(column::qualified_name(table).to_bytes());
    if let Err(error) = query::command(&format!("TRUNCATE {relation}{identity} CASCADE")) {
        std::panic::panic_any(error);
    }
}
