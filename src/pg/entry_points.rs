//! The C functions that PostgreSQL calls for our triggers.

use crate::enforcement::foreign_key::triggers::{
    referenced_row_changed, referenced_table_truncated, referencing_row_written,
};
use crate::enforcement::triggers::{row_written, statement_ends};

/// Defines the C function behind a trigger: `$body` gets the call, or `None` where it is not one for a row.
macro_rules! sql_function {
    ($name:ident, $info:ident, $body:path) => {
        /// What PostgreSQL asks for before it calls a function: the calling convention.
        #[unsafe(no_mangle)]
        pub extern "C" fn $info() -> *const pgrx::pg_sys::Pg_finfo_record {
            static VERSION_1: pgrx::pg_sys::Pg_finfo_record = pgrx::pg_sys::Pg_finfo_record { api_version: 1 };
            &VERSION_1
        }

        /// # Safety
        /// Called by PostgreSQL.
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $name(fcinfo: pgrx::pg_sys::FunctionCallInfo) -> pgrx::pg_sys::Datum {
            $crate::pg::raise::raising(|| {
                // SAFETY: PostgreSQL calls functions of this convention with their call's information.
                let call = unsafe { $crate::pg::row_trigger::Call::of(fcinfo) };
                $body(call)?;
                // An AFTER trigger's result is not looked at.
                Ok(pgrx::pg_sys::Datum::from(0))
            })
        }
    };
}

sql_function!(check_global_unique, pg_finfo_check_global_unique, row_written);
sql_function!(finish_checks, pg_finfo_finish_checks, statement_ends);
sql_function!(check_global_foreign_key, pg_finfo_check_global_foreign_key, referencing_row_written);
sql_function!(check_global_reference, pg_finfo_check_global_reference, referenced_row_changed);
sql_function!(check_global_truncation, pg_finfo_check_global_truncation, referenced_table_truncated);
