//! The only reader of `pg_catalog` and `pg_dist_*`: one snapshot, one model.
//!
//! Each `.sql` file is a query for one kind of object; `queries` runs them. `rows` says what they return,
//! `assemble` makes the planner's model of it, `scope` limits the model to some schemas.

mod assemble;
mod index_definitions;
mod queries;
mod rows;
mod scope;
mod sizes;

use citus_planner::citus_version::CitusVersion;
use citus_planner::schema::{RelationName, Schema};
use pgrx::prelude::*;

use crate::error::{Result, not_in_state};
use crate::pg::{guc, settings, typed_rows};

pub use queries::citus_is_there;

/// The caller's search path: names of schemas, those that exist, without the implicit ones.
pub fn search_path() -> Result<Vec<String>> {
    // Resolved under the caller's own search path: nothing but one qualified name.
    let path: Vec<rows::SearchPath> = typed_rows::select("SELECT pg_catalog.current_schemas(false) AS schemas", &[])?;
    Ok(path.into_iter().flat_map(|p| p.schemas).collect())
}

/// The model of this database, limited to `schemas` and what is linked to them where given.
///
/// # Errors
/// 3F000 for a schema that does not exist.
pub fn read(schemas: Option<&[String]>) -> Result<Schema> {
    let citus_target = citus_target()?;
    settings::pinned(|| {
        let mut reading = assemble::assemble(queries::read()?);
        check_for_interrupts!();
        if let Some(schemas) = schemas {
            scope::limit(&mut reading.schema, schemas).map_err(crate::error::report)?;
        }
        reading.say_what_was_unseen();
        reading.schema.citus_target = citus_target;
        Ok(reading.schema)
    })
}

/// The model of a Citus coordinator with what the shards weigh: tables are as large as their shards together.
///
/// # Errors
/// 55000 where there is no Citus in the database, or this is a worker.
pub fn read_cluster() -> Result<Schema> {
    if !queries::citus_is_there() {
        return Err(not_in_state(
            "Citus is not installed in this database",
            "To judge a distribution that is not there yet, give it: SELECT * FROM advisor.check_distribution('{\"public.t\": \
             {\"role\": \"reference\"}}');",
        ));
    }
    let mut schema = read(None)?;
    settings::pinned(|| {
        refuse_worker()?;
        weigh_shards(&mut schema)
    })?;
    Ok(schema)
}

/// The model to plan on: like [`read`], but where a coordinator has distributed tables they are as large as their shards.
/// Only then is anybody else asked.
pub fn read_for_planning(schemas: Option<&[String]>) -> Result<Schema> {
    let mut schema = read(schemas)?;
    if schema.citus_tables.iter().any(|t| t.kind != "local") {
        settings::pinned(|| if is_coordinator()? { weigh_shards(&mut schema) } else { Ok(()) })?;
    }
    Ok(schema)
}

/// # Errors
/// 55000 where there is no Citus in the database, or this is a worker.
pub fn require_coordinator() -> Result<()> {
    if !queries::citus_is_there() {
        return Err(not_in_state(
            "Citus is not installed in this database",
            "A rehearsal needs the coordinator of a Citus cluster; a small one of your own will do.",
        ));
    }
    settings::pinned(refuse_worker)
}

fn refuse_worker() -> Result<()> {
    if is_coordinator()? {
        return Ok(());
    }
    Err(not_in_state(
        "this server is a Citus worker",
        "Connect to the coordinator: SELECT nodename, nodeport FROM pg_dist_node WHERE groupid = 0;",
    ))
}

/// Whether this node of a cluster is the coordinator.
fn is_coordinator() -> Result<bool> {
    let groups: Vec<rows::LocalGroup> =
        queries::query("SELECT groupid AS id FROM pg_catalog.pg_dist_local_group", &[])?;
    Ok(groups.first().is_none_or(|group| group.id == 0))
}

/// Asks every node what its shards weigh.
fn weigh_shards(schema: &mut Schema) -> Result<()> {
    let sizes: Vec<rows::ShardSizes> = queries::query(include_str!("shard_sizes.sql"), &[])?;
    for shards in sizes {
        let name = RelationName::new(shards.schema, shards.name);
        if let Some(table) = schema.tables.iter_mut().find(|t| t.name == name) {
            table.bytes = Some(shards.bytes.iter().sum());
            // Else what ANALYZE has found in the empty shell.
            table.rows = shards.rows.or(table.rows.filter(|&rows| rows > 0));
            table.changes = assemble::changes(Some(shards.changes));
        }
        if let Some(citus) = schema.citus_tables.iter_mut().find(|c| c.name == name) {
            citus.shard_bytes = shards.bytes;
        }
    }
    Ok(())
}

/// `citus_advisor.citus_version`, where it is set.
///
/// It is looked at here and not when it is set: the library may not be loaded yet by then, and PostgreSQL would drop a wrong
/// value with a warning and plan for another release.
fn citus_target() -> Result<Option<String>> {
    let Some(text) = guc::citus_version() else { return Ok(None) };
    match text.parse::<CitusVersion>() {
        Ok(version) => Ok(Some(version.to_string())),
        Err(mut error) => {
            error.message = format!("invalid value for parameter \"citus_advisor.citus_version\": \"{text}\"");
            Err(crate::error::report(error))
        }
    }
}
