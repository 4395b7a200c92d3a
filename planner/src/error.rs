//! The one error type of the planner: what a person did wrong, and what would be right.

use std::fmt;

/// Which SQLSTATE the backend raises for an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// 22023: unknown format, malformed overrides or assignment, a number out of range.
    InvalidParameter,
    /// 3F000
    UndefinedSchema,
    /// 42P01
    UndefinedTable,
    /// 42703
    UndefinedColumn,
    /// 42809: the relation exists but is a view, a sequence, ...
    WrongObjectType,
}

/// A refused request, worded as PostgreSQL words its errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    pub kind: ErrorKind,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
}

impl Error {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into(), detail: None, hint: None }
    }

    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
