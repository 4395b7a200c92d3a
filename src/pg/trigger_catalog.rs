//! What no statement does to a trigger: PostgreSQL does it to those of its own foreign keys.

use std::ffi::c_char;

use pgrx::pg_sys::{self, Datum, Oid};

/// pg_constraint, which pgrx does not bind.
const CONSTRAINTS: Oid = Oid::from_u32(2606);
const CONSTRAINT_PARENT: &std::ffi::CStr = c"conparentid";

/// Drops a trigger that PostgreSQL made for a partition which has been detached since. Its DETACH leaves triggers with FROM
/// alone, taking them for parts of a foreign key; and it refuses to drop one that depends on the parent's.
pub fn drop_clone(trigger: Oid) {
    let object = pg_sys::ObjectAddress { classId: pg_sys::TriggerRelationId, objectId: trigger, objectSubId: 0 };
    // SAFETY: deletes rows of catalogs, as DropClonedTriggersFromPartition does; the caller's transaction has the trigger's
    // table locked.
    unsafe {
        for (class, kind) in [
            (pg_sys::TriggerRelationId, pg_sys::DependencyType::DEPENDENCY_PARTITION_PRI),
            (pg_sys::RelationRelationId, pg_sys::DependencyType::DEPENDENCY_PARTITION_SEC),
        ] {
            pg_sys::deleteDependencyRecordsForClass(pg_sys::TriggerRelationId, trigger, class, kind as c_char);
        }
        pg_sys::CommandCounterIncrement();
        pg_sys::performDeletion(&object, pg_sys::DropBehavior::DROP_RESTRICT, pg_sys::PERFORM_DELETION_INTERNAL as i32);
        pg_sys::CommandCounterIncrement();
    }
}

/// Makes one constraint a part of another: SET CONSTRAINTS of that one reaches it as well, whatever its name and schema.
/// Nothing else reads this of constraint triggers.
pub fn make_part(constraint: Oid, whole: Oid) {
    // SAFETY: the tuple is a copy in the current memory context; the new one has the catalog's descriptor. The column is
    // an OID and never NULL.
    unsafe {
        let none = Datum::null();
        let cache = pg_sys::SysCacheIdentifier::CONSTROID as i32;
        let tuple = pg_sys::SearchSysCacheCopy(cache, constraint.into(), none, none, none);
        if tuple.is_null() {
            return;
        }
        let mut column = i32::from(pg_sys::get_attnum(CONSTRAINTS, CONSTRAINT_PARENT.as_ptr()));
        let catalog = pg_sys::table_open(CONSTRAINTS, pg_sys::RowExclusiveLock as i32);
        let mut is_null = false;
        let before = pg_sys::heap_getattr(tuple, column, (*catalog).rd_att, &mut is_null);
        if before != Datum::from(whole) {
            let mut value = Datum::from(whole);
            let changed =
                pg_sys::heap_modify_tuple_by_cols(tuple, (*catalog).rd_att, 1, &mut column, &mut value, &mut is_null);
            pg_sys::CatalogTupleUpdate(catalog, &mut (*changed).t_self, changed);
            pg_sys::CommandCounterIncrement();
        }
        pg_sys::table_close(catalog, pg_sys::RowExclusiveLock as i32);
    }
}
