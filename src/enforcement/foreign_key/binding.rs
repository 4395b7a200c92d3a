//! What the triggers of a foreign key say: which columns, which table on the other side, which terms. Kept from call to
//! call until PostgreSQL says that something has changed.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::CString;
use std::mem::ManuallyDrop;
use std::rc::Rc;

use pgrx::PgSqlErrorCode;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::{Datum, Oid};

use super::super::claims;
use super::super::key_lock::{self, ConstraintId};
use super::super::members::{self, Constraint, parse_token, root_of};
use super::terms::Terms;
use crate::pg::column;
use crate::pg::conversion::Conversion;
use crate::pg::inheritance::{self, Trigger};
use crate::pg::key::{KeyType, MOST_COLUMNS};
use crate::pg::prepared::Statement;
use crate::pg::row_trigger::Call;
use crate::pg::tables::advisor_function;

/// A referencing table: the trigger of one of its rows.
pub struct Referencing {
    pub table: Oid,
    /// The constraint's row in `pg_constraint`: its name.
    pub constraint: Oid,
    pub terms: Terms,
    /// The key's columns in this table, and what they are.
    pub columns: Vec<i16>,
    pub key: KeyType,
    /// The tables that have the referenced rows.
    pub referenced: Rc<Constraint>,
    /// Whether `referenced` is that of the unique constraint.
    has_claims: bool,
    conversions: Vec<Conversion>,
}

impl Referencing {
    /// Before the first look of a transaction: what is known of which table may hold a key stays true from here on.
    pub fn enter(&self) {
        if self.has_claims {
            key_lock::gate_shared(self.referenced.id);
            claims::hold(&self.referenced);
        }
    }

    /// The global unique that has the referenced key; none where it is natively unique.
    pub fn unique(&self) -> Option<&Rc<Constraint>> {
        self.has_claims.then_some(&self.referenced)
    }

    /// Whether errors can show a converted key instead of the row's own.
    pub fn can_be_collected(&self) -> bool {
        self.conversions.iter().all(Conversion::keeps_text)
    }

    /// Whether rows with these keys reference the same row: what the referenced columns call equal, in whatever form.
    pub fn references_the_same(&self, one: &[Datum], other: &[Datum]) -> bool {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        self.convert(one, &mut first).is_some()
            && self.convert(other, &mut second).is_some()
            && self.referenced.key.compare(&first, &second).is_eq()
    }

    /// The key as the referenced columns would have it; `None` where none of them can be equal to it.
    pub fn convert(&self, key: &[Datum], room: &mut Vec<Datum>) -> Option<()> {
        room.clear();
        for ((conversion, column), &value) in self.conversions.iter().zip(&self.key.columns).zip(key) {
            room.push(conversion.convert(value, column.collation)?);
        }
        Some(())
    }
}

/// A referenced table: the trigger of one of its rows.
pub struct Referenced {
    pub table: Oid,
    pub terms: Terms,
    /// The key's columns in this table.
    pub columns: Vec<i16>,
    /// All tables that have referenced rows.
    pub tree: Rc<Constraint>,
    /// The topmost referencing table, and the key's columns there.
    pub referencing: Oid,
    pub referencing_columns: Vec<i16>,
    /// The constraint's row in `pg_constraint`: its name.
    pub constraint: Oid,
    /// What has been prepared for it, by what it does.
    pub statements: RefCell<HashMap<String, Rc<Statement>>>,
    changes: u64,
}

#[derive(Default)]
struct Known {
    referencing: HashMap<(u32, u32), Rc<Referencing>>,
    referenced: HashMap<(u32, u32), Rc<Referenced>>,
}

thread_local! {
    // Never dropped: at the exit of a backend there is nothing left to give memory back to.
    static KNOWN: ManuallyDrop<RefCell<Known>> = ManuallyDrop::default();
}

/// The function of referencing triggers, and that of referenced ones.
pub fn referencing_function() -> Oid {
    advisor_function(c"check_global_foreign_key")
}

pub fn referenced_function() -> Oid {
    advisor_function(c"check_global_reference")
}

/// The function of the statement triggers that watch TRUNCATE.
pub fn truncation_function() -> Oid {
    advisor_function(c"check_global_truncation")
}

/// What a referencing row's trigger is about.
pub fn referencing(call: &Call) -> Rc<Referencing> {
    let place = (call.relation().to_u32(), call.trigger_id().to_u32());
    let known = KNOWN.with(|known| known.borrow().referencing.get(&place).cloned());
    if let Some(binding) = known
        && !binding.referenced.is_stale()
    {
        return binding;
    }
    let (token, terms) = token_and_terms(call);
    let columns = key_columns(call);
    let binding = of_referencing(call.relation(), call.constraint(), columns, token, terms, call.other_relation())
        .unwrap_or_else(|| incomplete(call));
    let binding = Rc::new(binding);
    KNOWN.with(|known| {
        let mut known = known.borrow_mut();
        known.referencing.retain(|_, other| !other.referenced.is_stale());
        known.referencing.insert(place, Rc::clone(&binding));
    });
    binding
}

/// A table with the key in `columns` that references `other`. `None` where the other side has no trigger.
pub fn of_referencing(
    table: Oid,
    constraint: Oid,
    columns: Vec<i16>,
    token: u64,
    terms: Terms,
    other: Oid,
) -> Option<Referencing> {
    let function = referenced_function();
    let trigger = triggers_of(other, function, token).next()?;
    if trigger.columns.len() != columns.len() {
        return None;
    }
    let unique = unique_of(other, &trigger.columns);
    let has_claims = unique.is_some();
    let referenced =
        unique.unwrap_or_else(|| members::of(ConstraintId { root: other, token }, function, &trigger.columns));
    let types: Vec<(Oid, Oid)> = columns.iter().map(|&number| column::type_and_collation(table, number)).collect();
    let key = KeyType::of(&types).ok()?;
    let conversions = types
        .iter()
        .zip(&referenced.key.columns)
        .map(|(&(type_id, _), referenced)| Conversion::of(referenced.type_id, type_id))
        .collect();
    Some(Referencing { table, constraint, terms, columns, key, referenced, has_claims, conversions })
}

/// The global unique of a table on these columns: it has read the same tables, and knows which of them may hold a key.
pub fn unique_of(table: Oid, columns: &[i16]) -> Option<Rc<Constraint>> {
    let function = advisor_function(c"check_global_unique");
    let unique = inheritance::triggers(table, function).into_iter().find(|trigger| trigger.columns == columns)?;
    let token = parse_token(&unique.argument)?;
    (root_of(table, function, token) == table)
        .then(|| members::of(ConstraintId { root: table, token }, function, columns))
}

/// What a referenced row's trigger is about.
pub fn referenced(call: &Call) -> Rc<Referenced> {
    let place = (call.relation().to_u32(), call.trigger_id().to_u32());
    let known = KNOWN.with(|known| known.borrow().referenced.get(&place).cloned());
    if let Some(binding) = &known
        && !binding.tree.is_stale()
        && binding.changes == members::changes()
    {
        return Rc::clone(binding);
    }
    let (token, terms) = token_and_terms(call);
    let columns = key_columns(call);
    let (table, other) = (call.relation(), call.other_relation());
    let changes = members::changes();
    let root = root_of(table, call.trigger_function(), token);
    let own = triggers_of(root, call.trigger_function(), token).next().unwrap_or_else(|| incomplete(call));
    let tree = members::of(ConstraintId { root, token }, call.trigger_function(), &own.columns);
    // It has to be the one that references this tree: a trigger that somebody made by hand acts on nobody else's table.
    let there = triggers_of(other, referencing_function(), token)
        .find(|trigger| trigger.other_relation == root && trigger.columns.len() == columns.len())
        .unwrap_or_else(|| incomplete(call));
    let binding = Rc::new(Referenced {
        table,
        terms,
        columns,
        tree,
        referencing: other,
        referencing_columns: there.columns,
        constraint: there.constraint,
        // Statements tell themselves whether they are still good.
        statements: RefCell::new(known.map(|known| known.statements.take()).unwrap_or_default()),
        changes,
    });
    KNOWN.with(|known| known.borrow_mut().referenced.insert(place, Rc::clone(&binding)));
    binding
}

/// The triggers of a table that call a function with a token.
pub fn triggers_of(table: Oid, function: Oid, token: u64) -> impl Iterator<Item = Trigger> {
    inheritance::triggers(table, function)
        .into_iter()
        .filter(move |trigger| parse_token(&trigger.argument) == Some(token))
}

fn token_and_terms(call: &Call) -> (u64, Terms) {
    let arguments = call.arguments();
    let parsed = match arguments.as_slice() {
        [token, terms @ ..] => parse_token(token).zip(Terms::parse(terms)),
        [] => None,
    };
    parsed.filter(|_| call.other_relation() != Oid::INVALID).unwrap_or_else(|| not_ours(call))
}

fn key_columns(call: &Call) -> Vec<i16> {
    call.condition_columns()
        .filter(|columns| (1..=MOST_COLUMNS).contains(&columns.len()) && !column::is_temporary(call.relation()))
        .filter(|columns| columns.iter().all(|&number| number > 0))
        .unwrap_or_else(|| not_ours(call))
}

fn not_ours(call: &Call) -> ! {
    let name = call.trigger_name().to_string_lossy().into_owned();
    std::panic::panic_any(
        ErrorReport::new(
            PgSqlErrorCode::ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
            format!("trigger \"{name}\" was not created by advisor.add_global_foreign_key"),
            "",
        )
        .set_hint(
            "Drop it, and call advisor.add_global_foreign_key(relation, columns, referenced, referenced_columns).",
        ),
    )
}

/// The other side has no trigger: rows could not be checked, so they are refused.
fn incomplete(call: &Call) -> ! {
    let name = call.trigger_name().to_string_lossy().into_owned();
    std::panic::panic_any(
        ErrorReport::new(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!("foreign key \"{name}\" has lost the triggers of its other side"),
            "",
        )
        .set_hint("SELECT * FROM advisor.repair_constraints(); mends it, advisor.drop_constraint ends it."),
    )
}

/// The constraint's name.
pub fn name_of(constraint: Oid) -> CString {
    column::constraint_name(constraint).unwrap_or_default()
}

/// The topmost referencing table of a TRUNCATE trigger's constraint, and whether that one says so, too.
pub fn referencing_root(call: &Call) -> Option<(Oid, bool)> {
    let token = call.argument().and_then(parse_token).unwrap_or_else(|| not_ours(call));
    let function = referenced_function();
    let there = triggers_of(call.relation(), function, token).next()?.other_relation;
    let root = root_of(call.relation(), function, token);
    let is_mutual = triggers_of(there, referencing_function(), token).any(|trigger| trigger.other_relation == root);
    Some((there, is_mutual))
}
