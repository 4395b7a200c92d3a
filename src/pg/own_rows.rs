//! Rows of our own bookkeeping tables, read and written without SQL: no name, no setting and no role comes in between.

use pgrx::pg_sys;
use pgrx::pg_sys::{Datum, Oid, Snapshot};

use super::rows::{attribute, begin_index_scan};

/// Calls `each` for the rows of an own table whose leading index columns are equal to `keys`: by what is committed at the
/// moment of the look, or this transaction's own. Unlike a query's snapshot this takes no predicate locks: bookkeeping of
/// ours must not make serializable transactions of others fail. The caller has table and index locked.
pub fn read_committed_now(table: Oid, index: Oid, keys: &[(u32, Datum)], mut each: impl FnMut(OwnRow)) {
    // SAFETY: both are locked by the caller; closed below, or by the abort. The equality functions are those of the index
    // columns' types.
    unsafe {
        let table = pg_sys::table_open(table, pg_sys::NoLock as i32);
        let index = pg_sys::index_open(index, pg_sys::NoLock as i32);
        let mut scan_keys = [pg_sys::ScanKeyData::default(); 2];
        for (number, &(equal, value)) in keys.iter().enumerate() {
            let strategy = pg_sys::BTEqualStrategyNumber as u16;
            pg_sys::ScanKeyInit(&mut scan_keys[number], number as i16 + 1, strategy, equal.into(), value);
        }
        let slot = pg_sys::table_slot_create(table, std::ptr::null_mut());
        let snapshot: Snapshot = &raw mut pg_sys::SnapshotSelfData;
        let scan = begin_index_scan(table, index, snapshot, keys.len() as i32);
        pg_sys::index_rescan(scan, scan_keys.as_mut_ptr(), keys.len() as i32, std::ptr::null_mut(), 0);
        while pg_sys::index_getnext_slot(scan, pg_sys::ScanDirection::ForwardScanDirection, slot) {
            each(OwnRow(slot));
        }
        pg_sys::index_endscan(scan);
        pg_sys::ExecDropSingleTupleTableSlot(slot);
        pg_sys::index_close(index, pg_sys::NoLock as i32);
        pg_sys::table_close(table, pg_sys::NoLock as i32);
    }
}

/// A row of one of our own tables.
#[derive(Clone, Copy)]
pub struct OwnRow(*mut pg_sys::TupleTableSlot);

impl OwnRow {
    /// A column that is passed by value, by its number from 1.
    pub fn value(self, number: i16) -> Option<usize> {
        // SAFETY: the slot holds a row of the table during the call; callers know its columns.
        unsafe { attribute(self.0, number) }.map(|datum| datum.value())
    }
}

/// Inserts rows into a bookkeeping table, and their entries into its indexes, which are plain ones; `None` is NULL. Values
/// are of types that are passed by value. As Citus writes its `pg_dist_…` tables.
pub fn insert<const COLUMNS: usize>(table: Oid, rows: impl Iterator<Item = [Option<Datum>; COLUMNS]>) {
    // SAFETY: the table is locked as for INSERT to the end of the transaction, and has this many columns; heap_form_tuple
    // copies the values.
    unsafe {
        let table = pg_sys::table_open(table, pg_sys::RowExclusiveLock as i32);
        let indexes = pg_sys::CatalogOpenIndexes(table);
        for row in rows {
            let mut values = row.map(|value| value.unwrap_or(Datum::from(0)));
            let mut nulls = row.map(|value| value.is_none());
            let tuple = pg_sys::heap_form_tuple((*table).rd_att, values.as_mut_ptr(), nulls.as_mut_ptr());
            pg_sys::CatalogTupleInsertWithInfo(table, tuple, indexes);
            pg_sys::heap_freetuple(tuple);
        }
        pg_sys::CatalogCloseIndexes(indexes);
        pg_sys::table_close(table, pg_sys::NoLock as i32);
    }
}
