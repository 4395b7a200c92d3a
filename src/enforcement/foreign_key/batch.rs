//! Keys of many referencing rows: each is looked up and locked once, in the order of the keys, one referenced table after
//! the other.

use std::rc::Rc;

use pgrx::check_for_interrupts;
use pgrx::pg_sys::Datum;

use super::super::batch::{Batch, Entry, distinct, meet_index};
use super::super::members::Member;
use super::super::unique::{Checked, visit, with_index};
use super::presence::MOST_LOOKS;
use super::violation::not_present;
use crate::pg::key::MOST_COLUMNS;
use crate::pg::lock::{Mode, lock_relation, unlock_relation, waits};
use crate::pg::prepared::{concurrent_update, uses_transaction_snapshot};
use crate::pg::rows::{Fresh, RowLock, with_snapshot};
use crate::pg::scratch::scratch;

/// Checks all keys of a batch. The error is for the row that came first.
pub fn check_batch(mut batch: Batch) -> Checked {
    with_snapshot(|| {
        scratch(|| {
            batch.referencing[0].enter();
            let mut missing = distinct(&mut batch);
            // As in `lock_key`.
            lock_relation(batch.constraint.id.root, Mode::RowShare);
            let mut looks = 0;
            loop {
                looks += 1;
                if batch.constraint.is_stale() {
                    let now = batch.constraint.reloaded();
                    batch.constraint = now;
                }
                let before = waits();
                let snapshot = Fresh::take();
                let is_settled = look(&batch, &mut missing, &snapshot);
                snapshot.done();
                // Whoever had a table locked may have brought a row after the snapshot was taken.
                if is_settled && (missing.is_empty() || waits() == before || looks >= MOST_LOOKS) {
                    break;
                }
            }
            let Some(first) = missing.iter().min_by_key(|entry| entry.place) else { return Ok(()) };
            let mut room = [Datum::from(0); MOST_COLUMNS];
            Err(not_present(&batch.referencing[first.home as usize], batch.key(first, &mut room)))
        })
    })
}

/// Looks for the missing keys under one snapshot, and locks those that are there. `false`: something has changed, and what
/// is missing is to be looked for again.
fn look(batch: &Batch, missing: &mut Vec<Entry>, snapshot: &Fresh) -> bool {
    let tree = Rc::clone(&batch.constraint);
    let mut is_settled = true;
    for member in tree.members.iter().filter(|member| !member.is_detaching) {
        check_for_interrupts!();
        if missing.is_empty() {
            break;
        }
        let met = visit(&tree, member, |serving| match serving {
            Some(serving) => meet_index(batch, missing, serving),
            None => (0..missing.len()).collect(),
        });
        let Some(met) = met else { return false };
        if met.is_empty() {
            continue;
        }
        let Some(locks) = lock_in(batch, member, missing, &met, snapshot) else { return false };
        let mut is_locked = vec![false; missing.len()];
        for (&position, lock) in met.iter().zip(locks) {
            is_locked[position] = lock == RowLock::Locked;
            is_settled = is_settled && lock != RowLock::Changed;
        }
        let mut is_locked = is_locked.into_iter();
        missing.retain(|_| !is_locked.next().unwrap_or(false));
    }
    if !is_settled && uses_transaction_snapshot() {
        concurrent_update();
    }
    is_settled
}

/// Locks the rows of the keys at these positions. `None`: the tree has changed.
fn lock_in(
    batch: &Batch,
    member: &Member,
    keys: &[Entry],
    positions: &[usize],
    snapshot: &Fresh,
) -> Option<Vec<RowLock>> {
    let tree = &batch.constraint;
    lock_relation(member.table, Mode::RowShare);
    let locks = (!tree.is_stale()).then(|| {
        with_index(tree, member, |serving| {
            let mut locks = vec![RowLock::NoRow; positions.len()];
            let key = |at: usize, room: &mut [Datum; MOST_COLUMNS]| {
                batch.key(&keys[positions[at]], room);
            };
            member.place(serving).lock_rows(&tree.key, &mut locks, key, snapshot, member.has_unique_key());
            locks
        })
    });
    // Kept to the end of the transaction with the rows' locks.
    if !locks.iter().flatten().any(|lock| *lock == RowLock::Locked) {
        unlock_relation(member.table, Mode::RowShare);
    }
    locks
}
