//! The statements of `pg_stat_statements` through PostgreSQL's parser: what `advisor.workload` judges, and what the cost model
//! weighs. Policy is in the planner (`citus_planner::workload`).

use std::collections::BTreeMap;

use citus_planner::graph::Graph;
use citus_planner::identifier::quote_identifier;
use citus_planner::layout::Layout;
use citus_planner::schema::RelationName;
use citus_planner::workload::Workload;
use citus_planner::workload::classify::{Class, Verdict, classify};
use citus_planner::workload::edges::Edges;
use citus_planner::workload::statement::{Names, Query, Relation};
use citus_planner::workload::text;
use pgrx::prelude::*;

use crate::error::{Result, internal, not_in_state};
use crate::pg::query::{self, Sees};
use crate::pg::statement::{Analysed, Failure, analyse};

const NOT_INSTALLED: &str = "pg_stat_statements is not installed in this database";
const NOT_LOADED: &str = "pg_stat_statements is not loaded";

/// Waits for a lock so long, in milliseconds, the first time; a table that is locked then will be later, too.
const PATIENCE: u32 = 100;

/// What recursive queries begin with, the most usual first.
const STARTS: [&str; 5] = ["integer", "bigint", "date", "timestamptz", "numeric"];

/// A statement with what it costs today.
pub struct Statement {
    pub queryid: Option<i64>,
    pub calls: i64,
    pub total_ms: f64,
    pub text: String,
    role: Option<String>,
    search_path: String,
}

/// What the parser made of a statement.
enum Meaning {
    Query(Box<Query>),
    /// Starts or ends a transaction, sets something: nothing that is distributed.
    Control,
    /// Why it is unknown.
    Unknown(String),
}

/// A row of `advisor.workload`.
pub struct Judged {
    pub statement: Statement,
    pub verdict: Verdict,
}

/// Judges every statement under a layout.
///
/// # Errors
/// 55000 where there is no `pg_stat_statements`.
pub fn judge(layout: &Layout<'_>) -> Result<Vec<Judged>> {
    let statements = match statements()? {
        Found::Statements(statements) => statements,
        Found::Nothing(why) => return Err(missing(why)),
    };
    let mut reader = Reader::new()?;
    let mut judged = Vec::new();
    for statement in statements {
        check_for_interrupts!();
        let verdict = match reader.read(&statement)? {
            Meaning::Query(query) => classify(layout, &query, text::highest_parameter(&statement.text)),
            Meaning::Control => Verdict { class: Class::Local, missing: None },
            Meaning::Unknown(why) => Verdict { class: Class::Unknown, missing: Some(format!("-- {why}")) },
        };
        judged.push(Judged { statement, verdict });
    }
    Ok(judged)
}

/// Joins and filters of all statements for the cost model; else why there are none.
pub fn summary(graph: &Graph<'_>) -> Result<std::result::Result<Workload, String>> {
    let statements = match statements()? {
        Found::Statements(statements) => statements,
        Found::Nothing(why) => return Ok(Err(why.to_owned())),
    };
    if statements.is_empty() {
        return Ok(Err("pg_stat_statements has no statement of this database".to_owned()));
    }
    let mut reader = Reader::new()?;
    let mut edges = Edges::new(graph);
    for statement in statements {
        check_for_interrupts!();
        // Microseconds; what took no time was run all the same.
        let weight = ((statement.total_ms * 1_000.0) as i64).max(statement.calls).max(1);
        match reader.read(&statement)? {
            Meaning::Query(query) => edges.add(&query, weight),
            Meaning::Control => {}
            Meaning::Unknown(_) => edges.add_unknown(weight),
        }
    }
    Ok(match edges.finish() {
        Some(workload) => Ok(workload),
        None => Err("no statement in pg_stat_statements reads or writes a table of this database".to_owned()),
    })
}

fn missing(why: &'static str) -> pgrx::pg_sys::panic::ErrorReport {
    not_in_state(
        why,
        "Add it to shared_preload_libraries in postgresql.conf, restart the server, and run CREATE EXTENSION \
         pg_stat_statements; in this database. Then let the application run for a while.",
    )
}

enum Found {
    Statements(Vec<Statement>),
    Nothing(&'static str),
}

/// The statements of this database, those that took most first.
fn statements() -> Result<Found> {
    let place = query::rows(
        "SELECT n.nspname, EXISTS (SELECT FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
           WHERE c.relnamespace = n.oid AND c.relname = 'pg_stat_statements' AND a.attname = 'total_exec_time'),
           EXISTS (SELECT FROM pg_settings WHERE name = 'pg_stat_statements.max')
         FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'",
        Sees::Statement,
        1,
    )?;
    let Some(place) = place.first() else { return Ok(Found::Nothing(NOT_INSTALLED)) };
    if !place.flag(2) {
        return Ok(Found::Nothing(NOT_LOADED));
    }
    // Before version 1.8 of the extension.
    let time = if place.flag(1) { "total_exec_time" } else { "total_time" };
    let sql = include_str!("statements.sql")
        .replace("/*schema*/", &quote_identifier(&place.text(0)))
        .replace("/*time*/", time);
    let rows = query::rows(&sql, Sees::Statement, 0)?;
    let statement = |row: &query::Row| Statement {
        queryid: row.optional(0).and_then(|q| q.parse().ok()),
        calls: row.number(1),
        total_ms: row.number(2),
        text: row.text(3),
        role: row.optional(4),
        search_path: row.text(5),
    };
    Ok(Found::Statements(rows.iter().map(statement).collect()))
}

/// Reads statements along the search paths of those who ran them.
struct Reader {
    names: Names,
    own_path: String,
    patience: u32,
}

impl Reader {
    fn new() -> Result<Self> {
        let own_path = crate::catalog::search_path()?;
        let own_path = own_path.iter().map(|s| quote_identifier(s)).collect::<Vec<_>>().join(", ");
        Ok(Reader { names: names()?, own_path, patience: PATIENCE })
    }

    fn read(&mut self, statement: &Statement) -> Result<Meaning> {
        if statement.text == "<insufficient privilege>" {
            return Ok(Meaning::Unknown(
                "another role's statement: GRANT pg_read_all_stats to see its text".to_owned(),
            ));
        }
        let role = statement.role.as_deref().map(quote_identifier).unwrap_or_default();
        let user = if role.is_empty() { "pg_catalog" } else { &role };
        let path = statement.search_path.replace("\"$user\"", user).replace("$user", user);
        let mut outcome = self.analyse(&statement.text, &path)?;
        let is_missing = |failure: &Failure| {
            matches!(
                failure.code,
                PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE
                    | PgSqlErrorCode::ERRCODE_UNDEFINED_FUNCTION
                    | PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT
            )
        };
        // The application may have set its search path itself: perhaps as ours is.
        if let Err(failure) = &outcome
            && is_missing(failure)
            && self.own_path != path
            && !self.own_path.is_empty()
            && let Ok(found) = self.analyse(&statement.text, &self.own_path.clone())?
        {
            outcome = Ok(found);
        }
        Ok(match outcome {
            Ok(Analysed::Query(tree)) => match Query::read(&tree, &self.names) {
                Ok(query) => Meaning::Query(Box::new(query)),
                Err(why) => Meaning::Unknown(why),
            },
            Ok(Analysed::Utility(tag)) if is_control(&tag) => Meaning::Control,
            Ok(Analysed::Utility(tag)) => Meaning::Unknown(format!("{tag} is no query")),
            Err(failure) if failure.code == PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE => {
                self.patience = 1;
                Meaning::Unknown("somebody holds a lock on one of its tables".to_owned())
            }
            Err(failure) => Meaning::Unknown(failure.message.replace('\n', " ")),
        })
    }

    /// As it is, and then with what `pg_stat_statements` made of its constants mended.
    fn analyse(&self, statement: &str, path: &str) -> Result<std::result::Result<Analysed, Failure>> {
        let first = analyse(statement, path, self.patience)?;
        let Err(failure) = &first else { return Ok(first) };
        let code = failure.code;
        let mut mended = text::mend_constants(statement);
        let mut second = None;
        if mended != statement && code == PgSqlErrorCode::ERRCODE_SYNTAX_ERROR {
            second = Some(analyse(&mended, path, self.patience)?);
        } else {
            mended = statement.to_owned();
        }
        let code = match &second {
            Some(Ok(_)) => return Ok(second.unwrap_or(first)),
            Some(Err(failure)) => failure.code,
            None => code,
        };
        if code == PgSqlErrorCode::ERRCODE_GROUPING_ERROR
            && let Ok(found) = analyse(&text::with_equal_groups(&mended), path, self.patience)?
        {
            return Ok(Ok(found));
        }
        if matches!(code, PgSqlErrorCode::ERRCODE_UNDEFINED_FUNCTION | PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH) {
            for data_type in STARTS {
                let Some(typed) = text::with_typed_items(&mended, data_type) else { break };
                if let Ok(found) = analyse(&typed, path, self.patience)? {
                    return Ok(Ok(found));
                }
            }
        }
        Ok(first)
    }
}

/// Whether a command touches no table.
fn is_control(tag: &str) -> bool {
    matches!(
        tag,
        "BEGIN"
            | "START TRANSACTION"
            | "COMMIT"
            | "ROLLBACK"
            | "SAVEPOINT"
            | "RELEASE"
            | "PREPARE TRANSACTION"
            | "COMMIT PREPARED"
            | "ROLLBACK PREPARED"
            | "SET"
            | "RESET"
            | "SHOW"
            | "SET CONSTRAINTS"
            | "DISCARD"
            | "DISCARD ALL"
            | "DISCARD PLANS"
            | "DISCARD TEMP"
            | "DISCARD SEQUENCES"
            | "DEALLOCATE"
            | "DEALLOCATE ALL"
            | "EXECUTE"
            | "FETCH"
            | "MOVE"
            | "CLOSE CURSOR"
            | "CLOSE CURSOR ALL"
            | "LISTEN"
            | "UNLISTEN"
            | "NOTIFY"
            | "CHECKPOINT"
            | "LOAD"
    )
}

/// What the numbers in parse trees stand for.
fn names() -> Result<Names> {
    let mut names = Names::default();
    for row in query::rows(include_str!("names.sql"), Sees::Statement, 0)? {
        let columns: BTreeMap<i64, String> = match row.optional(3) {
            Some(json) => serde_json::from_str::<BTreeMap<String, String>>(&json)
                .map_err(internal)?
                .into_iter()
                .filter_map(|(number, name)| Some((number.parse().ok()?, name)))
                .collect(),
            None => BTreeMap::new(),
        };
        let relation = Relation { name: RelationName::new(row.text(1), row.text(2)), columns, view: row.optional(4) };
        names.relations.insert(row.number(0), relation);
    }
    let equality = "SELECT amopopr FROM pg_amop WHERE amopmethod = 403 AND amopstrategy = 3";
    names.equality = query::rows(equality, Sees::Statement, 0)?.iter().map(|r| r.number(0)).collect();
    for row in query::rows("SELECT oid, provolatile = 'v' FROM pg_proc WHERE provolatile <> 'i'", Sees::Statement, 0)? {
        names.changing_functions.insert(row.number(0));
        if row.flag(1) {
            names.volatile_functions.insert(row.number(0));
        }
    }
    Ok(names)
}
