//! How long a plan takes, catalog reading included, beside `pg_dump --schema-only` of the same database.
//!
//! Both are programs that connect, read the whole catalog and print: `psql -c 'SELECT advisor.plan_distribution()'` and
//! `pg_dump --schema-only`. A round runs each once; ratios are medians of the ratios within rounds. Behind the sizes comes the
//! exponent with which the time grows: the slope of the line through the logarithms (least squares).

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Instant;

use citus_advisor_bench::options::Options;
use citus_advisor_bench::random::Random;
use citus_advisor_bench::server::Server;
use citus_advisor_bench::statistics::{median, paired};
use citus_advisor_bench::{Outcome, run_program};

const OPTIONS: &[(&str, &str, &str)] = &[
    ("tables", "500,1400,2000,4000,8000", "of a database, each of which gets its line"),
    (
        "shapes",
        "modules,tenants,unlinked",
        "modules: applications in one schema; tenants: company_id in every table; unlinked: no foreign keys",
    ),
    ("rounds", "5", "medians are of so many"),
    ("seed", "1", "of the random part of the schemas"),
];

/// Tables that one transaction creates: their locks fit.
const BATCH: usize = 200;

fn main() {
    run_program(|| {
        let options = Options::parse(std::env::args().skip(1), "plan_speed [name=value ...]", OPTIONS)?;
        let server = Server::start("shared_buffers = '1GB'\nmax_wal_size = '4GB'\nmax_locks_per_transaction = 2000")?;
        for shape in options.list("shapes") {
            compare(&server, &options, &shape)?;
        }
        Ok(true)
    })
}

fn compare(server: &Server, options: &Options, shape: &str) -> Outcome<()> {
    let rounds = options.number("rounds")?;
    println!("Shape {shape}: plan beside pg_dump --schema-only, medians of {rounds} rounds, in milliseconds.");
    println!("{:>8} {:>13} {:>9} {:>9} {:>7}", "tables", "foreign keys", "pg_dump", "plan", "ratio");
    let (mut sizes, mut plans, mut dumps) = (Vec::new(), Vec::new(), Vec::new());
    for tables in options.list("tables") {
        let tables: usize = tables.parse().map_err(|_| format!("tables={tables}: not a number"))?;
        let foreign_keys = create(server, shape, tables, options.number("seed")?)?;
        let (mut plan, mut dump) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            dump.push(milliseconds(server.program("pg_dump").args(["--schema-only", "speed"]))?);
            plan.push(milliseconds(server.program("psql").args([
                "-XqAt",
                "-d",
                "speed",
                "-c",
                "SELECT advisor.plan_distribution()",
            ]))?);
        }
        let (plan_time, dump_time) = (median(&plan).unwrap_or(f64::NAN), median(&dump).unwrap_or(f64::NAN));
        println!(
            "{tables:>8} {foreign_keys:>13} {dump_time:>9.0} {plan_time:>9.0} {:>7.2}",
            paired(&plan, &dump, |plan, dump| plan / dump).unwrap_or(f64::NAN)
        );
        std::io::stdout().flush()?;
        sizes.push(tables as f64);
        plans.push(plan_time);
        dumps.push(dump_time);
        server.connect("postgres")?.batch_execute("DROP DATABASE speed WITH (FORCE)")?;
    }
    if sizes.len() > 1 {
        println!(
            "Time grows with the number of tables to the power of {:.2} (plan), {:.2} (pg_dump).\n",
            exponent(&sizes, &plans),
            exponent(&sizes, &dumps)
        );
    }
    Ok(())
}

fn milliseconds(program: &mut Command) -> Outcome<f64> {
    let started = Instant::now();
    let output = program.stdout(Stdio::null()).stderr(Stdio::piped()).output()?;
    let elapsed = started.elapsed().as_secs_f64() * 1e3;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(elapsed)
}

/// The slope of the line through the logarithms.
fn exponent(sizes: &[f64], times: &[f64]) -> f64 {
    let points: Vec<(f64, f64)> = sizes.iter().zip(times).map(|(x, y)| (x.ln(), y.ln())).collect();
    let count = points.len() as f64;
    let (x, y) = (points.iter().map(|p| p.0).sum::<f64>() / count, points.iter().map(|p| p.1).sum::<f64>() / count);
    points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum::<f64>() / points.iter().map(|p| (p.0 - x).powi(2)).sum::<f64>()
}

/// Makes the database `speed`; how many foreign keys it has.
fn create(server: &Server, shape: &str, tables: usize, seed: u64) -> Outcome<usize> {
    server.create_database("speed", "CREATE EXTENSION citus_advisor")?;
    let mut client = server.connect("speed")?;
    let mut random = Random::new(seed, tables as u64);
    let mut foreign_keys = 0;
    let mut statements = String::new();
    for number in 0..tables {
        let (statement, keys) = match shape {
            "modules" => modules(&mut random, number),
            "tenants" => tenants(&mut random, number),
            "unlinked" => (unlinked(&mut random, number), 0),
            _ => return Err(format!("shapes={shape}: there are modules, tenants, unlinked").into()),
        };
        foreign_keys += keys;
        statements.push_str(&statement);
        if (number + 1) % BATCH == 0 || number + 1 == tables {
            client.batch_execute(&statements)?;
            statements.clear();
        }
    }
    client.batch_execute("VACUUM ANALYZE")?;
    Ok(foreign_keys)
}

/// Columns that no key speaks of.
const PLAIN: &[&str] = &[
    "name text NOT NULL DEFAULT ''",
    "amount numeric(12,2)",
    "created_at timestamptz NOT NULL DEFAULT now()",
    "updated_at timestamptz",
    "state smallint NOT NULL DEFAULT 0",
    "payload jsonb",
    "active boolean NOT NULL DEFAULT true",
    "note varchar(200)",
];

fn plain(random: &mut Random) -> String {
    let from = random.below(PLAIN.len() as u64 - 3) as usize;
    PLAIN[from..from + 3 + random.below(PLAIN.len() as u64 - from as u64 - 2) as usize].join(", ")
}

/// Modules of forty tables in one schema, linked within and, now and then, to another one; 1.2 foreign keys a table.
fn modules(random: &mut Random, number: usize) -> (String, usize) {
    let (module, place) = (number / 40, number % 40);
    let mut columns = format!("id bigint PRIMARY KEY, {}", plain(random));
    let mut keys = 0;
    let mut indexes = String::new();
    let mut refer = |columns: &mut String, to: usize| {
        keys += 1;
        columns.push_str(&format!(", ref{keys}_id bigint REFERENCES m{}_t{} (id)", to / 40, to % 40));
        indexes.push_str(&format!("CREATE INDEX ON m{module}_t{place} (ref{keys}_id);"));
    };
    if place > 0 {
        refer(&mut columns, module * 40 + random.below(place as u64) as usize);
        if random.chance(20) {
            refer(&mut columns, module * 40 + random.below(place as u64) as usize);
        }
    }
    if module > 0 && random.chance(5) {
        refer(&mut columns, random.below(number as u64) as usize);
    }
    (format!("CREATE TABLE m{module}_t{place} ({columns});{indexes}"), keys)
}

/// Every table has `company_id`, which references the companies; a fifth references another table too, by the pair.
fn tenants(random: &mut Random, number: usize) -> (String, usize) {
    if number == 0 {
        return ("CREATE TABLE companies (id bigint PRIMARY KEY, name text UNIQUE);".to_string(), 0);
    }
    let mut columns = format!(
        "company_id bigint NOT NULL REFERENCES companies (id), id bigint, {}, PRIMARY KEY (company_id, id)",
        plain(random)
    );
    let mut keys = 1;
    if number > 1 && random.chance(20) {
        let to = 1 + random.below(number as u64 - 1);
        columns
            .push_str(&format!(", ref_id bigint, FOREIGN KEY (company_id, ref_id) REFERENCES t{to} (company_id, id)"));
        keys += 1;
    }
    (format!("CREATE TABLE t{number} ({columns});"), keys)
}

/// No foreign keys: names say what belongs together.
fn unlinked(random: &mut Random, number: usize) -> String {
    let account = if random.chance(70) { "account_id bigint NOT NULL, " } else { "" };
    format!(
        "CREATE TABLE log_{number} (id bigint PRIMARY KEY, {account}{});{}",
        plain(random),
        if account.is_empty() { String::new() } else { format!("CREATE INDEX ON log_{number} (account_id);") }
    )
}
