//! Hashes of the rows of a query, by the hash function that Citus would call.

use std::ffi::{CStr, c_int};
use std::ptr;

use pgrx::pg_sys::{self, Datum, Oid};
use pgrx::{Spi, check_for_interrupts};

use super::encoding::to_server;
use crate::error::{Result, internal};

/// The hash function of a type, as Citus finds it (`TypeCacheEntry.hash_proc`, `pg_attribute.attcollation`).
pub struct HashFunction {
    call: *mut pg_sys::FmgrInfo,
    collation: Oid,
}

/// Rows that are fetched at a time.
const BATCH: i64 = 10_000;

impl HashFunction {
    /// `None` for a type that cannot be hashed: it or one of its elements has no hash function.
    pub fn of_type(data_type: Oid, collation: Oid) -> Option<Self> {
        // SAFETY: the type exists. Entries of the type cache stay where they are as long as the backend lives.
        unsafe {
            let entry = pg_sys::lookup_type_cache(data_type, pg_sys::TYPECACHE_HASH_PROC_FINFO as c_int);
            let call = &raw mut (*entry).hash_proc_finfo;
            ((*entry).hash_proc != Oid::INVALID).then_some(HashFunction { call, collation })
        }
    }

    fn hash(&self, value: Datum) -> i32 {
        // SAFETY: the function takes one value of the type that it was found for.
        unsafe { pg_sys::FunctionCall1Coll(self.call, self.collation, value).value() as i32 }
    }

    /// Runs a query of one column of this type, read-only, and gives the hash of each row, NULL for NULL.
    pub fn of_rows(&self, sql: &str, mut each: impl FnMut(Option<i32>)) -> Result<()> {
        let mut text = to_server(sql).into_owned();
        text.push(0);
        let text = CStr::from_bytes_with_nul(&text).map_err(internal)?;
        Spi::connect(|_| {
            // SAFETY: SPI is connected; the text is terminated. A portal without parameters, read-only, closed below or by
            // the abort. Each batch has SPI_processed rows of one column, and is freed, with what hashing left, before the
            // next is fetched.
            unsafe {
                let portal = pg_sys::SPI_cursor_parse_open(
                    ptr::null(),
                    text.as_ptr(),
                    &pg_sys::SPIParseOpenOptions { params: ptr::null_mut(), cursorOptions: 0, read_only: true },
                );
                let garbage = pg_sys::AllocSetContextCreateInternal(
                    pg_sys::CurrentMemoryContext,
                    c"hashes of citus_advisor".as_ptr(),
                    pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
                    pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
                    pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
                );
                loop {
                    check_for_interrupts!();
                    pg_sys::SPI_cursor_fetch(portal, true, BATCH as _);
                    let (table, rows) = (pg_sys::SPI_tuptable, pg_sys::SPI_processed as usize);
                    if rows == 0 {
                        break;
                    }
                    let before = pg_sys::MemoryContextSwitchTo(garbage);
                    for row in 0..rows {
                        let mut is_null = false;
                        let tuple = *(*table).vals.add(row);
                        let value = pg_sys::SPI_getbinval(tuple, (*table).tupdesc, 1, &mut is_null);
                        each((!is_null).then(|| self.hash(value)));
                    }
                    pg_sys::MemoryContextSwitchTo(before);
                    pg_sys::MemoryContextReset(garbage);
                    pg_sys::SPI_freetuptable(table);
                }
                pg_sys::SPI_cursor_close(portal);
                pg_sys::MemoryContextDelete(garbage);
            }
            Ok(())
        })
    }
}
