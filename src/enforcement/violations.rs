//! `advisor.violations`: the rows that are in the way of a constraint.

use pgrx::prelude::*;

use super::definition::{look_up, required};
use super::duplicates::{key_text, no_nulls, qualified};
use super::foreign_key;
use crate::error::Result;
use crate::pg::query::{self, Sees};
use crate::pg::settings;
use crate::pg::values::{Name, RowAddress, Table, Text};

/// Every row that holds a duplicated key, or lacks a referenced row, in the rights of the caller.
#[pg_extern]
fn violations(
    relation: Option<Table>,
    constraint_name: Option<Name>,
) -> Result<TableIterator<'static, (name!(key, Text), name!(partition, Text), name!(row_ctid, RowAddress))>> {
    let relation = required(relation, "relation")?.0;
    let name = required(constraint_name, "constraint_name")?.0;
    if let Some(key) = foreign_key::definition::find(relation, &name)? {
        return Ok(TableIterator::new(foreign_key::orphans::violations(&key)?));
    }
    let constraint = look_up(relation, &name)?;
    let columns = qualified(&constraint, "t");
    let key = key_text(&columns);
    let key = if columns.len() > 1 { format!("'(' || {key} || ')'") } else { key };
    let sql = format!(
        "SELECT k.key, pg_catalog.format('%I.%I', n.nspname, c.relname), k.ctid FROM (
           SELECT {key} AS key, t.tableoid, t.ctid, pg_catalog.count(*) OVER same AS rows,
             pg_catalog.dense_rank() OVER (ORDER BY {list}) AS place
           FROM {} AS t WHERE {} WINDOW same AS (PARTITION BY {list})
         ) AS k
         JOIN pg_catalog.pg_class c ON c.oid = k.tableoid
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE k.rows > 1 ORDER BY k.place, n.nspname, c.relname, k.ctid",
        constraint.relation,
        no_nulls(&columns),
        list = columns.join(", "),
    );
    // Rows that a policy hides would be missing: an error instead, as pg_dump has it.
    let rows =
        settings::without_row_security(|| settings::with_maintenance_memory(|| query::rows(&sql, Sees::Latest, 0)))?;
    Ok(TableIterator::new(rows.into_iter().map(|row| (Text(row.text(0)), Text(row.text(1)), RowAddress(row.text(2))))))
}
