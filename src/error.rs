//! From the planner's errors to PostgreSQL's, and the few that are ours.

use citus_planner::error::{Error, ErrorKind};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::pg::encoding::takes_utf8;

pub type Result<T> = std::result::Result<T, ErrorReport>;

/// An error of the planner with its SQLSTATE.
pub fn report(error: Error) -> ErrorReport {
    let code = match error.kind {
        ErrorKind::InvalidParameter => PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
        ErrorKind::UndefinedSchema => PgSqlErrorCode::ERRCODE_INVALID_SCHEMA_NAME,
        ErrorKind::UndefinedTable => PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
        ErrorKind::UndefinedColumn => PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN,
        ErrorKind::WrongObjectType => PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
    };
    let mut report = ErrorReport::new(code, sendable(error.message), "");
    if let Some(detail) = error.detail {
        report = report.set_detail(sendable(detail));
    }
    if let Some(hint) = error.hint {
        report = report.set_hint(sendable(hint));
    }
    report
}

/// 22004: NULL where a value is needed.
pub fn null_not_allowed(message: &'static str, hint: &'static str) -> ErrorReport {
    ErrorReport::new(PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED, message, "").set_hint(hint)
}

/// 55000: the server is not what the function needs.
pub fn not_in_state(message: &'static str, hint: &'static str) -> ErrorReport {
    ErrorReport::new(PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, message, "").set_hint(hint)
}

/// Tells the caller how far long work has come.
pub fn notice(text: String) {
    pgrx::notice!("{}", sendable(text));
}

/// Something that only a fault of ours can cause.
pub fn internal(message: impl std::fmt::Display) -> ErrorReport {
    ErrorReport::new(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR, sendable(message.to_string()), "")
}

/// pgrx sends messages as they are, so a database in another encoding gets them in ASCII.
fn sendable(text: String) -> String {
    if takes_utf8() || text.is_ascii() {
        return text;
    }
    text.chars().map(|c| if c.is_ascii() { c.to_string() } else { c.escape_unicode().to_string() }).collect()
}

/// An error of PostgreSQL's kind.
pub fn refusal(code: PgSqlErrorCode, message: String) -> ErrorReport {
    ErrorReport::new(code, sendable(message), "")
}

/// The same with what to do about it.
pub fn refusal_with(
    code: PgSqlErrorCode,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
) -> ErrorReport {
    let mut report = refusal(code, message);
    if let Some(detail) = detail {
        report = report.set_detail(sendable(detail));
    }
    if let Some(hint) = hint {
        report = report.set_hint(sendable(hint));
    }
    report
}
