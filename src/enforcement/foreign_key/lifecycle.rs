//! Foreign keys follow what happens to their tables: called by the event triggers.

use citus_planner::identifier::{quote_identifier, quote_literal};
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

use super::super::definition::refuse_taken;
use super::super::inventory::{self, Member};
use super::super::lifecycle::as_extension_owner;
use super::binding::{referenced_function, referencing_function};
use super::definition::{
    end, has_unique_key, join_parts, lock_referenced, lock_tables, make, make_triggers, missing_unique_index,
    refuse_unfit_members, rename_triggers,
};
use super::inventory::{ForeignKey, KeyTrigger, Role, foreign_keys, tables_of};
use super::orphans::{self, Scope};
use crate::error::{Result, notice, refusal_with};
use crate::pg::ddl_event::{Effect, Intent};
use crate::pg::encoding::from_server;
use crate::pg::lock::{Mode, lock_relation};
use crate::pg::query::{self, Sees};
use crate::pg::{column, tables, trigger_catalog};

/// Whether any trigger of a foreign key is there.
pub fn any() -> bool {
    [referencing_function(), referenced_function()]
        .into_iter()
        .any(|function| function != Oid::INVALID && tables::function_is_used(function))
}

/// After a statement that made a trigger.
pub fn follow_trigger() -> Result<()> {
    let sql = format!(
        "SELECT 1 FROM pg_catalog.pg_event_trigger_ddl_commands() d JOIN pg_catalog.pg_trigger t ON t.oid = d.objid
         WHERE d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND t.tgdeferrable
           AND t.tgfoid IN ('{}'::pg_catalog.oid, '{}'::pg_catalog.oid)",
        referencing_function().to_u32(),
        referenced_function().to_u32()
    );
    if query::rows(&sql, Sees::Latest, 1)?.is_empty() {
        return Ok(());
    }
    foreign_keys(Sees::Latest)?.iter().try_for_each(join_parts)
}

/// After a statement that made or altered tables.
pub fn follow(changed: &[Oid], effects: &[Effect]) -> Result<()> {
    for key in foreign_keys(Sees::Latest)? {
        let members = tables_of(&key.referencing, Sees::Latest)?;
        let referenced = tables_of(&key.referenced, Sees::Latest)?;
        let is_covered = |oid: Oid| members.iter().chain(&referenced).any(|m| m.oid == oid);
        let is_concerned = changed.iter().any(|&oid| is_covered(oid))
            || effects.iter().any(|effect| matches!(effect, Effect::Left(parent) if is_covered(*parent)));
        if is_concerned {
            follow_one(key, &members, &referenced, changed, effects)?;
        }
    }
    Ok(())
}

fn follow_one(
    mut key: ForeignKey,
    members: &[Member],
    referenced: &[Member],
    changed: &[Oid],
    effects: &[Effect],
) -> Result<()> {
    tables::forget_cached(key.referencing.root);
    tables::forget_cached(key.referenced.root);
    refuse_unfit_members(&key, members, referenced)?;
    if effects.iter().any(|e| matches!(e, Effect::Created | Effect::Joined)) {
        take_in(&key, members, referenced)?;
    }
    let triggers = key.triggers(Sees::Latest)?;
    let_go(&key, &triggers, members, referenced, &leaving(members, referenced, changed, effects)?)?;
    let doubtful = effects.iter().any(|effect| match effect {
        Effect::Enabled(name) | Effect::Disabled(name) => triggers.iter().any(|trigger| {
            let member = members.iter().chain(referenced).find(|m| m.oid == trigger.table);
            name.as_ref().is_none_or(|name| *name == trigger.name)
                && (changed.contains(&trigger.table) || member.is_some_and(|m| m.is_partition))
        }),
        _ => false,
    });
    // ALTER TABLE ... RENAME CONSTRAINT takes one table's row of pg_constraint along, and not its trigger.
    if key.is_renamed() && changed.contains(&key.referencing.root) {
        let old = key.registered_name();
        let others: Vec<Oid> = triggers
            .iter()
            .filter(|t| t.role == Role::Check && t.constraint_name != key.name)
            .map(|t| t.table)
            .collect();
        let others: Vec<Member> =
            tables_of(&key.referencing, Sees::Latest)?.into_iter().filter(|m| others.contains(&m.oid)).collect();
        refuse_taken(&others, "", &key.name)?;
        as_extension_owner(|| rename_triggers(&key, &old, referenced))?;
    }
    if key.registered {
        let validated = key.is_validated();
        if (doubtful && validated) || !key.registry_is_current() {
            key.register(validated && !doubtful)?;
        }
    }
    Ok(())
}

/// New tables on either side get triggers; new referencing ones must not bring rows without a referenced row.
fn take_in(key: &ForeignKey, members: &[Member], referenced: &[Member]) -> Result<()> {
    let is_new = |root: Oid| move |m: &&Member| m.is_new && m.oid != root;
    let coming: Vec<Oid> = members.iter().filter(is_new(key.referencing.root)).map(|m| m.oid).collect();
    let joining: Vec<Oid> = referenced.iter().filter(is_new(key.referenced.root)).map(|m| m.oid).collect();
    if coming.is_empty() && joining.is_empty() {
        return Ok(());
    }
    let new: Vec<Oid> = coming.iter().chain(&joining).copied().collect();
    as_extension_owner(|| make_triggers(key, members, referenced, Some(&new)))?;
    for member in referenced.iter().filter(|m| joining.contains(&m.oid) && m.holds_rows()) {
        if !has_unique_key(key, member) {
            return Err(missing_unique_index(key, &[member]));
        }
    }
    if members.iter().any(|m| coming.contains(&m.oid) && m.holds_rows() && m.bytes > 0) {
        // Whoever deletes a referenced row has not looked at the newcomer: he finishes first, and others wait.
        lock_referenced(key.referenced.root)?;
        orphans::refuse(key, &Scope::Only(&coming))?;
    }
    Ok(())
}

/// A table that the statement took out of one of the trees.
struct Leaving {
    top: Oid,
    /// It and all below it.
    tables: Vec<Oid>,
    /// `None`: it no longer inherits. Else a partition that was detached; `Some(true)`: in more than one transaction.
    detached_late: Option<bool>,
}

/// What left one of the trees. Triggers alone do not tell: anybody can make some on a table of his.
fn leaving(members: &[Member], referenced: &[Member], changed: &[Oid], effects: &[Effect]) -> Result<Vec<Leaving>> {
    let is_covered = |oid: Oid| members.iter().chain(referenced).any(|m| m.oid == oid);
    let mut tops = Vec::new();
    for effect in effects {
        match effect {
            Effect::Left(parent) if is_covered(*parent) => tops.extend(changed.iter().map(|&table| (table, None))),
            Effect::Detached { partition, late } if changed.iter().any(|&parent| is_covered(parent)) => {
                tops.push((*partition, Some(*late)));
            }
            _ => {}
        }
    }
    tops.into_iter()
        .map(|(top, detached_late)| {
            let tables = inventory::members(top, "", Sees::Latest)?.iter().map(|m| m.oid).collect();
            Ok(Leaving { top, tables, detached_late })
        })
        .collect()
}

/// Tables that have left either side: their triggers go, and no row may reference what goes with them. A partition that was
/// detached from the referencing side keeps the foreign key as one of its own.
fn let_go(
    key: &ForeignKey,
    triggers: &[KeyTrigger],
    members: &[Member],
    referenced: &[Member],
    leaving: &[Leaving],
) -> Result<()> {
    let side = |role: Role| if role == Role::Check { members } else { referenced };
    for Leaving { top, tables, detached_late } in leaving {
        let strays: Vec<&KeyTrigger> = triggers
            .iter()
            .filter(|t| tables.contains(&t.table) && !side(t.role).iter().any(|m| m.oid == t.table))
            .collect();
        let mut going: Vec<Oid> = strays.iter().filter(|t| t.role != Role::Check).map(|t| t.table).collect();
        going.dedup();
        going.retain(|&table| column::relation_kind(table) == pg_sys::RELKIND_RELATION);
        // In several transactions it was looked at in the first one; since then nobody can reference its rows.
        if !going.is_empty() && *detached_late != Some(true) {
            orphans::refuse(key, &Scope::LosingTo { tables: &going, above: *top })?;
        }
        as_extension_owner(|| {
            for trigger in strays.iter().filter(|t| !t.parent.is_some_and(|p| strays.iter().any(|s| s.oid == p))) {
                if trigger.is_clone() { trigger_catalog::drop_clone(trigger.oid) } else { drop_trigger(trigger)? }
            }
            Ok(())
        })?;
        if let Some(late) = *detached_late
            && strays.iter().any(|t| t.role == Role::Check && t.table == *top)
        {
            keep_as_own(key, *top, referenced, late)?;
        }
    }
    Ok(())
}

/// As natively, a detached partition references what it did, by a key of the same name. `late`: rows may have lost theirs while
/// neither key saw to them.
fn keep_as_own(key: &ForeignKey, top: Oid, referenced: &[Member], late: bool) -> Result<()> {
    let members = inventory::members(top, "", Sees::Latest)?;
    let Some(root) = members.iter().find(|m| m.oid == top) else { return Ok(()) };
    let validated = key.is_validated() && !late;
    let mut own = key.of_its_own(root);
    make(&mut own, &members, referenced)?;
    own.register(validated)?;
    if key.is_validated() && !validated {
        notice(format!(
            "foreign key {} of {} is not validated: SELECT advisor.validate_constraint({}, {});",
            quote_identifier(&own.name),
            own.referencing.relation,
            quote_literal(&own.referencing.relation),
            quote_literal(&own.name)
        ));
    }
    Ok(())
}

/// Before a statement does what cannot be mended behind it.
pub fn precede(intent: &Intent) -> Result<()> {
    match *intent {
        Intent::DetachConcurrently { parent, partition } => refuse_losing(parent, partition),
        Intent::Attach { parent, partition } if any() => adopt(parent, partition),
        Intent::Attach { .. } => Ok(()),
    }
}

/// DETACH CONCURRENTLY commits before its end: whether rows are referenced is to be known when it begins. The locks that keep
/// new references away are held to that first commit; from then on nobody finds the partition's rows.
fn refuse_losing(parent: Oid, partition: Oid) -> Result<()> {
    if !inventory::members(parent, "", Sees::Latest)?.iter().any(|m| m.oid == parent && m.owned) {
        return Ok(());
    }
    // As DETACH itself does next: who is making a foreign key to the tree has finished then, and the next one waits.
    lock_relation(parent, Mode::ShareUpdateExclusive);
    if !any() {
        return Ok(());
    }
    for key in foreign_keys(Sees::Latest)? {
        let referenced = tables_of(&key.referenced, Sees::Latest)?;
        if ![parent, partition].iter().all(|&table| referenced.iter().any(|m| m.oid == table)) {
            continue;
        }
        lock_tables(key.referencing.root, pg_sys::ShareLock)?;
        let going = inventory::members(partition, "", Sees::Latest)?;
        let going: Vec<Oid> = going.iter().filter(|m| m.holds_rows()).map(|m| m.oid).collect();
        orphans::refuse(&key, &Scope::LosingTo { tables: &going, above: partition })?;
    }
    Ok(())
}

/// A table that comes with a foreign key of its own, the same as that of the tree it joins, gives it up for that one, whatever
/// its name, as natively. ATTACH makes triggers before any event trigger is called, and would stumble over its own ones.
fn adopt(parent: Oid, partition: Oid) -> Result<()> {
    let keys = foreign_keys(Sees::Latest)?;
    let (mut own, others): (Vec<&ForeignKey>, Vec<&ForeignKey>) =
        keys.iter().partition(|key| key.referencing.root == partition);
    if own.is_empty() || !inventory::members(partition, "", Sees::Latest)?.iter().all(|m| m.owned) {
        return Ok(());
    }
    for whole in others {
        let says_the_same = |key: &&ForeignKey| whole.says_the_same(key);
        let by_name = own.iter().position(|key| says_the_same(key) && key.name == whole.name);
        let Some(place) = by_name.or_else(|| own.iter().position(says_the_same)) else { continue };
        if tables_of(&whole.referencing, Sees::Latest)?.iter().any(|m| m.oid == parent && m.owned) {
            let adopted = own.remove(place);
            lock_tables(adopted.referenced.root, pg_sys::AccessExclusiveLock)?;
            lock_tables(partition, pg_sys::AccessExclusiveLock)?;
            end(adopted)?;
        }
    }
    Ok(())
}

pub fn drop_trigger(trigger: &KeyTrigger) -> Result<()> {
    query::define(&format!(
        "DROP TRIGGER {} ON {}",
        quote_identifier(&trigger.name),
        from_server(column::qualified_name(trigger.table).to_bytes())
    ))
}

/// After a statement that dropped tables or columns; `cascade`: as it says itself.
pub fn follow_drop(cascade: bool) -> Result<()> {
    if tables::advisor_table_is_empty(c"global_constraint_registry") {
        return Ok(());
    }
    let here = format!("{}/", tables::this_database());
    let dropped = |root: &str, columns: &str| {
        format!(
            "EXISTS (SELECT FROM pg_catalog.pg_event_trigger_dropped_objects() d
               WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.object_type IN ('table', 'table column')
                 AND pg_catalog.starts_with({root}, '{here}') AND d.objid = pg_catalog.split_part({root}, '/', 3)::pg_catalog.oid
                 AND (d.objsubid = 0 OR d.objsubid = ANY ({columns})))"
        )
    };
    // A table below the topmost referenced one is as needed as that.
    let sql = format!(
        "SELECT r.token, r.relation, r.constraint_name, r.referenced, {referencing}, {referenced}, m.member,
           EXISTS (
             SELECT FROM pg_catalog.pg_trigger t
             WHERE t.tgrelid = pg_catalog.split_part(r.root, '/', 3)::pg_catalog.oid AND t.tgfoid = '{function}'::pg_catalog.oid
               AND pg_catalog.starts_with(pg_catalog.encode(t.tgargs, 'escape'), r.token || '\\000')
           ) OR EXISTS (
             SELECT FROM pg_catalog.pg_event_trigger_dropped_objects() d
             WHERE d.object_type = 'trigger' AND pg_catalog.format('%I.%I', d.address_names[1], d.address_names[2]) = r.relation
               AND d.address_names[3] = r.constraint_name
           ), m.name
         FROM advisor.global_constraint_registry r
           LEFT JOIN LATERAL (
             SELECT pg_catalog.format('%I.%I', d.address_names[1], d.address_names[2]) AS member, d.address_names[2] AS name
             FROM pg_catalog.pg_event_trigger_dropped_objects() d
             WHERE d.object_type = 'table' AND d.objid = ANY (r.referenced_members)
               AND pg_catalog.starts_with(r.referenced_root, '{here}')
             LIMIT 1
           ) m ON true
         WHERE r.kind = 'foreign key' AND ({referencing} OR {referenced} OR m.member IS NOT NULL)",
        referencing = dropped("r.root", "r.root_columns"),
        referenced = dropped("r.referenced_root", "r.referenced_root_columns"),
        function = referencing_function().to_u32(),
    );
    let rows = as_extension_owner(|| query::rows(&sql, Sees::Latest, 0))?;
    for row in &rows {
        let (token, relation, name) = (row.text(0), row.text(1), row.text(2));
        let (is_referencing, is_referenced) = (row.flag(4), row.flag(5));
        // Without its triggers, as `pg_dump --clean` takes it apart, nothing depends on the table.
        let was_in_force = row.flag(7);
        if !is_referencing && !cascade && was_in_force {
            let table = if is_referenced { row.text(3) } else { row.text(6) };
            return Err(depended_on(&table, &name, &relation));
        }
        if is_referencing || is_referenced {
            if !is_referencing && was_in_force {
                notice(format!("drop cascades to constraint {name} on table {relation}"));
            }
            as_extension_owner(|| {
                for trigger in ForeignKey::triggers_of_token(&token, Sees::Latest)?.iter().filter(|t| !t.is_clone()) {
                    drop_trigger(trigger)?;
                }
                inventory::forget_registered(&token, &relation)
            })?;
        } else if was_in_force
            && let Some(mut key) = foreign_keys(Sees::Latest)?.into_iter().find(|key| key.token == token)
        {
            tables::forget_cached(key.referenced.root);
            orphans::refuse(&key, &Scope::Without(&row.text(8)))?;
            let validated = key.is_validated();
            key.register(validated)?;
        }
    }
    Ok(())
}

fn depended_on(table: &str, constraint: &str, referencing: &str) -> pgrx::pg_sys::panic::ErrorReport {
    refusal_with(
        PgSqlErrorCode::ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST,
        format!("cannot drop table {table} because other objects depend on it"),
        Some(format!("constraint {constraint} on table {referencing} depends on table {table}")),
        Some("Use DROP ... CASCADE to drop the dependent objects too, or DETACH the partition first.".to_owned()),
    )
}
