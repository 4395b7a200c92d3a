//! Statements that are planned once and run often, as `ri_triggers.c` does with SPI.

use std::ffi::{CString, c_long};
use std::rc::Rc;

use pgrx::pg_sys::{self, Datum, Oid};
use pgrx::{PgSqlErrorCode, Spi};

use crate::error::internal;

/// `access/xact.h`
const XACT_REPEATABLE_READ: i32 = 2;

/// A statement with parameters.
pub struct Statement {
    plan: pg_sys::SPIPlanPtr,
}

impl Drop for Statement {
    fn drop(&mut self) {
        // SAFETY: kept by `prepare`, freed once.
        unsafe { pg_sys::SPI_freeplan(self.plan) };
    }
}

impl Statement {
    /// Prepares a statement as the current user. `types`: those of its parameters.
    pub fn prepare(sql: &[u8], types: &[Oid]) -> Rc<Self> {
        let text = CString::new(sql).unwrap_or_default();
        let mut types = types.to_vec();
        Spi::connect(|_| {
            // SAFETY: SPI is connected; the text is terminated, and there are as many types as is said.
            unsafe {
                let plan = pg_sys::SPI_prepare(text.as_ptr(), types.len() as i32, types.as_mut_ptr());
                if plan.is_null() {
                    std::panic::panic_any(internal(format!(
                        "a foreign key's statement cannot be prepared: {}",
                        text.to_string_lossy()
                    )));
                }
                pg_sys::SPI_keepplan(plan);
                Rc::new(Statement { plan })
            }
        })
    }

    /// Whether it would still be prepared to the same.
    pub fn is_valid(&self) -> bool {
        // SAFETY: kept as long as `self`.
        unsafe { pg_sys::SPI_plan_is_valid(self.plan) }
    }

    /// Runs it as the current user and returns how many rows it met; `limit`: at most so many, 0 for all.
    ///
    /// In READ COMMITTED it sees what is committed by now. At the higher levels as well, but there it must not change rows
    /// that the transaction's own snapshot does not show (40001): `ri_PerformCheck`. What its rows fire is queued
    /// behind the calling trigger's own statement.
    pub fn run(&self, values: &[Option<Datum>], limit: usize) -> u64 {
        let nulls: Vec<std::ffi::c_char> =
            values.iter().map(|value| if value.is_some() { b' ' } else { b'n' } as std::ffi::c_char).collect();
        let mut values: Vec<Datum> = values.iter().map(|value| value.unwrap_or(Datum::from(0))).collect();
        Spi::connect(|_| {
            // SAFETY: SPI is connected; one value for each parameter, of its type.
            let code = unsafe {
                let (test, crosscheck) = if uses_transaction_snapshot() {
                    pg_sys::CommandCounterIncrement();
                    (pg_sys::GetLatestSnapshot(), pg_sys::GetTransactionSnapshot())
                } else {
                    (std::ptr::null_mut(), std::ptr::null_mut())
                };
                pg_sys::SPI_execute_snapshot(
                    self.plan,
                    values.as_mut_ptr(),
                    nulls.as_ptr(),
                    test,
                    crosscheck,
                    false,
                    false,
                    limit as c_long,
                )
            };
            if code < 0 {
                std::panic::panic_any(internal(format!("a foreign key's statement returned {code}")));
            }
            // SAFETY: set by the statement that was just run.
            unsafe { pg_sys::SPI_processed }
        })
    }
}

/// REPEATABLE READ or SERIALIZABLE: one snapshot for the whole transaction.
pub fn uses_transaction_snapshot() -> bool {
    // SAFETY: a variable of the backend.
    unsafe { pg_sys::XactIsoLevel >= XACT_REPEATABLE_READ }
}

/// 40001, as PostgreSQL says it of a row that was to be locked.
pub fn concurrent_update() -> ! {
    std::panic::panic_any(pgrx::pg_sys::panic::ErrorReport::new(
        PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE,
        "could not serialize access due to concurrent update",
        "",
    ))
}
