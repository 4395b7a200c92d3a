//! A dirty index scan can miss a row that lives throughout: it reads the index page, the row's owner updates it non-HOT
//! and commits, the entry that was read leads to a dead tuple, and the new entry was not there yet. So after it has met
//! any entry, the check looks again in a fresh snapshot. Here are a few rows that always live in one partition, updated
//! without end through an indexed column, and sessions that insert their keys into another partition without key locks.
//! Each attempt has to be refused.
//!
//! To see that this test can fail: build the extension with RUSTFLAGS='--cfg skip_fresh_snapshot', install it, and run
//! with `expect=duplicates`.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use citus_advisor_bench::random::Random;
use citus_advisor_bench::{Outcome, sentence};

use crate::{Torture, duplicates};

/// Sessions that update; every other one inserts, each the key of a row of its own: two who insert the same key without
/// key locks would wait for each other.
const UPDATERS: u64 = 2;

pub fn run(torture: &mut Torture) -> Outcome<()> {
    torture.create_database("missed")?;
    let mut client = torture.server.connect("missed")?;
    client.batch_execute(
        "CREATE TABLE m (id bigint NOT NULL, p int NOT NULL, n int) PARTITION BY LIST (p);
         CREATE TABLE m_0 PARTITION OF m FOR VALUES IN (0);
         CREATE TABLE m_1 PARTITION OF m FOR VALUES IN (1);
         CREATE TABLE m_2 PARTITION OF m FOR VALUES IN (2);
         CREATE INDEX ON m (n);
         CREATE INDEX ON m_0 (id); CREATE INDEX ON m_1 (id); CREATE INDEX ON m_2 (id);
         SELECT advisor.add_global_unique('m', ARRAY['id']::name[])",
    )?;
    let clients = torture.options.number("clients")?.max(UPDATERS + 1);
    let keys = clients - UPDATERS;
    client.batch_execute(&format!("INSERT INTO m SELECT g, 0, 0 FROM generate_series(0, {}) g", keys - 1))?;
    let seconds = torture.seconds()?;
    let seed = torture.options.number("seed")?;
    let stop = AtomicBool::new(false);
    let (attempts, updates, slipped) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let (deadlocks, others) = (AtomicU64::new(0), std::sync::Mutex::new(Vec::<String>::new()));
    let server = &torture.server;
    let started = Instant::now();
    std::thread::scope(|scope| -> Outcome<()> {
        let mut threads = Vec::new();
        for number in 0..clients {
            let (stop, attempts, updates, slipped, deadlocks, others) =
                (&stop, &attempts, &updates, &slipped, &deadlocks, &others);
            threads.push(scope.spawn(move || -> Outcome<()> {
                let mut random = Random::new(seed, number);
                let mut client = server.connect("missed")?;
                client
                    .batch_execute("SET citus_advisor.key_locks_per_transaction = 0; SET deadlock_timeout = '50ms'")?;
                let update = client.prepare("UPDATE m_0 SET n = n + 1 WHERE id = $1")?;
                let insert = client.prepare("INSERT INTO m VALUES ($1, $2, 0)")?;
                // A key of its own beside the hot one: the check of several rows at once.
                let insert_some = client.prepare("INSERT INTO m VALUES ($3, $2, 0), ($1, $2, 0), ($4, $2, 0)")?;
                let mut fresh = 1_000_000_000 * (number as i64 + 1);
                while !stop.load(Ordering::Relaxed) {
                    if number < UPDATERS {
                        // An updater has its own rows, so that it need not wait for another one.
                        let key = (random.below(keys.div_ceil(UPDATERS)) * UPDATERS + number) as i64;
                        match client.execute(&update, &[&key]) {
                            Ok(_) => _ = updates.fetch_add(1, Ordering::Relaxed),
                            Err(error) => others.lock().expect("not poisoned").push(sentence(&error)),
                        }
                        continue;
                    }
                    let key = (number - UPDATERS) as i64;
                    attempts.fetch_add(1, Ordering::Relaxed);
                    let leaf = 1 + random.below(2) as i32;
                    fresh += 2;
                    let outcome = if random.chance(70) {
                        client.execute(&insert, &[&key, &leaf])
                    } else {
                        client.execute(&insert_some, &[&key, &leaf, &(fresh), &(fresh + 1)])
                    };
                    match outcome {
                        Ok(_) => {
                            slipped.fetch_add(1, Ordering::Relaxed);
                            let deleted = client.execute("DELETE FROM m WHERE id = $1 AND p > 0", &[&key]);
                            if let Err(error) = deleted {
                                others.lock().expect("not poisoned").push(sentence(&error));
                            }
                        }
                        Err(error) => match error.code().map(|code| code.code()) {
                            Some("23505") => {}
                            Some("40P01" | "40001") => _ = deadlocks.fetch_add(1, Ordering::Relaxed),
                            _ => others.lock().expect("not poisoned").push(sentence(&error)),
                        },
                    }
                }
                Ok(())
            }));
        }
        let outcome = (|| -> Outcome<()> {
            // While a snapshot is held, dead versions pile up: the scan has more to read between page and live row.
            let mut holder = server.connect("missed")?;
            let mut vacuum = server.connect("missed")?;
            while started.elapsed() < seconds && !threads.iter().any(|thread| thread.is_finished()) {
                holder.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM m")?;
                std::thread::sleep(Duration::from_millis(150));
                holder.batch_execute("COMMIT")?;
                vacuum.batch_execute("VACUUM (TRUNCATE false) m")?;
                std::thread::sleep(Duration::from_millis(100));
            }
            Ok(())
        })();
        stop.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.join().map_err(|_| "a client died")??;
        }
        outcome
    })?;
    let slipped = slipped.into_inner();
    println!(
        "missed-tuple: {:.0} s: {} inserts of keys that are there, beside {} non-HOT updates of their rows; {} got in, {} deadlocks",
        started.elapsed().as_secs_f64(),
        attempts.into_inner(),
        updates.into_inner(),
        slipped,
        deadlocks.into_inner()
    );
    torture.check_duplicates("each insert of a key that is there is refused", slipped);
    let others = others.into_inner().expect("all threads are gone");
    torture.check("no SQLSTATE but 23505, 40P01", others.first().cloned());
    let left = duplicates(&mut client, "m", "id")?;
    if !torture.expects_duplicates() {
        torture.check_duplicates("unique at the end", left);
    }
    Ok(())
}
