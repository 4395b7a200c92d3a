//! The SQL functions of the planner: arguments in, rows out.

use citus_planner::rules::RULES;
use pgrx::prelude::*;

use crate::catalog;
use crate::error::{Result, internal, null_not_allowed};
use crate::pg::values::{Jsonb, Names, Text};

#[pg_extern(stable, parallel_restricted)]
fn schema_model(schemas: default!(Option<Names>, "NULL")) -> Result<Jsonb> {
    let schema = catalog::read(schema_names(schemas)?.as_deref())?;
    Ok(Jsonb(serde_json::to_string(&schema).map_err(internal)?))
}

/// The register of rules; `advisor.rules` shows it.
#[pg_extern(name = "_rules", immutable, parallel_safe)]
fn rules() -> TableIterator<
    'static,
    (
        name!(code, Text),
        name!(name, Text),
        name!(level, Text),
        name!(effect, Text),
        name!(title, Text),
        name!(explanation, Text),
        name!(remediation, Text),
    ),
> {
    let text = |s: &str| Text(s.to_owned());
    TableIterator::new(RULES.iter().map(move |rule| {
        (
            text(rule.code),
            text(rule.name),
            text(rule.level.as_str()),
            text(rule.effect.as_str()),
            text(rule.title),
            text(rule.explanation),
            text(rule.remediation),
        )
    }))
}

/// The argument `schemas`: no element may be NULL.
fn schema_names(schemas: Option<Names>) -> Result<Option<Vec<String>>> {
    let Some(Names(names)) = schemas else { return Ok(None) };
    match names.into_iter().collect::<Option<Vec<String>>>() {
        Some(names) => Ok(Some(names)),
        None => Err(null_not_allowed(
            "schemas must not contain NULL",
            "Leave the argument out, or make it NULL, for all schemas.",
        )),
    }
}
