//! PostgreSQL's lock manager: locks on relations, and advisory locks under tags that no SQL function can name.

use std::cell::Cell;

use pgrx::pg_sys::{self, Oid};

/// `USER_LOCKMETHOD` of `lock.h`.
const USER_LOCKMETHOD: u8 = 2;

/// `DEFAULT_LOCKMETHOD` of `lock.h`.
const DEFAULT_LOCKMETHOD: u8 = 1;

/// Lock modes of `lockdefs.h`, the few that are used here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub enum Mode {
    AccessShare = 1,
    RowShare = 2,
    RowExclusive = 3,
    ShareUpdateExclusive = 4,
    Share = 5,
    ShareRowExclusive = 6,
    Exclusive = 7,
    AccessExclusive = 8,
}

/// How a request for a lock ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Grant {
    /// It is ours, and was not before.
    New,
    /// This transaction has it already; the request was counted.
    Held,
    /// Another transaction has it, or the lock table is full.
    Refused,
}

/// A lock tag of the advisory kind. `class` is the tag's fourth field: SQL functions use 1 and 2, Citus 4 to 16.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tag {
    pub high: u32,
    pub low: u32,
    pub class: u16,
}

impl Tag {
    fn native(self) -> pg_sys::LOCKTAG {
        pg_sys::LOCKTAG {
            // SAFETY: set when the backend connects, constant afterwards.
            locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
            locktag_field2: self.high,
            locktag_field3: self.low,
            locktag_field4: self.class,
            locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
            locktag_lockmethodid: USER_LOCKMETHOD,
        }
    }

    /// Takes the lock to the end of the transaction (or of the subtransaction, if that aborts); waits for it.
    ///
    /// Errors: 40P01, 55P03 after `lock_timeout`, 57014, 53200 where the lock table is full.
    pub fn acquire(self, mode: Mode) -> Grant {
        grant(self.request(mode, false, true))
    }

    /// The same, but where the lock table is full it says [`Grant::Refused`].
    pub fn acquire_if_there_is_room(self, mode: Mode) -> Grant {
        grant(self.request(mode, false, false))
    }

    /// Takes the lock only if nobody else has it and there is room for it.
    pub fn try_acquire(self, mode: Mode) -> Grant {
        grant(self.request(mode, true, false))
    }

    /// Gives one request back.
    pub fn release(self, mode: Mode) {
        let tag = self.native();
        // SAFETY: the tag lives through the call; releasing what is not held only warns.
        unsafe { pg_sys::LockRelease(&tag, mode as i32, false) };
    }

    fn request(self, mode: Mode, conditional: bool, report_memory_error: bool) -> pg_sys::LockAcquireResult::Type {
        let tag = self.native();
        // SAFETY: the tag lives through the call and is copied by it; no LOCALLOCK is asked for.
        unsafe {
            #[cfg(not(feature = "pg18"))]
            let result = pg_sys::LockAcquireExtended(
                &tag,
                mode as i32,
                false,
                conditional,
                report_memory_error,
                std::ptr::null_mut(),
            );
            #[cfg(feature = "pg18")]
            let result = pg_sys::LockAcquireExtended(
                &tag,
                mode as i32,
                false,
                conditional,
                report_memory_error,
                std::ptr::null_mut(),
                false,
            );
            result
        }
    }
}

fn grant(result: pg_sys::LockAcquireResult::Type) -> Grant {
    match result {
        pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL => Grant::Refused,
        pg_sys::LockAcquireResult::LOCKACQUIRE_OK => Grant::New,
        _ => Grant::Held,
    }
}

thread_local! {
    static WAITS: Cell<u64> = const { Cell::new(0) };
}

/// How often this backend has waited for a lock on a relation: what it knew before may be out of date since.
pub fn waits() -> u64 {
    WAITS.get()
}

/// Locks a relation by OID and processes pending invalidations. The relation need not exist any more.
pub fn lock_relation(relation: Oid, mode: Mode) {
    // SAFETY: any OID may be locked.
    unsafe {
        if !pg_sys::ConditionalLockRelationOid(relation, mode as i32) {
            WAITS.set(WAITS.get() + 1);
            pg_sys::LockRelationOid(relation, mode as i32);
        }
    }
}

/// Whether this transaction has a relation locked in just this mode.
pub fn has_locked(relation: Oid, mode: Mode) -> bool {
    let tag = pg_sys::LOCKTAG {
        // SAFETY: set when the backend connects, constant afterwards.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: relation.to_u32(),
        locktag_field3: 0,
        locktag_field4: 0,
        locktag_type: pg_sys::LockTagType::LOCKTAG_RELATION as u8,
        locktag_lockmethodid: DEFAULT_LOCKMETHOD,
    };
    // SAFETY: the tag lives through the call, which looks at this backend's own locks.
    unsafe {
        #[cfg(not(feature = "pg18"))]
        let held = pg_sys::LockHeldByMe(&tag, mode as i32);
        #[cfg(feature = "pg18")]
        let held = pg_sys::LockHeldByMe(&tag, mode as i32, false);
        held
    }
}

/// Gives one lock on a relation back.
pub fn unlock_relation(relation: Oid, mode: Mode) {
    // SAFETY: releasing what is not held only warns.
    unsafe { pg_sys::UnlockRelationOid(relation, mode as i32) };
}

/// What a raw lock request does not do by itself: look at what others have committed to the catalog.
pub fn accept_invalidations() {
    // SAFETY: called inside a transaction.
    unsafe { pg_sys::AcceptInvalidationMessages() };
}
