//! Columns, names and privileges of tables.

use std::ffi::{CStr, CString};

use pgrx::pg_sys::{self, Datum, Oid};

/// A column's name; `None` if there is no such column (any more).
pub fn name(table: Oid, number: i16) -> Option<CString> {
    // SAFETY: a syscache look-up; the result is a copy.
    unsafe {
        let name = pg_sys::get_attname(table, number, true);
        (!name.is_null()).then(|| CStr::from_ptr(name).to_owned())
    }
}

/// A column's number by its name.
pub fn number(table: Oid, name: &CStr) -> Option<i16> {
    // SAFETY: a syscache look-up; 0 where there is none.
    let number = unsafe { pg_sys::get_attnum(table, name.as_ptr()) };
    (number > 0).then_some(number)
}

/// A column's type and collation.
pub fn type_and_collation(table: Oid, number: i16) -> (Oid, Oid) {
    let (mut type_id, mut modifier, mut collation) = (Oid::INVALID, 0, Oid::INVALID);
    // SAFETY: a syscache look-up that raises where there is no such column.
    unsafe { pg_sys::get_atttypetypmodcoll(table, number, &mut type_id, &mut modifier, &mut collation) };
    (type_id, collation)
}

/// `pg_class.relkind`; 0 where the relation is gone.
pub fn relation_kind(relation: Oid) -> u8 {
    // SAFETY: a syscache look-up.
    unsafe { pg_sys::get_rel_relkind(relation) as u8 }
}

/// Whether other sessions cannot see the relation's rows.
pub fn is_temporary(relation: Oid) -> bool {
    // SAFETY: a syscache look-up of an existing relation, whose kind was just asked for; raises where there is none.
    unsafe {
        pg_sys::get_rel_relkind(relation) != 0
            && pg_sys::get_rel_persistence(relation) as u8 == pg_sys::RELPERSISTENCE_TEMP
    }
}

/// A name as SQL wants it.
pub fn quoted(name: &CStr) -> CString {
    // SAFETY: a terminated string in, a terminated string out.
    unsafe { CStr::from_ptr(pg_sys::quote_identifier(name.as_ptr())).to_owned() }
}

/// A value as its type writes it, under the session's settings.
pub fn text(type_id: Oid, value: Datum) -> CString {
    // SAFETY: the value is of the type.
    unsafe {
        let (mut output, mut is_varlena) = (Oid::INVALID, false);
        pg_sys::getTypeOutputInfo(type_id, &mut output, &mut is_varlena);
        CStr::from_ptr(pg_sys::OidOutputFunctionCall(output, value)).to_owned()
    }
}

/// Whether the current user may see these columns of every row: `BuildIndexValueDescription` asks the same before it
/// puts values into a message.
pub fn may_be_shown(table: Oid, columns: &[i16]) -> bool {
    const RLS_ENABLED: i32 = 2;
    // SAFETY: catalog look-ups of an existing table.
    unsafe {
        if pg_sys::check_enable_rls(table, Oid::INVALID, true) == RLS_ENABLED {
            return false;
        }
        let user = pg_sys::GetUserId();
        let select = pg_sys::ACL_SELECT as pg_sys::AclMode;
        pg_sys::pg_class_aclcheck(table, user, select) == pg_sys::AclResult::ACLCHECK_OK
            || columns.iter().all(|&column| {
                pg_sys::pg_attribute_aclcheck(table, column, user, select) == pg_sys::AclResult::ACLCHECK_OK
            })
    }
}

/// The relation of this name in the schema of a function.
pub fn relation_beside(function: Oid, name: &CStr) -> Option<Oid> {
    // SAFETY: syscache look-ups; a terminated name.
    let oid = unsafe { pg_sys::get_relname_relid(name.as_ptr(), pg_sys::get_func_namespace(function)) };
    (oid != Oid::INVALID).then_some(oid)
}

/// A type's name as SQL wants it.
pub fn type_name(type_id: Oid) -> CString {
    // SAFETY: a look-up that answers "???" for what does not exist; the result is a terminated copy.
    unsafe { CStr::from_ptr(pg_sys::format_type_be(type_id)).to_owned() }
}

/// A constraint's name; `None` if there is no such constraint.
pub fn constraint_name(constraint: Oid) -> Option<CString> {
    // SAFETY: a syscache look-up that answers NULL where there is none; the result is a terminated copy.
    unsafe {
        let name = pg_sys::get_constraint_name(constraint);
        (!name.is_null()).then(|| CStr::from_ptr(name).to_owned())
    }
}

/// A table's name; `None` where it is gone.
pub fn relation_name(relation: Oid) -> Option<CString> {
    // SAFETY: a syscache look-up that answers NULL where there is none; the result is a terminated copy.
    unsafe {
        let name = pg_sys::get_rel_name(relation);
        (!name.is_null()).then(|| CStr::from_ptr(name).to_owned())
    }
}

/// A table's name with its schema, as SQL wants it; empty where it is gone.
pub fn qualified_name(relation: Oid) -> CString {
    // SAFETY: syscache look-ups that answer NULL where there is nothing; terminated strings in and out.
    unsafe {
        let name = pg_sys::get_rel_name(relation);
        let schema = pg_sys::get_namespace_name(pg_sys::get_rel_namespace(relation));
        if name.is_null() || schema.is_null() {
            return CString::default();
        }
        CStr::from_ptr(pg_sys::quote_qualified_identifier(schema, name)).to_owned()
    }
}

/// A table's owner; invalid where it is gone.
pub fn owner(relation: Oid) -> Oid {
    // SAFETY: a look-up in a cache; the entry is released after it was read.
    unsafe {
        let none = Datum::null();
        let tuple =
            pg_sys::SearchSysCache(pg_sys::SysCacheIdentifier::RELOID as i32, relation.into(), none, none, none);
        if tuple.is_null() {
            return Oid::INVALID;
        }
        let owner = (*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_class>()).relowner;
        pg_sys::ReleaseSysCache(tuple);
        owner
    }
}

/// Whether a collation calls equal only what has the same bytes; also where there is none.
pub fn is_deterministic(collation: Oid) -> bool {
    // SAFETY: a syscache look-up of a collation that a column has.
    collation == Oid::INVALID || unsafe { pg_sys::get_collation_isdeterministic(collation) }
}

/// A collation's name with its schema, as SQL wants it.
pub fn qualified_collation(collation: Oid) -> CString {
    // SAFETY: a look-up in a cache; what was read is copied before the entry is released.
    unsafe {
        let none = Datum::null();
        let tuple =
            pg_sys::SearchSysCache(pg_sys::SysCacheIdentifier::COLLOID as i32, collation.into(), none, none, none);
        if tuple.is_null() {
            return CString::default();
        }
        let form = &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_collation>();
        let schema = pg_sys::get_namespace_name(form.collnamespace);
        let name = pg_sys::quote_qualified_identifier(schema, form.collname.data.as_ptr());
        let name = CStr::from_ptr(name).to_owned();
        pg_sys::ReleaseSysCache(tuple);
        name
    }
}
