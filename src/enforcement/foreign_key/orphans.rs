//! Looks for referencing rows without a referenced one among those that were not checked when they came.

use citus_planner::identifier::quote_identifier;
use pgrx::pg_sys::Oid;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use super::super::inventory::Member;
use super::binding;
use super::inventory::{ForeignKey, tables_of};
use super::presence::is_there;
use super::terms::Match;
use crate::error::{Result, notice};
use crate::pg::constraint_error::{self, Violation};
use crate::pg::conversion::{comparison, pairing};
use crate::pg::encoding::{from_server, to_server};
use crate::pg::key::KeyType;
use crate::pg::query::{self, Sees};
use crate::pg::rows::{Fresh, Place};
use crate::pg::values::{RowAddress, Text};
use crate::pg::{column, identity, index_shape, settings};

/// Tables from this size on are announced before they are read.
const LONG_WORK: i64 = 64 * 1024 * 1024;

/// Which referencing rows are looked at.
pub enum Scope<'a> {
    All,
    /// Those of tables that have just come.
    Only(&'a [Oid]),
    /// Those whose referenced row is in tables that are just going, or have just left the tree, with the one `above` them.
    LosingTo {
        tables: &'a [Oid],
        above: Oid,
    },
    /// All, since the table of this name was dropped.
    Without(&'a str),
}

/// Raises 23503 for the first row without a referenced one.
pub fn refuse(key: &ForeignKey, scope: &Scope) -> Result<()> {
    let members = tables_of(&key.referencing, Sees::Latest)?;
    let bytes: i64 = members.iter().map(|m| m.bytes).sum();
    if bytes >= LONG_WORK {
        notice(format!(
            "looking for rows of {} without a row in {}, {} MB",
            key.referencing.relation,
            key.referenced.relation,
            bytes / (1024 * 1024)
        ));
    }
    let found = if owner_sees_all(key, scope)? { by_join(key, scope)? } else { by_probes(key, &members, scope)? };
    match found {
        None => Ok(()),
        Some(values) => Err(violated(key, &values, scope)?),
    }
}

/// Whether the owner of the referencing table may read all of the referenced one, and of those that are leaving it.
fn owner_sees_all(key: &ForeignKey, scope: &Scope) -> Result<bool> {
    let mut tables = vec![key.referenced.root.to_u32().to_string()];
    if let Scope::LosingTo { tables: losing, .. } = scope {
        tables.extend(losing.iter().map(|oid| oid.to_u32().to_string()));
    }
    let sql = format!(
        "SELECT pg_catalog.bool_and(pg_catalog.has_table_privilege({owner}::pg_catalog.oid, c.oid, 'SELECT')
           AND pg_catalog.has_schema_privilege({owner}::pg_catalog.oid, c.relnamespace, 'USAGE')
           AND pg_catalog.has_schema_privilege({owner}::pg_catalog.oid, f.relnamespace, 'USAGE')
           AND NOT (c.relrowsecurity AND NOT pg_catalog.pg_has_role({owner}::pg_catalog.oid, c.relowner, 'USAGE')))
         FROM pg_catalog.pg_class c, pg_catalog.pg_class f
         WHERE c.oid = ANY ('{{{tables}}}'::pg_catalog.oid[]) AND f.oid = {referencing}::pg_catalog.oid",
        owner = key.owner.to_u32(),
        tables = tables.join(","),
        referencing = key.referencing.root.to_u32(),
    );
    Ok(query::rows(&sql, Sees::Latest, 1)?.first().is_some_and(|row| row.flag(0)))
}

/// One anti-join, with as much memory as maintenance may take.
fn by_join(key: &ForeignKey, scope: &Scope) -> Result<Option<String>> {
    let columns = qualified(key, "x");
    let sql =
        format!("SELECT {} FROM {} AS x WHERE {}", texts(&columns), key.referencing.relation, condition(key, scope)?);
    let found = identity::looking_as_table_owner(key.owner, || {
        settings::with_maintenance_memory(|| query::rows(&sql, Sees::Latest, 1))
    })?;
    Ok(found.first().map(|row| row.text(0)))
}

/// That a row `x` has no referenced row, though it needs one.
fn condition(key: &ForeignKey, scope: &Scope) -> Result<String> {
    let columns = qualified(key, "x");
    let not_null: Vec<String> = columns.iter().map(|c| format!("{c} IS DISTINCT FROM NULL")).collect();
    let matches = matching(key)?;
    let list = |oids: &[Oid]| oids.iter().map(|oid| oid.to_u32().to_string()).collect::<Vec<_>>().join(",");
    let needs = match key.terms.matching {
        Match::Simple => not_null.join(" AND "),
        Match::Full => format!("({})", not_null.join(" OR ")),
    };
    Ok(match scope {
        Scope::All | Scope::Without(_) => {
            format!("{needs} AND NOT EXISTS (SELECT FROM {} AS y WHERE {matches})", key.referenced.relation)
        }
        Scope::Only(tables) => format!(
            "{needs} AND NOT EXISTS (SELECT FROM {} AS y WHERE {matches})
               AND x.tableoid OPERATOR(pg_catalog.=) ANY ('{{{}}}'::pg_catalog.oid[])",
            key.referenced.relation,
            list(tables)
        ),
        Scope::LosingTo { tables, .. } => {
            let mut losing = Vec::new();
            for &table in *tables {
                let relation = from_server(column::qualified_name(table).to_bytes());
                losing.push(format!("EXISTS (SELECT FROM ONLY {relation} AS y WHERE {matches})"));
            }
            format!(
                "({}) AND NOT EXISTS (SELECT FROM {} AS y WHERE {matches}
                   AND y.tableoid OPERATOR(pg_catalog.<>) ALL ('{{{}}}'::pg_catalog.oid[]))",
                losing.join(" OR "),
                key.referenced.relation,
                list(tables)
            )
        }
    })
}

/// That row `y` is the one that row `x` references.
fn matching(key: &ForeignKey) -> Result<String> {
    let mut parts = Vec::new();
    for (referenced, referencing) in key.referenced.columns.iter().zip(&key.referencing.columns) {
        let number = |root: Oid, name: &str| index_shape::column_number(root, name).unwrap_or_default();
        let to = column::type_and_collation(key.referenced.root, number(key.referenced.root, referenced));
        let from = column::type_and_collation(key.referencing.root, number(key.referencing.root, referencing));
        let text = |alias: &str, name: &str| {
            std::ffi::CString::new(to_server(&format!("{alias}.{}", quote_identifier(name)))).unwrap_or_default()
        };
        let Some(pairing) = pairing(to.0, from.0) else { continue };
        let clause = comparison(&text("y", referenced), to.0, pairing.equality, &text("x", referencing), from.0);
        let mut clause = from_server(clause.to_bytes());
        if to.1 != from.1 && to.1 != Oid::INVALID {
            clause.push_str(" COLLATE ");
            clause.push_str(&from_server(column::qualified_collation(to.1).to_bytes()));
        }
        parts.push(clause);
    }
    Ok(parts.join(" AND "))
}

fn qualified(key: &ForeignKey, alias: &str) -> Vec<String> {
    key.referencing.columns.iter().map(|c| format!("{alias}.{}", quote_identifier(c))).collect()
}

/// The key as errors show it: `5`, or `5, x`.
fn texts(columns: &[String]) -> String {
    let values: Vec<String> = columns
        .iter()
        .map(|c| format!("CASE WHEN {c} IS NULL THEN 'null' ELSE pg_catalog.format('%s', {c}) END"))
        .collect();
    values.join(" || ', ' || ")
}

/// Row by row, by our own looks at the referenced tables: nobody's rights or policies are asked, and no planner.
fn by_probes(key: &ForeignKey, members: &[Member], scope: &Scope) -> Result<Option<String>> {
    let token = key.id().token;
    let without = if let Scope::LosingTo { tables, .. } = scope { tables } else { &[][..] };
    for member in members.iter().filter(|m| m.holds_rows()) {
        if let Scope::Only(tables) = scope
            && !tables.contains(&member.oid)
        {
            continue;
        }
        let columns = member.column_numbers(&key.referencing.columns).unwrap_or_default();
        let Some(from) = binding::of_referencing(
            member.oid,
            Oid::INVALID,
            columns.clone(),
            token,
            key.terms.clone(),
            key.referenced.root,
        ) else {
            continue;
        };
        let place = Place { table: member.oid, index: None, columns };
        let mut found = None;
        let snapshot = Fresh::take();
        let mut converted = Vec::new();
        place.each_row(&snapshot, |row| {
            let nulls = row.iter().filter(|value| value.is_none()).count();
            let is_orphan = if nulls == row.len() {
                false
            } else if nulls > 0 {
                key.terms.matching == Match::Full
            } else {
                let values: Vec<pg_sys::Datum> = row.iter().flatten().copied().collect();
                from.convert(&values, &mut converted).is_none()
                    || !is_there(&from.referenced, &converted, &snapshot, without)
            };
            if is_orphan {
                found = Some(shown(&from.key, row));
            }
            !is_orphan
        });
        snapshot.done();
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn shown(key_type: &KeyType, row: &[Option<pg_sys::Datum>]) -> String {
    let text = |(column, value): (&crate::pg::key::KeyColumn, &Option<pg_sys::Datum>)| match value {
        Some(value) => from_server(column::text(column.type_id, *value).to_bytes()),
        None => "null".to_owned(),
    };
    key_type.columns.iter().zip(row).map(text).collect::<Vec<_>>().join(", ")
}

fn violated(key: &ForeignKey, values: &str, scope: &Scope) -> Result<ErrorReport> {
    let shown = if may_read(key)? {
        format!("Key ({})=({values})", key.referencing.columns.join(", "))
    } else {
        "Key".to_owned()
    };
    let (referencing, referenced) = (&key.referencing, &key.referenced);
    let (message, detail) = match scope {
        Scope::LosingTo { .. } | Scope::Without(_) => {
            let going = match scope {
                Scope::LosingTo { above, .. } => {
                    from_server(column::relation_name(*above).unwrap_or_default().to_bytes())
                }
                Scope::Without(name) => (*name).to_owned(),
                _ => String::new(),
            };
            (
                format!("removing partition \"{going}\" violates foreign key constraint \"{}\"", key.name),
                format!("{shown} is still referenced from table \"{}\".", referencing.table),
            )
        }
        _ => (
            format!(
                "insert or update on table \"{}\" violates foreign key constraint \"{}\"",
                referencing.table, key.name
            ),
            if key.terms.matching == Match::Full && values.split(", ").any(|value| value == "null") {
                "MATCH FULL does not allow mixing of null and nonnull key values.".to_owned()
            } else {
                format!("{shown} is not present in table \"{}\".", referenced.table)
            },
        ),
    };
    Ok(constraint_error::report(Violation {
        code: PgSqlErrorCode::ERRCODE_FOREIGN_KEY_VIOLATION,
        message,
        detail: Some(detail),
        schema: &referencing.schema,
        table: &referencing.table,
        constraint: &key.name,
    }))
}

/// Whether the caller may be shown values.
fn may_read(key: &ForeignKey) -> Result<bool> {
    let root = key.referencing.root.to_u32();
    let sql = format!(
        "SELECT pg_catalog.has_table_privilege('{root}'::pg_catalog.oid, 'SELECT')
           AND NOT pg_catalog.row_security_active('{root}'::pg_catalog.oid)"
    );
    Ok(query::rows(&sql, Sees::Latest, 1)?.first().is_some_and(|row| row.flag(0)))
}

/// Every orphan, in the rights of the caller.
pub fn violations(key: &ForeignKey) -> Result<Vec<(Text, Text, RowAddress)>> {
    let columns = qualified(key, "x");
    let text = texts(&columns);
    let text = if columns.len() > 1 { format!("'(' || {text} || ')'") } else { text };
    let sql = format!(
        "SELECT {text}, pg_catalog.format('%I.%I', n.nspname, c.relname), x.ctid
         FROM {} AS x
           JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) x.tableoid
           JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
         WHERE {} ORDER BY {}, n.nspname, c.relname, x.ctid",
        key.referencing.relation,
        condition(key, &Scope::All)?,
        columns.join(", "),
    );
    // Rows that a policy hides would be missing: an error instead, as pg_dump has it.
    let rows =
        settings::without_row_security(|| settings::with_maintenance_memory(|| query::rows(&sql, Sees::Latest, 0)))?;
    Ok(rows.into_iter().map(|row| (Text(row.text(0)), Text(row.text(1)), RowAddress(row.text(2)))).collect())
}
