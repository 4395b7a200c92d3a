//! `advisor.check_data`: asks the rows what only they can tell, in the caller's rights, reading only.

use citus_planner::data_check::{self, DataCheck};
use citus_planner::graph::Graph;
use citus_planner::identifier::quote_literal;
use citus_planner::layout::Layout;
use citus_planner::report::number::size;
use citus_planner::rules::Finding;
use citus_planner::schema::RelationName;
use pgrx::prelude::*;

use crate::error::{Result, internal, notice};
use crate::pg::settings;
use crate::pg::values::Text;

/// An answer: what was found, how many rows (`None` where nobody looked), the key of one of them.
pub struct Answer {
    pub finding: Finding,
    pub rows: Option<i64>,
    pub example: Option<String>,
}

/// Tables from this size on are announced before they are read.
const LONG_WORK: i64 = 64 * 1024 * 1024;

/// Asks all that there is to ask under an assignment. Rows that do no harm leave no answer.
pub fn ask(layout: &Layout<'_>) -> Result<Vec<Answer>> {
    let checks = data_check::checks(layout);
    let total = checks.len();
    let mut answers = Vec::new();
    settings::pinned(|| {
        for (number, check) in checks.into_iter().enumerate() {
            check_for_interrupts!();
            announce(layout.graph, &check, number + 1, total);
            answers.extend(answer(check)?);
        }
        Ok(answers)
    })
}

fn announce(graph: &Graph<'_>, check: &DataCheck, number: usize, total: usize) {
    // The largest of them: of a foreign key it may be the referenced one.
    let sizes = check.reads.iter().filter_map(|(name, _)| Some((graph.bytes(graph.find(name)?)?, name)));
    if let Some((bytes, name)) = sizes.max_by_key(|s| s.0).filter(|s| s.0 >= LONG_WORK) {
        notice(format!("check {number} of {total}: {} reads {name}, {}", check.finding.name, size(bytes)));
    }
}

fn answer(check: DataCheck) -> Result<Option<Answer>> {
    for (relation, columns) in &check.reads {
        if !flag(&may_read(relation, columns))? {
            let why = format!("this role may not read {relation}");
            return Ok(Some(not_checked(check.finding, &why)));
        }
    }
    let (rows, example) = Spi::connect(|client| {
        let row = client.select(check.sql.as_str(), Some(1), &[])?.first();
        Ok((row.get::<i64>(1)?.unwrap_or(0), row.get::<Text>(2)?.map(|t| t.0)))
    })
    .map_err(|error: pgrx::spi::Error| internal(error))?;
    if rows > 0 {
        return Ok(Some(Answer { finding: check.confirmed(), rows: Some(rows), example }));
    }
    // None among those that this role sees.
    for (relation, _) in &check.reads {
        let name = quote_literal(&relation.to_string());
        if flag(&format!("SELECT pg_catalog.row_security_active({name}::pg_catalog.regclass)"))? {
            return Ok(Some(not_checked(
                check.finding,
                &format!("row security hides rows of {relation} from this role"),
            )));
        }
    }
    Ok(None)
}

fn not_checked(mut finding: Finding, why: &str) -> Answer {
    finding.detail = Some(format!("Not checked: {why}."));
    finding.hint = Some("Run advisor.check_data as a role that sees all rows.".to_owned());
    finding.fix_sql = None;
    Answer { finding, rows: None, example: None }
}

/// Whether the caller may read these columns. A table whose schema is closed to him cannot even be named.
fn may_read(relation: &RelationName, columns: &[String]) -> String {
    let (schema, name) = (quote_literal(&relation.schema), quote_literal(&relation.name));
    let columns: Vec<String> = columns.iter().map(|c| format!("{}::pg_catalog.name", quote_literal(c))).collect();
    format!(
        "SELECT pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND (pg_catalog.has_table_privilege(c.oid, 'SELECT')
           OR NOT EXISTS (
             SELECT FROM pg_catalog.unnest(ARRAY[{}]::pg_catalog.name[]) AS a(name)
             WHERE NOT pg_catalog.has_column_privilege(c.oid, a.name::pg_catalog.text, 'SELECT')
           ) AND pg_catalog.has_any_column_privilege(c.oid, 'SELECT'))
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = {schema} AND c.relname = {name}",
        columns.join(", ")
    )
}

fn flag(sql: &str) -> Result<bool> {
    Spi::connect(|client| client.select(sql, Some(1), &[])?.first().get::<bool>(1))
        .map(|flag| flag.unwrap_or(false))
        .map_err(internal)
}
