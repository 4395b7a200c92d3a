//! What is wrong with a foreign key, and its repair.

use citus_planner::identifier::{quote_identifier, quote_literal};
use pgrx::prelude::*;

use super::super::definition::{and_others, lock_tree};
use super::super::inventory::Member;
use super::super::lifecycle::as_extension_owner;
use super::definition::{
    has_unique_key, index_statement, lock_referenced, make_triggers, refuse_unfit_members, without_index,
};
use super::inventory::{ForeignKey, KeyTrigger, Role, foreign_keys, tables_of};
use crate::error::Result;
use crate::pg::query::{self, Sees};
use crate::pg::tables;

/// A foreign key with what the view shows of it.
pub struct Shown {
    pub key: ForeignKey,
    pub partitions: i64,
    pub is_enforced: bool,
    pub problems: Vec<String>,
}

pub fn all() -> Result<Vec<Shown>> {
    let mut shown = Vec::new();
    for key in foreign_keys(Sees::Statement)? {
        let members = tables_of(&key.referencing, Sees::Statement)?;
        let referenced = tables_of(&key.referenced, Sees::Statement)?;
        let triggers = key.triggers(Sees::Statement)?;
        let faults = faults(&key, &triggers, &members, &referenced);
        let mut problems: Vec<String> = faults.iter().map(Fault::text).collect();
        problems.extend(lacking_indexes(&key, &members, &referenced));
        let partitions =
            members.iter().filter(|m| m.oid != key.referencing.root && !m.has_children && m.kind != "p").count();
        shown.push(Shown { key, partitions: partitions as i64, is_enforced: faults.is_empty(), problems });
    }
    Ok(shown)
}

/// A trigger that does not do its work.
pub struct Fault {
    pub relation: String,
    role: Role,
    /// `None`: it is missing.
    trigger: Option<(String, String)>,
}

impl Fault {
    fn text(&self) -> String {
        let what = match self.role {
            Role::Check => "",
            Role::Truncated => "TRUNCATE ",
            _ => "referenced-row ",
        };
        match &self.trigger {
            None => format!("{what}trigger missing on {}", self.relation),
            Some((_, enabled)) if enabled == "R" => {
                format!("{what}trigger on {} fires for replicas only", self.relation)
            }
            Some(_) => format!("{what}trigger disabled on {}", self.relation),
        }
    }
}

/// Triggers of a foreign key fire for the origin of changes, as native ones; ALWAYS is somebody's own choice.
pub fn faults(key: &ForeignKey, triggers: &[KeyTrigger], members: &[Member], referenced: &[Member]) -> Vec<Fault> {
    let mut wanted: Vec<(&Member, Role)> = members.iter().map(|m| (m, Role::Check)).collect();
    for (role, _) in key.referenced_roles() {
        wanted.extend(referenced.iter().map(|m| (m, role)));
    }
    wanted.extend(referenced.iter().map(|m| (m, Role::Truncated)));
    wanted
        .into_iter()
        .filter_map(|(member, role)| {
            let trigger = triggers.iter().find(|t| t.table == member.oid && t.role == role);
            if trigger.is_some_and(|t| t.enabled == "O" || t.enabled == "A") {
                return None;
            }
            let trigger = trigger.map(|t| (t.name.clone(), t.enabled.clone()));
            Some(Fault { relation: member.relation.clone(), role, trigger })
        })
        .collect()
}

fn lacking_indexes(key: &ForeignKey, members: &[Member], referenced: &[Member]) -> Vec<String> {
    let mut problems = Vec::new();
    for member in referenced.iter().filter(|m| m.holds_rows() && !has_unique_key(key, m)) {
        problems.push(format!("no unique index contains the referenced key on {}", member.relation));
    }
    let missing = without_index(key, members);
    if let Some(first) = missing.first() {
        problems.push(format!(
            "no index begins with the referencing columns on {}: {}",
            and_others(first, missing.len()),
            index_statement(key).trim_end_matches(';')
        ));
    }
    problems
}

/// What was done for one foreign key.
pub fn repair(key: &ForeignKey) -> Result<Vec<String>> {
    let mut actions = Vec::new();
    let look = |key: &ForeignKey| -> Result<(Vec<Member>, Vec<Member>, Vec<Fault>)> {
        let members = tables_of(&key.referencing, Sees::Latest)?;
        let referenced = tables_of(&key.referenced, Sees::Latest)?;
        let faults = faults(key, &key.triggers(Sees::Latest)?, &members, &referenced);
        Ok((members, referenced, faults))
    };
    if look(key)?.2.is_empty() && key.registry_is_current() {
        return Ok(actions);
    }
    lock_referenced(key.referenced.root)?;
    lock_tree(key.referencing.root, "", pg_sys::ShareRowExclusiveLock)?;
    // Another session may have dropped, renamed or repaired it before the locks were had.
    let again = foreign_keys(Sees::Latest)?
        .into_iter()
        .find(|k| k.token == key.token && k.referencing.root == key.referencing.root);
    let Some(mut key) = again else { return Ok(actions) };
    let (members, referenced, faults) = look(&key)?;
    refuse_unfit_members(&key, &members, &referenced)?;
    let unchecked = !key.is_validated() || !faults.is_empty();
    as_extension_owner(|| {
        for fault in &faults {
            if let Some((name, _)) = &fault.trigger {
                let only = if fault.role == Role::Truncated || !is_partitioned(&members, &referenced, &fault.relation) {
                    "ONLY "
                } else {
                    ""
                };
                query::define(&format!(
                    "ALTER TABLE {only}{} ENABLE TRIGGER {}",
                    fault.relation,
                    quote_identifier(name)
                ))?;
                actions.push(format!("enabled trigger {} on {}", quote_identifier(name), fault.relation));
            }
        }
        for relation in make_triggers(&key, &members, &referenced, None)? {
            actions.push(format!("created a trigger on {relation}"));
        }
        Ok(())
    })?;
    if !key.registered {
        actions.push("registered the constraint".to_owned());
    }
    key.trigger = key
        .triggers(Sees::Latest)?
        .iter()
        .find(|t| t.table == key.referencing.root && t.role == Role::Check)
        .map(|t| t.oid);
    key.register(!unchecked)?;
    tables::forget_cached(key.referencing.root);
    tables::forget_cached(key.referenced.root);
    if unchecked {
        actions.push(format!(
            "not validated: SELECT advisor.validate_constraint({}, {});",
            quote_literal(&key.referencing.relation),
            quote_literal(&key.name)
        ));
    }
    Ok(actions)
}

fn is_partitioned(members: &[Member], referenced: &[Member], relation: &str) -> bool {
    members.iter().chain(referenced).any(|m| m.relation == relation && m.kind == "p")
}

/// Whether a table is on one of the sides.
pub fn covers(key: &ForeignKey, table: pg_sys::Oid) -> Result<bool> {
    let sides = [tables_of(&key.referencing, Sees::Latest)?, tables_of(&key.referenced, Sees::Latest)?];
    Ok(sides.iter().flatten().any(|m| m.oid == table))
}
