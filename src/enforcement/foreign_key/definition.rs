//! `advisor.add_global_foreign_key`: what it refuses, and what it does; and what the functions for all constraints do with
//! a foreign key.

use citus_planner::identifier::{quote_identifier, quote_identifiers, quote_literal};
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

use super::super::definition::{
    and_others, free_name, gone, lock_members, lock_tree, refuse_taken, required, table_name, unfit_root, zero_length,
};
use super::super::inventory::{self, Member};
use super::super::lifecycle::{as_extension_owner, own_work};
use super::super::membership::require_owned;
use super::super::serving_index;
use super::health::faults;
use super::inventory::{ForeignKey, Role, Side, foreign_keys, tables_of};
use super::lifecycle::drop_trigger;
use super::orphans::{self, Scope};
use super::terms::{Action, Match, Terms};
use crate::error::{Result, notice, null_not_allowed, refusal, refusal_with};
use crate::pg::conversion::pairing;
use crate::pg::query::{self, Sees};
use crate::pg::values::{Name, Names, Table, Text};
use crate::pg::{column, index_shape, tables, trigger_catalog};

/// What a foreign key may have at most.
const MOST_COLUMNS: usize = 32;

/// How a foreign key is to be made.
struct Wish {
    name: Option<String>,
    match_type: String,
    on_delete: String,
    on_update: String,
    is_deferrable: bool,
    initially_deferred: bool,
    not_valid: bool,
    if_not_exists: bool,
}

macro_rules! add_global_foreign_key {
    ($function:ident, $columns:ty, $referenced_columns:ty, $list:ident, $referenced_list:ident) => {
        #[pg_extern(name = "add_global_foreign_key")]
        #[allow(clippy::too_many_arguments)]
        fn $function(
            relation: Option<Table>,
            columns: Option<$columns>,
            referenced: Option<Table>,
            referenced_columns: Option<$referenced_columns>,
            constraint_name: default!(Option<Name>, "NULL"),
            match_type: default!(Option<Text>, "'simple'"),
            on_delete: default!(Option<Text>, "'no action'"),
            on_update: default!(Option<Text>, "'no action'"),
            is_deferrable: default!(Option<bool>, "false"),
            initially_deferred: default!(Option<bool>, "false"),
            not_valid: default!(Option<bool>, "false"),
            if_not_exists: default!(Option<bool>, "false"),
        ) -> Result<Name> {
            let columns = $list(required(columns, "columns")?, "columns")?;
            let referenced_columns =
                $referenced_list(required(referenced_columns, "referenced_columns")?, "referenced_columns")?;
            let relation = required(relation, "relation")?.0;
            let referenced = required(referenced, "referenced")?.0;
            let initially_deferred = initially_deferred.unwrap_or(false);
            let text = |text: Option<Text>, default: &str| text.map_or(default.to_owned(), |text| text.0);
            let wish = Wish {
                name: constraint_name.map(|name| name.0),
                match_type: text(match_type, "simple"),
                on_delete: text(on_delete, "no action"),
                on_update: text(on_update, "no action"),
                is_deferrable: is_deferrable.unwrap_or(false) || initially_deferred,
                initially_deferred,
                not_valid: not_valid.unwrap_or(false),
                if_not_exists: if_not_exists.unwrap_or(false),
            };
            add(relation, columns, referenced, referenced_columns, wish).map(Name)
        }
    };
}

add_global_foreign_key!(add_global_foreign_key, Names, Names, several, several);
add_global_foreign_key!(add_global_foreign_key_on_column, Name, Name, one, one);
add_global_foreign_key!(add_global_foreign_key_on_column_to_columns, Name, Names, one, several);
add_global_foreign_key!(add_global_foreign_key_on_columns_to_column, Names, Name, several, one);

fn one(column: Name, _: &'static str) -> Result<Vec<String>> {
    Ok(vec![column.0])
}

fn several(columns: Names, argument: &'static str) -> Result<Vec<String>> {
    columns.0.into_iter().collect::<Option<Vec<String>>>().ok_or_else(|| match argument {
        "columns" => null_not_allowed("columns must not contain NULL", "Name the columns of the key."),
        _ => null_not_allowed("referenced_columns must not contain NULL", "Name the columns of the referenced key."),
    })
}

fn add(relation: Oid, columns: Vec<String>, referenced: Oid, to: Vec<String>, wish: Wish) -> Result<String> {
    let root = unfit_root(relation, "foreign key")?;
    require_owned(std::slice::from_ref(&root))?;
    let there = unfit_root(referenced, "foreign key")?;
    refuse_bad_columns(&root, &columns, &there, &to)?;
    let terms = terms(&wish, &columns)?;
    if wish.name.as_deref() == Some("") {
        return Err(zero_length());
    }
    // The referenced side first, as whoever deletes there comes to the referencing side later.
    let referenced_members = lock_referenced(referenced)?;
    let members = lock_tree(relation, "", pg_sys::ShareRowExclusiveLock)?;
    let root = members.iter().find(|m| m.oid == relation).ok_or_else(|| gone(relation))?;
    let there = referenced_members.iter().find(|m| m.oid == referenced).ok_or_else(|| gone(referenced))?;
    refuse_without_privilege(there, &to)?;
    if wish.if_not_exists
        && let Some(existing) = foreign_keys(Sees::Latest)?.into_iter().find(|key| {
            key.referencing.root == relation
                && match &wish.name {
                    Some(name) => *name == key.name,
                    None => {
                        key.referenced.root == referenced
                            && key.referencing.columns == columns
                            && key.referenced.columns == to
                    }
                }
        })
    {
        notice(format!("constraint \"{}\" for relation \"{}\" already exists, skipping", existing.name, root.table));
        return Ok(existing.name);
    }
    let name = match &wish.name {
        Some(name) => name.clone(),
        None => free_name(root, &members, &columns, "fkey")?,
    };
    if wish.name.is_some() {
        refuse_taken(&members, "", &name)?;
    }
    let mut key = ForeignKey::planned(
        name,
        Side::of(root, columns),
        Side::of(there, to),
        terms,
        wish.is_deferrable,
        wish.initially_deferred,
        root.owner,
    );
    refuse_unfit_members(&key, &members, &referenced_members)?;
    refuse_bad_types(&key)?;
    refuse_generated(&key)?;
    let native_key = has_native_key(&key, &referenced_members)?;
    if native_key && (root.kind == "p" || members.len() == 1) {
        return Err(refusal_with(
            PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            format!("a native foreign key from \"{}\" to \"{}\" does this better", root.table, there.table),
            Some("PostgreSQL has a unique constraint on the referenced key itself.".to_owned()),
            Some(key.native_statement(wish.not_valid)),
        ));
    }
    if !native_key {
        refuse_without_unique(&key, there, &referenced_members)?;
    }
    refuse_without_index(&key, &referenced_members)?;
    own_work(|| install(&mut key, &members, &referenced_members, wish.not_valid))?;
    advise_index(&key, &members);
    Ok(key.name)
}

fn terms(wish: &Wish, columns: &[String]) -> Result<Terms> {
    let invalid = |argument: &str, why: String| {
        refusal_with(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            format!("invalid {argument} of a foreign key: {why}"),
            None,
            None,
        )
    };
    let matching = Match::parse(&wish.match_type)
        .ok_or_else(|| invalid("match_type", format!("\"{}\" is neither simple nor full", wish.match_type.trim())))?;
    let action = |text: &str, argument: &str| Action::parse_named(text, columns).map_err(|why| invalid(argument, why));
    let on_delete = action(&wish.on_delete, "on_delete")?;
    let on_update = action(&wish.on_update, "on_update")?;
    if let Action::SetNull(list) | Action::SetDefault(list) = &on_update
        && !list.is_empty()
    {
        return Err(invalid("on_update", "PostgreSQL takes a column list for on_delete only".to_owned()));
    }
    Ok(Terms { matching, on_delete, on_update })
}

fn refuse_bad_columns(root: &Member, columns: &[String], there: &Member, to: &[String]) -> Result<()> {
    if columns.is_empty() || columns.len() != to.len() {
        return Err(refusal(
            PgSqlErrorCode::ERRCODE_INVALID_FOREIGN_KEY,
            "number of referencing and referenced columns for foreign key disagree".to_owned(),
        ));
    }
    if columns.len() > MOST_COLUMNS {
        return Err(refusal(
            PgSqlErrorCode::ERRCODE_TOO_MANY_COLUMNS,
            format!("cannot have more than {MOST_COLUMNS} keys in a foreign key"),
        ));
    }
    for (member, names) in [(root, columns), (there, to)] {
        for (at, name) in names.iter().enumerate() {
            match index_shape::column_number(member.oid, name) {
                None => {
                    return Err(refusal_with(
                        PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN,
                        format!("column \"{name}\" referenced in foreign key constraint does not exist"),
                        Some(format!("Table {} has no such column.", member.relation)),
                        None,
                    ));
                }
                Some(number) if number < 0 => {
                    return Err(refusal(
                        PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
                        "system columns cannot be used in foreign keys".to_owned(),
                    ));
                }
                Some(_) => {}
            }
            if names[..at].contains(name) {
                let list = if std::ptr::eq(names, to) { "referenced-columns" } else { "referencing-columns" };
                return Err(refusal(
                    PgSqlErrorCode::ERRCODE_INVALID_FOREIGN_KEY,
                    format!("foreign key {list} list must not contain duplicates"),
                ));
            }
        }
    }
    Ok(())
}

/// Locks the referenced tables against writers.
pub fn lock_referenced(root: Oid) -> Result<Vec<Member>> {
    lock_tables(root, pg_sys::ShareRowExclusiveLock)
}

/// Locks all tables of a tree, whoever owns them, until no new one appears.
pub fn lock_tables(root: Oid, mode: u32) -> Result<Vec<Member>> {
    lock_members(root, "", mode, |members| {
        if !members.iter().any(|m| m.oid == root) {
            return Err(gone(root));
        }
        Ok(members.iter().map(|m| m.oid).collect())
    })
}

fn refuse_without_privilege(there: &Member, columns: &[String]) -> Result<()> {
    let all: Vec<String> = columns
        .iter()
        .map(|c| {
            format!(
                "pg_catalog.has_column_privilege('{}'::pg_catalog.oid, {}, 'REFERENCES')",
                there.oid.to_u32(),
                quote_literal(c)
            )
        })
        .collect();
    let sql = format!(
        "SELECT pg_catalog.has_table_privilege('{}'::pg_catalog.oid, 'REFERENCES') OR ({})",
        there.oid.to_u32(),
        all.join(" AND ")
    );
    if query::rows(&sql, Sees::Latest, 1)?.first().is_some_and(|row| row.flag(0)) {
        return Ok(());
    }
    Err(refusal(PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE, format!("permission denied for table {}", there.table)))
}

/// Tables that cannot take part, and mixes of what survives a crash with what does not.
pub fn refuse_unfit_members(key: &ForeignKey, members: &[Member], referenced: &[Member]) -> Result<()> {
    for member in members.iter().chain(referenced) {
        let (kind, why) = match (member.kind.as_str(), member.persistence.as_str()) {
            ("f", _) => (
                "foreign",
                "Foreign tables cannot have constraint triggers, and their rows are out of this server's hands.",
            ),
            (_, "t") => ("temporary", "Other sessions cannot see the rows of a temporary table."),
            _ => continue,
        };
        return Err(refusal_with(
            PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            format!("{kind} table \"{}\" cannot be part of the global foreign key \"{}\"", member.table, key.name),
            Some(why.to_owned()),
            None,
        ));
    }
    let permanent = members.iter().any(|m| m.persistence == "p");
    if permanent && let Some(unlogged) = referenced.iter().find(|m| m.persistence == "u") {
        return Err(refusal_with(
            PgSqlErrorCode::ERRCODE_INVALID_TABLE_DEFINITION,
            "constraints on permanent tables may reference only permanent tables".to_owned(),
            Some(format!(
                "A crash would empty \"{}\", which \"{}\" references.",
                unlogged.table, key.referencing.table
            )),
            Some(format!("ALTER TABLE {} SET LOGGED;", unlogged.relation)),
        ));
    }
    Ok(())
}

fn refuse_bad_types(key: &ForeignKey) -> Result<()> {
    for (from, to) in key.referencing.columns.iter().zip(&key.referenced.columns) {
        let type_of = |side: &Side, name: &str| {
            let number = index_shape::column_number(side.root, name).unwrap_or_default();
            index_shape::column_type(side.root, number)
        };
        let (from_type, to_type) = (type_of(&key.referencing, from), type_of(&key.referenced, to));
        if pairing(to_type, from_type).is_none() {
            return Err(refusal_with(
                PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH,
                format!("foreign key constraint \"{}\" cannot be implemented", key.name),
                Some(format!(
                    "Key columns \"{from}\" and \"{to}\" are of incompatible types: {} and {}.",
                    column::type_name(from_type).to_string_lossy(),
                    column::type_name(to_type).to_string_lossy()
                )),
                None,
            ));
        }
    }
    Ok(())
}

/// What PostgreSQL refuses of generated columns.
fn refuse_generated(key: &ForeignKey) -> Result<()> {
    let columns: Vec<String> = key.referencing.columns.iter().map(|c| quote_literal(c)).collect();
    let sql = format!(
        "SELECT 1 FROM pg_catalog.pg_attribute WHERE attrelid = '{}'::pg_catalog.oid AND attname IN ({}) AND attgenerated <> ''",
        key.referencing.root.to_u32(),
        columns.join(", ")
    );
    if query::rows(&sql, Sees::Latest, 1)?.is_empty() {
        return Ok(());
    }
    let sets = |action: &Action| matches!(action, Action::SetNull(_) | Action::SetDefault(_));
    let which = if sets(&key.terms.on_update) || key.terms.on_update == Action::Cascade {
        "ON UPDATE"
    } else if sets(&key.terms.on_delete) {
        "ON DELETE"
    } else {
        return Ok(());
    };
    Err(refusal(
        PgSqlErrorCode::ERRCODE_SYNTAX_ERROR,
        format!("invalid {which} action for foreign key constraint containing generated column"),
    ))
}

/// Whether PostgreSQL has a unique index on exactly the referenced key that a native foreign key could use.
fn has_native_key(key: &ForeignKey, referenced: &[Member]) -> Result<bool> {
    let Some(root) = referenced.iter().find(|m| m.oid == key.referenced.root) else { return Ok(false) };
    if root.holds_rows() && referenced.len() > 1 {
        return Ok(false);
    }
    let mut numbers = root.column_numbers(&key.referenced.columns).unwrap_or_default();
    numbers.sort_unstable();
    Ok(index_shape::of_table(root.oid).iter().any(|shape| {
        let mut columns: Vec<i16> = shape.key.iter().map(|part| part.column).collect();
        columns.sort_unstable();
        shape.unique && shape.usable && shape.immediate && !shape.partial && columns == numbers
    }))
}

/// The referenced key has to be globally unique, for certain and at every moment.
fn refuse_without_unique(key: &ForeignKey, there: &Member, referenced: &[Member]) -> Result<()> {
    let mut columns = key.referenced.columns.clone();
    columns.sort_unstable();
    let uniques: Vec<inventory::Constraint> = inventory::constraints(Sees::Latest)?
        .into_iter()
        .filter(|unique| {
            let mut own = unique.columns.clone();
            own.sort_unstable();
            unique.root == there.oid && own == columns
        })
        .collect();
    let list = match key.referenced.columns.as_slice() {
        [column] => quote_literal(column),
        columns => format!("ARRAY[{}]", columns.iter().map(|c| quote_literal(c)).collect::<Vec<_>>().join(", ")),
    };
    if uniques.is_empty() {
        let hint = if referenced.len() > 1 || there.kind == "p" {
            format!("SELECT advisor.add_global_unique({}, {list});", quote_literal(&there.relation))
        } else {
            format!("ALTER TABLE {} ADD UNIQUE ({});", there.relation, key.referenced.column_list())
        };
        return Err(refusal_with(
            PgSqlErrorCode::ERRCODE_INVALID_FOREIGN_KEY,
            format!("there is no unique constraint matching given keys for referenced table \"{}\"", there.table),
            None,
            Some(hint),
        ));
    }
    let Some(unique) = uniques.iter().find(|unique| !unique.is_deferrable) else {
        return Err(refusal_with(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!("cannot use a deferrable unique constraint for referenced table \"{}\"", there.table),
            None,
            Some(format!("SELECT advisor.add_global_unique({}, {list});", quote_literal(&there.relation))),
        ));
    };
    if !unique.is_validated() {
        return Err(refusal_with(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!("unique constraint \"{}\" of referenced table \"{}\" is not validated", unique.name, there.table),
            None,
            Some(format!(
                "SELECT advisor.validate_constraint({}, {});",
                quote_literal(&unique.relation),
                quote_literal(&unique.name)
            )),
        ));
    }
    Ok(())
}

/// Only a unique index with the key's columns makes a change of the key wait for those who reference it.
fn refuse_without_index(key: &ForeignKey, referenced: &[Member]) -> Result<()> {
    let missing: Vec<&Member> = referenced.iter().filter(|m| m.holds_rows() && !has_unique_key(key, m)).collect();
    if missing.is_empty() { Ok(()) } else { Err(missing_unique_index(key, &missing)) }
}

/// 55000 with the indexes to make.
pub fn missing_unique_index(key: &ForeignKey, missing: &[&Member]) -> pgrx::pg_sys::panic::ErrorReport {
    let list = key.referenced.column_list();
    let names: Vec<&str> = missing.iter().map(|m| m.relation.as_str()).collect();
    let hint: Vec<String> =
        missing.iter().map(|m| format!("CREATE UNIQUE INDEX CONCURRENTLY ON {} ({list});", m.relation)).collect();
    refusal_with(
        PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        format!("no unique index contains the referenced key on {} tables", missing.len()),
        Some(format!(
            "Without one, a change of the key would not wait for rows that reference it: {}.",
            names.join(", ")
        )),
        Some(hint.join("\n")),
    )
}

pub fn has_unique_key(key: &ForeignKey, member: &Member) -> bool {
    let columns = member.column_numbers(&key.referenced.columns).unwrap_or_default();
    !columns.is_empty() && serving_index::unique_indexes_name(member.oid, &columns)
}

/// Triggers on both sides, and a look at the rows.
fn install(key: &mut ForeignKey, members: &[Member], referenced: &[Member], not_valid: bool) -> Result<()> {
    make(key, members, referenced)?;
    if !not_valid {
        orphans::refuse(key, &Scope::All)?;
    }
    key.register(!not_valid)
}

/// All triggers of a foreign key that has none.
pub fn make(key: &mut ForeignKey, members: &[Member], referenced: &[Member]) -> Result<()> {
    as_extension_owner(|| make_triggers(key, members, referenced, None))?;
    let triggers = key.triggers(Sees::Latest)?;
    key.trigger = triggers.iter().find(|t| t.table == key.referencing.root && t.role == Role::Check).map(|t| t.oid);
    tables::forget_cached(key.referencing.root);
    tables::forget_cached(key.referenced.root);
    Ok(())
}

/// Makes every trigger that is missing, on all tables or `only` on some. Returns on which tables.
pub fn make_triggers(
    key: &ForeignKey,
    members: &[Member],
    referenced: &[Member],
    only: Option<&[Oid]>,
) -> Result<Vec<String>> {
    let mut made = Vec::new();
    let mut ensure = |role: Role, deferrable: bool, name: &str, side: &[Member], root: Oid| -> Result<()> {
        let mut in_order: Vec<&Member> =
            side.iter().filter(|m| only.is_none_or(|only| only.contains(&m.oid))).collect();
        // Row triggers of a partitioned table are given to its partitions by PostgreSQL: from the top down.
        in_order.sort_by_key(|m| (m.oid != root, m.kind != "p", m.oid.to_u32()));
        let mut there = key.triggers(Sees::Latest)?;
        for member in in_order {
            if there.iter().any(|t| t.table == member.oid && t.role == role) {
                continue;
            }
            query::define(&key.trigger_statement(role, deferrable, &member.relation, name))?;
            made.push(member.relation.clone());
            if member.kind == "p" && role != Role::Truncated {
                there = key.triggers(Sees::Latest)?;
            }
        }
        Ok(())
    };
    ensure(Role::Check, key.is_deferrable, &key.name, members, key.referencing.root)?;
    for (role, deferrable) in key.referenced_roles() {
        let name = referenced_trigger_name(key, role, deferrable, members, referenced)?;
        ensure(role, deferrable, &name, referenced, key.referenced.root)?;
    }
    let name = referenced_trigger_name(key, Role::Truncated, false, members, referenced)?;
    ensure(Role::Truncated, false, &name, referenced, key.referenced.root)?;
    join_parts(key)?;
    Ok(made)
}

/// SET CONSTRAINTS of the constraint's name reaches the triggers of both sides, whatever their names and schemas.
pub fn join_parts(key: &ForeignKey) -> Result<()> {
    if !key.is_deferrable {
        return Ok(());
    }
    let triggers = key.triggers(Sees::Latest)?;
    let whole = triggers.iter().find(|t| t.role == Role::Check && t.table == key.referencing.root);
    let Some(whole) = whole.map(|t| t.constraint).filter(|&oid| oid != Oid::INVALID) else { return Ok(()) };
    for part in triggers.iter().map(|t| t.constraint).filter(|&oid| oid != Oid::INVALID && oid != whole) {
        trigger_catalog::make_part(part, whole);
    }
    Ok(())
}

/// The name of triggers on referenced tables: the constraint's own where SET CONSTRAINTS is to reach them and it is free
/// there, else a name that tells. See also [`join_parts`].
fn referenced_trigger_name(
    key: &ForeignKey,
    role: Role,
    deferrable: bool,
    members: &[Member],
    referenced: &[Member],
) -> Result<String> {
    if let Some(there) = key.triggers(Sees::Latest)?.into_iter().find(|t| t.role == role) {
        return Ok(there.name);
    }
    if deferrable {
        let overlaps = members.iter().any(|m| referenced.iter().any(|r| r.oid == m.oid));
        if !overlaps && refuse_taken(referenced, "", &key.name).is_ok() {
            return Ok(key.name.clone());
        }
    }
    let label = match role {
        Role::Truncated => "truncated",
        Role::Deleted => "deleted",
        Role::Updated => "updated",
        _ => "referenced",
    };
    for attempt in 0.. {
        let label = if attempt == 0 { label.to_owned() } else { format!("{label}{attempt}") };
        let name = tables::made_name(&key.name, "", &label).replace("__", "_");
        if refuse_taken(referenced, "", &name).is_ok() {
            return Ok(name);
        }
    }
    unreachable!("one of the numbers is free")
}

/// Deletes and updates of referenced rows read whole tables that have no index on the referencing columns.
fn advise_index(key: &ForeignKey, members: &[Member]) {
    let missing = without_index(key, members);
    if let Some(first) = missing.first() {
        notice(format!(
            "no index begins with the referencing columns on {}: deleting referenced rows reads it whole; {}",
            and_others(first, missing.len()),
            index_statement(key)
        ));
    }
}

/// The tables that lack an index which begins with the referencing columns, in any order.
pub fn without_index(key: &ForeignKey, members: &[Member]) -> Vec<String> {
    let lacks = |member: &&Member| {
        let mut columns = member.column_numbers(&key.referencing.columns).unwrap_or_default();
        columns.sort_unstable();
        !index_shape::of_table(member.oid).iter().any(|shape| {
            let mut first: Vec<i16> = shape.key.iter().take(columns.len()).map(|part| part.column).collect();
            first.sort_unstable();
            shape.usable && !shape.partial && first == columns
        })
    };
    members.iter().filter(|m| m.holds_rows()).filter(lacks).map(|m| m.relation.clone()).collect()
}

pub fn index_statement(key: &ForeignKey) -> String {
    format!(
        "CREATE INDEX ON {} ({});",
        key.referencing.relation,
        quote_identifiers(key.referencing.columns.iter().map(String::as_str))
    )
}

/// The foreign key of that name on a table; `None` where there is none.
pub fn find(relation: Oid, name: &str) -> Result<Option<ForeignKey>> {
    Ok(foreign_keys(Sees::Latest)?.into_iter().find(|key| key.referencing.root == relation && key.name == name))
}

fn owned(key: &ForeignKey) -> Result<()> {
    require_owned(&tables_of(&key.referencing, Sees::Latest)?)
}

/// The same as it is behind the locks.
fn again(key: &ForeignKey) -> Result<ForeignKey> {
    find(key.referencing.root, &key.name)?.ok_or_else(|| missing(key.referencing.root, &key.name))
}

fn missing(relation: Oid, name: &str) -> pgrx::pg_sys::panic::ErrorReport {
    let table = table_name(relation).unwrap_or_default();
    refusal(
        PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT,
        format!("constraint \"{name}\" of relation \"{table}\" does not exist"),
    )
}

/// Looks at the rows that a NOT VALID foreign key did not look at. Rows can be read and written meanwhile; but triggers stay
/// as they are, on both sides: rows that went while one was disabled would not have been seen.
pub fn validate(key: &ForeignKey) -> Result<()> {
    owned(key)?;
    let referenced = lock_tables(key.referenced.root, pg_sys::ShareUpdateExclusiveLock)?;
    let members = lock_tree(key.referencing.root, "", pg_sys::ShareUpdateExclusiveLock)?;
    let mut key = again(key)?;
    if key.is_validated() {
        return Ok(());
    }
    let faults = faults(&key, &key.triggers(Sees::Latest)?, &members, &referenced);
    if let Some(fault) = faults.first() {
        return Err(refusal_with(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!("constraint \"{}\" is not enforced on {}", key.name, fault.relation),
            Some("Its trigger is missing or disabled.".to_owned()),
            Some(format!("SELECT * FROM advisor.repair_constraints({});", quote_literal(&key.referencing.relation))),
        ));
    }
    orphans::refuse(&key, &Scope::All)?;
    key.register(true)
}

pub fn drop(key: &ForeignKey) -> Result<()> {
    owned(key)?;
    let mut referenced = lock_tables(key.referenced.root, pg_sys::AccessExclusiveLock)?;
    let mut members = lock_tree(key.referencing.root, "", pg_sys::AccessExclusiveLock)?;
    let key = again(key)?;
    members.append(&mut referenced);
    own_work(|| end(&key))?;
    tables::forget_cached(key.referencing.root);
    tables::forget_cached(key.referenced.root);
    Ok(())
}

/// Takes away triggers and registration.
pub fn end(key: &ForeignKey) -> Result<()> {
    as_extension_owner(|| {
        for trigger in key.triggers(Sees::Latest)?.iter().filter(|t| !t.is_clone()) {
            drop_trigger(trigger)?;
        }
        Ok(())
    })?;
    key.unregister()
}

pub fn rename(key: &ForeignKey, new_name: &str) -> Result<()> {
    owned(key)?;
    let referenced = lock_tables(key.referenced.root, pg_sys::AccessExclusiveLock)?;
    let members = lock_tree(key.referencing.root, "", pg_sys::AccessExclusiveLock)?;
    let mut key = again(key)?;
    refuse_taken(&members, "", new_name)?;
    let validated = key.is_validated();
    own_work(|| {
        let old = std::mem::replace(&mut key.name, new_name.to_owned());
        as_extension_owner(|| rename_triggers(&key, &old, &referenced))?;
        key.register(validated)
    })?;
    tables::forget_cached(key.referencing.root);
    tables::forget_cached(key.referenced.root);
    Ok(())
}

/// Gives the triggers that have the old name the new one, on either side.
pub fn rename_triggers(key: &ForeignKey, old: &str, referenced: &[Member]) -> Result<()> {
    let new = quote_identifier(&key.name);
    if refuse_taken(referenced, "", &key.name).is_err() {
        return refuse_taken(referenced, "", &key.name);
    }
    for trigger in key.triggers(Sees::Latest)? {
        let relation = crate::pg::encoding::from_server(column::qualified_name(trigger.table).to_bytes());
        let has_own_name = trigger.role == Role::Check || trigger.name == old;
        if !has_own_name {
            continue;
        }
        if !trigger.is_clone() && trigger.name != key.name {
            query::define(&format!("ALTER TRIGGER {} ON {relation} RENAME TO {new}", quote_identifier(&trigger.name)))?;
        }
        if trigger.constraint_name != key.name && !trigger.constraint_name.is_empty() {
            query::define(&format!(
                "ALTER TABLE ONLY {relation} RENAME CONSTRAINT {} TO {new}",
                quote_identifier(&trigger.constraint_name)
            ))?;
        }
    }
    Ok(())
}

/// 2BP01 where foreign keys reference the columns of a unique constraint that is to go; with `cascade` they go first.
pub fn refuse_or_drop_dependent(unique: &inventory::Constraint, cascade: bool) -> Result<()> {
    let mut columns = unique.columns.clone();
    columns.sort_unstable();
    let dependent: Vec<ForeignKey> = foreign_keys(Sees::Latest)?
        .into_iter()
        .filter(|key| {
            let mut own = key.referenced.columns.clone();
            own.sort_unstable();
            key.referenced.root == unique.root && own == columns
        })
        .collect();
    if dependent.is_empty() {
        return Ok(());
    }
    if !cascade {
        let detail: Vec<String> = dependent
            .iter()
            .map(|key| {
                format!(
                    "constraint {} on table {} depends on constraint {} on table {}",
                    key.name, key.referencing.table, unique.name, unique.table
                )
            })
            .collect();
        return Err(refusal_with(
            PgSqlErrorCode::ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST,
            format!(
                "cannot drop constraint {} on table {} because other objects depend on it",
                unique.name, unique.table
            ),
            Some(detail.join("\n")),
            Some(format!(
                "SELECT advisor.drop_constraint({}, {}, cascade => true); drops the dependent objects too.",
                quote_literal(&unique.relation),
                quote_literal(&unique.name)
            )),
        ));
    }
    for key in &dependent {
        notice(format!("drop cascades to constraint {} on table {}", key.name, key.referencing.table));
        lock_tables(key.referencing.root, pg_sys::AccessExclusiveLock)?;
        own_work(|| end(key))?;
        tables::forget_cached(key.referencing.root);
        tables::forget_cached(key.referenced.root);
    }
    Ok(())
}
