//! Default operator classes, found the way Citus finds them (`SupportFunctionForColumn`).

use pgrx::pg_sys;
use pgrx::pg_sys::Oid;

/// `HASHSTANDARD_PROC`
const HASH_FUNCTION: i16 = 1;

/// What hash distribution needs of a type.
#[derive(Clone, Copy, Default)]
pub struct TypeSupport {
    pub hash_class: bool,
    pub hash_function: bool,
    pub btree_class: bool,
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
