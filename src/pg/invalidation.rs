//! Being told that a relation has changed.

use std::cell::Cell;

use pgrx::pg_sys::{self, Datum, Oid};

thread_local! {
    static LISTENER: Cell<Option<fn(Option<Oid>)>> = const { Cell::new(None) };
}

/// Calls `listener` with each relation whose cached description became invalid, with `None` where all did. It must not
/// read catalogs or raise.
pub fn listen(listener: fn(Option<Oid>)) {
    if LISTENER.get().is_some() {
        return;
    }
    LISTENER.set(Some(listener));
    // SAFETY: the callback stays in memory: PostgreSQL does not unload libraries.
    unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(relation_changed), Datum::from(0)) };
}

unsafe extern "C-unwind" fn relation_changed(_argument: Datum, relation: Oid) {
    if let Some(listener) = LISTENER.get() {
        listener((relation != Oid::INVALID).then_some(relation));
    }
}
