//! The SQL functions that make, validate, rename and drop a global constraint.

use citus_planner::identifier::{quote_identifier, quote_identifiers, quote_literal};
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

use super::claims;
use super::duplicates::{self, Occasion};
use super::foreign_key;
use super::inventory::{self, Constraint, Member};
use super::key_lock::gate_exclusive;
use super::lifecycle::own_work;
use super::membership;
use crate::catalog;
use crate::error::{Result, notice, null_not_allowed, refusal, refusal_with};
use crate::pg::index_shape;
use crate::pg::query::{self, Sees};
use crate::pg::tables;
use crate::pg::values::{Name, Names, Table};

/// What a constraint may have at most, as an index.
const MOST_COLUMNS: usize = 32;

/// How a constraint is to be made.
struct Wish {
    name: Option<String>,
    is_deferrable: bool,
    initially_deferred: bool,
    not_valid: bool,
    create_indexes: bool,
    if_not_exists: bool,
}

#[pg_extern(name = "add_global_unique")]
#[allow(clippy::too_many_arguments)]
fn add_global_unique_on_column(
    relation: Option<Table>,
    columns: Option<Name>,
    constraint_name: default!(Option<Name>, "NULL"),
    is_deferrable: default!(Option<bool>, "false"),
    initially_deferred: default!(Option<bool>, "false"),
    not_valid: default!(Option<bool>, "false"),
    create_indexes: default!(Option<bool>, "true"),
    if_not_exists: default!(Option<bool>, "false"),
) -> Result<Name> {
    let column = required(columns, "columns")?;
    let relation = required(relation, "relation")?;
    let wish = wish(constraint_name, is_deferrable, initially_deferred, not_valid, create_indexes, if_not_exists);
    add(relation.0, vec![column.0], true, wish).map(Name)
}

#[pg_extern]
#[allow(clippy::too_many_arguments)]
fn add_global_unique(
    relation: Option<Table>,
    columns: Option<Names>,
    constraint_name: default!(Option<Name>, "NULL"),
    is_deferrable: default!(Option<bool>, "false"),
    initially_deferred: default!(Option<bool>, "false"),
    not_valid: default!(Option<bool>, "false"),
    create_indexes: default!(Option<bool>, "true"),
    if_not_exists: default!(Option<bool>, "false"),
) -> Result<Name> {
    let columns = required(columns, "columns")?;
    let relation = required(relation, "relation")?;
    let wish = wish(constraint_name, is_deferrable, initially_deferred, not_valid, create_indexes, if_not_exists);
    let Some(columns) = columns.0.into_iter().collect::<Option<Vec<String>>>() else {
        return Err(null_not_allowed("columns must not contain NULL", "Name the columns of the key."));
    };
    add(relation.0, columns, false, wish).map(Name)
}

/// Looks at the rows that a NOT VALID constraint did not look at. Rows can be read and written meanwhile.
#[pg_extern]
fn validate_constraint(relation: Option<Table>, constraint_name: Option<Name>) -> Result<()> {
    let relation = required(relation, "relation")?.0;
    let name = required(constraint_name, "constraint_name")?.0;
    if let Some(key) = foreign_key::definition::find(relation, &name)? {
        return foreign_key::definition::validate(&key);
    }
    let mut constraint = find(relation, &name)?;
    // As a native VALIDATE: conflicts with whatever changes triggers or members, not with reads and writes.
    let members = lock_tree(constraint.root, &constraint.token, pg_sys::ShareUpdateExclusiveLock)?;
    constraint = find(relation, &name)?;
    if constraint.is_validated() {
        return Ok(());
    }
    refuse_unhealthy(&constraint, &members)?;
    duplicates::refuse_in_tree(&constraint, &members, Occasion::Validate)?;
    constraint.register(true)
}

#[pg_extern]
fn drop_constraint(
    relation: Option<Table>,
    constraint_name: Option<Name>,
    if_exists: default!(Option<bool>, "false"),
    cascade: default!(Option<bool>, "false"),
) -> Result<()> {
    let relation = required(relation, "relation")?.0;
    let name = required(constraint_name, "constraint_name")?.0;
    if let Some(key) = foreign_key::definition::find(relation, &name)? {
        return foreign_key::definition::drop(&key);
    }
    if if_exists == Some(true) && candidates(relation, &name)?.is_empty() {
        let table = table_name(relation)?;
        notice(format!("constraint \"{name}\" of relation \"{table}\" does not exist, skipping"));
        return Ok(());
    }
    let constraint = find(relation, &name)?;
    let members = lock_tree(constraint.root, &constraint.token, pg_sys::AccessExclusiveLock)?;
    let constraint = find(relation, &name)?;
    foreign_key::definition::refuse_or_drop_dependent(&constraint, cascade == Some(true))?;
    gate_exclusive(constraint.id());
    own_work(|| {
        for member in &members {
            if let Some(trigger) = member.trigger.as_ref().filter(|t| !t.is_clone) {
                query::define(&format!("DROP TRIGGER {} ON {}", quote_identifier(&trigger.name), member.relation))?;
            }
        }
        claims::forget(constraint.id())?;
        constraint.unregister()
    })?;
    tables::forget_cached(constraint.root);
    Ok(())
}

#[pg_extern]
fn rename_constraint(relation: Option<Table>, constraint_name: Option<Name>, new_name: Option<Name>) -> Result<()> {
    let relation = required(relation, "relation")?.0;
    let name = required(constraint_name, "constraint_name")?.0;
    let new_name = required(new_name, "new_name")?.0;
    if new_name.is_empty() {
        return Err(zero_length());
    }
    if let Some(key) = foreign_key::definition::find(relation, &name)? {
        return foreign_key::definition::rename(&key, &new_name);
    }
    let mut constraint = find(relation, &name)?;
    let members = lock_tree(constraint.root, &constraint.token, pg_sys::AccessExclusiveLock)?;
    constraint = find(relation, &name)?;
    refuse_taken(&members, &constraint.token, &new_name)?;
    let validated = constraint.is_validated();
    own_work(|| {
        rename_triggers(&members, &new_name)?;
        constraint.name = new_name.clone();
        constraint.register(validated)
    })?;
    tables::forget_cached(constraint.root);
    Ok(())
}

/// Triggers and their rows in pg_constraint have the constraint's name.
pub fn rename_triggers(members: &[Member], new_name: &str) -> Result<()> {
    for member in members {
        let Some(trigger) = &member.trigger else { continue };
        let new = quote_identifier(new_name);
        if !trigger.is_clone && trigger.name != new_name {
            query::define(&format!(
                "ALTER TRIGGER {} ON {} RENAME TO {new}",
                quote_identifier(&trigger.name),
                member.relation
            ))?;
        }
        if trigger.constraint_name != new_name {
            query::define(&format!(
                "ALTER TABLE ONLY {} RENAME CONSTRAINT {} TO {new}",
                member.relation,
                quote_identifier(&trigger.constraint_name)
            ))?;
        }
    }
    Ok(())
}

fn wish(
    name: Option<Name>,
    is_deferrable: Option<bool>,
    initially_deferred: Option<bool>,
    not_valid: Option<bool>,
    create_indexes: Option<bool>,
    if_not_exists: Option<bool>,
) -> Wish {
    let initially_deferred = initially_deferred.unwrap_or(false);
    Wish {
        name: name.map(|n| n.0),
        is_deferrable: is_deferrable.unwrap_or(false) || initially_deferred,
        initially_deferred,
        not_valid: not_valid.unwrap_or(false),
        create_indexes: create_indexes.unwrap_or(true),
        if_not_exists: if_not_exists.unwrap_or(false),
    }
}

fn add(relation: Oid, columns: Vec<String>, scalar: bool, wish: Wish) -> Result<String> {
    let root = refuse_unfit_root(relation)?;
    refuse_bad_columns(&root, &columns, scalar)?;
    if wish.name.as_deref() == Some("") {
        return Err(zero_length());
    }
    let members = lock_tree(relation, "", pg_sys::ShareRowExclusiveLock)?;
    let here: Vec<Constraint> =
        inventory::constraints(Sees::Latest)?.into_iter().filter(|c| c.root == relation).collect();
    if wish.if_not_exists
        && let Some(existing) = here.iter().find(|c| match &wish.name {
            Some(name) => *name == c.name,
            None => same_columns(&c.columns, &columns),
        })
    {
        notice(format!("constraint \"{}\" for relation \"{}\" already exists, skipping", existing.name, root.table));
        return Ok(existing.name.clone());
    }
    let root = members.iter().find(|m| m.oid == relation).ok_or_else(|| gone(relation))?;
    let name = match &wish.name {
        Some(name) => name.clone(),
        None => choose_name(root, &members, &columns)?,
    };
    if wish.name.is_some() {
        refuse_taken(&members, "", &name)?;
    }
    refuse_citus(root, &members, &columns, &name, &wish)?;
    if root.kind != "f" {
        refuse_native(root, &members, &columns, &name, &wish)?;
    }
    for member in &members {
        membership::refuse_unfit(member, &name)?;
    }

    let mut constraint = Constraint::planned(root, name, columns, wish.is_deferrable, wish.initially_deferred);
    own_work(|| install(&mut constraint, members, &wish))?;
    Ok(constraint.name)
}

/// Indexes, triggers, and a look at the rows.
fn install(constraint: &mut Constraint, members: Vec<Member>, wish: &Wish) -> Result<()> {
    if !wish.create_indexes {
        refuse_without_index(constraint, &members)?;
    }
    let mut made = Vec::new();
    for member in &members {
        // With duplicates in a member, a unique index could not be built.
        let unique = !constraint.is_deferrable && !wish.not_valid;
        made.extend(membership::ensure_index(constraint, member, unique)?.map(|index| (member.oid, index)));
    }
    tell_of_immediate_indexes(constraint, &members);
    for member in &members {
        // Of a partitioned table, PostgreSQL gives it to the partitions.
        if member.oid == constraint.root || (member.holds_rows() && !member.is_partition) {
            membership::make_trigger(constraint, member)?;
        }
    }
    let members = inventory::members(constraint.root, &constraint.token, Sees::Latest)?;
    let trigger_of = |oid: Oid| members.iter().find(|m| m.oid == oid).and_then(|m| m.trigger.as_ref()).map(|t| t.oid);
    constraint.trigger = trigger_of(constraint.root);
    membership::join_parts(constraint, &members)?;
    for (member, index) in made {
        if let Some(trigger) = trigger_of(member) {
            tables::index_goes_with_trigger(index, trigger);
        }
    }
    gate_exclusive(constraint.id());
    claims::renew(constraint.id(), &constraint.root_columns(), None)?;
    if !wish.not_valid {
        duplicates::refuse_in_tree(constraint, &members, Occasion::Create)?;
    }
    constraint.register(!wish.not_valid)?;
    tables::forget_cached(constraint.root);
    Ok(())
}

/// Makes a constraint again that lost all its triggers, as the registry remembers it.
pub fn reinstall(lost: &Constraint, members: Vec<Member>) -> Result<()> {
    let mut constraint = lost.clone();
    let wish = Wish {
        name: Some(constraint.name.clone()),
        is_deferrable: constraint.is_deferrable,
        initially_deferred: constraint.initially_deferred,
        not_valid: true,
        create_indexes: true,
        if_not_exists: false,
    };
    install(&mut constraint, members, &wish)
}

/// The caller's table as a member of its own tree, if a constraint can begin there.
fn refuse_unfit_root(relation: Oid) -> Result<Member> {
    let root = unfit_root(relation, "unique constraint")?;
    membership::require_owned(std::slice::from_ref(&root))?;
    Ok(root)
}

/// The table as a member of its own tree, if a constraint of this kind can begin there.
pub fn unfit_root(relation: Oid, constraint: &str) -> Result<Member> {
    let members = inventory::members(relation, "", Sees::Latest)?;
    let root = members.into_iter().find(|m| m.oid == relation).ok_or_else(|| gone(relation))?;
    let plural = match root.kind.as_str() {
        "r" | "p" | "f" => None,
        "v" => Some("views"),
        "m" => Some("materialized views"),
        "i" => Some("indexes"),
        "I" => Some("partitioned indexes"),
        "S" => Some("sequences"),
        "c" => Some("composite types"),
        "t" => Some("TOAST tables"),
        _ => Some("relations of this kind"),
    };
    if let Some(plural) = plural {
        return Err(refusal_with(
            PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
            format!("cannot add a global {constraint} to relation \"{}\"", root.table),
            Some(format!("This operation is not supported for {plural}.")),
            None,
        ));
    }
    if root.schema == "pg_catalog" || root.schema == "information_schema" || root.schema == "advisor" {
        return Err(refusal(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            if root.schema == "advisor" {
                format!("permission denied: \"{}\" belongs to citus_advisor", root.table)
            } else {
                format!("permission denied: \"{}\" is a system catalog", root.table)
            },
        ));
    }
    Ok(root)
}

fn refuse_bad_columns(root: &Member, columns: &[String], scalar: bool) -> Result<()> {
    if columns.is_empty() {
        return Err(refusal_with(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            "columns must not be empty".to_owned(),
            None,
            Some("Name the columns of the key.".to_owned()),
        ));
    }
    if columns.len() > MOST_COLUMNS {
        return Err(refusal(
            PgSqlErrorCode::ERRCODE_TOO_MANY_COLUMNS,
            format!("cannot use more than {MOST_COLUMNS} columns in a unique constraint"),
        ));
    }
    for (at, column) in columns.iter().enumerate() {
        let Some(number) = index_shape::column_number(root.oid, column) else {
            return Err(refusal_with(
                PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN,
                format!("column \"{column}\" of relation \"{}\" does not exist", root.table),
                None,
                array_meant(column).filter(|_| scalar),
            ));
        };
        if number < 0 {
            return Err(refusal_with(
                PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
                format!("unique constraints on system columns are not supported: column \"{column}\""),
                None,
                None,
            ));
        }
        if columns[..at].contains(column) {
            return Err(refusal(
                PgSqlErrorCode::ERRCODE_DUPLICATE_COLUMN,
                format!("column \"{column}\" appears twice in unique constraint"),
            ));
        }
        if index_shape::column_order(root.oid, number).is_none_or(|order| order.family == Oid::INVALID) {
            let sql = format!(
                "SELECT pg_catalog.format_type('{}'::pg_catalog.oid, NULL)",
                index_shape::column_type(root.oid, number).to_u32()
            );
            let type_name = query::rows(&sql, Sees::Latest, 1)?.first().map(|row| row.text(0)).unwrap_or_default();
            return Err(refusal_with(
                PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT,
                format!("data type {type_name} has no default operator class for access method \"btree\""),
                Some(format!("Column \"{column}\" has no equality that an index could use.")),
                None,
            ));
        }
    }
    Ok(())
}

/// `'{id,ts}'` given as a name.
fn array_meant(column: &str) -> Option<String> {
    let inner = column.strip_prefix('{')?.strip_suffix('}')?;
    let names: Vec<String> = inner.split(',').map(|n| quote_literal(n.trim().trim_matches('"'))).collect();
    Some(format!("To name several columns, write ARRAY[{}].", names.join(",")))
}

fn same_columns(a: &[String], b: &[String]) -> bool {
    a.len() == b.len() && a.iter().all(|column| b.contains(column))
}

/// Tables that Citus distributes have their rows on other servers.
fn refuse_citus(root: &Member, members: &[Member], columns: &[String], name: &str, wish: &Wish) -> Result<()> {
    if !catalog::citus_is_there() {
        return Ok(());
    }
    let oids: Vec<String> = members.iter().map(|m| m.oid.to_u32().to_string()).collect();
    let sql = format!(
        "SELECT c.relname, p.partmethod, p.repmodel, p.colocationid,
           CASE WHEN p.partkey IS NOT NULL
             THEN pg_catalog.column_to_column_name(p.logicalrelid, p.partkey::pg_catalog.text) END
         FROM pg_catalog.pg_dist_partition p JOIN pg_catalog.pg_class c ON c.oid = p.logicalrelid
         WHERE p.logicalrelid::pg_catalog.oid = ANY ('{{{}}}'::pg_catalog.oid[])
         ORDER BY p.logicalrelid::pg_catalog.oid <> '{}'::pg_catalog.oid, 1 LIMIT 1",
        oids.join(","),
        root.oid.to_u32()
    );
    let found = query::rows(&sql, Sees::Latest, 1)?;
    let Some(row) = found.first() else { return Ok(()) };
    let managed_local = row.text(1) == "n" && row.text(2) != "t" && row.number::<i64>(3) == 0;
    if managed_local {
        return Err(refusal_with(
            PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            format!("\"{}\" is in Citus' metadata and cannot have a global unique constraint", row.text(0)),
            Some(
                "The rows of a local table that Citus manages are in a shard behind it, which the check does not see."
                    .to_owned(),
            ),
            Some(format!("SELECT pg_catalog.undistribute_table({});", quote_literal(&root.relation))),
        ));
    }
    let reference = row.text(1) == "n" && row.text(2) == "t";
    let kind = if reference { "a reference" } else { "a distributed" };
    let single = root.holds_rows() && members.len() == 1;
    let enough = row.optional(4).is_none_or(|column| columns.contains(&column));
    if enough && (single || native_across_partitions(root, members, columns)?) {
        return Err(refusal_with(
            PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            format!("\"{}\" is {kind} table, on which a native unique constraint does this better", row.text(0)),
            None,
            Some(native_statement(root, columns, name, wish)),
        ));
    }
    let keys = format!(
        "{}.{}",
        quote_identifier(&root.schema),
        quote_identifier(&tables::made_name(&root.table, &columns.join("_"), "keys"))
    );
    let list = quote_identifiers(columns.iter().map(String::as_str));
    Err(refusal_with(
        PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
        format!("\"{}\" is {kind} table and cannot have a global unique constraint", row.text(0)),
        Some("Its rows are in shards, each of which would only see its own.".to_owned()),
        Some(format!(
            "Keep the keys in a table that is distributed by them, and write both in one transaction:\n\
             CREATE TABLE {keys} AS SELECT {list} FROM {} WITH NO DATA;\n\
             ALTER TABLE {keys} ADD PRIMARY KEY ({list});\n\
             SELECT create_distributed_table({}, {});\n\
             INSERT INTO {keys} SELECT {list} FROM {} WHERE {};\n\
             -- from then on, with each INSERT INTO {} in the same transaction, and likewise with UPDATE and DELETE:\n\
             -- INSERT INTO {keys} ({list}) VALUES (...);",
            root.relation,
            quote_literal(&keys),
            quote_literal(&columns[0]),
            root.relation,
            columns.iter().map(|c| format!("{} IS NOT NULL", quote_identifier(c))).collect::<Vec<_>>().join(" AND "),
            root.relation
        )),
    ))
}

/// What a native UNIQUE can do is left to it.
fn refuse_native(root: &Member, members: &[Member], columns: &[String], name: &str, wish: &Wish) -> Result<()> {
    let single = root.holds_rows() && members.len() == 1;
    if !single && !native_across_partitions(root, members, columns)? {
        return Ok(());
    }
    let why = if !single {
        "The key contains the partition key of every level."
    } else if root.is_partition {
        "The table is a partition without partitions of its own."
    } else {
        "No table inherits from it."
    };
    Err(refusal_with(
        PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
        format!("a native unique constraint on \"{}\" does this better", root.table),
        Some(why.to_owned()),
        Some(native_statement(root, columns, name, wish)),
    ))
}

fn native_statement(root: &Member, columns: &[String], name: &str, wish: &Wish) -> String {
    let deferral = match (wish.is_deferrable, wish.initially_deferred) {
        (_, true) => " DEFERRABLE INITIALLY DEFERRED",
        (true, false) => " DEFERRABLE",
        (false, false) => "",
    };
    format!(
        "ALTER TABLE {} ADD CONSTRAINT {} UNIQUE ({}){deferral};",
        root.relation,
        quote_identifier(name),
        quote_identifiers(columns.iter().map(String::as_str))
    )
}

/// Whether PostgreSQL would take UNIQUE on a partitioned table: the partition key of each level is a part of the key and
/// is compared as the key is.
fn native_across_partitions(root: &Member, members: &[Member], columns: &[String]) -> Result<bool> {
    let partitioned: Vec<&Member> = members.iter().filter(|m| !m.holds_rows()).collect();
    if root.holds_rows() || partitioned.is_empty() {
        return Ok(false);
    }
    for member in partitioned {
        let sql = format!(
            "SELECT a.attname, a.attnum, (
               SELECT o.amopopr FROM pg_catalog.pg_opclass k
                 JOIN pg_catalog.pg_amop o ON o.amopfamily = k.opcfamily
                   AND o.amoplefttype = k.opcintype AND o.amoprighttype = k.opcintype
                   AND o.amopstrategy = CASE p.partstrat WHEN 'h' THEN 1 ELSE 3 END
               WHERE k.oid = p.partclass[at]), p.partcollation[at] = a.attcollation
             FROM pg_catalog.pg_partitioned_table p
               CROSS JOIN pg_catalog.generate_series(0, p.partnatts - 1) AS at
               LEFT JOIN pg_catalog.pg_attribute a
                 ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[at] AND p.partattrs[at] <> 0
             WHERE p.partrelid = '{}'::pg_catalog.oid",
            member.oid.to_u32()
        );
        for row in query::rows(&sql, Sees::Latest, 0)? {
            let column = row.optional(0);
            let contained = column.is_some_and(|c| columns.contains(&c));
            if !contained || !row.flag(3) || index_shape::equality(member.oid, row.number(1)) != row.oid(2) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// `create_indexes => false`: says which members lack an index, and how to make it without blocking anyone.
fn refuse_without_index(constraint: &Constraint, members: &[Member]) -> Result<()> {
    let mut missing = Vec::new();
    for member in members.iter().filter(|m| m.holds_rows()) {
        if let Err(reason) = member.serving_index(&constraint.columns) {
            missing.push((member, reason));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let detail: Vec<String> = missing.iter().map(|(m, reason)| format!("{}: {reason}", m.relation)).collect();
    let unique = if constraint.is_deferrable { "" } else { "UNIQUE " };
    let hint: Vec<String> = missing
        .iter()
        .map(|(m, _)| format!("CREATE {unique}INDEX CONCURRENTLY ON {} ({});", m.relation, constraint.column_list()))
        .collect();
    Err(refusal_with(
        PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        format!("no suitable index for unique constraint \"{}\" on {} tables", constraint.name, missing.len()),
        Some(detail.join("\n")),
        Some(hint.join("\n")),
    ))
}

/// A deferrable constraint does not make an immediate index of a member wait.
fn tell_of_immediate_indexes(constraint: &Constraint, members: &[Member]) {
    if !constraint.is_deferrable {
        return;
    }
    let immediate: Vec<&str> = members
        .iter()
        .filter(|m| m.holds_rows() && m.serving_index(&constraint.columns).is_ok_and(|index| index.forbids_duplicates))
        .map(|m| m.relation.as_str())
        .collect();
    if let Some(first) = immediate.first() {
        let tables = and_others(first, immediate.len());
        notice(format!(
            "duplicates within {tables} are refused at once, by a unique index that is not deferrable; \
             \"{}\" defers duplicates across tables",
            constraint.name
        ));
    }
}

/// `first and 2 others`, of so many in all.
pub fn and_others(first: &str, all: usize) -> String {
    match all.saturating_sub(1) {
        0 => first.to_owned(),
        1 => format!("{first} and 1 other"),
        more => format!("{first} and {more} others"),
    }
}

fn choose_name(root: &Member, members: &[Member], columns: &[String]) -> Result<String> {
    free_name(root, members, columns, "key")
}

/// The name that PostgreSQL would choose: `table_columns_label`, and a number where that is taken.
pub fn free_name(root: &Member, members: &[Member], columns: &[String], label: &str) -> Result<String> {
    let columns = columns.join("_");
    for attempt in 0.. {
        let label = if attempt == 0 { label.to_owned() } else { format!("{label}{attempt}") };
        let name = tables::made_name(&root.table, &columns, &label);
        let sql = format!(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_class WHERE relname = {0} AND relnamespace = '{1}'::pg_catalog.oid)
               OR EXISTS (SELECT FROM pg_catalog.pg_constraint
                          WHERE conname = {0} AND connamespace = '{1}'::pg_catalog.oid)",
            quote_literal(&name),
            root.schema_oid.to_u32()
        );
        let free = query::rows(&sql, Sees::Latest, 1)?.first().is_some_and(|row| !row.flag(0));
        if free && taken(members, "", &name)?.is_none() {
            return Ok(name);
        }
    }
    unreachable!("one of the numbers is free")
}

/// What stands in the way of a constraint's name on one of the members, and on which.
fn taken(members: &[Member], token: &str, name: &str) -> Result<Option<(bool, String)>> {
    let oids: Vec<String> = members.iter().map(|m| m.oid.to_u32().to_string()).collect();
    let own: Vec<String> =
        members.iter().filter_map(|m| m.trigger.as_ref()).map(|t| t.oid.to_u32().to_string()).collect();
    let own = if token.is_empty() { String::new() } else { own.join(",") };
    let sql = format!(
        "SELECT true, c.relname FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
         WHERE k.conrelid = ANY ('{{{oids}}}'::pg_catalog.oid[]) AND k.conname = {name}
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t
                           WHERE t.oid = ANY ('{{{own}}}'::pg_catalog.oid[]) AND t.tgconstraint = k.oid)
         UNION ALL
         SELECT false, c.relname FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
         WHERE t.tgrelid = ANY ('{{{oids}}}'::pg_catalog.oid[]) AND t.tgname = {name}
           AND t.oid <> ALL ('{{{own}}}'::pg_catalog.oid[])
         LIMIT 1",
        oids = oids.join(","),
        name = quote_literal(name),
    );
    Ok(query::rows(&sql, Sees::Latest, 1)?.first().map(|row| (row.flag(0), row.text(1))))
}

pub fn refuse_taken(members: &[Member], token: &str, name: &str) -> Result<()> {
    let same = |m: &Member| m.trigger.as_ref().is_some_and(|t| t.name == name);
    let what = match taken(members, token, name)? {
        Some((is_constraint, table)) => (if is_constraint { "constraint" } else { "trigger" }, table),
        // Renaming to the name that it has.
        None => match members.iter().find(|m| !token.is_empty() && same(m)) {
            Some(member) => ("constraint", member.table.clone()),
            None => return Ok(()),
        },
    };
    Err(refusal(
        PgSqlErrorCode::ERRCODE_DUPLICATE_OBJECT,
        format!("{} \"{name}\" for relation \"{}\" already exists", what.0, what.1),
    ))
}

/// Locks the tables of a tree, the root first and the others by OID, until no new one appears. The caller must own all.
pub fn lock_tree(root: Oid, token: &str, mode: u32) -> Result<Vec<Member>> {
    lock_members(root, token, mode, |members| {
        if !members.iter().any(|m| m.oid == root) {
            return Err(gone(root));
        }
        membership::require_owned(members)?;
        Ok(members.iter().map(|m| m.oid).collect())
    })
}

/// Locks the tables that `which` picks from a tree, the root first and the others by OID, until it picks no new one.
pub fn lock_members(
    root: Oid,
    token: &str,
    mode: u32,
    which: impl Fn(&[Member]) -> Result<Vec<Oid>>,
) -> Result<Vec<Member>> {
    let mut locked: Vec<Oid> = Vec::new();
    loop {
        let members = inventory::members(root, token, Sees::Latest)?;
        let mut fresh: Vec<Oid> = which(&members)?.into_iter().filter(|oid| !locked.contains(oid)).collect();
        if fresh.is_empty() {
            return Ok(members);
        }
        fresh.sort_by_key(|oid| (*oid != root, oid.to_u32()));
        for oid in fresh {
            check_for_interrupts!();
            if tables::lock(oid, mode) {
                locked.push(oid);
            }
        }
    }
}

/// The constraints of that name whose root is the table.
fn candidates(relation: Oid, name: &str) -> Result<Vec<Constraint>> {
    let mut constraints = inventory::constraints(Sees::Latest)?;
    constraints.retain(|c| c.root == relation && c.name == name);
    Ok(constraints)
}

/// 55000 where rows could come in unchecked while others are being looked at.
fn refuse_unhealthy(constraint: &Constraint, members: &[Member]) -> Result<()> {
    let fires = |m: &Member| m.trigger.as_ref().is_some_and(|t| t.enabled == "A" || t.enabled == "O");
    let Some(member) = members.iter().find(|m| !fires(m)) else { return Ok(()) };
    Err(refusal_with(
        PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        format!("constraint \"{}\" is not enforced on {}", constraint.name, member.relation),
        Some("Its trigger is missing or disabled.".to_owned()),
        Some(format!("SELECT * FROM advisor.repair_constraints({});", quote_literal(&constraint.relation))),
    ))
}

/// The constraint of that name on a table whose tree the caller owns.
fn find(relation: Oid, name: &str) -> Result<Constraint> {
    let constraint = look_up(relation, name)?;
    membership::require_owned(&inventory::members(relation, &constraint.token, Sees::Latest)?)?;
    Ok(constraint)
}

/// The constraint of that name on a table; 42704 where there is none, 42P16 where it is a table's above.
pub fn look_up(relation: Oid, name: &str) -> Result<Constraint> {
    if let Some(constraint) = candidates(relation, name)?.into_iter().next() {
        return Ok(constraint);
    }
    let table = table_name(relation)?;
    for constraint in inventory::constraints(Sees::Latest)?.into_iter().filter(|c| c.name == name) {
        let members = inventory::members(constraint.root, &constraint.token, Sees::Latest)?;
        if members.iter().any(|m| m.oid == relation) {
            return Err(refusal_with(
                PgSqlErrorCode::ERRCODE_INVALID_TABLE_DEFINITION,
                format!("constraint \"{name}\" of relation \"{table}\" is inherited"),
                None,
                Some(format!("It belongs to {}.", constraint.relation)),
            ));
        }
    }
    Err(refusal(
        PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT,
        format!("constraint \"{name}\" of relation \"{table}\" does not exist"),
    ))
}

pub fn table_name(relation: Oid) -> Result<String> {
    let sql = format!("SELECT relname FROM pg_catalog.pg_class WHERE oid = '{}'::pg_catalog.oid", relation.to_u32());
    match query::rows(&sql, Sees::Latest, 1)?.first() {
        Some(row) => Ok(row.text(0)),
        None => Err(gone(relation)),
    }
}

pub fn gone(relation: Oid) -> pgrx::pg_sys::panic::ErrorReport {
    refusal(PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE, format!("relation with OID {} does not exist", relation.to_u32()))
}

pub fn zero_length() -> pgrx::pg_sys::panic::ErrorReport {
    refusal(PgSqlErrorCode::ERRCODE_INVALID_NAME, "a constraint must have a name".to_owned())
}

pub fn required<T>(argument: Option<T>, name: &str) -> Result<T> {
    argument.ok_or_else(|| refusal(PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED, format!("{name} must not be null")))
}
