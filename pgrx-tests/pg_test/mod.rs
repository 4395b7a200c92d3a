//! Tests that need a backend: what the catalog reader sees, what the SQL functions refuse, what a session can do to them.
//! Every test runs in a transaction of its own that is rolled back.

mod check;
mod environment;
mod errors;
mod schema_model;

use citus_planner::schema::{Schema, Table};
use pgrx::prelude::*;

/// Runs statements, as the user would.
fn run(sql: &str) {
    Spi::run(sql).unwrap();
}

/// The text that a query returns in its first row; read-only, so that no transaction id is assigned.
fn text(sql: &str) -> String {
    Spi::connect(|client| client.select(sql, Some(1), &[])?.first().get::<String>(1)).unwrap().unwrap_or_default()
}

/// `advisor.schema_model()`, through its own JSON.
fn model() -> Schema {
    serde_json::from_str(&text("SELECT advisor.schema_model()::text")).unwrap()
}

/// A table of the model by `schema.name`.
fn table<'a>(model: &'a Schema, name: &str) -> &'a Table {
    model.tables.iter().find(|t| t.name.to_string() == name).unwrap_or_else(|| panic!("no table {name}"))
}

/// What a statement is refused with: `SQLSTATE|message|detail|hint`.
fn refusal(sql: &str) -> String {
    run(r"CREATE OR REPLACE FUNCTION pg_temp.refusal(statement text) RETURNS text LANGUAGE plpgsql AS $$
        DECLARE code text; message text; detail text; hint text;
        BEGIN
          EXECUTE statement;
          RETURN 'accepted';
        EXCEPTION WHEN OTHERS THEN
          GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
            hint = PG_EXCEPTION_HINT;
          RETURN concat_ws('|', code, message, detail, hint);
        END $$");
    text(&format!("SELECT pg_temp.refusal({})", citus_planner::identifier::quote_literal(sql)))
}
