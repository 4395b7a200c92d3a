//! The way out of a function that PostgreSQL calls, with errors that carry the fields of a constraint violation.
//!
//! pgrx raises errors too, but knows no schema, table and constraint fields.

use std::ffi::{CStr, CString, c_char, c_int};

use pgrx::pg_sys::{self, Datum, Oid};

/// A violated constraint, ready to be raised. Texts are in the server's encoding.
pub struct Violation {
    pub sqlstate: pgrx::PgSqlErrorCode,
    /// With a `%s` for each argument, as PostgreSQL has it, so that it is translated.
    pub message: &'static CStr,
    /// Three at most.
    pub arguments: Vec<CString>,
    pub constraint: CString,
    /// The table that has the row. This transaction has it locked.
    pub table: Oid,
    pub detail: Option<CString>,
    pub hint: Option<CString>,
}

unsafe extern "C-unwind" {
    fn errstart(level: c_int, domain: *const c_char) -> bool;
    fn errcode(sqlstate: c_int) -> c_int;
    fn errmsg(format: *const c_char, ...) -> c_int;
    fn errdetail_internal(format: *const c_char, ...) -> c_int;
    fn errhint(format: *const c_char, ...) -> c_int;
    fn errtableconstraint(relation: pg_sys::Relation, constraint: *const c_char) -> c_int;
    fn errfinish(file: *const c_char, line: c_int, function: *const c_char);
    fn relation_open(relation: Oid, mode: pg_sys::LOCKMODE) -> pg_sys::Relation;
}

const MOST_ARGUMENTS: usize = 3;

/// What is left of a violation when its owner is gone: memory of PostgreSQL's, which goes with the error.
#[derive(Clone, Copy)]
struct Plain {
    sqlstate: c_int,
    message: *const c_char,
    arguments: [*const c_char; MOST_ARGUMENTS],
    constraint: *const c_char,
    table: Oid,
    detail: *const c_char,
    hint: *const c_char,
}

/// Runs `work` as the body of a function that PostgreSQL calls: a panic, an error of PostgreSQL's and a violation all
/// become an error, raised when nothing is left on the stack that would have to be dropped.
pub fn raising(work: impl FnOnce() -> Result<Datum, Box<Violation>>) -> Datum {
    // SAFETY: `work` is consumed inside, and the frames above are plain.
    let outcome = unsafe {
        pgrx::pgrx_extern_c_guard(std::panic::AssertUnwindSafe(|| match work() {
            Ok(datum) => Ok(datum),
            Err(violation) => Err(plain(&violation)),
        }))
    };
    match outcome {
        Ok(datum) => datum,
        Err(violation) => raise(violation),
    }
}

fn plain(violation: &Violation) -> Plain {
    // SAFETY: copies of terminated strings into the context of errors, which is reset after the error was handled.
    unsafe {
        let copy = |text: &CStr| pg_sys::MemoryContextStrdup(pg_sys::ErrorContext, text.as_ptr()).cast_const();
        Plain {
            sqlstate: violation.sqlstate as c_int,
            message: violation.message.as_ptr(),
            arguments: std::array::from_fn(|at| {
                violation.arguments.get(at).map_or(c"".as_ptr(), |argument| copy(argument))
            }),
            constraint: copy(&violation.constraint),
            table: violation.table,
            detail: violation.detail.as_deref().map_or(std::ptr::null(), copy),
            hint: violation.hint.as_deref().map_or(std::ptr::null(), copy),
        }
    }
}

fn raise(violation: Plain) -> ! {
    // SAFETY: leaves by PostgreSQL's own way out; no frame from here to the caller in C has anything to drop. The
    // relation is closed by the abort of the (sub)transaction.
    unsafe {
        let relation = relation_open(violation.table, pg_sys::NoLock as pg_sys::LOCKMODE);
        errstart(pgrx::PgLogLevel::ERROR as c_int, std::ptr::null());
        errcode(violation.sqlstate);
        let [first, second, third] = violation.arguments;
        errmsg(violation.message, first, second, third);
        if !violation.detail.is_null() {
            errdetail_internal(c"%s".as_ptr(), violation.detail);
        }
        if !violation.hint.is_null() {
            errhint(c"%s".as_ptr(), violation.hint);
        }
        // What concerns no constraint's rows names none.
        if *violation.constraint != 0 {
            errtableconstraint(relation, violation.constraint);
        }
        errfinish(c"raise.rs".as_ptr(), line!() as c_int, c"raise".as_ptr());
    }
    unreachable!("errfinish returned from an error")
}
