//! TRUNCATE of a referenced table: nobody can tell which rows have gone, so no row may reference any.

use std::cell::RefCell;

use pgrx::pg_sys::Oid;

use super::super::unique::Checked;
use super::binding;
use super::violation::truncated;
use crate::error::notice;
use crate::pg::encoding::from_server;
use crate::pg::lock::{Mode, has_locked};
use crate::pg::row_trigger::Call;
use crate::pg::statement::{TruncateSaid, truncate_said};
use crate::pg::tables::is_empty;
use crate::pg::{column, inheritance, query};

thread_local! {
    /// What the TRUNCATE says that our own ones continue.
    static CONTINUED: RefCell<Option<TruncateSaid>> = const { RefCell::new(None) };
}

/// As natively, the referencing tables have to be truncated by the same statement, which CASCADE does.
pub fn table_emptied(call: &Call) -> Checked {
    let Some((root, is_mutual)) = binding::referencing_root(call) else { return Ok(()) };
    let continued = CONTINUED.with_borrow(Clone::clone);
    let is_own = continued.is_some();
    let said = continued.or_else(truncate_said);
    let all_empty = || with_all_below(root).into_iter().all(is_emptied);
    match &said {
        // The client's own words tell which tables go.
        Some(said) if !said.cascade && !is_own => {
            let mut going: Vec<Oid> = Vec::new();
            for &(table, below) in &said.named {
                going.extend(if below { with_all_below(table) } else { vec![table] });
            }
            if with_all_below(root).iter().all(|table| going.contains(table)) {
                return Ok(());
            }
        }
        Some(said) => {
            // A trigger that somebody made by hand truncates nobody else's table.
            if is_mutual && !all_empty() {
                continue_to(root, said);
            }
            if all_empty() {
                return Ok(());
            }
        }
        None if all_empty() => return Ok(()),
        None => {}
    }
    Err(truncated(call.relation(), root, said.is_some()))
}

/// Whether this transaction has emptied a table, as far as can be told: it is locked as TRUNCATE does it, and empty.
fn is_emptied(table: Oid) -> bool {
    has_locked(table, Mode::AccessExclusive) && is_empty(table)
}

fn with_all_below(root: Oid) -> Vec<Oid> {
    let mut tables = Vec::new();
    let mut next = vec![root];
    while let Some(table) = next.pop() {
        if !tables.contains(&table) {
            tables.push(table);
            next.extend(inheritance::children(table).iter().map(|child| child.table));
        }
    }
    tables
}

/// Truncates the referencing tables as the user who truncates.
fn continue_to(table: Oid, said: &TruncateSaid) {
    struct Before(Option<TruncateSaid>);
    impl Drop for Before {
        fn drop(&mut self) {
            CONTINUED.set(self.0.take());
        }
    }
    let _before = Before(CONTINUED.replace(Some(said.clone())));
    let name = from_server(column::relation_name(table).unwrap_or_default().to_bytes());
    notice(format!("truncate cascades to table \"{name}\""));
    let identity = if said.restart_identity { " RESTART IDENTITY" } else { "" };
    let relation = from_server(column::qualified_name(table).to_bytes());
    if let Err(error) = query::command(&format!("TRUNCATE {relation}{identity} CASCADE")) {
        std::panic::panic_any(error);
    }
}
