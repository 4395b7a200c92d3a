//! What happens when the library is loaded.

use std::backtrace::Backtrace;
use std::env;

use pgrx::prelude::*;

use super::guc;

const BACKTRACE: &str = "RUST_LIB_BACKTRACE";

/// Keeps pgrx from appending a Rust backtrace to the DETAIL of errors where the server was started with
/// `RUST_BACKTRACE` set: Rust looks at the environment once, so it is made to look now.
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    let before = env::var_os(BACKTRACE);
    // SAFETY: a backend has one thread.
    unsafe { env::set_var(BACKTRACE, "0") };
    let _ = Backtrace::capture();
    // SAFETY: as above.
    unsafe {
        match before {
            Some(value) => env::set_var(BACKTRACE, value),
            None => env::remove_var(BACKTRACE),
        }
    }
    guc::define();
}
