//! The tables of a constraint, and the index of each that answers for its keys; kept from call to call until PostgreSQL
//! says that something has changed.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::CString;
use std::hash::{BuildHasherDefault, Hasher};
use std::mem::ManuallyDrop;
use std::rc::{Rc, Weak};

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::{self, Oid};
use pgrx::{PgSqlErrorCode, check_for_interrupts};

use super::claims::{self, Claimed};
use super::key_lock::ConstraintId;
use super::serving_index;
use crate::pg::btree::IndexFile;
use crate::pg::column;
use crate::pg::inheritance::{self, Trigger};
use crate::pg::invalidation;
use crate::pg::key::{KeyType, MOST_COLUMNS};
use crate::pg::row_trigger::Call;
use crate::pg::rows::Place;

/// A constraint as a backend knows it.
pub struct Constraint {
    pub id: ConstraintId,
    pub key: KeyType,
    /// In the order of their OIDs: every transaction visits them in the same order.
    pub members: Vec<Member>,
    /// The trigger's function.
    pub function: Oid,
    /// See `claims::candidates`.
    pub visited_always: RefCell<Option<Rc<[usize]>>>,
    /// The key's columns in the root: numbers, which survive a renaming.
    root_columns: Vec<i16>,
    stale: Cell<bool>,
}

/// A table that can hold rows of the constraint.
pub struct Member {
    pub table: Oid,
    pub claimed: Claimed,
    /// DETACH CONCURRENTLY has begun: its rows can no longer be referenced, but keep their keys.
    pub is_detaching: bool,
    columns: Vec<i16>,
    serving: RefCell<Option<Rc<Serving>>>,
    /// Whether unique indexes name all columns of the key.
    unique_key: Cell<bool>,
    fresh: Cell<bool>,
}

/// The index of a member that answers for its keys.
pub struct Serving {
    pub index: Oid,
    pub file: IndexFile,
    /// It is unique on the key at every moment, so that the member never holds a key twice.
    pub alone: bool,
}

impl Serving {
    fn find(table: Oid, columns: &[i16], key: &KeyType) -> Option<Self> {
        let found = serving_index::find(table, columns).ok()?;
        let file = IndexFile::open(found.index, key.columns.len())?;
        Some(Serving { index: found.index, file, alone: found.forbids_duplicates })
    }
}

/// A trigger of one table: its constraint, and which member the table is.
pub struct Binding {
    pub constraint: Rc<Constraint>,
    pub home: usize,
    /// The key's columns in this table.
    pub columns: Vec<i16>,
}

impl Constraint {
    /// Whether the tree has changed since it was read: then it is to be read again.
    pub fn is_stale(&self) -> bool {
        self.stale.get()
    }

    /// The key's columns in the root.
    pub fn root_columns(&self) -> &[i16] {
        &self.root_columns
    }

    pub fn position(&self, table: Oid) -> Option<usize> {
        self.members.binary_search_by_key(&table.to_u32(), |member| member.table.to_u32()).ok()
    }

    /// The same constraint as it is now.
    pub fn reloaded(&self) -> Rc<Constraint> {
        of(self.id, self.function, &self.root_columns)
    }
}

impl Member {
    /// The index that serves, if there is one. The caller has the table locked, so that the answer stays true.
    pub fn serving(&self, key: &KeyType) -> Option<Rc<Serving>> {
        if !self.fresh.get() {
            // Before reading: what changes meanwhile makes it stale again.
            self.fresh.set(true);
            let serving = Serving::find(self.table, &self.columns, key).map(Rc::new);
            self.unique_key.set(serving_index::unique_indexes_name(self.table, &self.columns));
            if let Some(serving) = &serving {
                watch_index(serving.index, self.table);
            }
            *self.serving.borrow_mut() = serving;
        }
        self.serving.borrow().clone()
    }

    /// What [`Self::serving`] has found, if nothing has changed since: for a guess, without a lock.
    pub fn known_serving(&self) -> Option<Rc<Serving>> {
        if self.fresh.get() { self.serving.borrow().clone() } else { None }
    }

    /// Whether PostgreSQL takes an UPDATE of the key for one, and so lets it wait for who has locked the key: every column
    /// is in a unique index. Known with [`Self::serving`].
    pub fn has_unique_key(&self) -> bool {
        self.unique_key.get()
    }

    /// Whether [`Self::serving`] still has the right answer.
    pub fn is_fresh(&self) -> bool {
        self.fresh.get()
    }

    /// The key's columns in this table.
    pub fn columns(&self) -> &[i16] {
        &self.columns
    }

    pub fn place(&self, serving: Option<&Serving>) -> Place {
        Place { table: self.table, index: serving.map(|serving| serving.index), columns: self.columns.clone() }
    }
}

/// OIDs are well spread as they are.
#[derive(Default)]
struct OidHasher(u64);

impl Hasher for OidHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 << 8) | u64::from(byte);
        }
    }

    fn write_u32(&mut self, value: u32) {
        self.0 = (self.0.rotate_left(32) ^ u64::from(value)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

type OidMap<K, V> = HashMap<K, V, BuildHasherDefault<OidHasher>>;

#[derive(Default)]
struct Known {
    bindings: OidMap<(u32, u32), Rc<Binding>>,
    constraints: Vec<Rc<Constraint>>,
}

#[derive(Default)]
struct Watched {
    /// For each table of a tree, the constraints, and as which member if it is one.
    tables: OidMap<u32, Vec<(Weak<Constraint>, Option<usize>)>>,
    /// For each index that serves, its table.
    indexes: OidMap<u32, u32>,
}

thread_local! {
    // Never dropped: at the exit of a backend there is nothing left to give memory back to.
    static KNOWN: ManuallyDrop<RefCell<Known>> = ManuallyDrop::default();
    static WATCHED: ManuallyDrop<RefCell<Watched>> = ManuallyDrop::default();
    /// Counts changes of any relation.
    static CHANGES: Cell<u64> = const { Cell::new(0) };
    /// What has changed since a tree began to be read.
    static CHANGED: RefCell<Changed> = const { RefCell::new(Changed::All) };
}

/// Relations that have changed.
enum Changed {
    /// Whatever there is; or nobody has asked.
    All,
    Some(Vec<Oid>),
}

/// More than these are not told apart.
const MOST_CHANGED: usize = 10_000;

/// Whether a table of the tree has changed since [`CHANGED`] was emptied, or the claims on its keys have.
fn changed_meanwhile(constraint: &Constraint, inner: &[Oid]) -> bool {
    CHANGED.with(|changed| match std::mem::replace(&mut *changed.borrow_mut(), Changed::All) {
        Changed::All => true,
        Changed::Some(changed) => {
            constraint.is_stale()
                || changed.iter().any(|&relation| {
                    constraint.id.root == relation
                        || constraint.position(relation).is_some()
                        || inner.contains(&relation)
                })
        }
    })
}

/// Called by PostgreSQL for every relation that has changed, at any moment: only flags are set.
fn changed(relation: Option<Oid>) {
    CHANGES.set(CHANGES.get() + 1);
    let is_claims = claims::changed(relation);
    CHANGED.with(|changed| {
        let Ok(mut changed) = changed.try_borrow_mut() else { return };
        match (&mut *changed, relation) {
            (Changed::Some(relations), Some(relation)) if !is_claims && relations.len() < MOST_CHANGED => {
                relations.push(relation);
            }
            (changed, _) => *changed = Changed::All,
        }
    });
    if is_claims {
        // What was read from it may be gone.
        stale_all();
    }
    WATCHED.with(|watched| {
        // Borrowed mutably only around plain map operations, during which nothing can change.
        let Ok(watched) = watched.try_borrow() else { return };
        match relation {
            None => stale_all(),
            Some(relation) => {
                let oid = relation.to_u32();
                let table = watched.indexes.get(&oid).copied().unwrap_or(oid);
                for (constraint, member) in watched.tables.get(&table).into_iter().flatten() {
                    let Some(constraint) = constraint.upgrade() else { continue };
                    match member {
                        Some(member) if table != constraint.id.root.to_u32() => {
                            constraint.members[*member].fresh.set(false);
                        }
                        Some(_) | None => constraint.stale.set(true),
                    }
                }
            }
        }
    });
}

/// How often relations have changed so far.
pub fn changes() -> u64 {
    CHANGES.get()
}

fn stale_all() {
    WATCHED.with(|watched| {
        let Ok(watched) = watched.try_borrow() else { return };
        for constraint in watched.tables.values().flatten().filter_map(|(constraint, _)| constraint.upgrade()) {
            constraint.stale.set(true);
        }
    });
}

fn watch_index(index: Oid, table: Oid) {
    WATCHED.with(|watched| watched.borrow_mut().indexes.insert(index.to_u32(), table.to_u32()));
}

/// Which constraint a call is about.
pub fn binding(call: &Call) -> Rc<Binding> {
    let (table, trigger) = (call.relation(), call.trigger_id());
    let place = (table.to_u32(), trigger.to_u32());
    let known = KNOWN.with(|known| known.borrow().bindings.get(&place).cloned());
    if let Some(binding) = known
        && !binding.constraint.is_stale()
    {
        return binding;
    }
    let token = call.argument().and_then(parse_token).unwrap_or_else(|| not_ours(call));
    let columns = call
        .condition_columns()
        .filter(|columns| (1..=MOST_COLUMNS).contains(&columns.len()) && !column::is_temporary(table))
        .unwrap_or_else(|| not_ours(call));
    let id = ConstraintId { root: root_of(table, call.trigger_function(), token), token };
    // Tables of a tree may number their columns differently, but call them the same.
    let root_columns: Option<Vec<i16>> = columns
        .iter()
        .map(|&number| column::name(table, number).and_then(|name| column::number(id.root, &name)))
        .collect();
    let constraint = of(id, call.trigger_function(), &root_columns.unwrap_or_else(|| not_ours(call)));
    let Some(home) = constraint.position(table) else { not_ours(call) };
    let binding = Rc::new(Binding { constraint, home, columns });
    KNOWN.with(|known| known.borrow_mut().bindings.insert(place, Rc::clone(&binding)));
    binding
}

/// Sixteen hexadecimal digits, as `add_global_unique` writes them.
pub fn parse_token(argument: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(argument).ok()?;
    let digits = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    digits.then(|| u64::from_str_radix(text, 16).ok())?
}

fn not_ours(call: &Call) -> ! {
    let name = call.trigger_name().to_string_lossy().into_owned();
    std::panic::panic_any(
        ErrorReport::new(
            PgSqlErrorCode::ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
            format!("trigger \"{name}\" was not created by advisor.add_global_unique"),
            "",
        )
        .set_hint("Drop it, and call advisor.add_global_unique(relation, columns)."),
    )
}

/// The trigger of a table that has the token.
pub fn trigger_of(table: Oid, function: Oid, token: u64) -> Option<Trigger> {
    inheritance::triggers(table, function).into_iter().find(|trigger| parse_token(&trigger.argument) == Some(token))
}

/// The topmost table, from `table` upwards, that carries a trigger with the token; the least by OID if several do.
pub fn root_of(table: Oid, function: Oid, token: u64) -> Oid {
    let carries = |relation: Oid| trigger_of(relation, function, token).is_some();
    let mut seen = vec![table];
    let mut roots = Vec::new();
    let mut next = vec![table];
    while let Some(relation) = next.pop() {
        let above: Vec<Oid> = inheritance::parents(relation).into_iter().filter(|&parent| carries(parent)).collect();
        if above.is_empty() {
            roots.push(relation);
        }
        for parent in above {
            if !seen.contains(&parent) {
                seen.push(parent);
                next.push(parent);
            }
        }
    }
    roots.into_iter().min_by_key(|root| root.to_u32()).unwrap_or(table)
}

/// All tables that a table inherits from.
fn ancestors(table: Oid) -> Vec<Oid> {
    let mut found = inheritance::parents(table);
    let mut next = found.clone();
    while let Some(relation) = next.pop() {
        for parent in inheritance::parents(relation) {
            if !found.contains(&parent) {
                found.push(parent);
                next.push(parent);
            }
        }
    }
    found
}

/// A constraint by its identity. `root_columns`: its columns in the root.
pub fn of(id: ConstraintId, function: Oid, root_columns: &[i16]) -> Rc<Constraint> {
    invalidation::listen(changed);
    // Anybody can make a second trigger with the token of a tree of his, on other columns: another key.
    let is_it = |known: &Constraint| known.id == id && known.function == function && known.root_columns == root_columns;
    let known = KNOWN.with(|known| known.borrow().constraints.iter().find(|known| is_it(known)).cloned());
    if let Some(constraint) = known
        && !constraint.is_stale()
    {
        return constraint;
    }
    let constraint = loop {
        CHANGED.with(|changed| *changed.borrow_mut() = Changed::Some(Vec::new()));
        let (constraint, inner) = read(id, function, root_columns);
        claims::load(&constraint);
        let constraint = Rc::new(constraint);
        watch(&constraint, &inner);
        if !changed_meanwhile(&constraint, &inner) {
            break constraint;
        }
        // Something of the tree changed while it was read, before it was watched.
        check_for_interrupts!();
    };
    KNOWN.with(|known| {
        let mut known = known.borrow_mut();
        known.bindings.retain(|_, binding| !binding.constraint.is_stale());
        known.constraints.retain(|known| !known.is_stale() && !is_it(known));
        known.constraints.push(Rc::clone(&constraint));
    });
    constraint
}

/// Reads the tree; also returns other tables on which it depends: those of it that hold no rows, and those above.
fn read(id: ConstraintId, function: Oid, root_columns: &[i16]) -> (Constraint, Vec<Oid>) {
    let names: Vec<Option<CString>> = root_columns.iter().map(|&number| column::name(id.root, number)).collect();
    let types: Vec<(Oid, Oid)> = root_columns
        .iter()
        .zip(&names)
        .filter(|(_, name)| name.is_some())
        .map(|(&number, _)| column::type_and_collation(id.root, number))
        .collect();
    let key = KeyType::of(&types).unwrap_or_else(|missing| {
        std::panic::panic_any(ErrorReport::new(
            PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT,
            format!(
                "data type {} has no default operator class for access method \"btree\"",
                column::type_name(missing.type_id).to_string_lossy()
            ),
            "",
        ))
    });
    let mut members = Vec::new();
    let mut inner = Vec::new();
    let mut seen = vec![id.root];
    let mut next = vec![(id.root, false)];
    while let Some((table, is_detaching)) = next.pop() {
        let columns: Option<Vec<i16>> = names.iter().map(|name| column::number(table, name.as_deref()?)).collect();
        match (column::relation_kind(table), columns) {
            (pg_sys::RELKIND_RELATION, Some(columns)) if !column::is_temporary(table) => {
                members.push(Member {
                    table,
                    claimed: Claimed::default(),
                    is_detaching,
                    columns,
                    serving: RefCell::new(None),
                    unique_key: Cell::new(false),
                    fresh: Cell::new(false),
                });
            }
            _ => inner.push(table),
        }
        for child in inheritance::children(table) {
            if !seen.contains(&child.table) {
                seen.push(child.table);
                next.push((child.table, is_detaching || child.is_detaching));
            }
        }
    }
    members.sort_unstable_by_key(|member| member.table.to_u32());
    // A trigger that is made further up makes another root.
    inner.extend(ancestors(id.root));
    let root_columns = root_columns.to_vec();
    (
        Constraint {
            id,
            key,
            members,
            function,
            visited_always: RefCell::new(None),
            root_columns,
            stale: Cell::new(false),
        },
        inner,
    )
}

fn watch(constraint: &Rc<Constraint>, inner: &[Oid]) {
    WATCHED.with(|watched| {
        let mut watched = watched.borrow_mut();
        for watching in watched.tables.values_mut() {
            watching.retain(|(constraint, _)| constraint.strong_count() > 0);
        }
        watched.tables.retain(|_, watching| !watching.is_empty());
        let members = constraint.members.iter().enumerate().map(|(place, member)| (member.table, Some(place)));
        for (table, member) in members.chain(inner.iter().map(|&table| (table, None))) {
            watched.tables.entry(table.to_u32()).or_default().push((Rc::downgrade(constraint), member));
        }
    });
}
