//! Is there a referenced row? If so it is locked, so that its key stays until the transaction ends.

use std::rc::Rc;

use pgrx::check_for_interrupts;
use pgrx::pg_sys::{Datum, Oid};

use super::super::claims;
use super::super::members::{Constraint, Member};
use super::super::unique::{holds, seems_to_hold, visit, with_index};
use crate::pg::lock::{Mode, lock_relation, unlock_relation, waits};
use crate::pg::prepared::{concurrent_update, uses_transaction_snapshot};
use crate::pg::rows::{Fresh, RowLock};

/// Looks of one check, where each had to wait for a table. Not for ever: beside somebody who waits for a table that this
/// transaction has locked, each request for it counts as one that had to wait.
pub const MOST_LOOKS: u32 = 10;

/// Looks for a row with the key in all referenced tables, under one snapshot of this instant, and locks it.
///
/// Where the row was deleted or moved by somebody who has committed since, a new snapshot says where the key is now; at
/// the higher isolation levels that is a serialization failure, as natively. A row whose key is locked is in a table that
/// is locked too: nobody detaches, truncates or drops it before this transaction ends.
pub fn lock_key(tree: &Rc<Constraint>, key: &[Datum]) -> bool {
    // As natively: whoever wants the whole tree waits at its root, before he has locked any of its tables.
    let root = tree.id.root;
    lock_relation(root, Mode::RowShare);
    let is_there = lock_row(Rc::clone(tree), key);
    if !is_there {
        unlock_relation(root, Mode::RowShare);
    }
    is_there
}

fn lock_row(mut tree: Rc<Constraint>, key: &[Datum]) -> bool {
    let mut looks = 0;
    loop {
        check_for_interrupts!();
        if tree.is_stale() {
            tree = tree.reloaded();
        }
        looks += 1;
        let before = waits();
        let snapshot = Fresh::take();
        let found = find(&tree, key, &snapshot);
        snapshot.done();
        match found {
            Some(RowLock::Locked) => return true,
            // Whoever had a table locked may have brought the row after the snapshot was taken.
            Some(RowLock::NoRow) if waits() != before && looks < MOST_LOOKS => {}
            Some(RowLock::NoRow) => return false,
            Some(RowLock::Changed) if uses_transaction_snapshot() => concurrent_update(),
            Some(RowLock::Changed) | None => {}
        }
    }
}

/// `None`: the tree has changed.
///
/// One row is enough, wherever it is; so the member that seems to have it is asked first. That is a guess from index pages
/// in memory, without locks, which are most of the cost of a look. Where it was wrong, all members are asked in order.
fn find(tree: &Constraint, key: &[Datum], snapshot: &Fresh) -> Option<RowLock> {
    let claimed = claims::prefix(tree, key).and_then(|prefix| claims::candidates(tree, prefix));
    let places = claimed.unwrap_or_else(|| (0..tree.members.len()).collect());
    let members = || places.iter().map(|&place| &tree.members[place]).filter(|member| !member.is_detaching);
    if let Some(member) = members().find(|member| seems_to_hold(&tree.key, member, key) == Some(true)) {
        match lock_in(tree, member, key, snapshot)? {
            RowLock::NoRow => {}
            met => return Some(met),
        }
    }
    for member in members() {
        let may_hold = visit(tree, member, |serving| serving.is_none_or(|serving| holds(&tree.key, serving, key, 1)))?;
        if may_hold {
            match lock_in(tree, member, key, snapshot)? {
                RowLock::NoRow => {}
                met => return Some(met),
            }
        }
    }
    Some(RowLock::NoRow)
}

fn lock_in(tree: &Constraint, member: &Member, key: &[Datum], snapshot: &Fresh) -> Option<RowLock> {
    lock_relation(member.table, Mode::RowShare);
    let lock = (!tree.is_stale()).then(|| {
        with_index(tree, member, |serving| {
            member.place(serving).lock_row(&tree.key, key, snapshot, member.has_unique_key())
        })
    });
    // Kept to the end of the transaction with the row's lock.
    if lock != Some(RowLock::Locked) {
        unlock_relation(member.table, Mode::RowShare);
    }
    lock
}

/// Whether a snapshot shows a row with the key in another table than those `without` which it is asked. Nothing is locked: for
/// those who keep writers away.
pub fn is_there(tree: &Rc<Constraint>, key: &[Datum], snapshot: &Fresh, without: &[Oid]) -> bool {
    let counts = |member: &Member| !member.is_detaching && !without.contains(&member.table);
    super::super::unique::count(tree, key, snapshot, counts, |alive| alive.rows > 0).rows > 0
}
