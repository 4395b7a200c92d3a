//! Who does what in which order: drawn at random from a seed, written as SQL for each side.

use citus_advisor_bench::random::Random;

use crate::case::{Case, Key, Referenced, Referencing, Side};

/// A statement. Keys and rows are positions; `Case` knows how they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    Begin(&'static str),
    Commit,
    Rollback,
    Prepare,
    CommitPrepared,
    RollbackPrepared,
    Savepoint,
    RollbackTo,
    Release,
    Constraints {
        deferred: bool,
        named: bool,
    },
    /// Takes the snapshot of a transaction above READ COMMITTED.
    Look,
    /// In an EXCEPTION block.
    Caught(Box<Op>),
    InsertReferenced {
        keys: Vec<u64>,
        place: u64,
        direct: bool,
    },
    ChangeKey {
        key: u64,
        to: u64,
        form: u64,
    },
    TouchReferenced {
        key: u64,
    },
    MoveReferenced {
        key: u64,
        place: u64,
    },
    /// Without a key, all rows.
    DeleteReferenced {
        key: Option<u64>,
    },
    DeleteMember {
        place: u64,
    },
    LockReferenced {
        key: u64,
        strength: &'static str,
    },
    InsertReferencing {
        rows: Vec<(u64, Reference)>,
        place: u64,
        direct: bool,
    },
    ChangeReference {
        row: Option<u64>,
        to: Reference,
    },
    TouchReferencing {
        row: u64,
    },
    MoveReferencing {
        row: u64,
        place: u64,
    },
    DeleteReferencing {
        row: u64,
    },
    LockReferencing {
        row: u64,
        strength: &'static str,
    },
    Truncate(Truncated),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    To {
        key: u64,
        form: u64,
    },
    Null,
    /// Of two columns the first is NULL.
    Half {
        key: u64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truncated {
    Referenced,
    ReferencedCascade,
    Referencing,
    Both,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// What is there before.
    pub rows: Vec<Op>,
    /// Session and statement.
    pub steps: Vec<(usize, Op)>,
}

impl Schedule {
    /// What a session has begun before this step.
    pub fn of_session_before(&self, session: usize, step: usize) -> Vec<&Op> {
        self.steps[..step].iter().filter(|(other, _)| *other == session).map(|(_, op)| op).collect()
    }
}

/// Positions of referencing rows begin here, so that in a table that references itself they are keys of their own.
const FIRST_ROW: u64 = 4;

impl Case {
    fn number(position: u64) -> u64 {
        if position < FIRST_ROW { position + 1 } else { position + 6 }
    }

    fn key_literal(&self, key: u64, form: u64) -> String {
        let number = Case::number(key);
        match self.key {
            Key::Two => format!("{}, {}", 1 + key / 2 % 2, 1 + key % 2),
            Key::Numeric => format!("{number}{}", ["", ".0", ".00"][(form % 3) as usize]),
            Key::Text => format!("'k{number}'"),
            Key::Integer | Key::Wider => number.to_string(),
        }
    }

    fn row_literal(&self, row: u64) -> String {
        if self.itself() { self.key_literal(row, 0) } else { Case::number(row).to_string() }
    }

    fn reference_literal(&self, reference: Reference) -> String {
        match reference {
            Reference::To { key, form } => self.key_literal(key, form),
            Reference::Null if self.two() => "NULL, NULL".into(),
            Reference::Null => "NULL".into(),
            Reference::Half { key } => format!("NULL, {}", 1 + key % 2),
        }
    }

    fn is_key(&self, key: u64) -> String {
        if self.two() {
            format!("(a, b) = ({})", self.key_literal(key, 0))
        } else {
            format!("id = {}", self.key_literal(key, 0))
        }
    }

    fn is_row(&self, row: u64) -> String {
        format!("{} = {}", self.row_columns().0, self.row_literal(row))
    }

    fn referenced_member(&self, side: Side, place: u64, direct: bool) -> &'static str {
        if side != Side::Ours {
            return "pk";
        }
        match (self.referenced, place % 3, direct) {
            (Referenced::Partitioned, _, false) | (Referenced::Inherited, 0, _) => "pk",
            (Referenced::Partitioned, 0, true) => "pk_0",
            (_, 1, _) => "pk_1",
            (Referenced::Partitioned, _, true) => "pk_2_0",
            (Referenced::Inherited, _, _) => "pk_2",
        }
    }

    fn referencing_member(&self, side: Side, place: u64, direct: bool) -> &'static str {
        match (self.referencing, side, place % 2) {
            (Referencing::Itself, _, _) => self.referenced_member(side, place, direct),
            (Referencing::Partitioned, _, 0) if direct => "fk_0",
            (Referencing::Partitioned, _, _) if direct => "fk_1",
            (Referencing::Inherited, Side::Ours, 1) => "fk_1",
            _ => "fk",
        }
    }

    fn places(&self) -> u64 {
        if self.itself() { 3 } else { 2 }
    }
}

impl Op {
    /// More than one row may be at fault, and which one is met first depends on where they lie.
    pub fn has_several_rows(&self) -> bool {
        match self {
            Op::InsertReferenced { keys, .. } => keys.len() > 1,
            Op::InsertReferencing { rows, .. } => rows.len() > 1,
            Op::DeleteReferenced { key: None } | Op::DeleteMember { .. } | Op::ChangeReference { row: None, .. } => {
                true
            }
            // Deferred checks of several statements.
            Op::Commit | Op::Prepare | Op::Constraints { .. } => true,
            Op::Caught(op) => op.has_several_rows(),
            _ => false,
        }
    }

    /// A statement of the user's on a partitioned table, which PostgreSQL itself ends where a row has moved.
    pub fn may_meet_moved_rows(&self) -> bool {
        match self {
            Op::Caught(op) => op.may_meet_moved_rows(),
            Op::ChangeKey { .. }
            | Op::TouchReferenced { .. }
            | Op::MoveReferenced { .. }
            | Op::DeleteReferenced { .. }
            | Op::DeleteMember { .. }
            | Op::LockReferenced { .. }
            | Op::ChangeReference { .. }
            | Op::TouchReferencing { .. }
            | Op::MoveReferencing { .. }
            | Op::DeleteReferencing { .. }
            | Op::LockReferencing { .. } => true,
            _ => false,
        }
    }

    /// It writes a key that has to be looked for.
    pub fn references(&self) -> bool {
        matches!(self, Op::InsertReferencing { .. } | Op::ChangeReference { .. })
    }

    /// A row that references nothing.
    pub fn inserts_null(&self) -> bool {
        match self {
            Op::Caught(op) => op.inserts_null(),
            Op::InsertReferencing { rows, .. } => rows.iter().any(|(_, to)| !matches!(to, Reference::To { .. })),
            _ => false,
        }
    }

    /// Keys that rows have after it.
    pub fn keys_given(&self, case: &Case) -> Vec<u64> {
        match self {
            Op::Caught(op) => op.keys_given(case),
            Op::InsertReferenced { keys, .. } => keys.clone(),
            Op::ChangeKey { to: key, .. } | Op::MoveReferenced { key, .. } => vec![*key],
            Op::InsertReferencing { rows, .. } if case.itself() => rows.iter().map(|(row, _)| *row).collect(),
            Op::MoveReferencing { row, .. } if case.itself() => vec![*row],
            _ => Vec::new(),
        }
    }

    /// A row that has the key may lose it, or leave its partition.
    pub fn takes(&self, of: u64) -> bool {
        match self {
            Op::Caught(op) => op.takes(of),
            Op::ChangeKey { key, .. } | Op::MoveReferenced { key, .. } | Op::DeleteReferenced { key: Some(key) } => {
                *key == of
            }
            Op::MoveReferencing { row, .. } | Op::DeleteReferencing { row } => *row == of,
            Op::DeleteReferenced { key: None } | Op::DeleteMember { .. } => true,
            _ => false,
        }
    }

    /// A row that has the key is written, and keeps it.
    pub fn writes(&self, case: &Case, key: u64) -> bool {
        match self {
            Op::Caught(op) => op.writes(case, key),
            Op::TouchReferenced { key: of } => *of == key,
            Op::ChangeReference { row, .. } => case.itself() && row.is_none_or(|row| row == key),
            Op::TouchReferencing { row } => case.itself() && *row == key,
            _ => self.keys_given(case).contains(&key),
        }
    }

    /// A row goes to another partition.
    pub fn moves(&self) -> bool {
        match self {
            Op::Caught(op) => op.moves(),
            Op::MoveReferenced { .. } | Op::MoveReferencing { .. } => true,
            _ => false,
        }
    }

    /// It locks rows one after the other, in the order in which they lie.
    pub fn is_on_all_rows(&self) -> bool {
        match self {
            Op::Caught(op) => op.is_on_all_rows(),
            Op::DeleteReferenced { key: None } | Op::DeleteMember { .. } | Op::ChangeReference { row: None, .. } => {
                true
            }
            _ => false,
        }
    }

    /// One statement that writes several rows.
    pub fn is_on_several_rows(&self) -> bool {
        match self {
            Op::Caught(op) => op.is_on_several_rows(),
            _ => self.has_several_rows() && !self.ends_deferral(),
        }
    }

    /// Begins or ends a transaction.
    pub fn is_of_transactions(&self) -> bool {
        matches!(self, Op::Begin(_) | Op::Commit | Op::Rollback | Op::Prepare)
    }

    /// Checks that were put off are made.
    pub fn ends_deferral(&self) -> bool {
        matches!(self, Op::Commit | Op::Prepare | Op::Constraints { .. })
    }

    /// A key may be somewhere after it where it was not before.
    pub fn brings_key(&self) -> bool {
        match self {
            Op::Caught(op) => op.brings_key(),
            Op::InsertReferenced { .. } | Op::ChangeKey { .. } | Op::MoveReferenced { .. } => true,
            _ => false,
        }
    }

    pub fn sql(&self, case: &Case, side: Side, session: usize) -> String {
        let (row_column, place_column) = case.row_columns();
        let fk = case.referencing_table();
        match self {
            Op::Begin(level) => format!("BEGIN ISOLATION LEVEL {level}"),
            Op::Commit => "COMMIT".into(),
            Op::Rollback => "ROLLBACK".into(),
            Op::Prepare => format!("PREPARE TRANSACTION 'prepared_{session}'"),
            Op::CommitPrepared => format!("COMMIT PREPARED 'prepared_{session}'"),
            Op::RollbackPrepared => format!("ROLLBACK PREPARED 'prepared_{session}'"),
            Op::Savepoint => "SAVEPOINT s".into(),
            Op::RollbackTo => "ROLLBACK TO SAVEPOINT s".into(),
            Op::Release => "RELEASE SAVEPOINT s".into(),
            Op::Constraints { deferred, named } => format!(
                "SET CONSTRAINTS {} {}",
                if *named { "fk_ref" } else { "ALL" },
                if *deferred { "DEFERRED" } else { "IMMEDIATE" }
            ),
            Op::Look => "SELECT count(*) FROM pk".into(),
            Op::Caught(op) => format!("SELECT tried($op${}$op$)", op.sql(case, side, session)),
            Op::InsertReferenced { keys, place, direct } => {
                let member = case.referenced_member(side, *place, *direct);
                let (columns, reference) = if case.itself() { (", x", ", NULL") } else { ("", "") };
                let rows: Vec<String> = keys
                    .iter()
                    .map(|key| format!("({}, {}{reference})", case.key_literal(*key, 0), place % 3))
                    .collect();
                format!("INSERT INTO {member} ({}, p{columns}) VALUES {}", case.referenced_columns(), rows.join(", "))
            }
            Op::ChangeKey { key, to, form } => {
                let literal = case.key_literal(*to, *form);
                if case.two() {
                    format!("UPDATE pk SET (a, b) = ROW({literal}) WHERE {}", case.is_key(*key))
                } else {
                    format!("UPDATE pk SET id = {literal} WHERE {}", case.is_key(*key))
                }
            }
            Op::TouchReferenced { key } => format!("UPDATE pk SET v = v + 1 WHERE {}", case.is_key(*key)),
            Op::MoveReferenced { key, place } => {
                let condition = format!("{} AND p <> {}", case.is_key(*key), place % 3);
                if case.referenced == Referenced::Inherited {
                    let columns =
                        format!("{}, {}v{}", case.referenced_columns(), "", if case.itself() { ", x" } else { "" });
                    return format!(
                        "WITH gone AS (DELETE FROM pk WHERE {condition} RETURNING *) \
                         INSERT INTO {} ({columns}, p) SELECT {columns}, {} FROM gone",
                        case.referenced_member(side, *place, true),
                        place % 3
                    );
                }
                match side {
                    Side::Ours => format!("UPDATE pk SET p = {} WHERE {condition}", place % 3),
                    // To move is to delete here: who wants the row has to wait.
                    _ => format!(
                        "WITH moved AS MATERIALIZED (SELECT 1 FROM pk WHERE {condition} FOR UPDATE) \
                         UPDATE pk SET p = {} WHERE {condition} AND (SELECT count(*) FROM moved) >= 0",
                        place % 3
                    ),
                }
            }
            Op::DeleteReferenced { key: Some(key) } => format!("DELETE FROM pk WHERE {}", case.is_key(*key)),
            Op::DeleteReferenced { key: None } => "DELETE FROM pk".into(),
            Op::DeleteMember { place } => {
                // Its rows are in the tables that their column p tells, but where updates of that column do not move them.
                if case.referenced == Referenced::Inherited && case.itself() {
                    return format!("DELETE FROM pk WHERE p = {}", place % 3);
                }
                let only = if case.referenced == Referenced::Inherited && side == Side::Ours { "ONLY " } else { "" };
                format!("DELETE FROM {only}{} WHERE p = {}", case.referenced_member(side, *place, true), place % 3)
            }
            Op::LockReferenced { key, strength } => {
                format!("SELECT p FROM pk WHERE {} FOR {strength}", case.is_key(*key))
            }
            Op::InsertReferencing { rows, place, direct } => {
                let member = case.referencing_member(side, *place, *direct);
                let place = place % case.places();
                let rows: Vec<String> = rows
                    .iter()
                    .map(|(row, reference)| {
                        format!("({}, {place}, {})", case.row_literal(*row), case.reference_literal(*reference))
                    })
                    .collect();
                format!(
                    "INSERT INTO {member} ({row_column}, {place_column}, {}) VALUES {}",
                    case.columns(),
                    rows.join(", ")
                )
            }
            Op::ChangeReference { row, to } => {
                let literal = case.reference_literal(*to);
                let condition = match row {
                    Some(row) => format!(" WHERE {}", case.is_row(*row)),
                    None => String::new(),
                };
                if case.two() {
                    format!("UPDATE {fk} SET (x, y) = ROW({literal}){condition}")
                } else {
                    format!("UPDATE {fk} SET x = {literal}{condition}")
                }
            }
            Op::TouchReferencing { row } => format!("UPDATE {fk} SET v = v + 1 WHERE {}", case.is_row(*row)),
            Op::MoveReferencing { row, place } => {
                let place = place % case.places();
                let condition = format!("{} AND {place_column} <> {place}", case.is_row(*row));
                if case.referencing == Referencing::Inherited {
                    let columns = format!("rid, {}, v", case.columns());
                    return format!(
                        "WITH gone AS (DELETE FROM fk WHERE {condition} RETURNING *) \
                         INSERT INTO {} ({columns}, r) SELECT {columns}, {place} FROM gone",
                        case.referencing_member(side, place, true)
                    );
                }
                format!("UPDATE {fk} SET {place_column} = {place} WHERE {condition}")
            }
            Op::DeleteReferencing { row } => format!("DELETE FROM {fk} WHERE {}", case.is_row(*row)),
            Op::LockReferencing { row, strength } => {
                format!("SELECT v FROM {fk} WHERE {} FOR {strength}", case.is_row(*row))
            }
            Op::Truncate(what) => match what {
                Truncated::Referenced => "TRUNCATE pk".into(),
                Truncated::ReferencedCascade => "TRUNCATE pk CASCADE".into(),
                Truncated::Referencing => format!("TRUNCATE {fk}"),
                Truncated::Both if case.itself() => "TRUNCATE pk".into(),
                Truncated::Both => "TRUNCATE pk, fk".into(),
            },
        }
    }

    /// Statements that say less.
    pub fn simpler(&self) -> Vec<Op> {
        match self {
            Op::Caught(op) => vec![(**op).clone()],
            Op::Begin(level) if *level != "READ COMMITTED" => vec![Op::Begin("READ COMMITTED")],
            Op::Prepare => vec![Op::Commit],
            Op::InsertReferenced { keys, place, direct } => {
                let mut simpler: Vec<Op> = Vec::new();
                if keys.len() > 1 {
                    simpler.extend(keys.iter().map(|key| Op::InsertReferenced {
                        keys: vec![*key],
                        place: *place,
                        direct: *direct,
                    }));
                }
                if *direct {
                    simpler.push(Op::InsertReferenced { keys: keys.clone(), place: *place, direct: false });
                }
                simpler
            }
            Op::InsertReferencing { rows, place, direct } => {
                let mut simpler: Vec<Op> = Vec::new();
                if rows.len() > 1 {
                    simpler.extend(rows.iter().map(|row| Op::InsertReferencing {
                        rows: vec![*row],
                        place: *place,
                        direct: *direct,
                    }));
                }
                if *direct {
                    simpler.push(Op::InsertReferencing { rows: rows.clone(), place: *place, direct: false });
                }
                simpler
            }
            _ => Vec::new(),
        }
    }
}

struct Author<'a> {
    case: &'a Case,
    random: Random,
    /// The key and the row that most statements are about, so that they meet.
    key: u64,
    row: u64,
}

pub fn draw(case: &Case, seed: u64) -> Schedule {
    let mut random = Random::new(seed, 0xd1ff);
    let (key, row) = (random.below(3), FIRST_ROW + random.below(3));
    let mut author = Author { case, random, key, row };
    let mut rows = Vec::new();
    for key in 0..3 {
        if author.random.chance(90) {
            rows.push(Op::InsertReferenced { keys: vec![key], place: key, direct: false });
        }
    }
    for row in 0..2 {
        let key = row;
        let is_there = rows.contains(&Op::InsertReferenced { keys: vec![key], place: key, direct: false });
        if is_there && author.random.chance(70) {
            rows.push(Op::InsertReferencing {
                rows: vec![(FIRST_ROW + row, Reference::To { key, form: 0 })],
                place: row,
                direct: false,
            });
        }
    }
    let scripts = [author.script(), author.script()];
    let mut steps = Vec::new();
    let mut at = [0, 0];
    let mut session = 0;
    while at[0] < scripts[0].len() || at[1] < scripts[1].len() {
        // Rather in turn than one after the other.
        if author.random.chance(65) {
            session = 1 - session;
        }
        if at[session] == scripts[session].len() {
            session = 1 - session;
        }
        steps.push((session, scripts[session][at[session]].clone()));
        at[session] += 1;
    }
    Schedule { rows, steps }
}

impl Author<'_> {
    fn script(&mut self) -> Vec<Op> {
        let mut script = Vec::new();
        let transactions = if self.random.chance(30) { 2 } else { 1 };
        for _ in 0..transactions {
            if self.random.chance(12) {
                let op = self.statement(false);
                script.push(op);
                continue;
            }
            let level = *self.random.pick(&[
                "READ COMMITTED",
                "READ COMMITTED",
                "REPEATABLE READ",
                "REPEATABLE READ",
                "SERIALIZABLE",
            ]);
            script.push(Op::Begin(level));
            if level != "READ COMMITTED" && self.random.chance(60) {
                script.push(Op::Look);
            }
            for _ in 0..1 + self.random.below(3) {
                let savepoint = self.random.chance(20);
                if savepoint {
                    script.push(Op::Savepoint);
                }
                let op = self.statement(true);
                script.push(op);
                if savepoint {
                    script.push(if self.random.chance(60) { Op::RollbackTo } else { Op::Release });
                }
            }
            match self.random.below(10) {
                0..7 => script.push(Op::Commit),
                7 | 8 => script.push(Op::Rollback),
                _ => {
                    script.push(Op::Prepare);
                    script.push(if self.random.chance(70) { Op::CommitPrepared } else { Op::RollbackPrepared });
                }
            }
        }
        script
    }

    fn key(&mut self) -> u64 {
        if self.random.chance(75) {
            return self.key;
        }
        // In a table that references itself, rows are keys.
        let bound = if self.case.itself() { FIRST_ROW + 2 } else { FIRST_ROW };
        self.random.below(bound)
    }

    fn row(&mut self) -> u64 {
        if self.random.chance(70) { self.row } else { FIRST_ROW + self.random.below(4) }
    }

    fn reference(&mut self) -> Reference {
        match self.random.below(20) {
            0..17 => Reference::To { key: self.key(), form: self.random.below(3) },
            17 | 18 if self.case.two() => Reference::Half { key: self.key() },
            _ => Reference::Null,
        }
    }

    fn strength(&mut self) -> &'static str {
        self.random.pick::<&'static str>(&["UPDATE", "NO KEY UPDATE", "SHARE", "KEY SHARE"])
    }

    fn statement(&mut self, in_transaction: bool) -> Op {
        let op = self.plain_statement(in_transaction);
        let catches = !matches!(
            op,
            Op::Constraints { .. }
                | Op::Look
                | Op::Truncate(_)
                | Op::LockReferenced { .. }
                | Op::LockReferencing { .. }
        );
        if catches && self.random.chance(8) { Op::Caught(Box::new(op)) } else { op }
    }

    fn plain_statement(&mut self, in_transaction: bool) -> Op {
        let place = self.random.below(3);
        let direct = self.random.chance(40);
        match self.random.below(120) {
            0..20 => Op::InsertReferencing { rows: vec![(self.row(), self.reference())], place, direct },
            20..25 => {
                let rows = (0..2 + self.random.below(2)).map(|n| (FIRST_ROW + n, self.reference())).collect();
                Op::InsertReferencing { rows, place, direct }
            }
            25..37 => Op::ChangeReference { row: Some(self.row()), to: self.reference() },
            37 => Op::ChangeReference { row: None, to: self.reference() },
            38..42 => Op::TouchReferencing { row: self.row() },
            42..46 if self.case.referencing != Referencing::Plain => Op::MoveReferencing { row: self.row(), place },
            42..48 => Op::DeleteReferencing { row: self.row() },
            // Rarely what is there already.
            48..52 => Op::InsertReferenced { keys: vec![self.key()], place, direct },
            52..56 => Op::InsertReferenced { keys: vec![FIRST_ROW - 1], place, direct },
            56..58 => {
                Op::InsertReferenced { keys: vec![self.random.below(2), 2 + self.random.below(2)], place, direct }
            }
            58..71 => Op::ChangeKey { key: self.key(), to: self.key(), form: self.random.below(3) },
            71..75 => Op::TouchReferenced { key: self.key() },
            75..85 => Op::MoveReferenced { key: self.key(), place },
            85..100 => Op::DeleteReferenced { key: Some(self.key()) },
            100 => Op::DeleteReferenced { key: None },
            101 => Op::DeleteMember { place },
            102..107 => Op::LockReferenced { key: self.key(), strength: self.strength() },
            107..109 => Op::LockReferencing { row: self.row(), strength: self.strength() },
            109..113 => Op::Truncate(*self.random.pick(&[
                Truncated::Referenced,
                Truncated::ReferencedCascade,
                Truncated::Referencing,
                Truncated::Both,
            ])),
            113..118 if in_transaction => {
                Op::Constraints { deferred: self.random.chance(60), named: self.random.chance(30) }
            }
            _ => Op::Look,
        }
    }
}
