//! Errors that carry the names of a constraint, which pgrx's reports cannot.

use std::cell::{Cell, RefCell};
use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr;

use pgrx::pg_sys;
use pgrx::pg_sys::errcodes::PgSqlErrorCode;
use pgrx::pg_sys::panic::ErrorReport;

use super::encoding::to_server;
use crate::error::refusal_with;

/// A violation: what is said, and of what.
pub struct Violation<'a> {
    pub code: PgSqlErrorCode,
    pub message: String,
    pub detail: Option<String>,
    pub schema: &'a str,
    pub table: &'a str,
    pub constraint: &'a str,
}

unsafe extern "C-unwind" {
    fn err_generic_string(field: c_int, text: *const c_char) -> c_int;
}

thread_local! {
    static NAMES: RefCell<[CString; 3]> = RefCell::default();
    static CALLBACK: Cell<pg_sys::ErrorContextCallback> = const {
        Cell::new(pg_sys::ErrorContextCallback { previous: ptr::null_mut(), callback: None, arg: ptr::null_mut() })
    };
}

/// The violation as an error that the SQL function returns at once. Its names are added when PostgreSQL finishes the
/// error: a callback of the error's context does it, which whoever handles the error takes off the stack.
pub fn report(violation: Violation<'_>) -> ErrorReport {
    let text = |text: &str| CString::new(to_server(text)).unwrap_or_default();
    NAMES.set([text(violation.schema), text(violation.table), text(violation.constraint)]);
    CALLBACK.with(|callback| {
        // SAFETY: reads and sets variables of the backend. The callback lives as long as the backend's only thread.
        unsafe {
            let previous = pg_sys::error_context_stack;
            if previous != callback.as_ptr() {
                callback.set(pg_sys::ErrorContextCallback {
                    previous,
                    callback: Some(add_names),
                    arg: ptr::null_mut(),
                });
                pg_sys::error_context_stack = callback.as_ptr();
            }
        }
    });
    refusal_with(violation.code, violation.message, violation.detail, None)
}

/// Called by PostgreSQL while it finishes the error.
unsafe extern "C-unwind" fn add_names(_: *mut c_void) {
    let [schema, table, constraint] = NAMES.take();
    for (field, name) in [
        (pg_sys::PG_DIAG_SCHEMA_NAME, &schema),
        (pg_sys::PG_DIAG_TABLE_NAME, &table),
        (pg_sys::PG_DIAG_CONSTRAINT_NAME, &constraint),
    ] {
        if !name.is_empty() {
            // SAFETY: an error is being finished; the terminated name is copied.
            unsafe { err_generic_string(field as c_int, name.as_ptr()) };
        }
    }
}
