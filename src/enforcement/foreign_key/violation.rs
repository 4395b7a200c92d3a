//! The errors, as PostgreSQL would raise them for a foreign key of its own: `ri_ReportViolation`.

use std::ffi::CString;

use pgrx::PgSqlErrorCode;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::{Datum, Oid};

use super::binding::{Referenced, Referencing, name_of};
use crate::pg::column;
use crate::pg::key::KeyType;
use crate::pg::raise::Violation;

const NO_REFERENCED_ROW: &std::ffi::CStr = c"insert or update on table \"%s\" violates foreign key constraint \"%s\"";
const STILL_REFERENCED: &std::ffi::CStr =
    c"update or delete on table \"%s\" violates foreign key constraint \"%s\" on table \"%s\"";

/// 23503: a referencing row without a referenced one.
pub fn not_present(from: &Referencing, key: &[Datum]) -> Box<Violation> {
    let referenced = relation_name(from.referenced.id.root);
    let mut detail = shown(from.table, &from.columns, &from.key, key);
    detail.extend(b" is not present in table \"");
    detail.extend(referenced.as_bytes());
    detail.extend(b"\".");
    referencing(from, CString::new(detail).unwrap_or_default())
}

/// 23503: MATCH FULL, and a part of the key is NULL.
pub fn partly_null(from: &Referencing) -> Box<Violation> {
    referencing(from, c"MATCH FULL does not allow mixing of null and nonnull key values.".to_owned())
}

fn referencing(from: &Referencing, detail: CString) -> Box<Violation> {
    let constraint = name_of(from.constraint);
    Box::new(Violation {
        sqlstate: PgSqlErrorCode::ERRCODE_FOREIGN_KEY_VIOLATION,
        message: NO_REFERENCED_ROW,
        arguments: vec![relation_name(from.table), constraint.clone()],
        constraint,
        table: from.table,
        detail: Some(detail),
        hint: None,
    })
}

/// A referenced row that cannot go, or change its key.
pub fn still_referenced(to: &Referenced, key: &[Datum], restricted: bool) -> Box<Violation> {
    let constraint = name_of(to.constraint);
    let referencing = relation_name(to.referencing);
    let mut detail = shown(to.table, &to.columns, &to.tree.key, key);
    detail.extend(b" is still referenced from table \"");
    detail.extend(referencing.as_bytes());
    detail.extend(b"\".");
    Box::new(Violation {
        sqlstate: if restricted && cfg!(feature = "pg18") {
            PgSqlErrorCode::ERRCODE_RESTRICT_VIOLATION
        } else {
            PgSqlErrorCode::ERRCODE_FOREIGN_KEY_VIOLATION
        },
        message: STILL_REFERENCED,
        arguments: vec![relation_name(to.table), constraint.clone(), referencing],
        constraint,
        table: to.referencing,
        detail: Some(CString::new(detail).unwrap_or_default()),
        hint: None,
    })
}

/// `Key (a, b)=(1, x)`, or just `Key` for those who may not read the values.
fn shown(table: Oid, columns: &[i16], key_type: &KeyType, key: &[Datum]) -> Vec<u8> {
    if !column::may_be_shown(table, columns) {
        return b"Key".to_vec();
    }
    let names: Vec<CString> = columns.iter().filter_map(|&number| column::name(table, number)).collect();
    let values: Vec<CString> =
        key_type.columns.iter().zip(key).map(|(column, &value)| column::text(column.type_id, value)).collect();
    let joined = |parts: &[CString]| parts.iter().map(|part| part.to_bytes()).collect::<Vec<_>>().join(&b", "[..]);
    [b"Key (", &joined(&names)[..], b")=(", &joined(&values)[..], b")"].concat()
}

/// 0A000: which new key the referencing rows should get is not known.
pub fn move_with_new_key(to: &Referenced) -> ! {
    let name = |text: CString| text.to_string_lossy().into_owned();
    let (table, constraint) = (name(relation_name(to.table)), name(name_of(to.constraint)));
    std::panic::panic_any(
        ErrorReport::new(
            PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            format!("cannot change a referenced key and move its row out of partition \"{table}\" in one UPDATE"),
            "",
        )
        .set_detail(format!("Foreign key \"{constraint}\" is ON UPDATE CASCADE, and PostgreSQL does not tell a trigger where the row has moved."))
        .set_hint("Change the key in one UPDATE, and what decides the partition in another."),
    )
}

/// 0A000, as PostgreSQL says it (`heap_truncate_check_FKs`). `can_cascade`: CASCADE would have been heard.
pub fn truncated(referenced: Oid, referencing: Oid, can_cascade: bool) -> Box<Violation> {
    let (to, from) = (relation_name(referenced), relation_name(referencing));
    let detail = [b"Table \"", from.as_bytes(), b"\" references \"", to.as_bytes(), b"\"."].concat();
    let end: &[u8] = if can_cascade { b", or use TRUNCATE ... CASCADE." } else { b"." };
    let hint = [b"Truncate table \"", from.as_bytes(), b"\" at the same time", end].concat();
    Box::new(Violation {
        sqlstate: PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
        message: c"cannot truncate a table referenced in a foreign key constraint",
        arguments: Vec::new(),
        constraint: CString::default(),
        table: referenced,
        detail: Some(CString::new(detail).unwrap_or_default()),
        hint: Some(CString::new(hint).unwrap_or_default()),
    })
}

pub fn relation_name(table: Oid) -> CString {
    column::relation_name(table).unwrap_or_default()
}
