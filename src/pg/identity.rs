//! On whose behalf something is done.

use std::ffi::c_int;

use pgrx::pg_sys;
use pgrx::pg_sys::Oid;

/// Runs `work` as another role. Where it raises, the abort of the (sub)transaction restores the caller.
pub fn acting_as<R>(role: Oid, work: impl FnOnce() -> R) -> R {
    switched(role, pg_sys::SECURITY_LOCAL_USERID_CHANGE as c_int, work)
}

/// Runs `work` as the owner of a table who sees all of its rows: as PostgreSQL keeps a foreign key.
pub fn acting_as_table_owner<R>(role: Oid, work: impl FnOnce() -> R) -> R {
    switched(role, (pg_sys::SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_NOFORCE_RLS) as c_int, work)
}

/// The same on behalf of somebody who only wants the rows looked at. The owner's functions may be called: they leave nothing
/// behind that would run later as somebody else, as when PostgreSQL builds an index.
pub fn looking_as_table_owner<R>(role: Oid, work: impl FnOnce() -> R) -> R {
    let context =
        pg_sys::SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_NOFORCE_RLS | pg_sys::SECURITY_RESTRICTED_OPERATION;
    switched(role, context as c_int, work)
}

fn switched<R>(role: Oid, flags: c_int, work: impl FnOnce() -> R) -> R {
    let (mut caller, mut context) = (Oid::INVALID, 0);
    // SAFETY: reads and sets variables of the backend.
    unsafe {
        pg_sys::GetUserIdAndSecContext(&mut caller, &mut context);
        pg_sys::SetUserIdAndSecContext(role, context | flags);
    }
    let result = work();
    // SAFETY: as above.
    unsafe { pg_sys::SetUserIdAndSecContext(caller, context) };
    result
}
