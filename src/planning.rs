//! The SQL functions of the planner: arguments in, rows out.

use citus_planner::assignment::Assignment;
use citus_planner::error::{Error, ErrorKind};
use citus_planner::graph::Graph;
use citus_planner::layout::Layout;
use citus_planner::plan::Plan;
use citus_planner::report::{self, Format};
use citus_planner::rules::{self, Finding, RULES};
use citus_planner::schema::Schema;
use citus_planner::search::alternatives::alternatives;
use citus_planner::search::cost::points;
use citus_planner::{ASSUMED_NODES, Prices, Request, audit, migration};
use pgrx::prelude::*;

use crate::error::{Result, internal, null_not_allowed, report as refuse};
use crate::pg::guc;
use crate::pg::values::{Jsonb, Name, Names, Text};
use crate::{catalog, data, workload as statements};

#[pg_extern(stable, parallel_restricted)]
fn schema_model(schemas: default!(Option<Names>, "NULL")) -> Result<Jsonb> {
    let mut schema = catalog::read_for_planning(schema_names(schemas)?.as_deref())?;
    read_workload(&mut schema)?;
    Ok(Jsonb(serde_json::to_string(&schema).map_err(internal)?))
}

#[pg_extern(stable, parallel_restricted)]
fn plan_distribution(
    schemas: default!(Option<Names>, "NULL"),
    overrides: default!(Option<Jsonb>, "'{}'"),
    format: default!(Option<Text>, "'text'"),
) -> Result<SetOfIterator<'static, Text>> {
    let format = Format::parse(format.as_ref().map_or("text", |f| &f.0)).map_err(refuse)?;
    let lines = with_plan(schemas, overrides, |plan| report::render(plan, format))?;
    Ok(SetOfIterator::new(lines.into_iter().map(Text)))
}

#[pg_extern(stable, parallel_restricted)]
fn plan_tables(
    schemas: default!(Option<Names>, "NULL"),
    overrides: default!(Option<Jsonb>, "'{}'"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(relation, Text),
            name!(role, Text),
            name!(distribution_column, Option<Name>),
            name!(colocation_group, Option<Text>),
            name!(rows, Option<i64>),
            name!(bytes, Option<i64>),
            name!(because, Text),
        ),
    >,
> {
    let rows: Vec<_> = with_plan(schemas, overrides, |plan| {
        let layout = &plan.layout;
        let row = |t: &citus_planner::plan::PlannedTable| {
            let placement = layout.placement(t.table);
            (
                Text(plan.graph().table(t.table).name.to_string()),
                Text(placement.role().as_str().to_owned()),
                layout.distribution_column_name(t.table).map(|c| Name(c.to_owned())),
                placement.group().map(|g| Text(layout.groups[g].clone())),
                t.rows,
                t.bytes,
                Text(t.because.clone()),
            )
        };
        plan.tables.iter().map(row).collect()
    })?;
    Ok(TableIterator::new(rows))
}

#[pg_extern(stable, parallel_restricted)]
fn plan_issues(
    schemas: default!(Option<Names>, "NULL"),
    overrides: default!(Option<Jsonb>, "'{}'"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(code, Text),
            name!(name, Text),
            name!(level, Text),
            name!(effect, Text),
            name!(relation, Text),
            name!(object_type, Text),
            name!(object_name, Text),
            name!(message, Text),
            name!(detail, Option<Text>),
            name!(hint, Option<Text>),
            name!(fix_sql, Option<Text>),
            name!(fingerprint, Text),
        ),
    >,
> {
    let findings = with_plan(schemas, overrides, |plan| plan.reported().cloned().collect::<Vec<_>>())?;
    Ok(TableIterator::new(findings.into_iter().map(issue)))
}

#[pg_extern(stable, parallel_restricted)]
fn check_distribution(
    assignment: Option<Jsonb>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(code, Text),
            name!(name, Text),
            name!(level, Text),
            name!(effect, Text),
            name!(relation, Text),
            name!(object_type, Text),
            name!(object_name, Text),
            name!(message, Text),
            name!(detail, Option<Text>),
            name!(hint, Option<Text>),
            name!(fix_sql, Option<Text>),
            name!(fingerprint, Text),
        ),
    >,
> {
    let assignment = required_assignment(assignment)?;
    let search_path = catalog::search_path()?;
    let schema = catalog::read(None)?;
    let graph = Graph::new(&schema);
    let layout = Layout::from_assignment(&graph, &assignment, &search_path, "assignment").map_err(refuse)?;
    let mut findings = rules::judge(&layout);
    findings.retain(|f| !f.is_ignored(&schema));
    Ok(TableIterator::new(findings.into_iter().map(issue)))
}

/// Audits the distribution of this Citus cluster. It asks the workers for the sizes of shards.
#[pg_extern(name = "check_distribution", stable, parallel_restricted)]
fn audit_distribution() -> Result<
    TableIterator<
        'static,
        (
            name!(code, Text),
            name!(name, Text),
            name!(level, Text),
            name!(effect, Text),
            name!(relation, Text),
            name!(object_type, Text),
            name!(object_name, Text),
            name!(message, Text),
            name!(detail, Option<Text>),
            name!(hint, Option<Text>),
            name!(fix_sql, Option<Text>),
            name!(fingerprint, Text),
        ),
    >,
> {
    let schema = catalog::read_cluster()?;
    let graph = Graph::new(&schema);
    let mut findings = audit::audit(&graph);
    findings.retain(|f| !f.is_ignored(&schema));
    Ok(TableIterator::new(findings.into_iter().map(issue)))
}

/// Reads the rows that the caller may read.
#[pg_extern(stable, parallel_restricted)]
fn check_data(
    assignment: Option<Jsonb>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(code, Text),
            name!(name, Text),
            name!(level, Text),
            name!(effect, Text),
            name!(relation, Text),
            name!(object_type, Text),
            name!(object_name, Text),
            name!(message, Text),
            name!(detail, Option<Text>),
            name!(hint, Option<Text>),
            name!(fix_sql, Option<Text>),
            name!(fingerprint, Text),
            name!(rows, Option<i64>),
            name!(example, Option<Text>),
        ),
    >,
> {
    let assignment = required_assignment(assignment)?;
    let search_path = catalog::search_path()?;
    let schema = catalog::read(None)?;
    let graph = Graph::new(&schema);
    let layout =
        Layout::from_assignment_with_backfills(&graph, &assignment, &search_path, "assignment").map_err(refuse)?;
    let mut answers = data::ask(&layout)?;
    answers.retain(|a| !a.finding.is_ignored(&schema));
    Ok(TableIterator::new(answers.into_iter().map(|answer| {
        let (a, b, c, d, e, f, g, h, i, j, k, l) = issue(answer.finding);
        (a, b, c, d, e, f, g, h, i, j, k, l, answer.rows, answer.example.map(Text))
    })))
}

#[pg_extern(stable, parallel_restricted)]
fn migration_steps(
    schemas: default!(Option<Names>, "NULL"),
    overrides: default!(Option<Jsonb>, "'{}'"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(step, i32),
            name!(phase, Text),
            name!(relation, Option<Text>),
            name!(statement, Text),
            name!(because, Text),
        ),
    >,
> {
    let steps = with_plan(schemas, overrides, migration::steps)?;
    Ok(TableIterator::new((1..).zip(steps).map(numbered)))
}

/// The way back from `migration_steps`, made before it.
#[pg_extern(stable, parallel_restricted)]
fn rollback_steps(
    schemas: default!(Option<Names>, "NULL"),
    overrides: default!(Option<Jsonb>, "'{}'"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(step, i32),
            name!(phase, Text),
            name!(relation, Option<Text>),
            name!(statement, Text),
            name!(because, Text),
        ),
    >,
> {
    let steps = with_plan(schemas, overrides, migration::rollback_steps)?;
    Ok(TableIterator::new((1..).zip(steps).map(numbered)))
}

fn numbered((number, step): (i32, migration::Step)) -> (i32, Text, Option<Text>, Text, Text) {
    (
        number,
        Text(step.phase.as_str().to_owned()),
        step.relation.map(|r| Text(r.to_string())),
        Text(step.statement),
        Text(step.because),
    )
}

/// Judges the statements of `pg_stat_statements` under the plan.
#[pg_extern(stable, parallel_restricted)]
fn workload(
    schemas: default!(Option<Names>, "NULL"),
    overrides: default!(Option<Jsonb>, "'{}'"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(queryid, Option<i64>),
            name!(calls, i64),
            name!(total_ms, AnyNumeric),
            name!(class, Text),
            name!(missing, Option<Text>),
            name!(query, Text),
        ),
    >,
> {
    let judged = with_plan(schemas, overrides, |plan| statements::judge(&plan.layout))??;
    Ok(TableIterator::new(judged.into_iter().map(|judged| {
        let statement = judged.statement;
        (
            statement.queryid,
            statement.calls,
            milliseconds(statement.total_ms),
            Text(judged.verdict.class.as_str().to_owned()),
            judged.verdict.missing.map(Text),
            Text(statement.text),
        )
    })))
}

fn milliseconds(ms: f64) -> AnyNumeric {
    AnyNumeric::try_from(format!("{ms:.3}").as_str()).unwrap_or_else(|_| AnyNumeric::from(0))
}

#[pg_extern(stable, parallel_restricted)]
fn plan_alternatives(
    schemas: default!(Option<Names>, "NULL"),
    overrides: default!(Option<Jsonb>, "'{}'"),
    how_many: default!(Option<i32>, "3"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(rank, i32),
            name!(label, Text),
            name!(assignment, Jsonb),
            name!(cost, AnyNumeric),
            name!(foreign_keys_kept, i32),
            name!(foreign_keys_widened, i32),
            name!(foreign_keys_dropped, i32),
            name!(uniques_widened, i32),
            name!(uniques_lost, i32),
            name!(bytes_distributed, i64),
            name!(bytes_replicated, i64),
            name!(bytes_backfilled, i64),
            name!(because, Text),
        ),
    >,
> {
    let request = request(schemas, overrides)?;
    let mut schema = catalog::read_for_planning(None)?;
    read_workload(&mut schema)?;
    let graph = Graph::new(&schema);
    let alternatives = alternatives(&graph, &request, how_many.unwrap_or(3), &mut || {
        check_for_interrupts!();
    })
    .map_err(refuse)?;
    let mut rows = Vec::new();
    for (rank, alternative) in (1..).zip(alternatives) {
        let figures = alternative.plan.figures();
        let assignment = serde_json::to_string(&alternative.plan.layout.to_assignment()).map_err(internal)?;
        let cost = points(alternative.cost());
        rows.push((
            rank,
            Text(alternative.label),
            Jsonb(assignment),
            AnyNumeric::try_from(cost.as_str()).map_err(internal)?,
            figures.foreign_keys_kept,
            figures.foreign_keys_widened,
            figures.foreign_keys_dropped,
            figures.uniques_widened,
            figures.uniques_lost,
            figures.bytes_distributed,
            figures.bytes_replicated,
            figures.bytes_backfilled,
            Text(alternative.because),
        ));
    }
    Ok(TableIterator::new(rows))
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

/// Reads the database, plans it as asked, and hands the plan to `read`.
pub fn with_plan<R>(schemas: Option<Names>, overrides: Option<Jsonb>, read: impl FnOnce(&Plan<'_>) -> R) -> Result<R> {
    let request = request(schemas, overrides)?;
    let mut schema = catalog::read_for_planning(None)?;
    read_workload(&mut schema)?;
    let graph = Graph::new(&schema);
    let plan = citus_planner::plan(&graph, &request, &mut || {
        check_for_interrupts!();
    })
    .map_err(refuse)?;
    Ok(read(&plan))
}

/// What the statements of the database say of its tables, or why that is not known.
fn read_workload(schema: &mut Schema) -> Result<()> {
    match statements::summary(&Graph::new(schema))? {
        Ok(workload) => schema.workload = Some(workload),
        Err(why) => schema.no_workload = Some(why),
    }
    Ok(())
}

/// What is asked for by the arguments, and by the session's settings.
fn request(schemas: Option<Names>, overrides: Option<Jsonb>) -> Result<Request> {
    let overrides = match overrides {
        Some(overrides) => parse_assignment(&overrides, "overrides")?,
        None => Assignment::default(),
    };
    Ok(Request {
        schemas: schema_names(schemas)?,
        overrides,
        search_path: catalog::search_path()?,
        prices: Prices { foreign_key_worth: guc::foreign_key_worth(), nodes: guc::nodes().unwrap_or(ASSUMED_NODES) },
    })
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

/// The argument `assignment` of a check, which has no default.
fn required_assignment(assignment: Option<Jsonb>) -> Result<Assignment> {
    let Some(assignment) = assignment else {
        return Err(null_not_allowed(
            "assignment must not be null",
            "Write {\"public.t\": {\"role\": \"distributed\", \"column\": \"tenant_id\"}}; a table not named is local.",
        ));
    };
    parse_assignment(&assignment, "assignment")
}

/// The argument `overrides` or `assignment`.
fn parse_assignment(value: &Jsonb, argument: &str) -> Result<Assignment> {
    let value = serde_json::from_str(&value.0).map_err(|error| {
        // What jsonb takes and we do not: numbers beyond any float, hundreds of levels.
        refuse(Error::new(ErrorKind::InvalidParameter, format!("{argument} cannot be read")).detail(error.to_string()))
    })?;
    Assignment::from_json(&value, argument).map_err(refuse)
}

fn issue(
    finding: Finding,
) -> (Text, Text, Text, Text, Text, Text, Text, Text, Option<Text>, Option<Text>, Option<Text>, Text) {
    let text = |s: &str| Text(s.to_owned());
    let fingerprint = Text(finding.fingerprint());
    (
        text(finding.code),
        text(finding.name),
        text(finding.level.as_str()),
        text(finding.effect.as_str()),
        Text(finding.relation.to_string()),
        text(finding.object_type.as_str()),
        Text(finding.object_name),
        Text(finding.message),
        finding.detail.map(Text),
        finding.hint.map(Text),
        finding.fix_sql.map(Text),
        fingerprint,
    )
}
