//! What PostgreSQL calls: the triggers of referencing and of referenced tables.

use pgrx::PgSqlErrorCode;
use pgrx::pg_sys::Datum;
use pgrx::pg_sys::panic::ErrorReport;

use super::super::batch;
use super::super::triggers::{Occasion, listen, occasion};
use super::super::unique::Checked;
use super::action::row_gone;
use super::binding;
use super::check::{check_key, check_own_key, new_key};
use super::truncation::table_emptied;
use crate::pg::key::MOST_COLUMNS;
use crate::pg::row_trigger::{Call, Event};

/// `advisor.check_global_foreign_key(token, match, on delete, on update)`: called for each row of a referencing table that
/// was written.
pub fn referencing_row_written(call: Option<Call>) -> Checked {
    let Some(call) = call.filter(Call::writes) else {
        wrong_call("check_global_foreign_key", "INSERT or UPDATE");
    };
    listen();
    let from = binding::referencing(&call);
    let own_key = || check_own_key(&call, from.table, || from.unique().cloned());
    let mut room = [Datum::from(0); MOST_COLUMNS];
    let key = match new_key(&call, &from, &mut room) {
        Ok(Some(key)) => key,
        Ok(None) => return Ok(()),
        // Rows that came before may have an error of their own.
        Err(violation) => return batch::flush().and_then(|()| own_key()).and(Err(violation)),
    };
    let mut converted = Vec::new();
    if occasion(&call) == Occasion::AtOnce || !from.can_be_collected() || from.convert(key, &mut converted).is_none() {
        return own_key().and_then(|()| check_key(&from, key)).or_else(|violation| batch::flush().and(Err(violation)));
    }
    if batch::collect_reference(&from, &converted) { Ok(()) } else { batch::flush() }
}

/// `advisor.check_global_reference(token, match, on delete, on update)`: called for each row of a referenced table that was
/// deleted or changed.
pub fn referenced_row_changed(call: Option<Call>) -> Checked {
    let Some(call) = call.filter(|call| matches!(call.event(), Event::Update | Event::Delete)) else {
        wrong_call("check_global_reference", "UPDATE or DELETE");
    };
    row_gone(&call, &binding::referenced(&call))
}

/// `advisor.check_global_truncation(token)`: called for each referenced table that was emptied.
pub fn referenced_table_truncated(call: Option<Call>) -> Checked {
    let Some(call) = call.filter(|call| call.event() == Event::Truncate) else {
        wrong_call("check_global_truncation", "TRUNCATE");
    };
    table_emptied(&call)
}

fn wrong_call(function: &str, events: &str) -> ! {
    std::panic::panic_any(ErrorReport::new(
        PgSqlErrorCode::ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
        format!("function \"{function}\" must be fired AFTER {events}"),
        "",
    ))
}
