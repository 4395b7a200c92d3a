//! Transactions of 200,000 rows at default settings, in the three ways to write one, while another session works: in the
//! same tree, and with as many locks as it likes elsewhere.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use citus_advisor_bench::{Outcome, sentence};
use postgres::Client;

use crate::{Torture, duplicates};

const ROWS: i64 = 200_000;

pub fn run(torture: &mut Torture) -> Outcome<()> {
    torture.create_database("large")?;
    let mut client = torture.server.connect("large")?;
    client.batch_execute(
        "CREATE TABLE t (id bigint NOT NULL, p int NOT NULL) PARTITION BY LIST (p);
         CREATE TABLE unrelated (k int) PARTITION BY LIST (k);
         DO $$ BEGIN
           FOR i IN 0..4 LOOP
             EXECUTE format('CREATE TABLE t_%s PARTITION OF t FOR VALUES IN (%s)', i, i);
             EXECUTE format('CREATE UNIQUE INDEX ON t_%s (id)', i);
           END LOOP;
           FOR i IN 1..60 LOOP EXECUTE format('CREATE TABLE unrelated_%s PARTITION OF unrelated FOR VALUES IN (%s)', i, i); END LOOP;
         END $$;
         SELECT advisor.add_global_unique('t', 'id')",
    )?;
    let mut others = 0;
    type Way = (&'static str, fn(&mut Client, i64) -> Result<(), postgres::Error>);
    let ways: [Way; 3] = [
        ("one INSERT", |client, first| {
            client.batch_execute(&format!(
                "INSERT INTO t SELECT g, g % 5 FROM generate_series({first}, {first} + {ROWS} - 1) g"
            ))
        }),
        ("one COPY", |client, first| {
            let mut lines = Vec::new();
            for id in first..first + ROWS {
                lines.extend_from_slice(format!("{id}\t{}\n", id % 5).as_bytes());
            }
            let mut copy = client.copy_in("COPY t FROM STDIN")?;
            let _ = copy.write_all(&lines);
            copy.finish().map(|_| ())
        }),
        ("200,000 inserts in one transaction", |client, first| {
            let mut transaction = client.transaction()?;
            let insert = transaction.prepare("INSERT INTO t VALUES ($1, $2)")?;
            for id in first..first + ROWS {
                transaction.execute(&insert, &[&id, &((id % 5) as i32)])?;
            }
            transaction.commit()
        }),
    ];
    for (number, (name, way)) in ways.iter().enumerate() {
        let stop = AtomicBool::new(false);
        let server = &torture.server;
        let (outcome, beside) = std::thread::scope(|scope| {
            let stop = &stop;
            let beside = scope.spawn(move || -> Outcome<i64> {
                let mut client = server.connect("large")?;
                let mut done = 0i64;
                while !stop.load(Ordering::Relaxed) || done == 0 {
                    done += 1;
                    let id = -(number as i64 * 10_000_000) - done;
                    client.batch_execute(&format!("INSERT INTO t VALUES ({id}, {})", done % 5))?;
                    client.batch_execute("SELECT count(*) FROM unrelated")?;
                }
                Ok(done)
            });
            let outcome = way(&mut client, number as i64 * ROWS);
            stop.store(true, Ordering::Relaxed);
            (outcome, beside.join())
        });
        torture.check(*name, outcome.err().map(|error| sentence(&error)));
        let failure = match beside.map_err(|_| "the session beside died")? {
            Ok(done) => {
                others += done;
                println!("large: {name}, and beside it {done} inserts and {done} readings of 60 tables");
                None
            }
            Err(error) => Some(sentence(error.as_ref())),
        };
        torture.check(format!("{name}: another session works"), failure);
    }
    let rows: i64 = client.query_one("SELECT count(*) FROM t", &[])?.get(0);
    torture.check_equal("all rows are there", rows, 3 * ROWS + others);
    let found = duplicates(&mut client, "t", "id")?;
    torture.check_duplicates("unique", found);
    for (name, statement) in [
        (
            "one duplicate among 200,000 rows of an INSERT",
            format!("INSERT INTO t SELECT g, (g + 1) % 5 FROM generate_series({}, {}) g", 3 * ROWS - 1, 4 * ROWS),
        ),
        (
            "one duplicate within 200,000 new rows",
            format!(
                "INSERT INTO t SELECT CASE g WHEN {0} THEN {0} + 1 ELSE g END, CASE g WHEN {0} THEN ({0} + 2) % 5 ELSE g % 5 END FROM generate_series({1}, {2}) g",
                4 * ROWS + 777,
                4 * ROWS,
                5 * ROWS
            ),
        ),
    ] {
        let state =
            client.batch_execute(&statement).err().and_then(|error| error.code().map(|code| code.code().to_string()));
        torture.check_equal(name, state, Some("23505".to_string()));
    }
    Ok(())
}
