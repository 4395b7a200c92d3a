//! What the clients of a mode did, and how it ended.

use std::collections::BTreeMap;

use citus_advisor_bench::{Outcome, sentence};

#[derive(Default)]
pub struct Tally {
    pub transactions: u64,
    pub statements: u64,
    pub rows: u64,
    pub committed: u64,
    pub prepared: u64,
    pub refused: BTreeMap<String, u64>,
    /// What no client should see, with an example.
    pub unexpected: BTreeMap<String, (u64, String)>,
}

impl Tally {
    pub fn add(&mut self, other: Tally) {
        self.transactions += other.transactions;
        self.statements += other.statements;
        self.rows += other.rows;
        self.committed += other.committed;
        self.prepared += other.prepared;
        for (state, count) in other.refused {
            *self.refused.entry(state).or_default() += count;
        }
        for (state, (count, example)) in other.unexpected {
            self.unexpected.entry(state).or_insert((0, example)).0 += count;
        }
    }

    /// Counts an error, which may have one of the `permitted` SQLSTATEs. One of the connection itself cannot be gone on from.
    pub fn refuse(&mut self, error: &postgres::Error, statement: &str, permitted: &[&str]) -> Outcome<()> {
        let Some(state) = error.code().map(|code| code.code().to_string()) else {
            return Err(format!("{} at {statement}", sentence(error)).into());
        };
        if permitted.contains(&state.as_str()) {
            *self.refused.entry(state).or_default() += 1;
        } else {
            let mut example = format!("{}; statement: {statement}", sentence(error));
            example.truncate(600);
            self.unexpected.entry(state).or_insert((0, example)).0 += 1;
        }
        Ok(())
    }
}
