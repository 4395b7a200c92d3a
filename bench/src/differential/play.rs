//! A schedule, played on one side: what each statement came to, and when.

use std::time::Duration;

use citus_advisor_bench::Outcome;
use citus_advisor_bench::server::Server;
use citus_advisor_bench::sessions::{Answer, Refusal, Session, Watch};

use crate::case::{Case, Side};
use crate::schedule::{Op, Schedule};

/// Milliseconds. Who has waited so long without a deadlock never looks again: the last to wait is the victim.
const DEADLOCK_TIMEOUT: u64 = 5;

/// Runs a statement and says what was refused, field by field; all else goes on.
const TRIED: &str = r"CREATE FUNCTION differential.tried(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text; detail text; hint text; in_schema text; in_table text; of_constraint text;
BEGIN
    EXECUTE statement;
    RETURN NULL;
EXCEPTION WHEN foreign_key_violation OR unique_violation THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT,
        in_schema = SCHEMA_NAME, in_table = TABLE_NAME, of_constraint = CONSTRAINT_NAME;
    RETURN concat_ws(E'\t', SQLSTATE, message, detail, hint, in_schema, in_table, of_constraint);
END $$";

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Position in the schedule.
    pub step: usize,
    /// It had to wait for the other session.
    pub blocked: bool,
    /// How many steps had begun when it ended.
    pub ended_after: usize,
    pub answer: Answer,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// In the order in which they began.
    pub events: Vec<Event>,
    pub contents: Vec<Answer>,
    /// The most that anybody could see at any moment, of ours; of a twin those in the end.
    pub orphans: u64,
}

/// A database with two sessions and one who looks on.
pub struct Stage {
    pub side: Side,
    database: String,
    /// The foreign key is the one that everybody writes.
    classic: bool,
    sessions: [Session; 2],
    watch: Watch,
    control: Session,
    /// Sees what is committed, and waits for nobody.
    passer_by: Session,
}

impl Stage {
    pub fn open(server: &Server, database: &str, side: Side) -> Outcome<Stage> {
        let setup = format!(
            "SET client_min_messages = error; SET search_path = differential; SET deadlock_timeout = '{DEADLOCK_TIMEOUT}ms'; \
             SET statement_timeout = '10s'"
        );
        let open = || Session::open(server, database, &setup);
        let passer_by = open()?;
        passer_by.run("SET lock_timeout = '2ms'")?;
        Ok(Stage {
            side,
            database: database.to_string(),
            classic: false,
            sessions: [open()?, open()?],
            watch: Watch::open(server, database)?,
            control: open()?,
            passer_by,
        })
    }

    pub fn with_classic(self, classic: bool) -> Stage {
        Stage { classic, ..self }
    }

    fn must(&self, statement: &str) -> Outcome<()> {
        match self.control.run(statement)? {
            Answer::Done { .. } => Ok(()),
            Answer::Refused(refusal) => {
                Err(format!("{} {} {}\n  at {statement}", refusal.state, refusal.message, refusal.detail).into())
            }
        }
    }

    /// The case's tables, in place of those of the case before. `Some` is the refusal of the foreign key itself.
    pub fn build(&self, case: &Case, as_side: Side) -> Outcome<Option<Refusal>> {
        self.forget_prepared()?;
        self.must("DROP SCHEMA IF EXISTS differential CASCADE")?;
        self.must("CREATE SCHEMA differential")?;
        self.must(TRIED)?;
        for statement in case.tables(as_side) {
            self.must(&statement)?;
        }
        let mut foreign_key = case.foreign_key(as_side);
        if self.classic {
            foreign_key = foreign_key.replace("advisor.", "classic.");
        }
        match self.control.run(&foreign_key)? {
            Answer::Done { .. } => Ok(None),
            Answer::Refused(refusal) => Ok(Some(refusal)),
        }
    }

    pub fn play(&mut self, case: &Case, schedule: &Schedule) -> Outcome<Trace> {
        self.empty(case)?;
        for op in &schedule.rows {
            self.must(&op.sql(case, self.side, 0))?;
        }
        let mut events: Vec<Event> = Vec::new();
        // The event of the statement that a session is at.
        let mut at: [Option<usize>; 2] = [None, None];
        let mut left: Vec<usize> = (0..schedule.steps.len()).collect();
        let mut orphans = 0;
        while !left.is_empty() || at.iter().any(Option::is_some) {
            // The next step of a session that does not wait.
            match left.iter().position(|step| at[schedule.steps[*step].0].is_none()) {
                Some(place) => {
                    let step = left.remove(place);
                    let (session, op) = &schedule.steps[step];
                    // Names of prepared transactions are those of the whole server.
                    let sql = op
                        .sql(case, self.side, *session)
                        .replace("'prepared_", &format!("'prepared_{}_", self.database));
                    self.sessions[*session].begin(&sql)?;
                    at[*session] = Some(events.len());
                    let nothing_yet = Answer::Done { rows: Vec::new(), count: 0 };
                    events.push(Event { step, blocked: false, ended_after: 0, answer: nothing_yet });
                }
                // A deadlock, which PostgreSQL will end, or a schedule made small that has lost its end.
                None => match at.iter().position(Option::is_none) {
                    Some(idle) => drop(self.sessions[idle].run("ROLLBACK")?),
                    None => std::thread::sleep(Duration::from_millis(1)),
                },
            }
            self.settle(&mut at, &mut events)?;
            if self.side == Side::Ours {
                orphans = orphans.max(self.orphans(case)?.unwrap_or(0));
            }
        }
        // One made small may have lost its end.
        for session in &self.sessions {
            session.run("ROLLBACK")?;
        }
        let contents = case.contents().iter().map(|query| self.control.run(query)).collect::<Outcome<Vec<_>>>()?;
        let in_the_end = self.orphans(case)?.ok_or("the rows in the end cannot be read")?;
        for event in &mut events {
            if matches!(schedule.steps[event.step].1, Op::Caught(_)) {
                uncatch(&mut event.answer);
            }
        }
        Ok(Trace { events, contents, orphans: orphans.max(in_the_end) })
    }

    /// Rows without what they reference, as everybody sees them now. `None` where somebody has the tables locked.
    fn orphans(&self, case: &Case) -> Outcome<Option<u64>> {
        match self.passer_by.run(&case.orphans())? {
            Answer::Done { rows, .. } => Ok(Some(rows.join("").parse()?)),
            Answer::Refused(refusal) if refusal.state == "55P03" => Ok(None),
            Answer::Refused(refusal) => Err(format!("{} {}", refusal.state, refusal.message).into()),
        }
    }

    /// Until each session has answered or waits.
    fn settle(&mut self, at: &mut [Option<usize>; 2], events: &mut [Event]) -> Outcome<()> {
        let begun = events.len();
        loop {
            let mut changed = false;
            for (session, at) in self.sessions.iter().zip(at.iter_mut()) {
                let Some(event) = *at else { continue };
                match self.watch.settle(session)? {
                    Some(answer) => {
                        events[event].answer = answer;
                        events[event].ended_after = begun;
                        *at = None;
                        // The other one may have been let go by that.
                        changed = true;
                    }
                    None if !events[event].blocked => {
                        events[event].blocked = true;
                        // Its look for a deadlock has passed, or has ended one, before anything else happens.
                        std::thread::sleep(Duration::from_millis(DEADLOCK_TIMEOUT + 7));
                        changed = true;
                    }
                    None => {}
                }
            }
            if !changed {
                return Ok(());
            }
        }
    }

    /// A schedule made small may have lost the end of a prepared transaction, which would lock its tables for ever.
    fn forget_prepared(&self) -> Outcome<()> {
        if let Answer::Done { rows, .. } =
            self.control.run("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()")?
        {
            for gid in rows {
                self.must(&format!("ROLLBACK PREPARED '{gid}'"))?;
            }
        }
        Ok(())
    }

    /// Tables without rows, sessions without transactions.
    fn empty(&self, case: &Case) -> Outcome<()> {
        for session in &self.sessions {
            session.run("ROLLBACK")?;
        }
        self.forget_prepared()?;
        let tables = if case.itself() { "pk" } else { "pk, fk" };
        self.must("SET session_replication_role = replica")?;
        self.must(&format!("TRUNCATE {tables}"))?;
        self.must("SET session_replication_role = origin")
    }
}

/// What was refused inside is the answer, as if nobody had caught it.
fn uncatch(answer: &mut Answer) {
    let Answer::Done { rows, .. } = answer else { return };
    let Some(told) = rows.first().filter(|told| *told != "NULL") else { return };
    let mut fields = told.split('\t').map(str::to_string);
    let mut field = || fields.next().unwrap_or_default();
    *answer = Answer::Refused(Refusal {
        state: field(),
        message: field(),
        detail: field(),
        hint: field(),
        schema: field(),
        table: field(),
        constraint: field(),
    });
}

/// Why two sides may differ, and do in this schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Documented {
    Serializable,
    Moved,
    MoveIntoInsert,
    FollowsMove,
    MoveLocks,
    ChangedAndMoved,
    Order,
    OrderOfWaits,
    TruncateBeside,
    PendingEvents,
    NullLocksNothing,
    EndsEarlier,
}

impl Documented {
    pub fn reason(self) -> &'static str {
        match self {
            Documented::Serializable => {
                "40001 of SERIALIZABLE at another place: predicate locks depend on the plans of native checks"
            }
            Documented::Moved => {
                "40001 of PostgreSQL itself, for a statement that meets a row moved to another partition"
            }
            Documented::MoveIntoInsert => {
                "40P01: a key leaves a row and comes to another partition, where another session has it and waits for that row: two unique indexes"
            }
            Documented::FollowsMove => {
                "a referenced row deleted and inserted again meanwhile is found; natively only the deletion is seen"
            }
            Documented::MoveLocks => {
                "natively 40P01: in a table that references itself a row that moves locks what it references, which a plain table's does not"
            }
            Documented::ChangedAndMoved => {
                "0A000: key changed and row moved in one UPDATE, with an action that needs both keys"
            }
            Documented::Order => "of several rows that violate, another one is met first",
            Documented::OrderOfWaits => {
                "of several rows, another one is met first: one that has to be waited for, or one that violates"
            }
            Documented::TruncateBeside => {
                "40P01 beside TRUNCATE: who has written to a partition, and then wants the whole, waits for its locks one by one"
            }
            Documented::NullLocksNothing => {
                "natively 40P01 beside TRUNCATE: a native check locks the referenced table before it looks whether the key is NULL"
            }
            Documented::EndsEarlier => {
                "a wait for a row of a subtransaction within a savepoint: ours ends with the savepoint, natively with the transaction"
            }
            Documented::PendingEvents => {
                "beside TRUNCATE, which does not go past pending events: ours has one where a deferred key stays as it was, none where it is NULL"
            }
        }
    }
}

pub enum Verdict {
    Equal,
    Documented(Documented),
    /// The first step that differs; none where only the rows in the end do.
    Differs(Option<usize>),
}

pub fn compare(case: &Case, schedule: &Schedule, ours: &Trace, twin: &Trace) -> Verdict {
    // Nothing excuses an orphan, a statement that does not end, or an internal error.
    let bad = |event: &&Event| matches!(&event.answer, Answer::Refused(refusal) if ["57014", "XX000"].contains(&refusal.state.as_str()));
    // Where the twin's does not end either, the schedule is at fault: one made small has lost its end.
    let is_like_it = |event: &Event| twin.events.iter().any(|other| other.step == event.step && bad(&other));
    if let Some(event) = ours.events.iter().find(|event| bad(event) && !is_like_it(event)) {
        return Verdict::Differs(Some(event.step));
    }
    let excused = ours.orphans == 0;
    let mut pairs: Vec<(&Event, &Event)> = ours.events.iter().zip(&twin.events).collect();
    // In the order in which they ended: what ends another way is why what waits for it does so, too.
    pairs.sort_by_key(|(mine, theirs)| {
        (mine.ended_after.min(theirs.ended_after), std::cmp::Reverse(mine.step.max(theirs.step)))
    });
    for (mine, theirs) in pairs {
        let op = &schedule.steps[mine.step].1;
        let same_answer = canonical(&mine.answer, op) == canonical(&theirs.answer, op);
        // Who ended a deadlock did wait, whether or not it was seen to.
        let same_time = mine.blocked == theirs.blocked && mine.ended_after == theirs.ended_after || is_deadlock(mine);
        if same_answer && same_time && mine.step == theirs.step {
            continue;
        }
        let own_session = schedule.steps[mine.step].0;
        // What the other session was waiting with when this one began.
        let beside = ours.events.iter().find(|event| {
            event.blocked
                && event.step < mine.step
                && schedule.steps[event.step].0 != own_session
                && event.ended_after >= mine.ended_after
        });
        let around = Around {
            case,
            beside: beside.map(|event| &schedule.steps[event.step].1),
            before: schedule.of_session_before(own_session, mine.step),
            other_before: schedule.of_session_before(1 - own_session, mine.step),
            is_key_brought: schedule.steps.iter().any(|(session, op)| *session != own_session && op.brings_key()),
            let_go: mine
                .ended_after
                .checked_sub(1)
                .and_then(|place| ours.events.get(place))
                .map(|event| &schedule.steps[event.step].1),
        };
        let why = (mine.step == theirs.step).then(|| documented(&around, op, mine, theirs));
        return match why.flatten() {
            Some(documented) if excused => Verdict::Documented(documented),
            _ => Verdict::Differs(Some(mine.step)),
        };
    }
    if ours.contents != twin.contents || ours.orphans != twin.orphans {
        return Verdict::Differs(None);
    }
    Verdict::Equal
}

fn is_deadlock(event: &Event) -> bool {
    matches!(&event.answer, Answer::Refused(refusal) if refusal.state == "40P01")
}

/// What else there is in a schedule beside a statement.
struct Around<'a> {
    case: &'a Case,
    /// What the other session was waiting with.
    beside: Option<&'a Op>,
    /// What this session has done before.
    before: Vec<&'a Op>,
    /// What the other session had begun before.
    other_before: Vec<&'a Op>,
    /// A key may have come, or come back, by somebody else.
    is_key_brought: bool,
    /// What had begun last when this one of ours ended.
    let_go: Option<&'a Op>,
}

impl Around<'_> {
    /// The other session waits for one row of a statement that has written several, one of them of this key.
    fn comes_behind_in_wait(&self, op: &Op) -> bool {
        let given = op.keys_given(self.case);
        self.beside.is_some_and(|beside| {
            beside.is_on_several_rows() && beside.keys_given(self.case).iter().any(|key| given.contains(key))
        })
    }

    /// This session's transaction has the key of a row that it has written or taken, and writes another row of that key,
    /// while the other session waits with one: it is in one partition, and wants the key's row of another.
    fn writes_key_again(&self, op: &Op) -> bool {
        let given = |op: &Op, key: u64| op.keys_given(self.case).contains(&key);
        op.keys_given(self.case).iter().any(|&key| {
            let has_key = op.takes(key)
                || in_transaction(&self.before).iter().any(|op| op.takes(key) || op.writes(self.case, key));
            has_key && self.beside.is_some_and(|beside| given(beside, key))
        })
    }
}

/// The statements of the transaction that the last of them is in.
fn in_transaction<'a, 'b>(before: &'b [&'a Op]) -> &'b [&'a Op] {
    let from = before.iter().rposition(|op| op.is_of_transactions()).map_or(0, |place| place + 1);
    &before[from..]
}

fn documented(around: &Around, op: &Op, mine: &Event, theirs: &Event) -> Option<Documented> {
    let Around { case, beside, is_key_brought, .. } = *around;
    // A row moved before, in the same session.
    let has_moved = around.before.iter().any(|op| matches!(op, Op::MoveReferenced { .. } | Op::MoveReferencing { .. }));
    let refusal = |event: &Event| match &event.answer {
        Answer::Refused(refusal) => (refusal.state.clone(), refusal.message.clone()),
        Answer::Done { .. } => ("done".to_string(), String::new()),
    };
    let ((mine_state, mine_says), (their_state, they_say)) = (refusal(mine), refusal(theirs));
    let op = if let Op::Caught(op) = op { op } else { op };
    let violations = ["23503", "23505"];
    let conflicts = ["23503", "23505", "40001", "40P01"];
    let both = |states: &[&str]| states.contains(&mine_state.as_str()) && states.contains(&their_state.as_str());
    Some(match (mine_state.as_str(), their_state.as_str()) {
        _ if [&mine_says, &they_say].iter().any(|text| text.contains("read/write dependencies")) => {
            Documented::Serializable
        }
        _ if mine_state == their_state
            && mine.blocked
            && theirs.blocked
            && mine.ended_after < theirs.ended_after
            && matches!(around.let_go, Some(Op::RollbackTo))
            && in_transaction(&around.other_before).iter().any(|op| matches!(op, Op::Caught(_))) =>
        {
            Documented::EndsEarlier
        }
        ("40001", _) if op.may_meet_moved_rows() && mine_says.contains("moved to another partition") => {
            Documented::Moved
        }
        ("0A000", _) if mine_says.starts_with("cannot change a referenced key and move its row") => {
            Documented::ChangedAndMoved
        }
        ("done", "23503")
            if (op.references() || op.ends_deferral()) && mine.blocked && theirs.blocked && is_key_brought =>
        {
            Documented::FollowsMove
        }
        ("done" | "23503" | "23505", "40P01") if case.itself() && has_moved => Documented::MoveLocks,
        ("done" | "40001", "done") if case.itself() && op.moves() && mine.blocked && !theirs.blocked => {
            Documented::MoveLocks
        }
        // The row that the other one has moved has locked the row that it references.
        ("23503", "23503")
            if case.itself()
                && mine.blocked
                && !theirs.blocked
                && matches!(op, Op::DeleteReferenced { .. } | Op::DeleteMember { .. } | Op::ChangeKey { .. })
                && in_transaction(&around.other_before).iter().any(|op| op.moves()) =>
        {
            Documented::MoveLocks
        }
        _ if op.has_several_rows() && both(&violations) || op.is_on_all_rows() && both(&["40001"]) => Documented::Order,
        // Both met what they have to wait for, or cannot wait for: the one first, and the other.
        _ if op.has_several_rows()
            && both(&conflicts)
            && (mine.blocked || theirs.blocked || is_deadlock(mine) || is_deadlock(theirs)) =>
        {
            Documented::OrderOfWaits
        }
        // The one waited first, and what the other violates was gone then.
        ("23503" | "23505", "done") | ("done", "23503" | "23505")
            if op.is_on_several_rows() && mine.blocked != theirs.blocked && (mine_state == "done") == mine.blocked =>
        {
            Documented::OrderOfWaits
        }
        // Who waits in a statement on many rows has locked those before the one that it waits for.
        ("done" | "23503" | "23505", "40P01") | ("40P01", "done" | "23503" | "23505") | ("done", "done")
            if beside.is_some_and(Op::is_on_all_rows)
                && (mine.blocked != theirs.blocked || is_deadlock(mine) || is_deadlock(theirs)) =>
        {
            Documented::OrderOfWaits
        }
        ("40P01", _) if matches!(beside, Some(Op::Truncate(_))) => Documented::TruncateBeside,
        // The rows behind the one that it waits for are in their indexes, too.
        ("40P01", "done" | "23503" | "23505") if around.comes_behind_in_wait(op) => Documented::OrderOfWaits,
        ("40P01", "done" | "23503" | "23505") if around.writes_key_again(op) => Documented::MoveIntoInsert,
        ("55006", _) | (_, "55006") if matches!(op, Op::Truncate(_)) => Documented::PendingEvents,
        // MATCH FULL, and a part of the key is NULL.
        ("23503", "40P01") if op.inserts_null() && matches!(beside, Some(Op::Truncate(_))) => {
            Documented::NullLocksNothing
        }
        ("done", "40P01") if (op.ends_deferral() || op.inserts_null()) && matches!(beside, Some(Op::Truncate(_))) => {
            Documented::NullLocksNothing
        }
        _ => return None,
    })
}

/// Names of members become the name of the whole.
pub fn canonical(answer: &Answer, op: &Op) -> Answer {
    let Answer::Refused(refusal) = answer else { return answer.clone() };
    let mut refusal = refusal.clone();
    for text in [&mut refusal.message, &mut refusal.detail, &mut refusal.hint] {
        *text = text
            .split('"')
            .enumerate()
            .map(|(place, piece)| if place % 2 == 1 { whole(piece) } else { piece.to_string() })
            .collect::<Vec<_>>()
            .join("\"");
    }
    refusal.table = whole(&refusal.table);
    refusal.constraint = whole(&refusal.constraint);
    if refusal.state == "40P01" {
        // Processes and transactions have numbers.
        refusal.detail.clear();
    }
    // "due to concurrent update", or "delete": the twin's way to move locks first.
    let inner = if let Op::Caught(op) = op { op } else { op };
    if matches!(inner, Op::MoveReferenced { .. }) && refusal.state == "40001" {
        refusal.message = "could not serialize access".into();
    }
    if op.has_several_rows() {
        refusal.detail = refusal.detail.split(")=(").next().unwrap_or_default().to_string();
    }
    Answer::Refused(refusal)
}

fn whole(name: &str) -> String {
    let stem = |prefix: &str| {
        name.strip_prefix(prefix).filter(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '_')).map(|_| ())
    };
    if name.starts_with("pk") && (name.ends_with("_key") || name.ends_with("_idx")) {
        return "pk_key".into();
    }
    if name.starts_with("prepared_") {
        return "prepared".into();
    }
    // Natively a referenced partition has a part of the foreign key, of a name that PostgreSQL chooses.
    if ["fk_x_fkey", "fk_x_y_fkey", "pk_x_fkey"].iter().any(|part| name.starts_with(part)) {
        return "fk_ref".into();
    }
    for (prefix, name) in [("pk_", "pk"), ("fk_ref", "fk_ref"), ("fk_", "fk")] {
        if stem(prefix).is_some() {
            return name.into();
        }
    }
    name.to_string()
}
