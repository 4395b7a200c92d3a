//! Which index of a member finds the rows of a key.

use std::fmt;

use pgrx::pg_sys::Oid;

use crate::pg::index_shape::{self, IndexShape};

/// The index that serves a constraint in one member.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ServingIndex {
    pub index: Oid,
    /// Unique on exactly the constraint's columns, and checked at once: the member has no duplicates of its own.
    pub forbids_duplicates: bool,
}

/// Why no index of a member serves.
#[derive(Clone, Debug, PartialEq)]
pub struct NoIndex(String);

impl fmt::Display for NoIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The best index of `member` for a key on `columns`, attribute numbers of that member in the order of the constraint.
/// No lock is kept.
///
/// An index serves if it is a usable btree without predicate whose first columns are the key's, in order and ascending,
/// compared as the column's type compares by default and under the column's collation.
pub fn find(member: Oid, columns: &[i16]) -> Result<ServingIndex, NoIndex> {
    let shapes = index_shape::of_table(member);
    let mut best: Option<(&IndexShape, ServingIndex)> = None;
    let mut nearest = None;
    for shape in &shapes {
        if let Some(flaw) = flaw(member, columns, shape) {
            // The reason to tell is of an index that begins with the right column.
            if shape.key.first().map(|k| k.column) == columns.first().copied() {
                nearest = Some(flaw);
            }
            continue;
        }
        let forbids_duplicates = shape.unique && shape.immediate && !shape.partial && shape.key.len() == columns.len();
        let candidate = ServingIndex { index: shape.index, forbids_duplicates };
        let rank = |s: &IndexShape, c: &ServingIndex| (!c.forbids_duplicates, !s.unique, s.width, c.index.to_u32());
        if best.as_ref().is_none_or(|(s, b)| rank(shape, &candidate) < rank(s, b)) {
            best = Some((shape, candidate));
        }
    }
    match (best, nearest) {
        (Some((_, index)), _) => Ok(index),
        (None, Some(flaw)) => Err(NoIndex(flaw.to_owned())),
        (None, None) => Err(NoIndex("no index begins with the columns of the constraint".to_owned())),
    }
}

/// Whether every one of the columns is in a unique index without predicate and expressions: what `heap_update` calls a
/// key (`INDEX_ATTR_BITMAP_KEY`), so that changing it waits for those who have locked the row's key.
pub fn unique_indexes_name(member: Oid, columns: &[i16]) -> bool {
    let shapes = index_shape::of_table(member);
    let counts = |shape: &&IndexShape| shape.unique && !shape.partial && shape.key.iter().all(|part| part.column != 0);
    columns
        .iter()
        .all(|column| shapes.iter().filter(counts).any(|shape| shape.key.iter().any(|part| part.column == *column)))
}

/// What keeps an index from serving.
fn flaw(member: Oid, columns: &[i16], shape: &IndexShape) -> Option<&'static str> {
    if !shape.btree {
        return Some("an index on the columns is not a btree");
    }
    if shape.key.len() < columns.len() || shape.key.iter().zip(columns).any(|(k, c)| k.column != *c) {
        return Some("the columns of an index are others, or in another order");
    }
    if !shape.usable {
        return Some("the index on the columns is invalid");
    }
    if shape.partial {
        return Some("the index on the columns has a WHERE clause");
    }
    for (part, column) in shape.key.iter().zip(columns) {
        if part.descending {
            return Some("the index on the columns is descending");
        }
        match index_shape::column_order(member, *column) {
            Some(order) if order.family == part.family && order.collation == part.collation => {}
            Some(order) if order.family == part.family => {
                return Some("the index on the columns has another collation than the column");
            }
            _ => return Some("the index on the columns has another operator class than the default one"),
        }
    }
    None
}
