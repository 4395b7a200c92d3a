//! From the type of a referencing column to that of the column that it references, as `ATAddForeignKeyConstraint` and
//! `ri_triggers.c` pair them.

use std::cell::UnsafeCell;
use std::ffi::{CStr, CString};

use pgrx::pg_sys::{self, Datum, FmgrInfo, Oid};

/// How two columns are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pairing {
    /// The equality of a referenced value (left) and a referencing one (right).
    pub equality: Oid,
    /// Whether the referencing value is compared as it is: an index of the referencing column can be used.
    pub is_direct: bool,
}

/// The equality of a referenced and a referencing type: one of the operator family of the referenced type's default
/// class, if need be after an implicit cast. `None` where PostgreSQL has no such foreign key either.
pub fn pairing(referenced: Oid, referencing: Oid) -> Option<Pairing> {
    let equal = pg_sys::BTEqualStrategyNumber as i16;
    // SAFETY: look-ups in caches, which answer InvalidOid where there is nothing; the arrays have two elements.
    unsafe {
        let class = super::operator_class::default_class(referenced, pg_sys::BTREE_AM_OID);
        if class == Oid::INVALID {
            return None;
        }
        let (family, input) = (pg_sys::get_opclass_family(class), pg_sys::get_opclass_input_type(class));
        let plain = pg_sys::getBaseType(referencing);
        let across = pg_sys::get_opfamily_member(family, input, plain, equal);
        if across != Oid::INVALID && pg_sys::get_opfamily_member(family, plain, plain, equal) != Oid::INVALID {
            return Some(Pairing { equality: across, is_direct: true });
        }
        let (from, to) = ([referenced, referencing], [input, input]);
        let implicit = pg_sys::CoercionContext::COERCION_IMPLICIT;
        if !pg_sys::can_coerce_type(2, from.as_ptr(), to.as_ptr(), implicit) {
            return None;
        }
        let own = pg_sys::get_opfamily_member(family, input, input, equal);
        let is_direct = pg_sys::getBaseType(referenced) == plain;
        (own != Oid::INVALID).then_some(Pairing { equality: own, is_direct })
    }
}

/// Makes values of a referencing column into values of the referenced one.
pub struct Conversion {
    how: How,
}

enum How {
    Same,
    /// Between integers of two, four and eight bytes.
    Integer {
        from: i16,
        to: i16,
    },
    /// `double precision` to `real`
    Float,
    Cast {
        cast: Function,
        equal: Option<Function>,
    },
    /// PostgreSQL would not convert either.
    Unknown,
}

struct Function(UnsafeCell<FmgrInfo>);

impl Function {
    fn look_up(function: Oid) -> Self {
        let mut info = FmgrInfo::default();
        // SAFETY: the function exists, since an operator or a cast names it; the context lives as long as the backend.
        unsafe { pg_sys::fmgr_info_cxt(function, &mut info, pg_sys::TopMemoryContext) };
        Function(UnsafeCell::new(info))
    }

    fn call(&self, arguments: &[Datum], collation: Oid) -> Datum {
        // SAFETY: one thread uses the information; callers pass as many values of the right types as it takes.
        unsafe {
            match arguments {
                [one, other] => pg_sys::FunctionCall2Coll(self.0.get(), collation, *one, *other),
                [one, ..] => {
                    pg_sys::FunctionCall3Coll(self.0.get(), collation, *one, Datum::from(-1_i32), Datum::from(false))
                }
                [] => Datum::from(0),
            }
        }
    }
}

impl Conversion {
    /// From `referencing` to `referenced`.
    pub fn of(referenced: Oid, referencing: Oid) -> Self {
        let integer = |type_id: Oid| match type_id {
            pg_sys::INT2OID => Some(2),
            pg_sys::INT4OID => Some(4),
            pg_sys::INT8OID => Some(8),
            _ => None,
        };
        // SAFETY: look-ups in caches.
        let (to, from) = unsafe { (pg_sys::getBaseType(referenced), pg_sys::getBaseType(referencing)) };
        let how = if to == from {
            How::Same
        } else if let (Some(from), Some(to)) = (integer(from), integer(to)) {
            How::Integer { from, to }
        } else if (from, to) == (pg_sys::FLOAT8OID, pg_sys::FLOAT4OID) {
            How::Float
        } else {
            cast(referenced, to, from)
        };
        Conversion { how }
    }

    /// Whether a converted value still reads as the value that it was made from.
    pub fn keeps_text(&self) -> bool {
        matches!(self.how, How::Same | How::Integer { .. })
    }

    /// The value as the referenced column would have it; `None` where it has nothing that is equal.
    pub fn convert(&self, value: Datum, collation: Oid) -> Option<Datum> {
        match &self.how {
            How::Same => Some(value),
            How::Integer { from, to } => {
                let integer = match from {
                    2 => i64::from(value.value() as i16),
                    4 => i64::from(value.value() as i32),
                    _ => value.value() as i64,
                };
                match to {
                    2 => i16::try_from(integer).ok().map(Datum::from),
                    4 => i32::try_from(integer).ok().map(Datum::from),
                    _ => Some(Datum::from(integer)),
                }
            }
            How::Float => {
                let double = f64::from_bits(value.value() as u64);
                let single = double as f32;
                let is_equal = f64::from(single) == double || double.is_nan();
                is_equal.then(|| Datum::from(single.to_bits()))
            }
            How::Cast { cast, equal } => {
                let converted = cast.call(&[value], collation);
                let is_equal =
                    equal.as_ref().is_none_or(|equal| equal.call(&[converted, value], collation).value() as u8 != 0);
                is_equal.then_some(converted)
            }
            How::Unknown => None,
        }
    }
}

/// By the cast that PostgreSQL has. Where the referenced type is the narrower one, the result has to be equal to what it
/// was made from.
fn cast(referenced: Oid, to: Oid, from: Oid) -> How {
    use pg_sys::{CoercionContext, CoercionPathType};
    // SAFETY: look-ups in caches.
    unsafe {
        let class = super::operator_class::default_class(referenced, pg_sys::BTREE_AM_OID);
        let (family, input) = (pg_sys::get_opclass_family(class), pg_sys::get_opclass_input_type(class));
        let across = pg_sys::get_opfamily_member(family, input, from, pg_sys::BTEqualStrategyNumber as i16);
        // To the column's own type where the family compares the two, else to what its class takes.
        let (target, context) = if across == Oid::INVALID {
            (input, CoercionContext::COERCION_IMPLICIT)
        } else {
            (to, CoercionContext::COERCION_ASSIGNMENT)
        };
        let mut function = Oid::INVALID;
        match pg_sys::find_coercion_pathway(target, from, context, &mut function) {
            CoercionPathType::COERCION_PATH_FUNC => How::Cast {
                cast: Function::look_up(function),
                equal: (across != Oid::INVALID).then(|| Function::look_up(pg_sys::get_opcode(across))),
            },
            CoercionPathType::COERCION_PATH_RELABELTYPE => How::Same,
            // Arrays, enums, ranges: the class takes any of them.
            _ if is_polymorphic(input) => How::Same,
            _ => How::Unknown,
        }
    }
}

fn is_polymorphic(type_id: Oid) -> bool {
    matches!(type_id, pg_sys::ANYARRAYOID | pg_sys::ANYENUMOID | pg_sys::ANYRANGEOID | pg_sys::ANYMULTIRANGEOID)
}

/// `left = right` in SQL, with the operator's schema, and casts where it takes other types.
pub fn comparison(left: &CStr, left_type: Oid, operator: Oid, right: &CStr, right_type: Oid) -> CString {
    // SAFETY: the buffer is palloc'd and terminated; the operator exists.
    unsafe {
        let buffer = pg_sys::makeStringInfo();
        pg_sys::generate_operator_clause(buffer.cast(), left.as_ptr(), left_type, operator, right.as_ptr(), right_type);
        CStr::from_ptr((*buffer).data).to_owned()
    }
}
