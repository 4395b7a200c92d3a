//! Does a duplicate get in, whatever many clients do at once? Chance is seeded; how threads interleave is not.
//!
//! mixed         everything that SQL offers, at random, on seven trees; the invariant is asked every few seconds
//! missed-tuple  a row updated non-HOT in a loop, and others who insert its key elsewhere without key locks
//! fresh-keys    keys that nobody has had before, each tried by several clients at once, while the tree changes
//! classic       the case to the letter: `master` by year, count(*)+1 from many connections
//! partitions    40 writers with open transactions on 1,000 partitions, at default settings
//! foreign-keys  clients on both sides of global foreign keys with all actions: no orphan, and no consequence without a cause
//! large         200,000 rows in one INSERT, one COPY, and 200,000 inserts in one transaction, at default settings
//!
//! `trigger=classic` runs the same with the trigger that everybody copies, which has to fail.

mod classic;
mod foreign_keys;
mod fresh_keys;
mod large;
mod missed_tuple;
mod mixed;
mod partitions;
mod tally;

use std::time::Duration;

use citus_advisor_bench::options::Options;
use citus_advisor_bench::server::Server;
use citus_advisor_bench::{CLASSIC, Outcome, run_program};
use postgres::Client;

const OPTIONS: &[(&str, &str, &str)] = &[
    (
        "mode",
        "mixed",
        "mixed, missed-tuple, fresh-keys, foreign-keys, classic, partitions, large; several with commas; mixed:60 for its own seconds",
    ),
    ("seconds", "20", "how long (mixed, missed-tuple, classic: each of its four pgbench runs)"),
    ("clients", "10", "connections; two of those of missed-tuple update, the others insert"),
    ("keys", "150", "keys of each tree of mixed: few, so that they meet"),
    ("check_every", "200", "milliseconds between two questions for duplicates in mixed"),
    ("seed", "1", "of all chance"),
    ("trigger", "ours", "ours, classic, or none"),
    ("trees", "", "of mixed and foreign-keys: only those whose name contains this"),
    ("settings", "", "more lines of postgresql.conf, separated by ;"),
    ("expect", "unique", "unique, or duplicates: the run passes if it found some (a build without what is tested)"),
];

/// A named question and its answer.
pub struct Check {
    pub name: String,
    pub failure: Option<String>,
}

pub struct Torture {
    pub options: Options,
    pub server: Server,
    pub checks: Vec<Check>,
}

fn main() {
    run_program(|| {
        let options = Options::parse(std::env::args().skip(1), "torture [name=value ...]", OPTIONS)?;
        let modes = options.list("mode");
        let mut passed = 0;
        let mut failed = 0;
        for mode in &modes {
            let (mode, seconds) = mode.split_once(':').unwrap_or((mode, options.text("seconds")));
            // Locks and connections stay at their defaults.
            let settings = format!(
                "max_prepared_transactions = 30\nmax_wal_size = '2GB'\n{}\n{}",
                match mode {
                    "mixed" | "fresh-keys" | "foreign-keys" => "deadlock_timeout = '20ms'\nshared_buffers = '256MB'",
                    _ => "",
                },
                options.text("settings").replace(';', "\n")
            );
            let own = std::env::args().skip(1).chain([format!("seconds={seconds}")]);
            let options = Options::parse(own, "", OPTIONS)?;
            let mut torture = Torture { options, server: Server::start(&settings)?, checks: Vec::new() };
            match mode {
                "mixed" => mixed::run(&mut torture)?,
                "missed-tuple" => missed_tuple::run(&mut torture)?,
                "fresh-keys" => fresh_keys::run(&mut torture)?,
                "foreign-keys" => foreign_keys::run(&mut torture)?,
                "classic" => classic::run(&mut torture)?,
                "partitions" => partitions::run(&mut torture)?,
                "large" => large::run(&mut torture)?,
                _ => return Err(format!("mode={mode}: there is no such mode").into()),
            }
            torture.ask_the_log();
            for check in &torture.checks {
                match &check.failure {
                    None => {
                        println!("ok      {mode}: {}", check.name);
                        passed += 1;
                    }
                    Some(why) => {
                        println!("FAILED  {mode}: {}: {why}", check.name);
                        failed += 1;
                    }
                }
            }
        }
        println!("{passed} passed, {failed} failed");
        Ok(failed == 0)
    })
}

impl Torture {
    pub fn check(&mut self, name: impl Into<String>, failure: Option<String>) {
        self.checks.push(Check { name: name.into(), failure });
    }

    pub fn check_equal<T: PartialEq + std::fmt::Debug>(&mut self, name: impl Into<String>, is: T, should: T) {
        let failure = if is == should { None } else { Some(format!("{is:?} instead of {should:?}")) };
        self.check(name, failure);
    }

    pub fn seconds(&self) -> Outcome<Duration> {
        Ok(Duration::from_secs(self.options.number("seconds")?))
    }

    /// A database that has `advisor.add_global_unique`, ours or the classic one.
    pub fn create_database(&self, name: &str) -> Outcome<()> {
        let setup = match self.options.text("trigger") {
            "ours" => "CREATE EXTENSION citus_advisor".to_string(),
            "classic" => CLASSIC.to_string(),
            "none" => "CREATE SCHEMA advisor; CREATE FUNCTION advisor.add_global_unique(relation regclass, columns name[], \
                       constraint_name name DEFAULT NULL, is_deferrable boolean DEFAULT false, initially_deferred boolean DEFAULT false) \
                       RETURNS name LANGUAGE sql AS 'SELECT NULL::name'; \
                       CREATE FUNCTION advisor.add_global_foreign_key(relation regclass, columns name[], referenced regclass, \
                       referenced_columns name[], constraint_name name, match_type text, on_delete text, on_update text, \
                       is_deferrable boolean, initially_deferred boolean) RETURNS name LANGUAGE sql AS 'SELECT NULL::name'"
                .to_string(),
            other => return Err(format!("trigger={other}: there are ours, classic, none").into()),
        };
        self.server.create_database(name, &setup)
    }

    pub fn expects_duplicates(&self) -> bool {
        self.options.text("expect") == "duplicates"
    }

    /// The number found as a check: none, or some where some are expected.
    pub fn check_duplicates(&mut self, name: impl Into<String>, found: u64) {
        self.check_number(name, found, "duplicates");
    }

    pub fn check_number(&mut self, name: impl Into<String>, found: u64, what: &str) {
        let failure = match (found, self.expects_duplicates()) {
            (0, true) => Some("none was found, and this build should let some in".to_string()),
            (0, false) | (_, true) => None,
            (n, false) => Some(format!("{n} {what}")),
        };
        self.check(name, failure);
    }

    /// A backend that died, or a lock released twice, shows here and nowhere else.
    fn ask_the_log(&mut self) {
        let log = self.server.log();
        let bad: Vec<&str> = log
            .lines()
            .filter(|line| {
                ["PANIC:", "WARNING:", "was terminated by signal", "TRAP:", "out of shared memory"]
                    .iter()
                    .any(|sign| line.contains(sign))
                    // A client's ROLLBACK behind a statement that had ended the transaction itself.
                    && !line.ends_with("there is no transaction in progress")
            })
            .take(5)
            .collect();
        let failure = if bad.is_empty() { None } else { Some(bad.join("\n          ")) };
        self.check("nothing alarming in the server's log", failure);
    }
}

/// How many key values a tree has more than once, by their own equality and without an index.
pub fn duplicates(client: &mut Client, table: &str, columns: &str) -> Outcome<u64> {
    client.batch_execute("SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off")?;
    let row = client.query_one(
        &format!(
            "SELECT count(*) FROM (SELECT 1 FROM {table} WHERE ({columns}) IS NOT NULL \
             GROUP BY {columns} HAVING count(*) > 1) d"
        ),
        &[],
    )?;
    Ok(row.get::<_, i64>(0) as u64)
}
