//! A plan as text, JSON or SQL; one format, one file. Reports read the plan and decide nothing.

mod json;
pub mod number;
mod text;

use crate::error::{Error, ErrorKind};
use crate::migration;
use crate::plan::Plan;

/// What `plan_distribution(format => ...)` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For a person at psql, one line a row.
    Text,
    /// The whole plan as one row.
    Json,
    /// The migration script, one line a row.
    Sql,
    /// The way back from it, likewise.
    Rollback,
}

impl Format {
    /// # Errors
    /// 22023 for an unknown format.
    pub fn parse(name: &str) -> Result<Self, Error> {
        match name {
            "text" => Ok(Format::Text),
            "json" => Ok(Format::Json),
            "sql" => Ok(Format::Sql),
            "rollback" => Ok(Format::Rollback),
            other => Err(Error::new(ErrorKind::InvalidParameter, format!("unrecognized format \"{other}\""))
                .hint("The formats are text, json, sql and rollback.")),
        }
    }
}

/// The lines of a report.
pub fn render(plan: &Plan<'_>, format: Format) -> Vec<String> {
    match format {
        Format::Text => text::render(plan),
        Format::Json => vec![json::render(plan).to_string()],
        Format::Sql => migration::script(plan),
        Format::Rollback => migration::rollback_script(plan),
    }
}
