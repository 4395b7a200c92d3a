//! Is this key there twice? The look at the members and the verdict.
//!
//! The row is in its own index before its trigger is called; that, and the order "insert, lock (or mark), look", is
//! what makes one of two writers of a key see the other. See `docs/enforcement.md` for the proof.

use std::cmp::Ordering;
use std::rc::Rc;

use pgrx::pg_sys::{Datum, Oid};

use super::claims;
use super::key_lock::{self, KeyLock};
use super::members::{Binding, Constraint, Member, Serving};
use super::violation::duplicate_key;
use crate::pg::btree::Tuple;
use crate::pg::key::{KeyType, Shortcut};
use crate::pg::lock::{Mode, lock_relation, unlock_relation};
use crate::pg::raise::Violation;
use crate::pg::rows::{Alive, Fresh, Place, Unfinished, with_snapshot};
use crate::pg::scratch::scratch;

pub type Checked = Result<(), Box<Violation>>;

/// Checks one row's key at once.
pub fn check_row(binding: &Binding, key: &[Datum]) -> Checked {
    check_row_of(&binding.constraint, binding.constraint.members[binding.home].table, key)
}

/// Checks the key of a row of `table` at once.
pub fn check_row_of(constraint: &Rc<Constraint>, table: Oid, key: &[Datum]) -> Checked {
    with_snapshot(|| {
        key_lock::gate_shared(constraint.id);
        claims::hold(constraint);
        let mut constraint = Rc::clone(constraint);
        let mut lock = None;
        let met = loop {
            if constraint.is_stale() {
                constraint = constraint.reloaded();
                claims::hold(&constraint);
            }
            // Claim, then lock (or mark), then look.
            claim(&constraint, table, key);
            lock = lock.or_else(|| lock_or_mark(&constraint, key));
            if let Some(met) = is_met(&constraint, table, key) {
                break met;
            }
        };
        if met { judge(&constraint, table, key, lock) } else { Ok(()) }
    })
}

/// Sees to it that the row's own table has a claim on the key.
fn claim(constraint: &Constraint, table: Oid, key: &[Datum]) {
    if let (Some(prefix), Some(home)) = (claims::prefix(constraint, key), constraint.position(table)) {
        claims::cover_one(constraint, home, prefix);
    }
}

/// Takes the key's lock; or marks the transaction as one that goes without, and returns `None`.
pub fn lock_or_mark(constraint: &Constraint, key: &[Datum]) -> Option<KeyLock> {
    let lock = constraint.key.lock_bits(key).map(|bits| KeyLock::new(constraint.id, bits));
    let held = lock.filter(|&lock| key_lock::lock_key(constraint.id, lock));
    if held.is_none() {
        key_lock::mark_bulk(constraint.id);
    }
    held
}

/// Whether any member has an entry of the key but for the one row of `table` itself. `None`: the tree has changed.
fn is_met(constraint: &Constraint, table: Oid, key: &[Datum]) -> Option<bool> {
    let may_hold = claims::prefix(constraint, key).and_then(|prefix| claims::candidates(constraint, prefix));
    match may_hold {
        Some(may_hold) => any_is_met(constraint, may_hold.iter().map(|&place| &constraint.members[place]), table, key),
        None => any_is_met(constraint, constraint.members.iter(), table, key),
    }
}

fn any_is_met<'a>(
    constraint: &Constraint,
    members: impl Iterator<Item = &'a Member>,
    table: Oid,
    key: &[Datum],
) -> Option<bool> {
    for member in members {
        let least = if member.table == table {
            // The own table is locked already. Its own index speaks for it, if it is unique.
            match member.serving(&constraint.key) {
                Some(serving) if serving.alone => continue,
                _ => 2,
            }
        } else {
            1
        };
        let met = visit(constraint, member, |serving| match serving {
            Some(serving) => holds(&constraint.key, serving, key, least),
            None => true,
        })?;
        if met {
            return Some(true);
        }
    }
    Some(false)
}

/// Calls `look` with the member and its index locked, if it has one that serves. `None`: the tree has changed.
pub fn visit<R>(constraint: &Constraint, member: &Member, look: impl FnOnce(Option<&Serving>) -> R) -> Option<R> {
    // Not kept to the end of the transaction: maintenance of other partitions must not wait for writers of this one.
    lock_relation(member.table, Mode::AccessShare);
    let seen = if constraint.is_stale() { None } else { Some(with_index(constraint, member, look)) };
    unlock_relation(member.table, Mode::AccessShare);
    seen
}

/// Calls `look` with the index of a locked member locked too. The table's lock keeps the index from being dropped, or
/// replaced by REINDEX CONCURRENTLY; that of the index from being rewritten by REINDEX, or moved to another tablespace.
pub fn with_index<R>(constraint: &Constraint, member: &Member, look: impl FnOnce(Option<&Serving>) -> R) -> R {
    loop {
        let Some(serving) = member.serving(&constraint.key) else { return look(None) };
        lock_relation(serving.index, Mode::AccessShare);
        if member.is_fresh() {
            let seen = look(Some(&serving));
            unlock_relation(serving.index, Mode::AccessShare);
            return seen;
        }
        unlock_relation(serving.index, Mode::AccessShare);
    }
}

pub fn holds(key_type: &KeyType, serving: &Serving, key: &[Datum], least: usize) -> bool {
    match integer(key_type, key) {
        Some((integer, width)) => serving.file.holds(|tuple: &Tuple| tuple.compare_integer(integer, width), least),
        None => serving.file.holds(|tuple: &Tuple| -> Ordering { tuple.compare(key_type, key) }, least),
    }
}

/// Whether the member seems to have an entry of the key. Only a guess, for which nothing is locked: to look there first.
pub fn seems_to_hold(key_type: &KeyType, member: &Member, key: &[Datum]) -> Option<bool> {
    let serving = member.known_serving()?;
    match integer(key_type, key) {
        Some((integer, width)) => serving.file.seems_to_hold(|tuple: &Tuple| tuple.compare_integer(integer, width)),
        None => serving.file.seems_to_hold(|tuple: &Tuple| -> Ordering { tuple.compare(key_type, key) }),
    }
}

/// A key that is one integer, and its width.
fn integer(key_type: &KeyType, key: &[Datum]) -> Option<(i64, Shortcut)> {
    let shortcut = key_type.shortcut();
    match (shortcut, key) {
        (Shortcut::Int16 | Shortcut::Int32 | Shortcut::Int64, [value]) => {
            Some((key_type.columns[0].integer(*value).unwrap_or_default(), shortcut))
        }
        _ => None,
    }
}

/// The whole answer for a key that has been met: waits for those who have not finished with it, then counts its rows
/// that are alive in one snapshot of this instant. `lock` is given up while waiting.
pub fn judge(constraint: &Constraint, table: Oid, key: &[Datum], mut lock: Option<KeyLock>) -> Checked {
    scratch(|| {
        loop {
            let (unfinished, seen) = look_dirty(constraint, key, lock.is_some());
            if let Some(unfinished) = unfinished {
                // Whoever we wait for may need the key's lock to finish.
                if let Some(lock) = lock {
                    lock.release();
                }
                unfinished.wait();
                lock = lock_or_mark(constraint, key);
                continue;
            }
            let alive = verdict(constraint, key, seen);
            // Two rows of others are old duplicates of a constraint that is NOT VALID, and no matter of ours.
            if alive.rows < 2 || alive.own == 0 {
                return Ok(());
            }
            let columns = constraint.position(table).map(|home| constraint.members[home].columns()).unwrap_or_default();
            return Err(duplicate_key(constraint, table, columns, key));
        }
    })
}

/// Looks for rows of the key that somebody has not finished with, and whom to wait for.
fn look_dirty(constraint: &Constraint, key: &[Datum], keyed: bool) -> (Option<Unfinished>, Alive) {
    let mut alive = Alive::default();
    for member in &constraint.members {
        let (wait, seen) = in_place(constraint, member, key, |place| {
            place.look_dirty(&constraint.key, key, |state| match state {
                // Who is not marked still has to lock the key, behind us, before it looks.
                Unfinished::Inserted { by, .. } => !keyed || key_lock::is_bulk(constraint.id, by),
                Unfinished::Deleted { .. } => true,
            })
        });
        alive.add(seen);
        if wait.is_some() {
            return (wait, alive);
        }
    }
    (None, alive)
}

/// How many rows of the key are alive. A dirty look cannot answer: it misses a row that is updated while the look goes
/// on (the old version is dead when it is fetched, the new one was indexed behind the scan).
#[cfg(not(skip_fresh_snapshot))]
fn verdict(constraint: &Constraint, key: &[Datum], _seen: Alive) -> Alive {
    let snapshot = Fresh::take();
    let alive = count(constraint, key, &snapshot, |_| true, |alive| alive.rows >= 2 && alive.own > 0);
    snapshot.done();
    alive
}

/// Counts the key's rows that a snapshot shows, in one of these members after the other, until that is `enough`.
pub fn count(
    constraint: &Constraint,
    key: &[Datum],
    snapshot: &Fresh,
    counts: impl Fn(&Member) -> bool,
    enough: impl Fn(&Alive) -> bool,
) -> Alive {
    let mut alive = Alive::default();
    for member in constraint.members.iter().filter(|member| counts(member)) {
        alive.add(in_place(constraint, member, key, |place| place.count(&constraint.key, key, snapshot)));
        if enough(&alive) {
            break;
        }
    }
    alive
}

/// What the check would be without the pass above, to show that it is needed: `bench/README.md`, missed-tuple.
#[cfg(skip_fresh_snapshot)]
fn verdict(_constraint: &Constraint, _key: &[Datum], seen: Alive) -> Alive {
    let _ = Fresh::take as fn() -> Fresh;
    seen
}

/// Looks at the rows of a member that has an entry of the key (or no index to ask).
fn in_place<R: Default>(constraint: &Constraint, member: &Member, key: &[Datum], look: impl FnOnce(Place) -> R) -> R {
    lock_relation(member.table, Mode::AccessShare);
    let result = with_index(constraint, member, |serving| {
        let worth_a_look = serving.is_none_or(|serving| holds(&constraint.key, serving, key, 1));
        if worth_a_look { look(member.place(serving)) } else { R::default() }
    });
    unlock_relation(member.table, Mode::AccessShare);
    result
}
