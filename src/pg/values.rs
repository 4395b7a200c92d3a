//! Arguments and results: SQL values that pgrx has no type for, or for which it takes the database to be UTF-8.

use std::ffi::{CStr, CString, c_char};
use std::ptr;

use pgrx::callconv::{Arg, ArgAbi, BoxRet, FcInfo};
use pgrx::datum::{Datum, FromDatum, IntoDatum};
use pgrx::pg_sys::Oid;
use pgrx::{direct_function_call, direct_function_call_as_datum, impl_sql_translatable, pg_sys};

use super::encoding::{from_server, to_server};

/// `text`
pub struct Text(pub String);

/// `jsonb`, as JSON text.
pub struct Jsonb(pub String);

/// `name`
pub struct Name(pub String);

/// `name[]`; an element may be NULL.
pub struct Names(pub Vec<Option<String>>);

/// `regclass`
pub struct Table(pub Oid);

/// `tid`, as text.
pub struct RowAddress(pub String);

impl_sql_translatable!(Table, "regclass");
impl_sql_translatable!(RowAddress, "tid");
impl_sql_translatable!(Text, "text");
impl_sql_translatable!(Jsonb, "jsonb");
impl_sql_translatable!(Name, "name");
impl_sql_translatable!(Names, "name[]");

impl IntoDatum for Text {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        // bytea and text are laid out alike.
        to_server(&self.0).as_ref().into_datum()
    }

    fn type_oid() -> Oid {
        pg_sys::TEXTOID
    }
}

/// For an input function: in the server's encoding, up to the first zero byte, which no text of the server has.
fn c_string(text: &str) -> CString {
    let bytes = to_server(text);
    CString::new(bytes.split(|&b| b == 0).next().unwrap_or_default()).unwrap_or_default()
}

impl IntoDatum for Jsonb {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        let text = c_string(&self.0);
        // SAFETY: jsonb_in takes one C string, which outlives the call.
        unsafe { direct_function_call_as_datum(pg_sys::jsonb_in, &[Some(pg_sys::Datum::from(text.as_ptr()))]) }
    }

    fn type_oid() -> Oid {
        pg_sys::JSONBOID
    }
}

impl IntoDatum for Name {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        let text = c_string(&self.0);
        // SAFETY: namein takes one C string, which outlives the call.
        unsafe { direct_function_call_as_datum(pg_sys::namein, &[Some(pg_sys::Datum::from(text.as_ptr()))]) }
    }

    fn type_oid() -> Oid {
        pg_sys::NAMEOID
    }
}

impl IntoDatum for RowAddress {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        let text = c_string(&self.0);
        // SAFETY: tidin takes one C string, which outlives the call.
        unsafe { direct_function_call_as_datum(pg_sys::tidin, &[Some(pg_sys::Datum::from(text.as_ptr()))]) }
    }

    fn type_oid() -> Oid {
        pg_sys::TIDOID
    }
}

impl IntoDatum for Names {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        let mut elements: Vec<pg_sys::Datum> =
            self.0.into_iter().flatten().filter_map(|name| Name(name).into_datum()).collect();
        // SAFETY: each element is a name; construct_array copies them.
        let array = unsafe {
            pg_sys::construct_array(
                elements.as_mut_ptr(),
                elements.len() as i32,
                pg_sys::NAMEOID,
                pg_sys::NAMEDATALEN as i32,
                false,
                pg_sys::TYPALIGN_CHAR as c_char,
            )
        };
        Some(array.into())
    }

    fn type_oid() -> Oid {
        pg_sys::NAMEARRAYOID
    }
}

impl FromDatum for Table {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _: Oid) -> Option<Self> {
        (!is_null).then(|| Table(Oid::from(datum.value() as u32)))
    }
}

impl FromDatum for Name {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _: Oid) -> Option<Self> {
        if is_null {
            return None;
        }
        // SAFETY: the caller vouches for a name, a zero-padded C string.
        Some(Name(from_server(unsafe { CStr::from_ptr(datum.cast_mut_ptr()) }.to_bytes())))
    }
}

impl FromDatum for Text {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, oid: Oid) -> Option<Self> {
        // SAFETY: the caller vouches for a text, which is laid out like a bytea.
        let bytes = unsafe { Vec::<u8>::from_polymorphic_datum(datum, is_null, oid) }?;
        Some(Text(from_server(&bytes)))
    }
}

impl FromDatum for Jsonb {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _: Oid) -> Option<Self> {
        if is_null {
            return None;
        }
        // SAFETY: the caller vouches for a jsonb; jsonb_out returns a C string that lives as long as the call's context.
        let text = unsafe {
            let detoasted = pg_sys::pg_detoast_datum(datum.cast_mut_ptr());
            direct_function_call::<&CStr>(pg_sys::jsonb_out, &[Some(detoasted.into())])?
        };
        Some(Jsonb(from_server(text.to_bytes())))
    }
}

impl FromDatum for Names {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _: Oid) -> Option<Self> {
        if is_null {
            return None;
        }
        // SAFETY: the caller vouches for a name[], whose elements are zero-padded C strings of NAMEDATALEN bytes.
        // deconstruct_array allocates both arrays with `count` elements.
        unsafe {
            let array = pg_sys::pg_detoast_datum(datum.cast_mut_ptr()).cast::<pg_sys::ArrayType>();
            let (mut elements, mut nulls, mut count) = (ptr::null_mut(), ptr::null_mut(), 0);
            pg_sys::deconstruct_array(
                array,
                pg_sys::NAMEOID,
                pg_sys::NAMEDATALEN as i32,
                false,
                pg_sys::TYPALIGN_CHAR as c_char,
                &mut elements,
                &mut nulls,
                &mut count,
            );
            let element = |i: usize| {
                (!*nulls.add(i)).then(|| from_server(CStr::from_ptr((*elements.add(i)).cast_mut_ptr()).to_bytes()))
            };
            Some(Names((0..count as usize).map(element).collect()))
        }
    }
}

macro_rules! argument {
    ($type:ty) => {
        // SAFETY: the declared SQL type is the one that FromDatum reads; an argument that may be NULL is an Option.
        unsafe impl<'fcx> ArgAbi<'fcx> for $type {
            unsafe fn unbox_arg_unchecked(argument: Arg<'_, 'fcx>) -> Self {
                let index = argument.index();
                // SAFETY: as above.
                match unsafe { argument.unbox_arg_using_from_datum() } {
                    Some(value) => value,
                    None => panic!("argument {index} must not be null"),
                }
            }
        }
    };
}

macro_rules! result {
    ($type:ty) => {
        // SAFETY: the datum is of the declared SQL type and is returned to the caller.
        unsafe impl BoxRet for $type {
            unsafe fn box_into<'fcx>(self, call: &mut FcInfo<'fcx>) -> Datum<'fcx> {
                match self.into_datum() {
                    // SAFETY: as above.
                    Some(datum) => unsafe { call.return_raw_datum(datum) },
                    None => call.return_null(),
                }
            }
        }
    };
}

argument!(Text);
argument!(Jsonb);
argument!(Names);
argument!(Name);
argument!(Table);
result!(Text);
result!(Jsonb);
result!(Name);
result!(Names);
result!(RowAddress);
