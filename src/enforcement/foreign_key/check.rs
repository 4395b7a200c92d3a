//! A referencing row: does the row that it references exist?

use std::rc::Rc;

use pgrx::pg_sys::{Datum, Oid};

use super::super::members::Constraint;
use super::super::triggers;
use super::super::unique::{Checked, check_row_of};
use super::binding::Referencing;
use super::presence::lock_key;
use super::terms::Match;
use super::violation::{not_present, partly_null};
use crate::pg::key::{KeyType, MOST_COLUMNS};
use crate::pg::row_trigger::{Call, Event};
use crate::pg::rows::with_snapshot;
use crate::pg::scratch::scratch;

/// The key of a row that was written, if it needs a referenced row and has not had one before.
pub fn new_key<'a>(
    call: &Call,
    from: &Referencing,
    room: &'a mut [Datum; MOST_COLUMNS],
) -> Result<Option<&'a [Datum]>, Box<crate::pg::raise::Violation>> {
    // Replaced or deleted by this very transaction: what came of it has an event of its own.
    if !call.is_alive() {
        return Ok(None);
    }
    let new = call.new_row();
    let mut nulls = 0;
    for (value, &number) in room.iter_mut().zip(&from.columns) {
        match new.column(number) {
            Some(there) => *value = there,
            None => nulls += 1,
        }
    }
    let width = from.columns.len();
    if nulls > 0 {
        let passes = nulls == width || from.terms.matching == Match::Simple;
        return if passes { Ok(None) } else { Err(partly_null(from)) };
    }
    if call.event() == Event::Update
        && (is_unchanged(call, from, &room[..width]) || is_left_to_action(call, from, &room[..width]))
    {
        return Ok(None);
    }
    for (value, column) in room.iter_mut().zip(&from.key.columns) {
        *value = column.plain(*value);
    }
    Ok(Some(&room[..width]))
}

/// Whether the key was checked with the version of the row before, or one that references the same row was. A version that this
/// transaction has written itself may have been replaced before its event came up.
fn is_unchanged(call: &Call, from: &Referencing, key: &[Datum]) -> bool {
    let Some(old) = call.old_row().filter(|old| !old.is_own()) else { return false };
    let before: Option<Vec<Datum>> = from.columns.iter().map(|&number| old.column(number)).collect();
    let Some(before) = before else { return false };
    let columns = || from.key.columns.iter().zip(before.iter().zip(key));
    columns().all(|(column, (&before, &new))| column.same_image(before, new))
        || scratch(|| {
            let plain = |side: fn((Datum, Datum)) -> Datum| -> Vec<Datum> {
                columns().map(|(column, (&before, &new))| column.plain(side((before, new)))).collect()
            };
            from.references_the_same(&plain(|(before, _)| before), &plain(|(_, new)| new))
        })
}

/// Whether the row references the key that it has had itself until now. What becomes of it is up to the action, which is
/// called behind this for the same row, and natively before it: it changes the row again, or refuses, or finds the key.
fn is_left_to_action(call: &Call, from: &Referencing, key: &[Datum]) -> bool {
    let to = &from.referenced;
    let (Some(home), Some(old)) = (to.position(from.table), call.old_row()) else { return false };
    let numbers = to.members[home].columns();
    let before: Option<Vec<Datum>> = numbers.iter().map(|&number| old.column(number)).collect();
    let Some(before) = before else { return false };
    let new = call.new_row();
    let is_same =
        to.key.columns.iter().zip(&before).zip(numbers).all(|((column, &before), &number)| {
            new.column(number).is_some_and(|after| column.same_image(before, after))
        });
    !is_same
        && scratch(|| {
            let plain = |key_type: &KeyType, key: &[Datum]| -> Vec<Datum> {
                key_type.columns.iter().zip(key).map(|(column, &value)| column.plain(value)).collect()
            };
            let mut converted = Vec::with_capacity(key.len());
            from.convert(&plain(&from.key, key), &mut converted).is_some()
                && to.key.compare(&converted, &plain(&to.key, &before)).is_eq()
        })
}

/// A row's own key in `table` comes before what its foreign keys say: natively the unique index has seen to it by then. Else
/// who brings the same key, and who waits for him, may each have locked what the other needs. `unique` is asked for the
/// global unique that has that key.
pub fn check_own_key(call: &Call, table: Oid, unique: impl FnOnce() -> Option<Rc<Constraint>>) -> Checked {
    // What is deferred has had its own key checked at the end of its statement.
    if call.is_deferrable() && !call.is_at_end_of_query() {
        return Ok(());
    }
    let Some(unique) = unique() else { return Ok(()) };
    let Some(home) = unique.position(table) else { return Ok(()) };
    let mut room = [Datum::from(0); MOST_COLUMNS];
    match triggers::new_key(call, &unique.key, unique.members[home].columns(), &mut room) {
        Some(key) => check_row_of(&unique, table, key),
        None => Ok(()),
    }
}

/// Checks one row's key at once.
pub fn check_key(from: &Referencing, key: &[Datum]) -> Checked {
    with_snapshot(|| {
        scratch(|| {
            from.enter();
            let mut converted = Vec::with_capacity(key.len());
            let is_there = from.convert(key, &mut converted).is_some() && lock_key(&from.referenced, &converted);
            if is_there { Ok(()) } else { Err(not_present(from, key)) }
        })
    })
}
