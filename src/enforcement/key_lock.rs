//! The lock protocol: gate, key locks and the bulk mark.
//!
//! All three are advisory locks under private tags, held to the end of the transaction and released by PostgreSQL
//! after the transaction has become visible (or has vanished), which is what the proof in `docs/enforcement.md`
//! rests on. Nothing here remembers what is held: a savepoint rolled back takes locks with it, so the lock manager is
//! asked each time (a request for a lock that is held costs one look into a local hash table).

use std::cell::RefCell;

use pgrx::pg_sys::Oid;

use crate::pg::guc::key_locks_per_transaction;
use crate::pg::lock::{Grant, Mode, Tag, accept_invalidations};
use crate::pg::transaction::{self, SubTransaction, TransactionId};

const CLASS_KEY: u16 = 0xCA01;
const CLASS_GATE: u16 = 0xCA02;
/// And the next 255, by the token's lowest byte.
const CLASS_BULK: u16 = 0xCB00;

/// Which constraint: the topmost table that carries it, and the token of its triggers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ConstraintId {
    pub root: Oid,
    pub token: u64,
}

impl ConstraintId {
    /// `token`: as the triggers have it, sixteen hexadecimal digits.
    pub fn of(root: Oid, token: &str) -> Self {
        ConstraintId { root, token: u64::from_str_radix(token, 16).unwrap_or_default() }
    }

    /// 64 bits that no constraint of another table has: a token can be chosen by anybody who makes a trigger, but the
    /// table that carries it is his own.
    pub fn bits(self) -> u64 {
        u64::from(self.root.to_u32()) << 32 | u64::from(self.short_token())
    }

    fn short_token(self) -> u32 {
        mix(self.token) as u32
    }
}

/// The finaliser of SplitMix64: a bijection, so different integers stay different.
pub fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn gate(id: ConstraintId) -> Tag {
    Tag { high: id.root.to_u32(), low: id.short_token(), class: CLASS_GATE }
}

/// A writer passes the gate: before its first look at the members it takes this lock, and then what others have
/// committed to the catalog is seen. Kept to the end of the transaction.
pub fn gate_shared(id: ConstraintId) {
    if gate(id).acquire(Mode::RowExclusive) == Grant::New {
        accept_invalidations();
    }
}

/// Shuts the gate to the end of the transaction: waits for every writer that has passed, and makes others wait.
pub fn gate_exclusive(id: ConstraintId) {
    gate(id).acquire(Mode::ShareRowExclusive);
    accept_invalidations();
}

/// What a key is locked by: an integer itself, or a hash of the key by a function that knows the key's equality.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyLock(Tag);

impl KeyLock {
    /// `bits`: the integer key, or its hash. The table stands by itself, so that nobody can take locks of other people's
    /// keys; integers that differ in their lower half only never share a lock, others as good as never.
    pub fn new(id: ConstraintId, bits: u64) -> Self {
        let folded = bits as u32 ^ (mix(bits >> 32) as u32 ^ mix(0) as u32);
        KeyLock(Tag { high: id.root.to_u32(), low: folded ^ id.short_token(), class: CLASS_KEY })
    }

    pub fn release(self) {
        self.0.release(Mode::Exclusive);
    }
}

/// How many key locks the subtransactions of this transaction hold.
struct Budget {
    transaction: u64,
    taken: Vec<(SubTransaction, u32)>,
}

thread_local! {
    static BUDGET: RefCell<Budget> = const { RefCell::new(Budget { transaction: 0, taken: Vec::new() }) };
}

/// Key locks of this transaction so far.
fn taken() -> u32 {
    BUDGET.with_borrow_mut(|budget| {
        let now = transaction::local_id();
        if budget.transaction != now {
            budget.transaction = now;
            budget.taken.clear();
        }
        budget.taken.iter().map(|(_, count)| count).sum()
    })
}

fn count_one() {
    let current = transaction::subtransaction();
    BUDGET.with_borrow_mut(|budget| match budget.taken.last_mut() {
        Some((subtransaction, count)) if *subtransaction == current => *count += 1,
        _ => budget.taken.push((current, 1)),
    });
}

/// A subtransaction was rolled back, its key locks with it.
pub fn forget_subtransaction(aborted: SubTransaction) {
    BUDGET.with_borrow_mut(|budget| budget.taken.retain(|(subtransaction, _)| *subtransaction < aborted));
}

/// How many more key locks this transaction may take.
pub fn room() -> u32 {
    key_locks_per_transaction().saturating_sub(taken())
}

/// Takes a key's lock, and waits for it; `false` where the budget or the lock table is used up: then the caller
/// must [`mark_bulk`] before it looks.
pub fn lock_key(id: ConstraintId, key: KeyLock) -> bool {
    let limit = key_locks_per_transaction();
    let so_far = taken();
    if so_far >= limit {
        // A key that this transaction has locked before stays so; the budget is for new ones. Not worth a look.
        return false;
    }
    // While entries of the lock table are still to be had: the mark is what a large transaction cannot do without.
    if so_far > 0 && so_far == limit / 2 {
        mark_bulk(id);
    }
    match key.0.acquire_if_there_is_room(Mode::Exclusive) {
        Grant::New => {
            count_one();
            true
        }
        Grant::Held => true,
        Grant::Refused => false,
    }
}

fn bulk(id: ConstraintId, transaction: TransactionId) -> Tag {
    Tag { high: id.root.to_u32(), low: transaction.0, class: CLASS_BULK | (id.short_token() as u16 & 0xFF) }
}

/// From here on this transaction looks at keys without locking them: whoever meets a row of it waits for its end.
pub fn mark_bulk(id: ConstraintId) {
    bulk(id, transaction::top_id()).acquire(Mode::Exclusive);
}

/// Whether a transaction in progress (or the one of this subtransaction) has the bulk mark. Where the lock table is
/// full the answer is yes, and the caller waits: the safe side.
pub fn is_bulk(id: ConstraintId, transaction: TransactionId) -> bool {
    let tag = bulk(id, transaction.topmost());
    match tag.try_acquire(Mode::Share) {
        Grant::Refused => true,
        Grant::New | Grant::Held => {
            tag.release(Mode::Share);
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_integers_have_different_locks() {
        let id = ConstraintId { root: Oid::from(16_384), token: 7 };
        let locks: Vec<KeyLock> = (0..1000).map(|key| KeyLock::new(id, key)).collect();
        for (position, lock) in locks.iter().enumerate() {
            assert!(!locks[position + 1..].contains(lock), "{position}");
        }
    }

    #[test]
    fn two_constraints_do_not_share_the_lock_of_a_key() {
        let one = ConstraintId { root: Oid::from(16_384), token: 7 };
        let other = ConstraintId { root: Oid::from(16_384), token: 8 };
        assert_ne!(KeyLock::new(one, 5), KeyLock::new(other, 5));
        assert_ne!(gate(one), gate(other));
    }

    #[test]
    fn no_token_makes_the_locks_of_another_table() {
        let one = ConstraintId { root: Oid::from(16_384), token: 7 };
        for token in 0..10_000 {
            let other = ConstraintId { root: Oid::from(16_385), token };
            assert_ne!(KeyLock::new(one, 5).0.high, KeyLock::new(other, token).0.high);
            assert_ne!(gate(one).high, gate(other).high);
            assert_ne!(one.bits() >> 32, other.bits() >> 32);
        }
    }
}
