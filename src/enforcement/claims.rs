//! Which members cannot hold a key, so that a row's check need not visit them.
//!
//! A claim says: "rows of this member may have keys of this range". A writer makes sure that the member it writes has a
//! claim that covers the row's key, committed or its own, before it looks; and it looks at the claims before it looks at
//! members. It is "insert, then look" one level up, and safe for the same reason: of two writers of a key, the later look
//! at the claims finds the other's claim, committed or in progress, and so that writer's row (`docs/enforcement.md`,
//! "Claims").
//!
//! Claims are never updated, and deleted only behind the shut gate. Only their index is read: an entry, dead or alive, is
//! one visit more. A member is left out only if its mark says that every row it had when the mark was made is covered,
//! and the mark names the member's present trigger; the table is unlogged, so marks and claims vanish together in a
//! crash. Losing them costs time, never a duplicate.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use pgrx::PgSqlErrorCode;
use pgrx::pg_sys::{Datum, Oid};

use super::inventory::extension_owner;
use super::key_lock::{ConstraintId, mix};
use super::members::{self, Constraint, Member};
use crate::error::{Result, refusal_with};
use crate::pg::btree::{IndexFile, Tuple};
use crate::pg::column::relation_beside;
use crate::pg::identity::acting_as;
use crate::pg::key::Shortcut;
use crate::pg::lock::{Mode, lock_relation};
use crate::pg::own_rows::{self, OwnRow, read_committed_now};
use crate::pg::query;
use crate::pg::scratch::scratch;
use crate::pg::tables::{advisor_function, forget_cached};
use crate::pg::transaction::{self, SubTransaction};

/// A range of keys: all whose prefixes are the same without their lowest `level` bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Range {
    level: u32,
    slot: u64,
}

/// The sizes of ranges, in bits of the prefix; the last covers everything.
const LEVELS: [u32; 7] = [16, 24, 32, 40, 48, 56, 64];

/// The functions behind `=` of `bigint` and `oid`.
const INT8_EQUAL: u32 = pgrx::pg_sys::F_INT8EQ;
const OID_EQUAL: u32 = pgrx::pg_sys::F_OIDEQ;

/// A member has at most this many claims of one size; then the next size is taken, so that there are never many.
const OF_ONE_LEVEL: usize = 16;

impl Range {
    fn around(prefix: u64, level: u32) -> Self {
        Range { level, slot: prefix.checked_shr(level).unwrap_or(0) }
    }

    fn covers(self, prefix: u64) -> bool {
        self == Range::around(prefix, self.level)
    }

    fn is_everything(self) -> bool {
        self.level >= 64
    }

    /// Where the range stands in the index of claims. Ranges that share a place cost a visit.
    fn place(self, id: ConstraintId) -> i64 {
        let bits = mix(id.bits()) ^ u64::from(self.level).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        (bits ^ self.slot.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)) as i64
    }
}

/// What a backend knows of a member's claims.
#[derive(Default)]
pub struct Claimed {
    /// Every row that was there when this was last made sure of is covered.
    complete: Cell<bool>,
    /// Committed claims.
    committed: RefCell<Vec<Range>>,
}

impl Claimed {
    fn covers_everything(&self) -> bool {
        self.committed.borrow().iter().any(|range| range.is_everything())
    }
}

/// A claim of the running transaction, which nobody else may rely on yet.
struct Own {
    id: ConstraintId,
    member: Oid,
    range: Range,
    made_in: SubTransaction,
}

thread_local! {
    static OWN: RefCell<Vec<Own>> = const { RefCell::new(Vec::new()) };
    /// The table of claims and its index by place.
    static PLACE: Cell<(Oid, Oid)> = const { Cell::new((Oid::INVALID, Oid::INVALID)) };
    static INDEX: RefCell<Option<Rc<IndexFile>>> = const { RefCell::new(None) };
}

/// A subtransaction was rolled back, its claims with it.
pub fn forget_subtransaction(aborted: SubTransaction) {
    OWN.with_borrow_mut(|own| own.retain(|claim| claim.made_in < aborted));
}

/// The transaction is over: what it has claimed is in the table now, or nowhere.
pub fn forget_own() {
    OWN.with_borrow_mut(Vec::clear);
}

/// Called by PostgreSQL's invalidations: the index of claims may lie elsewhere now, or be empty. Whether it was that.
pub fn changed(relation: Option<Oid>) -> bool {
    let (table, index) = PLACE.get();
    let is_it = relation.is_none_or(|relation| relation == table || relation == index);
    if is_it {
        PLACE.set((Oid::INVALID, Oid::INVALID));
        INDEX.with(|index| {
            if let Ok(mut index) = index.try_borrow_mut() {
                *index = None;
            }
        });
    }
    is_it
}

/// Finds the table of claims and keeps it as it is to the end of the transaction: called behind the gate, before anything
/// is taken from what is known of claims. An emptying that came before has made the constraint stale by then.
pub fn hold(constraint: &Constraint) {
    if !has_prefix(constraint) {
        return;
    }
    if PLACE.get().0 == Oid::INVALID {
        let named = |name| relation_beside(constraint.function, name).unwrap_or(Oid::INVALID);
        PLACE.set((named(c"global_key_claims"), named(c"global_key_claims_by_place")));
    }
    let (table, index) = PLACE.get();
    if table != Oid::INVALID && index != Oid::INVALID {
        lock_relation(table, Mode::AccessShare);
        lock_relation(index, Mode::AccessShare);
    }
}

/// Whether keys of the constraint have a prefix that equal keys share.
pub fn has_prefix(constraint: &Constraint) -> bool {
    constraint.key.columns.first().is_some_and(|column| column.has_leading_bytes())
}

/// Whether every claim that covers one of these prefixes covers the other.
pub fn is_same_range(one: u64, other: u64) -> bool {
    Range::around(one, LEVELS[0]) == Range::around(other, LEVELS[0])
}

/// The prefix of a key, where the constraint works with claims.
pub fn prefix(constraint: &Constraint, key: &[Datum]) -> Option<u64> {
    has_prefix(constraint).then(|| constraint.key.columns[0].leading_bytes(&key[0]))
}

/// Reads the marks and claims of all members; called when a constraint is read.
pub fn load(constraint: &Constraint) {
    read(constraint, None, |member, row| match row.trigger {
        Some(trigger) => member.claimed.complete.set(trigger_of(constraint, member) == Some(trigger)),
        None if is_made_here(constraint.id, member.table, row.range) => {}
        None => add(&mut member.claimed.committed.borrow_mut(), row.range),
    });
}

/// Writers of the same moment claim the same range, each for himself.
fn add(ranges: &mut Vec<Range>, range: Range) {
    if !ranges.contains(&range) {
        ranges.push(range);
    }
}

/// A row of the table of claims.
struct Claim {
    range: Range,
    /// Set where it is a mark.
    trigger: Option<Oid>,
}

/// Reads what is committed by now, or this transaction's own, of all members or of one.
fn read(constraint: &Constraint, only: Option<&Member>, mut each: impl FnMut(&Member, Claim)) {
    if !has_prefix(constraint) {
        return;
    }
    let named = |name| relation_beside(constraint.function, name);
    let (Some(table), Some(index)) = (named(c"global_key_claims"), named(c"global_key_claims_by_member")) else {
        return;
    };
    lock_relation(table, Mode::AccessShare);
    lock_relation(index, Mode::AccessShare);
    let of = (INT8_EQUAL, Datum::from(constraint.id.bits() as usize));
    let member = only.map(|member| (OID_EQUAL, Datum::from(member.table)));
    let keys: Vec<(u32, Datum)> = [of].into_iter().chain(member).collect();
    scratch(|| {
        read_committed_now(table, index, &keys, |row: OwnRow| {
            // The columns of sql/global_key_claims.sql: place, member, of, level, slot, trigger.
            let member = Oid::from(row.value(2).unwrap_or_default() as u32);
            let Some(position) = constraint.position(member) else { return };
            let level = row.value(4).unwrap_or_default() as u16;
            let range = Range { level: u32::from(level), slot: row.value(5).unwrap_or_default() as u64 };
            let trigger = row.value(6).map(|oid| Oid::from(oid as u32));
            each(&constraint.members[position], Claim { range, trigger });
        });
    });
}

/// The OID of the constraint's trigger on a member.
fn trigger_of(constraint: &Constraint, member: &Member) -> Option<Oid> {
    members::trigger_of(member.table, constraint.function, constraint.id.token).map(|trigger| trigger.oid)
}

/// Makes sure that rows of these members with these prefixes are covered by claims that are committed, or the running
/// transaction's own. Comes after the rows, and before their keys' locks and any look.
pub fn cover(constraint: &Constraint, of_home: Vec<(usize, Vec<u64>)>) {
    let is_open = |(home, mut prefixes): (usize, Vec<u64>)| {
        let member = &constraint.members[home];
        if !member.claimed.complete.get() {
            // Visited in any case.
            return None;
        }
        let known = known(constraint, member);
        prefixes.retain(|prefix| !known.iter().any(|range| range.covers(*prefix)));
        (!prefixes.is_empty()).then_some((home, prefixes))
    };
    let open: Vec<(usize, Vec<u64>)> = of_home.into_iter().filter_map(is_open).collect();
    if open.is_empty() {
        return;
    }
    reread(constraint, &open.iter().map(|(home, _)| *home).collect::<Vec<_>>());
    let mut claims: Vec<(Oid, Range)> = Vec::new();
    for (home, prefixes) in open.into_iter().filter_map(is_open) {
        let member = &constraint.members[home];
        let ranges = ranges_for(&known(constraint, member), &prefixes);
        claims.extend(ranges.into_iter().map(|range| (member.table, range)));
    }
    insert(constraint, &claims);
}

/// [`cover`] for one row.
pub fn cover_one(constraint: &Constraint, home: usize, prefix: u64) {
    let claimed = &constraint.members[home].claimed;
    if claimed.complete.get() && !claimed.committed.borrow().iter().any(|range| range.covers(prefix)) {
        cover(constraint, vec![(home, vec![prefix])]);
    }
}

/// Claims that the running transaction may rely on, the greatest first.
fn known(constraint: &Constraint, member: &Member) -> Vec<Range> {
    let mut known = member.claimed.committed.borrow().clone();
    OWN.with_borrow(|own| {
        let mine = own.iter().filter(|claim| claim.member == member.table && claim.id == constraint.id);
        known.extend(mine.map(|claim| claim.range));
    });
    known.sort_unstable_by_key(|range| std::cmp::Reverse(range.level));
    known
}

/// Whether the running transaction has made the claim, so that it is not committed though a snapshot shows it.
fn is_made_here(id: ConstraintId, member: Oid, range: Range) -> bool {
    OWN.with_borrow(|own| own.iter().any(|claim| claim.member == member && claim.id == id && claim.range == range))
}

/// Others may have committed claims of these members meanwhile.
fn reread(constraint: &Constraint, homes: &[usize]) {
    let mut committed: Vec<Vec<Range>> = vec![Vec::new(); constraint.members.len()];
    let mut note = |member: &Member, row: Claim| {
        if row.trigger.is_none()
            && !is_made_here(constraint.id, member.table, row.range)
            && let Some(position) = constraint.position(member.table)
        {
            add(&mut committed[position], row.range);
        }
    };
    // A look at one member is a descent of the index; all of them together are one more.
    if homes.len() < 4 {
        homes.iter().for_each(|&home| read(constraint, Some(&constraint.members[home]), &mut note));
    } else {
        read(constraint, None, &mut note);
    }
    for &home in homes {
        *constraint.members[home].claimed.committed.borrow_mut() = std::mem::take(&mut committed[home]);
    }
    *constraint.visited_always.borrow_mut() = None;
}

/// Few ranges that cover all of `open`: of the smallest size of which there are not too many among those known.
fn ranges_for(known: &[Range], open: &[u64]) -> Vec<Range> {
    for level in LEVELS {
        let of_level = known.iter().filter(|range| range.level == level).count();
        let mut ranges: Vec<Range> = open.iter().map(|prefix| Range::around(*prefix, level)).collect();
        ranges.sort_unstable_by_key(|range| range.slot);
        ranges.dedup();
        if ranges.len() + of_level <= OF_ONE_LEVEL {
            return ranges;
        }
    }
    vec![Range::around(0, 64)]
}

/// Writes claims of the running transaction.
fn insert(constraint: &Constraint, claims: &[(Oid, Range)]) {
    if claims.is_empty() {
        return;
    }
    let id = constraint.id;
    write(constraint, claims.iter().map(|&(member, range)| claim(id, member, range)));
    let made_in = transaction::subtransaction();
    OWN.with_borrow_mut(|own| own.extend(claims.iter().map(|&(member, range)| Own { id, member, range, made_in })));
}

/// A row in the order of sql/global_key_claims.sql: place, member, of, level, slot, trigger.
type ClaimRow = [Option<Datum>; 6];

fn claim(id: ConstraintId, member: Oid, range: Range) -> ClaimRow {
    let (place, of) = (range.place(id) as usize, id.bits() as usize);
    let (level, slot) = (range.level as usize, range.slot as usize);
    [
        Some(Datum::from(place)),
        Some(Datum::from(member)),
        Some(Datum::from(of)),
        Some(Datum::from(level)),
        Some(Datum::from(slot)),
        None,
    ]
}

/// Says that every row the member has now is covered.
fn mark(id: ConstraintId, member: Oid, trigger: Oid) -> ClaimRow {
    let none = Some(Datum::from(0_usize));
    [none, Some(Datum::from(member)), Some(Datum::from(id.bits() as usize)), none, none, Some(Datum::from(trigger))]
}

/// The table is held: [`hold`]; but what is known of it may have been forgotten since, and a claim that is owed is never left
/// out.
fn write(constraint: &Constraint, rows: impl Iterator<Item = ClaimRow>) {
    hold(constraint);
    let table = relation_beside(constraint.function, c"global_key_claims").unwrap_or_else(|| {
        std::panic::panic_any(refusal_with(
            PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
            "relation \"advisor.global_key_claims\" does not exist".to_owned(),
            Some("It belongs to citus_advisor, whose constraints cannot be checked without it.".to_owned()),
            Some("DROP EXTENSION citus_advisor CASCADE; CREATE EXTENSION citus_advisor;".to_owned()),
        ))
    });
    scratch(|| own_rows::insert(table, rows));
}

/// Which members may hold a key of this prefix. Comes after [`cover`] and the key's lock.
/// `None`: all.
pub fn candidates(constraint: &Constraint, prefix: u64) -> Option<Vec<usize>> {
    let always = visited_always(constraint);
    // Reading the claims costs about as much as visiting some members does.
    if constraint.members.len() - always.len() < LEVELS.len() {
        return None;
    }
    let index = index()?;
    let mut may_hold = always.to_vec();
    for level in LEVELS {
        let place = Range::around(prefix, level).place(constraint.id);
        index.each_equal(
            |tuple: &Tuple| tuple.compare_integer(place, Shortcut::Int64),
            |tuple| may_hold.extend(constraint.position(tuple.second_oid())),
        );
    }
    // A range is claimed by each of its first writers, and rolled back claims leave entries.
    may_hold.sort_unstable();
    may_hold.dedup();
    Some(may_hold)
}

/// Which members may hold any of these prefixes, which are sorted. Comes after [`cover`] and the keys' locks (or the mark).
/// `None`: all, or too many ranges to ask about.
pub fn candidates_of(constraint: &Constraint, prefixes: &[u64]) -> Option<Vec<usize>> {
    let always = visited_always(constraint);
    if constraint.members.len() - always.len() < LEVELS.len() {
        return None;
    }
    let mut slots: Vec<u64> = Vec::new();
    for prefix in prefixes {
        let slot = Range::around(*prefix, LEVELS[0]).slot;
        if slots.last() != Some(&slot) {
            // Each range is asked about once on each level; a member that is met costs about as much.
            if slots.len() * LEVELS.len() > constraint.members.len() {
                return None;
            }
            slots.push(slot);
        }
    }
    let index = index()?;
    let mut may_hold = always.to_vec();
    for level in LEVELS {
        let mut last = None;
        for slot in &slots {
            let range = Range::around(slot << LEVELS[0], level);
            if last != Some(range) {
                let place = range.place(constraint.id);
                index.each_equal(
                    |tuple: &Tuple| tuple.compare_integer(place, Shortcut::Int64),
                    |tuple| may_hold.extend(constraint.position(tuple.second_oid())),
                );
            }
            last = Some(range);
        }
    }
    may_hold.sort_unstable();
    may_hold.dedup();
    Some(may_hold)
}

/// The members of which the claims say nothing, or that they may hold everything.
fn visited_always(constraint: &Constraint) -> Rc<[usize]> {
    let mut known = constraint.visited_always.borrow_mut();
    let list = known.get_or_insert_with(|| {
        let members = constraint.members.iter().enumerate();
        let always = members.filter(|(_, m)| !m.claimed.complete.get() || m.claimed.covers_everything());
        always.map(|(position, _)| position).collect()
    });
    Rc::clone(list)
}

/// The index of claims; [`hold`] keeps it where it is.
fn index() -> Option<Rc<IndexFile>> {
    if let Some(file) = INDEX.with_borrow(|index| index.clone()) {
        return Some(file);
    }
    let (_, oid) = PLACE.get();
    let file = Rc::new(IndexFile::open((oid != Oid::INVALID).then_some(oid)?, 2)?);
    INDEX.with_borrow_mut(|index| *index = Some(Rc::clone(&file)));
    Some(file)
}

/// Claims what members hold, and marks them as covered. The gate is shut, so that nobody writes; the constraint was read
/// behind it. Backends learn of it by an invalidation of the root.
pub fn rebuild(constraint: &Constraint, only: impl Fn(&Member) -> bool) -> Result<()> {
    if !has_prefix(constraint) {
        return Ok(());
    }
    for member in constraint.members.iter().filter(|member| only(member)) {
        pgrx::check_for_interrupts!();
        lock_relation(member.table, Mode::AccessShare);
        let (Some(serving), Some(trigger)) = (member.serving(&constraint.key), trigger_of(constraint, member)) else {
            continue;
        };
        let id = constraint.id;
        forget_tables(id, &[member.table])?;
        let ends = serving.file.ends(&constraint.key.columns[0]);
        let ranges = ends.map(|(least, greatest)| ranges_between(least, greatest)).unwrap_or_default();
        let claims = ranges.into_iter().map(|range| claim(id, member.table, range));
        write(constraint, std::iter::once(mark(id, member.table, trigger)).chain(claims));
        forget_made_here(constraint.id, Some(member.table));
    }
    forget_cached(constraint.id.root);
    Ok(())
}

/// What this transaction has claimed was deleted. Should that be rolled back, forgetting it costs a claim more.
fn forget_made_here(id: ConstraintId, only: Option<Oid>) {
    OWN.with_borrow_mut(|own| own.retain(|claim| claim.id != id || only.is_some_and(|member| member != claim.member)));
}

/// [`rebuild`] for a constraint that was just changed. `root_columns`: its columns in the root; `only`: these members.
pub fn renew(id: ConstraintId, root_columns: &[i16], only: Option<&[Oid]>) -> Result<()> {
    let constraint = members::of(id, advisor_function(c"check_global_unique"), root_columns);
    rebuild(&constraint, |member| only.is_none_or(|only| only.contains(&member.table)))
}

/// Whether some member has to be visited for every key because nothing is known of its rows: after a crash, a restore.
pub fn are_missing(id: ConstraintId, root_columns: &[i16]) -> bool {
    let constraint = members::of(id, advisor_function(c"check_global_unique"), root_columns);
    has_prefix(&constraint) && constraint.members.iter().any(|member| !member.claimed.complete.get())
}

/// Trusts no claims of a constraint any more: rows may have come in beside the trigger. The gate is shut.
pub fn forget(id: ConstraintId) -> Result<()> {
    let sql = format!(
        "DELETE FROM advisor.global_key_claims c WHERE c.of OPERATOR(pg_catalog.=) '{}'::pg_catalog.int8",
        id.bits() as i64
    );
    acting_as(extension_owner()?, || query::run(&sql))?;
    forget_made_here(id, None);
    forget_cached(id.root);
    Ok(())
}

/// Deletes what these tables have claimed.
pub fn forget_tables(id: ConstraintId, tables: &[Oid]) -> Result<()> {
    let tables: Vec<String> = tables.iter().map(|table| table.to_u32().to_string()).collect();
    let sql = format!(
        "DELETE FROM advisor.global_key_claims c WHERE c.of OPERATOR(pg_catalog.=) '{}'::pg_catalog.int8
           AND c.member OPERATOR(pg_catalog.=) ANY ('{{{}}}'::pg_catalog.oid[])",
        id.bits() as i64,
        tables.join(",")
    );
    acting_as(extension_owner()?, || query::run(&sql))
}

/// At most [`OF_ONE_LEVEL`] ranges that cover everything from `least` to `greatest`.
fn ranges_between(least: u64, greatest: u64) -> Vec<Range> {
    for level in LEVELS {
        let (first, last) = (Range::around(least, level).slot, Range::around(greatest, level).slot);
        if last - first < OF_ONE_LEVEL as u64 {
            return (first..=last).map(|slot| Range { level, slot }).collect();
        }
    }
    vec![Range::around(0, 64)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_between_cover_both_ends_and_are_few() {
        for (least, greatest) in
            [(0, 0), (0, u64::MAX), (1 << 63, (1 << 63) + 5_000_000), (65_535, 65_536), (7, 1 << 40)]
        {
            let ranges = ranges_between(least, greatest);
            assert!(ranges.len() <= OF_ONE_LEVEL);
            for prefix in [least, greatest, least + (greatest - least) / 2, least + (greatest - least) / 3] {
                assert!(ranges.iter().any(|range| range.covers(prefix)), "{prefix} of {least}..{greatest}");
            }
        }
    }

    #[test]
    fn the_last_level_covers_everything() {
        let range = Range::around(12, 64);
        assert!(range.is_everything() && range.covers(0) && range.covers(u64::MAX));
    }

    #[test]
    fn a_range_has_another_place_for_another_constraint() {
        let one = ConstraintId { root: Oid::from(16_384), token: 7 };
        let other = ConstraintId { root: Oid::from(16_385), token: 7 };
        let range = Range::around(99, 16);
        assert_ne!(range.place(one), range.place(other));
        assert_ne!(range.place(one), Range::around(99, 24).place(one));
    }
}
