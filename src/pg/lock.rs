//! Locks that no SQL can take: advisory locks of a class of their own.

use pgrx::pg_sys;

/// Acquires a lock to the end of the transaction; raises what waiting can raise (40P01, 55P03, 57014).
pub fn acquire(class: u16, field2: u32, field3: u32, mode: u32) {
    let mut tag = pg_sys::LOCKTAG {
        // SAFETY: reads a variable of the backend.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: field2,
        locktag_field3: field3,
        locktag_field4: class,
        locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
        locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
    };
    // SAFETY: the tag outlives the call.
    unsafe { pg_sys::LockAcquire(&raw mut tag, mode as i32, false, false) };
}
