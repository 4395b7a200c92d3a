//! Rows of a key in one table, through the executor's own interfaces: who is writing them, and which are alive.

use pgrx::pg_sys::{self, Datum, Oid, Relation, Snapshot};

use super::key::{KeyType, MOST_COLUMNS};
use super::lock::{Mode, lock_relation, unlock_relation};
use super::transaction::TransactionId;

/// A table and the index that leads with the key's columns, if it has one.
#[derive(Clone, Debug)]
pub struct Place {
    pub table: Oid,
    pub index: Option<Oid>,
    /// The key's columns in the table.
    pub columns: Vec<i16>,
}

/// A row that somebody has not finished with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unfinished {
    /// Being inserted. `token`: not zero where the row may be taken back (`ON CONFLICT`).
    Inserted { by: TransactionId, token: u32 },
    /// Being deleted, or replaced.
    Deleted { by: TransactionId },
}

impl Unfinished {
    /// Waits until its writer has finished. Hold no lock that the writer may need.
    ///
    /// Errors: 40P01, 55P03, 57014.
    pub fn wait(self) {
        // SAFETY: a transaction other than the running one; no relation is named.
        unsafe {
            match self {
                Unfinished::Inserted { by, token } if token != 0 => {
                    pg_sys::SpeculativeInsertionWait(by.to_pg(), token);
                }
                Unfinished::Inserted { by, .. } | Unfinished::Deleted { by } => {
                    pg_sys::XactLockTableWait(
                        by.to_pg(),
                        std::ptr::null_mut(),
                        std::ptr::null_mut(),
                        pg_sys::XLTW_Oper::XLTW_None,
                    );
                }
            }
        }
    }
}

/// How many rows of the key are alive, and how many of these the running transaction has written.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Alive {
    pub rows: usize,
    pub own: usize,
}

impl Alive {
    pub fn add(&mut self, other: Alive) {
        self.rows += other.rows;
        self.own += other.own;
    }
}

/// How an attempt to lock a key's row ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RowLock {
    NoRow,
    Locked,
    /// Somebody else has deleted the row, moved it, or changed its key, and has committed that.
    Changed,
}

impl Place {
    /// Looks at every version of the key's rows that is not dead, committed or not, and stops at the first that
    /// `unfinished` says to wait for.
    pub fn look_dirty(
        &self,
        key_type: &KeyType,
        key: &[Datum],
        mut unfinished: impl FnMut(Unfinished) -> bool,
    ) -> (Option<Unfinished>, Alive) {
        let mut snapshot =
            pg_sys::SnapshotData { snapshot_type: pg_sys::SnapshotType::SNAPSHOT_DIRTY, ..Default::default() };
        let pointer: Snapshot = &mut snapshot;
        let mut wait = None;
        let mut alive = Alive::default();
        self.scan(key_type, key, pointer, |slot| {
            // SAFETY: the scan has set the fields for the version it returned; `snapshot` outlives the scan.
            let (inserter, deleter, token) = unsafe { ((*pointer).xmin, (*pointer).xmax, (*pointer).speculativeToken) };
            let (inserter, deleter) = (TransactionId::from_pg(inserter), TransactionId::from_pg(deleter));
            let state = if inserter.is_valid() {
                Unfinished::Inserted { by: inserter, token }
            } else if deleter.is_valid() {
                Unfinished::Deleted { by: deleter }
            } else {
                alive.rows += 1;
                alive.own += usize::from(is_own(slot));
                return true;
            };
            if unfinished(state) {
                wait = Some(state);
            }
            wait.is_none()
        });
        (wait, alive)
    }

    /// Counts the key's rows that are visible in a snapshot.
    pub fn count(&self, key_type: &KeyType, key: &[Datum], snapshot: &Fresh) -> Alive {
        let mut alive = Alive::default();
        self.scan(key_type, key, snapshot.0, |slot| {
            alive.rows += 1;
            alive.own += usize::from(is_own(slot));
            true
        });
        alive
    }

    /// Looks at every version of the key's rows, and says how many live ones there are if the running transaction has
    /// written, or deleted, each of them: then nobody else can have a hand in them. `None`: somebody else may.
    pub fn own_alive(&self, key_type: &KeyType, key: &[Datum]) -> Option<usize> {
        self.index?;
        let mut alive = Some(0);
        self.scan(key_type, key, &raw mut pg_sys::SnapshotAnyData, |slot| {
            alive = match (alive, fate(slot)) {
                (Some(count), Fate::WrittenHere) => Some(count + 1),
                (Some(count), Fate::DeletedHere) => Some(count),
                _ => None,
            };
            alive.is_some()
        });
        alive
    }

    /// Looks for the key's row that the snapshot shows, and locks it to the end of the transaction so that nobody else can
    /// take its key away, as `FOR KEY SHARE` does; or against any change, where no index tells PostgreSQL which changes
    /// concern the key. A row that this transaction has written needs no lock: whoever would change it has to wait for
    /// us anyway, and where its version is rolled back, so is what was checked with it.
    pub fn lock_row(&self, key_type: &KeyType, key: &[Datum], snapshot: &Fresh, is_key_of_index: bool) -> RowLock {
        let mut lock = [RowLock::NoRow];
        let key = |_: usize, room: &mut [Datum; MOST_COLUMNS]| room[..key.len()].copy_from_slice(key);
        self.lock_rows(key_type, &mut lock, key, snapshot, is_key_of_index);
        lock[0]
    }

    /// The same for many keys: `key` gives each by its number, `locks` gets what became of it.
    pub fn lock_rows(
        &self,
        key_type: &KeyType,
        locks: &mut [RowLock],
        key: impl Fn(usize, &mut [Datum; MOST_COLUMNS]),
        snapshot: &Fresh,
        is_key_of_index: bool,
    ) {
        let mode = if is_key_of_index {
            pg_sys::LockTupleMode::LockTupleKeyShare
        } else {
            pg_sys::LockTupleMode::LockTupleShare
        };
        let mut room = [Datum::from(0); MOST_COLUMNS];
        let width = key_type.columns.len();
        lock_relation(self.table, Mode::AccessShare);
        // SAFETY: the lock keeps the table; scans, slots and relations are closed below, or by the abort. The snapshot lives.
        unsafe {
            let table = pg_sys::RelationIdGetRelation(self.table);
            if !table.is_null() {
                let target = pg_sys::table_slot_create(table, std::ptr::null_mut());
                match self.index {
                    Some(index) => {
                        let index = pg_sys::index_open(index, pg_sys::AccessShareLock as i32);
                        let found = pg_sys::table_slot_create(table, std::ptr::null_mut());
                        let scan = begin_index_scan(table, index, snapshot.0, width as i32);
                        for (at, lock) in locks.iter_mut().enumerate() {
                            pgrx::check_for_interrupts!();
                            key(at, &mut room);
                            let mut keys = scan_keys(key_type, &room[..width]);
                            pg_sys::index_rescan(scan, keys.as_mut_ptr(), width as i32, std::ptr::null_mut(), 0);
                            if pg_sys::index_getnext_slot(scan, pg_sys::ScanDirection::ForwardScanDirection, found) {
                                *lock = lock_version(table, found, target, snapshot.0, mode);
                            }
                        }
                        pg_sys::index_endscan(scan);
                        pg_sys::ExecDropSingleTupleTableSlot(found);
                        pg_sys::index_close(index, pg_sys::AccessShareLock as i32);
                    }
                    None => {
                        for (at, lock) in locks.iter_mut().enumerate() {
                            key(at, &mut room);
                            self.scan_table(table, key_type, &room[..width], snapshot.0, &mut |found| {
                                *lock = lock_version(table, found, target, snapshot.0, mode);
                                false
                            });
                        }
                    }
                }
                pg_sys::ExecDropSingleTupleTableSlot(target);
                pg_sys::RelationClose(table);
            }
        }
        unlock_relation(self.table, Mode::AccessShare);
    }

    /// Calls `each` for every row of the key that the snapshot shows, until it says no.
    fn scan(
        &self,
        key_type: &KeyType,
        key: &[Datum],
        snapshot: Snapshot,
        mut each: impl FnMut(*mut pg_sys::TupleTableSlot) -> bool,
    ) {
        lock_relation(self.table, Mode::AccessShare);
        // SAFETY: the lock keeps the table; scans, slots and relations are closed below, or by the abort.
        unsafe {
            let table = pg_sys::RelationIdGetRelation(self.table);
            if !table.is_null() {
                match self.index {
                    Some(index) => scan_index(table, index, key_type, key, snapshot, &mut each),
                    None => self.scan_table(table, key_type, key, snapshot, &mut each),
                }
                pg_sys::RelationClose(table);
            }
        }
        unlock_relation(self.table, Mode::AccessShare);
    }

    /// Calls `each` with the key's values of every row that the snapshot shows and that has no NULL among them, until it
    /// says no.
    pub fn each_key(&self, snapshot: &Fresh, mut each: impl FnMut(&[Datum]) -> bool) {
        self.each_row(snapshot, |row| {
            let key: Option<Vec<Datum>> = row.iter().copied().collect();
            key.is_none_or(|key| each(&key))
        });
    }

    /// Calls `each` with the key's values of every row that the snapshot shows, until it says no. No planner, no function
    /// but those of the key's operator class: the table may be anybody's.
    pub fn each_row(&self, snapshot: &Fresh, mut each: impl FnMut(&[Option<Datum>]) -> bool) {
        lock_relation(self.table, Mode::AccessShare);
        // SAFETY: the lock keeps the table; all is closed below, or by the abort.
        unsafe {
            let table = pg_sys::RelationIdGetRelation(self.table);
            if !table.is_null() {
                let slot = pg_sys::table_slot_create(table, std::ptr::null_mut());
                let scan = pg_sys::table_beginscan(table, snapshot.0, 0, std::ptr::null_mut());
                let mut goes_on = true;
                while goes_on && pg_sys::table_scan_getnextslot(scan, pg_sys::ScanDirection::ForwardScanDirection, slot)
                {
                    pgrx::check_for_interrupts!();
                    let row: Vec<Option<Datum>> = self.columns.iter().map(|&number| attribute(slot, number)).collect();
                    goes_on = each(&row);
                }
                pg_sys::table_endscan(scan);
                pg_sys::ExecDropSingleTupleTableSlot(slot);
                pg_sys::RelationClose(table);
            }
        }
        unlock_relation(self.table, Mode::AccessShare);
    }

    unsafe fn scan_table(
        &self,
        table: Relation,
        key_type: &KeyType,
        key: &[Datum],
        snapshot: Snapshot,
        each: &mut dyn FnMut(*mut pg_sys::TupleTableSlot) -> bool,
    ) {
        // SAFETY: the table is open and locked by the caller.
        unsafe {
            let slot = pg_sys::table_slot_create(table, std::ptr::null_mut());
            let scan = pg_sys::table_beginscan(table, snapshot, 0, std::ptr::null_mut());
            while pg_sys::table_scan_getnextslot(scan, pg_sys::ScanDirection::ForwardScanDirection, slot) {
                pgrx::check_for_interrupts!();
                let equal = self.columns.iter().zip(&key_type.columns).zip(key).all(|((&number, column), &value)| {
                    attribute(slot, number).is_some_and(|mine| column.compare(value, mine).is_eq())
                });
                if equal && !each(slot) {
                    break;
                }
            }
            pg_sys::table_endscan(scan);
            pg_sys::ExecDropSingleTupleTableSlot(slot);
        }
    }
}

unsafe fn scan_index(
    table: Relation,
    index: Oid,
    key_type: &KeyType,
    key: &[Datum],
    snapshot: Snapshot,
    each: &mut dyn FnMut(*mut pg_sys::TupleTableSlot) -> bool,
) {
    // SAFETY: the table is open and locked by the caller; the index is the table's, and its leading columns are the
    // key's.
    unsafe {
        let index = pg_sys::index_open(index, pg_sys::AccessShareLock as i32);
        let mut keys = scan_keys(key_type, key);
        let slot = pg_sys::table_slot_create(table, std::ptr::null_mut());
        let count = key_type.columns.len() as i32;
        let scan = begin_index_scan(table, index, snapshot, count);
        pg_sys::index_rescan(scan, keys.as_mut_ptr(), count, std::ptr::null_mut(), 0);
        while pg_sys::index_getnext_slot(scan, pg_sys::ScanDirection::ForwardScanDirection, slot) {
            if !each(slot) {
                break;
            }
        }
        pg_sys::index_endscan(scan);
        pg_sys::ExecDropSingleTupleTableSlot(slot);
        pg_sys::index_close(index, pg_sys::AccessShareLock as i32);
    }
}

/// What an index on the key's columns is asked for.
fn scan_keys(key_type: &KeyType, key: &[Datum]) -> [pg_sys::ScanKeyData; MOST_COLUMNS] {
    let mut keys = [pg_sys::ScanKeyData::default(); MOST_COLUMNS];
    for (number, (column, &value)) in key_type.columns.iter().zip(key).enumerate() {
        // SAFETY: the equality function is that of the column's operator class.
        unsafe {
            pg_sys::ScanKeyEntryInitialize(
                &mut keys[number],
                0,
                number as i16 + 1,
                pg_sys::BTEqualStrategyNumber as u16,
                Oid::INVALID,
                column.collation,
                column.equal,
                value,
            );
        }
    }
    keys
}

/// Locks the row version that a scan has found, unless it is this transaction's own. `target`: another slot of the table.
unsafe fn lock_version(
    table: Relation,
    found: *mut pg_sys::TupleTableSlot,
    target: *mut pg_sys::TupleTableSlot,
    snapshot: Snapshot,
    mode: pg_sys::LockTupleMode::Type,
) -> RowLock {
    if is_own(found) {
        return RowLock::Locked;
    }
    // SAFETY: by the caller, who has table, slots and snapshot open.
    let result = unsafe {
        let mut row = (*found).tts_tid;
        let mut failure = pg_sys::TM_FailureData::default();
        pg_sys::table_tuple_lock(
            table,
            &mut row,
            snapshot,
            target,
            (*snapshot).curcid,
            mode,
            pg_sys::LockWaitPolicy::LockWaitBlock,
            pg_sys::TUPLE_LOCK_FLAG_LOCK_UPDATE_IN_PROGRESS as u8,
            &mut failure,
        )
    };
    if result == pg_sys::TM_Result::TM_Ok { RowLock::Locked } else { RowLock::Changed }
}

/// A plain scan of an index, with `keys` keys.
///
/// # Safety
/// Both relations are open, the snapshot is valid as long as the scan.
pub unsafe fn begin_index_scan(
    table: Relation,
    index: Relation,
    snapshot: Snapshot,
    keys: i32,
) -> pg_sys::IndexScanDesc {
    // SAFETY: open relations, by the caller's promise.
    unsafe {
        #[cfg(not(feature = "pg18"))]
        let scan = pg_sys::index_beginscan(table, index, snapshot, keys, 0);
        #[cfg(feature = "pg18")]
        let scan = pg_sys::index_beginscan(table, index, snapshot, std::ptr::null_mut(), keys, 0);
        scan
    }
}

/// A column of the row in a slot; `None` if it is NULL.
///
/// # Safety
/// `slot` holds a row, and the row has the column.
pub unsafe fn attribute(slot: *mut pg_sys::TupleTableSlot, number: i16) -> Option<Datum> {
    // SAFETY: by the caller's promise; values are there up to tts_nvalid.
    unsafe {
        if (*slot).tts_nvalid < number {
            pg_sys::slot_getsomeattrs_int(slot, i32::from(number));
        }
        let place = number as usize - 1;
        (!*(*slot).tts_isnull.add(place)).then(|| *(*slot).tts_values.add(place))
    }
}

/// Whether the running transaction has written the row version.
pub fn is_own(slot: *mut pg_sys::TupleTableSlot) -> bool {
    // SAFETY: the slot holds a row of a table; every row has an xmin.
    unsafe {
        let mut is_null = false;
        let inserter = pg_sys::slot_getsysattr(slot, pg_sys::MinTransactionIdAttributeNumber, &mut is_null);
        TransactionId(inserter.value() as u32).is_current()
    }
}

/// What the running transaction has done with a row version.
enum Fate {
    WrittenHere,
    DeletedHere,
    Unknown,
}

fn fate(slot: *mut pg_sys::TupleTableSlot) -> Fate {
    // SAFETY: the slot holds a row of a table; only rows of the heap have the header that is read here. The tuple is not a
    // copy, since it is in a buffer.
    unsafe {
        if !std::ptr::eq((*slot).tts_ops, &raw const pg_sys::TTSOpsBufferHeapTuple) {
            return Fate::Unknown;
        }
        let mut is_copy = false;
        let tuple = pg_sys::ExecFetchSlotHeapTuple(slot, false, &mut is_copy);
        let header = &*(*tuple).t_data;
        let mask = u32::from(header.t_infomask);
        let is_locked_only = mask & pg_sys::HEAP_XMAX_LOCK_ONLY != 0
            || mask & (pg_sys::HEAP_XMAX_IS_MULTI | pg_sys::HEAP_LOCK_MASK) == pg_sys::HEAP_XMAX_EXCL_LOCK;
        let has_deleter = mask & pg_sys::HEAP_XMAX_INVALID == 0 && !is_locked_only;
        if has_deleter {
            let deleter = TransactionId::from_pg(header.t_choice.t_heap.t_xmax);
            let is_here = mask & pg_sys::HEAP_XMAX_IS_MULTI == 0 && deleter.is_current();
            return if is_here { Fate::DeletedHere } else { Fate::Unknown };
        }
        if is_own(slot) { Fate::WrittenHere } else { Fate::Unknown }
    }
}

/// A snapshot of this instant, whatever the isolation level, that also shows what the running command has written.
/// Active as long as it lives.
pub struct Fresh(Snapshot);

impl Fresh {
    pub fn take() -> Self {
        // SAFETY: called inside a transaction. The pushed copy is ours, so its command counter may be moved: rows of the
        // running command are to be seen, which is the same as to increment the counter and does not use it up.
        unsafe {
            pg_sys::PushCopiedSnapshot(pg_sys::GetLatestSnapshot());
            let snapshot = pg_sys::GetActiveSnapshot();
            (*snapshot).curcid = (*snapshot).curcid.saturating_add(1);
            Fresh(snapshot)
        }
    }

    /// Ends it. Where an error comes in between, the abort does.
    pub fn done(self) {
        // SAFETY: pushed by `take`, and whatever was pushed since was popped.
        unsafe { pg_sys::PopActiveSnapshot() };
    }
}

/// Makes sure of an active snapshot while `work` runs: none is set when deferred work is done at a commit.
pub fn with_snapshot<R>(work: impl FnOnce() -> R) -> R {
    // SAFETY: pushed and popped in pairs; where an error comes in between, the abort pops.
    unsafe {
        if pg_sys::ActiveSnapshotSet() {
            return work();
        }
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        let result = work();
        pg_sys::PopActiveSnapshot();
        result
    }
}
