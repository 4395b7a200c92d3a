//! The script without Citus: random schemas are planned, and a simulator of what Citus refuses runs the steps in order. It
//! knows the statements that matter and nothing of how they came about: no foreign key may stand while a table moves, no key
//! without the distribution column, no foreign key that Citus cannot keep, nothing may be emptied before all is in its place.
//! In the end every key, foreign key, trigger and policy is there as it was, widened as planned, or was named as lost.

mod random_schema;

use std::collections::BTreeMap;

use citus_planner::Request;
use citus_planner::assignment::Assignment;
use citus_planner::graph::Graph;
use citus_planner::identifier::{quote_identifier, quote_identifiers};
use citus_planner::migration::{Phase, Step, steps};
use citus_planner::plan::{ForeignKeyFate, KeyFate, Plan};
use citus_planner::schema::*;
use random_schema::{Random, Shape, random_schema};
use serde_json::json;

/// Gives the objects of a random schema the definitions that the catalog would have of them.
fn define(schema: &mut Schema, random: &mut Random) {
    for table in &mut schema.tables {
        let name = table.name.clone();
        for index in &mut table.indexes {
            let columns = index.columns.iter().map(|c| quote_identifier(c.column.as_deref().unwrap())).collect::<Vec<_>>();
            let columns = columns.join(", ");
            index.columns.iter_mut().for_each(|c| c.text = quote_identifier(c.column.as_deref().unwrap()));
            index.definition = format!("CREATE UNIQUE INDEX {} ON {name} USING btree ({columns})", quote_identifier(&index.name));
            if let Some(constraint) = &mut index.constraint {
                let kind = if constraint.kind == ConstraintKind::PrimaryKey { "PRIMARY KEY" } else { "UNIQUE" };
                let deferrable = if constraint.deferrable { " DEFERRABLE" } else { "" };
                constraint.definition = format!("{kind} ({columns}){deferrable}");
                constraint.comment = random.one_in(4).then(|| "it's $migration$; \\q".to_owned());
            }
        }
        for key in &mut table.foreign_keys {
            key.validated = !random.one_in(5);
            key.deferrable = random.one_in(5);
            key.comment = random.one_in(4).then(|| "why: it's \"so\"\n-- $1".to_owned());
            key.definition = definition(key);
        }
        for trigger in &mut table.triggers {
            trigger.definition = format!("CREATE TRIGGER {} BEFORE DELETE ON {name} FOR EACH ROW EXECUTE FUNCTION public.touch()", trigger.name);
        }
        if random.one_in(5) {
            let check = json!({"name": "old rows", "definition": "CHECK ((1 > 0)) NOT VALID", "validated": false});
            table.checks.push(serde_json::from_value(check).unwrap());
        }
    }
}

/// A foreign key as `pg_get_constraintdef` prints it.
fn definition(key: &ForeignKey) -> String {
    let columns = |names: &[String]| quote_identifiers(names.iter().map(String::as_str));
    let action = |on: &str, action: ReferentialAction| match action {
        ReferentialAction::NoAction => String::new(),
        ReferentialAction::Restrict => format!(" ON {on} RESTRICT"),
        ReferentialAction::Cascade => format!(" ON {on} CASCADE"),
        ReferentialAction::SetNull => format!(" ON {on} SET NULL"),
        ReferentialAction::SetDefault => format!(" ON {on} SET DEFAULT"),
    };
    format!(
        "FOREIGN KEY ({}) REFERENCES {}({}){}{}{}{}",
        columns(&key.columns),
        key.referenced,
        columns(&key.referenced_columns),
        action("UPDATE", key.on_update),
        action("DELETE", key.on_delete),
        if key.deferrable { " DEFERRABLE" } else { "" },
        if key.validated { "" } else { " NOT VALID" }
    )
}

#[derive(Clone, Debug, PartialEq)]
enum Place {
    Plain,
    Managed,
    Reference,
    Distributed { column: String, group: usize },
}

/// What is on a table now: definitions by name.
#[derive(Clone, Debug)]
struct Table {
    place: Place,
    /// Of keys the columns, in order, as written.
    keys: BTreeMap<String, Vec<String>>,
    foreign_keys: BTreeMap<String, String>,
    checks: BTreeMap<String, String>,
    triggers: BTreeMap<String, String>,
    columns: BTreeMap<String, bool>,
    emptied: bool,
}

/// A cluster that refuses what Citus refuses.
struct Cluster {
    tables: BTreeMap<String, Table>,
    groups: usize,
}

/// `(a, "b (1)")` at the start of a text: its parts as written, and what comes behind.
fn list(text: &str) -> (Vec<String>, &str) {
    let inner = text.strip_prefix('(').unwrap_or_else(|| panic!("no list: {text}"));
    let (mut parts, mut part, mut quoted) = (Vec::new(), String::new(), false);
    for (at, c) in inner.char_indices() {
        match c {
            '"' => {
                quoted = !quoted;
                part.push(c);
            }
            ')' if !quoted => {
                parts.push(part.trim().to_owned());
                return (parts, &inner[at + 1..]);
            }
            ',' if !quoted => parts.push(std::mem::take(&mut part).trim().to_owned()),
            _ => part.push(c),
        }
    }
    panic!("an open list: {text}")
}

/// Columns, referenced table, referenced columns and the rest of a foreign key's definition.
fn foreign_key(definition: &str) -> (Vec<String>, String, Vec<String>, String) {
    let (columns, rest) = list(definition.strip_prefix("FOREIGN KEY ").unwrap());
    let rest = rest.strip_prefix(" REFERENCES ").unwrap();
    let at = rest.find('(').unwrap();
    let (others, clauses) = list(&rest[at..]);
    (columns, rest[..at].to_owned(), others, clauses.to_owned())
}

impl Cluster {
    fn new(schema: &Schema) -> Self {
        let table = |t: &citus_planner::schema::Table| Table {
            place: Place::Plain,
            keys: t.indexes.iter().map(|i| (quote_identifier(&i.name), i.columns.iter().map(|c| c.text.clone()).collect())).collect(),
            foreign_keys: t.foreign_keys.iter().map(|k| (quote_identifier(&k.name), k.definition.clone())).collect(),
            checks: t.checks.iter().map(|c| (quote_identifier(&c.name), c.definition.clone())).collect(),
            triggers: t.triggers.iter().map(|t| (quote_identifier(&t.name), t.definition.clone())).collect(),
            columns: t.columns.iter().map(|c| (quote_identifier(&c.name), c.not_null)).collect(),
            emptied: false,
        };
        Cluster { tables: schema.tables.iter().map(|t| (t.name.to_string(), table(t))).collect(), groups: 0 }
    }

    fn table(&mut self, name: &str) -> &mut Table {
        self.tables.get_mut(name).unwrap_or_else(|| panic!("{name} does not exist"))
    }

    /// Runs one statement of a block; those that change nothing of interest are passed over.
    fn run(&mut self, line: &str) {
        if let Some(rest) = line.strip_prefix("ALTER TABLE ") {
            self.alter(rest);
        } else if let Some(rest) = line.strip_prefix("DROP TRIGGER ") {
            let (name, table) = rest.split_once(" ON ").unwrap();
            assert!(self.table(table).triggers.remove(name).is_some(), "no such trigger: {line}");
        } else if let Some(rest) = line.strip_prefix("PERFORM create_reference_table('") {
            let name = rest.strip_suffix("')").unwrap().to_owned();
            self.movable(&name);
            self.table(&name).place = Place::Reference;
        } else if let Some(rest) = line.strip_prefix("PERFORM create_distributed_table(") {
            self.distribute(rest.strip_suffix(')').unwrap());
        } else if let Some(rest) = line.strip_prefix("PERFORM truncate_local_data_after_distributing_table('") {
            self.empty(rest.strip_suffix("')").unwrap());
        }
    }

    fn alter(&mut self, rest: &str) {
        let (name, action) = rest.split_once(' ').unwrap();
        let name = name.to_owned();
        if let Some(dropped) = action.strip_prefix("DROP CONSTRAINT ") {
            // A key that somebody still references would not go.
            if let Some(columns) = self.table(&name).keys.get(dropped).cloned() {
                for (other, t) in &self.tables {
                    for definition in t.foreign_keys.values() {
                        let (_, target, keys, _) = foreign_key(definition);
                        assert!(target != name || !same_set(&keys, &columns), "{name}: {dropped} is referenced by {other}");
                    }
                }
            }
            let t = self.table(&name);
            let found = [t.keys.remove(dropped).is_some(), t.foreign_keys.remove(dropped).is_some(), t.checks.remove(dropped).is_some()];
            assert!(found.contains(&true), "{name} has no constraint {dropped}");
        } else if let Some(rest) = action.strip_prefix("ADD CONSTRAINT ") {
            let kinds = [" FOREIGN KEY (", " PRIMARY KEY (", " UNIQUE (", " CHECK ("];
            let at = kinds.iter().filter_map(|k| rest.find(k)).min().unwrap_or_else(|| panic!("what is this: {rest}"));
            let (constraint, clause) = (rest[..at].to_owned(), &rest[at + 1..]);
            let t = self.table(&name);
            let names = [t.keys.contains_key(&constraint), t.foreign_keys.contains_key(&constraint), t.checks.contains_key(&constraint)];
            assert!(!names.contains(&true), "{name} has {constraint} already");
            if clause.starts_with("FOREIGN KEY") {
                self.reference(&name, clause);
                self.table(&name).foreign_keys.insert(constraint, clause.to_owned());
            } else if clause.starts_with("CHECK") {
                self.table(&name).checks.insert(constraint, clause.to_owned());
            } else {
                let t = self.table(&name);
                assert_eq!(t.place, Place::Plain, "{name}: keys are swapped while the table is PostgreSQL's own");
                let (columns, _) = list(&clause[clause.find('(').unwrap()..]);
                if clause.starts_with("PRIMARY KEY") {
                    for column in &columns {
                        t.columns.insert(column.clone(), true);
                    }
                }
                t.keys.insert(constraint, columns);
            }
        } else if let Some(column) = action.strip_suffix(" SET NOT NULL") {
            let column = column.strip_prefix("ALTER COLUMN ").unwrap().to_owned();
            assert!(self.table(&name).columns.insert(column, true).is_some(), "no such column: {rest}");
        } else if let Some(column) = action.strip_prefix("ADD COLUMN ") {
            let end = if column.starts_with('"') { 2 + column[1..].find("\" ").unwrap() } else { column.find(' ').unwrap() };
            assert!(self.table(&name).columns.insert(column[..end].to_owned(), false).is_none(), "there already: {rest}");
        }
    }

    /// Whether Citus would move a table now, whatever it is to become.
    fn movable(&mut self, name: &str) {
        for (other, t) in &self.tables {
            for definition in t.foreign_keys.values() {
                assert!(other != name && foreign_key(definition).1 != name, "{name} has a foreign key while it moves: {definition}");
            }
        }
        let t = self.table(name);
        assert_eq!(t.place, Place::Plain, "{name} is distributed already");
        assert!(t.triggers.is_empty(), "cannot distribute relation {name} because it has triggers");
        assert!(t.checks.values().all(|c| !c.ends_with("NOT VALID")), "{name}: Citus would enforce a check that is not valid");
    }

    fn distribute(&mut self, arguments: &str) {
        let (name, rest) = arguments.split_once("', ").unwrap();
        let name = name.trim_start_matches('\'').to_owned();
        let (raw, with) = rest.split_once(", colocate_with => ").unwrap();
        let raw = raw.strip_prefix("E'").or(raw.strip_prefix('\'')).unwrap().strip_suffix('\'').unwrap();
        let column = quote_identifier(raw);
        self.movable(&name);
        let group = match with.trim_matches('\'') {
            "none" => {
                self.groups += 1;
                self.groups
            }
            anchor => match &self.table(anchor).place {
                Place::Distributed { group, .. } => *group,
                other => panic!("{name} is to be colocated with {anchor}, which is {other:?}"),
            },
        };
        let t = self.table(&name);
        assert!(t.columns.contains_key(&column), "{name} has no column {column}");
        for (key, columns) in &t.keys {
            assert!(columns.contains(&column), "{name}: cannot create constraint {key} {columns:?} without {column}");
        }
        t.place = Place::Distributed { column, group };
    }

    /// Whether Citus would take a foreign key, and enforce it.
    fn reference(&mut self, name: &str, clause: &str) {
        let (columns, target, others, clauses) = foreign_key(clause);
        let referenced = self.table(&target).clone();
        assert!(
            referenced.keys.values().any(|key| same_set(key, &others)),
            "{target} has no key {others:?}: {clause}"
        );
        let referencing = self.table(name).clone();
        let restricts = |clauses: &str| !["CASCADE", "SET NULL", "SET DEFAULT"].iter().any(|a| clauses.contains(a));
        use Place::{Distributed, Managed, Plain, Reference};
        match (&referencing.place, &referenced.place) {
            (Plain, Plain) | (Managed, Reference | Managed) | (Reference, Reference) => {}
            (Plain, Reference) => self.manage(name),
            (Plain, Managed) => self.manage(name),
            (Managed, Plain) => self.manage(&target),
            (Reference, Plain | Managed) => {
                assert!(restricts(&clauses), "only NO ACTION and RESTRICT from reference to local: {clause}");
                self.manage(&target);
            }
            (Distributed { column, .. }, Reference) => {
                let of_column = columns.contains(column);
                assert!(!of_column || !clauses.contains("SET NULL"), "the distribution column would be set NULL: {clause}");
            }
            (Distributed { column, group }, Distributed { column: other, group: their }) => {
                assert_eq!(group, their, "not colocated: {name} {clause}");
                let same_place = columns.iter().zip(&others).any(|(c, o)| c == column && o == other);
                assert!(same_place, "{name}: {column} and {other} are not at the same position: {clause}");
                assert!(!clauses.contains("SET NULL") && !clauses.contains("ON UPDATE CASCADE"), "an action on the distribution column: {clause}");
            }
            (from, to) => panic!("no foreign key from {from:?} to {to:?}: {name} {clause}"),
        }
    }

    /// Citus takes a local table, and all plain ones that foreign keys link to it.
    fn manage(&mut self, name: &str) {
        let mut open = vec![name.to_owned()];
        while let Some(next) = open.pop() {
            if self.table(&next).place != Place::Plain {
                continue;
            }
            self.table(&next).place = Place::Managed;
            for (other, t) in &self.tables {
                for definition in t.foreign_keys.values() {
                    let target = foreign_key(definition).1;
                    if *other == next {
                        open.push(target);
                    } else if target == next {
                        open.push(other.clone());
                    }
                }
            }
        }
    }

    /// Removes the copy of a table; Citus would empty a plain table below it too.
    fn empty(&mut self, name: &str) {
        for (other, t) in &self.tables {
            let below = t.foreign_keys.values().any(|d| foreign_key(d).1 == name);
            assert!(!below || t.place != Place::Plain, "{other} would be emptied with {name}");
        }
        let t = self.table(name);
        assert!(matches!(t.place, Place::Reference | Place::Distributed { .. }), "{name} would lose its rows");
        t.emptied = true;
    }
}

fn same_set(a: &[String], b: &[String]) -> bool {
    a.len() == b.len() && a.iter().all(|c| b.contains(c))
}

/// The statements of a step that change something, and what the step requires to have happened.
fn statements(step: &Step) -> Vec<&str> {
    step.statement.lines().filter_map(|line| line.strip_prefix("  ")?.strip_suffix(';')).filter(|l| !l.starts_with(' ')).collect()
}

const DESTRUCTIVE: [&str; 6] = ["DROP CONSTRAINT", "DROP INDEX", "DROP TRIGGER", "DROP POLICY", "DROP VIEW", "truncate_local_data"];

fn guarded(step: &Step) {
    let destroys = DESTRUCTIVE.iter().any(|d| step.statement.contains(d));
    if step.statement.starts_with("-- ") {
        assert!(!step.statement.contains('\n'), "a comment that ends: {}", step.statement);
        return;
    }
    let uses_it = |line: &&str| line.contains("advisor.") && !line.contains("RAISE EXCEPTION");
    assert!(step.statement.lines().find(uses_it).is_none(), "the script uses the advisor: {}", step.statement);
    assert!(!destroys || step.phase > Phase::Prepare, "{}", step.statement);
    if destroys {
        let mut lines = step.statement.lines().skip_while(|l| *l != "BEGIN").skip(1);
        let guard = lines.next().unwrap_or_default();
        let setting = if step.phase == Phase::Cleanup { "verified" } else { "checked" };
        let wanted = format!("  IF current_setting('planned_migration.{setting}', true) IS DISTINCT FROM '");
        assert!(guard.starts_with(&wanted), "nothing guards this: {}", step.statement);
        assert!(lines.next().unwrap_or_default().contains("RAISE EXCEPTION"), "the guard lets it pass: {}", step.statement);
    }
}

/// Whether a step has named the loss of an object of a table.
fn is_named(steps: &[Step], table: &str, name: &str) -> bool {
    let what = format!("\"{name}\" of {table}");
    let says = |s: &Step| s.because.starts_with("Lost: ") && s.because.contains(&what);
    steps.iter().any(|s| says(s) || s.statement.starts_with("-- Not re-created: ") && s.statement.contains(&what))
}

fn everything_is_there(plan: &Plan<'_>, steps: &[Step], cluster: &Cluster) {
    let graph = plan.graph();
    for planned in &plan.foreign_keys {
        let edge = &graph.edges[planned.edge];
        let (table, key) = (graph.table(edge.referencing).name.to_string(), graph.foreign_key(edge));
        let now = cluster.tables[&table].foreign_keys.get(&quote_identifier(&key.name));
        match &planned.fate {
            ForeignKeyFate::Kept => assert_eq!(now, Some(&key.definition), "{table}"),
            ForeignKeyFate::Widened { columns, on_update } => {
                let name = |t, c| graph.column(t, c).name.clone();
                let wide = ForeignKey {
                    columns: columns.iter().map(|&(c, _)| name(edge.referencing, c)).collect(),
                    referenced_columns: columns.iter().map(|&(_, c)| name(edge.referenced, c)).collect(),
                    on_update: *on_update,
                    ..key.clone()
                };
                assert_eq!(now, Some(&definition(&wide)), "{table}");
            }
            ForeignKeyFate::Lost { .. } => {
                assert!(is_named(steps, &table, &key.name), "nobody names the loss of {} of {table}", key.name);
            }
        }
        if let (Some(_), Some(comment)) = (now, &key.comment) {
            let text = citus_planner::identifier::quote_literal(comment);
            let said = format!("COMMENT ON CONSTRAINT {} ON {table} IS {text}", quote_identifier(&key.name));
            let touched = steps.iter().any(|s| s.phase == Phase::Constraints && s.statement.contains(&format!("ADD CONSTRAINT {} FOREIGN", quote_identifier(&key.name))) && s.relation.as_ref().is_some_and(|r| r.to_string() == table));
            assert!(!touched || steps.iter().any(|s| s.statement.contains(&said)), "no comment for {} of {table}", key.name);
        }
    }
    for planned in &plan.keys {
        let table = graph.table(planned.table);
        let index = &table.indexes[planned.index];
        let now = cluster.tables[&table.name.to_string()].keys.get(&quote_identifier(&index.name));
        let before: Vec<String> = index.columns.iter().map(|c| c.text.clone()).collect();
        match planned.fate {
            KeyFate::Kept => assert_eq!(now, Some(&before)),
            KeyFate::Widened { column } => {
                let column = quote_identifier(&graph.column(planned.table, column).name);
                let rest = before.into_iter().filter(|c| *c != column);
                assert_eq!(now, Some(&std::iter::once(column.clone()).chain(rest).collect()));
            }
            KeyFate::Lost { .. } => {
                assert_eq!(now, None);
                assert!(is_named(steps, &table.name.to_string(), &index.name));
            }
        }
    }
    for table in &graph.schema.tables {
        let (name, now) = (table.name.to_string(), &cluster.tables[&table.name.to_string()]);
        for trigger in table.triggers.iter().filter(|t| !now.triggers.contains_key(&quote_identifier(&t.name))) {
            assert!(is_named(steps, &name, &trigger.name), "nobody names the loss of {} of {name}", trigger.name);
        }
        for check in &table.checks {
            assert_eq!(now.checks.get(&quote_identifier(&check.name)), Some(&check.definition), "{name}");
        }
        let placed = matches!(now.place, Place::Reference | Place::Distributed { .. });
        assert_eq!(placed, now.emptied, "{name}: the copy on the coordinator");
    }
    for planned in &plan.tables {
        use citus_planner::layout::Placement;
        let now = &cluster.tables[&graph.table(planned.table).name.to_string()].place;
        match plan.layout.placement(planned.table) {
            Placement::Local => assert!(matches!(now, Place::Plain | Place::Managed)),
            Placement::Reference => assert_eq!(*now, Place::Reference),
            Placement::Distributed { column, group } => {
                let Place::Distributed { column: now, group: number } = now else { panic!("{now:?}") };
                assert_eq!(*now, quote_identifier(&graph.column(planned.table, column).name));
                let others = plan.layout.members(group);
                for other in others {
                    let there = &cluster.tables[&graph.table(other).name.to_string()].place;
                    assert!(matches!(there, Place::Distributed { group, .. } if group == number), "groups come apart");
                }
            }
        }
    }
}

/// What some users would want, so that layouts come up which the search would not choose.
fn opinion(schema: &Schema, random: &mut Random) -> Assignment {
    let mut entries = BTreeMap::new();
    for table in &schema.tables {
        if !random.one_in(3) {
            continue;
        }
        let entry = match random.below(3) {
            0 => json!({"role": "local"}),
            1 => json!({"role": "reference"}),
            _ => json!({"role": "distributed", "column": random.pick(&table.columns).name}),
        };
        entries.insert(table.name.to_string(), entry);
    }
    Assignment::from_json(&json!(entries), "overrides").unwrap()
}

#[test]
fn the_order_of_the_steps_is_one_that_citus_takes_and_nothing_is_lost_unsaid() {
    let (mut ran, mut dropped, mut refused) = (0, 0, 0);
    for seed in 0..2_000 {
        let mut random = Random(seed);
        let mut schema = random_schema(&mut random, Shape { tables: 8, columns: 5 });
        define(&mut schema, &mut random);
        let graph = Graph::new(&schema);
        let overrides = if seed % 2 == 0 { Assignment::default() } else { opinion(&schema, &mut random) };
        let request = Request { overrides, search_path: vec!["public".into()], ..Request::default() };
        let Ok(plan) = citus_planner::plan(&graph, &request, &mut || ()) else { continue };
        let steps = steps(&plan);
        assert!(steps.is_sorted_by_key(|s| s.phase), "seed {seed}");
        steps.iter().for_each(guarded);
        if steps.iter().any(|s| s.statement.contains("'Citus refuses what this plan wants'")) {
            // The script stops there: what the user wants cannot be.
            refused += 1;
            continue;
        }
        let mut cluster = Cluster::new(&schema);
        for (number, step) in steps.iter().enumerate() {
            for line in statements(step) {
                let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| cluster.run(line)));
                assert!(outcome.is_ok(), "seed {seed}, step {}: {}", number + 1, step.statement);
                dropped += usize::from(line.contains("DROP CONSTRAINT"));
            }
        }
        if !steps.is_empty() {
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| everything_is_there(&plan, &steps, &cluster)));
            assert!(outcome.is_ok(), "seed {seed}");
            ran += 1;
        }
    }
    println!("{ran} scripts ran, {dropped} constraints were dropped on the way; {refused} plans cannot be");
    assert!(ran > 600 && dropped > 1_000, "{ran} scripts, {dropped} constraints: the schemas are too plain");
}
