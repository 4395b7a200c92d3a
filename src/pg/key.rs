//! Keys as PostgreSQL's index support functions see them: order, equality, hash, and copies that outlive a row.

use std::cell::UnsafeCell;
use std::cmp::Ordering;
use std::ffi::CStr;

use pgrx::pg_sys::{self, Datum, FmgrInfo, Oid};

/// The most columns that an index can have.
pub const MOST_COLUMNS: usize = pg_sys::INDEX_MAX_KEYS as usize;

/// `BTORDER_PROC` of `access/nbtree.h`.
const ORDER_FUNCTION: i16 = 1;

/// How values of a column can be compared without calling its support function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shortcut {
    Int16,
    Int32,
    Int64,
    /// `text` under a collation that compares bytes.
    Text,
    /// Sixteen bytes.
    Uuid,
    None,
}

/// One column of a key: its type, and the functions of the type's default btree operator class.
pub struct KeyColumn {
    pub type_id: Oid,
    pub collation: Oid,
    pub shortcut: Shortcut,
    /// `text` whose equality is that of its bytes, whatever its order.
    is_exact_text: bool,
    length: i16,
    by_value: bool,
    order: Function,
    /// The function behind the family's equality operator.
    pub equal: Oid,
    hash: Option<Function>,
}

/// A function that is looked up once and called often.
struct Function(UnsafeCell<FmgrInfo>);

impl Function {
    /// `context` has to live as long as the result.
    unsafe fn look_up(function: Oid, context: pg_sys::MemoryContext) -> Self {
        let mut info = FmgrInfo::default();
        // SAFETY: by the caller's promise; raises where there is no such function.
        unsafe { pg_sys::fmgr_info_cxt(function, &mut info, context) };
        Function(UnsafeCell::new(info))
    }
}

/// A whole key's type. Its functions' memory goes with it.
pub struct KeyType {
    pub columns: Vec<KeyColumn>,
    context: pg_sys::MemoryContext,
}

impl Drop for KeyType {
    fn drop(&mut self) {
        // SAFETY: the context is ours alone, and nothing points into it but the columns that go as well.
        unsafe { pg_sys::MemoryContextDelete(self.context) };
    }
}

/// Why a type cannot be a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoOperatorClass {
    pub type_id: Oid,
}

impl KeyType {
    /// `columns`: type and collation of each.
    pub fn of(columns: &[(Oid, Oid)]) -> Result<Self, NoOperatorClass> {
        // SAFETY: a context under the top one, deleted when the value is dropped; the name is static.
        let context = unsafe {
            pg_sys::AllocSetContextCreateInternal(
                pg_sys::TopMemoryContext,
                c"citus_advisor key".as_ptr(),
                pg_sys::ALLOCSET_SMALL_MINSIZE as usize,
                pg_sys::ALLOCSET_SMALL_INITSIZE as usize,
                pg_sys::ALLOCSET_SMALL_MAXSIZE as usize,
            )
        };
        let mut key = KeyType { columns: Vec::with_capacity(columns.len()), context };
        for &(type_id, collation) in columns {
            // SAFETY: the context lives as long as `key`.
            let column = unsafe { KeyColumn::look_up(type_id, collation, context) }?;
            key.columns.push(column);
        }
        Ok(key)
    }

    /// The shortcut of a key of one column.
    pub fn shortcut(&self) -> Shortcut {
        match self.columns.as_slice() {
            [column] => column.shortcut,
            _ => Shortcut::None,
        }
    }

    /// Whether a key is a single integer, and so its prefix.
    pub fn fits_prefix(&self) -> bool {
        matches!(self.shortcut(), Shortcut::Int16 | Shortcut::Int32 | Shortcut::Int64)
    }

    /// Compares two whole keys.
    pub fn compare(&self, one: &[Datum], other: &[Datum]) -> Ordering {
        self.columns
            .iter()
            .zip(one.iter().zip(other))
            .map(|(column, (&one, &other))| column.compare(one, other))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }

    /// What the key's lock is taken on: the integer itself, or its hash; `None` where a column's type has no hash
    /// function that knows its equality.
    pub fn lock_bits(&self, key: &[Datum]) -> Option<u64> {
        if let ([column], [value]) = (self.columns.as_slice(), key)
            && let Some(integer) = column.integer(*value)
        {
            return Some(integer as u64);
        }
        let mut bits = 0u64;
        for (column, &value) in self.columns.iter().zip(key) {
            let hash = column.hash(value)?;
            bits = (bits.rotate_left(5) ^ u64::from(hash)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
        Some(bits)
    }

    /// Whether every column has a hash function, so that keys can be locked.
    pub fn can_be_locked(&self) -> bool {
        self.columns.iter().all(|column| column.hash.is_some() || column.is_integer())
    }
}

impl KeyColumn {
    unsafe fn look_up(type_id: Oid, collation: Oid, context: pg_sys::MemoryContext) -> Result<Self, NoOperatorClass> {
        // SAFETY: syscache look-ups that answer InvalidOid where there is nothing; `context` by the caller's promise.
        unsafe {
            let class = pg_sys::GetDefaultOpClass(type_id, pg_sys::BTREE_AM_OID);
            if class == Oid::INVALID {
                return Err(NoOperatorClass { type_id });
            }
            let family = pg_sys::get_opclass_family(class);
            let input = pg_sys::get_opclass_input_type(class);
            let order = pg_sys::get_opfamily_proc(family, input, input, ORDER_FUNCTION);
            let operator = pg_sys::get_opfamily_member(family, input, input, pg_sys::BTEqualStrategyNumber as i16);
            if order == Oid::INVALID || operator == Oid::INVALID {
                return Err(NoOperatorClass { type_id });
            }
            let (mut length, mut by_value) = (0, false);
            pg_sys::get_typlenbyval(type_id, &mut length, &mut by_value);
            let (mut left, mut right) = (Oid::INVALID, Oid::INVALID);
            // Arrays, ranges and records hash only as well as what is in them, which op_hashjoinable looks at.
            let hashes = pg_sys::op_hashjoinable(operator, type_id)
                && pg_sys::get_op_hash_functions(operator, &mut left, &mut right);
            Ok(KeyColumn {
                type_id,
                collation,
                shortcut: shortcut(order, collation),
                is_exact_text: order.to_u32() == pg_sys::F_BTTEXTCMP
                    && pg_sys::get_collation_isdeterministic(collation),
                length,
                by_value,
                order: Function::look_up(order, context),
                equal: pg_sys::get_opcode(operator),
                hash: hashes.then(|| Function::look_up(left, context)),
            })
        }
    }

    fn is_integer(&self) -> bool {
        matches!(self.shortcut, Shortcut::Int16 | Shortcut::Int32 | Shortcut::Int64)
    }

    /// The value as an integer of the same order, where the type is one inside.
    pub fn integer(&self, value: Datum) -> Option<i64> {
        match self.shortcut {
            Shortcut::Int16 => Some(i64::from(value.value() as i16)),
            Shortcut::Int32 => Some(i64::from(value.value() as i32)),
            Shortcut::Int64 => Some(value.value() as i64),
            _ => None,
        }
    }

    /// The value's bytes where they alone decide order and equality.
    pub fn bytes(&self, value: &Datum) -> Option<&[u8]> {
        // SAFETY: the shortcut says what the datum points to, and the datum's memory outlives the borrow; a stored
        // or deformed value is never toasted or compressed here (see `plain`).
        unsafe {
            match self.shortcut {
                Shortcut::Text => Some(text_bytes(value.cast_mut_ptr())),
                Shortcut::Uuid => Some(std::slice::from_raw_parts(value.cast_mut_ptr::<u8>(), 16)),
                _ => None,
            }
        }
    }

    pub fn compare(&self, one: Datum, other: Datum) -> Ordering {
        if let (Some(one), Some(other)) = (self.integer(one), self.integer(other)) {
            return one.cmp(&other);
        }
        // SAFETY: both are values of the column's type; the function's memory lives as long as `self`, and one thread
        // uses it.
        let result = unsafe { pg_sys::FunctionCall2Coll(self.order.0.get(), self.collation, one, other) };
        (result.value() as i32).cmp(&0)
    }

    fn hash(&self, value: Datum) -> Option<u32> {
        let function = self.hash.as_ref()?;
        // SAFETY: as in `compare`.
        let result = unsafe { pg_sys::FunctionCall1Coll(function.0.get(), self.collation, value) };
        Some(result.value() as u32)
    }

    /// Eight bytes that sort as the values do, as far as they go; the second says whether they decide.
    pub fn prefix(&self, value: &Datum) -> (u64, bool) {
        if let Some(integer) = self.integer(*value) {
            return ((integer as u64) ^ (1 << 63), true);
        }
        match self.bytes(value) {
            Some(bytes) => (leading(bytes), false),
            None => (0, false),
        }
    }

    /// Whether equal values always have the same [`Self::leading_bytes`].
    pub fn has_leading_bytes(&self) -> bool {
        self.shortcut != Shortcut::None || self.is_exact_text
    }

    /// Whether greater values never have lesser leading bytes.
    pub fn is_ordered_by_bytes(&self) -> bool {
        self.shortcut != Shortcut::None
    }

    /// The first eight bytes of a value, neither toasted nor compressed, in the order of integers.
    pub fn leading_bytes(&self, value: &Datum) -> u64 {
        if self.shortcut == Shortcut::None && self.is_exact_text {
            // SAFETY: a value of type text, by the column's support function.
            return leading(unsafe { text_bytes(value.cast_mut_ptr()) });
        }
        self.prefix(value).0
    }

    /// Whether two values are the same bytes: then they are the same key, whatever the type calls equal.
    pub fn same_image(&self, one: Datum, other: Datum) -> bool {
        if self.by_value {
            return one == other;
        }
        // SAFETY: both point to values of this column's type.
        unsafe { image(one, self.length) == image(other, self.length) }
    }

    /// Appends the value to `arena`, to be found again by [`Self::stored`]; returns the number of words used.
    pub fn store(&self, value: Datum, arena: &mut Vec<u64>) {
        if self.by_value {
            arena.push(value.value() as u64);
            return;
        }
        let value = self.plain(value);
        // SAFETY: points to a value of this column's type, detoasted.
        let bytes = unsafe { image(value, self.length) };
        arena.push(bytes.len() as u64);
        let start = arena.len();
        arena.resize(start + bytes.len().div_ceil(8), 0);
        // SAFETY: the words just added hold at least `bytes.len()` bytes, and do not overlap `bytes`.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), arena[start..].as_mut_ptr().cast::<u8>(), bytes.len());
        }
    }

    /// The value stored at `*position`, which moves on behind it. Points into `arena`.
    pub fn stored(&self, arena: &[u64], position: &mut usize) -> Datum {
        let word = arena[*position];
        *position += 1;
        if self.by_value {
            return Datum::from(word as usize);
        }
        let datum = Datum::from(arena[*position..].as_ptr() as usize);
        *position += (word as usize).div_ceil(8);
        datum
    }

    /// The value neither toasted nor compressed.
    pub fn plain(&self, value: Datum) -> Datum {
        if self.length != -1 {
            return value;
        }
        // SAFETY: a varlena; the copy, if one is made, is in the current memory context.
        unsafe { Datum::from(pg_sys::pg_detoast_datum_packed(value.cast_mut_ptr()) as usize) }
    }
}

fn leading(bytes: &[u8]) -> u64 {
    let mut prefix = [0; 8];
    let length = bytes.len().min(8);
    prefix[..length].copy_from_slice(&bytes[..length]);
    u64::from_be_bytes(prefix)
}

/// Which integer or bytes a support function of PostgreSQL's own compares.
fn shortcut(order: Oid, collation: Oid) -> Shortcut {
    match order.to_u32() {
        pg_sys::F_BTINT2CMP => Shortcut::Int16,
        pg_sys::F_BTINT4CMP | pg_sys::F_DATE_CMP => Shortcut::Int32,
        pg_sys::F_BTINT8CMP | pg_sys::F_TIMESTAMP_CMP | pg_sys::F_TIMESTAMPTZ_CMP => Shortcut::Int64,
        pg_sys::F_UUID_CMP => Shortcut::Uuid,
        pg_sys::F_BTTEXTCMP if compares_bytes(collation) => Shortcut::Text,
        _ => Shortcut::None,
    }
}

fn compares_bytes(collation: Oid) -> bool {
    const C: u32 = 950;
    const POSIX: u32 = 951;
    if matches!(collation.to_u32(), C | POSIX) {
        return true;
    }
    #[cfg(any(feature = "pg15", feature = "pg16", feature = "pg17"))]
    {
        unsafe extern "C-unwind" {
            /// `utils/adt/pg_locale.c`; gone in 18.
            fn lc_collate_is_c(collation: Oid) -> bool;
        }
        collation != Oid::INVALID
            // SAFETY: raises for an unknown collation only, through the boundary; no memory is passed.
            && unsafe { pg_sys::ffi::pg_guard_ffi_boundary(|| lc_collate_is_c(collation)) }
    }
    #[cfg(not(any(feature = "pg15", feature = "pg16", feature = "pg17")))]
    false
}

unsafe fn text_bytes<'a>(value: *mut pg_sys::varlena) -> &'a [u8] {
    // SAFETY: by the caller's promise a varlena that is neither toasted nor compressed.
    unsafe { std::slice::from_raw_parts(pgrx::vardata_any(value).cast(), pgrx::varsize_any_exhdr(value)) }
}

/// All bytes of a value that is passed by reference.
unsafe fn image<'a>(value: Datum, length: i16) -> &'a [u8] {
    // SAFETY: by the caller's promise.
    unsafe {
        let start = value.cast_mut_ptr::<u8>();
        let size = match length {
            -1 => pgrx::varsize_any(start.cast()),
            -2 => CStr::from_ptr(start.cast()).to_bytes_with_nul().len(),
            fixed => fixed as usize,
        };
        std::slice::from_raw_parts(start, size)
    }
}
