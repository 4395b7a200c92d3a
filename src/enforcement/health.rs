//! The view of constraints, what is wrong with them, and its repair.

use citus_planner::identifier::{quote_identifier, quote_literal};
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

use super::claims;
use super::definition::{self, lock_tree};
use super::foreign_key;
use super::inventory::{self, Constraint, Member};
use super::key_lock::gate_exclusive;
use super::lifecycle::own_work;
use super::membership;
use crate::error::{Result, refusal};
use crate::pg::query::{self, Sees};
use crate::pg::savepoint::attempt;
use crate::pg::tables;
use crate::pg::values::{Name, Names, Table, Text};

/// The rows of `advisor.global_constraints`.
#[pg_extern(name = "_global_constraints", stable)]
#[allow(clippy::type_complexity)]
pub fn global_constraints() -> Result<
    TableIterator<
        'static,
        (
            name!(relation, Text),
            name!(constraint_name, Name),
            name!(kind, Text),
            name!(columns, Names),
            name!(referenced, Option<Text>),
            name!(referenced_columns, Option<Names>),
            name!(match_type, Option<Text>),
            name!(on_delete, Option<Text>),
            name!(on_update, Option<Text>),
            name!(is_deferrable, bool),
            name!(initially_deferred, bool),
            name!(validated, bool),
            name!(partitions, i64),
            name!(healthy, bool),
            name!(problems, Option<Text>),
            name!(definition, Text),
        ),
    >,
> {
    let watch = event_trigger_problems()?;
    let mut rows = Vec::new();
    for constraint in inventory::constraints(Sees::Statement)? {
        let members = inventory::members(constraint.root, &constraint.token, Sees::Statement)?;
        let mut problems = problems(&constraint, &members);
        problems.extend(watch.iter().cloned());
        let partitions =
            members.iter().filter(|m| m.oid != constraint.root && !m.has_children && m.kind != "p").count();
        rows.push((
            Text(constraint.relation.clone()),
            Name(constraint.name.clone()),
            Text("unique".to_owned()),
            Names(constraint.columns.iter().cloned().map(Some).collect()),
            None,
            None,
            None,
            None,
            None,
            constraint.is_deferrable,
            constraint.initially_deferred,
            constraint.is_validated() && members.iter().all(fires),
            partitions as i64,
            problems.is_empty(),
            (!problems.is_empty()).then(|| Text(problems.join("; "))),
            Text(constraint.definition()),
        ));
    }
    for shown in foreign_key::health::all()? {
        let (key, mut problems) = (shown.key, shown.problems);
        problems.extend(watch.iter().cloned());
        let names = |columns: &[String]| Names(columns.iter().cloned().map(Some).collect());
        rows.push((
            Text(key.referencing.relation.clone()),
            Name(key.name.clone()),
            Text("foreign key".to_owned()),
            names(&key.referencing.columns),
            Some(Text(key.referenced.relation.clone())),
            Some(names(&key.referenced.columns)),
            Some(Text(key.terms.matching.to_string())),
            Some(Text(key.action(&key.terms.on_delete))),
            Some(Text(key.action(&key.terms.on_update))),
            key.is_deferrable,
            key.initially_deferred,
            key.is_validated() && shown.is_enforced,
            shown.partitions,
            problems.is_empty(),
            (!problems.is_empty()).then(|| Text(problems.join("; "))),
            Text(key.definition()),
        ));
    }
    Ok(TableIterator::new(rows))
}

/// Whether no row comes into the member unchecked.
fn fires(member: &Member) -> bool {
    member.trigger.as_ref().is_some_and(|trigger| trigger.enabled == "A" || trigger.enabled == "O")
}

/// What keeps a constraint from being enforced, or from being enforced fast.
fn problems(constraint: &Constraint, members: &[Member]) -> Vec<String> {
    let mut problems = Vec::new();
    for member in members {
        let relation = &member.relation;
        if member.kind == "f" || member.persistence == "t" {
            problems.push(format!("{relation} is a foreign or temporary table"));
            continue;
        }
        match &member.trigger {
            None => problems.push(format!("trigger missing on {relation}")),
            Some(trigger) => match trigger.enabled.as_str() {
                "A" => {}
                "D" => problems.push(format!("trigger disabled on {relation}")),
                "R" => problems.push(format!("trigger on {relation} fires for replicas only")),
                _ => problems.push(format!("trigger on {relation} is not ENABLE ALWAYS")),
            },
        }
        for trigger in &member.strange_triggers {
            problems.push(format!("trigger {} on {relation} is not the constraint's", quote_identifier(trigger)));
        }
        if member.holds_rows()
            && let Err(reason) = member.serving_index(&constraint.columns)
        {
            problems.push(format!("no usable index on {relation}: {reason}"));
        }
    }
    problems
}

/// Whether the event triggers of the extension fire.
fn event_trigger_problems() -> Result<Vec<String>> {
    let sql = "SELECT name, evtenabled FROM pg_catalog.unnest(ARRAY['citus_advisor_ddl', 'citus_advisor_drop']) AS name
                 LEFT JOIN pg_catalog.pg_event_trigger ON evtname = name ORDER BY name";
    let mut problems = Vec::new();
    for row in query::rows(sql, Sees::Statement, 0)? {
        let name = row.text(0);
        match row.text(1).as_str() {
            "A" => {}
            "" => problems.push(format!("event trigger {name} is missing")),
            "D" => problems.push(format!("event trigger {name} is disabled")),
            _ => problems.push(format!("event trigger {name} is not ENABLE ALWAYS")),
        }
    }
    Ok(problems)
}

/// Mends what hands did to constraints: those of one table, or of all tables that the caller owns.
#[pg_extern]
fn repair_constraints(
    relation: default!(Option<Table>, "NULL"),
) -> Result<TableIterator<'static, (name!(relation, Text), name!(constraint_name, Name), name!(action, Text))>> {
    let mut actions = Vec::new();
    if relation.is_none() {
        inventory::forget_leftovers()?;
    }
    let mut constraints = inventory::constraints(Sees::Latest)?;
    if let Some(Table(relation)) = relation {
        constraints = of_relation(constraints, relation)?;
    }
    let foreign_keys = foreign_key::inventory::foreign_keys(Sees::Latest)?;
    for constraint in constraints {
        let members = inventory::members(constraint.root, &constraint.token, Sees::Latest)?;
        // Gone since, or somebody else's.
        let is_there = members.iter().any(|m| m.oid == constraint.root);
        if relation.is_none() && (!is_there || members.iter().any(|m| !m.owned)) {
            continue;
        }
        let (token, root) = (constraint.token.clone(), constraint.root);
        let done = if relation.is_some() {
            own_work(|| repair(constraint))
        } else {
            // Anybody can make a trigger that stands in the way of his constraint, not of others.
            own_work(|| attempt(|| repair(constraint)))
                .or_else(|error| Ok(vec![format!("could not be repaired: {}", error.message())]))
        }?;
        if done.is_empty() {
            continue;
        }
        // Its names may have changed before the locks were had; or it is gone.
        if let Some(constraint) = inventory::constraint_of(&token, root)? {
            let (name, table) = (constraint.name, constraint.relation);
            actions.extend(done.into_iter().map(|action| (Text(table.clone()), Name(name.clone()), Text(action))));
        }
    }
    // Behind the unique constraints that they rest on.
    for key in foreign_keys {
        let members = foreign_key::inventory::tables_of(&key.referencing, Sees::Latest)?;
        let done = match relation {
            Some(Table(relation)) if !foreign_key::health::covers(&key, relation)? => continue,
            None if members.iter().any(|m| !m.owned) => continue,
            Some(_) => own_work(|| foreign_key::health::repair(&key))?,
            None => own_work(|| attempt(|| foreign_key::health::repair(&key)))
                .or_else(|error| Ok(vec![format!("could not be repaired: {}", error.message())]))?,
        };
        let (table, name) = (key.referencing.relation, key.name);
        actions.extend(done.into_iter().map(|action| (Text(table.clone()), Name(name.clone()), Text(action))));
    }
    Ok(TableIterator::new(actions))
}

/// The constraints that cover a table.
fn of_relation(constraints: Vec<Constraint>, relation: Oid) -> Result<Vec<Constraint>> {
    let mut covering = Vec::new();
    for constraint in constraints {
        let members = inventory::members(constraint.root, &constraint.token, Sees::Latest)?;
        if members.iter().any(|m| m.oid == relation) {
            membership::require_owned(&members)?;
            covering.push(constraint);
        }
    }
    if covering.is_empty() {
        let own = inventory::members(relation, "", Sees::Latest)?;
        if own.is_empty() {
            return Err(refusal(
                PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
                format!("relation with OID {} does not exist", relation.to_u32()),
            ));
        }
        membership::require_owned(&own)?;
    }
    Ok(covering)
}

/// What was done for one constraint.
fn repair(constraint: Constraint) -> Result<Vec<String>> {
    let mut actions = Vec::new();
    let is_healthy = !is_ill(&constraint, &inventory::members(constraint.root, &constraint.token, Sees::Latest)?);
    if is_healthy && !claims::are_missing(constraint.id(), &constraint.root_columns()) {
        return Ok(actions);
    }
    lock_tree(constraint.root, &constraint.token, pg_sys::ShareRowExclusiveLock)?;
    gate_exclusive(constraint.id());
    // Another session may have dropped, renamed or repaired it before the locks were had.
    let Some(mut constraint) = inventory::constraint_of(&constraint.token, constraint.root)? else {
        return Ok(actions);
    };
    let members = inventory::members(constraint.root, &constraint.token, Sees::Latest)?;
    let is_healthy = !is_ill(&constraint, &members);
    let mut unchecked = !constraint.is_validated();
    if constraint.trigger.is_none() && members.iter().all(|m| m.trigger.is_none()) {
        let relation = constraint.relation.clone();
        for member in &members {
            membership::refuse_unfit(member, &constraint.name)?;
        }
        definition::reinstall(&constraint, members)?;
        return Ok(vec![format!("created the triggers on {relation} again, not validated")]);
    }
    for member in &members {
        membership::refuse_unfit(member, &constraint.name)?;
        match &member.trigger {
            // A partition gets it with its parent, unless only its own is missing.
            None if made_with_parent(&constraint, member, &members) => {}
            None => {
                membership::make_trigger(&constraint, member)?;
                actions.push(format!("created the trigger on {}", member.relation));
                unchecked = true;
            }
            Some(trigger) if trigger.enabled != "A" => {
                membership::make_always(member, &trigger.name)?;
                actions.push(format!("enabled the trigger on {}", member.relation));
                unchecked = true;
            }
            Some(_) => {}
        }
        if let Some(index) = membership::ensure_index(&constraint, member, false)? {
            let now = inventory::members(constraint.root, &constraint.token, Sees::Latest)?;
            let trigger = now.iter().find(|m| m.oid == member.oid).and_then(|m| m.trigger.as_ref());
            if let Some(trigger) = trigger {
                tables::index_goes_with_trigger(index, trigger.oid);
            }
            actions.push(format!("created an index on {}", member.relation));
        }
    }
    if !constraint.registry_is_current() && !constraint.registered {
        actions.push("registered the constraint".to_owned());
    }
    let now = inventory::members(constraint.root, &constraint.token, Sees::Latest)?;
    membership::join_parts(&constraint, &now)?;
    let root = now.iter().find(|m| m.oid == constraint.root);
    constraint.trigger = root.and_then(|m| m.trigger.as_ref()).map(|t| t.oid);
    if claims::are_missing(constraint.id(), &constraint.root_columns()) {
        claims::renew(constraint.id(), &constraint.root_columns(), None)?;
        actions.push("recorded which keys each table may hold".to_owned());
    }
    if is_healthy {
        return Ok(actions);
    }
    constraint.register(!unchecked)?;
    tables::forget_cached(constraint.root);
    if unchecked {
        actions.push(format!(
            "not validated: SELECT advisor.validate_constraint({}, {});",
            quote_literal(&constraint.relation),
            quote_literal(&constraint.name)
        ));
    }
    Ok(actions)
}

/// Whether there is anything to mend.
fn is_ill(constraint: &Constraint, members: &[Member]) -> bool {
    !constraint.registered || !constraint.registry_is_current() || !problems(constraint, members).is_empty()
}

/// Whether the trigger of a partition comes with that of a partitioned table which lacks it too.
fn made_with_parent(constraint: &Constraint, member: &Member, members: &[Member]) -> bool {
    member.oid != constraint.root
        && member.is_partition
        && members.iter().any(|m| !m.holds_rows() && m.oid != member.oid && m.trigger.is_none())
}
