//! Locks of a constraint.

use pgrx::pg_sys;

use crate::pg::lock;

/// `field4` of the gate's tag.
const GATE: u16 = 0xCA01;

/// Which constraint: the topmost table that carries its trigger, and the token of the trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConstraintId {
    pub root: pg_sys::Oid,
    pub token: u64,
}

/// Writers hold the gate to the end of their transaction.
#[allow(dead_code)]
pub fn gate_shared(id: ConstraintId) {
    acquire(id, pg_sys::RowExclusiveLock);
}

/// Whoever changes what a constraint covers waits for all writers, and holds off new ones, to the end of the transaction.
pub fn gate_exclusive(id: ConstraintId) {
    acquire(id, pg_sys::ShareRowExclusiveLock);
}

fn acquire(id: ConstraintId, mode: u32) {
    let folded = (id.token ^ (id.token >> 32)) as u32;
    lock::acquire(GATE, id.root.to_u32(), folded, mode);
}
