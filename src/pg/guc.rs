//! The extension's own settings.

use std::ffi::CString;

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

use super::encoding::from_server;

static CITUS_VERSION: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));

static FOREIGN_KEY_WORTH: GucSetting<f64> = GucSetting::<f64>::new(citus_planner::FOREIGN_KEY_WORTH as f64 / 100.0);

static NODES: GucSetting<i32> = GucSetting::<i32>::new(0);

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
    GucRegistry::define_float_guc(
        c"citus_advisor.foreign_key_worth",
        c"What one foreign key is worth to the planner, in percent of the load of the database.",
        c"With 6, it is as bad to lose a foreign key of a small table as to keep 6 % of the load on one node.",
        &FOREIGN_KEY_WORTH,
        0.0,
        10_000.0,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"citus_advisor.nodes",
        c"How many nodes with data to plan for: a reference table has a copy on each.",
        c"0: three.",
        &NODES,
        0,
        10_000,
        GucContext::Userset,
        GucFlags::default(),
    );
}

/// What the session has set `citus_advisor.citus_version` to; `None` where it is empty.
pub fn citus_version() -> Option<String> {
    let text = from_server(CITUS_VERSION.get()?.as_bytes());
    (!text.is_empty()).then_some(text)
}

/// `citus_advisor.foreign_key_worth`, in hundredths of a percent.
pub fn foreign_key_worth() -> u32 {
    (FOREIGN_KEY_WORTH.get() * 100.0).round() as u32
}

/// `citus_advisor.nodes`; `None` where it is 0.
pub fn nodes() -> Option<u32> {
    Some(NODES.get().unsigned_abs()).filter(|&n| n > 0)
}

/// `citus_advisor.key_locks_per_transaction`.
pub fn key_locks_per_transaction() -> u32 {
    KEY_LOCKS.get().unsigned_abs()
}
