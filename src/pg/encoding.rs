//! Between the database's encoding and Rust's UTF-8.

use std::borrow::Cow;
use std::ffi::{CStr, c_char, c_int};

use pgrx::pg_sys;

fn database_is_utf8() -> bool {
    // SAFETY: reads a variable of the backend that is set before any function can be called.
    unsafe { pg_sys::GetDatabaseEncoding() == pg_sys::pg_enc::PG_UTF8 as c_int }
}

/// Whether text can be sent as it is: no conversion takes place.
pub fn takes_utf8() -> bool {
    // SAFETY: as above.
    database_is_utf8() || unsafe { pg_sys::GetDatabaseEncoding() == pg_sys::pg_enc::PG_SQL_ASCII as c_int }
}

/// Text of the server as UTF-8; raises 22021 where bytes of an SQL_ASCII database are no UTF-8.
pub fn from_server(bytes: &[u8]) -> String {
    if database_is_utf8() {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let (start, length) = (bytes.as_ptr().cast::<c_char>(), bytes.len() as c_int);
    // SAFETY: reads `length` bytes from `start`. The result is `start` itself where nothing had to be converted, else
    // palloc'd and terminated by a zero byte.
    let converted = unsafe {
        let converted = pg_sys::pg_server_to_any(start, length, pg_sys::pg_enc::PG_UTF8 as c_int);
        if converted.cast_const() == start { bytes } else { CStr::from_ptr(converted).to_bytes() }
    };
    String::from_utf8_lossy(converted).into_owned()
}

/// The same without raising, for what is compared only.
pub fn from_server_lossy(bytes: &[u8]) -> String {
    // SAFETY: reads a variable of the backend, as above.
    if unsafe { pg_sys::GetDatabaseEncoding() } == pg_sys::pg_enc::PG_SQL_ASCII as c_int {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    from_server(bytes)
}

/// What stands in for bytes that are no text, in [`from_server_lossy`].
pub const NO_TEXT: char = char::REPLACEMENT_CHARACTER;

/// Text for the server; raises 22P05 where its encoding lacks a character.
pub fn to_server(text: &str) -> Cow<'_, [u8]> {
    if database_is_utf8() {
        return Cow::Borrowed(text.as_bytes());
    }
    let (start, length) = (text.as_ptr().cast::<c_char>(), text.len() as c_int);
    // SAFETY: as in `from_server`.
    unsafe {
        let converted = pg_sys::pg_any_to_server(start, length, pg_sys::pg_enc::PG_UTF8 as c_int);
        if converted.cast_const() == start {
            Cow::Borrowed(text.as_bytes())
        } else {
            Cow::Owned(CStr::from_ptr(converted).to_bytes().to_vec())
        }
    }
}
