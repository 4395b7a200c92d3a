//! Who inherits from whom, and who has which triggers: read from the catalog itself, so that no lock on a relation is
//! needed to look at it.

use std::ffi::{CStr, CString};

use pgrx::pg_sys::{self, Datum, Oid};

use super::row_trigger::columns_of;

/// `catalog/pg_inherits.h`, which pgrx does not bind.
const INHERITS: u32 = 2611;
const INHERITS_BY_PARENT: u32 = 2187;
const INHERITS_BY_CHILD: u32 = 2680;
const CHILD: u32 = 1;
const PARENT: u32 = 2;

/// `FormData_pg_inherits`, as far as it is read.
#[repr(C)]
struct Inherits {
    child: Oid,
    parent: Oid,
    place: i32,
    is_detaching: bool,
}

/// A table that inherits from another one.
#[derive(Clone, Copy)]
pub struct Child {
    pub table: Oid,
    /// DETACH CONCURRENTLY has begun: queries of the parent no longer see its rows.
    pub is_detaching: bool,
}

/// The tables that inherit from `parent` directly, partitions among them; also one whose detaching is under way.
pub fn children(parent: Oid) -> Vec<Child> {
    let mut found = Vec::new();
    scan(INHERITS.into(), INHERITS_BY_PARENT, PARENT, parent, |tuple, _| {
        // SAFETY: a tuple of pg_inherits.
        let link = unsafe { &*pg_sys::GETSTRUCT(tuple).cast::<Inherits>() };
        found.push(Child { table: link.child, is_detaching: link.is_detaching });
    });
    found.sort_unstable_by_key(|child: &Child| child.table.to_u32());
    found
}

/// The tables that `child` inherits from directly.
pub fn parents(child: Oid) -> Vec<Oid> {
    let mut found = Vec::new();
    scan(INHERITS.into(), INHERITS_BY_CHILD, CHILD, child, |tuple, _| {
        // SAFETY: as above.
        found.push(unsafe { (*pg_sys::GETSTRUCT(tuple).cast::<Inherits>()).parent });
    });
    found.sort_unstable_by_key(|relation: &Oid| relation.to_u32());
    found
}

/// A trigger of a table.
pub struct Trigger {
    pub oid: Oid,
    pub name: CString,
    /// Its row in `pg_constraint`.
    pub constraint: Oid,
    /// Its first argument.
    pub argument: Vec<u8>,
    /// The columns that its WHEN names.
    pub columns: Vec<i16>,
    /// The table that it names by FROM.
    pub other_relation: Oid,
}

/// The triggers of `relation` that call `function` with an argument.
pub fn triggers(relation: Oid, function: Oid) -> Vec<Trigger> {
    let mut found = Vec::new();
    let each = |tuple, descriptor| {
        // SAFETY: a tuple of pg_trigger and the catalog's descriptor; tgargs is never NULL, and its strings are
        // terminated by zero bytes.
        unsafe {
            let form = &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_trigger>();
            if form.tgfoid != function || form.tgnargs < 1 {
                return;
            }
            let mut is_null = false;
            let arguments =
                pg_sys::heap_getattr(tuple, pg_sys::Anum_pg_trigger_tgargs as i32, descriptor, &mut is_null);
            let arguments: *mut pg_sys::varlena = pg_sys::pg_detoast_datum(arguments.cast_mut_ptr());
            let condition =
                pg_sys::heap_getattr(tuple, pg_sys::Anum_pg_trigger_tgqual as i32, descriptor, &mut is_null);
            let columns =
                if is_null { Vec::new() } else { columns_of(pg_sys::text_to_cstring(condition.cast_mut_ptr())) };
            found.push(Trigger {
                oid: form.oid,
                constraint: form.tgconstraint,
                name: CStr::from_ptr(form.tgname.data.as_ptr()).to_owned(),
                argument: CStr::from_ptr(pgrx::vardata_any(arguments)).to_bytes().to_vec(),
                columns,
                other_relation: form.tgconstrrelid,
            });
        }
    };
    scan(pg_sys::TriggerRelationId, pg_sys::TriggerRelidNameIndexId, pg_sys::Anum_pg_trigger_tgrelid, relation, each);
    found
}

/// Calls `each` for the tuples of a catalog whose column `attribute` is `value`.
fn scan(
    catalog: Oid,
    index: u32,
    attribute: u32,
    value: Oid,
    mut each: impl FnMut(pg_sys::HeapTuple, pg_sys::TupleDesc),
) {
    // SAFETY: catalog, index and column belong together by the callers above; tuples are used before the next.
    unsafe {
        let relation = pg_sys::table_open(catalog, pg_sys::AccessShareLock as i32);
        let mut key = pg_sys::ScanKeyData::default();
        pg_sys::ScanKeyInit(
            &mut key,
            attribute as i16,
            pg_sys::BTEqualStrategyNumber as u16,
            pg_sys::F_OIDEQ.into(),
            Datum::from(value),
        );
        let scan = pg_sys::systable_beginscan(relation, index.into(), true, std::ptr::null_mut(), 1, &mut key);
        loop {
            let tuple = pg_sys::systable_getnext(scan);
            if tuple.is_null() {
                break;
            }
            each(tuple, (*relation).rd_att);
        }
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(relation, pg_sys::AccessShareLock as i32);
    }
}
