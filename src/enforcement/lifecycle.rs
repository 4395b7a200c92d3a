//! Event triggers: constraints follow what happens to their tables.
//!
//! They look at nothing as long as no global constraint exists, and then only at trees that have one.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;

use citus_planner::identifier::{quote_identifier, quote_literal};
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

use super::inventory::{self, Constraint, Member};
use super::key_lock::{ConstraintId, gate_exclusive};
use super::membership;
use super::{claims, definition, duplicates, foreign_key, triggers};
use crate::error::{Result, refusal};
use crate::pg::ddl_event::{self, Effect};
use crate::pg::query::{self, Sees};
use crate::pg::{identity, tables, transaction};

thread_local! {
    /// Whether statements of our own are running, which need no following.
    static OWN_WORK: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`, whose DDL the event triggers leave alone.
pub fn own_work<R>(work: impl FnOnce() -> R) -> R {
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            OWN_WORK.set(self.0);
        }
    }
    let _before = Before(OWN_WORK.replace(true));
    work()
}

/// `ddl_command_start`
#[pg_extern(
    name = "_precede_ddl",
    sql = r#"
CREATE FUNCTION advisor._precede_ddl() RETURNS event_trigger LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
pub fn precede_ddl(call: pg_sys::FunctionCallInfo) -> Result<()> {
    let Some(intents) = ddl_event::intents(call) else { return Err(not_an_event()) };
    if intents.is_empty() || OWN_WORK.get() {
        return Ok(());
    }
    own_work(|| intents.iter().try_for_each(foreign_key::lifecycle::precede))
}

/// `ddl_command_end`
#[pg_extern(
    name = "_follow_ddl",
    sql = r#"
CREATE FUNCTION advisor._follow_ddl() RETURNS event_trigger LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
pub fn follow_ddl(call: pg_sys::FunctionCallInfo) -> Result<()> {
    let Some(effects) = ddl_event::effects(call) else { return Err(not_an_event()) };
    let (any_unique, any_foreign_key) = (any_constraint(), foreign_key::lifecycle::any());
    if ddl_event::makes_trigger(call) {
        // A restore makes the triggers one by one.
        if OWN_WORK.get() {
            return Ok(());
        }
        return own_work(|| {
            follow_trigger()?;
            if any_foreign_key { foreign_key::lifecycle::follow_trigger() } else { Ok(()) }
        });
    }
    if OWN_WORK.get() || !(any_unique || any_foreign_key) || ddl_event::concerns_no_tree(call) {
        return Ok(());
    }
    let changed = changed_tables()?;
    own_work(|| {
        for constraint in concerned(&changed, &effects)? {
            follow(constraint, &changed, &effects)?;
        }
        if any_foreign_key { foreign_key::lifecycle::follow(&changed, &effects) } else { Ok(()) }
    })
}

/// `sql_drop`
#[pg_extern(
    name = "_follow_drop",
    sql = r#"
CREATE FUNCTION advisor._follow_drop() RETURNS event_trigger LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
pub fn follow_drop(call: pg_sys::FunctionCallInfo) -> Result<()> {
    if ddl_event::effects(call).is_none() {
        return Err(not_an_event());
    }
    if OWN_WORK.get() {
        return Ok(());
    }
    own_work(|| {
        if any_constraint() {
            forget_members_dropped()?;
        }
        foreign_key::lifecycle::follow_drop(ddl_event::is_cascade(call))?;
        forget_constraints_dropped()
    })
}

fn not_an_event() -> pgrx::pg_sys::panic::ErrorReport {
    refusal(
        PgSqlErrorCode::ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED,
        "not called by event trigger manager".to_owned(),
    )
}

/// Whether any trigger of ours is there.
fn any_constraint() -> bool {
    let function = check_function();
    function != Oid::INVALID && tables::function_is_used(function)
}

/// The function of our triggers, found without a privilege on the schema: other people's DDL gets here.
fn check_function() -> Oid {
    tables::advisor_function(c"check_global_unique")
}

/// The tables that the statement made or altered; all with a trigger of ours where a schema was renamed, and those of a type.
fn changed_tables() -> Result<Vec<Oid>> {
    let sql = format!(
        "SELECT DISTINCT objid FROM pg_catalog.pg_event_trigger_ddl_commands()
               WHERE classid = 'pg_catalog.pg_class'::pg_catalog.regclass
               UNION
               SELECT t.tgrelid FROM pg_catalog.pg_event_trigger_ddl_commands() e
                 JOIN pg_catalog.pg_class c ON c.relnamespace = e.objid
                 JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.oid
                   AND t.tgfoid IN ('{}'::pg_catalog.oid, '{}'::pg_catalog.oid, '{}'::pg_catalog.oid)
               WHERE e.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND e.command_tag = 'ALTER SCHEMA'
               UNION
               SELECT k.conrelid FROM pg_catalog.pg_event_trigger_ddl_commands() e
                 JOIN pg_catalog.pg_constraint k ON k.oid = e.objid AND k.contype = 't'
               WHERE e.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
               UNION
               SELECT c.oid FROM pg_catalog.pg_event_trigger_ddl_commands() e
                 JOIN pg_catalog.pg_type y ON y.typrelid = e.objid
                 JOIN pg_catalog.pg_class c ON c.reloftype = y.oid
               WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.command_tag = 'ALTER TYPE'",
        check_function().to_u32(),
        tables::advisor_function(c"check_global_foreign_key").to_u32(),
        tables::advisor_function(c"check_global_reference").to_u32()
    );
    Ok(query::rows(&sql, Sees::Latest, 0)?.iter().map(|row| row.oid(0)).collect())
}

/// The constraints that cover one of the tables, or covered it.
fn concerned(changed: &[Oid], effects: &[Effect]) -> Result<Vec<Constraint>> {
    let mut from: Vec<String> = changed.iter().map(|oid| oid.to_u32().to_string()).collect();
    for effect in effects {
        if let Effect::Left(parent) = effect {
            from.push(parent.to_u32().to_string());
        }
    }
    if from.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "WITH RECURSIVE up(relation) AS (
           SELECT pg_catalog.unnest('{{{}}}'::pg_catalog.oid[])
           UNION
           SELECT i.inhparent FROM up JOIN pg_catalog.pg_inherits i ON i.inhrelid = up.relation
         )
         SELECT up.relation FROM up
         WHERE EXISTS (SELECT FROM pg_catalog.pg_trigger t
                       WHERE t.tgrelid = up.relation AND t.tgfoid = '{}'::pg_catalog.oid)
           -- A root whose trigger was dropped by hand.
           OR EXISTS (SELECT FROM advisor.global_constraint_registry r
                      WHERE r.root = '{}/' || up.relation::pg_catalog.text)",
        from.join(","),
        check_function().to_u32(),
        tables::this_database()
    );
    let carriers = as_extension_owner(|| query::rows(&sql, Sees::Latest, 0))?;
    let carriers: Vec<Oid> = carriers.iter().map(|row| row.oid(0)).collect();
    if carriers.is_empty() {
        return Ok(Vec::new());
    }
    let mut constraints = inventory::constraints(Sees::Latest)?;
    constraints.retain(|c| carriers.contains(&c.root));
    Ok(constraints)
}

/// After a statement that made a trigger: it becomes a part of the topmost table's.
fn follow_trigger() -> Result<()> {
    let sql = format!(
        "SELECT 1 FROM pg_catalog.pg_event_trigger_ddl_commands() d JOIN pg_catalog.pg_trigger t ON t.oid = d.objid
         WHERE d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND t.tgdeferrable AND t.tgfoid = '{}'::pg_catalog.oid",
        check_function().to_u32()
    );
    if query::rows(&sql, Sees::Latest, 1)?.is_empty() {
        return Ok(());
    }
    for constraint in inventory::constraints(Sees::Latest)?.iter().filter(|c| c.is_deferrable) {
        let members = inventory::members(constraint.root, &constraint.token, Sees::Latest)?;
        membership::join_parts(constraint, &members)?;
    }
    Ok(())
}

fn follow(mut constraint: Constraint, changed: &[Oid], effects: &[Effect]) -> Result<()> {
    // Members may have come or gone: no backend may go on with its list.
    tables::forget_cached(constraint.root);
    let mut members = inventory::members(constraint.root, &constraint.token, Sees::Latest)?;
    let joined = effects.iter().any(|e| matches!(e, Effect::Created | Effect::Joined));
    if joined {
        members = take_in(&constraint, members, changed)?;
    }
    let mut doubtful = false;
    for effect in effects {
        match effect {
            Effect::Left(parent) if members.iter().any(|m| m.oid == *parent) => {
                let_go(&constraint, &members, changed)?;
            }
            Effect::Detached { partition, .. } => let_go(&constraint, &members, &[*partition])?,
            Effect::Enabled(name) | Effect::Disabled(name) => {
                let touched = members.iter().filter(|m| {
                    let trigger = m.trigger.as_ref();
                    trigger.is_some_and(|t| name.as_ref().is_none_or(|n| *n == t.name))
                        && is_below(m, &members, changed)
                });
                for member in touched {
                    if !doubtful {
                        // Rows may come in, or have come in, without a claim. Writers that rely on the claims finish first.
                        gate_exclusive(constraint.id());
                        claims::forget(constraint.id())?;
                    }
                    doubtful = true;
                    if let (Effect::Enabled(_), Some(trigger)) = (effect, &member.trigger)
                        && trigger.enabled == "O"
                    {
                        as_extension_owner(|| membership::make_always(member, &trigger.name))?;
                    }
                }
            }
            Effect::Created | Effect::Joined | Effect::Left(_) => {}
        }
    }
    // ALTER TABLE ... RENAME CONSTRAINT takes one table's row of pg_constraint along, and not its trigger.
    if constraint.is_renamed() && changed.contains(&constraint.root) {
        let others: Vec<Member> = members
            .into_iter()
            .filter(|m| {
                m.trigger.as_ref().is_some_and(|t| t.name != constraint.name || t.constraint_name != constraint.name)
            })
            .collect();
        definition::refuse_taken(&others, &constraint.token, &constraint.name)?;
        as_extension_owner(|| definition::rename_triggers(&others, &constraint.name))?;
    }
    if constraint.registered {
        let validated = constraint.is_validated();
        if (doubtful && validated) || !constraint.registry_is_current() {
            constraint.register(validated && !doubtful)?;
        }
    }
    Ok(())
}

/// Whether the statement was about this member; partitions follow their parent.
fn is_below(member: &Member, members: &[Member], changed: &[Oid]) -> bool {
    changed.contains(&member.oid)
        || member.is_partition && members.iter().any(|m| !m.holds_rows() && changed.contains(&m.oid))
}

/// New members get trigger and index, and must not bring duplicates. Returns the members as they are then.
fn take_in(constraint: &Constraint, members: Vec<Member>, changed: &[Oid]) -> Result<Vec<Member>> {
    let is_newcomer = |m: &Member| m.is_new && m.oid != constraint.root && !is_taken_in(constraint, m);
    if !members.iter().any(is_newcomer) {
        return Ok(members);
    }
    // Somebody may be adding a table below a newcomer, of which neither knows by then.
    let members =
        definition::lock_members(constraint.root, &constraint.token, pg_sys::ShareRowExclusiveLock, |members| {
            Ok(members.iter().filter(|m| is_newcomer(m)).map(|m| m.oid).collect())
        })?;
    let new: Vec<&Member> = members.iter().filter(|m| is_newcomer(m)).collect();
    for member in new.iter().copied() {
        membership::refuse_unfit(member, &constraint.name)?;
        membership::refuse_strange_trigger(member, &constraint.name)?;
        if member.trigger.is_none() {
            definition::refuse_taken(std::slice::from_ref(member), "", &constraint.name)?;
        }
    }
    // Writers that have checked are done; those that have not will see the newcomer.
    gate_exclusive(constraint.id());
    let mut made = Vec::new();
    for member in &new {
        let unique = !constraint.is_deferrable && constraint.is_validated();
        let index = as_extension_owner(|| membership::ensure_index(constraint, member, unique))?;
        made.extend(index.map(|index| (member.oid, index)));
        // Rows that this transaction wrote before are looked at as well.
        if member.trigger.is_none() && (member.holds_rows() || changed.contains(&member.oid)) {
            as_extension_owner(|| membership::make_trigger(constraint, member))?;
        }
        if let Some(trigger) = member.trigger.as_ref().filter(|t| t.enabled != "A") {
            as_extension_owner(|| membership::make_always(member, &trigger.name))?;
        }
    }
    if !made.is_empty() {
        let members = inventory::members(constraint.root, &constraint.token, Sees::Latest)?;
        for (member, index) in made {
            let trigger = members.iter().find(|m| m.oid == member).and_then(|m| m.trigger.as_ref());
            if let Some(trigger) = trigger {
                tables::index_goes_with_trigger(index, trigger.oid);
            }
        }
    }
    for member in new.iter().filter(|m| m.holds_rows() && m.bytes > 0) {
        duplicates::refuse_in_newcomer(constraint, member)?;
    }
    let new: Vec<Oid> = new.iter().map(|member| member.oid).collect();
    claims::renew(constraint.id(), &constraint.root_columns(), Some(&new))?;
    let members = inventory::members(constraint.root, &constraint.token, Sees::Latest)?;
    membership::join_parts(constraint, &members)?;
    triggers::listen();
    TAKEN_IN.with_borrow_mut(|(transaction, taken)| {
        if *transaction != transaction::local_id() {
            *transaction = transaction::local_id();
            taken.clear();
        }
        taken.extend(members.iter().filter(|m| new.contains(&m.oid)).filter_map(|m| taken_in(constraint, m)));
    });
    Ok(members)
}

/// A member and the trigger it had when it was taken in: one that leaves and joins again has another.
type TakenIn = (ConstraintId, Oid, Oid);

thread_local! {
    /// What this transaction has taken in. A thousand partitions made in one transaction are looked at once each.
    static TAKEN_IN: RefCell<(u64, HashSet<TakenIn>)> = RefCell::default();
}

/// Something was rolled back, perhaps a taking in.
pub fn forget_taken_in() {
    TAKEN_IN.with_borrow_mut(|(_, taken)| taken.clear());
}

fn taken_in(constraint: &Constraint, member: &Member) -> Option<TakenIn> {
    member.trigger.as_ref().map(|trigger| (constraint.id(), member.oid, trigger.oid))
}

/// Whether this transaction has taken the member in, and its trigger still stands.
fn is_taken_in(constraint: &Constraint, member: &Member) -> bool {
    let stands = member.trigger.as_ref().is_some_and(|trigger| trigger.enabled == "A");
    stands
        && TAKEN_IN.with_borrow(|(transaction, taken)| {
            *transaction == transaction::local_id()
                && taken_in(constraint, member).is_some_and(|member| taken.contains(&member))
        })
}

/// Tables that no longer inherit from a member lose the trigger, and all below them, unless another way leads up.
fn let_go(constraint: &Constraint, members: &[Member], left: &[Oid]) -> Result<()> {
    for table in left {
        // Nobody adds a table below while the triggers go.
        let formers = definition::lock_members(*table, &constraint.token, pg_sys::ShareRowExclusiveLock, |formers| {
            let outside = formers.iter().filter(|f| f.trigger.is_some() && !members.iter().any(|m| m.oid == f.oid));
            Ok(outside.map(|f| f.oid).collect())
        })?;
        for former in formers {
            let still = members.iter().any(|m| m.oid == former.oid);
            let Some(trigger) = former.trigger.as_ref().filter(|t| !still && !t.is_clone) else { continue };
            as_extension_owner(|| {
                query::define(&format!("DROP TRIGGER {} ON {}", quote_identifier(&trigger.name), former.relation))
            })?;
        }
    }
    Ok(())
}

/// What the constraints need is done whoever alters the tables. Our statements name everything with its schema.
pub fn as_extension_owner<R>(work: impl FnOnce() -> Result<R>) -> Result<R> {
    let owner = inventory::extension_owner()?;
    identity::acting_as(owner, work)
}

/// After DROP: backends read again which members there are.
fn forget_members_dropped() -> Result<()> {
    // What is left of a constraint has its name, by which pg_constraint has an index: other people's triggers are told
    // apart without a look at all constraints of the database.
    let sql = format!(
        "SELECT 1 FROM pg_catalog.pg_event_trigger_dropped_objects() d
         WHERE d.object_type IN ('trigger', 'table constraint')
           AND (EXISTS (SELECT FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_trigger t ON t.tgconstraint = k.oid
                        WHERE k.conname = d.address_names[3]::pg_catalog.name AND k.contype = 't'
                          AND t.tgfoid = '{}'::pg_catalog.oid)
             OR EXISTS (SELECT FROM advisor.global_constraint_registry r
                        WHERE r.constraint_name = d.address_names[3]::pg_catalog.name))",
        check_function().to_u32()
    );
    if as_extension_owner(|| query::rows(&sql, Sees::Latest, 1))?.is_empty() {
        return Ok(());
    }
    let sql = "SELECT objid FROM pg_catalog.pg_event_trigger_dropped_objects() WHERE object_type = 'table'";
    let dropped: Vec<Oid> = query::rows(sql, Sees::Latest, 0)?.iter().map(|row| row.oid(0)).collect();
    for mut constraint in inventory::constraints(Sees::Latest)? {
        // A member that goes takes its trigger along, and the trigger's row in pg_constraint: one of them at least has the
        // constraint's name. Names are compared where they are: in SQL_ASCII they may be no text.
        let sql = format!(
            "SELECT 1 FROM pg_catalog.pg_event_trigger_dropped_objects() d
             WHERE d.object_type IN ('trigger', 'table constraint') AND d.address_names[3] = {}",
            quote_literal(&constraint.name)
        );
        if !query::rows(&sql, Sees::Latest, 1)?.is_empty() {
            tables::forget_cached(constraint.root);
            if !dropped.is_empty() {
                claims::forget_tables(constraint.id(), &dropped)?;
            }
            // A trigger that was dropped from a table that stays: from here on rows come in unchecked.
            let members = inventory::members(constraint.root, &constraint.token, Sees::Latest)?;
            if members.iter().any(|m| m.trigger.is_none() && m.holds_rows()) {
                gate_exclusive(constraint.id());
                claims::forget(constraint.id())?;
                if constraint.registered && constraint.is_validated() {
                    constraint.register(false)?;
                }
            }
        }
    }
    Ok(())
}

/// A constraint ends with its table, or with a column of its key. A trigger that was dropped by name is a fault, which the
/// registry remembers.
fn forget_constraints_dropped() -> Result<()> {
    if tables::advisor_table_is_empty(c"global_constraint_registry") {
        return Ok(());
    }
    // A row that is of another database, as after a restore, tells its table by name only.
    let sql = format!(
        "SELECT DISTINCT r.token, r.relation, d.objid
         FROM advisor.global_constraint_registry r
           CROSS JOIN LATERAL (
             SELECT CASE WHEN pg_catalog.starts_with(r.root, '{0}/')
               THEN pg_catalog.split_part(r.root, '/', 3)::pg_catalog.oid END AS oid
           ) AS root
           JOIN pg_catalog.pg_event_trigger_dropped_objects() d
             ON r.kind = 'unique' AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
               AND d.object_type IN ('table', 'table column')
               AND (d.objid = root.oid AND (d.objsubid = 0 OR d.objsubid = ANY (r.root_columns))
                 OR pg_catalog.format('%I.%I', d.address_names[1], d.address_names[2]) = r.relation
                   AND (d.objsubid = 0 OR d.address_names[3] = ANY (r.columns))
                   AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = root.oid))",
        tables::this_database()
    );
    as_extension_owner(|| {
        for row in &query::rows(&sql, Sees::Latest, 0)? {
            end(&row.text(0), &row.text(1), row.oid(2))?;
        }
        Ok(())
    })
}

/// What is left of a constraint goes: children may keep a column that their parent has lost.
fn end(token: &str, relation: &str, root: Oid) -> Result<()> {
    let members = inventory::members(root, token, Sees::Latest)?;
    for member in &members {
        if let Some(trigger) = member.trigger.as_ref().filter(|trigger| !trigger.is_clone) {
            query::define(&format!("DROP TRIGGER {} ON {}", quote_identifier(&trigger.name), member.relation))?;
        }
    }
    inventory::forget_registered(token, relation)?;
    let id = ConstraintId::of(root, token);
    // Nobody can write to the tables any more, or without a trigger.
    gate_exclusive(id);
    claims::forget(id)
}
