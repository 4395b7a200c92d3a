//! What is compared: a pair of tables with a foreign key, ours and the twin's.

use citus_advisor_bench::random::Random;

/// Which of the databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The referenced side in pieces, and `advisor.add_global_foreign_key`.
    Ours,
    /// The same rows in plain tables, and a native foreign key.
    Plain,
    /// A native foreign key to a partitioned table whose one partition holds everything. PostgreSQL itself does not
    /// treat the two alike above READ COMMITTED: only of a partitioned table it sees rows committed since.
    Partitioned,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Referenced {
    Inherited,
    Partitioned,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Referencing {
    Plain,
    Partitioned,
    Inherited,
    Itself,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Integer,
    /// Referenced int8, referencing int4.
    Wider,
    /// Equal values in several forms.
    Numeric,
    Text,
    Two,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    None,
    Restrict,
    Cascade,
    SetNull,
    SetFirstNull,
    SetDefault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    NotDeferrable,
    Deferrable,
    Deferred,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    pub referenced: Referenced,
    pub referencing: Referencing,
    pub key: Key,
    pub on_delete: Action,
    pub on_update: Action,
    pub full: bool,
    pub timing: Timing,
    pub index: bool,
}

const ON_DELETE: &[Action] =
    &[Action::None, Action::Restrict, Action::Cascade, Action::SetNull, Action::SetFirstNull, Action::SetDefault];
const ON_UPDATE: &[Action] = &[Action::None, Action::Restrict, Action::Cascade, Action::SetNull, Action::SetDefault];

impl Case {
    /// Cases in an order that goes through every value of every property evenly, whatever their number.
    pub fn at(number: u64, seed: u64) -> Case {
        let mut random = Random::new(seed, number);
        // Neighbouring numbers cover these two evenly; the rest is chance.
        let on_delete = ON_DELETE[(number % ON_DELETE.len() as u64) as usize];
        let referenced =
            [Referenced::Partitioned, Referenced::Inherited][(number / ON_DELETE.len() as u64 % 2) as usize];
        let on_update = *random.pick(ON_UPDATE);
        let referencing = *random.pick(&[
            Referencing::Plain,
            Referencing::Plain,
            Referencing::Partitioned,
            Referencing::Inherited,
            Referencing::Itself,
        ]);
        let keys = [Key::Integer, Key::Two, Key::Wider, Key::Numeric, Key::Text];
        let key = loop {
            let key = *random.pick(&keys);
            if referencing != Referencing::Itself || key != Key::Two {
                break key;
            }
        };
        let timing = *random.pick(&[Timing::NotDeferrable, Timing::Deferrable, Timing::Deferred]);
        Case {
            referenced,
            referencing,
            key,
            on_delete,
            on_update,
            full: random.chance(35),
            timing,
            index: random.chance(60),
        }
    }

    /// Cases that are simpler by one property each.
    pub fn simpler(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        let mut add = |case: Case| {
            if case != *self {
                cases.push(case);
            }
        };
        add(Case { referencing: Referencing::Plain, ..*self });
        add(Case { key: Key::Integer, ..*self });
        add(Case { timing: Timing::NotDeferrable, ..*self });
        add(Case { on_update: Action::None, ..*self });
        add(Case { on_delete: Action::None, ..*self });
        add(Case { full: false, ..*self });
        add(Case { index: true, ..*self });
        add(Case { referenced: Referenced::Partitioned, ..*self });
        cases
    }

    pub fn itself(&self) -> bool {
        self.referencing == Referencing::Itself
    }

    pub fn two(&self) -> bool {
        self.key == Key::Two
    }

    /// Columns of the referenced key.
    pub fn referenced_columns(&self) -> &'static str {
        if self.two() { "a, b" } else { "id" }
    }

    /// Columns of the foreign key.
    pub fn columns(&self) -> &'static str {
        if self.two() { "x, y" } else { "x" }
    }

    pub fn referencing_table(&self) -> &'static str {
        if self.itself() { "pk" } else { "fk" }
    }

    /// The column that tells referencing rows apart, and the one that says in which member a row is.
    pub fn row_columns(&self) -> (&'static str, &'static str) {
        if self.itself() { ("id", "p") } else { ("rid", "r") }
    }

    /// The schema on that side, without the foreign key, in statements. Ours has columns in other places.
    pub fn tables(&self, side: Side) -> Vec<String> {
        let (referenced_type, referencing_type) = match self.key {
            Key::Integer | Key::Two => ("int", "int"),
            Key::Wider => ("bigint", "int"),
            Key::Numeric => ("numeric", "numeric"),
            Key::Text => ("text", "text"),
        };
        let key =
            if self.two() { "a int NOT NULL, b int NOT NULL".into() } else { format!("id {referenced_type} NOT NULL") };
        let default = match self.key {
            Key::Text => "'k1'",
            _ => "1",
        };
        let reference = if self.two() {
            "x int DEFAULT 1, y int DEFAULT 1".into()
        } else {
            format!("x {referencing_type} DEFAULT {default}")
        };
        let rest = if self.itself() {
            format!("p int NOT NULL, v int DEFAULT 0, {reference}")
        } else {
            "p int NOT NULL, v int DEFAULT 0".into()
        };
        let columns = self.referenced_columns();
        let mut statements = Vec::new();
        let mut say = |text: String| statements.push(text);
        match (side, self.referenced) {
            (Side::Plain, _) => say(format!("CREATE TABLE pk ({key}, {rest}, CONSTRAINT pk_key UNIQUE ({columns}))")),
            (Side::Partitioned, _) => {
                let first = if self.two() { "a" } else { "id" };
                say(format!(
                    "CREATE TABLE pk ({key}, {rest}, CONSTRAINT pk_key UNIQUE ({columns})) PARTITION BY RANGE ({first})"
                ));
                say("CREATE TABLE pk_0 PARTITION OF pk DEFAULT".into());
            }
            (Side::Ours, Referenced::Partitioned) => {
                say(format!("CREATE TABLE pk ({key}, {rest}) PARTITION BY LIST (p)"));
                say("CREATE TABLE pk_0 PARTITION OF pk FOR VALUES IN (0)".into());
                say(format!("CREATE TABLE pk_1 (gone text, {rest}, {key})"));
                say("ALTER TABLE pk_1 DROP COLUMN gone".into());
                say("ALTER TABLE pk ATTACH PARTITION pk_1 FOR VALUES IN (1)".into());
                say("CREATE TABLE pk_2 PARTITION OF pk DEFAULT PARTITION BY RANGE (p)".into());
                say("CREATE TABLE pk_2_0 PARTITION OF pk_2 DEFAULT".into());
            }
            (Side::Ours, Referenced::Inherited) => {
                say(format!("CREATE TABLE pk ({key}, {rest})"));
                say(format!("CREATE TABLE pk_1 (gone text, {rest}, {key})"));
                say("ALTER TABLE pk_1 DROP COLUMN gone, INHERIT pk".into());
                say("CREATE TABLE pk_2 () INHERITS (pk)".into());
            }
        }
        if !self.itself() {
            let all = format!("rid int NOT NULL, r int NOT NULL, {reference}, v int DEFAULT 0");
            match (self.referencing, side) {
                (Referencing::Partitioned, _) => {
                    say(format!("CREATE TABLE fk ({all}) PARTITION BY LIST (r)"));
                    say("CREATE TABLE fk_0 PARTITION OF fk FOR VALUES IN (0)".into());
                    say(format!(
                        "CREATE TABLE fk_1 (v int DEFAULT 0, gone int, {reference}, r int NOT NULL, rid int NOT NULL)"
                    ));
                    say("ALTER TABLE fk_1 DROP COLUMN gone".into());
                    say("ALTER TABLE fk ATTACH PARTITION fk_1 DEFAULT".into());
                }
                (Referencing::Inherited, Side::Ours) => {
                    say(format!("CREATE TABLE fk ({all})"));
                    say(format!(
                        "CREATE TABLE fk_1 (v int DEFAULT 0, gone int, {reference}, r int NOT NULL, rid int NOT NULL)"
                    ));
                    say("ALTER TABLE fk_1 DROP COLUMN gone, INHERIT fk".into());
                }
                _ => say(format!("CREATE TABLE fk ({all})")),
            }
        }
        if self.index {
            let table = self.referencing_table();
            let mut tables = vec![table];
            match (side, self.referencing, self.referenced) {
                (Side::Ours, Referencing::Inherited, _) => tables.push("fk_1"),
                (Side::Ours, Referencing::Itself, Referenced::Inherited) => tables.extend(["pk_1", "pk_2"]),
                _ => {}
            }
            for table in tables {
                say(format!("CREATE INDEX ON {table} ({})", self.columns()));
            }
        }
        if side == Side::Ours {
            say(format!("SELECT advisor.add_global_unique('pk', ARRAY[{}]::name[], 'pk_key')", quoted(columns)));
        }
        statements
    }

    /// The statement that makes the foreign key on that side.
    pub fn foreign_key(&self, side: Side) -> String {
        let table = self.referencing_table();
        let (columns, referenced) = (self.columns(), self.referenced_columns());
        let action = |action: Action| match action {
            Action::None => "no action",
            Action::Restrict => "restrict",
            Action::Cascade => "cascade",
            Action::SetNull => "set null",
            Action::SetFirstNull => "set null (x)",
            Action::SetDefault => "set default",
        };
        let (on_delete, on_update) = (action(self.on_delete), action(self.on_update));
        let match_type = if self.full { "full" } else { "simple" };
        if side == Side::Ours {
            let mut call = format!(
                "SELECT advisor.add_global_foreign_key('{table}', ARRAY[{}]::name[], 'pk', ARRAY[{}]::name[], 'fk_ref', \
                 match_type => '{match_type}', on_delete => '{on_delete}', on_update => '{on_update}'",
                quoted(columns),
                quoted(referenced)
            );
            match self.timing {
                Timing::NotDeferrable => {}
                Timing::Deferrable => call.push_str(", is_deferrable => true"),
                Timing::Deferred => call.push_str(", is_deferrable => true, initially_deferred => true"),
            }
            return call + ")";
        }
        format!(
            "ALTER TABLE {table} ADD CONSTRAINT fk_ref FOREIGN KEY ({columns}) REFERENCES pk ({referenced}) MATCH {match_type} \
             ON DELETE {on_delete} ON UPDATE {on_update}{}",
            match self.timing {
                Timing::NotDeferrable => "",
                Timing::Deferrable => " DEFERRABLE",
                Timing::Deferred => " DEFERRABLE INITIALLY DEFERRED",
            }
        )
    }

    /// How many rows break the foreign key, in one snapshot.
    pub fn orphans(&self) -> String {
        let table = self.referencing_table();
        let conditions = if self.two() {
            "f.x IS NOT NULL AND f.y IS NOT NULL AND NOT EXISTS (SELECT 1 FROM pk WHERE a = f.x AND b = f.y)"
        } else {
            "f.x IS NOT NULL AND NOT EXISTS (SELECT 1 FROM pk p WHERE p.id = f.x)"
        };
        let mixed = if self.two() && self.full { " OR (x IS NULL) <> (y IS NULL)" } else { "" };
        format!("SELECT count(*) FROM {table} f WHERE ({conditions}){mixed}")
    }

    /// All rows, in an order of their own: equal values in several forms, too.
    pub fn contents(&self) -> Vec<String> {
        let (referenced, columns) = (self.referenced_columns(), self.columns());
        let query = |table: &str, columns: String| {
            format!("SELECT {columns} FROM {table} ORDER BY {columns}, ROW({columns})::text COLLATE \"C\"")
        };
        if self.itself() {
            return vec![query("pk", format!("{referenced}, p, v, {columns}"))];
        }
        vec![query("pk", format!("{referenced}, p, v")), query("fk", format!("rid, r, {columns}, v"))]
    }
}

fn quoted(columns: &str) -> String {
    columns.split(", ").map(|column| format!("'{column}'")).collect::<Vec<_>>().join(", ")
}
