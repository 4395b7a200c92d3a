//! What PostgreSQL calls: the row trigger, the trigger that ends a statement, and the end of a transaction.

use std::cell::Cell;

use pgrx::PgSqlErrorCode;
use pgrx::pg_sys::Datum;
use pgrx::pg_sys::panic::ErrorReport;

use super::members;
use super::unique::{Checked, check_row};
use super::{batch, claims, key_lock, lifecycle};
use crate::pg::column::relation_beside;
use crate::pg::key::{KeyType, MOST_COLUMNS};
use crate::pg::row_trigger::{Call, is_portal_running, queue_statement_trigger};
use crate::pg::transaction::{self, Listener, SubTransaction};

/// What is to be done when transactions and their parts end.
static END_OF_TRANSACTION: Listener = Listener {
    before_commit: batch::flush,
    ended: || {
        next_generation();
        batch::forget_all();
        claims::forget_own();
    },
    before_subtransaction_commit: |subtransaction: SubTransaction| {
        if batch::is_due(subtransaction) { batch::flush() } else { Ok(()) }
    },
    subtransaction_aborted: |subtransaction: SubTransaction| {
        next_generation();
        batch::forget_subtransaction(subtransaction);
        key_lock::forget_subtransaction(subtransaction);
        claims::forget_subtransaction(subtransaction);
        lifecycle::forget_taken_in();
    },
};

/// Has the ends of transactions listened to.
pub fn listen() {
    transaction::listen(&END_OF_TRANSACTION);
}

/// `advisor.finish_checks()`: the statement trigger behind everything else that a statement has queued.
pub fn statement_ends(_call: Option<Call>) -> Checked {
    next_generation();
    batch::flush()
}

/// `advisor.check_global_unique(token)`: called for each row that was written.
pub fn row_written(call: Option<Call>) -> Checked {
    let Some(call) = call.filter(Call::writes) else { wrong_call() };
    listen();
    let binding = members::binding(&call);
    let mut room = [Datum::from(0); MOST_COLUMNS];
    let Some(key) = new_key(&call, &binding.constraint.key, &binding.columns, &mut room) else { return Ok(()) };
    match occasion(&call) {
        Occasion::AtOnce => check_row(&binding, key),
        Occasion::Later => {
            if batch::collect(&binding, key) {
                Ok(())
            } else {
                batch::flush()
            }
        }
    }
}

/// The key that a row has in columns of these `numbers`, if it has one and it is new.
pub fn new_key<'a>(
    call: &Call,
    key: &KeyType,
    numbers: &[i16],
    room: &'a mut [Datum; MOST_COLUMNS],
) -> Option<&'a [Datum]> {
    let columns = &key.columns;
    let (new, old) = (call.new_row(), call.old_row());
    let mut is_same = old.is_some();
    for ((value, column), &number) in room.iter_mut().zip(columns).zip(numbers) {
        // NULL equals nothing.
        *value = new.column(number)?;
        is_same =
            is_same && old.and_then(|old| old.column(number)).is_some_and(|before| column.same_image(before, *value));
    }
    if is_same {
        return None;
    }
    for (value, column) in room.iter_mut().zip(columns) {
        *value = column.plain(*value);
    }
    Some(&room[..columns.len()])
}

/// When a row's key is checked.
#[derive(PartialEq, Eq)]
pub enum Occasion {
    AtOnce,
    /// Together with others, and something is sure to end them.
    Later,
}

thread_local! {
    /// Counts what ends the life of a queued event: that it fires, or that its (sub)transaction is over.
    static GENERATION: Cell<u64> = const { Cell::new(0) };
    /// The query that has the end of its statement queued, and the generation of that.
    static QUEUED: Cell<(usize, u64)> = const { Cell::new((0, 0)) };
    /// The transaction, command and query whose first row was the last to be seen.
    static FIRST: Cell<(u64, u32, usize)> = const { Cell::new((0, 0, 0)) };
}

fn next_generation() {
    GENERATION.set(GENERATION.get() + 1);
}

/// Left with a query's trigger: its first row was checked; nothing can be queued behind its rows.
const FIRST_WAS_CHECKED: usize = 1;
const NOTHING_CAN_BE_QUEUED: usize = 2;

/// A statement's first row is checked at once: most statements have one row, and pay for nothing else. The rows after it
/// are collected, and the end of the statement is queued behind them.
pub fn occasion(call: &Call) -> Occasion {
    if call.is_deferrable() && !call.is_at_end_of_query() {
        // Deferred rows: at the end of the transaction, whose last call of ours flushes; or in SET CONSTRAINTS … IMMEDIATE,
        // which has no end to queue behind, while what it is called from ends too late.
        return if is_portal_running() { Occasion::AtOnce } else { Occasion::Later };
    }
    let query = call.query();
    let queued = (query, GENERATION.get());
    if QUEUED.get() == queued {
        return Occasion::Later;
    }
    if call.remembered() == NOTHING_CAN_BE_QUEUED {
        return Occasion::AtOnce;
    }
    // The next statement of a transaction may well find its memory where this one has it: the command tells them apart.
    let first = (transaction::local_id(), transaction::command(), query);
    if call.remembered() == 0 && FIRST.get() != first {
        FIRST.set(first);
        call.remember(FIRST_WAS_CHECKED);
        return Occasion::AtOnce;
    }
    let table = relation_beside(call.trigger_function(), c"statement_end");
    if table.is_some_and(queue_statement_trigger) {
        QUEUED.set(queued);
        Occasion::Later
    } else {
        call.remember(NOTHING_CAN_BE_QUEUED);
        Occasion::AtOnce
    }
}

fn wrong_call() -> ! {
    std::panic::panic_any(ErrorReport::new(
        PgSqlErrorCode::ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
        "function \"check_global_unique\" must be fired AFTER ROW for INSERT or UPDATE",
        "",
    ))
}
