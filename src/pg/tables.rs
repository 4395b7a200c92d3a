//! Tables as the server's caches have them: locks, indexes, dependencies.

use std::ffi::{CStr, CString};

use pgrx::pg_sys;
use pgrx::pg_sys::Oid;

use super::encoding::{from_server, to_server};

/// pg_depend, its index on what is referenced, and the numbers of that index' columns in the table.
const DEPEND: Oid = Oid::from_u32(2608);
const DEPEND_REFERENCE_INDEX: Oid = Oid::from_u32(2674);
const REFERENCED_CLASS: i16 = 4;
const REFERENCED_OBJECT: i16 = 5;

/// Locks a table to the end of the transaction; false where it is gone.
pub fn lock(table: Oid, mode: u32) -> bool {
    // SAFETY: takes a lock on an OID, whether or not something has it; then asks whether something does.
    unsafe {
        pg_sys::LockRelationOid(table, mode as i32);
        if exists(table) {
            return true;
        }
        pg_sys::UnlockRelationOid(table, mode as i32);
        false
    }
}

fn exists(table: Oid) -> bool {
    // SAFETY: a look-up in a cache.
    unsafe {
        pg_sys::SearchSysCacheExists(
            pg_sys::SysCacheIdentifier::RELOID as i32,
            table.into(),
            pg_sys::Datum::null(),
            pg_sys::Datum::null(),
            pg_sys::Datum::null(),
        )
    }
}

/// Has all backends read again what they know of a table.
pub fn forget_cached(table: Oid) {
    // SAFETY: the entry is looked up under the same caches that the call reads.
    unsafe {
        if exists(table) {
            pg_sys::CacheInvalidateRelcacheByRelid(table);
        }
    }
}

/// The name of a schema's relation that is still free: `table_columns_label`, cut and numbered as PostgreSQL does.
pub fn free_relation_name(table: &str, columns: &str, label: &str, schema: Oid) -> String {
    let (table, columns, label) = (c_string(table), c_string(columns), c_string(label));
    // SAFETY: the strings are terminated; the result is palloc'd.
    unsafe {
        let name = pg_sys::ChooseRelationName(table.as_ptr(), columns.as_ptr(), label.as_ptr(), schema, false);
        from_server(CStr::from_ptr(name).to_bytes())
    }
}

/// `table_columns_label`, cut as PostgreSQL cuts names that it makes.
pub fn made_name(table: &str, columns: &str, label: &str) -> String {
    let (table, columns, label) = (c_string(table), c_string(columns), c_string(label));
    // SAFETY: as above.
    unsafe {
        let name = pg_sys::makeObjectName(table.as_ptr(), columns.as_ptr(), label.as_ptr());
        from_server(CStr::from_ptr(name).to_bytes())
    }
}

fn c_string(text: &str) -> CString {
    CString::new(to_server(text)).unwrap_or_default()
}

/// Makes an index go when the trigger goes.
pub fn index_goes_with_trigger(index: Oid, trigger: Oid) {
    let index = pg_sys::ObjectAddress { classId: pg_sys::RelationRelationId, objectId: index, objectSubId: 0 };
    let trigger = pg_sys::ObjectAddress { classId: pg_sys::TriggerRelationId, objectId: trigger, objectSubId: 0 };
    // SAFETY: both exist, as this transaction made them or holds locks on their table.
    unsafe { pg_sys::recordDependencyOn(&index, &trigger, pg_sys::DependencyType::DEPENDENCY_AUTO) };
}

/// Makes an index stay when a trigger goes.
pub fn index_stays_without_trigger(index: Oid) {
    // SAFETY: deletes rows of a catalog; the caller holds locks on the index' table.
    unsafe {
        pg_sys::deleteDependencyRecordsForClass(
            pg_sys::RelationRelationId,
            index,
            pg_sys::TriggerRelationId,
            pg_sys::DependencyType::DEPENDENCY_AUTO as std::ffi::c_char,
        );
    }
}

/// Whether a trigger executes a function: one look into an index.
pub fn function_is_used(function: Oid) -> bool {
    let keys = [(REFERENCED_CLASS, pg_sys::ProcedureRelationId), (REFERENCED_OBJECT, function)];
    // classid is the first column.
    any_row(DEPEND, DEPEND_REFERENCE_INDEX, &keys, |first| first == pg_sys::TriggerRelationId)
}

/// Whether a table has triggers, or had some lately.
pub fn has_triggers(table: Oid) -> bool {
    // SAFETY: a look-up in a cache; the entry is released after it was read.
    unsafe {
        let none = pg_sys::Datum::null();
        let tuple = pg_sys::SearchSysCache(pg_sys::SysCacheIdentifier::RELOID as i32, table.into(), none, none, none);
        if tuple.is_null() {
            return false;
        }
        let has = (*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_class>()).relhastriggers;
        pg_sys::ReleaseSysCache(tuple);
        has
    }
}

/// Whether a catalog has a row with these OIDs in these columns, the first ones of the index, whose first column passes.
fn any_row(catalog: Oid, index: Oid, keys: &[(i16, Oid)], passes: impl Fn(Oid) -> bool) -> bool {
    // SAFETY: reads a catalog through one of its indexes; keys, scan and relation are local and closed. The first column of
    // these catalogs is an OID that is never NULL. An error on the way ends the transaction, which releases what is open.
    unsafe {
        let relation = pg_sys::table_open(catalog, pg_sys::AccessShareLock as i32);
        let mut scan_keys = vec![pg_sys::ScanKeyData::default(); keys.len()];
        for (key, (column, value)) in scan_keys.iter_mut().zip(keys) {
            let equal = pg_sys::BTEqualStrategyNumber as u16;
            pg_sys::ScanKeyInit(key, *column, equal, Oid::from(pg_sys::F_OIDEQ), (*value).into());
        }
        let (snapshot, count) = (std::ptr::null_mut(), scan_keys.len() as i32);
        let scan = pg_sys::systable_beginscan(relation, index, true, snapshot, count, scan_keys.as_mut_ptr());
        let mut found = false;
        while !found {
            let tuple = pg_sys::systable_getnext(scan);
            if tuple.is_null() {
                break;
            }
            found = passes(*pg_sys::GETSTRUCT(tuple).cast::<Oid>());
        }
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(relation, pg_sys::AccessShareLock as i32);
        found
    }
}

/// The OID of a function of schema `advisor` that takes no arguments.
pub fn advisor_function(name: &CStr) -> Oid {
    // SAFETY: look-ups by terminated names; the vector of no types is palloc'd.
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"advisor".as_ptr(), true);
        if schema == Oid::INVALID {
            return Oid::INVALID;
        }
        pg_sys::GetSysCacheOid(
            pg_sys::SysCacheIdentifier::PROCNAMEARGSNSP as i32,
            pg_sys::Anum_pg_proc_oid as i16,
            pg_sys::Datum::from(name.as_ptr()),
            pg_sys::Datum::from(pg_sys::buildoidvector(std::ptr::null(), 0)),
            schema.into(),
            pg_sys::Datum::null(),
        )
    }
}

/// Whether a table of schema `advisor` has no pages, or is not there.
pub fn advisor_table_is_empty(name: &CStr) -> bool {
    // SAFETY: look-ups by terminated names; the table stays locked while it is open.
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"advisor".as_ptr(), true);
        if schema == Oid::INVALID {
            return true;
        }
        let table = pg_sys::get_relname_relid(name.as_ptr(), schema);
        if table == Oid::INVALID {
            return true;
        }
        let relation = pg_sys::try_relation_open(table, pg_sys::AccessShareLock as i32);
        if relation.is_null() {
            return true;
        }
        let pages = pg_sys::RelationGetNumberOfBlocksInFork(relation, pg_sys::ForkNumber::MAIN_FORKNUM);
        pg_sys::relation_close(relation, pg_sys::AccessShareLock as i32);
        pages == 0
    }
}

/// Whether a table has no pages at all, as after TRUNCATE; a partitioned one never has. Waits for whoever has it locked
/// exclusively.
pub fn is_empty(table: Oid) -> bool {
    // SAFETY: the table stays locked while it is open; only kinds with storage are asked for its size.
    unsafe {
        let relation = pg_sys::try_relation_open(table, pg_sys::AccessShareLock as i32);
        if relation.is_null() {
            return true;
        }
        let has_storage = (*(*relation).rd_rel).relkind as u8 == pg_sys::RELKIND_RELATION;
        let is_empty =
            !has_storage || pg_sys::RelationGetNumberOfBlocksInFork(relation, pg_sys::ForkNumber::MAIN_FORKNUM) == 0;
        pg_sys::relation_close(relation, pg_sys::AccessShareLock as i32);
        is_empty
    }
}

/// `system identifier/database`: what a dump does not take along.
pub fn this_database() -> String {
    // SAFETY: reads variables of the backend.
    unsafe { format!("{}/{}", pg_sys::GetSystemIdentifier(), pg_sys::MyDatabaseId.to_u32()) }
}

/// 64 random bits.
pub fn random_bits() -> u64 {
    let mut bytes = [0_u8; 8];
    // SAFETY: fills eight bytes.
    unsafe { pg_sys::pg_strong_random(bytes.as_mut_ptr().cast(), bytes.len()) };
    u64::from_ne_bytes(bytes)
}
