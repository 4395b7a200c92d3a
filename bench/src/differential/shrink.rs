//! A schedule that differs, made small, and printed as SQL that a person can type.

use citus_advisor_bench::Outcome;
use citus_advisor_bench::sessions::Answer;

use crate::case::{Case, Side};
use crate::play::Trace;
use crate::schedule::{Op, Schedule};

/// What a difference is: a case, a schedule, and what both sides made of it.
pub struct Difference {
    pub case: Case,
    pub schedule: Schedule,
    pub ours: Trace,
    pub twin: Trace,
    pub step: Option<usize>,
}

impl Difference {
    /// The statement that differs, without its values, and what both sides made of it.
    pub fn look(&self) -> String {
        let Some(step) = self.step else { return "the rows in the end".into() };
        let side = |trace: &Trace| {
            let event = trace.events.iter().find(|event| event.step == step);
            event.map_or("not reached".to_string(), |event| {
                let waits = if event.blocked { "waits, " } else { "" };
                match &event.answer {
                    Answer::Done { .. } => format!("{waits}done"),
                    Answer::Refused(refusal) => format!("{waits}{}", refusal.state),
                }
            })
        };
        let op = format!("{:?}", self.schedule.steps[step].1);
        let name = op.split([' ', '{']).next().unwrap_or_default();
        format!("{name}: ours {}, native {}", side(&self.ours), side(&self.twin))
    }
}

/// Takes away whatever the difference does not need. `ask` plays a smaller one, and returns it if it differs still.
pub fn shrink(
    mut difference: Difference,
    mut ask: impl FnMut(&Case, &Schedule) -> Outcome<Option<Difference>>,
) -> Outcome<Difference> {
    loop {
        let mut smaller = None;
        for (case, schedule) in candidates(&difference) {
            if let Some(found) = ask(&case, &schedule)? {
                smaller = Some(found);
                break;
            }
        }
        match smaller {
            Some(found) => difference = found,
            None => return Ok(difference),
        }
    }
}

fn candidates(difference: &Difference) -> Vec<(Case, Schedule)> {
    let Difference { case, schedule, step, .. } = difference;
    let mut all = Vec::new();
    let mut offer = |case: &Case, rows: Vec<Op>, steps: Vec<(usize, Op)>| {
        all.push((*case, Schedule { rows, steps }));
    };
    // Everything behind the step that differs.
    if let Some(step) = step
        && step + 1 < schedule.steps.len()
    {
        offer(case, schedule.rows.clone(), schedule.steps[..=*step].to_vec());
    }
    // A whole session; then pairs and single steps.
    for session in 0..2 {
        let steps: Vec<_> = schedule.steps.iter().filter(|(s, _)| *s != session).cloned().collect();
        if !steps.is_empty() && steps.len() < schedule.steps.len() {
            offer(case, schedule.rows.clone(), steps);
        }
    }
    for length in [2, 1] {
        for first in 0..schedule.steps.len() {
            let session = schedule.steps[first].0;
            // Neighbours within one session, such as BEGIN and COMMIT around what is gone.
            let taken: Vec<usize> = schedule
                .steps
                .iter()
                .enumerate()
                .skip(first)
                .filter(|(_, (s, _))| *s == session)
                .map(|(n, _)| n)
                .take(length)
                .collect();
            if taken.len() == length && schedule.steps.len() > length {
                let steps =
                    schedule.steps.iter().enumerate().filter(|(n, _)| !taken.contains(n)).map(|(_, s)| s.clone());
                offer(case, schedule.rows.clone(), steps.collect());
            }
        }
    }
    for begin in 0..schedule.steps.len() {
        // BEGIN and its end, without what is between.
        let (session, op) = &schedule.steps[begin];
        if matches!(op, Op::Begin(_)) {
            let end = schedule
                .steps
                .iter()
                .enumerate()
                .skip(begin + 1)
                .find(|(_, (s, op))| s == session && matches!(op, Op::Commit | Op::Rollback | Op::Prepare));
            if let Some((end, _)) = end {
                let steps =
                    schedule.steps.iter().enumerate().filter(|(n, _)| *n != begin && *n != end).map(|(_, s)| s.clone());
                offer(case, schedule.rows.clone(), steps.collect());
            }
        }
    }
    for row in 0..schedule.rows.len() {
        let mut rows = schedule.rows.clone();
        rows.remove(row);
        offer(case, rows, schedule.steps.clone());
    }
    for (n, (session, op)) in schedule.steps.iter().enumerate() {
        for simpler in op.simpler() {
            let mut steps = schedule.steps.clone();
            steps[n] = (*session, simpler);
            offer(case, schedule.rows.clone(), steps);
        }
    }
    for simpler in case.simpler() {
        offer(&simpler, schedule.rows.clone(), schedule.steps.clone());
    }
    all
}

pub fn print(difference: &Difference, twin: Side) {
    let Difference { case, schedule, ours, .. } = difference;
    let other = &difference.twin;
    println!("-- {case:?}");
    for side in [Side::Ours, twin] {
        println!("-- {}:", if side == Side::Ours { "ours" } else { "native" });
        let foreign_key = case.foreign_key(side);
        for statement in case
            .tables(side)
            .iter()
            .chain([&foreign_key])
            .chain(&schedule.rows.iter().map(|op| op.sql(case, side, 0)).collect::<Vec<_>>())
        {
            println!("{statement};");
        }
    }
    for (place, event) in ours.events.iter().enumerate() {
        let (session, op) = &schedule.steps[event.step];
        let theirs = other.events.get(place);
        let session_name = ["A", "B"][*session];
        println!("{session_name}: {};", op.sql(case, Side::Ours, *session));
        let native_sql = op.sql(case, twin, *session);
        if native_sql != op.sql(case, Side::Ours, *session) {
            println!("   (native: {native_sql};)");
        }
        let begun = |event: &crate::play::Event| {
            if event.blocked { format!("waits, ends after statement {}: ", event.ended_after) } else { String::new() }
        };
        let mine = format!("{}{}", begun(event), words(&event.answer));
        let native = match theirs {
            Some(theirs) if theirs.step == event.step => format!("{}{}", begun(theirs), words(&theirs.answer)),
            Some(theirs) => format!("(another step: {})", theirs.step),
            None => "nothing".into(),
        };
        if mine == native {
            println!("   both:   {mine}");
        } else {
            println!("   ours:   {mine}\n   native: {native}");
        }
    }
    for (mine, theirs) in ours.contents.iter().zip(&other.contents) {
        if mine == theirs {
            println!("in the end both:   {}", words(mine));
        } else {
            println!("in the end ours:   {}\n           native: {}", words(mine), words(theirs));
        }
    }
    if ours.orphans != other.orphans || ours.orphans != 0 {
        println!("orphans: ours {}, native {}", ours.orphans, other.orphans);
    }
}

fn words(answer: &Answer) -> String {
    match answer {
        Answer::Done { rows, count } if rows.is_empty() => format!("done ({count})"),
        Answer::Done { rows, .. } => format!("rows ({})", rows.join("), (")),
        Answer::Refused(refusal) => {
            let mut text = format!("{} {}", refusal.state, refusal.message);
            for (name, field) in [
                ("DETAIL", &refusal.detail),
                ("HINT", &refusal.hint),
                ("TABLE", &refusal.table),
                ("CONSTRAINT", &refusal.constraint),
                ("SCHEMA", &refusal.schema),
            ] {
                if !field.is_empty() {
                    text.push_str(&format!(" {name} {field}"));
                }
            }
            text
        }
    }
}
