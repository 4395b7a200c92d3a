//! Sessions that take one statement at a time each, and a look at whether a statement waits for another session.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use postgres::{Client, SimpleQueryMessage, Statement};

use crate::server::Server;
use crate::{Outcome, sentence};

/// What the server said to a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The rows, and the number of rows that the command tag tells.
    Done {
        rows: Vec<String>,
        count: u64,
    },
    Refused(Refusal),
}

/// An error with the fields that a client program can read.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Refusal {
    pub state: String,
    pub message: String,
    pub detail: String,
    pub hint: String,
    pub schema: String,
    pub table: String,
    pub constraint: String,
}

/// A connection with a thread of its own, so that others can go on while it waits.
pub struct Session {
    pub pid: i32,
    statements: Sender<String>,
    answers: Receiver<Result<Answer, String>>,
}

impl Session {
    pub fn open(server: &Server, database: &str, setup: &str) -> Outcome<Session> {
        let mut client = server.connect(database)?;
        client.batch_execute(setup)?;
        let pid = client.query_one("SELECT pg_backend_pid()", &[])?.get(0);
        let (statements, to_run) = channel::<String>();
        let (told, answers) = channel();
        std::thread::spawn(move || {
            while let Ok(statement) = to_run.recv() {
                if told.send(answer(&mut client, &statement)).is_err() {
                    return;
                }
            }
        });
        Ok(Session { pid, statements, answers })
    }

    pub fn begin(&self, statement: &str) -> Outcome<()> {
        self.statements.send(statement.to_string()).map_err(|_| "the session is gone".into())
    }

    /// The answer, if it comes within that time.
    pub fn wait(&self, time: Duration) -> Outcome<Option<Answer>> {
        match self.answers.recv_timeout(time) {
            Ok(answer) => Ok(Some(answer?)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err("the session is gone".into()),
        }
    }

    /// For a statement that nothing holds up.
    pub fn run(&self, statement: &str) -> Outcome<Answer> {
        self.begin(statement)?;
        self.wait(Duration::from_secs(60))?.ok_or_else(|| format!("no answer in a minute: {statement}").into())
    }
}

fn answer(client: &mut Client, statement: &str) -> Result<Answer, String> {
    match client.simple_query(statement) {
        Ok(messages) => {
            let (mut rows, mut count) = (Vec::new(), 0);
            for message in messages {
                match message {
                    SimpleQueryMessage::Row(row) => {
                        rows.push((0..row.len()).map(|n| row.get(n).unwrap_or("NULL")).collect::<Vec<_>>().join(" | "))
                    }
                    SimpleQueryMessage::CommandComplete(number) => count = number,
                    _ => {}
                }
            }
            Ok(Answer::Done { rows, count })
        }
        Err(error) => match error.as_db_error() {
            None => Err(format!("{} at {statement}", sentence(&error))),
            Some(error) => {
                // The error is told before the transaction is rolled back: its locks are gone with the next answer.
                client.simple_query("").map_err(|error| sentence(&error))?;
                let text = |field: Option<&str>| field.unwrap_or_default().to_string();
                Ok(Answer::Refused(Refusal {
                    state: error.code().code().to_string(),
                    message: error.message().to_string(),
                    detail: text(error.detail()),
                    hint: text(error.hint()),
                    schema: text(error.schema()),
                    table: text(error.table()),
                    constraint: text(error.constraint()),
                }))
            }
        },
    }
}

/// Tells which backends wait for a lock.
pub struct Watch {
    client: Client,
    blocked: Statement,
}

impl Watch {
    pub fn open(server: &Server, database: &str) -> Outcome<Watch> {
        let mut client = server.connect(database)?;
        // A serializable transaction that waits for a safe snapshot waits for no lock; none is used here.
        let blocked = client.prepare("SELECT cardinality(pg_catalog.pg_blocking_pids($1)) > 0")?;
        Ok(Watch { client, blocked })
    }

    pub fn is_blocked(&mut self, session: &Session) -> Outcome<bool> {
        Ok(self.client.query_one(&self.blocked, &[&session.pid])?.get(0))
    }

    /// The session's answer, or None once it waits for a lock.
    pub fn settle(&mut self, session: &Session) -> Outcome<Option<Answer>> {
        let started = Instant::now();
        // Most statements answer at once: they need no look at locks.
        let mut time = Duration::from_millis(4);
        loop {
            if let Some(answer) = session.wait(time)? {
                return Ok(Some(answer));
            }
            if self.is_blocked(session)? {
                // It may have been let go since, and have answered.
                return session.wait(Duration::ZERO);
            }
            if started.elapsed() > Duration::from_secs(60) {
                return Err("a statement neither answers nor waits for a lock".into());
            }
            time = Duration::from_millis(1);
        }
    }
}
