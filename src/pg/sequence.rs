//! The state of a sequence.

use pgrx::pg_sys;
use pgrx::pg_sys::Oid;

/// Last value that a sequence handed out; `None` where it handed out none, or is gone.
///
/// Not `pg_sequence_last_value()`: that keeps a lock on every sequence to the end of the transaction, which a database
/// with thousands of them has no room for. The caller has checked the privilege.
pub fn last_value(sequence: Oid) -> Option<i64> {
    // SAFETY: the relation stays locked while it is read, and is closed. A sequence is a heap with one row
    // (last_value int8, log_cnt int8, is_called bool) that every snapshot sees; the row is read before the scan ends.
    // An error on the way ends the transaction, which releases what is open.
    unsafe {
        let relation = pg_sys::try_relation_open(sequence, pg_sys::AccessShareLock as i32);
        if relation.is_null() {
            return None;
        }
        let mut value = None;
        if (*(*relation).rd_rel).relkind == pg_sys::RELKIND_SEQUENCE as std::ffi::c_char {
            let (snapshot, key) = (std::ptr::null_mut(), std::ptr::null_mut());
            let scan = pg_sys::systable_beginscan(relation, Oid::INVALID, false, snapshot, 0, key);
            let row = pg_sys::systable_getnext(scan);
            if !row.is_null() {
                let mut values = [pg_sys::Datum::null(); 3];
                let mut nulls = [true; 3];
                pg_sys::heap_deform_tuple(row, (*relation).rd_att, values.as_mut_ptr(), nulls.as_mut_ptr());
                let (last_value, is_called) = (values[0].value() as i64, values[2].value() as u8 != 0);
                value = is_called.then_some(last_value);
            }
            pg_sys::systable_endscan(scan);
        }
        pg_sys::relation_close(relation, pg_sys::AccessShareLock as i32);
        value
    }
}
