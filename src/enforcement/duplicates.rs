//! Looks for duplicated keys in rows that were not checked when they came.

use citus_planner::identifier::quote_identifier;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use super::inventory::{Constraint, Member};
use super::{batch, members};
use crate::error::{Result, notice};
use crate::pg::constraint_error::{self, Violation};
use crate::pg::encoding::from_server;
use crate::pg::query::{self, Sees};
use crate::pg::tables::advisor_function;
use crate::pg::{identity, settings};

/// Trees from this size on are announced before they are read.
const LONG_WORK: i64 = 64 * 1024 * 1024;

/// What is being done when duplicates turn up.
#[derive(Clone, Copy, PartialEq)]
pub enum Occasion {
    Create,
    Validate,
}

/// Raises 23505 for the first key that two rows of the tree share.
pub fn refuse_in_tree(constraint: &Constraint, members: &[Member], occasion: Occasion) -> Result<()> {
    let bytes: i64 = members.iter().map(|m| m.bytes).sum();
    if bytes >= LONG_WORK {
        notice(format!(
            "looking for duplicates of \"{}\" in {} tables, {} MB",
            constraint.name,
            members.iter().filter(|m| m.holds_rows()).count(),
            bytes / (1024 * 1024)
        ));
    }
    let columns = qualified(constraint, "t");
    let sql = format!(
        "SELECT {} FROM {} AS t WHERE {} GROUP BY {} HAVING pg_catalog.count(*) > 1",
        key_text(&columns),
        constraint.relation,
        no_nulls(&columns),
        columns.join(", ")
    );
    refuse_first(constraint, &sql, occasion)
}

/// Raises 23505 for the first key that a row of a newcomer shares with another row of the tree. The gate is shut.
pub fn refuse_in_newcomer(constraint: &Constraint, newcomer: &Member) -> Result<()> {
    let tree = members::of(constraint.id(), advisor_function(c"check_global_unique"), &constraint.root_columns());
    match batch::duplicate_in(&tree, newcomer.oid) {
        None => Ok(()),
        Some(values) => {
            let values: Vec<String> = values.iter().map(|value| from_server(value.to_bytes())).collect();
            Err(duplicated(constraint, &values.join(", "), Occasion::Create)?)
        }
    }
}

fn refuse_first(constraint: &Constraint, sql: &str, occasion: Occasion) -> Result<()> {
    let found = identity::looking_as_table_owner(constraint.owner, || {
        settings::with_maintenance_memory(|| query::rows(sql, Sees::Latest, 1))
    })?;
    match found.first() {
        None => Ok(()),
        Some(row) => Err(duplicated(constraint, &row.text(0), occasion)?),
    }
}

fn duplicated(constraint: &Constraint, values: &str, occasion: Occasion) -> Result<ErrorReport> {
    let name = &constraint.name;
    Ok(constraint_error::report(Violation {
        code: PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION,
        message: match occasion {
            Occasion::Create => format!("could not create unique constraint \"{name}\""),
            Occasion::Validate => format!("could not validate unique constraint \"{name}\""),
        },
        detail: Some(if may_read(constraint)? {
            format!("Key ({})=({values}) is duplicated.", constraint.column_list())
        } else {
            "Duplicate keys exist.".to_owned()
        }),
        schema: &constraint.schema,
        table: &constraint.table,
        constraint: name,
    }))
}

/// Whether the caller may be shown values.
fn may_read(constraint: &Constraint) -> Result<bool> {
    let root = constraint.root.to_u32();
    let sql = format!(
        "SELECT pg_catalog.has_table_privilege('{root}'::pg_catalog.oid, 'SELECT')
           AND NOT pg_catalog.row_security_active('{root}'::pg_catalog.oid)"
    );
    Ok(query::rows(&sql, Sees::Latest, 1)?.first().is_some_and(|row| row.flag(0)))
}

/// The columns of the key of a table in a query.
pub fn qualified(constraint: &Constraint, alias: &str) -> Vec<String> {
    constraint.columns.iter().map(|c| format!("{alias}.{}", quote_identifier(c))).collect()
}

/// No column of the key is NULL.
pub fn no_nulls(columns: &[String]) -> String {
    columns.iter().map(|c| format!("{c} IS DISTINCT FROM NULL")).collect::<Vec<_>>().join(" AND ")
}

/// The key as errors show it: `5`, or `5, x`.
pub fn key_text(columns: &[String]) -> String {
    let values: Vec<String> = columns.iter().map(|c| format!("pg_catalog.format('%s', {c})")).collect();
    values.join(" || ', ' || ")
}
