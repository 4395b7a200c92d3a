//! 40 writers with open transactions on 1,000 partitions, at default settings: a check that kept a lock on each
//! partition would fill the lock table at the sixteenth.

use std::sync::Barrier;

use citus_advisor_bench::{Outcome, sentence};

use crate::{Torture, duplicates};

const PARTITIONS: i64 = 1000;
const WRITERS: i64 = 40;

pub fn run(torture: &mut Torture) -> Outcome<()> {
    torture.create_database("thousand")?;
    let mut client = torture.server.connect("thousand")?;
    client.batch_execute("CREATE TABLE t (id bigint NOT NULL, p int NOT NULL) PARTITION BY LIST (p)")?;
    for first in (0..PARTITIONS).step_by(100) {
        client.batch_execute(&format!(
            "DO $$ BEGIN FOR i IN {first}..{} LOOP \
             EXECUTE format('CREATE TABLE t_%s PARTITION OF t FOR VALUES IN (%s)', i, i); \
             EXECUTE format('CREATE UNIQUE INDEX ON t_%s (id)', i); END LOOP; END $$",
            first + 99
        ))?;
    }
    client.batch_execute("SELECT advisor.add_global_unique('t', 'id')")?;
    let barrier = Barrier::new(WRITERS as usize);
    let server = &torture.server;
    let mut errors = Vec::new();
    std::thread::scope(|scope| -> Outcome<()> {
        let threads: Vec<_> = (0..WRITERS)
            .map(|number| {
                let barrier = &barrier;
                scope.spawn(move || -> Vec<String> {
                    let mut errors = Vec::new();
                    let mut client = server.connect("thousand");
                    if let Err(error) = &client {
                        errors.push(sentence(error.as_ref()));
                    }
                    // Whatever happens, each writer comes to each barrier.
                    let mut run = |sql: &str| {
                        if let Ok(client) = &mut client
 && let Err(error) = client.batch_execute(sql)
{
errors.push(sentence(&error));
}
                    };
                    for round in 0..5 {
                        run("BEGIN");
                        for row in 0..3 {
                            let id = (round * 10 + row) * WRITERS + number;
                            run(&format!("INSERT INTO t VALUES ({id}, {})", (id * 37) % PARTITIONS));
                        }
                        // All of them are in the middle of it.
                        barrier.wait();
                        run(&format!("INSERT INTO t SELECT g * {WRITERS} + {number}, g % {PARTITIONS} FROM generate_series({0}, {0} + 20) g", 1_000_000 + round * 100));
                        barrier.wait();
                        run("COMMIT");
                    }
                    errors
                })
            })
            .collect();
        for thread in threads {
            errors.extend(thread.join().map_err(|_| "a writer died")?);
        }
        Ok(())
    })?;
    let rows: i64 = client.query_one("SELECT count(*) FROM t", &[])?.get(0);
    println!("partitions: {WRITERS} writers on {PARTITIONS} partitions, {rows} rows, {} errors", errors.len());
    torture.check("40 open transactions on 1,000 partitions, no error", errors.first().cloned());
    torture.check_equal("all rows are there", rows, WRITERS * 5 * 24);
    let found = duplicates(&mut client, "t", "id")?;
    torture.check_duplicates("unique", found);
    Ok(())
}
