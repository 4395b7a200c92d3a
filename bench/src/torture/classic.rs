//! The case to the letter: `master` with five children by year, a serial primary key and a comment, both unique.

use std::sync::Barrier;

use citus_advisor_bench::{Outcome, sentence};
use postgres::Client;

use crate::{Torture, duplicates};

const YEARS: std::ops::Range<u32> = 2010..2015;

pub fn run(torture: &mut Torture) -> Outcome<()> {
    for tree in ["inheritance", "declarative"] {
        torture.create_database(tree)?;
        let mut client = torture.server.connect(tree)?;
        create(&mut client, tree == "inheritance")?;
        fifty_connections(torture, &mut client, tree)?;
        for column in ["id", "comment"] {
            pgbench(torture, &mut client, tree, column)?;
        }
    }
    Ok(())
}

fn create(client: &mut Client, inherits: bool) -> Outcome<()> {
    let columns = "dummy int DEFAULT (random() * 31449600)::integer, comment text, ts timestamptz DEFAULT now()";
    client.batch_execute(&if inherits {
        format!("CREATE TABLE master (id serial PRIMARY KEY, {columns})")
    } else {
        // A primary key of the whole would have to contain ts: that is why they copy the trigger.
        format!("CREATE TABLE master (id serial, {columns}) PARTITION BY RANGE (ts)")
    })?;
    for (number, year) in YEARS.enumerate() {
        let (from, to) = (format!("{year}-01-01 00:00:00+00"), format!("{}-01-01 00:00:00+00", year + 1));
        client.batch_execute(&if inherits {
            format!(
                "CREATE TABLE child{number} (CHECK (ts >= '{from}' AND ts < '{to}'), PRIMARY KEY (id)) INHERITS (master)"
            )
        } else {
            format!(
                "CREATE TABLE child{number} PARTITION OF master FOR VALUES FROM ('{from}') TO ('{to}'); \
                 ALTER TABLE child{number} ADD PRIMARY KEY (id)"
            )
        })?;
    }
    client.batch_execute(
        "SELECT advisor.add_global_unique('master', 'id'); SELECT advisor.add_global_unique('master', 'comment');
         CREATE TABLE refused (what text)",
    )?;
    Ok(())
}

/// 500 inserts of count(*)+1 into the five children, from 50 connections at once.
fn fifty_connections(torture: &mut Torture, client: &mut Client, tree: &str) -> Outcome<()> {
    let barrier = Barrier::new(50);
    let server = &torture.server;
    let (mut accepted, mut refused, mut others) = (0, 0, Vec::new());
    std::thread::scope(|scope| -> Outcome<()> {
        let threads: Vec<_> = (0..50u32)
            .map(|number| {
                let barrier = &barrier;
                scope.spawn(move || -> Outcome<(u64, u64, Vec<String>)> {
                    let connected = server.connect(tree);
                    barrier.wait();
                    let mut client = connected?;
                    let (mut accepted, mut refused, mut others) = (0, 0, Vec::new());
                    for attempt in 0..10 {
                        let child = (number + attempt) % 5;
                        let outcome = client.batch_execute(&format!(
                            "INSERT INTO child{child} (id, comment, ts) \
                             SELECT count(*) + 1, 'comment {number} {attempt}', '{}-06-01' FROM master",
                            YEARS.start + child
                        ));
                        match outcome {
                            Ok(()) => accepted += 1,
                            Err(error) if error.code().is_some_and(|code| code.code() == "23505") => refused += 1,
                            Err(error) => others.push(sentence(&error)),
                        }
                    }
                    Ok((accepted, refused, others))
                })
            })
            .collect();
        for thread in threads {
            let (a, r, o) = thread.join().map_err(|_| "a client died")??;
            accepted += a;
            refused += r;
            others.extend(o);
        }
        Ok(())
    })?;
    println!("classic, {tree}: 500 inserts from 50 connections: {accepted} accepted, {refused} refused");
    torture.check(format!("{tree}, 50 connections: refused with 23505 only"), others.first().cloned());
    check_dense(torture, client, &format!("{tree}, 50 connections"), accepted)
}

/// Keys are counts: as long as they are unique they are 1, 2, 3 and so on, without a gap.
fn check_dense(torture: &mut Torture, client: &mut Client, name: &str, accepted: u64) -> Outcome<()> {
    let found = duplicates(client, "master", "id")?;
    torture.check_duplicates(format!("{name}: id unique"), found);
    let row = client.query_one("SELECT count(*), coalesce(max(id), 0)::bigint FROM master", &[])?;
    let (rows, highest): (i64, i64) = (row.get(0), row.get(1));
    torture.check_equal(format!("{name}: as many rows as were accepted"), rows as u64, accepted);
    if !torture.expects_duplicates() {
        torture.check_equal(format!("{name}: keys without a gap"), highest, rows);
    }
    Ok(())
}

/// Five clients of pgbench; each transaction a DO block that catches and counts the violation.
fn pgbench(torture: &mut Torture, client: &mut Client, tree: &str, column: &str) -> Outcome<()> {
    client.batch_execute("TRUNCATE master; TRUNCATE refused; SELECT setval('master_id_seq', 1, false)")?;
    let (names, values) = match column {
        "id" => ("id", "count(*) + 1"),
        // Serial keys for the rest.
        _ => ("comment", "'duplicated ' || count(*)"),
    };
    let script = torture.server.folder().join("classic.pgbench");
    std::fs::write(
        &script,
        format!(
            "\\set child random(0, 4)\n\\set year {} + :child\n\
             DO $$ BEGIN INSERT INTO child:child ({names}, ts) SELECT {values}, ':year-06-01'::timestamptz FROM master; \
             EXCEPTION WHEN unique_violation THEN INSERT INTO refused VALUES (sqlerrm); END $$;\n",
            YEARS.start
        ),
    )?;
    let output = torture
        .server
        .program("pgbench")
        .args(["-n", "-c", "5", "-j", "2", "-T", torture.options.text("seconds"), "-f"])
        .arg(&script)
        .arg(tree)
        .output()?;
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let done: u64 = said
        .lines()
        .find_map(|line| line.strip_prefix("number of transactions actually processed: ")?.trim().parse().ok())
        .unwrap_or(0);
    let name = format!("{tree}, five clients, {column}");
    torture.check(
        format!("{name}: no error but what they catch"),
        if output.status.success() && !said.contains("aborted") { None } else { Some(said) },
    );
    let row = client.query_one("SELECT (SELECT count(*) FROM master), (SELECT count(*) FROM refused)", &[])?;
    let (rows, refused) = (row.get::<_, i64>(0) as u64, row.get::<_, i64>(1) as u64);
    println!("classic, {tree}, {column}: {done} attempts, {rows} accepted, {refused} refused");
    torture.check_equal(format!("{name}: every other attempt is refused"), rows + refused, done);
    torture.check(
        format!("{name}: clients met"),
        if refused > 0 { None } else { Some("no attempt was refused".to_string()) },
    );
    if column == "id" {
        check_dense(torture, client, &name, rows)
    } else {
        let found = duplicates(client, "master", "comment")?;
        torture.check_duplicates(format!("{name}: unique"), found);
        Ok(())
    }
}
