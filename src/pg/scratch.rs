//! Memory for the length of a piece of work.

use pgrx::pg_sys;

/// Runs `work` with a memory context of its own as the current one, and frees it.
pub fn scratch<R>(work: impl FnOnce() -> R) -> R {
    // SAFETY: a child of the current context: where an error comes in between, it goes with its parent.
    unsafe {
        let previous = pg_sys::CurrentMemoryContext;
        let context = pg_sys::AllocSetContextCreateInternal(
            previous,
            c"citus_advisor check".as_ptr(),
            pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
        );
        pg_sys::MemoryContextSwitchTo(context);
        let result = work();
        pg_sys::MemoryContextSwitchTo(previous);
        pg_sys::MemoryContextDelete(context);
        result
    }
}
