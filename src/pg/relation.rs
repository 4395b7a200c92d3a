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

/// Whether there is such a relation, and the current role may read it.
pub fn may_be_read(schema: &CStr, name: &CStr) -> bool {
    // SAFETY: the names are terminated by a zero byte; with missing_ok nothing is raised for them, and the look-ups of
    // privileges are made for objects that were just found.
    unsafe {
        let schema = pg_sys::get_namespace_oid(schema.as_ptr(), true);
        if schema == Oid::INVALID {
            return false;
        }
        let relation = pg_sys::get_relname_relid(name.as_ptr(), schema);
        let role = pg_sys::GetUserId();
        relation != Oid::INVALID
            && may_be_entered(schema, role)
            && pg_sys::pg_class_aclcheck(relation, role, pg_sys::ACL_SELECT as pg_sys::AclMode)
                == pg_sys::AclResult::ACLCHECK_OK
    }
}

#[cfg(feature = "pg15")]
unsafe fn may_be_entered(schema: Oid, role: Oid) -> bool {
    // SAFETY: as the caller's.
    unsafe {
        pg_sys::pg_namespace_aclcheck(schema, role, pg_sys::ACL_USAGE as pg_sys::AclMode)
            == pg_sys::AclResult::ACLCHECK_OK
    }
}

#[cfg(not(feature = "pg15"))]
unsafe fn may_be_entered(schema: Oid, role: Oid) -> bool {
    // SAFETY: as the caller's.
    unsafe {
        pg_sys::object_aclcheck(pg_sys::NamespaceRelationId, schema, role, pg_sys::ACL_USAGE.into())
            == pg_sys::AclResult::ACLCHECK_OK
    }
}
