//! A global foreign key beside a native one: the same rows, the same schedules of two sessions. What each statement
//! comes to has to be the same: whether it waits, its error with all fields, its rows, and what is there in the end.
//!
//! Cases (tables, key, actions, MATCH, deferrability) and schedules are drawn from a seed. Where a plain referenced
//! table differs, a partitioned one is asked: PostgreSQL itself treats the two differently above READ COMMITTED, and
//! ours has to be like one of them throughout a schedule. What may differ else is listed in `play::Documented`.
//!
//! `ours=native` plays native against native, which has to be equal; `ours=classic` the triggers that everybody
//! writes, which have to be found out.

mod case;
mod play;
mod schedule;
mod shrink;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use citus_advisor_bench::options::Options;
use citus_advisor_bench::server::Server;
use citus_advisor_bench::{CLASSIC, Outcome, run_program};

use case::{Case, Side};
use play::{Documented, Stage, Trace, Verdict, compare};
use schedule::Schedule;
use shrink::Difference;

const OPTIONS: &[(&str, &str, &str)] = &[
    ("seconds", "20", "how long"),
    ("cases", "1_000_000", "at most so many cases"),
    ("first", "0", "the first case"),
    ("each", "12", "schedules of each case"),
    ("schedule", "", "only the schedule of this number, of the first case"),
    ("seed", "1", "of all chance"),
    ("ours", "extension", "extension; native: against itself; classic: the triggers that everybody writes"),
    ("only", "", "only cases whose description contains this: Inherited, SetDefault, Deferred, ..."),
    ("differences", "5", "end after so many that do not look alike, each made small"),
    ("show", "", "print the documented differences of this kind: Order, Moved, ..."),
    ("settings", "", "more lines of postgresql.conf, separated by ;"),
    ("expect", "equal", "equal, or different: the run passes if it found some"),
];

/// A schedule that is not small by then is printed as it is.
const MOST_SHRINKING: Duration = Duration::from_secs(15);

struct Differential {
    ours: Stage,
    plain: Stage,
    partitioned: Stage,
    /// What plays ours: its tables.
    shape: Side,
}

#[derive(Default)]
struct Tally {
    cases: u64,
    schedules: u64,
    steps: u64,
    waits: u64,
    refused: BTreeMap<String, u64>,
    equal: u64,
    as_partitioned: u64,
    documented: BTreeMap<Documented, u64>,
    unsteady: u64,
}

/// What a schedule came to, with the twin that it was compared with last.
enum Found {
    Equal,
    AsPartitioned,
    Documented(Documented, Box<Difference>, Side),
    Different(Box<Difference>, Side),
}

fn main() {
    run_program(|| {
        let options = Options::parse(std::env::args().skip(1), "differential [name=value ...]", OPTIONS)?;
        let settings = format!(
            "max_prepared_transactions = 10\nmax_connections = 30\n{}",
            options.text("settings").replace(';', "\n")
        );
        let server = Server::start(&settings)?;
        let extension = "CREATE EXTENSION citus_advisor;".to_string();
        let (setup, shape) = match options.text("ours") {
            "extension" => (extension, Side::Ours),
            // Beside our unique, so that the foreign key alone makes the difference.
            "classic" => (
                extension + &CLASSIC.replace("advisor.", "classic.").replace("SCHEMA advisor", "SCHEMA classic"),
                Side::Ours,
            ),
            "native" => (String::new(), Side::Plain),
            other => return Err(format!("ours={other}: there are extension, native, classic").into()),
        };
        server.create_database("ours", &setup)?;
        server.create_database("plain", "")?;
        server.create_database("partitioned", "")?;
        let mut differential = Differential {
            ours: Stage::open(&server, "ours", shape)?.with_classic(options.text("ours") == "classic"),
            plain: Stage::open(&server, "plain", Side::Plain)?,
            partitioned: Stage::open(&server, "partitioned", Side::Partitioned)?,
            shape,
        };
        differential.run(&options)
    })
}

impl Differential {
    fn run(&mut self, options: &Options) -> Outcome<bool> {
        let started = Instant::now();
        let time = Duration::from_secs(options.number("seconds")?);
        let seed = options.number("seed")?;
        let first = options.number("first")?;
        let each = options.number("each")?;
        let most = options.number("differences")? as usize;
        let expects_differences = options.text("expect") == "different";
        let mut tally = Tally::default();
        let mut differences = 0;
        // What the differences found so far look like: the same again is counted, not made small.
        let mut seen: BTreeMap<String, u64> = BTreeMap::new();
        for number in first..first.saturating_add(options.number("cases")?) {
            if started.elapsed() > time || seen.len() >= most {
                break;
            }
            let case = Case::at(number, seed);
            if !format!("{case:?}").contains(options.text("only")) {
                continue;
            }
            self.build(&case).map_err(|error| format!("case {number}: {error}"))?;
            tally.cases += 1;
            let chosen = match options.text("schedule") {
                "" => 0..each,
                _ => options.number("schedule")?..options.number("schedule")? + 1,
            };
            for place in chosen {
                let schedule = schedule::draw(&case, (seed << 40) ^ (number << 20) ^ place);
                let name = format!("seed={seed} first={number} schedule={place} cases=1");
                match self.ask(&case, &schedule, &mut tally).map_err(|error| format!("{name}: {error}"))? {
                    Found::Equal => tally.equal += 1,
                    Found::AsPartitioned => tally.as_partitioned += 1,
                    Found::Documented(why, difference, twin) => {
                        *tally.documented.entry(why).or_default() += 1;
                        if format!("{why:?}") == options.text("show") {
                            println!("\n{why:?} ({name}):");
                            shrink::print(&difference, twin);
                        }
                    }
                    Found::Different(once, other) => {
                        // Once more: the machine may have been slow.
                        let Found::Different(difference, twin) = self.ask(&case, &schedule, &mut tally)? else {
                            tally.unsteady += 1;
                            println!("\nunsteady ({name}), once it was:");
                            shrink::print(&once, other);
                            continue;
                        };
                        differences += 1;
                        let times = seen.entry(difference.look()).or_default();
                        *times += 1;
                        if *times > 1 {
                            continue;
                        }
                        println!("\nDIFFERENT ({name}):");
                        let (small, twin) = self.shrink(*difference, twin)?;
                        shrink::print(&small, twin);
                        *seen.entry(small.look()).or_default() += 1;
                        self.build(&case)?;
                    }
                }
            }
        }
        let documented: u64 = tally.documented.values().sum();
        println!(
            "differential: {:.0} s, seed {seed}: {} cases, {} schedules, {} statements, {} of them waited; refused: {:?}",
            started.elapsed().as_secs_f64(),
            tally.cases,
            tally.schedules,
            tally.steps,
            tally.waits,
            tally.refused
        );
        println!(
            "  equal {}, as a native key to a partitioned table {}, documented {documented}, unsteady {}, different {differences}",
            tally.equal, tally.as_partitioned, tally.unsteady
        );
        for (why, count) in &tally.documented {
            println!("  {count} documented: {}", why.reason());
        }
        for (look, count) in &seen {
            println!("  {count} different: {look}");
        }
        let met = tally.waits > 0 && tally.refused.contains_key("23503");
        let failed = if expects_differences { u64::from(seen.is_empty()) } else { differences + u64::from(!met) };
        if !met {
            println!("FAILED  no statement waited, or none was refused: nothing was compared");
        }
        if expects_differences && differences == 0 {
            println!("FAILED  no difference was found, and this one should have some");
        }
        println!("{} passed, {failed} failed", tally.equal + tally.as_partitioned);
        Ok(failed == 0)
    }

    fn build(&self, case: &Case) -> Outcome<()> {
        for (stage, shape) in
            [(&self.plain, Side::Plain), (&self.partitioned, Side::Partitioned), (&self.ours, self.shape)]
        {
            if let Some(refusal) = stage.build(case, shape)? {
                return Err(format!(
                    "the foreign key is refused: {} {} {} {}\n  at {}",
                    refusal.state,
                    refusal.message,
                    refusal.detail,
                    refusal.hint,
                    case.foreign_key(shape)
                )
                .into());
            }
        }
        Ok(())
    }

    fn ask(&mut self, case: &Case, schedule: &Schedule, tally: &mut Tally) -> Outcome<Found> {
        let (ours, plain) = (&mut self.ours, &mut self.plain);
        let (mine, theirs) = std::thread::scope(|scope| {
            let mine = scope.spawn(|| ours.play(case, schedule));
            let theirs = plain.play(case, schedule);
            (mine.join().map_err(|_| "a stage died"), theirs)
        });
        let (mine, theirs): (Trace, Trace) = (mine??, theirs?);
        tally.schedules += 1;
        tally.steps += mine.events.len() as u64;
        for event in &mine.events {
            tally.waits += u64::from(event.blocked);
            if let citus_advisor_bench::sessions::Answer::Refused(refusal) = &event.answer {
                *tally.refused.entry(refusal.state.clone()).or_default() += 1;
            }
        }
        let difference = |ours: Trace, twin: Trace, step| {
            Box::new(Difference { case: *case, schedule: schedule.clone(), ours, twin, step })
        };
        let step = match compare(case, schedule, &mine, &theirs) {
            Verdict::Equal => return Ok(Found::Equal),
            Verdict::Documented(why) => {
                return Ok(Found::Documented(why, difference(mine, theirs, None), Side::Plain));
            }
            Verdict::Differs(step) => step,
        };
        let other = self.partitioned.play(case, schedule)?;
        match compare(case, schedule, &mine, &other) {
            Verdict::Equal => return Ok(Found::AsPartitioned),
            Verdict::Documented(why) => {
                return Ok(Found::Documented(why, difference(mine, other, None), Side::Partitioned));
            }
            // The twin that ours keeps up with longer says more.
            Verdict::Differs(further) if further.unwrap_or(usize::MAX) > step.unwrap_or(usize::MAX) => {
                return Ok(Found::Different(difference(mine, other, further), Side::Partitioned));
            }
            Verdict::Differs(_) => {}
        }
        Ok(Found::Different(difference(mine, theirs, step), Side::Plain))
    }

    fn shrink(&mut self, difference: Difference, twin: Side) -> Outcome<(Difference, Side)> {
        let mut built = difference.case;
        let mut twin = twin;
        let mut ignored = Tally::default();
        let started = Instant::now();
        let small = shrink::shrink(difference, |case, schedule| {
            if started.elapsed() > MOST_SHRINKING {
                return Ok(None);
            }
            if *case != built {
                self.build(case)?;
                built = *case;
            }
            match self.ask(case, schedule, &mut ignored) {
                Ok(Found::Different(found, side)) => {
                    twin = side;
                    Ok(Some(*found))
                }
                // An error: the rows that are there before need one that was taken away.
                _ => Ok(None),
            }
        })?;
        Ok((small, twin))
    }
}
