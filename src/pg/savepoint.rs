//! Work that may fail without ending what is around it.

use std::panic::AssertUnwindSafe;

use pgrx::pg_sys;
use pgrx::pg_sys::panic::{CaughtError, ErrorReport};
use pgrx::{PgSqlErrorCode, PgTryBuilder};

/// Runs `work` in a subtransaction of its own, which an error takes back. The error is returned; one that ends the whole
/// statement in any case (Ctrl-C, a timeout, a lack of memory or disk) is raised.
pub fn attempt<R>(work: impl FnOnce() -> Result<R, ErrorReport>) -> Result<R, ErrorReport> {
    attempt_but_for(ends_everything, work)
}

/// The same for a statement that is tried out. Citus gives most of its refusals no error code, and so that of an internal
/// error.
pub fn attempt_statement<R>(work: impl FnOnce() -> Result<R, ErrorReport>) -> Result<R, ErrorReport> {
    attempt_but_for(|code| code != PgSqlErrorCode::ERRCODE_INTERNAL_ERROR && ends_everything(code), work)
}

fn attempt_but_for<R>(
    is_raised: fn(PgSqlErrorCode) -> bool,
    work: impl FnOnce() -> Result<R, ErrorReport>,
) -> Result<R, ErrorReport> {
    // SAFETY: the caller's memory context and resource owner are put back when the subtransaction is over, either way.
    let (context, owner) = unsafe {
        let before = (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner);
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(before.0);
        before
    };
    let result = PgTryBuilder::new(AssertUnwindSafe(|| Ok(work())))
        .catch_others(|caught| match caught {
            CaughtError::PostgresError(error) | CaughtError::ErrorReport(error)
                if !is_raised(error.sql_error_code()) =>
            {
                let mut report = ErrorReport::new(error.sql_error_code(), error.message().to_owned(), "");
                if let Some(detail) = error.detail() {
                    report = report.set_detail(detail.to_owned());
                }
                Ok(Err(report))
            }
            caught => Err(caught),
        })
        .execute();
    // SAFETY: as above.
    unsafe {
        match &result {
            Ok(Ok(_)) => pg_sys::ReleaseCurrentSubTransaction(),
            // What is raised, too: with the subtransaction left open the session would not come out of the transaction.
            _ => pg_sys::RollbackAndReleaseCurrentSubTransaction(),
        }
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
    }
    result.unwrap_or_else(|caught| caught.rethrow())
}

fn ends_everything(code: PgSqlErrorCode) -> bool {
    matches!(
        code,
        PgSqlErrorCode::ERRCODE_QUERY_CANCELED
            | PgSqlErrorCode::ERRCODE_ADMIN_SHUTDOWN
            | PgSqlErrorCode::ERRCODE_CRASH_SHUTDOWN
            | PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE
            | PgSqlErrorCode::ERRCODE_T_R_DEADLOCK_DETECTED
            | PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE
            | PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY
            | PgSqlErrorCode::ERRCODE_DISK_FULL
            | PgSqlErrorCode::ERRCODE_READ_ONLY_SQL_TRANSACTION
            | PgSqlErrorCode::ERRCODE_INTERNAL_ERROR
            | PgSqlErrorCode::ERRCODE_DATA_CORRUPTED
            | PgSqlErrorCode::ERRCODE_INDEX_CORRUPTED
    )
}
