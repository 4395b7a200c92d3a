//! Reads B-tree indexes page by page: which of these keys have an entry?
//!
//! The access method's interface answers that as well, but needs an open relation cache entry for heap and index and a
//! scan for each question; over hundreds of partitions that costs ten times what the pages do. Only the index pages
//! are read here, never the heap: an entry says nothing about visibility, and its absence is all that a caller may
//! rely on.
//!
//! The page format is that of nbtree version 4 (PostgreSQL 12 and later, `access/nbtree.h`), the moves are those of
//! `_bt_search`, `_bt_moveright` and `_bt_readnextpage`: one page locked at a time (Lehman and Yao), to the right where a
//! page was split, deleted pages stepped over. A page cannot be recycled under us as long as we hold a snapshot.

use std::cell::Cell;
use std::cmp::Ordering;

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::{self, Buffer, Datum, Oid};
use pgrx::{PgSqlErrorCode, check_for_interrupts};

use super::key::{KeyColumn, KeyType, MOST_COLUMNS, Shortcut};

const BLOCK_SIZE: usize = pg_sys::BLCKSZ as usize;
const PAGE_HEADER: usize = 24;
const SPECIAL: usize = BLOCK_SIZE - 16;
const META_BLOCK: u32 = 0;
const NO_BLOCK: u32 = 0;
const MAGIC: u32 = 0x05_3162;
const VERSION: u32 = 4;

/// How many pages of an index we remember the place of.
const SEEN: usize = 32;

const LEAF: u16 = 1;
const DELETED: u16 = 1 << 2;
const HALF_DEAD: u16 = 1 << 4;

/// `INDEX_ALT_TID_MASK`, `INDEX_NULL_MASK` of `itup.h` and `nbtree.h`.
const ALTERNATIVE_TID: u16 = 0x2000;
const HAS_NULLS: u16 = 0x8000;
const OFFSET_MASK: u16 = 0x0FFF;
const IS_POSTING: u16 = 0x2000;
const LINE_POINTER_DEAD: u32 = 3;

/// The name of an index' file, as long as nobody rewrites the index.
#[cfg(feature = "pg15")]
pub type FileName = pg_sys::RelFileNode;
#[cfg(not(feature = "pg15"))]
pub type FileName = pg_sys::RelFileLocator;

/// An index that can be read: what its relation cache entry says, copied.
///
/// Valid while a lock on the table keeps the index from being rewritten, and no invalidation has come.
pub struct IndexFile {
    file: FileName,
    permanent: bool,
    descriptor: pg_sys::TupleDesc,
    /// For each column of the key: whether NULLs sort first.
    nulls_first: Vec<bool>,
    /// The page that the last descent began at, and its level.
    root: Cell<(u32, u32)>,
    /// Where in shared memory pages were seen last: a hint that saves looking for them. By block, modulo its size.
    seen: [Cell<(u32, Buffer)>; SEEN],
}

impl Drop for IndexFile {
    fn drop(&mut self) {
        // SAFETY: our own copy, made in `of`.
        unsafe { pg_sys::pfree(self.descriptor.cast()) };
    }
}

/// Why an index cannot be read this way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Unreadable;

/// Sorted keys without doubles, to be met with an index.
pub trait SortedKeys {
    fn len(&self) -> usize;
    /// How the key at `position` compares to that of an index tuple.
    fn compare(&self, position: usize, tuple: &Tuple) -> Ordering;
}

/// An index tuple on a locked page.
pub struct Tuple<'a> {
    start: *const u8,
    index: &'a IndexFile,
}

impl IndexFile {
    /// Copies what is needed of an index, whose table the caller has locked. `None` where it is older than PostgreSQL 12.
    pub fn open(index: Oid, columns: usize) -> Option<Self> {
        // SAFETY: an index of a locked table cannot go; opened and closed here.
        unsafe {
            let relation = pg_sys::index_open(index, pg_sys::AccessShareLock as i32);
            let this = IndexFile::of(relation, columns);
            pg_sys::index_close(relation, pg_sys::AccessShareLock as i32);
            this.ok()
        }
    }

    /// Copies what is needed of an open index. Its leading columns have to be those of the key, in order, ascending.
    ///
    /// # Safety
    /// `index` is an open B-tree index.
    unsafe fn of(index: pg_sys::Relation, columns: usize) -> Result<Self, Unreadable> {
        // SAFETY: by the caller's promise; the copy of the descriptor is made in the context that lives longest.
        unsafe {
            let form = &*(*index).rd_rel;
            let previous = pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
            let descriptor = pg_sys::CreateTupleDescCopy((*index).rd_att);
            pg_sys::MemoryContextSwitchTo(previous);
            let this = IndexFile {
                #[cfg(feature = "pg15")]
                file: (*index).rd_node,
                #[cfg(not(feature = "pg15"))]
                file: (*index).rd_locator,
                permanent: form.relpersistence as u8 == pg_sys::RELPERSISTENCE_PERMANENT,
                descriptor,
                nulls_first: (0..columns)
                    .map(|column| *(*index).rd_indoption.add(column) & pg_sys::INDOPTION_NULLS_FIRST as i16 != 0)
                    .collect(),
                root: Cell::new((NO_BLOCK, 0)),
                seen: [const { Cell::new((0, 0)) }; SEEN],
            };
            let meta = this.read(META_BLOCK);
            let readable = meta.word(PAGE_HEADER) == MAGIC && meta.word(PAGE_HEADER + 4) == VERSION;
            meta.release();
            if readable { Ok(this) } else { Err(Unreadable) }
        }
    }

    fn read(&self, block: u32) -> Page {
        if let Some(page) = self.read_recent(block) {
            return page;
        }
        // SAFETY: the file exists as long as the value is valid.
        let buffer = unsafe {
            pg_sys::ReadBufferWithoutRelcache(
                self.file,
                pg_sys::ForkNumber::MAIN_FORKNUM,
                block,
                pg_sys::ReadBufferMode::RBM_NORMAL,
                std::ptr::null_mut(),
                self.permanent,
            )
        };
        self.seen[block as usize % SEEN].set((block, buffer));
        self.locked(block, buffer)
    }

    /// The page, if it is where it was seen last. The buffer's tag is looked at behind the pin: this never reads another
    /// page, and needs no lock on the relation.
    fn read_recent(&self, block: u32) -> Option<Page> {
        let (seen_block, seen_buffer) = self.seen[block as usize % SEEN].get();
        if seen_block != block || seen_buffer == 0 {
            return None;
        }
        let main = pg_sys::ForkNumber::MAIN_FORKNUM;
        // SAFETY: any buffer of this server may be asked whether it has a page.
        let is_there = unsafe { pg_sys::ReadRecentBuffer(self.file, main, block, seen_buffer) };
        is_there.then(|| self.locked(block, seen_buffer))
    }

    /// A pinned buffer, locked.
    fn locked(&self, block: u32, buffer: Buffer) -> Page {
        // SAFETY: the buffer is pinned by the current resource owner, and share-locked until it is released, or until the
        // transaction aborts.
        unsafe {
            pg_sys::LockBuffer(buffer, pg_sys::BUFFER_LOCK_SHARE as i32);
            let start = pg_sys::BufferBlocks.cast::<u8>().add((buffer as usize - 1) * BLOCK_SIZE);
            let page = Page { buffer, block, start };
            if page.half(16) as usize != SPECIAL {
                page.release();
                std::panic::panic_any(
                    ErrorReport::new(
                        PgSqlErrorCode::ERRCODE_INDEX_CORRUPTED,
                        format!("an index of a globally unique constraint contains a corrupted page at block {block}"),
                        "",
                    )
                    .set_hint("Please REINDEX it."),
                );
            }
            page
        }
    }

    /// The page to begin at; `None` where the index is empty. `_bt_getroot`.
    fn root(&self) -> Option<Page> {
        let (block, level) = self.root.get();
        if block != NO_BLOCK {
            let page = self.read(block);
            if !page.is_gone() && page.level() == level && page.left() == NO_BLOCK && page.right() == NO_BLOCK {
                return Some(page);
            }
            page.release();
        }
        let meta = self.read(META_BLOCK);
        let (block, level) = (meta.word(PAGE_HEADER + 16), meta.word(PAGE_HEADER + 20));
        meta.release();
        if block == NO_BLOCK {
            return None;
        }
        self.root.set((block, level));
        Some(self.read(block))
    }

    /// The leaf page on which the key's place is, or one left of it. `_bt_search`.
    fn descend(&self, compare: &impl Fn(&Tuple) -> Ordering) -> Option<Page> {
        let mut page = self.root()?;
        loop {
            page = self.move_right(page, compare)?;
            if page.is_leaf() {
                return Some(page);
            }
            // The last item that is less than the key; the first of the level counts as less than everything.
            let first = page.first();
            let place = page.lower_bound(self, first + 1, compare);
            let child = page.downlink(place - 1);
            page.release();
            page = self.read(child);
        }
    }

    /// `_bt_moveright`: the page was split or deleted after we had read where it is.
    fn move_right(&self, mut page: Page, compare: &impl Fn(&Tuple) -> Ordering) -> Option<Page> {
        loop {
            let right = page.right();
            if page.is_gone() {
                page.release();
                if right == NO_BLOCK {
                    return None;
                }
            } else if right != NO_BLOCK && compare(&page.tuple(self, 1)).is_gt() {
                page.release();
            } else {
                return Some(page);
            }
            page = self.read(right);
        }
    }

    /// The next page with items, or `None` at the end of the index.
    fn next(&self, page: Page) -> Option<Page> {
        let mut right = page.right();
        page.release();
        loop {
            if right == NO_BLOCK {
                return None;
            }
            check_for_interrupts!();
            let page = self.read(right);
            if !page.is_gone() {
                return Some(page);
            }
            right = page.right();
            page.release();
        }
    }

    /// Whether the index has at least `least` entries (row versions, dead or alive) of a key.
    pub fn holds(&self, compare: impl Fn(&Tuple) -> Ordering, least: usize) -> bool {
        let Some(mut page) = self.descend(&compare) else { return false };
        let mut offset = page.lower_bound(self, page.first(), &compare);
        let mut found = 0;
        loop {
            while offset <= page.last() {
                let tuple = page.tuple(self, offset);
                if !page.is_dead(offset) {
                    if compare(&tuple).is_ne() {
                        page.release();
                        return false;
                    }
                    found += tuple.rows();
                    if found >= least {
                        page.release();
                        return true;
                    }
                }
                offset += 1;
            }
            match self.next(page) {
                Some(right) => page = right,
                None => return false,
            }
            offset = page.first();
        }
    }

    /// Whether an entry of the key seems to be there, as far as pages tell that are in memory where they were seen last.
    /// A guess, for which nothing needs to be locked; `None`: no idea.
    pub fn seems_to_hold(&self, compare: impl Fn(&Tuple) -> Ordering) -> Option<bool> {
        let (mut block, level) = self.root.get();
        let mut page = self.read_recent(block)?;
        if block == NO_BLOCK || page.is_gone() || page.level() != level {
            page.release();
            return None;
        }
        loop {
            let right = page.right();
            if page.is_gone() || right != NO_BLOCK && compare(&page.tuple(self, 1)).is_gt() {
                page.release();
                return None;
            }
            let first = page.first();
            if page.is_leaf() {
                let place = page.lower_bound(self, first, &compare);
                let holds = place <= page.last() && compare(&page.tuple(self, place)).is_eq();
                page.release();
                return Some(holds);
            }
            let place = page.lower_bound(self, first + 1, &compare);
            block = page.downlink(place - 1);
            page.release();
            page = self.read_recent(block)?;
        }
    }

    /// Calls `each` for every entry of a key, dead ones but for those marked so left in.
    pub fn each_equal(&self, compare: impl Fn(&Tuple) -> Ordering, mut each: impl FnMut(&Tuple)) {
        let Some(mut page) = self.descend(&compare) else { return };
        let mut offset = page.lower_bound(self, page.first(), &compare);
        loop {
            while offset <= page.last() {
                let tuple = page.tuple(self, offset);
                if !page.is_dead(offset) {
                    if compare(&tuple).is_ne() {
                        page.release();
                        return;
                    }
                    each(&tuple);
                }
                offset += 1;
            }
            match self.next(page) {
                Some(right) => page = right,
                None => return,
            }
            offset = page.first();
        }
    }

    /// The least and the greatest prefix of the first column's values; `None` where there is none but NULLs. Every entry
    /// is read and counts, dead ones too.
    pub fn ends(&self, column: &KeyColumn) -> Option<(u64, u64)> {
        let mut ends: Option<(u64, u64)> = None;
        let mut page = self.descend(&|_: &Tuple| Ordering::Less)?;
        loop {
            check_for_interrupts!();
            for offset in page.first()..=page.last() {
                if let Some(prefix) = page.tuple(self, offset).prefix(column) {
                    ends = Some(
                        ends.map_or((prefix, prefix), |(least, greatest)| (least.min(prefix), greatest.max(prefix))),
                    );
                }
            }
            match self.next(page) {
                Some(right) => page = right,
                None => return ends,
            }
        }
    }

    /// Walks keys and index alongside each other, leaping over whatever the other has nothing of, and calls
    /// `met(position, row versions)` for each entry of a key; several times for one key, but in sequence.
    pub fn meet<K: SortedKeys>(&self, keys: &K, mut met: impl FnMut(usize, usize)) {
        let length = keys.len();
        let mut position = 0;
        if length == 0 {
            return;
        }
        'descend: loop {
            check_for_interrupts!();
            let Some(mut page) = self.descend(&|tuple: &Tuple| keys.compare(position, tuple)) else { return };
            let mut steps = 0;
            loop {
                let last = page.last();
                let mut offset = page.lower_bound(self, page.first(), &|tuple: &Tuple| keys.compare(position, tuple));
                while offset <= last {
                    if page.is_dead(offset) {
                        offset += 1;
                        continue;
                    }
                    let tuple = page.tuple(self, offset);
                    match keys.compare(position, &tuple) {
                        Ordering::Equal => {
                            met(position, tuple.rows());
                            offset += 1;
                            steps = 0;
                        }
                        Ordering::Less => {
                            position = gallop(position, length, |p| keys.compare(p, &tuple).is_lt());
                            steps = 0;
                            if position == length {
                                page.release();
                                return;
                            }
                        }
                        Ordering::Greater => {
                            offset = gallop(offset, last + 1, |o| keys.compare(position, &page.tuple(self, o)).is_gt());
                        }
                    }
                }
                let Some(right) = self.next(page) else { return };
                page = right;
                steps += 1;
                // The neighbour is cheap, but a far place is reached from the root.
                if steps > 1 && page.right() != NO_BLOCK && keys.compare(position, &page.tuple(self, 1)).is_gt() {
                    page.release();
                    continue 'descend;
                }
            }
        }
    }
}

/// The first of `from..to` for which `before` is false, looked for in growing leaps. `before(from)` is known to hold.
fn gallop(from: usize, to: usize, before: impl Fn(usize) -> bool) -> usize {
    let mut low = from + 1;
    let mut leap = 1;
    let mut high = loop {
        let probe = low + leap - 1;
        if probe >= to {
            break to;
        }
        if !before(probe) {
            break probe;
        }
        low = probe + 1;
        leap *= 2;
    };
    while low < high {
        let middle = low + (high - low) / 2;
        if before(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

/// A pinned and share-locked index page.
struct Page {
    buffer: Buffer,
    #[allow(dead_code, reason = "for the debugger")]
    block: u32,
    start: *const u8,
}

impl Page {
    fn half(&self, offset: usize) -> u16 {
        debug_assert!(offset + 2 <= BLOCK_SIZE);
        // SAFETY: inside the page, which stays while the buffer is locked; pages are aligned to more than two bytes
        // and all fields to their size.
        unsafe { self.start.add(offset).cast::<u16>().read() }
    }

    fn word(&self, offset: usize) -> u32 {
        debug_assert!(offset + 4 <= BLOCK_SIZE);
        // SAFETY: as in `half`.
        unsafe { self.start.add(offset).cast::<u32>().read() }
    }

    fn release(self) {
        // SAFETY: pinned and locked by `IndexFile::read`, and not used afterwards.
        unsafe { pg_sys::UnlockReleaseBuffer(self.buffer) };
    }

    fn left(&self) -> u32 {
        self.word(SPECIAL)
    }

    fn right(&self) -> u32 {
        self.word(SPECIAL + 4)
    }

    fn level(&self) -> u32 {
        self.word(SPECIAL + 8)
    }

    fn flags(&self) -> u16 {
        self.half(SPECIAL + 12)
    }

    fn is_leaf(&self) -> bool {
        self.flags() & LEAF != 0
    }

    /// `P_IGNORE`.
    fn is_gone(&self) -> bool {
        self.flags() & (DELETED | HALF_DEAD) != 0
    }

    /// Offset number of the first item; the one before it is the page's upper bound.
    fn first(&self) -> usize {
        if self.right() == NO_BLOCK { 1 } else { 2 }
    }

    /// Offset number of the last item.
    fn last(&self) -> usize {
        (usize::from(self.half(12)).max(PAGE_HEADER) - PAGE_HEADER) / 4
    }

    fn line_pointer(&self, offset: usize) -> u32 {
        self.word(PAGE_HEADER + (offset - 1) * 4)
    }

    fn is_dead(&self, offset: usize) -> bool {
        (self.line_pointer(offset) >> 15) & 3 == LINE_POINTER_DEAD
    }

    fn tuple<'a>(&self, index: &'a IndexFile, offset: usize) -> Tuple<'a> {
        let place = (self.line_pointer(offset) & 0x7FFF) as usize;
        // SAFETY: line pointers point into their page.
        Tuple { start: unsafe { self.start.add(place) }, index }
    }

    /// The child that an item of an inner page points to.
    fn downlink(&self, offset: usize) -> u32 {
        let place = (self.line_pointer(offset) & 0x7FFF) as usize;
        (u32::from(self.half(place)) << 16) | u32::from(self.half(place + 2))
    }

    /// The first item, from `from` on, that is not less than the key; one past the last if there is none.
    fn lower_bound(&self, index: &IndexFile, from: usize, compare: &impl Fn(&Tuple) -> Ordering) -> usize {
        let (mut low, mut high) = (from, self.last() + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            if compare(&self.tuple(index, middle)).is_gt() {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

impl Tuple<'_> {
    fn half(&self, offset: usize) -> u16 {
        // SAFETY: inside the tuple's header; tuples are aligned to eight bytes.
        unsafe { self.start.add(offset).cast::<u16>().read() }
    }

    fn info(&self) -> u16 {
        self.half(6)
    }

    /// How many row versions a leaf tuple stands for: several where equal keys were put together.
    fn rows(&self) -> usize {
        let count = self.half(4);
        if self.info() & ALTERNATIVE_TID != 0 && count & IS_POSTING != 0 { usize::from(count & OFFSET_MASK) } else { 1 }
    }

    /// How many columns the tuple has: those of inner pages are cut off behind what tells their sides apart.
    fn columns(&self) -> usize {
        let count = self.half(4);
        if self.info() & ALTERNATIVE_TID != 0 && count & IS_POSTING == 0 {
            usize::from(count & OFFSET_MASK)
        } else {
            MOST_COLUMNS
        }
    }

    /// Where the first column's value begins; `None` where it is NULL.
    fn first_column(&self) -> Option<*const u8> {
        if self.is_null(0) {
            return None;
        }
        // Behind the header of eight bytes, and the bitmap of NULLs if any column is NULL, at the next multiple of eight.
        let place = if self.info() & HAS_NULLS == 0 { 8 } else { 16 };
        // SAFETY: the tuple has the column.
        Some(unsafe { self.start.add(place) })
    }

    /// The second column, an OID, behind a first one of eight bytes.
    pub fn second_oid(&self) -> Oid {
        // SAFETY: the header has eight bytes, the first column too; the index of claims has no NULLs.
        Oid::from(unsafe { self.start.add(16).cast::<u32>().read() })
    }

    /// The prefix of the first column's value, if it is not NULL.
    fn prefix(&self, column: &KeyColumn) -> Option<u64> {
        if self.columns() == 0 || self.is_null(0) {
            return None;
        }
        // SAFETY: the tuple has the column, and it is not NULL.
        let value = unsafe { pg_sys::nocache_index_getattr(self.start as *mut _, 1, self.index.descriptor) };
        Some(column.leading_bytes(&column.plain(value)))
    }

    /// How an integer compares to the first column.
    #[inline]
    pub fn compare_integer(&self, key: i64, width: Shortcut) -> Ordering {
        if self.columns() == 0 {
            // What was cut off stands for minus infinity.
            return Ordering::Greater;
        }
        let Some(place) = self.first_column() else { return self.compare_null(0) };
        // SAFETY: the column's type says how many bytes are there, and values are aligned.
        let value = unsafe {
            match width {
                Shortcut::Int16 => i64::from(place.cast::<i16>().read()),
                Shortcut::Int32 => i64::from(place.cast::<i32>().read()),
                _ => place.cast::<i64>().read(),
            }
        };
        key.cmp(&value)
    }

    /// How a key compares to the tuple's columns. `_bt_compare`, without the heap address.
    pub fn compare(&self, key_type: &KeyType, key: &[Datum]) -> Ordering {
        let columns = self.columns();
        for (number, (column, &value)) in key_type.columns.iter().zip(key).enumerate() {
            if number >= columns {
                // What was cut off stands for minus infinity.
                return Ordering::Greater;
            }
            if self.is_null(number) {
                return self.compare_null(number);
            }
            // SAFETY: the tuple has the column, and it is not NULL; the descriptor is the index' own.
            let mine = unsafe {
                pg_sys::nocache_index_getattr(self.start as *mut _, number as i32 + 1, self.index.descriptor)
            };
            let order = if column.shortcut == Shortcut::Text {
                // Long values are compressed inside an index tuple. The copy is freed: millions may be compared.
                let plain = column.plain(mine);
                let order = column.bytes(&value).cmp(&column.bytes(&plain));
                if plain != mine {
                    // SAFETY: allocated by `plain` for us.
                    unsafe { pg_sys::pfree(plain.cast_mut_ptr()) };
                }
                order
            } else if let (Some(value), Some(mine)) = (column.bytes(&value), column.bytes(&mine)) {
                value.cmp(mine)
            } else {
                column.compare(value, mine)
            };
            if order.is_ne() {
                return order;
            }
        }
        Ordering::Equal
    }

    fn is_null(&self, column: usize) -> bool {
        if self.info() & HAS_NULLS == 0 {
            return false;
        }
        // SAFETY: the bitmap follows the header of eight bytes; a zero bit is a NULL.
        unsafe { *self.start.add(8 + column / 8) & (1 << (column % 8)) == 0 }
    }

    fn compare_null(&self, column: usize) -> Ordering {
        if self.index.nulls_first[column] { Ordering::Greater } else { Ordering::Less }
    }
}
