//! Looks for duplicated keys in rows that were not checked when they came.

use citus_planner::identifier::quote_identifier;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::{Datum, Oid};
use pgrx::prelude::*;

use super::inventory::{Constraint, Member};
use super::members;
use super::unique::visit;
use crate::error::{Result, notice};
use crate::pg::column;
use crate::pg::constraint_error::{self, Violation};
use crate::pg::encoding::from_server;
use crate::pg::heap::each_key;
use crate::pg::index_shape::{column_number, column_type};
use crate::pg::query::{self, Sees};
use crate::pg::rows::Fresh;
use crate::pg::scratch::scratch;
use crate::pg::{identity, operator_class, settings, tables};

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

/// Raises 23505 for the first key that a row of a newcomer shares with another row of the tree.
pub fn refuse_in_newcomer(constraint: &Constraint, newcomer: &Member) -> Result<()> {
    if !may_act_as(constraint.owner)? {
        return refuse_without_query(constraint, newcomer);
    }
    let (new, old) = (qualified(constraint, "n"), qualified(constraint, "o"));
    let mut matches = Vec::new();
    for ((column, n), o) in constraint.columns.iter().zip(&new).zip(&old) {
        let data_type = column_number(constraint.root, column).map(|c| column_type(constraint.root, c));
        match data_type.and_then(|t| operator_class::of_type(t).equality) {
            Some(equal) => matches.push(format!("{n} {equal} {o}")),
            None => return refuse_in_tree(constraint, &[], Occasion::Create),
        }
    }
    matches.push("(n.tableoid, n.ctid) <> (o.tableoid, o.ctid)".to_owned());
    // The owner of the tree may not be allowed to read the newcomer itself, or not all of it; through the tree he is.
    let (from, only) = if newcomer.owner == constraint.owner {
        (newcomer.relation.as_str(), String::new())
    } else {
        (
            constraint.relation.as_str(),
            format!(
                " AND n.tableoid IN (WITH RECURSIVE below(relation) AS (SELECT '{}'::pg_catalog.oid UNION
                   SELECT i.inhrelid FROM below JOIN pg_catalog.pg_inherits i ON i.inhparent = below.relation)
                   SELECT relation FROM below)",
                newcomer.oid.to_u32()
            ),
        )
    };
    let sql = format!(
        "SELECT {} FROM {from} AS n JOIN {} AS o ON {} WHERE {}{only}",
        key_text(&new),
        constraint.relation,
        matches.join(" AND "),
        no_nulls(&new),
    );
    refuse_first(constraint, &sql, Occasion::Create)
}

/// Whether the caller could run the query himself as that role.
fn may_act_as(role: Oid) -> Result<bool> {
    let sql = format!("SELECT pg_catalog.pg_has_role('{}'::pg_catalog.oid, 'USAGE')", role.to_u32());
    Ok(query::rows(&sql, Sees::Latest, 1)?.first().is_some_and(|row| row.flag(0)))
}

/// The same row by row, in indexes. To plan a query evaluates functions in CHECKs and predicates of the tables: the owner
/// of a newcomer could run code of his as the owner of the tree. The gate is shut.
fn refuse_without_query(constraint: &Constraint, newcomer: &Member) -> Result<()> {
    let function = tables::advisor_function(c"check_global_unique");
    let mut known = members::of(constraint.id(), function, &constraint.root_columns());
    let Some(home) = known.position(newcomer.oid) else { return Ok(()) };
    let columns = known.members[home].columns().to_vec();
    let snapshot = Fresh::take();
    let mut duplicate = None;
    each_key(newcomer.oid, &columns, |values| {
        scratch(|| {
            let of_key = known.key.columns.iter().zip(values);
            let key: Vec<Datum> = of_key.map(|(column, &value)| column.plain(value)).collect();
            let rows = loop {
                match count(&known, &key, &snapshot) {
                    Some(rows) => break rows,
                    None => known = known.reloaded(),
                }
            };
            if rows > 1 {
                let columns = known.key.columns.iter().zip(&key);
                let values = columns.map(|(c, &value)| from_server(column::text(c.type_id, value).to_bytes()));
                duplicate = Some(values.collect::<Vec<_>>().join(", "));
            }
        });
        duplicate.is_none()
    });
    snapshot.done();
    match duplicate {
        Some(key) => Err(violated(constraint, &key, Occasion::Create)?),
        None => Ok(()),
    }
}

/// How many rows of the tree have the key, two being enough. `None`: the tree has changed.
fn count(known: &members::Constraint, key: &[Datum], snapshot: &Fresh) -> Option<usize> {
    let mut rows = 0;
    for member in &known.members {
        rows += visit(known, member, |serving| member.place(serving).count(&known.key, key, snapshot).rows)?;
        if rows > 1 {
            break;
        }
    }
    Some(rows)
}

fn refuse_first(constraint: &Constraint, sql: &str, occasion: Occasion) -> Result<()> {
    let found = identity::acting_as_table_owner(constraint.owner, || {
        settings::with_maintenance_memory(|| query::rows(sql, Sees::Latest, 1))
    })?;
    match found.first() {
        Some(row) => Err(violated(constraint, &row.text(0), occasion)?),
        None => Ok(()),
    }
}

fn violated(constraint: &Constraint, key: &str, occasion: Occasion) -> Result<ErrorReport> {
    let name = &constraint.name;
    Ok(constraint_error::report(Violation {
        code: PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION,
        message: match occasion {
            Occasion::Create => format!("could not create unique constraint \"{name}\""),
            Occasion::Validate => format!("could not validate unique constraint \"{name}\""),
        },
        detail: Some(if may_read(constraint)? {
            format!("Key ({})=({key}) is duplicated.", constraint.column_list())
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
