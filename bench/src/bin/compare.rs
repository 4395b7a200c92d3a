//! What a key that is unique across partitions costs, beside the other ways to have one, in one run.
//!
//! Variants, each with its own table of the same shape and the same unique index on each partition:
//! N  nothing across partitions: the base of every ratio
//! T  an AFTER ROW constraint trigger whose compiled body is empty: the floor of what a trigger can cost
//! O  ours: advisor.add_global_unique
//! R  a registry table of keys, filled by a plpgsql trigger
//! S  the trigger that everybody copies: advisory lock, then count over the parent
//!
//! A round measures each variant once, one after the other, in a new session, on a table emptied and filled anew, after
//! a warm-up of one row a partition. Ratios are medians of the ratios within rounds.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use citus_advisor_bench::options::Options;
use citus_advisor_bench::random::splitmix64;
use citus_advisor_bench::server::{Server, ask_pg_config};
use citus_advisor_bench::statistics::{median, paired};
use citus_advisor_bench::{CLASSIC, Outcome, run_program, sentence};
use postgres::Client;

const OPTIONS: &[(&str, &str, &str)] = &[
    ("mode", "compare", "compare, or memory: resident memory of one transaction of memory_rows rows, O over T"),
    ("partitions", "5,32,256", "how many"),
    (
        "patterns",
        "clu,int,rnd,text",
        "clu: keys grow with the partition; int: keys grow, rows all over; rnd; text: md5",
    ),
    ("operations", "insert:100000,insert:1000000,copy:100000,row", "row: one-row inserts by pgbench"),
    ("variants", "N,T,O,R,S", "which; N always takes part"),
    ("rounds", "5", "medians are of so many"),
    ("preload", "200000", "rows in the table before"),
    ("seconds", "2", "pgbench of one measurement"),
    ("clients", "2", "of pgbench"),
    ("s_rows", "10000,5000,500", "rows of S in bulk, at the first, second, ... of partitions; beyond, the last"),
    ("r_rows", "200000", "rows of R in bulk at most"),
    ("memory_rows", "10000000", "rows of mode=memory"),
    ("settings", "", "more lines of postgresql.conf, separated by ;"),
    ("setup", "", "SQL at the beginning of each bulk session of O: SET citus_advisor.key_locks_per_transaction = 0"),
];

/// Preloaded keys begin here; those below are for the warm-up.
const FIRST: u64 = 1000;
const DAY: u64 = 86_400;
const EPOCH: u64 = 1_577_836_800;
const FILLER: &str = "a value of thirty-one characters";

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Pattern {
    Clustered,
    Interleaved,
    Random,
    Text,
}

impl Pattern {
    fn of(name: &str) -> Outcome<Pattern> {
        Ok(match name {
            "clu" => Pattern::Clustered,
            "int" => Pattern::Interleaved,
            "rnd" => Pattern::Random,
            "text" => Pattern::Text,
            _ => return Err(format!("patterns={name}: there are clu, int, rnd, text").into()),
        })
    }

    fn name(self) -> &'static str {
        match self {
            Pattern::Clustered => "clu",
            Pattern::Interleaved => "int",
            Pattern::Random => "rnd",
            Pattern::Text => "text",
        }
    }

    fn key_type(self) -> &'static str {
        if self == Pattern::Text { "text COLLATE \"C\"" } else { "bigint" }
    }

    /// The partition of the row of that number, one of `count` rows that begin at `first`.
    fn partition(self, number: u64, first: u64, count: u64, partitions: u64) -> u64 {
        match self {
            Pattern::Clustered => (number - first) * partitions / count.max(1),
            Pattern::Interleaved => number % partitions,
            Pattern::Random | Pattern::Text => splitmix64(number ^ 0x5eed) % partitions,
        }
    }

    /// SQL for the key of the row that the table `src` knows by number and partition.
    fn key(self, number: u64, partition: u64) -> String {
        match self {
            Pattern::Clustered => ((partition << 32) + number).to_string(),
            Pattern::Interleaved => number.to_string(),
            Pattern::Random => (splitmix64(number) as i64).to_string(),
            // Not md5, but as long and as random.
            Pattern::Text => format!("{:016x}{:016x}", splitmix64(number), splitmix64(!number)),
        }
    }
}

#[derive(Clone, Debug)]
enum Operation {
    Insert(u64),
    Copy(u64),
    Row,
}

impl Operation {
    fn of(name: &str) -> Outcome<Operation> {
        let (kind, rows) = name.split_once(':').unwrap_or((name, "100000"));
        let rows = rows.parse().map_err(|_| format!("operations={name}: not a number of rows"))?;
        Ok(match kind {
            "insert" => Operation::Insert(rows),
            "copy" => Operation::Copy(rows),
            "row" => Operation::Row,
            _ => return Err(format!("operations={name}: there are insert:ROWS, copy:ROWS, row").into()),
        })
    }

    fn title(&self) -> String {
        match self {
            Operation::Insert(rows) => format!("INSERT ... SELECT of {rows} rows"),
            Operation::Copy(rows) => format!("COPY of {rows} rows"),
            Operation::Row => "one-row INSERT, prepared, pgbench".to_string(),
        }
    }
}

struct Bench {
    options: Options,
    server: Server,
    empty_trigger: PathBuf,
    partitions: u64,
    pattern: Pattern,
}

fn main() {
    run_program(|| {
        let options = Options::parse(std::env::args().skip(1), "compare [name=value ...]", OPTIONS)?;
        let settings = format!(
            "shared_buffers = '1GB'\nmax_wal_size = '6GB'\ncheckpoint_timeout = '1h'\nwal_level = minimal\nmax_wal_senders = 0\n{}",
            options.text("settings").replace(';', "\n")
        );
        let server = Server::start(&settings)?;
        let empty_trigger = compile_empty_trigger(&server)?;
        let mut bench = Bench { options, server, empty_trigger, partitions: 0, pattern: Pattern::Random };
        match bench.options.text("mode") {
            "compare" => compare(&mut bench)?,
            "memory" => memory(&mut bench)?,
            other => return Err(format!("mode={other}: there are compare and memory").into()),
        }
        Ok(true)
    })
}

/// Variant T: what any AFTER ROW trigger costs, whatever it does.
fn compile_empty_trigger(server: &Server) -> Outcome<PathBuf> {
    let source = server.folder().join("empty.c");
    let library = server.folder().join("empty.so");
    std::fs::File::create(&source)?.write_all(
        b"#include \"postgres.h\"\n#include \"fmgr.h\"\nPG_MODULE_MAGIC;\nPG_FUNCTION_INFO_V1(bench_empty);\n\
          Datum bench_empty(PG_FUNCTION_ARGS) { return PointerGetDatum(NULL); }\n",
    )?;
    let compiled = Command::new("cc")
        .args(["-O2", "-fPIC", "-shared", "-I", &ask_pg_config(&server.pg_config, "--includedir-server")?, "-o"])
        .arg(&library)
        .arg(&source)
        .output()
        .map_err(|error| format!("variant T takes a C compiler: {error}"))?;
    if !compiled.status.success() {
        return Err(format!("variant T does not compile: {}", String::from_utf8_lossy(&compiled.stderr)).into());
    }
    Ok(library)
}

impl Bench {
    fn database(&self) -> String {
        format!("bench_{}_{}", self.partitions, self.pattern.name())
    }

    fn session(&self, variant: &str) -> Outcome<Client> {
        let mut client = self.server.connect(&self.database())?;
        if variant == "O" && !self.options.text("setup").is_empty() {
            client.batch_execute(self.options.text("setup"))?;
        }
        Ok(client)
    }

    /// A database with a table of each variant.
    fn create(&self, variants: &[String]) -> Outcome<()> {
        self.server.create_database(&self.database(), "")?;
        let mut client = self.server.connect(&self.database())?;
        for variant in variants {
            self.create_table(&mut client, variant)
                .map_err(|error| format!("variant {variant}: {}", sentence(error.as_ref())))?;
        }
        Ok(())
    }

    fn create_table(&self, client: &mut Client, variant: &str) -> Outcome<()> {
        let table = table_of(variant);
        let key_type = self.pattern.key_type();
        client.batch_execute(&format!(
            "CREATE TABLE {table} (id {key_type} NOT NULL, ts timestamptz NOT NULL, v text) PARTITION BY RANGE (ts)"
        ))?;
        for partition in 0..self.partitions {
            client.batch_execute(&format!(
                "CREATE TABLE {table}_{partition} PARTITION OF {table} FOR VALUES FROM ('2020-01-01Z'::timestamptz + {partition} * interval '1 day') \
                 TO ('2020-01-01Z'::timestamptz + {} * interval '1 day'); CREATE UNIQUE INDEX ON {table}_{partition} (id)",
                partition + 1
            ))?;
        }
        client.batch_execute(&match variant {
            "T" => format!(
                "CREATE FUNCTION bench_empty() RETURNS trigger LANGUAGE c AS '{}', 'bench_empty'; \
                 CREATE CONSTRAINT TRIGGER empty AFTER INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION bench_empty()",
                self.empty_trigger.display()
            ),
            "R" => format!(
                "CREATE TABLE registry (key {key_type} PRIMARY KEY); \
                 CREATE FUNCTION register() RETURNS trigger LANGUAGE plpgsql AS \
                 'BEGIN INSERT INTO registry VALUES (NEW.id); RETURN NULL; END'; \
                 CREATE TRIGGER register AFTER INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION register()"
            ),
            "S" => {
                // Its schema has our name: it moves aside, so that both can be in one database.
                format!(
                    "{}; SELECT classic.add_global_unique('{table}', 'id')",
                    CLASSIC.replace("advisor.", "classic.").replace("SCHEMA advisor", "SCHEMA classic")
                )
            }
            "O" => {
                format!("CREATE EXTENSION IF NOT EXISTS citus_advisor; SELECT advisor.add_global_unique('{table}', 'id')")
            }
            _ => String::new(),
        })?;
        Ok(())
    }

    /// Writes `name` (id, ts, v) with `count` rows from number `first` on.
    fn write_source(&self, client: &mut Client, name: &str, first: u64, count: u64) -> Outcome<()> {
        client.batch_execute(&format!(
            "DROP TABLE IF EXISTS {name}; CREATE UNLOGGED TABLE {name} (id {}, ts timestamptz, v text)",
            self.pattern.key_type()
        ))?;
        let mut copy = client.copy_in(&format!("COPY {name} FROM STDIN"))?;
        let mut buffer = Vec::with_capacity(1 << 20);
        for number in first..first + count {
            let partition = self.pattern.partition(number, first, count, self.partitions);
            // Whole seconds within the partition's day.
            let second = EPOCH + partition * DAY + number % DAY;
            let day = second / DAY;
            let (hour, minute, rest) = (second % DAY / 3600, second % 3600 / 60, second % 60);
            let date = civil_date(day as i64);
            writeln!(
                buffer,
                "{}\t{date} {hour:02}:{minute:02}:{rest:02}+00\t{FILLER}",
                self.pattern.key(number, partition)
            )?;
            if buffer.len() > 1 << 19 {
                copy.write_all(&buffer)?;
                buffer.clear();
            }
        }
        copy.write_all(&buffer)?;
        copy.finish()?;
        client.batch_execute(&format!("VACUUM ANALYZE {name}"))?;
        Ok(())
    }

    /// The variant's table as it is at the beginning of each measurement.
    fn refill(&self, variant: &str) -> Outcome<()> {
        let table = table_of(variant);
        let mut client = self.session(variant)?;
        client.batch_execute(&format!("TRUNCATE {table}"))?;
        if variant == "R" {
            client.batch_execute("TRUNCATE registry; INSERT INTO registry SELECT id FROM preload")?;
        }
        if variant == "S" || variant == "R" {
            client.batch_execute("SET session_replication_role = replica")?;
        }
        client.batch_execute(&format!("INSERT INTO {table} SELECT * FROM preload"))?;
        Ok(())
    }

    /// Nanoseconds a row.
    fn measure(&self, operation: &Operation, variant: &str) -> Outcome<f64> {
        self.refill(variant)?;
        let table = table_of(variant);
        match operation {
            Operation::Row => self.pgbench(variant),
            Operation::Insert(rows) | Operation::Copy(rows) => {
                let rows = self.rows_of(variant, *rows)?;
                let mut client = self.session(variant)?;
                client.batch_execute(&format!("INSERT INTO {table} SELECT * FROM warm"))?;
                let statement = match operation {
                    Operation::Copy(_) => format!("COPY {table} FROM '{}'", self.copy_file(rows).display()),
                    _ => format!("INSERT INTO {table} SELECT * FROM src LIMIT {rows}"),
                };
                let started = Instant::now();
                client.batch_execute(&statement)?;
                Ok(started.elapsed().as_nanos() as f64 / rows as f64)
            }
        }
    }

    fn copy_file(&self, rows: u64) -> PathBuf {
        self.server.folder().join(format!("src_{rows}.copy"))
    }

    /// How many of the rows a variant gets, since some would take minutes.
    fn rows_of(&self, variant: &str, rows: u64) -> Outcome<u64> {
        Ok(match variant {
            "S" => {
                let given = self.options.list("s_rows");
                let all = self.options.list("partitions");
                let place = all.iter().position(|n| *n == self.partitions.to_string()).unwrap_or(usize::MAX);
                let text = given.get(place).or(given.last()).ok_or("s_rows is empty")?;
                rows.min(text.parse().map_err(|_| format!("s_rows={text}: not a number"))?)
            }
            "R" => rows.min(self.options.number("r_rows")?),
            _ => rows,
        })
    }

    fn pgbench(&self, variant: &str) -> Outcome<f64> {
        let table = table_of(variant);
        let preload = self.options.number("preload")?;
        let last = self.partitions - 1;
        let (key, leaf, start) = match self.pattern {
            Pattern::Clustered => ("nextval('grow')", "\\set p LAST", (last << 32) + FIRST + preload),
            Pattern::Interleaved => ("nextval('grow')", "\\set p random(0, LAST)", FIRST + preload),
            Pattern::Random => (":id", "\\set p random(0, LAST)", 1),
            Pattern::Text => ("md5(:id::text)", "\\set p random(0, LAST)", 1),
        };
        self.session(variant)?
            .batch_execute(&format!("DROP SEQUENCE IF EXISTS grow; CREATE SEQUENCE grow CACHE 100 START {start}"))?;
        let script = self.server.folder().join("row.pgbench");
        let mut text = String::new();
        if matches!(self.pattern, Pattern::Random | Pattern::Text) {
            text.push_str("\\set id random(-4000000000000000000, 4000000000000000000)\n");
        }
        text.push_str(&leaf.replace("LAST", &last.to_string()));
        text.push_str(&format!(
            "\n\\set e {EPOCH} + :p * {DAY}\nINSERT INTO {table} VALUES ({key}, to_timestamp(:e), '{FILLER}');\n"
        ));
        std::fs::write(&script, text)?;
        let clients = self.options.text("clients");
        let output = self
            .server
            .program("pgbench")
            .args(["-n", "-M", "prepared", "-c", clients, "-j", clients, "-T", self.options.text("seconds"), "-f"])
            .arg(&script)
            .arg(self.database())
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout).to_string();
        let rate = said
            .lines()
            .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse::<f64>().ok())
            .filter(|_| output.status.success())
            .ok_or_else(|| format!("pgbench: {said}{}", String::from_utf8_lossy(&output.stderr)))?;
        Ok(clients.parse::<f64>()? / rate * 1e9)
    }
}

fn table_of(variant: &str) -> String {
    format!("t_{}", variant.to_lowercase())
}

/// Days since 1970 to year-month-day.
fn civil_date(days: i64) -> String {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    format!("{:04}-{month:02}-{day:02}", yoe + era * 400 + i64::from(month <= 2))
}

fn compare(bench: &mut Bench) -> Outcome<()> {
    let mut variants = bench.options.list("variants");
    variants.retain(|variant| variant != "N");
    variants.insert(0, "N".to_string());
    if let Some(unknown) = variants.iter().find(|v| !["N", "T", "O", "R", "S"].contains(&v.as_str())) {
        return Err(format!("variants={unknown}: there are N, T, O, R, S").into());
    }
    let operations =
        bench.options.list("operations").iter().map(|name| Operation::of(name)).collect::<Outcome<Vec<_>>>()?;
    let patterns = bench.options.list("patterns").iter().map(|name| Pattern::of(name)).collect::<Outcome<Vec<_>>>()?;
    let partitions = bench
        .options
        .list("partitions")
        .iter()
        .map(|text| text.parse().map_err(|_| format!("partitions={text}: not a number").into()))
        .collect::<Outcome<Vec<u64>>>()?;
    let rounds = bench.options.number("rounds")?;
    println!(
        "Ratios to N within rounds, medians of {rounds} rounds; in brackets ns a row over N. N itself in ns a row."
    );
    for operation in &operations {
        println!("\n{}", operation.title());
        print!("{:>10} {:>5} {:>9}", "partitions", "keys", "N");
        for variant in &variants[1..] {
            print!(" {:>18}", variant);
        }
        println!("  overhead of others over ours");
        for &count in &partitions {
            for &pattern in &patterns {
                bench.partitions = count;
                bench.pattern = pattern;
                let measured = measure_cell(bench, operation, &variants, rounds)?;
                print_cell(bench, operation, &variants, &measured)?;
            }
        }
    }
    Ok(())
}

fn measure_cell(
    bench: &Bench,
    operation: &Operation,
    variants: &[String],
    rounds: u64,
) -> Outcome<BTreeMap<String, Vec<f64>>> {
    bench.create(variants)?;
    let preload = bench.options.number("preload")?;
    {
        let mut client = bench.server.connect(&bench.database())?;
        bench.write_source(&mut client, "warm", 0, bench.partitions)?;
        bench.write_source(&mut client, "preload", FIRST, preload)?;
        if let Operation::Insert(rows) | Operation::Copy(rows) = operation {
            bench.write_source(&mut client, "src", FIRST + preload, *rows)?;
            if matches!(operation, Operation::Copy(_)) {
                let mut sizes =
                    variants.iter().map(|variant| bench.rows_of(variant, *rows)).collect::<Outcome<Vec<_>>>()?;
                sizes.sort_unstable();
                sizes.dedup();
                for size in sizes {
                    client.batch_execute(&format!(
                        "COPY (SELECT * FROM src LIMIT {size}) TO '{}'",
                        bench.copy_file(size).display()
                    ))?;
                }
            }
        }
    }
    let mut measured: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for round in 0..rounds {
        bench.server.connect("postgres")?.batch_execute("CHECKPOINT")?;
        for place in 0..variants.len() {
            // Another one begins each round.
            let variant = &variants[(place + round as usize) % variants.len()];
            let value = match bench.measure(operation, variant) {
                Ok(value) => value,
                Err(error) => {
                    eprintln!(
                        "{} partitions {}, {variant}: {}",
                        bench.partitions,
                        bench.pattern.name(),
                        sentence(error.as_ref())
                    );
                    f64::NAN
                }
            };
            measured.entry(variant.clone()).or_default().push(value);
        }
    }
    bench.server.connect("postgres")?.batch_execute(&format!("DROP DATABASE {} WITH (FORCE)", bench.database()))?;
    Ok(measured)
}

fn print_cell(
    bench: &Bench,
    operation: &Operation,
    variants: &[String],
    measured: &BTreeMap<String, Vec<f64>>,
) -> Outcome<()> {
    let base = &measured["N"];
    print!("{:>10} {:>5} {:>9.0}", bench.partitions, bench.pattern.name(), median(base).unwrap_or(f64::NAN));
    let mut notes = Vec::new();
    let over = |variant: &str| measured.get(variant).and_then(|values| paired(values, base, |v, n| v - n));
    for variant in &variants[1..] {
        let values = &measured[variant];
        match (paired(values, base, |v, n| v / n), over(variant)) {
            (Some(ratio), Some(more)) => print!(" {:>18}", format!("{ratio:.2} ({more:+.0})")),
            _ => print!(" {:>18}", "failed"),
        }
        if let Operation::Insert(rows) | Operation::Copy(rows) = operation {
            let own = bench.rows_of(variant, *rows)?;
            if own != *rows {
                notes.push(format!("{variant} with {own} rows"));
            }
        }
    }
    print!(" ");
    if let Some(ours) = over("O") {
        for other in ["R", "S"] {
            if let Some(theirs) = over(other) {
                print!(" {other} {:.1}x", theirs / ours.max(1.0));
            }
        }
    }
    if !notes.is_empty() {
        print!("  [{}]", notes.join(", "));
    }
    println!();
    std::io::stdout().flush()?;
    Ok(())
}

/// What one transaction of many rows holds in memory: the highest resident size of its backend, and the highest
/// anonymous part of it, which leaves shared buffers out.
fn memory(bench: &mut Bench) -> Outcome<()> {
    let rows = bench.options.number("memory_rows")?;
    let rounds = bench.options.number("rounds")?;
    for count in bench.options.list("partitions") {
        for pattern in bench.options.list("patterns") {
            bench.partitions = count.parse().map_err(|_| format!("partitions={count}: not a number"))?;
            bench.pattern = Pattern::of(&pattern)?;
            let variants = vec!["T".to_string(), "O".to_string()];
            bench.create(&variants)?;
            let mut peaks: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
            for _ in 0..rounds {
                for variant in ["T", "O"] {
                    let peak = memory_of(bench, variant, rows)?;
                    println!(
                        "{count} partitions, {pattern}, {rows} rows in one transaction, {variant}: \
                         VmHWM {:.1} MB, anonymous {:.1} MB, {:.0} s; beside it {} single inserts and {} readings of 60 tables, {} errors",
                        peak.resident / 1024.0,
                        peak.anonymous / 1024.0,
                        peak.seconds,
                        peak.inserts,
                        peak.readings,
                        peak.errors
                    );
                    peaks.entry(variant).or_default().push((peak.resident, peak.anonymous));
                }
            }
            let difference = |part: fn(&(f64, f64)) -> f64| {
                paired(
                    &peaks["O"].iter().map(part).collect::<Vec<_>>(),
                    &peaks["T"].iter().map(part).collect::<Vec<_>>(),
                    |o, t| (o - t) / 1024.0,
                )
                .unwrap_or(f64::NAN)
            };
            println!(
                "{count} partitions, {pattern}: O over T: VmHWM {:+.1} MB, anonymous {:+.1} MB",
                difference(|p| p.0),
                difference(|p| p.1)
            );
            bench
                .server
                .connect("postgres")?
                .batch_execute(&format!("DROP DATABASE {} WITH (FORCE)", bench.database()))?;
        }
    }
    Ok(())
}

struct Peak {
    resident: f64,
    anonymous: f64,
    seconds: f64,
    inserts: u64,
    readings: u64,
    errors: u64,
}

fn memory_of(bench: &Bench, variant: &str, rows: u64) -> Outcome<Peak> {
    let table = table_of(variant);
    let mut client = bench.session(variant)?;
    client.batch_execute(&format!("TRUNCATE {table}"))?;
    client.batch_execute(
        "CREATE TABLE IF NOT EXISTS unrelated (k int) PARTITION BY LIST (k); DO $$ BEGIN FOR i IN 1..60 LOOP \
         EXECUTE format('CREATE TABLE IF NOT EXISTS unrelated_%s PARTITION OF unrelated FOR VALUES IN (%s)', i, i); \
         END LOOP; END $$",
    )?;
    drop(client);
    let mut client = bench.session(variant)?;
    let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[])?.get(0);
    let stop = Arc::new(AtomicBool::new(false));
    let (inserts, readings, errors) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let partitions = bench.partitions;
    // SQL for what Pattern::key and Pattern::partition say, so that no source table is read.
    let (key, leaf) = match bench.pattern {
        Pattern::Clustered => {
            (format!("((g * {partitions} / {}) << 32) + g", rows + 1), format!("g * {partitions} / {}", rows + 1))
        }
        Pattern::Interleaved => ("g".to_string(), format!("g % {partitions}")),
        Pattern::Random => ("hashint8extended(g, 0)".to_string(), format!("g % {partitions}")),
        Pattern::Text => ("md5(g::text)".to_string(), format!("g % {partitions}")),
    };
    let statement = format!(
        "INSERT INTO {table} SELECT {key}, '2020-01-01Z'::timestamptz + ({leaf}) * interval '1 day', '{FILLER}' \
         FROM (SELECT generate_series(1::bigint, {rows}) g OFFSET 0) s"
    );
    std::thread::scope(|scope| -> Outcome<Peak> {
        let sampler = {
            let stop = Arc::clone(&stop);
            scope.spawn(move || {
                let mut highest = 0.0f64;
                while !stop.load(Ordering::Relaxed) {
                    highest = highest.max(resident(pid, "RssAnon:").unwrap_or(0.0));
                    std::thread::sleep(Duration::from_millis(10));
                }
                highest
            })
        };
        // The other sessions: one writes into the same tree, one takes many locks elsewhere.
        let beside = {
            let (stop, inserts, readings, errors) = (Arc::clone(&stop), &inserts, &readings, &errors);
            let table = table.clone();
            scope.spawn(move || -> Outcome<()> {
                let mut writer = bench.session(variant)?;
                let mut reader = bench.session(variant)?;
                let mut number = 0i64;
                while !stop.load(Ordering::Relaxed) {
                    number += 1;
                    let key = if bench.pattern == Pattern::Text { format!("'x{number}'") } else { (-number).to_string() };
                    let wrote = writer.batch_execute(&format!(
                        "INSERT INTO {table} VALUES ({key}, '2020-01-01Z'::timestamptz + {} * interval '1 day', 'beside')",
                        number as u64 % partitions
                    ));
                    let read = reader.batch_execute("SELECT count(*) FROM unrelated");
                    for (outcome, counter) in [(wrote, inserts), (read, readings)] {
                        match outcome {
                            Ok(()) => counter.fetch_add(1, Ordering::Relaxed),
                            Err(error) => {
                                eprintln!("beside: {}", sentence(&error));
                                errors.fetch_add(1, Ordering::Relaxed)
                            }
                        };
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
                Ok(())
            })
        };
        let started = Instant::now();
        let outcome = client.batch_execute(&statement);
        let seconds = started.elapsed().as_secs_f64();
        let highest = resident(pid, "VmHWM:");
        stop.store(true, Ordering::Relaxed);
        let anonymous = sampler.join().map_err(|_| "the sampler died")?;
        beside.join().map_err(|_| "the sessions beside died")??;
        outcome?;
        Ok(Peak {
            resident: highest?,
            anonymous,
            seconds,
            inserts: inserts.load(Ordering::Relaxed),
            readings: readings.load(Ordering::Relaxed),
            errors: errors.load(Ordering::Relaxed),
        })
    })
}

/// Kilobytes, as the kernel says.
fn resident(pid: i32, field: &str) -> Outcome<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).ok_or("no such line in /proc")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}
