//! The extension's own settings.

use std::ffi::CString;

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

use super::encoding::from_server;

static CITUS_VERSION: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));

static KEY_LOCKS: GucSetting<i32> = GucSetting::<i32>::new(64);

pub fn define() {
    GucRegistry::define_int_guc(
        c"citus_advisor.key_locks_per_transaction",
        c"How many keys of globally unique constraints a transaction locks before it goes on without more.",
        c"0 takes none. Without key locks, transactions that write the same key at the same moment may deadlock.",
        &KEY_LOCKS,
        0,
        1_000_000,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"citus_advisor.citus_version",
        c"The Citus release to plan for.",
        c"For example 13.2 or 13.2.2. Empty: the release that is installed in the database, else 13.2.",
        &CITUS_VERSION,
        GucContext::Userset,
        GucFlags::default(),
    );
}

/// What the session has set `citus_advisor.citus_version` to; `None` where it is empty.
pub fn citus_version() -> Option<String> {
    let text = from_server(CITUS_VERSION.get()?.as_bytes());
    (!text.is_empty()).then_some(text)
}

/// `citus_advisor.key_locks_per_transaction`.
pub fn key_locks_per_transaction() -> u32 {
    KEY_LOCKS.get().unsigned_abs()
}
