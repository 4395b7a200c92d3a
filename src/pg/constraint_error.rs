//! Errors that carry the names of a constraint, which pgrx's reports cannot.

use std::ffi::{CString, c_char, c_int};
use std::ptr;

use pgrx::PgLogLevel;
use pgrx::pg_sys;
use pgrx::pg_sys::errcodes::PgSqlErrorCode;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;

use super::encoding::to_server;

/// A violation: what is said, and of what.
pub struct Violation<'a> {
    pub code: PgSqlErrorCode,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    pub schema: &'a str,
    pub table: &'a str,
    pub constraint: &'a str,
}

unsafe extern "C-unwind" {
    fn errstart(level: c_int, domain: *const c_char) -> bool;
    fn errcode(code: c_int) -> c_int;
    fn errmsg_internal(format: *const c_char, ...) -> c_int;
    fn errdetail_internal(format: *const c_char, ...) -> c_int;
    fn errhint(format: *const c_char, ...) -> c_int;
    fn err_generic_string(field: c_int, text: *const c_char) -> c_int;
    fn errfinish(file: *const c_char, line: c_int, function: *const c_char);
}

/// Raises the violation.
pub fn raise(violation: Violation<'_>) -> ! {
    let text = |text: &str| CString::new(to_server(text)).unwrap_or_default();
    let message = text(&violation.message);
    let detail = violation.detail.as_deref().map(text);
    let hint = violation.hint.as_deref().map(text);
    let names = [
        (pg_sys::PG_DIAG_SCHEMA_NAME, text(violation.schema)),
        (pg_sys::PG_DIAG_TABLE_NAME, text(violation.table)),
        (pg_sys::PG_DIAG_CONSTRAINT_NAME, text(violation.constraint)),
    ];
    let fields = [
        (names[0].0 as c_int, names[0].1.as_ptr()),
        (names[1].0 as c_int, names[1].1.as_ptr()),
        (names[2].0 as c_int, names[2].1.as_ptr()),
    ];
    let code = violation.code as c_int;
    let message = message.as_ptr();
    let detail = detail.as_ref().map_or(ptr::null(), |d| d.as_ptr());
    let hint = hint.as_ref().map_or(ptr::null(), |h| h.as_ptr());
    // SAFETY: the strings outlive the call and are copied by it; nothing within the boundary has a destructor. errfinish
    // does not return for an error.
    unsafe {
        pg_guard_ffi_boundary(|| {
            errstart(PgLogLevel::ERROR as c_int, ptr::null());
            errcode(code);
            errmsg_internal(c"%s".as_ptr(), message);
            if !detail.is_null() {
                errdetail_internal(c"%s".as_ptr(), detail);
            }
            if !hint.is_null() {
                errhint(c"%s".as_ptr(), hint);
            }
            for (field, text) in fields {
                err_generic_string(field, text);
            }
            errfinish(c"citus_advisor".as_ptr(), 0, c"raise".as_ptr());
        });
    }
    unreachable!("an error was raised")
}
