//! Keys of rows that have been written and are still to be checked, many at a time: for unique constraints, and for
//! foreign keys.
//!
//! A statement's keys are collected, sorted, and met with each member's index in one ordered walk. What is pending
//! belongs to the subtransaction that wrote it: a check never speaks for rows of an outer one, whose EXCEPTION block
//! would swallow the error.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::ffi::CString;
use std::rc::Rc;

use pgrx::check_for_interrupts;
use pgrx::pg_sys::{Datum, Oid};

use super::claims;
use super::foreign_key::batch::check_batch;
use super::foreign_key::binding::Referencing;
use super::key_lock::{self, KeyLock};
use super::members::{Binding, Constraint, Serving};
use super::unique::{self, Checked, judge, visit};
use crate::pg::btree::{SortedKeys, Tuple};
use crate::pg::column::text;
use crate::pg::key::{KeyType, MOST_COLUMNS, Shortcut};
use crate::pg::rows::{Fresh, with_snapshot};
use crate::pg::scratch::scratch;
use crate::pg::transaction::{self, SubTransaction};

/// Keys that are collected before they are checked: four megabytes of entries.
const MOST_ENTRIES: usize = 1 << 18;
/// Words of keys that are collected: sixteen megabytes.
const MOST_WORDS: usize = 1 << 21;

/// A key to be checked.
#[derive(Clone, Copy)]
pub struct Entry {
    /// Sorts as the key does, as far as it goes.
    prefix: u64,
    /// Where the key stands in the arena; for integers, which are in the prefix, just the order of arrival.
    pub place: u32,
    /// The member that has the row; of a foreign key, which of the referencing tables.
    pub home: u32,
}

struct Pending {
    constraint: Rc<Constraint>,
    /// Of a foreign key: the tables that have the rows. `constraint` is then the referenced side.
    referencing: Vec<Rc<Referencing>>,
    entries: Vec<Entry>,
    arena: Vec<u64>,
    /// From which entry, and which word of the arena, on a subtransaction's keys stand.
    marks: Vec<(SubTransaction, usize, usize)>,
}

thread_local! {
    static PENDING: RefCell<Vec<Pending>> = const { RefCell::new(Vec::new()) };
}

/// Collects the key of a row that has been written. `false`: enough is pending, [`flush`] is due.
pub fn collect(binding: &Binding, key: &[Datum]) -> bool {
    collect_for(&binding.constraint, true, key, |_| binding.home)
}

/// The same for a row that references a key, which is given as the referenced columns have it.
pub fn collect_reference(from: &Rc<Referencing>, key: &[Datum]) -> bool {
    collect_for(&from.referenced, false, key, |tables| {
        let known = tables.iter().rposition(|table| Rc::ptr_eq(table, from));
        known.unwrap_or_else(|| {
            tables.push(Rc::clone(from));
            tables.len() - 1
        })
    })
}

fn collect_for(
    constraint: &Rc<Constraint>,
    is_own_key: bool,
    key: &[Datum],
    home: impl FnOnce(&mut Vec<Rc<Referencing>>) -> usize,
) -> bool {
    let now = transaction::subtransaction();
    PENDING.with_borrow_mut(|all| {
        let known = all.iter().position(|pending| {
            Rc::ptr_eq(&pending.constraint, constraint) && pending.referencing.is_empty() == is_own_key
        });
        let place = known.unwrap_or_else(|| {
            all.push(Pending {
                constraint: Rc::clone(constraint),
                referencing: Vec::new(),
                entries: Vec::new(),
                arena: Vec::new(),
                marks: Vec::new(),
            });
            all.len() - 1
        });
        let pending = &mut all[place];
        let place = (pending.entries.len(), pending.arena.len());
        if pending.marks.last().is_none_or(|(subtransaction, ..)| *subtransaction != now) {
            pending.marks.push((now, place.0, place.1));
        }
        let home = home(&mut pending.referencing);
        push(&constraint.key, &mut pending.entries, &mut pending.arena, home, key);
        pending.entries.len() < MOST_ENTRIES && pending.arena.len() < MOST_WORDS
    })
}

fn push(key_type: &KeyType, entries: &mut Vec<Entry>, arena: &mut Vec<u64>, home: usize, key: &[Datum]) {
    let columns = &key_type.columns;
    let (prefix, decides) = columns[0].prefix(&columns[0].plain(key[0]));
    let place = if decides && columns.len() == 1 {
        entries.len()
    } else {
        let place = arena.len();
        columns.iter().zip(key).for_each(|(column, &value)| column.store(value, arena));
        place
    };
    entries.push(Entry { prefix, place: place as u32, home: home as u32 });
}

/// Checks what the running subtransaction has pending.
pub fn flush() -> Checked {
    let now = transaction::subtransaction();
    while let Some(batch) = take(now) {
        check(batch)?;
    }
    Ok(())
}

/// Whether the running subtransaction has anything pending.
pub fn is_due(subtransaction: SubTransaction) -> bool {
    PENDING.with_borrow(|all| {
        all.iter().any(|pending| pending.marks.last().is_some_and(|(marked, ..)| *marked >= subtransaction))
    })
}

/// Takes one constraint's keys of a subtransaction (and of its children) out of what is pending.
fn take(subtransaction: SubTransaction) -> Option<Batch> {
    PENDING.with_borrow_mut(|all| {
        let is_due = |pending: &Pending| pending.marks.last().is_some_and(|(marked, ..)| *marked >= subtransaction);
        // Rows' own keys come first, as natively.
        let own_key = all.iter().position(|pending| pending.referencing.is_empty() && is_due(pending));
        let place = own_key.or_else(|| all.iter().position(is_due))?;
        let pending = &mut all[place];
        let from = pending.marks.partition_point(|(marked, ..)| *marked < subtransaction);
        let (_, entry, word) = pending.marks[from];
        if from == 0 {
            let pending = all.swap_remove(place);
            return Some(Batch {
                constraint: pending.constraint,
                referencing: pending.referencing,
                entries: pending.entries,
                arena: pending.arena,
            });
        }
        pending.marks.truncate(from);
        let mut entries = pending.entries.split_off(entry);
        let is_stored = !pending.constraint.key.fits_prefix();
        for entry in &mut entries {
            entry.place -= if is_stored { word as u32 } else { 0 };
        }
        let arena = pending.arena.split_off(word);
        let referencing = pending.referencing.clone();
        Some(Batch { constraint: Rc::clone(&pending.constraint), referencing, entries, arena })
    })
}

/// A subtransaction was rolled back: its rows are gone.
pub fn forget_subtransaction(aborted: SubTransaction) {
    PENDING.with_borrow_mut(|all| {
        for pending in all.iter_mut() {
            let from = pending.marks.partition_point(|(marked, ..)| *marked < aborted);
            if let Some(&(_, entry, word)) = pending.marks.get(from) {
                pending.marks.truncate(from);
                pending.entries.truncate(entry);
                pending.arena.truncate(word);
            }
        }
        all.retain(|pending| !pending.entries.is_empty());
    });
}

/// The transaction is over.
pub fn forget_all() {
    PENDING.with_borrow_mut(Vec::clear);
}

/// What is being checked.
pub struct Batch {
    pub constraint: Rc<Constraint>,
    pub referencing: Vec<Rc<Referencing>>,
    entries: Vec<Entry>,
    arena: Vec<u64>,
}

impl Batch {
    pub fn key<'a>(&self, entry: &Entry, room: &'a mut [Datum; MOST_COLUMNS]) -> &'a [Datum] {
        key_at(&self.constraint.key, &self.arena, entry, room)
    }
}

/// An entry's key, its values in `room`.
fn key_at<'a>(key_type: &KeyType, arena: &[u64], entry: &Entry, room: &'a mut [Datum; MOST_COLUMNS]) -> &'a [Datum] {
    let columns = &key_type.columns;
    if key_type.fits_prefix() {
        room[0] = Datum::from((entry.prefix ^ (1 << 63)) as usize);
    } else {
        let mut position = entry.place as usize;
        for (value, column) in room.iter_mut().zip(columns) {
            *value = column.stored(arena, &mut position);
        }
    }
    &room[..columns.len()]
}

fn compare(key_type: &KeyType, arena: &[u64], one: &Entry, other: &Entry) -> Ordering {
    one.prefix.cmp(&other.prefix).then_with(|| {
        if key_type.fits_prefix() {
            return Ordering::Equal;
        }
        let (mut first, mut second) = ([Datum::from(0); MOST_COLUMNS], [Datum::from(0); MOST_COLUMNS]);
        let first = key_at(key_type, arena, one, &mut first);
        let second = key_at(key_type, arena, other, &mut second);
        key_type.compare(first, second)
    })
}

fn check(mut batch: Batch) -> Checked {
    if !batch.referencing.is_empty() {
        return check_batch(batch);
    }
    with_snapshot(|| {
        scratch(|| {
            let homes: Vec<Oid> = batch.constraint.members.iter().map(|member| member.table).collect();
            key_lock::gate_shared(batch.constraint.id);
            claims::hold(&batch.constraint);
            sort(&mut batch);
            // One of several equal keys is looked up; they all have met each other.
            let (mut suspects, unique) = set_doubles_apart(&batch);
            let mut locks: Option<Option<Vec<KeyLock>>> = None;
            loop {
                let constraint = Rc::clone(&batch.constraint);
                if constraint.is_stale() {
                    batch.constraint = constraint.reloaded();
                    claims::hold(&batch.constraint);
                }
                let places: Vec<u32> = homes
                    .iter()
                    .map(|&table| batch.constraint.position(table).map_or(u32::MAX, |place| place as u32))
                    .collect();
                // Claim, then lock (or mark), then look.
                claim(&batch, &places);
                locks.get_or_insert_with(|| lock_or_mark(&batch, &unique, suspects.len()));
                let may_hold = may_hold(&batch, &unique);
                if let Some(met) = meet(&batch, &unique, &places, may_hold.as_deref()) {
                    suspects.extend(met);
                    break;
                }
            }
            let locks = locks.flatten();
            // In the order in which the rows came: the error is for the first.
            suspects.sort_unstable_by_key(|suspect| suspect.entry.place);
            for Suspect { entry, found } in suspects {
                check_for_interrupts!();
                let mut room = [Datum::from(0); MOST_COLUMNS];
                let key = batch.key(&entry, &mut room);
                if let Some((_, members)) = &found
                    && is_own_matter(&batch.constraint, members, key)
                {
                    continue;
                }
                let lock = found.and_then(|(position, _)| locks.as_ref().map(|locks| locks[position]));
                let lock = lock.or_else(|| unique::lock_or_mark(&batch.constraint, key));
                judge(&batch.constraint, homes[entry.home as usize], key, lock)?;
            }
            Ok(())
        })
    })
}

/// Sees to it that every row's own table has a claim on its key. The entries are sorted.
fn claim(batch: &Batch, places: &[u32]) {
    let constraint = &batch.constraint;
    if !claims::has_prefix(constraint) {
        return;
    }
    let mut of_home: Vec<Vec<u64>> = vec![Vec::new(); constraint.members.len()];
    for entry in &batch.entries {
        let Some(prefixes) = of_home.get_mut(places[entry.home as usize] as usize) else { continue };
        let prefix = claimed_prefix(batch, entry);
        // One of each smallest range will do.
        if prefixes.last().is_none_or(|last| !claims::is_same_range(*last, prefix)) {
            prefixes.push(prefix);
        }
    }
    let of_home = of_home.into_iter().enumerate().filter(|(_, prefixes)| !prefixes.is_empty());
    claims::cover(constraint, of_home.collect());
}

/// What the claims know of an entry's key.
fn claimed_prefix(batch: &Batch, entry: &Entry) -> u64 {
    let column = &batch.constraint.key.columns[0];
    if column.is_ordered_by_bytes() {
        entry.prefix
    } else {
        let mut room = [Datum::from(0); MOST_COLUMNS];
        column.leading_bytes(&batch.key(entry, &mut room)[0])
    }
}

/// The members that may hold any of the keys, by their claims; the entries are sorted. `None`: all.
fn may_hold(batch: &Batch, unique: &[Entry]) -> Option<Vec<usize>> {
    if !claims::has_prefix(&batch.constraint) {
        return None;
    }
    let mut prefixes: Vec<u64> = unique.iter().map(|entry| claimed_prefix(batch, entry)).collect();
    if !batch.constraint.key.columns[0].is_ordered_by_bytes() {
        prefixes.sort_unstable();
    }
    claims::candidates_of(&batch.constraint, &prefixes)
}

/// The first key of a member that another row of the tree has too, as text; the gate is shut. Neither SQL nor a planner
/// looks at the rows: the member may be anybody's, and evaluating its constraints or predicates would run his functions.
pub fn duplicate_in(constraint: &Rc<Constraint>, table: Oid) -> Option<Vec<CString>> {
    let home = constraint.position(table)?;
    with_snapshot(|| {
        scratch(|| {
            let empty = || Batch {
                constraint: Rc::clone(constraint),
                referencing: Vec::new(),
                entries: Vec::new(),
                arena: Vec::new(),
            };
            let mut batch = empty();
            let mut found = None;
            let snapshot = Fresh::take();
            constraint.members[home].place(None).each_key(&snapshot, |key| {
                push(&constraint.key, &mut batch.entries, &mut batch.arena, home, key);
                if batch.entries.len() >= MOST_ENTRIES || batch.arena.len() >= MOST_WORDS {
                    found = duplicate(std::mem::replace(&mut batch, empty()), &snapshot);
                }
                found.is_none()
            });
            let found = found.or_else(|| duplicate(batch, &snapshot));
            snapshot.done();
            found
        })
    })
}

fn duplicate(mut batch: Batch, snapshot: &Fresh) -> Option<Vec<CString>> {
    let constraint = Rc::clone(&batch.constraint);
    sort(&mut batch);
    let (doubles, unique) = set_doubles_apart(&batch);
    let places: Vec<u32> = (0..constraint.members.len() as u32).collect();
    // Where the tree changes under the shut gate, by this transaction itself, all keys are counted.
    let met = meet(&batch, &unique, &places, None)
        .unwrap_or_else(|| unique.iter().map(|&entry| Suspect { entry, found: None }).collect());
    doubles.into_iter().chain(met).find_map(|suspect| {
        check_for_interrupts!();
        let mut room = [Datum::from(0); MOST_COLUMNS];
        let key = batch.key(&suspect.entry, &mut room);
        let alive = unique::count(&constraint, key, snapshot, |_| true, |alive| alive.rows >= 2);
        (alive.rows >= 2).then(|| {
            let columns = constraint.key.columns.iter().zip(key);
            columns.map(|(column, &value)| text(column.type_id, value)).collect()
        })
    })
}

fn sort(batch: &mut Batch) {
    let key_type = &batch.constraint.key;
    if key_type.fits_prefix() {
        batch.entries.sort_unstable_by_key(|entry| entry.prefix);
    } else {
        let arena = &batch.arena;
        batch.entries.sort_unstable_by(|one, other| compare(key_type, arena, one, other));
    }
}

/// A key that was met: its entry; and, unless it stands in the batch twice, its position there and the members that have
/// an entry of it.
struct Suspect {
    entry: Entry,
    found: Option<(usize, Vec<u32>)>,
}

/// Entries whose key stands in the batch more than once, and the others, still sorted.
fn set_doubles_apart(batch: &Batch) -> (Vec<Suspect>, Vec<Entry>) {
    let key_type = &batch.constraint.key;
    let mut doubles = Vec::new();
    let mut unique = Vec::with_capacity(batch.entries.len());
    for run in batch.entries.chunk_by(|one, other| compare(key_type, &batch.arena, one, other).is_eq()) {
        match run {
            [entry] => unique.push(*entry),
            // The verdict is about the key, so one of them is enough.
            several => {
                let first = several.iter().min_by_key(|entry| entry.place).copied();
                doubles.extend(first.map(|entry| Suspect { entry, found: None }));
            }
        }
    }
    (doubles, unique)
}

/// Takes the locks of all keys, in their order, if the budget has room for them; else marks the transaction.
fn lock_or_mark(batch: &Batch, unique: &[Entry], doubles: usize) -> Option<Vec<KeyLock>> {
    let id = batch.constraint.id;
    let key_type = &batch.constraint.key;
    if unique.len() + doubles <= key_lock::room() as usize && key_type.can_be_locked() {
        let locks: Option<Vec<KeyLock>> = unique
            .iter()
            .map(|entry| {
                let mut room = [Datum::from(0); MOST_COLUMNS];
                let lock = KeyLock::new(id, key_type.lock_bits(batch.key(entry, &mut room))?);
                key_lock::lock_key(id, lock).then_some(lock)
            })
            .collect();
        if locks.is_some() {
            return locks;
        }
    }
    key_lock::mark_bulk(id);
    None
}

/// Meets the keys with every member's index. Returns those that have an entry beside their own row's; `None`: the tree
/// has changed. `places`: where the batch's homes stand among the members; `only`: the members that may have any.
fn meet(batch: &Batch, unique: &[Entry], places: &[u32], only: Option<&[usize]>) -> Option<Vec<Suspect>> {
    let constraint = &batch.constraint;
    let mut met = vec![false; unique.len()];
    let mut where_met: Vec<(u32, u32)> = Vec::new();
    for (place, member) in constraint.members.iter().enumerate() {
        if only.is_some_and(|only| only.binary_search(&place).is_err()) {
            continue;
        }
        visit(constraint, member, |serving| {
            let Some(serving) = serving else {
                met.fill(true);
                where_met.extend((0..unique.len() as u32).map(|position| (position, place as u32)));
                return;
            };
            let mut last = usize::MAX;
            let mut found = |position: usize, rows: usize| {
                let is_home = places[unique[position].home as usize] == place as u32;
                if !is_home || !serving.alone && (rows > 1 || last == position) {
                    met[position] = true;
                }
                // Of an own row alone nobody needs to know; but where the key is met elsewhere, it counts.
                if last != position {
                    where_met.push((position as u32, place as u32));
                }
                last = position;
            };
            let shortcut = constraint.key.shortcut();
            if constraint.key.fits_prefix() {
                serving.file.meet(&Integers { entries: unique, width: shortcut }, &mut found);
            } else {
                let keys = Values { entries: unique, key_type: &constraint.key, arena: &batch.arena };
                serving.file.meet(&keys, &mut found);
            }
        })?;
    }
    where_met.retain(|(position, _)| met[*position as usize]);
    where_met.sort_unstable();
    let suspects = where_met.chunk_by(|one, other| one.0 == other.0).map(|pairs| {
        let position = pairs[0].0 as usize;
        let members = pairs.iter().map(|(_, member)| *member).collect();
        Suspect { entry: unique[position], found: Some((position, members)) }
    });
    Some(suspects.collect())
}

/// Whether all there is of a key was written or deleted by this transaction, and at most one row is alive: a row that was
/// moved, or deleted and inserted again. Entries that have come since the members were met belong to writers who look
/// after us.
fn is_own_matter(constraint: &Constraint, members: &[u32], key: &[Datum]) -> bool {
    let mut alive = 0;
    for &member in members {
        let member = &constraint.members[member as usize];
        let count = visit(constraint, member, |serving| member.place(serving).own_alive(&constraint.key, key));
        match count {
            Some(Some(count)) => alive += count,
            _ => return false,
        }
    }
    alive <= 1
}

/// Sorts the keys, and returns one entry for each, that of the row which came first.
pub fn distinct(batch: &mut Batch) -> Vec<Entry> {
    sort(batch);
    let key_type = &batch.constraint.key;
    let runs = batch.entries.chunk_by(|one, other| compare(key_type, &batch.arena, one, other).is_eq());
    runs.filter_map(|run| run.iter().min_by_key(|entry| entry.place).copied()).collect()
}

/// Which of the sorted keys have an entry in an index: their positions, once each.
pub fn meet_index(batch: &Batch, keys: &[Entry], serving: &Serving) -> Vec<usize> {
    let key_type = &batch.constraint.key;
    let mut met: Vec<usize> = Vec::new();
    let mut found = |position: usize, _: usize| {
        if met.last() != Some(&position) {
            met.push(position);
        }
    };
    if key_type.fits_prefix() {
        serving.file.meet(&Integers { entries: keys, width: key_type.shortcut() }, &mut found);
    } else {
        serving.file.meet(&Values { entries: keys, key_type, arena: &batch.arena }, &mut found);
    }
    met
}

struct Integers<'a> {
    entries: &'a [Entry],
    width: Shortcut,
}

impl SortedKeys for Integers<'_> {
    fn len(&self) -> usize {
        self.entries.len()
    }

    #[inline]
    fn compare(&self, position: usize, tuple: &Tuple) -> Ordering {
        tuple.compare_integer((self.entries[position].prefix ^ (1 << 63)) as i64, self.width)
    }
}

struct Values<'a> {
    entries: &'a [Entry],
    key_type: &'a KeyType,
    arena: &'a [u64],
}

impl SortedKeys for Values<'_> {
    fn len(&self) -> usize {
        self.entries.len()
    }

    fn compare(&self, position: usize, tuple: &Tuple) -> Ordering {
        let mut room = [Datum::from(0); MOST_COLUMNS];
        let key = key_at(self.key_type, self.arena, &self.entries[position], &mut room);
        tuple.compare(self.key_type, key)
    }
}
