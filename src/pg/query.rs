//! SQL of our own: one statement with pinned settings, its rows as text.

use std::ffi::{CStr, CString, c_int, c_long};
use std::ptr;

use pgrx::{Spi, pg_sys};

use super::encoding::{from_server_lossy, to_server};
use super::settings;
use crate::error::{Result, internal};

/// A row of a result; every value in its text form. In an SQL_ASCII database bytes that are no UTF-8 are replaced: a name of
/// somebody else's must not be in the way of those who never meant it.
pub struct Row(Vec<Option<String>>);

impl Row {
    /// The value of a column, counted from 0; empty where it is NULL.
    pub fn text(&self, column: usize) -> String {
        self.optional(column).unwrap_or_default()
    }

    pub fn optional(&self, column: usize) -> Option<String> {
        self.0.get(column).cloned().flatten()
    }

    pub fn flag(&self, column: usize) -> bool {
        self.optional(column).as_deref() == Some("t")
    }

    pub fn oid(&self, column: usize) -> pg_sys::Oid {
        pg_sys::Oid::from(self.number::<u32>(column))
    }

    pub fn number<N: std::str::FromStr + Default>(&self, column: usize) -> N {
        self.optional(column).and_then(|text| text.parse().ok()).unwrap_or_default()
    }
}

/// Which rows a query sees.
#[derive(Clone, Copy, PartialEq)]
pub enum Sees {
    /// What the statement sees that called us.
    Statement,
    /// Whatever is committed by now, and what this transaction did: in any isolation level.
    Latest,
}

/// Rows of a query; at most `limit`, 0 for all.
pub fn rows(sql: &str, sees: Sees, limit: usize) -> Result<Vec<Row>> {
    settings::pinned(|| execute(sql, sees, limit))
}

/// Runs a statement that changes something.
pub fn run(sql: &str) -> Result<()> {
    settings::pinned(|| execute(sql, Sees::Latest, 0)).map(drop)
}

/// Runs a statement of which PostgreSQL decides which snapshot it needs: DDL.
pub fn define(sql: &str) -> Result<()> {
    let text = c_string(sql)?;
    settings::pinned(|| {
        Spi::connect(|_| {
            // SAFETY: the text is terminated by a zero byte; SPI is connected.
            let code = unsafe { pg_sys::SPI_execute(text.as_ptr(), false, 0) };
            succeeded(code, sql)
        })
    })
}

/// Runs a statement with the settings of the session, which it may change: one of a script.
pub fn command(sql: &str) -> Result<()> {
    let text = c_string(sql)?;
    Spi::connect(|_| {
        // SAFETY: the text is terminated by a zero byte; SPI is connected.
        let code = unsafe { pg_sys::SPI_execute(text.as_ptr(), false, 0) };
        succeeded(code, sql)
    })
}

fn execute(sql: &str, sees: Sees, limit: usize) -> Result<Vec<Row>> {
    let text = c_string(sql)?;
    Spi::connect(|_| {
        // SAFETY: SPI is connected; the text is terminated by a zero byte. The snapshot is pushed or copied by SPI before
        // anything else can take another. Without parameters neither values nor nulls are read.
        let code = unsafe {
            match sees {
                Sees::Statement => pg_sys::SPI_execute(text.as_ptr(), true, limit as c_long),
                Sees::Latest => {
                    let plan = pg_sys::SPI_prepare(text.as_ptr(), 0, ptr::null_mut());
                    if plan.is_null() {
                        return Err(internal(format!("a query of citus_advisor cannot be prepared: {sql}")));
                    }
                    pg_sys::CommandCounterIncrement();
                    let snapshot = pg_sys::GetLatestSnapshot();
                    pg_sys::SPI_execute_snapshot(
                        plan,
                        ptr::null_mut(),
                        ptr::null(),
                        snapshot,
                        ptr::null_mut(),
                        false,
                        true,
                        limit as c_long,
                    )
                }
            }
        };
        succeeded(code, sql)?;
        Ok(fetched())
    })
}

/// The rows of the statement that SPI ran last.
fn fetched() -> Vec<Row> {
    // SAFETY: SPI_tuptable is NULL or the result of the last statement, with SPI_processed rows of its descriptor;
    // SPI_getvalue returns NULL or a C string.
    unsafe {
        let table = pg_sys::SPI_tuptable;
        if table.is_null() {
            return Vec::new();
        }
        let description = (*table).tupdesc;
        let row = |i: usize| {
            let tuple = *(*table).vals.add(i);
            let value = |column: c_int| {
                let text = pg_sys::SPI_getvalue(tuple, description, column);
                (!text.is_null()).then(|| from_server_lossy(CStr::from_ptr(text).to_bytes()))
            };
            Row((1..=(*description).natts).map(value).collect())
        };
        (0..pg_sys::SPI_processed as usize).map(row).collect()
    }
}

fn succeeded(code: c_int, sql: &str) -> Result<()> {
    if code < 0 { Err(internal(format!("SPI returned {code} for: {sql}"))) } else { Ok(()) }
}

fn c_string(sql: &str) -> Result<CString> {
    CString::new(to_server(sql)).map_err(internal)
}
