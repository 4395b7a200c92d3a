//! What a foreign key to partitioned tables costs, beside a native one to the same rows in one table.
//!
//! native  a plain referencing table with a native foreign key to an unpartitioned table: the base of every ratio
//! none    without a foreign key, to see what the key costs at all
//! ours    advisor.add_global_foreign_key to a table in so many partitions, unique on the key globally
//!
//! A round measures each once, one after the other, in a new session, into an empty referencing table behind a warm-up of
//! a thousand rows. Ratios are medians of the ratios within rounds.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Instant;

use citus_advisor_bench::options::Options;
use citus_advisor_bench::server::Server;
use citus_advisor_bench::statistics::{median, paired};
use citus_advisor_bench::{Outcome, run_program};

const OPTIONS: &[(&str, &str, &str)] = &[
    ("partitions", "5,32", "of the referenced table"),
    (
        "patterns",
        "spread,grown",
        "spread: neighbouring keys lie in different partitions; grown: each partition has a range",
    ),
    ("operations", "insert:1000000,copy:1000000,row", "row: one-row inserts by pgbench"),
    ("referenced", "200000", "rows"),
    ("rounds", "5", "medians are of so many"),
    ("seconds", "3", "pgbench of one measurement"),
    ("clients", "2", "of pgbench"),
    ("settings", "", "more lines of postgresql.conf, separated by ;"),
];

const VARIANTS: [&str; 3] = ["native", "none", "ours"];
const WARM: u64 = 1000;

struct Bench {
    options: Options,
    server: Server,
    referenced: u64,
}

fn main() {
    run_program(|| {
        let options = Options::parse(std::env::args().skip(1), "compare_foreign_key [name=value ...]", OPTIONS)?;
        let settings = format!(
            "shared_buffers = '1GB'\nmax_wal_size = '6GB'\ncheckpoint_timeout = '1h'\nwal_level = minimal\nmax_wal_senders = 0\n{}",
            options.text("settings").replace(';', "\n")
        );
        let bench = Bench { server: Server::start(&settings)?, referenced: options.number("referenced")?, options };
        bench.compare()?;
        Ok(true)
    })
}

impl Bench {
    fn compare(&self) -> Outcome<()> {
        let rounds = self.options.number("rounds")?;
        println!(
            "Ratios to a native foreign key to one table, within rounds, medians of {rounds}; native in ns a row; {} referenced rows.",
            self.referenced
        );
        println!("{:>20} {:>10} {:>8} {:>8} {:>8} {:>8}", "operation", "partitions", "keys", "native", "none", "ours");
        for partitions in self.options.list("partitions") {
            let partitions: u64 = partitions.parse().map_err(|_| format!("partitions={partitions}: not a number"))?;
            for pattern in self.options.list("patterns") {
                self.create(partitions, &pattern)?;
                for operation in self.options.list("operations") {
                    let mut measured: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
                    for round in 0..rounds as usize {
                        self.server.connect("postgres")?.batch_execute("CHECKPOINT")?;
                        for place in 0..VARIANTS.len() {
                            // Another one begins each round.
                            let variant = VARIANTS[(place + round) % VARIANTS.len()];
                            measured.entry(variant).or_default().push(self.measure(&operation, variant)?);
                        }
                    }
                    let native = &measured["native"];
                    let ratio = |variant: &str| paired(&measured[variant], native, |v, n| v / n).unwrap_or(f64::NAN);
                    println!(
                        "{operation:>20} {partitions:>10} {pattern:>8} {:>8.0} {:>8.2} {:>8.2}",
                        median(native).unwrap_or(f64::NAN),
                        ratio("none"),
                        ratio("ours")
                    );
                    std::io::stdout().flush()?;
                }
                self.server.connect("postgres")?.batch_execute("DROP DATABASE bench WITH (FORCE)")?;
            }
        }
        Ok(())
    }

    fn create(&self, partitions: u64, pattern: &str) -> Outcome<()> {
        let rows = self.referenced;
        let partition = match pattern {
            "spread" => format!("(hashint8extended(g, 7) & 2147483647) % {partitions}"),
            "grown" => format!("(g - 1) * {partitions} / {rows}"),
            _ => return Err(format!("patterns={pattern}: there are spread, grown").into()),
        };
        self.server.create_database("bench", "CREATE EXTENSION citus_advisor")?;
        let mut client = self.server.connect("bench")?;
        client.batch_execute(
            "CREATE TABLE pk_native (id bigint PRIMARY KEY, p int NOT NULL, name text);
             CREATE TABLE pk_ours (id bigint NOT NULL, p int NOT NULL, name text) PARTITION BY LIST (p)",
        )?;
        for number in 0..partitions {
            client.batch_execute(&format!(
                "CREATE TABLE pk_ours_{number} PARTITION OF pk_ours FOR VALUES IN ({number}); \
                 CREATE UNIQUE INDEX ON pk_ours_{number} (id)"
            ))?;
        }
        let most = self
            .options
            .list("operations")
            .iter()
            .filter_map(|operation| operation.split_once(':')?.1.parse::<u64>().ok())
            .max()
            .unwrap_or(0);
        client.batch_execute(&format!(
            "INSERT INTO pk_native SELECT g, {partition}, 'a value of thirty-one characters' FROM generate_series(1::bigint, {rows}) g;
             INSERT INTO pk_ours SELECT * FROM pk_native;
             SELECT advisor.add_global_unique('pk_ours', 'id');
             CREATE UNLOGGED TABLE src AS SELECT g AS rid, 1 + (hashint8extended(g, 3) & 9223372036854775807) % {rows} AS x, 'text' AS note
                 FROM generate_series(1::bigint, {most}) g;
             CREATE TABLE fk_native (rid bigint, x bigint, note text); CREATE INDEX ON fk_native (x);
             CREATE TABLE fk_none (LIKE fk_native INCLUDING ALL); CREATE TABLE fk_ours (LIKE fk_native INCLUDING ALL);
             ALTER TABLE fk_native ADD FOREIGN KEY (x) REFERENCES pk_native (id);
             SELECT advisor.add_global_foreign_key('fk_ours', 'x', 'pk_ours', 'id');"
        ))?;
        client.batch_execute("VACUUM ANALYZE")?;
        for operation in self.options.list("operations") {
            if let Some(("copy", rows)) = operation.split_once(':') {
                let file = self.server.folder().join(format!("src_{rows}.copy"));
                client.batch_execute(&format!("COPY (SELECT * FROM src LIMIT {rows}) TO '{}'", file.display()))?;
            }
        }
        Ok(())
    }

    /// Nanoseconds a row.
    fn measure(&self, operation: &str, variant: &str) -> Outcome<f64> {
        let mut client = self.server.connect("bench")?;
        // The rows' locks of the round before are taken away, on both sides.
        let referenced = if variant == "ours" { "pk_ours" } else { "pk_native" };
        client.batch_execute(&format!("TRUNCATE fk_{variant}"))?;
        client.batch_execute(&format!("VACUUM {referenced}"))?;
        client.batch_execute(&format!(
            "INSERT INTO fk_{variant} SELECT -g, 1 + g % {} , '' FROM generate_series(1, {WARM}) g",
            self.referenced
        ))?;
        let (kind, rows) = operation.split_once(':').unwrap_or((operation, "0"));
        let statement = match kind {
            "insert" => format!("INSERT INTO fk_{variant} SELECT * FROM src LIMIT {rows}"),
            "copy" => {
                format!("COPY fk_{variant} FROM '{}'", self.server.folder().join(format!("src_{rows}.copy")).display())
            }
            "row" => return self.pgbench(variant),
            _ => return Err(format!("operations={operation}: there are insert:ROWS, copy:ROWS, row").into()),
        };
        let started = Instant::now();
        client.batch_execute(&statement)?;
        Ok(started.elapsed().as_nanos() as f64 / rows.parse::<f64>()?)
    }

    fn pgbench(&self, variant: &str) -> Outcome<f64> {
        let script = self.server.folder().join("row.pgbench");
        std::fs::write(
            &script,
            format!("\\set x random(1, {})\nINSERT INTO fk_{variant} VALUES (1, :x, 'text');\n", self.referenced),
        )?;
        let clients = self.options.text("clients");
        let output = self
            .server
            .program("pgbench")
            .args(["-n", "-M", "prepared", "-c", clients, "-j", clients, "-T", self.options.text("seconds"), "-f"])
            .arg(&script)
            .arg("bench")
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
