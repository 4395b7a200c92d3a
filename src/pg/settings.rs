//! The caller's settings, and ours while we read.

use std::ffi::{CStr, CString};

use pgrx::pg_sys;

/// What could change a name's meaning, or a byte of the output.
const PINNED: &[(&CStr, &CStr)] = &[
    // pg_temp last: unlisted it would be searched first for relations and types.
    (c"search_path", c"pg_catalog, pg_temp"),
    (c"quote_all_identifiers", c"off"),
    (c"standard_conforming_strings", c"on"),
    // What is made on behalf of others lies where the database lies.
    (c"default_tablespace", c""),
    (c"transform_null_equals", c"off"),
    // Indexes are made by the extension's owner, who has a right to tablespaces that the caller may have none to.
    (c"DateStyle", c"ISO, MDY"),
    (c"IntervalStyle", c"postgres"),
    (c"TimeZone", c"UTC"),
    (c"extra_float_digits", c"1"),
    (c"bytea_output", c"hex"),
    (c"xmloption", c"content"),
    // Tables of others are not asked what their CHECK constraints say of a query: that runs functions of theirs.
    (c"constraint_exclusion", c"off"),
    // Compiling a catalog query takes longer than running it.
    (c"jit", c"off"),
    (c"max_parallel_workers_per_gather", c"0"),
];

/// Runs `work` under [`PINNED`] settings, whatever those of the session are.
pub fn pinned<R>(work: impl FnOnce() -> R) -> R {
    with(PINNED, work)
}

/// Runs `work` with as much memory as maintenance may take.
pub fn with_maintenance_memory<R>(work: impl FnOnce() -> R) -> R {
    // SAFETY: reads a variable of the backend.
    let memory = CString::new(unsafe { pg_sys::maintenance_work_mem }.to_string()).unwrap_or_default();
    with(&[(c"work_mem", &memory)], work)
}

/// Runs `work` so that a query whose rows a policy would hide is an error.
pub fn without_row_security<R>(work: impl FnOnce() -> R) -> R {
    with(&[(c"row_security", c"off")], work)
}

/// Runs `work` so that Citus lets it see the shards in the catalog, which it hides from clients.
pub fn showing_shards<R>(work: impl FnOnce() -> R) -> R {
    with(&[(c"citus.override_table_visibility", c"off")], work)
}

fn with<R>(settings: &[(&CStr, &CStr)], work: impl FnOnce() -> R) -> R {
    // SAFETY: the nest level is ours, and left when `work` is done; where it raises, the abort of the (sub)transaction
    // leaves it. Names and values are terminated by zero bytes and settable by anyone.
    let level = unsafe { pg_sys::NewGUCNestLevel() };
    for (name, value) in settings {
        // SAFETY: as above.
        unsafe {
            pg_sys::set_config_option(
                name.as_ptr(),
                value.as_ptr(),
                pg_sys::GucContext::PGC_USERSET,
                pg_sys::GucSource::PGC_S_SESSION,
                pg_sys::GucAction::GUC_ACTION_SAVE,
                true,
                0,
                false,
            );
        }
    }
    let result = work();
    // SAFETY: as above.
    unsafe { pg_sys::AtEOXact_GUC(false, level) };
    result
}
