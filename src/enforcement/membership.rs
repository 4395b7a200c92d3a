//! How a table becomes a member of a constraint, and stays one.

use citus_planner::identifier::quote_identifier;
use pgrx::prelude::*;

use super::inventory::{Constraint, Member};
use crate::error::{Result, notice, refusal, refusal_with};
use crate::pg::index_shape;
use crate::pg::query::{self, Sees};
use crate::pg::{tables, trigger_catalog};

/// Building an index on a table of this size is announced.
const LONG_WORK: i64 = 64 * 1024 * 1024;

/// Refuses a table that no constraint across tables can cover.
pub fn refuse_unfit(member: &Member, constraint_name: &str) -> Result<()> {
    let why = match (member.kind.as_str(), member.persistence.as_str()) {
        ("f", _) => "Foreign tables cannot have constraint triggers, and their rows are out of this server's hands.",
        (_, "t") => "Other sessions cannot see the rows of a temporary table.",
        _ => return Ok(()),
    };
    let kind = if member.kind == "f" { "foreign table" } else { "temporary table" };
    Err(refusal_with(
        PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
        format!("{kind} \"{}\" cannot be covered by the global unique constraint \"{constraint_name}\"", member.table),
        Some(why.to_owned()),
        None,
    ))
}

/// Refuses a table with a trigger that claims to be the constraint's and is not.
pub fn refuse_strange_trigger(member: &Member, constraint_name: &str) -> Result<()> {
    let Some(trigger) = member.strange_triggers.first() else { return Ok(()) };
    Err(refusal_with(
        PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        format!(
            "trigger \"{trigger}\" on table \"{}\" has the argument of constraint \"{constraint_name}\", but not its columns",
            member.table
        ),
        None,
        Some(format!("DROP TRIGGER {} ON {};", quote_identifier(trigger), member.relation)),
    ))
}

/// Gives a member an index that serves, unless it has one. Returns the new index.
pub fn ensure_index(constraint: &Constraint, member: &Member, unique: bool) -> Result<Option<pg_sys::Oid>> {
    if !member.holds_rows() {
        return Ok(None);
    }
    if let Ok(serving) = member.serving_index(&constraint.columns) {
        share_index(member, serving.index)?;
        return Ok(None);
    }
    let name = tables::free_relation_name(&member.table, &constraint.columns.join("_"), "idx", member.schema_oid);
    if member.bytes >= LONG_WORK {
        notice(format!("building index \"{name}\" on {}, {} MB", member.relation, member.bytes / (1024 * 1024)));
    }
    query::define(&format!(
        "CREATE {}INDEX {} ON {} ({})",
        if unique { "UNIQUE " } else { "" },
        quote_identifier(&name),
        member.relation,
        constraint.column_list()
    ))?;
    let columns = member.column_numbers(&constraint.columns).unwrap_or_default();
    let made = index_shape::of_table(member.oid).into_iter().filter(|shape| {
        shape.key.len() == columns.len() && shape.key.iter().zip(&columns).all(|(k, c)| k.column == *c)
    });
    // The newest has the highest OID, wrap-around aside; a mistake costs only who drops the index.
    Ok(made.map(|shape| shape.index).max_by_key(|index| index.to_u32()))
}

/// An index that was made for another constraint no longer goes with that one.
fn share_index(member: &Member, index: pg_sys::Oid) -> Result<()> {
    let own = member.trigger.as_ref().map_or(pg_sys::Oid::INVALID, |trigger| trigger.oid);
    let sql = format!(
        "SELECT 1 FROM pg_catalog.pg_depend d
         WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = '{}'::pg_catalog.oid
           AND d.refclassid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND d.deptype = 'a'
           AND d.refobjid <> '{}'::pg_catalog.oid",
        index.to_u32(),
        own.to_u32()
    );
    if !query::rows(&sql, Sees::Latest, 1)?.is_empty() {
        tables::index_stays_without_trigger(index);
    }
    Ok(())
}

/// Makes the trigger on a table, and on all partitions where it is partitioned; it fires whatever the session's role.
pub fn make_trigger(constraint: &Constraint, member: &Member) -> Result<()> {
    query::define(&constraint.trigger_statement(&member.relation, &constraint.name))?;
    make_always(member, &constraint.name)
}

/// SET CONSTRAINTS of the constraint's name, which finds that of one schema, reaches the triggers of all members.
pub fn join_parts(constraint: &Constraint, members: &[Member]) -> Result<()> {
    if !constraint.is_deferrable {
        return Ok(());
    }
    let triggers: Vec<String> =
        members.iter().filter_map(|m| m.trigger.as_ref()).map(|trigger| trigger.oid.to_u32().to_string()).collect();
    let sql = format!(
        "SELECT tgrelid, tgconstraint FROM pg_catalog.pg_trigger
         WHERE oid = ANY ('{{{}}}'::pg_catalog.oid[]) AND tgconstraint <> 0",
        triggers.join(",")
    );
    let rows = query::rows(&sql, Sees::Latest, 0)?;
    let Some(whole) = rows.iter().find(|row| row.oid(0) == constraint.root).map(|row| row.oid(1)) else {
        return Ok(());
    };
    rows.iter()
        .map(|row| row.oid(1))
        .filter(|&part| part != whole)
        .for_each(|part| trigger_catalog::make_part(part, whole));
    Ok(())
}

/// Makes a trigger fire whatever the session's role; on partitions too.
pub fn make_always(member: &Member, trigger: &str) -> Result<()> {
    let only = if member.kind == "p" { "" } else { "ONLY " };
    query::define(&format!("ALTER TABLE {only}{} ENABLE ALWAYS TRIGGER {}", member.relation, quote_identifier(trigger)))
}

/// 42501 where the caller does not own a table.
pub fn require_owned(members: &[Member]) -> Result<()> {
    match members.iter().find(|m| !m.owned) {
        Some(member) => Err(refusal(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("must be owner of table {}", member.table),
        )),
        None => Ok(()),
    }
}
