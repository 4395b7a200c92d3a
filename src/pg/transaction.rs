//! Transactions, subtransactions, and being called when they end.

use std::cell::Cell;

use pgrx::pg_sys::{self, SubTransactionId, SubXactEvent, XactEvent};

use super::raise::{Violation, raising};

/// A subtransaction's number; 1 is the transaction itself, and a child's number is greater than its parent's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SubTransaction(pub SubTransactionId);

/// A transaction ID as it stands in tuples; possibly one of a subtransaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TransactionId(pub u32);

impl TransactionId {
    pub fn from_pg(xid: pg_sys::TransactionId) -> Self {
        TransactionId(xid.into_inner())
    }

    pub fn to_pg(self) -> pg_sys::TransactionId {
        pg_sys::TransactionId::from_inner(self.0)
    }

    pub fn is_valid(self) -> bool {
        self.0 != 0
    }

    /// The transaction of this subtransaction, which must be in progress or recent.
    pub fn topmost(self) -> TransactionId {
        // SAFETY: reads pg_subtrans, which reaches back as far as the oldest transaction in progress.
        TransactionId::from_pg(unsafe { pg_sys::SubTransGetTopmostTransaction(self.to_pg()) })
    }

    /// Whether it is the running transaction or one of its subtransactions.
    pub fn is_current(self) -> bool {
        // SAFETY: looks at this backend's own state.
        unsafe { pg_sys::TransactionIdIsCurrentTransactionId(self.to_pg()) }
    }
}

/// The running transaction's ID; one is assigned if it had none.
pub fn top_id() -> TransactionId {
    // SAFETY: called inside a transaction.
    TransactionId::from_pg(unsafe { pg_sys::GetTopTransactionId() })
}

/// The command that is running, counted within the transaction.
pub fn command() -> u32 {
    // SAFETY: called inside a transaction; nothing is written under this number.
    unsafe { pg_sys::GetCurrentCommandId(false) }
}

/// A number that is this backend's alone and differs from transaction to transaction.
pub fn local_id() -> u64 {
    // SAFETY: MyProc is set as long as the backend is connected.
    unsafe {
        #[cfg(any(feature = "pg15", feature = "pg16"))]
        let id = (*pg_sys::MyProc).lxid;
        #[cfg(not(any(feature = "pg15", feature = "pg16")))]
        let id = (*pg_sys::MyProc).vxid.lxid;
        u64::from(id)
    }
}

pub fn subtransaction() -> SubTransaction {
    // SAFETY: looks at this backend's own state.
    SubTransaction(unsafe { pg_sys::GetCurrentSubTransactionId() })
}

/// What is called as transactions end. None of it may be called outside a transaction.
pub struct Listener {
    /// Before a commit, a PREPARE TRANSACTION: the last moment for an error.
    pub before_commit: fn() -> Result<(), Box<Violation>>,
    /// The transaction is over, either way.
    pub ended: fn(),
    /// Before a subtransaction becomes part of its parent: an error aborts it alone.
    pub before_subtransaction_commit: fn(SubTransaction) -> Result<(), Box<Violation>>,
    pub subtransaction_aborted: fn(SubTransaction),
}

thread_local! {
    static LISTENER: Cell<Option<&'static Listener>> = const { Cell::new(None) };
}

/// Registers the listener once for the life of the backend.
pub fn listen(listener: &'static Listener) {
    if LISTENER.get().is_some() {
        return;
    }
    LISTENER.set(Some(listener));
    // SAFETY: the callbacks stay in memory: PostgreSQL does not unload libraries.
    unsafe {
        pg_sys::RegisterXactCallback(Some(transaction_event), std::ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(subtransaction_event), std::ptr::null_mut());
    }
}

unsafe extern "C-unwind" fn transaction_event(event: XactEvent::Type, _argument: *mut std::ffi::c_void) {
    let Some(listener) = LISTENER.get() else { return };
    raising(|| {
        match event {
            XactEvent::XACT_EVENT_PRE_COMMIT | XactEvent::XACT_EVENT_PRE_PREPARE => (listener.before_commit)()?,
            XactEvent::XACT_EVENT_COMMIT | XactEvent::XACT_EVENT_ABORT | XactEvent::XACT_EVENT_PREPARE => {
                (listener.ended)()
            }
            _ => {}
        }
        Ok(pg_sys::Datum::from(0))
    });
}

unsafe extern "C-unwind" fn subtransaction_event(
    event: SubXactEvent::Type,
    subtransaction: SubTransactionId,
    _parent: SubTransactionId,
    _argument: *mut std::ffi::c_void,
) {
    let Some(listener) = LISTENER.get() else { return };
    raising(|| {
        match event {
            SubXactEvent::SUBXACT_EVENT_PRE_COMMIT_SUB => {
                (listener.before_subtransaction_commit)(SubTransaction(subtransaction))?;
            }
            SubXactEvent::SUBXACT_EVENT_ABORT_SUB => (listener.subtransaction_aborted)(SubTransaction(subtransaction)),
            _ => {}
        }
        Ok(pg_sys::Datum::from(0))
    });
}
