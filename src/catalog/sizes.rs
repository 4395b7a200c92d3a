//! How large tables are. `pg_relation_size` opens each table, which takes longer than most else in the catalog, so PostgreSQL
//! is asked only of those that are not seen to be empty.

use std::collections::HashMap;
use std::fs;

use super::queries::query;
use super::rows::{Size, Table};
use crate::error::Result;

/// Fills in [`Table::size`].
pub fn fill(tables: &mut [Table]) -> Result<()> {
    let filled: Vec<u32> = tables.iter().filter(|t| !is_seen_empty(t)).map(|t| t.oid).collect();
    if filled.is_empty() {
        return Ok(());
    }
    let sizes: Vec<Size> = query(include_str!("sizes.sql"), &filled)?;
    let sizes: HashMap<u32, i64> = sizes.into_iter().filter_map(|s| Some((s.oid, s.size?))).collect();
    for table in tables {
        table.size = sizes.get(&table.oid).copied();
    }
    Ok(())
}

/// Whether the table has no storage, or its file is there and empty. A server process runs in its data directory; where files
/// are kept elsewhere, none is seen.
fn is_seen_empty(table: &Table) -> bool {
    table.file.as_ref().is_none_or(|file| fs::metadata(file).is_ok_and(|found| found.len() == 0))
}
