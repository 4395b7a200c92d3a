//! A referenced row that goes, or changes its key: what becomes of the rows that reference it.
//!
//! Statements run as the owner of the referencing table, as `ri_triggers.c` has them.

use std::cell::RefCell;
use std::collections::HashSet;
use std::ffi::CString;
use std::rc::Rc;

use pgrx::pg_sys::{Datum, Oid};

use super::super::key_lock::ConstraintId;
use super::super::unique::Checked;
use super::super::violation::duplicate_key;
use super::binding::{Referenced, unique_of};
use super::check::check_own_key;
use super::presence::lock_key;
use super::terms::Action;
use super::violation::{move_with_new_key, still_referenced};
use crate::pg::column;
use crate::pg::conversion::{comparison, pairing};
use crate::pg::identity::acting_as_table_owner;
use crate::pg::key::MOST_COLUMNS;
use crate::pg::lock::{Mode, lock_relation, unlock_relation};
use crate::pg::prepared::Statement;
use crate::pg::row_trigger::{Call, Event};
use crate::pg::rows::with_snapshot;
use crate::pg::scratch::scratch;
use crate::pg::transaction;

/// Does what the constraint says for the row of the call.
pub fn row_gone(call: &Call, to: &Referenced) -> Checked {
    let mut room = [Datum::from(0); MOST_COLUMNS];
    let Some(old) = old_key(call, to, &mut room) else { return Ok(()) };
    with_snapshot(|| {
        scratch(|| {
            if call.event() == Event::Update {
                let new: Vec<Option<Datum>> = to.columns.iter().map(|&number| call.new_row().column(number)).collect();
                if to.terms.on_update == Action::Cascade {
                    refuse_taken_key(call, to, old, &new)?;
                }
                check_own_key(call, to.table, || unique_of(to.tree.id.root, to.tree.root_columns()))?;
                return act(to, &to.terms.on_update, Work::Update(&new), old);
            }
            if !call.is_move() {
                return act(to, &to.terms.on_delete, Work::Delete, old);
            }
            // The row was moved to another partition. Nothing has happened to its key if that is still there; else it was an
            // UPDATE of the key, too.
            if lock_key(&to.tree, old) {
                return Ok(());
            }
            // Or it was deleted, or given another key, since: what is deferred cannot tell. Only NO ACTION is deferred.
            if call.is_deferrable() && !call.is_at_end_of_query() {
                return act(to, &to.terms.on_delete, Work::Delete, old);
            }
            act(to, &to.terms.on_update, Work::Move, old)
        })
    })
}

thread_local! {
    /// The transaction, the command and the constraint whose cascades were the last, and the keys they have led to.
    static TAKEN: RefCell<(u64, u32, Option<ConstraintId>, HashSet<u64>)> = RefCell::default();
}

/// An UPDATE that gives a row the key of another which has not left it yet fails at once natively: the unique index sees to
/// that, row by row. Ours looks when the statement is over, when cascades could no longer tell whose rows are whose.
fn refuse_taken_key(call: &Call, to: &Referenced, old: &[Datum], new: &[Option<Datum>]) -> Checked {
    let key = &to.tree.key;
    let Some(before) = key.lock_bits(old) else { return Ok(()) };
    let plain = new.iter().zip(&key.columns).map(|(value, column)| value.map(|value| column.plain(value)));
    let after = plain.collect::<Option<Vec<Datum>>>().and_then(|new| key.lock_bits(&new));
    let is_taken = TAKEN.with_borrow_mut(|(transaction, command, constraint, taken)| {
        let now = (transaction::local_id(), call.written_by_command(), Some(to.tree.id));
        if (*transaction, *command, *constraint) != now {
            (*transaction, *command, *constraint) = now;
            taken.clear();
        }
        let is_taken = taken.contains(&before);
        taken.extend(after);
        is_taken
    });
    if !is_taken {
        return Ok(());
    }
    let unique = unique_of(to.tree.id.root, to.tree.root_columns());
    Err(duplicate_key(unique.as_ref().unwrap_or(&to.tree), to.table, &to.columns, old))
}

/// What was done to the referenced row.
#[derive(Clone, Copy)]
enum Work<'a> {
    Delete,
    /// Its new key, parts of which may be NULL.
    Update(&'a [Option<Datum>]),
    /// An UPDATE moved it to another partition with another key, and PostgreSQL does not say with which.
    Move,
}

/// The key that the row had, if it could be referenced and is no longer what it was.
fn old_key<'a>(call: &Call, to: &Referenced, room: &'a mut [Datum; MOST_COLUMNS]) -> Option<&'a [Datum]> {
    let old = call.old_row()?;
    let new = (call.event() == Event::Update).then(|| call.new_row());
    let mut is_same = new.is_some();
    for ((value, column), &number) in room.iter_mut().zip(&to.tree.key.columns).zip(&to.columns) {
        *value = old.column(number)?;
        is_same =
            is_same && new.and_then(|new| new.column(number)).is_some_and(|after| column.same_image(*value, after));
    }
    if is_same {
        return None;
    }
    for (value, column) in room.iter_mut().zip(&to.tree.key.columns) {
        *value = column.plain(*value);
    }
    Some(&room[..to.columns.len()])
}

fn act(to: &Referenced, action: &Action, work: Work, old: &[Datum]) -> Checked {
    match action {
        // Somebody may have brought the key again.
        Action::NoAction => refuse_unless_there(to, old),
        Action::Restrict if is_referenced(to, old) => Err(still_referenced(to, old, true)),
        Action::Restrict => Ok(()),
        Action::Cascade => {
            let old_values = old.iter().copied().map(Some);
            match work {
                Work::Delete => {
                    let statement = statement(to, "delete", Mode::RowExclusive, 0, |table, condition| {
                        [b"DELETE FROM ", table, b" x WHERE ", condition].concat()
                    });
                    run(to, &statement, &old_values.collect::<Vec<_>>(), 0);
                }
                Work::Update(new) => {
                    let statement = statement(to, "update", Mode::RowExclusive, new.len(), |table, condition| {
                        let assignments = assignments(to, &[], |at| format!("${}", at + 1));
                        [b"UPDATE ", table, b" x SET ", &assignments, b" WHERE ", condition].concat()
                    });
                    run(to, &statement, &new.iter().copied().chain(old_values).collect::<Vec<_>>(), 0);
                }
                Work::Move if is_referenced(to, old) => move_with_new_key(to),
                Work::Move => {}
            }
            Ok(())
        }
        Action::SetNull(columns) => {
            set(to, action, columns, "NULL", old);
            Ok(())
        }
        Action::SetDefault(columns) => {
            set(to, action, columns, "DEFAULT", old);
            // The default may be the very key that has gone: such a row was not changed, and nothing else looks at it.
            refuse_unless_there(to, old)
        }
    }
}

fn refuse_unless_there(to: &Referenced, old: &[Datum]) -> Checked {
    // As natively: whoever has the referencing table to himself is waited for, even if the key is there again. Only who
    // looks for referencing rows keeps that lock.
    lock_relation(to.referencing, Mode::RowShare);
    let is_there = lock_key(&to.tree, old);
    unlock_relation(to.referencing, Mode::RowShare);
    if is_there || !is_referenced(to, old) { Ok(()) } else { Err(still_referenced(to, old, false)) }
}

/// Whether any row references the key. It is locked, so that it goes on doing so.
fn is_referenced(to: &Referenced, old: &[Datum]) -> bool {
    let statement = statement(to, "check", Mode::RowShare, 0, |table, condition| {
        [b"SELECT 1 FROM ", table, b" x WHERE ", condition, b" FOR KEY SHARE OF x"].concat()
    });
    run(to, &statement, &old.iter().copied().map(Some).collect::<Vec<_>>(), 1) > 0
}

fn set(to: &Referenced, action: &Action, columns: &[usize], value: &str, old: &[Datum]) {
    let statement = statement(to, &action.to_string(), Mode::RowExclusive, 0, |table, condition| {
        let assignments = assignments(to, columns, |_| value.to_owned());
        [b"UPDATE ", table, b" x SET ", &assignments, b" WHERE ", condition].concat()
    });
    run(to, &statement, &old.iter().copied().map(Some).collect::<Vec<_>>(), 0);
}

/// `a = …, b = …` for these columns of the key, all if none are given.
fn assignments(to: &Referenced, columns: &[usize], value: impl Fn(usize) -> String) -> Vec<u8> {
    let all: Vec<usize> = (0..to.referencing_columns.len()).collect();
    let columns = if columns.is_empty() { &all } else { columns };
    let parts: Vec<Vec<u8>> = columns
        .iter()
        .filter_map(|&at| {
            let name = column::quoted(&column::name(to.referencing, *to.referencing_columns.get(at)?)?);
            Some([name.as_bytes(), b" = ", value(at).as_bytes()].concat())
        })
        .collect();
    parts.join(&b", "[..])
}

/// A statement of the constraint, prepared once. `write` gets the table and the condition that a row has the old key,
/// whose parameters come behind `before` others of the same types.
fn statement(
    to: &Referenced,
    what: &str,
    mode: Mode,
    before: usize,
    write: impl Fn(&[u8], &[u8]) -> Vec<u8>,
) -> Rc<Statement> {
    // The table keeps its name while it is written down, and to the end of the transaction.
    lock_relation(to.referencing, mode);
    let known = to.statements.borrow().get(what).cloned();
    if let Some(statement) = known.filter(|statement| statement.is_valid()) {
        return statement;
    }
    let table = column::qualified_name(to.referencing);
    let mut condition = Vec::new();
    let mut types: Vec<Oid> = Vec::new();
    for (at, (referenced, &number)) in to.tree.key.columns.iter().zip(&to.referencing_columns).enumerate() {
        let (type_id, collation) = column::type_and_collation(to.referencing, number);
        let name = column::quoted(&column::name(to.referencing, number).unwrap_or_default());
        let right = CString::new([b"x.", name.as_bytes()].concat()).unwrap_or_default();
        let left = CString::new(format!("${}", before + at + 1)).unwrap_or_default();
        let pairing = pairing(referenced.type_id, type_id).expect("types that were paired when the key was made");
        if at > 0 {
            condition.extend(b" AND ");
        }
        condition.extend(comparison(&left, referenced.type_id, pairing.equality, &right, type_id).as_bytes());
        if referenced.collation != collation && !column::is_deterministic(referenced.collation) {
            condition.extend(b" COLLATE ");
            condition.extend(column::qualified_collation(referenced.collation).as_bytes());
        }
        types.push(referenced.type_id);
    }
    let all: Vec<Oid> = types.iter().cycle().take(before + types.len()).copied().collect();
    let sql = write(table.as_bytes(), &condition);
    let statement = as_owner(to, || Statement::prepare(&sql, &all));
    to.statements.borrow_mut().insert(what.to_owned(), Rc::clone(&statement));
    statement
}

fn run(to: &Referenced, statement: &Statement, values: &[Option<Datum>], limit: usize) -> u64 {
    as_owner(to, || statement.run(values, limit))
}

fn as_owner<R>(to: &Referenced, work: impl FnOnce() -> R) -> R {
    acting_as_table_owner(column::owner(to.referencing), work)
}
