//! Everything at random. Each client runs transactions of random statements on a random tree.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use citus_advisor_bench::random::Random;
use citus_advisor_bench::{Outcome, sentence};
use postgres::Client;

use crate::tally::Tally;
use crate::{Torture, duplicates};

struct Tree {
    name: &'static str,
    inherits: bool,
    /// Definition of the key's columns, and their names.
    key: &'static str,
    columns: &'static [&'static str],
    /// Without, members get plain indexes: a deferred check is then really late.
    unique_indexes: bool,
    timing: &'static str,
}

const TREES: &[Tree] = &[
    Tree {
        name: "d_bigint",
        inherits: false,
        key: "id bigint",
        columns: &["id"],
        unique_indexes: true,
        timing: "false, false",
    },
    Tree {
        name: "d_text",
        inherits: false,
        key: "id text",
        columns: &["id"],
        unique_indexes: false,
        timing: "false, false",
    },
    Tree {
        name: "d_case",
        inherits: false,
        key: "id text COLLATE ignore_case",
        columns: &["id"],
        unique_indexes: true,
        timing: "false, false",
    },
    Tree {
        name: "d_numeric",
        inherits: false,
        key: "id numeric",
        columns: &["id"],
        unique_indexes: false,
        timing: "true, false",
    },
    Tree {
        name: "d_pair",
        inherits: false,
        key: "a int, b text",
        columns: &["a", "b"],
        unique_indexes: false,
        timing: "true, true",
    },
    Tree {
        name: "i_bigint",
        inherits: true,
        key: "id bigint",
        columns: &["id"],
        unique_indexes: true,
        timing: "false, false",
    },
    Tree {
        name: "i_numeric",
        inherits: true,
        key: "id numeric",
        columns: &["id"],
        unique_indexes: false,
        timing: "true, true",
    },
];

/// Leaves, by the number in column p; a fifth one shares p = 3 with the fourth.
const LEAVES: u64 = 4;

impl Tree {
    fn create(&self, client: &mut Client) -> Outcome<()> {
        let (name, key) = (self.name, self.key);
        let rest = "p int NOT NULL, q int NOT NULL, n int, h int";
        let columns = self.columns.join(", ");
        if self.inherits {
            client.batch_execute(&format!(
                "CREATE TABLE {name} ({key}, {rest});
                 CREATE TABLE {name}_0 () INHERITS ({name});
                 CREATE TABLE {name}_1 () INHERITS ({name});
                 CREATE TABLE {name}_2 (h int, gone text, n int, q int NOT NULL, p int NOT NULL, {key});
                 ALTER TABLE {name}_2 DROP COLUMN gone, INHERIT {name};
                 CREATE TABLE {name}_3 () INHERITS ({name});
                 CREATE TABLE {name}_3_0 () INHERITS ({name}_3)"
            ))?;
        } else {
            client.batch_execute(&format!(
                "CREATE TABLE {name} ({key}, {rest}) PARTITION BY RANGE (p);
                 CREATE TABLE {name}_0 PARTITION OF {name} FOR VALUES FROM (0) TO (1);
                 CREATE TABLE {name}_1 PARTITION OF {name} FOR VALUES FROM (1) TO (2);
                 CREATE TABLE {name}_2 (h int, gone text, n int, q int NOT NULL, p int NOT NULL, {key});
                 ALTER TABLE {name}_2 DROP COLUMN gone;
                 ALTER TABLE {name} ATTACH PARTITION {name}_2 FOR VALUES FROM (2) TO (3);
                 CREATE TABLE {name}_3 PARTITION OF {name} FOR VALUES FROM (3) TO (4) PARTITION BY LIST (q);
                 CREATE TABLE {name}_3_0 PARTITION OF {name}_3 FOR VALUES IN (0);
                 CREATE TABLE {name}_3_1 PARTITION OF {name}_3 DEFAULT"
            ))?;
        }
        let unique = if self.unique_indexes { "UNIQUE " } else { "" };
        for leaf in self.leaves() {
            client.batch_execute(&format!("CREATE INDEX ON {leaf} (n); CREATE {unique}INDEX ON {leaf} ({columns})"))?;
        }
        let array = self.columns.iter().map(|c| format!("'{c}'")).collect::<Vec<_>>().join(", ");
        client.batch_execute(&format!(
            "SELECT advisor.add_global_unique('{name}', ARRAY[{array}]::name[], NULL, {})",
            self.timing
        ))?;
        Ok(())
    }

    fn leaves(&self) -> Vec<String> {
        let mut leaves: Vec<String> = (0..3).map(|n| format!("{}_{n}", self.name)).collect();
        leaves.push(format!("{}_3_0", self.name));
        leaves.push(format!("{}_3{}", self.name, if self.inherits { "" } else { "_1" }));
        if self.inherits {
            leaves.push(self.name.to_string());
        }
        leaves
    }

    /// A key as SQL, in one of the ways to write it.
    fn literal(&self, key: u64, random: &mut Random) -> String {
        match self.name {
            "d_text" => format!("'key {key}'"),
            "d_case" => format!("'{}{key}'", random.pick(&["Key ", "KEY ", "key "])),
            "d_numeric" | "i_numeric" => format!("{key}{}", random.pick(&["", ".0", ".00", ".000000"])),
            "d_pair" => format!("{}, 'k{}'", key % 7, key / 7),
            _ => key.to_string(),
        }
    }

    /// A condition for the key.
    fn is(&self, key: u64, random: &mut Random) -> String {
        format!("({}) = ({})", self.columns.join(", "), self.literal(key, random))
    }

    /// An assignment of the key.
    fn set(&self, key: u64, random: &mut Random) -> String {
        let literal = self.literal(key, random);
        if self.columns.len() == 1 {
            format!("{} = {literal}", self.columns[0])
        } else {
            format!("({}) = ROW({literal})", self.columns.join(", "))
        }
    }

    /// Where a row may be inserted, with the p and q that belong there.
    fn place(&self, random: &mut Random) -> (String, u64, u64) {
        let (p, q) = (random.below(LEAVES), random.below(3));
        let leaf = match (p, q) {
            (3, 0) => format!("{}_3_0", self.name),
            (3, _) => format!("{}_3{}", self.name, if self.inherits { "" } else { "_1" }),
            _ => format!("{}_{p}", self.name),
        };
        match (self.inherits, random.below(4)) {
            (false, 0 | 1) => (self.name.to_string(), p, q),
            (true, 0) if p == 0 => (self.name.to_string(), p, q),
            _ => (leaf, p, q),
        }
    }
}

struct Worker {
    client: Client,
    random: Random,
    tree: &'static Tree,
    keys: u64,
    tally: Tally,
    name: String,
    in_transaction: bool,
}

/// What a statement is: text, or a COPY with its lines.
enum Step {
    Sql(String, u64),
    Copy(String, String, u64),
}

pub fn run(torture: &mut Torture) -> Outcome<()> {
    let trees: Vec<&'static Tree> =
        TREES.iter().filter(|tree| tree.name.contains(torture.options.text("trees"))).collect();
    torture.create_database("torture")?;
    let mut client = torture.server.connect("torture")?;
    client.batch_execute(
        "CREATE COLLATION ignore_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
    )?;
    for tree in &trees {
        tree.create(&mut client).map_err(|error| format!("{}: {}", tree.name, sentence(error.as_ref())))?;
    }
    let seconds = torture.seconds()?;
    let clients = torture.options.number("clients")?;
    let keys = torture.options.number("keys")?;
    let seed = torture.options.number("seed")?;
    let check_every = Duration::from_millis(torture.options.number("check_every")?);
    let stop = AtomicBool::new(false);
    let total = Mutex::new(Tally::default());
    let server = &torture.server;
    let mut found = BTreeMap::<&str, u64>::new();
    let mut questions = 0;
    let started = Instant::now();
    std::thread::scope(|scope| -> Outcome<()> {
        let mut threads = Vec::new();
        for number in 0..clients {
            let (stop, total, trees) = (&stop, &total, &trees);
            threads.push(scope.spawn(move || -> Outcome<()> {
                let mut worker = Worker {
                    client: server.connect("torture")?,
                    random: Random::new(seed, number),
                    tree: trees[0],
                    keys,
                    tally: Tally::default(),
                    name: format!("torture_{number}"),
                    in_transaction: false,
                };
                let outcome = worker.work(trees, stop);
                total.lock().expect("no thread dies holding it").add(std::mem::take(&mut worker.tally));
                outcome
            }));
        }
        let mut random = Random::new(seed, u64::MAX);
        let outcome = (|| -> Outcome<()> {
            let mut vacuum = server.connect("torture")?;
            let mut asked = Instant::now();
            while started.elapsed() < seconds && !threads.iter().any(|thread| thread.is_finished()) {
                std::thread::sleep(Duration::from_millis(100));
                // Index entries go away, and their places are used again.
                vacuum.batch_execute(&format!("VACUUM (TRUNCATE false) {}", random.pick(&trees).name))?;
                if asked.elapsed() >= check_every {
                    asked = Instant::now();
                    for tree in &trees {
                        let number = duplicates(&mut client, tree.name, &tree.columns.join(", "))?;
                        questions += 1;
                        let most = found.entry(tree.name).or_default();
                        *most = number.max(*most);
                    }
                }
            }
            Ok(())
        })();
        stop.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.join().map_err(|_| "a client died")??;
        }
        outcome
    })?;
    let took = started.elapsed().as_secs_f64();
    let total = total.into_inner().expect("all threads are gone");
    let mut rows = 0i64;
    for tree in &trees {
        let number = duplicates(&mut client, tree.name, &tree.columns.join(", "))?;
        questions += 1;
        let most = found.entry(tree.name).or_default();
        *most = number.max(*most);
        rows += client.query_one(&format!("SELECT count(*) FROM {}", tree.name), &[])?.get::<_, i64>(0);
    }
    println!(
        "mixed: {took:.0} s, {clients} clients, seed {seed}: {} transactions ({} committed, {} of them prepared), {} statements, \
         {} rows attempted, {rows} rows at the end, {questions} questions for duplicates; refused: {:?}",
        total.transactions, total.committed, total.prepared, total.statements, total.rows, total.refused
    );
    for (name, number) in found {
        torture.check_duplicates(format!("{name} unique"), number);
    }
    let unexpected: Vec<String> =
        total.unexpected.iter().map(|(state, (count, example))| format!("{state} {count} times: {example}")).collect();
    torture.check(
        "no SQLSTATE but 23505, 40001, 40P01",
        if unexpected.is_empty() { None } else { Some(unexpected.join("\n          ")) },
    );
    for state in ["23505", "40001"] {
        let seen = total.refused.contains_key(state);
        torture.check(
            format!("clients met: some were refused with {state}"),
            if seen { None } else { Some("none was".into()) },
        );
    }
    afterwards(torture, &mut client, &trees)
}

/// Nothing is left behind, and each tree still takes what is new and refuses what is there.
fn afterwards(torture: &mut Torture, client: &mut Client, trees: &[&Tree]) -> Outcome<()> {
    let left: i64 = client
        .query_one(
            "SELECT (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory') + (SELECT count(*) FROM pg_prepared_xacts)",
            &[],
        )?
        .get(0);
    torture.check_equal("no key lock and no prepared transaction is left", left, 0);
    let mut random = Random::new(0, 0);
    for tree in trees {
        let mut wrong = Vec::new();
        for (number, leaf) in tree.leaves().iter().enumerate() {
            for (other, elsewhere) in tree.leaves().iter().enumerate() {
                let key = 1_000_000 + (number * 10 + other) as u64;
                let columns = tree.columns.join(", ");
                let (p, q) = leaf_values(tree, number);
                let (p2, q2) = leaf_values(tree, other);
                let first = format!(
                    "INSERT INTO {leaf} ({columns}, p, q) VALUES ({}, {p}, {q})",
                    tree.literal(key, &mut random)
                );
                let second = format!(
                    "INSERT INTO {elsewhere} ({columns}, p, q) VALUES ({}, {p2}, {q2})",
                    tree.literal(key, &mut random)
                );
                if let Err(error) = client.batch_execute(&first) {
                    wrong.push(format!("{first}: {}", sentence(&error)));
                }
                match client.batch_execute(&second) {
                    Ok(()) => wrong.push(format!("accepted after {first}: {second}")),
                    Err(error) if error.code().is_some_and(|code| code.code() == "23505") => {}
                    Err(error) => wrong.push(format!("{second}: {}", sentence(&error))),
                }
            }
        }
        wrong.truncate(3);
        torture.check(
            format!("{} afterwards takes what is new and refuses what is there", tree.name),
            if wrong.is_empty() { None } else { Some(wrong.join("\n          ")) },
        );
    }
    Ok(())
}

/// p and q of the leaf of that number in `leaves`.
fn leaf_values(tree: &Tree, number: usize) -> (usize, usize) {
    match number {
        3 => (3, 0),
        4 => (3, 1),
        5 if tree.inherits => (0, 0),
        _ => (number, 0),
    }
}

impl Worker {
    fn work(&mut self, trees: &[&'static Tree], stop: &AtomicBool) -> Outcome<()> {
        while !stop.load(Ordering::Relaxed) {
            self.tree = *self.random.pick(trees);
            self.tally.transactions += 1;
            if self.random.chance(25) {
                let locks = self.locks();
                self.simple(&locks)?;
                self.in_transaction = false;
                let step = self.step();
                if self.take(&step)? {
                    self.tally.committed += 1;
                }
            } else {
                self.transaction()?;
            }
        }
        Ok(())
    }

    fn locks(&mut self) -> String {
        format!("SET citus_advisor.key_locks_per_transaction = {}", self.random.pick(&[0, 0, 1, 3, 64, 64, 1000]))
    }

    /// A statement that has no reason to fail.
    fn simple(&mut self, statement: &str) -> Outcome<()> {
        self.client.batch_execute(statement).map_err(|error| format!("{statement}: {}", sentence(&error)).into())
    }

    fn transaction(&mut self) -> Outcome<()> {
        let level = *self.random.pick(&["READ COMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]);
        let locks = self.locks();
        self.simple(&locks)?;
        self.simple(&format!("BEGIN ISOLATION LEVEL {level}"))?;
        self.in_transaction = true;
        if self.random.chance(30) {
            // Above READ COMMITTED this takes the snapshot, and others go on.
            if !self.take(&Step::Sql(format!("SELECT 1 FROM {}", self.tree.name), 0))? {
                return self.simple("ROLLBACK");
            }
            std::thread::sleep(Duration::from_micros(self.random.below(4000)));
        }
        if self.random.chance(30) {
            let mode = *self.random.pick(&["DEFERRED", "IMMEDIATE"]);
            self.simple(&format!("SET CONSTRAINTS ALL {mode}"))?;
        }
        for _ in 0..1 + self.random.below(5) {
            let savepoint = self.random.chance(35);
            if savepoint {
                self.simple("SAVEPOINT s")?;
            }
            let step = self.step();
            let taken = self.take(&step)?;
            if !savepoint {
                if !taken {
                    return self.simple("ROLLBACK");
                }
            } else if !taken || self.random.chance(40) {
                self.simple("ROLLBACK TO SAVEPOINT s")?;
            } else if self.random.chance(50) {
                // Deferred checks may run now, or at the end.
                if !self.take(&Step::Sql("RELEASE SAVEPOINT s".into(), 0))? {
                    self.simple("ROLLBACK TO SAVEPOINT s")?;
                }
            }
        }
        match self.random.below(100) {
            0..60 => {
                if self.take(&Step::Sql("COMMIT".into(), 0))? {
                    self.tally.committed += 1;
                }
            }
            60..80 => self.simple("ROLLBACK")?,
            _ => {
                let name = self.name.clone();
                if !self.take(&Step::Sql(format!("PREPARE TRANSACTION '{name}'"), 0))? {
                    // As after a COMMIT that was refused, the transaction is gone.
                    return Ok(());
                }
                std::thread::sleep(Duration::from_micros(self.random.below(5000)));
                if self.random.chance(70) {
                    self.simple(&format!("COMMIT PREPARED '{name}'"))?;
                    self.tally.prepared += 1;
                    self.tally.committed += 1;
                } else {
                    self.simple(&format!("ROLLBACK PREPARED '{name}'"))?;
                }
            }
        }
        Ok(())
    }

    /// Whether it was taken. Its error is counted.
    fn take(&mut self, step: &Step) -> Outcome<bool> {
        self.tally.statements += 1;
        let (text, rows, outcome) = match step {
            Step::Sql(sql, rows) => (sql, *rows, self.client.batch_execute(sql)),
            Step::Copy(sql, lines, rows) => {
                let outcome = self.client.copy_in(sql).and_then(|mut copy| {
                    // What goes wrong in writing comes out in finishing.
                    let _ = copy.write_all(lines.as_bytes());
                    copy.finish().map(|_| ())
                });
                (sql, *rows, outcome)
            }
        };
        self.tally.rows += rows;
        match outcome {
            Ok(()) => Ok(true),
            Err(error) => {
                self.tally.refuse(&error, text, &["23505", "40001", "40P01"])?;
                Ok(false)
            }
        }
    }

    fn key(&mut self) -> u64 {
        self.random.below(self.keys)
    }

    fn values(&mut self, count: u64, p: u64, q: u64) -> String {
        let rows: Vec<String> = (0..count)
            .map(|_| {
                let key = self.key();
                format!("({}, {p}, {q}, {}, 0)", self.tree.literal(key, &mut self.random), self.random.below(1000))
            })
            .collect();
        rows.join(", ")
    }

    fn step(&mut self) -> Step {
        let tree = self.tree;
        let name = tree.name;
        let columns = tree.columns.join(", ");
        let all = format!("{columns}, p, q, n, h");
        let (place, p, q) = tree.place(&mut self.random);
        let key = self.key();
        let condition = tree.is(key, &mut self.random);
        let sql = match self.random.below(104) {
            0..24 => format!("INSERT INTO {place} ({all}) VALUES {}", self.values(1, p, q)),
            24..29 => {
                let count = 2 + self.random.below(8);
                return Step::Sql(format!("INSERT INTO {place} ({all}) VALUES {}", self.values(count, p, q)), count);
            }
            29..34 => {
                // A whole range of keys, which are made free before, in the same statement or the one before.
                let count = 10 + self.random.below(60);
                let first = self.random.below(self.keys);
                let keys: Vec<String> =
                    (first..first + count).map(|key| format!("({})", tree.literal(key, &mut self.random))).collect();
                let rows: Vec<String> =
                    keys.iter().map(|key| format!("({}, {p}, {q}, 0, 0)", &key[1..key.len() - 1])).collect();
                let free = if self.random.chance(60) {
                    format!("DELETE FROM {name} WHERE ({columns}) IN ({}); ", keys.join(", "))
                } else {
                    String::new()
                };
                return Step::Sql(format!("{free}INSERT INTO {place} ({all}) VALUES {}", rows.join(", ")), count);
            }
            34..44 => {
                let other = self.key();
                format!("UPDATE {name} SET {} WHERE {condition}", tree.set(other, &mut self.random))
            }
            44..46 => {
                // Two rows exchange their keys: only a deferred check lets that pass.
                let other = self.key();
                let other_condition = tree.is(other, &mut self.random);
                return Step::Sql(
                    format!(
                        "UPDATE {name} SET {}, h = -1 WHERE {condition} AND h >= 0; UPDATE {name} SET {} WHERE {other_condition} AND h >= 0; \
                         UPDATE {name} SET h = 0 WHERE h < 0",
                        tree.set(other, &mut self.random),
                        tree.set(key, &mut self.random)
                    ),
                    2,
                );
            }
            46..54 => format!("UPDATE {name} SET h = h + 1 WHERE {condition}"),
            54..66 => format!("UPDATE {name} SET n = n + 1 WHERE {condition}"),
            66..78 => format!("DELETE FROM {name} WHERE {condition}"),
            78..80 => {
                let other = self.random.below(10);
                format!("DELETE FROM {name} WHERE n % 10 = {other}")
            }
            80..88 if !tree.inherits => {
                let (p, q) = (self.random.below(LEAVES), self.random.below(3));
                let key = if self.random.chance(25) {
                    let other = self.key();
                    format!(", {}", tree.set(other, &mut self.random))
                } else {
                    String::new()
                };
                format!("UPDATE {name} SET p = {p}, q = {q}{key} WHERE {condition}")
            }
            80..88 => format!(
                "WITH gone AS (DELETE FROM {name} WHERE {condition} RETURNING {columns}, n, h) \
                 INSERT INTO {place} ({all}) SELECT {columns}, {p}, {q}, n, h FROM gone"
            ),
            88..92 => {
                let mut body = String::new();
                for _ in 0..1 + self.random.below(5) {
                    let insert = self.values(1, p, q);
                    let catch = *self.random.pick(&[
                        "unique_violation",
                        "unique_violation",
                        "unique_violation OR deadlock_detected OR serialization_failure",
                    ]);
                    body.push_str(&format!(
                        "BEGIN INSERT INTO {place} ({all}) VALUES {insert}; EXCEPTION WHEN {catch} THEN NULL; END; "
                    ));
                }
                return Step::Sql(format!("DO $do$ BEGIN {body} END $do$"), 5);
            }
            92..97 => {
                let count = 3 + self.random.below(60);
                let first = self.random.below(self.keys);
                let mut lines = String::new();
                for key in first..first + count {
                    let literal = tree.literal(key, &mut self.random).replace('\'', "").replace(", ", "\t");
                    lines.push_str(&format!("{literal}\t{p}\t{q}\t0\t0\n"));
                }
                return Step::Copy(format!("COPY {place} ({all}) FROM STDIN"), lines, count);
            }
            97..99 if self.in_transaction => {
                let mode = *self.random.pick(&["DEFERRED", "IMMEDIATE"]);
                return Step::Sql(format!("SET CONSTRAINTS ALL {mode}"), 0);
            }
            99..101 => {
                format!("INSERT INTO {place} ({all}) VALUES {} ON CONFLICT DO NOTHING", self.values(1, p, q))
            }
            _ => format!(
                "MERGE INTO {place} t USING (VALUES {}) v({all}) ON ({}) WHEN MATCHED THEN UPDATE SET n = t.n + 1 \
                 WHEN NOT MATCHED THEN INSERT ({all}) VALUES ({})",
                self.values(1, p, q),
                tree.columns.iter().map(|c| format!("t.{c} = v.{c}")).collect::<Vec<_>>().join(" AND "),
                all.split(", ").map(|c| format!("v.{c}")).collect::<Vec<_>>().join(", ")
            ),
        };
        Step::Sql(sql, 1)
    }
}
