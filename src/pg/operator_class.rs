//! Default operator classes, found the way Citus finds them (`SupportFunctionForColumn`).

use std::ffi::CStr;

use pgrx::pg_sys;
use pgrx::pg_sys::Oid;

use super::encoding::from_server;

/// `HASHSTANDARD_PROC`
const HASH_FUNCTION: i16 = 1;

/// What hash distribution needs of a type.
#[derive(Clone, Default)]
pub struct TypeSupport {
    pub hash_class: bool,
    pub hash_function: bool,
    pub btree_class: bool,
    /// `OPERATOR(schema.=)`
    pub equality: Option<String>,
}

/// Support of a type; a domain is looked through.
pub fn of_type(data_type: Oid) -> TypeSupport {
    let hash = default_class(data_type, pg_sys::HASH_AM_OID);
    // SAFETY: syscache look-ups by the OID of an operator class that was just found there.
    let hash_function = hash != Oid::INVALID
        && unsafe {
            let input = pg_sys::get_opclass_input_type(hash);
            let family = pg_sys::get_opclass_family(hash);
            pg_sys::get_opfamily_proc(family, input, input, HASH_FUNCTION) != Oid::INVALID
        };
    TypeSupport {
        hash_class: hash != Oid::INVALID,
        hash_function,
        btree_class: default_class(data_type, pg_sys::BTREE_AM_OID) != Oid::INVALID,
        equality: equality(data_type),
    }
}

/// `GetDefaultOpClass()`; `Oid::INVALID` where the type has none, or is gone meanwhile.
pub fn default_class(data_type: Oid, access_method: Oid) -> Oid {
    // SAFETY: both read the system catalogs; `get_typisdefined` keeps the second from failing for a missing type.
    unsafe {
        if pg_sys::get_typisdefined(data_type) {
            pg_sys::GetDefaultOpClass(data_type, access_method)
        } else {
            Oid::INVALID
        }
    }
}

/// The operator that the type's own classes call equality, with its schema.
fn equality(data_type: Oid) -> Option<String> {
    // SAFETY: the type exists, so its cache entry can be made. The operator, if there is one, was just found;
    // a missing one is formatted as its number, which has no parenthesis. The text is palloc'd and terminated.
    let text = unsafe {
        if !pg_sys::get_typisdefined(data_type) {
            return None;
        }
        let entry = pg_sys::lookup_type_cache(data_type, pg_sys::TYPECACHE_EQ_OPR as std::ffi::c_int);
        if (*entry).eq_opr == Oid::INVALID {
            return None;
        }
        from_server(CStr::from_ptr(pg_sys::format_operator_qualified((*entry).eq_opr)).to_bytes())
    };
    // `pg_catalog.=(integer,integer)`: names of types may hold a parenthesis, operators may not.
    let end = end_of_operator(&text)?;
    Some(format!("OPERATOR({})", &text[..end]))
}

/// Where the arguments begin in `"a(b".=(integer,integer)`.
fn end_of_operator(text: &str) -> Option<usize> {
    let mut quoted = false;
    text.char_indices().find_map(|(at, c)| {
        quoted ^= c == '"';
        (c == '(' && !quoted).then_some(at)
    })
}
