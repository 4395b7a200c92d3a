//! The error, as PostgreSQL would raise it for an index of its own.

use std::ffi::CString;

use pgrx::PgSqlErrorCode;
use pgrx::pg_sys::{Datum, Oid};

use super::members::{Constraint, trigger_of};
use crate::pg::column;
use crate::pg::raise::Violation;

/// 23505 for a key that a row of `table` shares with another row of the tree. `columns`: the key's in `table`.
/// Mirrors `_bt_check_unique` and `BuildIndexValueDescription`.
pub fn duplicate_key(constraint: &Constraint, table: Oid, columns: &[i16], key: &[Datum]) -> Box<Violation> {
    // The root's constraint has the name: RENAME CONSTRAINT reaches neither triggers nor partitions.
    let name = [constraint.id.root, table].into_iter().find_map(|table| {
        let trigger = trigger_of(table, constraint.function, constraint.id.token)?;
        Some(column::constraint_name(trigger.constraint).unwrap_or(trigger.name))
    });
    Box::new(Violation {
        sqlstate: PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION,
        message: c"duplicate key value violates unique constraint \"%s\"",
        arguments: vec![name.clone().unwrap_or_default()],
        constraint: name.unwrap_or_default(),
        table,
        detail: column::may_be_shown(table, columns).then(|| already_exists(constraint, table, columns, key)),
        hint: None,
    })
}

fn already_exists(constraint: &Constraint, table: Oid, columns: &[i16], key: &[Datum]) -> CString {
    let names: Vec<CString> =
        columns.iter().filter_map(|&number| column::name(table, number)).map(|name| column::quoted(&name)).collect();
    let values: Vec<CString> =
        constraint.key.columns.iter().zip(key).map(|(column, &value)| column::text(column.type_id, value)).collect();
    let mut detail = b"Key (".to_vec();
    detail.extend(joined(&names));
    detail.extend(b")=(");
    detail.extend(joined(&values));
    detail.extend(b") already exists.");
    CString::new(detail).unwrap_or_default()
}

fn joined(parts: &[CString]) -> Vec<u8> {
    parts.iter().map(|part| part.to_bytes()).collect::<Vec<_>>().join(&b", "[..])
}
