//! Which optional catalogs this database has.

use std::ffi::CStr;

use pgrx::pg_sys;
use pgrx::pg_sys::Oid;

/// Whether an extension is installed in this database.
pub fn extension_exists(name: &CStr) -> bool {
    // SAFETY: `name` is terminated by a zero byte; with missing_ok nothing is raised.
    unsafe { pg_sys::get_extension_oid(name.as_ptr(), true) != Oid::INVALID }
}

/// Whether `pg_catalog` has a relation of this name.
pub fn catalog_exists(name: &CStr) -> bool {
    // SAFETY: `name` is terminated by a zero byte; a syscache look-up.
    unsafe { pg_sys::get_relname_relid(name.as_ptr(), pg_sys::PG_CATALOG_NAMESPACE.into()) != Oid::INVALID }
}
