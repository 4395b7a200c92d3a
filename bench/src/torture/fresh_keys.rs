//! Keys that nobody has had before, each tried by several clients at once in different partitions: keys move on by more
//! than a range each time, so that what is remembered of "this partition cannot hold such keys" is wrong at the very
//! moment when it matters. Rows are never deleted: a duplicate that got in is there at the end.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use citus_advisor_bench::random::{Random, splitmix64};
use citus_advisor_bench::{Outcome, sentence};
use postgres::Client;

use crate::{Torture, duplicates};

/// Name, type of the key, deferred.
const TREES: &[(&str, &str, bool)] = &[
    ("f_bigint", "bigint", false),
    ("f_int", "int", false),
    ("f_text", "text COLLATE \"C\"", false),
    ("f_uuid", "uuid", false),
    ("f_time", "timestamptz", false),
    ("f_late", "bigint", true),
];
const LEAVES: u64 = 5;

/// The key of that number. Most numbers lie in ranges of their own, some in the range of the one before.
fn literal(tree: &str, number: u64) -> String {
    let (range, within) = (number / 3, number % 3);
    match tree {
        "f_int" => ((range as i64 % 30_000) * 70_000 + (range as i64 / 30_000) * 4 + within as i64).to_string(),
        "f_text" => format!("'{range:08}{within}'"),
        "f_uuid" => {
            format!("'{:08x}-0000-4000-8000-00000000000{within}'", range.wrapping_mul(0x10001) as u32)
        }
        "f_time" => {
            format!("'2000-01-01Z'::timestamptz + {range} * interval '3 hours' + {within} * interval '1 second'")
        }
        // Up and down, near and far.
        _ => ((splitmix64(range) as i64 >> (range % 30)).wrapping_add(within as i64)).to_string(),
    }
}

/// A key that only this client has.
fn own_literal(tree: &str, client: u64, number: u64) -> String {
    match tree {
        "f_int" => (-(1 + client as i64) * 1_000_000 - number as i64).to_string(),
        "f_text" => format!("'own {client} {number}'"),
        "f_uuid" => format!("'ffffffff-{client:04x}-4000-8000-{number:012x}'"),
        "f_time" => {
            format!("'1900-01-01Z'::timestamptz - {client} * interval '1 year' - {number} * interval '1 second'")
        }
        _ => format!("'-{}'", 5_000_000_000_000_000_000 + client * 1_000_000_000_000 + number),
    }
}

pub fn run(torture: &mut Torture) -> Outcome<()> {
    torture.create_database("fresh")?;
    let mut client = torture.server.connect("fresh")?;
    for (name, key, late) in TREES {
        client.batch_execute(&format!(
            "CREATE TABLE {name} (id {key} NOT NULL, p int NOT NULL) PARTITION BY LIST (p);
             DO $$ BEGIN FOR i IN 0..{} LOOP
               EXECUTE format('CREATE TABLE {name}_%s PARTITION OF {name} FOR VALUES IN (%s)', i, i);
               EXECUTE format('CREATE INDEX ON {name}_%s (id)', i);
             END LOOP; END $$;
             SELECT advisor.add_global_unique('{name}', ARRAY['id']::name[], NULL, {late}, {late})",
            LEAVES - 1
        ))?;
    }
    let seconds = torture.seconds()?;
    let clients = torture.options.number("clients")?;
    let seed = torture.options.number("seed")?;
    let stop = AtomicBool::new(false);
    let current: Vec<AtomicU64> = TREES.iter().map(|_| AtomicU64::new(0)).collect();
    let (attempts, accepted, refused, retries) =
        (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let unexpected = Mutex::new(Vec::<String>::new());
    let server = &torture.server;
    let started = Instant::now();
    std::thread::scope(|scope| -> Outcome<()> {
        let mut threads = Vec::new();
        for number in 0..clients {
            let (stop, current, unexpected) = (&stop, &current, &unexpected);
            let (attempts, accepted, refused, retries) = (&attempts, &accepted, &refused, &retries);
            threads.push(scope.spawn(move || -> Outcome<()> {
                let mut random = Random::new(seed, number);
                let mut client = server.connect("fresh")?;
                let mut own = 0;
                while !stop.load(Ordering::Relaxed) {
                    let tree = random.below(TREES.len() as u64) as usize;
                    // All meet at one tree for a while.
                    let tree = if random.chance(85) {
                        (started.elapsed().as_millis() as u64 / 50 % TREES.len() as u64) as usize
                    } else {
                        tree
                    };
                    let name = TREES[tree].0;
                    let key = current[tree].load(Ordering::Relaxed);
                    own += 10;
                    attempts.fetch_add(1, Ordering::Relaxed);
                    match attempt(&mut client, &mut random, name, key, number, own) {
                        Ok(()) => {
                            accepted.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(error) => {
                            match error.code().map(|code| code.code()) {
                                Some("23505") => _ = refused.fetch_add(1, Ordering::Relaxed),
                                Some("40P01" | "40001") => _ = retries.fetch_add(1, Ordering::Relaxed),
                                _ => unexpected.lock().expect("not poisoned").push(sentence(&error)),
                            }
                            // After a COMMIT that was refused there is none, and that is a warning.
                            if error.code().is_none() {
                                return Err(error.into());
                            }
                            client.batch_execute("DO 'BEGIN END'").or_else(|_| client.batch_execute("ROLLBACK"))?;
                        }
                    }
                    if random.below(clients) == 0 {
                        let _ = current[tree].compare_exchange(key, key + 1, Ordering::Relaxed, Ordering::Relaxed);
                    }
                }
                Ok(())
            }));
        }
        let outcome = (|| -> Outcome<()> {
            let mut random = Random::new(seed, u64::MAX);
            let mut ddl = server.connect("fresh")?;
            ddl.batch_execute("SET lock_timeout = '500ms'; SET deadlock_timeout = '5s'")?;
            while started.elapsed() < seconds && !threads.iter().any(|thread| thread.is_finished()) {
                std::thread::sleep(Duration::from_millis(150));
                let name = random.pick(TREES).0;
                let leaf = random.below(LEAVES);
                // What makes everybody read the tree anew, while they write.
                let statement = match random.below(6) {
                    0 => format!("VACUUM (TRUNCATE false) {name}"),
                    1 => format!("REINDEX TABLE {name}_{leaf}"),
                    2 => format!(
                        "BEGIN; ALTER TABLE {name} DETACH PARTITION {name}_{leaf}; \
                         ALTER TABLE {name} ATTACH PARTITION {name}_{leaf} FOR VALUES IN ({leaf}); COMMIT"
                    ),
                    3 => format!("CREATE TABLE {name}_more PARTITION OF {name} DEFAULT; DROP TABLE {name}_more"),
                    4 => format!("CLUSTER {name}_{leaf} USING {name}_{leaf}_id_idx"),
                    _ => format!("ANALYZE {name}"),
                };
                if let Err(error) = ddl.batch_execute(&statement) {
                    match error.code().map(|code| code.code()) {
                        Some("55P03" | "40P01" | "40001") => {}
                        _ => {
                            unexpected.lock().expect("not poisoned").push(format!("{statement}: {}", sentence(&error)))
                        }
                    }
                    let _ = ddl.batch_execute("ROLLBACK");
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
    let keys: u64 = current.iter().map(|number| number.load(Ordering::Relaxed)).sum();
    println!(
        "fresh-keys: {:.0} s, {clients} clients, seed {seed}: {keys} keys, {} transactions, {} went through, {} refused, {} deadlocks \
         and serialization failures",
        started.elapsed().as_secs_f64(),
        attempts.into_inner(),
        accepted.into_inner(),
        refused.into_inner(),
        retries.into_inner()
    );
    for (name, ..) in TREES {
        let found = duplicates(&mut client, name, "id")?;
        if found > 0 {
            let sample = client.query(
                &format!("SELECT id::text || ' in ' || string_agg(p::text, ', ') FROM {name} GROUP BY id HAVING count(*) > 1 LIMIT 3"),
                &[],
            )?;
            for row in sample {
                println!("fresh-keys: {name}: {}", row.get::<_, String>(0));
            }
        }
        torture.check_duplicates(format!("{name} unique"), found);
    }
    let unexpected = unexpected.into_inner().expect("all threads are gone");
    torture.check("no SQLSTATE but 23505, 40001, 40P01", unexpected.first().cloned());
    Ok(())
}

/// One transaction that has the key, in one of the ways to write one.
fn attempt(
    client: &mut Client,
    random: &mut Random,
    tree: &str,
    number: u64,
    me: u64,
    own: u64,
) -> Result<(), postgres::Error> {
    let key = literal(tree, number);
    let leaf = random.below(LEAVES);
    let target = if random.chance(50) { tree.to_string() } else { format!("{tree}_{leaf}") };
    let insert = format!("INSERT INTO {target} VALUES ({key}, {leaf})");
    let locks = *random.pick(&[0, 0, 1, 64, 64]);
    client.batch_execute(&format!("SET citus_advisor.key_locks_per_transaction = {locks}"))?;
    match random.below(11) {
        0..3 => client.batch_execute(&insert),
        3 => client.batch_execute(&format!("BEGIN; {insert}; COMMIT")),
        4 => client.batch_execute(&format!("BEGIN; SAVEPOINT a; {insert}; ROLLBACK TO SAVEPOINT a; {insert}; COMMIT")),
        5 => {
            client.batch_execute(&format!("BEGIN; SAVEPOINT a; {insert}; ROLLBACK TO SAVEPOINT a"))?;
            let other = random.below(LEAVES);
            client.batch_execute(&format!("INSERT INTO {tree} VALUES ({key}, {other})"))?;
            client.batch_execute("COMMIT")
        }
        6 => {
            client.batch_execute(&format!("BEGIN; {insert}"))?;
            if random.chance(50) {
                std::thread::sleep(Duration::from_micros(random.below(2000)));
            }
            client.batch_execute("ROLLBACK")
        }
        7 => {
            client.batch_execute(&format!("BEGIN; {insert}"))?;
            let gid = format!("fresh_{me}");
            client.batch_execute(&format!("PREPARE TRANSACTION '{gid}'"))?;
            std::thread::sleep(Duration::from_micros(random.below(1000)));
            let end = if random.chance(60) { "COMMIT" } else { "ROLLBACK" };
            client.batch_execute(&format!("{end} PREPARED '{gid}'"))
        }
        8 => {
            let level = *random.pick(&["REPEATABLE READ", "SERIALIZABLE"]);
            client.batch_execute(&format!("BEGIN ISOLATION LEVEL {level}; SELECT 1 FROM {tree} LIMIT 1"))?;
            client.batch_execute(&insert)?;
            client.batch_execute("COMMIT")
        }
        9 => {
            // Among others, by the check of many rows.
            let rows: Vec<String> = (0..5).map(|n| format!("({}, {leaf})", own_literal(tree, me, own + n))).collect();
            client.batch_execute(&format!("INSERT INTO {target} VALUES {}, ({key}, {leaf})", rows.join(", ")))
        }
        _ => {
            // By a change of the key, with or without a move.
            let mine = own_literal(tree, me, own);
            client.batch_execute(&format!("INSERT INTO {tree} VALUES ({mine}, {leaf})"))?;
            let other = random.below(LEAVES);
            client.batch_execute(&format!("UPDATE {tree} SET id = {key}, p = {other} WHERE id = {mine}"))
        }
    }
}
