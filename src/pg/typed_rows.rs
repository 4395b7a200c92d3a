//! Rows of a catalog query as values of Rust: what serde derives for a struct asks the tuple for its columns by their names.
//! Nothing is made into text on the way, so that reading some ten thousand columns takes milliseconds.

use std::ffi::{CStr, CString, c_char};
use std::fmt::Display;

use pgrx::Spi;
use pgrx::pg_sys::{self, Datum, Oid};
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::encoding::{from_server, to_server};
use crate::error::{Result, internal};

/// Runs `work` so that all its queries see the database as it is now, in one snapshot; what this transaction has done before
/// is there.
pub fn in_one_snapshot<R>(work: impl FnOnce() -> Result<R>) -> Result<R> {
    // SAFETY: the snapshot is registered by being pushed, and popped below; where `work` raises, by the abort.
    unsafe {
        pg_sys::CommandCounterIncrement();
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
    }
    let result = work();
    // SAFETY: it is the one pushed above: whoever pushes within `work` pops.
    unsafe { pg_sys::PopActiveSnapshot() };
    result
}

/// The rows of a query whose parameter `$1` is an array of OIDs, in the snapshot that is active.
pub fn select<T: DeserializeOwned>(sql: &str, oids: &[u32]) -> Result<Vec<T>> {
    let text = CString::new(to_server(sql)).map_err(internal)?;
    Spi::connect(|_| {
        let mut oids: Vec<Datum> = oids.iter().map(|&oid| Datum::from(oid)).collect();
        // SAFETY: the elements are OIDs: four bytes by value. SPI is connected; text, types and values outlive the call, and
        // there are no NULLs.
        unsafe {
            let array = pg_sys::construct_array(
                oids.as_mut_ptr(),
                oids.len() as i32,
                pg_sys::OIDOID,
                4,
                true,
                pg_sys::TYPALIGN_INT as c_char,
            );
            let (mut types, mut values) = ([pg_sys::OIDARRAYOID], [Datum::from(array)]);
            let code = pg_sys::SPI_execute_with_args(
                text.as_ptr(),
                1,
                types.as_mut_ptr(),
                values.as_mut_ptr(),
                std::ptr::null(),
                true,
                0,
            );
            if code < 0 {
                return Err(internal(format!("SPI returned {code} for: {sql}")));
            }
        }
        decoded().map_err(internal)
    })
}

/// The rows of the statement that SPI ran last.
fn decoded<T: DeserializeOwned>() -> std::result::Result<Vec<T>, Fault> {
    // SAFETY: SPI_tuptable is NULL or the result of the last statement: SPI_processed rows of its descriptor.
    let (table, count) = unsafe { (pg_sys::SPI_tuptable, pg_sys::SPI_processed as usize) };
    if table.is_null() {
        return Ok(Vec::new());
    }
    // SAFETY: the descriptor has `natts` attributes, whose names end with a zero byte.
    let columns: Vec<(String, Oid)> = unsafe {
        let description = (*table).tupdesc;
        let attributes = (*description).attrs.as_slice((*description).natts as usize);
        attributes
            .iter()
            .map(|a| (CStr::from_ptr(a.attname.data.as_ptr()).to_string_lossy().into_owned(), a.atttypid))
            .collect()
    };
    let (mut values, mut nulls) = (vec![Datum::from(0); columns.len()], vec![false; columns.len()]);
    let mut rows = Vec::with_capacity(count);
    for at in 0..count {
        if at.is_multiple_of(1024) {
            pgrx::check_for_interrupts!();
        }
        // SAFETY: the tuple is of this descriptor, and there is room for each of its columns.
        unsafe {
            let tuple = *(*table).vals.add(at);
            pg_sys::heap_deform_tuple(tuple, (*table).tupdesc, values.as_mut_ptr(), nulls.as_mut_ptr());
        }
        let cells = columns.iter().zip(values.iter().zip(&nulls)).map(|((name, kind), (datum, is_null))| {
            (NameOfColumn(name), Value { datum: (!is_null).then_some(*datum), kind: *kind })
        });
        rows.push(T::deserialize(MapDeserializer::new(cells))?);
    }
    Ok(rows)
}

/// What a query of ours and the struct of its rows disagree on.
type Fault = serde::de::value::Error;

struct NameOfColumn<'c>(&'c str);

impl<'de> IntoDeserializer<'de, Fault> for NameOfColumn<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for NameOfColumn<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, Fault> {
        visitor.visit_str(self.0)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct seq
        tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// A value of a column or of an array; `None`: NULL.
#[derive(Clone, Copy)]
struct Value {
    datum: Option<Datum>,
    kind: Oid,
}

impl<'de> IntoDeserializer<'de, Fault> for Value {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Value {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, Fault> {
        let Some(datum) = self.datum else { return visitor.visit_unit() };
        match self.kind {
            pg_sys::BOOLOID => visitor.visit_bool(datum.value() != 0),
            pg_sys::INT2OID => visitor.visit_i64(datum.value() as i16 as i64),
            pg_sys::INT4OID => visitor.visit_i64(datum.value() as i32 as i64),
            pg_sys::INT8OID => visitor.visit_i64(datum.value() as i64),
            pg_sys::OIDOID => visitor.visit_u64(datum.value() as u32 as u64),
            // By its shortest text, so that 0.1 stays 0.1.
            pg_sys::FLOAT4OID => visitor.visit_f64(
                f32::from_bits(datum.value() as u32)
                    .to_string()
                    .parse()
                    .map_err(<Fault as serde::de::Error>::custom)?,
            ),
            pg_sys::FLOAT8OID => visitor.visit_f64(f64::from_bits(datum.value() as u64)),
            kind => match array_element(kind) {
                Some(element) => visitor.visit_seq(SeqDeserializer::new(elements(datum, element).into_iter())),
                None => visitor.visit_string(text(datum, kind)),
            },
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, Fault> {
        if self.datum.is_some() { visitor.visit_some(self) } else { visitor.visit_none() }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> std::result::Result<V::Value, Fault> {
        let datum = self.datum.ok_or_else(|| unexpected("NULL"))?;
        visitor.visit_enum(text(datum, self.kind).into_deserializer())
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct seq
        tuple tuple_struct map struct identifier ignored_any
    }
}

fn unexpected(what: impl Display) -> Fault {
    serde::de::Error::custom(what)
}

/// The type of the elements of an array type that catalogs use.
fn array_element(kind: Oid) -> Option<Oid> {
    match kind {
        pg_sys::TEXTARRAYOID => Some(pg_sys::TEXTOID),
        pg_sys::NAMEARRAYOID => Some(pg_sys::NAMEOID),
        pg_sys::INT2ARRAYOID => Some(pg_sys::INT2OID),
        pg_sys::INT8ARRAYOID => Some(pg_sys::INT8OID),
        _ => None,
    }
}

fn elements(array: Datum, kind: Oid) -> Vec<Value> {
    let (mut length, mut by_value, mut alignment) = (0, false, 0);
    let (mut values, mut nulls, mut count) = (std::ptr::null_mut(), std::ptr::null_mut(), 0);
    // SAFETY: the value is an array of this type; deconstruct_array gives `count` values and marks of NULL.
    unsafe {
        pg_sys::get_typlenbyvalalign(kind, &mut length, &mut by_value, &mut alignment);
        let array = pg_sys::pg_detoast_datum(array.cast_mut_ptr()).cast();
        pg_sys::deconstruct_array(array, kind, length.into(), by_value, alignment, &mut values, &mut nulls, &mut count);
        (0..count as usize).map(|at| Value { datum: (!*nulls.add(at)).then_some(*values.add(at)), kind }).collect()
    }
}

/// A value as text, as `::text` would make it.
fn text(datum: Datum, kind: Oid) -> String {
    // SAFETY: the value is of this type: a name of NAMEDATALEN bytes that ends with a zero byte, one byte, a text; of any other
    // type its output function makes a C string.
    unsafe {
        match kind {
            pg_sys::NAMEOID => from_server(CStr::from_ptr(datum.cast_mut_ptr::<c_char>()).to_bytes()),
            pg_sys::CHAROID => match datum.value() as u8 {
                0 => String::new(),
                byte => char::from(byte).to_string(),
            },
            pg_sys::TEXTOID => {
                let text = pg_sys::pg_detoast_datum_packed(datum.cast_mut_ptr());
                from_server(pgrx::varlena::varlena_to_byte_slice(text))
            }
            _ => {
                let (mut output, mut is_varlena) = (Oid::INVALID, false);
                pg_sys::getTypeOutputInfo(kind, &mut output, &mut is_varlena);
                from_server(CStr::from_ptr(pg_sys::OidOutputFunctionCall(output, datum)).to_bytes())
            }
        }
    }
}
