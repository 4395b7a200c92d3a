//! Runs the queries, in the dialect of this server and in one snapshot.

use std::collections::{BTreeSet, HashMap};

use pgrx::pg_sys;
use serde::de::DeserializeOwned;

use super::rows::{Column, ColumnStatistics, Relation, Rows, Table};
use super::{index_definitions, sizes};
use crate::error::Result;
use crate::pg::{relation, settings, typed_rows};

/// What newer servers have and older ones lack: a placeholder in the queries, and what it stands for.
const DIALECT: &[(&str, &str)] = if cfg!(feature = "pg18") {
    &[
        ("/*conperiod*/", "con.conperiod"),
        ("/*conenforced*/", "con.conenforced"),
        ("/*condef*/", "pg_get_constraintdef(con.oid)"),
    ]
} else {
    &[("/*conperiod*/", "false"), ("/*conenforced*/", "true"), ("/*condef*/", "NULL::text")]
};

/// Whether this database has Citus' metadata.
pub fn citus_is_there() -> bool {
    relation::extension_exists(c"citus")
        && relation::catalog_exists(c"pg_dist_partition")
        && relation::catalog_exists(c"pg_dist_shard")
}

/// Everything that a model is made of, as it is at one moment.
pub fn read() -> Result<Rows> {
    typed_rows::in_one_snapshot(|| {
        let citus = citus_is_there();
        let is_shard = if citus { include_str!("is_shard.sql") } else { "false" };
        let relations: Vec<Relation> =
            query(&include_str!("relations.sql").replace("/*is_shard*/", &format!("\n{is_shard}\n")), &[])?;
        let own: Vec<u32> = relations.iter().filter(|r| r.extension.is_none()).map(|r| r.oid).collect();
        let notebook = [c"tables", c"placements", c"put_aside", c"ways"];
        let has_notebook = notebook.iter().all(|name| relation::may_be_read(c"planned_migration", name));
        let mut tables: Vec<Table> = query(include_str!("tables.sql"), &own)?;
        sizes::fill(&mut tables)?;
        let columns: Vec<Column> = query(include_str!("columns.sql"), &own)?;
        let typed = tables.iter().filter_map(|t| t.of_type);
        let column_types: BTreeSet<u32> = columns.iter().map(|c| c.data_type).chain(typed).collect();
        let column_types = Vec::from_iter(column_types);
        let mut rows = Rows {
            relations,
            tables,
            columns,
            types: query_from("column_type", include_str!("types.sql"), &column_types)?,
            database: query(include_str!("database.sql"), &own)?,
            schemas: query(include_str!("schemas.sql"), &own)?,
            parents: query(include_str!("parents.sql"), &own)?,
            column_statistics: column_statistics(&own, citus)?,
            indexes: query(include_str!("indexes.sql"), &own)?,
            index_columns: query(include_str!("index_columns.sql"), &own)?,
            foreign_keys: query(include_str!("foreign_keys.sql"), &own)?,
            checks: query(include_str!("checks.sql"), &own)?,
            triggers: query(include_str!("triggers.sql"), &own)?,
            rules: query(include_str!("rules.sql"), &own)?,
            policies: query(include_str!("policies.sql"), &own)?,
            statistics_objects: query(include_str!("statistics_objects.sql"), &own)?,
            sequences: query(include_str!("sequences.sql"), &own)?,
            default_sequences: query(include_str!("default_sequences.sql"), &own)?,
            dependencies: query(include_str!("dependencies.sql"), &own)?,
            views: query(include_str!("views.sql"), &own)?,
            publications: query(include_str!("publications.sql"), &own)?,
            ignored_findings: query(include_str!("ignored_findings.sql"), &own)?,
            citus_tables: if citus { query(include_str!("citus_tables.sql"), &own)? } else { Vec::new() },
            unfinished: if has_notebook { Some(query(include_str!("unfinished.sql"), &own)?) } else { None },
        };
        name_index_columns(&mut rows);
        index_definitions::fill(&mut rows)?;
        Ok(rows)
    })
}

/// What ANALYZE has found, behind it what it has found in shards that are here: that is what counts.
fn column_statistics(tables: &[u32], citus: bool) -> Result<Vec<ColumnStatistics>> {
    let mut statistics = query(include_str!("column_statistics.sql"), tables)?;
    if citus {
        let of_shards = settings::showing_shards(|| query(include_str!("shard_statistics.sql"), tables));
        statistics.append(&mut of_shards?);
    }
    Ok(statistics)
}

/// What columns of indexes are called, of which type they are, and which collations are not those of their columns. Of an
/// expression the collation that it would have without saying so is unknown.
fn name_index_columns(rows: &mut Rows) {
    let columns: HashMap<(u32, i16), &Column> = rows.columns.iter().map(|c| ((c.relation, c.number), c)).collect();
    for of_index in &mut rows.index_columns {
        let column = columns.get(&(of_index.relation, of_index.number));
        of_index.column = column.map(|c| c.name.clone());
        of_index.data_type = column.map(|c| c.data_type);
        let usual = column.map_or(pg_sys::DEFAULT_COLLATION_OID.to_u32(), |c| c.collation);
        if of_index.collation == Some(usual) {
            of_index.collation_schema = None;
        }
    }
}

/// The rows of one query, in which `relation` is a table of these OIDs.
pub fn query<T: DeserializeOwned>(query: &str, relations: &[u32]) -> Result<Vec<T>> {
    query_from("relation", query, relations)
}

/// The same where that table has another name. The OIDs come as a parameter, so that PostgreSQL knows how many there are.
fn query_from<T: DeserializeOwned>(name: &str, query: &str, oids: &[u32]) -> Result<Vec<T>> {
    let query = DIALECT.iter().fold(query.to_owned(), |query, (placeholder, is)| query.replace(placeholder, is));
    let statement =
        format!("WITH {name} AS (SELECT oid FROM unnest($1) AS given (oid)) SELECT * FROM (\n{query}\n) AS row");
    typed_rows::select(&statement, oids)
}
