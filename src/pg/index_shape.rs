//! What an index is made of.

use pgrx::pg_sys;
use pgrx::pg_sys::Oid;

use super::operator_class::default_class;

/// `INDOPTION_DESC`
const DESCENDING: i16 = 1;

/// An index of a table.
pub struct IndexShape {
    pub index: Oid,
    pub btree: bool,
    /// Valid, ready and live.
    pub usable: bool,
    pub partial: bool,
    pub unique: bool,
    /// Whether a unique index refuses at once.
    pub immediate: bool,
    /// How many columns it has, included ones too.
    pub width: usize,
    pub key: Vec<KeyPart>,
}

/// A key column of an index.
pub struct KeyPart {
    /// 0 for an expression.
    pub column: i16,
    pub family: Oid,
    pub collation: Oid,
    pub descending: bool,
}

/// What a column of a table is compared by.
pub struct ColumnOrder {
    /// The family of the default btree class; invalid where the type has none.
    pub family: Oid,
    pub collation: Oid,
}

/// How a column is compared by default; `None` where there is no such column.
pub fn column_order(table: Oid, column: i16) -> Option<ColumnOrder> {
    let (mut data_type, mut modifier, mut collation) = (Oid::INVALID, 0, Oid::INVALID);
    // SAFETY: get_atttypetypmodcoll raises for a missing column, which get_atttype tells; look-ups in caches.
    unsafe {
        if pg_sys::get_atttype(table, column) == Oid::INVALID {
            return None;
        }
        pg_sys::get_atttypetypmodcoll(table, column, &mut data_type, &mut modifier, &mut collation);
    }
    let class = default_class(data_type, pg_sys::BTREE_AM_OID);
    // SAFETY: a look-up of a class that was just found.
    let family = if class == Oid::INVALID { class } else { unsafe { pg_sys::get_opclass_family(class) } };
    Some(ColumnOrder { family, collation })
}

/// The indexes of a table, which the caller has locked. No lock on an index is kept.
pub fn of_table(table: Oid) -> Vec<IndexShape> {
    let mut shapes = Vec::new();
    // SAFETY: the table is locked by the caller; each index is locked while it is read and closed after. The arrays of
    // an index's relcache entry have as many elements as it has key columns, indkey as many as it has columns. An error
    // on the way ends the (sub)transaction, which releases what is open.
    unsafe {
        let relation = pg_sys::try_relation_open(table, pg_sys::AccessShareLock as i32);
        if relation.is_null() {
            return shapes;
        }
        let list = pg_sys::RelationGetIndexList(relation);
        for at in 0..if list.is_null() { 0 } else { (*list).length } {
            let oid = (*(*list).elements.add(at as usize)).oid_value;
            let index = pg_sys::index_open(oid, pg_sys::AccessShareLock as i32);
            let form = (*index).rd_index;
            let key_width = (*form).indnkeyatts as usize;
            let columns = (*form).indkey.values.as_ptr();
            let part = |i: usize| KeyPart {
                column: *columns.add(i),
                family: *(*index).rd_opfamily.add(i),
                collation: *(*index).rd_indcollation.add(i),
                descending: *(*index).rd_indoption.add(i) & DESCENDING != 0,
            };
            shapes.push(IndexShape {
                index: oid,
                btree: (*(*index).rd_rel).relam == pg_sys::BTREE_AM_OID,
                usable: (*form).indisvalid && (*form).indisready && (*form).indislive,
                // Asked of the catalog's row: to get the predicate itself would evaluate its functions, as the caller.
                partial: !pg_sys::heap_attisnull(
                    (*index).rd_indextuple,
                    pg_sys::Anum_pg_index_indpred as i32,
                    std::ptr::null_mut(),
                ),
                unique: (*form).indisunique,
                immediate: (*form).indimmediate,
                width: (*form).indnatts as usize,
                key: (0..key_width).map(part).collect(),
            });
            pg_sys::index_close(index, pg_sys::AccessShareLock as i32);
        }
        pg_sys::list_free(list);
        pg_sys::relation_close(relation, pg_sys::AccessShareLock as i32);
    }
    shapes
}

/// The number of a column; `None` where there is none of that name.
pub fn column_number(table: Oid, column: &str) -> Option<i16> {
    let name = std::ffi::CString::new(super::encoding::to_server(column)).ok()?;
    // SAFETY: a look-up by a terminated name.
    let number = unsafe { pg_sys::get_attnum(table, name.as_ptr()) };
    (number != 0).then_some(number)
}

/// The equality of the column's default btree class; invalid where there is none.
pub fn equality(table: Oid, column: i16) -> Oid {
    // SAFETY: look-ups in caches; get_atttype returns an invalid OID for a missing column, and default_class for that.
    unsafe {
        let class = default_class(pg_sys::get_atttype(table, column), pg_sys::BTREE_AM_OID);
        if class == Oid::INVALID {
            return Oid::INVALID;
        }
        let (family, input) = (pg_sys::get_opclass_family(class), pg_sys::get_opclass_input_type(class));
        pg_sys::get_opfamily_member(family, input, input, pg_sys::BTEqualStrategyNumber as i16)
    }
}

/// The type of a column; invalid where there is no such column.
pub fn column_type(table: Oid, column: i16) -> Oid {
    // SAFETY: a look-up in a cache.
    unsafe { pg_sys::get_atttype(table, column) }
}
