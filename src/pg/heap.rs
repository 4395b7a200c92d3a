//! The rows of a table, one after another, without a query.

use pgrx::pg_sys::{self, Datum, Oid};

use super::rows::attribute;

/// Calls `each` for the values of some columns of every row that the active snapshot shows and that has none of them NULL,
/// until it says no. The caller has the table locked.
pub fn each_key(table: Oid, columns: &[i16], mut each: impl FnMut(&[Datum]) -> bool) {
    // SAFETY: the table is locked, and opened here; scan, slot and relation are closed below, or by the abort. Values are
    // used before the next row is fetched; the columns are the table's.
    unsafe {
        let relation = pg_sys::table_open(table, pg_sys::AccessShareLock as i32);
        let slot = pg_sys::table_slot_create(relation, std::ptr::null_mut());
        let scan = pg_sys::table_beginscan(relation, pg_sys::GetActiveSnapshot(), 0, std::ptr::null_mut());
        while pg_sys::table_scan_getnextslot(scan, pg_sys::ScanDirection::ForwardScanDirection, slot) {
            pgrx::check_for_interrupts!();
            let values: Option<Vec<Datum>> = columns.iter().map(|&number| attribute(slot, number)).collect();
            if values.is_some_and(|values| !each(&values)) {
                break;
            }
        }
        pg_sys::table_endscan(scan);
        pg_sys::ExecDropSingleTupleTableSlot(slot);
        pg_sys::table_close(relation, pg_sys::AccessShareLock as i32);
    }
}
