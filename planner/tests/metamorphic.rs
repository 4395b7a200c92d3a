//! What must not matter does not: the order in which tables, columns, keys and foreign keys were made, the schema's name, the
//! names of tables and columns as long as they relate as before. And what is taken away changes the plan only where it must.
//! Tried on random schemas, and on every model of the directory `CORPUS_MODELS` (`advisor.schema_model()`), if that is set.

mod random_schema;

use std::collections::{BTreeMap, BTreeSet};
use std::{env, fs};

use citus_planner::Request;
use citus_planner::assignment::{Assignment, Entry};
use citus_planner::classes::{ColumnClasses, singular};
use citus_planner::graph::{Graph, TableId};
use citus_planner::plan::Plan;
use citus_planner::schema::*;
use citus_planner::search::cost::{Charge, Subject, Term};
use random_schema::{Random, Shape, random_schema};

/// Random schemas, and how much is taken away from each schema at most.
const SCHEMAS: usize = 200;
const TAKEN: usize = 25;

fn schemas() -> Vec<(String, Schema)> {
    let mut random = Random(11);
    let shape = Shape { tables: 9, columns: 6 };
    let mut all: Vec<(String, Schema)> =
        (0..SCHEMAS).map(|i| (format!("random {i}"), random_schema(&mut random, shape))).collect();
    let Ok(models) = env::var("CORPUS_MODELS") else {
        println!("CORPUS_MODELS names no directory of models: random schemas only");
        return all;
    };
    let mut files: Vec<_> = fs::read_dir(models).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "json"));
    files.sort();
    let models = files.iter().map(|file| {
        let schema = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        (file.file_stem().unwrap().to_string_lossy().into_owned(), schema)
    });
    all.extend(models);
    all
}

/// A plan as far as it is compared.
#[derive(Clone, Debug, PartialEq)]
struct Outcome {
    assignment: Assignment,
    cost: i64,
    proven: bool,
}

fn outcome(plan: &Plan<'_>) -> Outcome {
    let search = plan.search.as_ref().unwrap();
    Outcome { assignment: plan.layout.to_assignment(), cost: search.price.total(), proven: search.proven }
}

fn planned(schema: &Schema, overrides: Assignment) -> Outcome {
    let graph = Graph::new(schema);
    let request = Request { overrides, ..Request::default() };
    outcome(&citus_planner::plan(&graph, &request, &mut || ()).unwrap())
}

fn shuffle<T>(items: &mut [T], random: &mut Random) {
    for last in (1..items.len()).rev() {
        items.swap(last, random.below(last + 1));
    }
}

/// The same database, made in another order. A model has its tables by name, whenever they were made.
fn made_otherwise(schema: &Schema, random: &mut Random) -> Schema {
    let mut other = schema.clone();
    shuffle(&mut other.sequences, random);
    shuffle(&mut other.views, random);
    for table in &mut other.tables {
        shuffle(&mut table.columns, random);
        shuffle(&mut table.indexes, random);
        shuffle(&mut table.foreign_keys, random);
        shuffle(&mut table.triggers, random);
    }
    other
}

#[test]
fn the_order_of_creation_does_not_matter() {
    let mut random = Random(5);
    for (name, schema) in schemas() {
        let plan = planned(&schema, Assignment::default());
        let other = planned(&made_otherwise(&schema, &mut random), Assignment::default());
        assert_eq!(other.assignment, plan.assignment, "{name}");
        assert_eq!(other, plan, "{name}");
    }
}

/// Every relation, column and schema by another name.
struct Renaming<'n> {
    schema: &'n dyn Fn(&str) -> String,
    table: &'n dyn Fn(&str) -> String,
    column: &'n dyn Fn(&str) -> String,
}

impl Renaming<'_> {
    fn relation(&self, name: &mut RelationName) {
        *name = RelationName::new((self.schema)(&name.schema), (self.table)(&name.name));
    }

    fn columns(&self, names: &mut [String]) {
        for name in names {
            *name = (self.column)(name);
        }
    }

    fn apply(&self, schema: &Schema) -> Schema {
        let mut renamed = schema.clone();
        let tables: BTreeMap<String, RelationName> =
            schema.tables.iter().map(|t| (t.name.to_string(), t.name.clone())).collect();
        renamed.schemas = renamed.schemas.iter().map(|s| (self.schema)(s)).collect();
        for table in &mut renamed.tables {
            self.relation(&mut table.name);
            table.partition_of.iter_mut().chain(&mut table.inherits).for_each(|n| self.relation(n));
            for name in table.partition_key.iter_mut().flat_map(|k| k.columns.iter_mut().flatten()) {
                *name = (self.column)(name);
            }
            for column in &mut table.columns {
                column.name = (self.column)(&column.name);
            }
            for column in table.indexes.iter_mut().flat_map(|i| &mut i.columns) {
                if let Some(name) = &mut column.column {
                    *name = (self.column)(name);
                    column.text.clone_from(name);
                }
            }
            for key in &mut table.foreign_keys {
                self.columns(&mut key.columns);
                self.columns(&mut key.referenced_columns);
                self.columns(&mut key.on_delete_columns);
                self.relation(&mut key.referenced);
            }
            for dependency in &mut table.dependencies {
                if let Some(name) = tables.get(&dependency.name) {
                    let mut name = name.clone();
                    self.relation(&mut name);
                    dependency.name = name.to_string();
                }
                dependency.via_name = (self.column)(&dependency.via_name);
            }
        }
        renamed.types.values_mut().filter_map(|t| t.row_type_of.as_mut()).for_each(|n| self.relation(n));
        for owner in renamed.sequences.iter_mut().filter_map(|s| s.owned_by.as_mut()) {
            self.relation(&mut owner.relation);
            owner.column = (self.column)(&owner.column);
        }
        if let Some(workload) = &mut renamed.workload {
            for join in &mut workload.joins {
                self.relation(&mut join.left);
                self.relation(&mut join.right);
                for (a, b) in &mut join.columns {
                    *a = (self.column)(a);
                    *b = (self.column)(b);
                }
            }
            for filter in &mut workload.filters {
                self.relation(&mut filter.relation);
                self.columns(&mut filter.columns);
            }
        }
        renamed
    }
}

/// The assignment of a renamed schema, by the names of the schema that it was made from.
fn in_old_names(schema: &Schema, renaming: &Renaming<'_>, assignment: &Assignment) -> Assignment {
    let mut old = BTreeMap::new();
    for table in &schema.tables {
        let mut name = table.name.clone();
        renaming.relation(&mut name);
        let Some(entry) = assignment.0.get(&name.to_string()) else { continue };
        let own = |c: &String| table.columns.iter().map(|o| &o.name).find(|o| (renaming.column)(o) == *c).cloned();
        // A column that the table could be given has no old name: what it would be called there is what counts.
        let column = entry.column.as_ref().map(|c| own(c).unwrap_or_else(|| c.clone()));
        old.insert(table.name.to_string(), Entry { role: entry.role, column, group: None });
    }
    Assignment(old)
}

#[test]
fn the_name_of_a_schema_does_not_matter() {
    for (name, schema) in schemas() {
        // In front of all, so that their order stays.
        let moved = |s: &str| format!("moved {s}");
        let same = |s: &str| s.to_owned();
        let renaming = Renaming { schema: &moved, table: &same, column: &same };
        let plan = planned(&schema, Assignment::default());
        let other = planned(&renaming.apply(&schema), Assignment::default());
        let mut expected = Assignment(BTreeMap::new());
        for table in &schema.tables {
            let mut renamed = table.name.clone();
            renaming.relation(&mut renamed);
            let entry = plan.assignment.0.get(&table.name.to_string());
            expected.0.extend(entry.map(|e| (renamed.to_string(), e.clone())));
        }
        assert_eq!(other.assignment, expected, "{name}");
        assert_eq!((other.cost, other.proven), (plan.cost, plan.proven), "{name}");
    }
}

/// Words that mean something to the planner: usual tenants, what ends the name of a key, what names no other table, and the
/// tables that tools keep.
const TELLING: [&str; 58] = [
    "tenant",
    "customer",
    "account",
    "organization",
    "organisation",
    "org",
    "company",
    "workspace",
    "user",
    "id",
    "uuid",
    "key",
    "sk",
    "dim",
    "external",
    "internal",
    "remote",
    "legacy",
    "public",
    "original",
    "parent",
    "root",
    "previous",
    "next",
    "row",
    "guid",
    "oid",
    "pk",
    "seq",
    "sequence",
    "code",
    "name",
    "title",
    "slug",
    "type",
    "kind",
    "status",
    "state",
    "version",
    "position",
    "locale",
    "language",
    "schema",
    "migration",
    "ar",
    "metadata",
    "flyway",
    "history",
    "databasechangelog",
    "databasechangeloglock",
    "prisma",
    "diesel",
    "alembic",
    "django",
    "goose",
    "db",
    "knex",
    "statu",
];

/// `order` and `Id` of `orderId`, with what parts them.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        let starts = c.is_uppercase() && before.is_lowercase() || c.is_alphabetic() != before.is_alphabetic();
        if starts {
            words.push(String::new());
        }
        words.last_mut().unwrap().push(c);
        before = c;
    }
    words.retain(|w| !w.is_empty());
    words
}

/// Another word for each, so that what belonged together does: `order`, `orders` and `order_id`.
fn other_words(schema: &Schema) -> BTreeMap<String, String> {
    let names = schema.tables.iter().flat_map(|t| t.columns.iter().map(|c| &c.name).chain([&t.name.name]));
    let roots: BTreeSet<String> = names.flat_map(|n| words(n)).map(|w| singular(&w.to_lowercase())).collect();
    // Backwards, so that the order of names is another.
    let count = roots.len();
    let spelled = |mut n: usize| {
        let mut word = String::from("q");
        for _ in 0..4 {
            word.push(char::from(b'a' + (n % 25) as u8));
            n /= 25;
        }
        word + "o"
    };
    // `transactionid` stays what ends like a key.
    let tail = |root: &str| if root.ends_with("id") { "id" } else { "" };
    let word = |(i, root): (usize, String)| {
        let new = spelled(count - i) + tail(&root);
        (root, new)
    };
    roots.into_iter().enumerate().map(word).collect()
}

fn in_other_words(other: &BTreeMap<String, String>, name: &str) -> String {
    let word = |word: String| {
        let lower = word.to_lowercase();
        let root = singular(&lower);
        if !lower.chars().all(char::is_alphabetic)
            || TELLING.contains(&root.as_str())
            || TELLING.contains(&lower.as_str())
        {
            return word;
        }
        let plural = if root == lower { "" } else { "s" };
        // Names of what is no table of the model stay.
        let Some(new) = other.get(&root) else { return word };
        let new = format!("{new}{plural}");
        match word.chars().next() {
            Some(c) if c.is_uppercase() => new[..1].to_uppercase() + &new[1..],
            _ => new,
        }
    };
    words(name).into_iter().map(word).collect()
}

/// Ties are broken by name, so the plan of the renamed schema may be another: one that is as good.
#[test]
fn names_matter_only_by_what_they_mean() {
    let (mut same, mut as_good, mut open) = (0, 0, 0);
    for (name, schema) in schemas() {
        let other = other_words(&schema);
        let new = |s: &str| in_other_words(&other, s);
        let old = |s: &str| s.to_owned();
        let renaming = Renaming { schema: &old, table: &new, column: &new };
        let renamed_schema = renaming.apply(&schema);
        let names: BTreeSet<String> = renamed_schema.tables.iter().map(|t| t.name.to_string()).collect();
        assert_eq!(names.len(), schema.tables.len(), "{name}: two tables of one name");
        let plan = planned(&schema, Assignment::default());
        let renamed = planned(&renamed_schema, Assignment::default());
        if !(plan.proven && renamed.proven) {
            open += 1;
            continue;
        }
        let difference = || {
            let back = in_old_names(&schema, &renaming, &renamed.assignment);
            let differs = |(t, e): &(&String, &Entry)| {
                plan.assignment.0.get(*t).is_none_or(|o| (o.role, &o.column) != (e.role, &e.column))
            };
            let changed: Vec<_> =
                back.0.iter().filter(differs).map(|(t, e)| format!("{t}: {:?} {:?}", e.role, e.column)).collect();
            changed
        };
        assert_eq!(renamed.cost, plan.cost, "{name}: {:#?}", difference());
        if difference().is_empty() { same += 1 } else { as_good += 1 }
    }
    println!("{same} plans are the same up to names, {as_good} tie with it, {open} were not proven");
}

/// Tables that have to do with each other, as a number for each: by foreign key, by columns of one class, by a dependency.
fn components(graph: &Graph<'_>) -> Vec<usize> {
    let mut of: Vec<usize> = (0..graph.schema.tables.len()).collect();
    fn find(of: &mut [usize], mut at: usize) -> usize {
        while of[at] != at {
            of[at] = of[of[at]];
            at = of[at];
        }
        at
    }
    let mut pairs: Vec<(TableId, TableId)> = Vec::new();
    pairs.extend(graph.edges.iter().map(|e| (graph.root(e.referencing), graph.root(e.referenced))));
    for class in &ColumnClasses::new(graph).classes {
        pairs.extend(class.members.windows(2).map(|w| (w[0].0, w[1].0)));
    }
    for table in graph.tables() {
        pairs.push((table, graph.root(table)));
        let names = graph.table(table).dependencies.iter().map(|d| &d.name);
        let used = names.filter_map(|n| graph.tables().find(|&t| graph.table(t).name.to_string() == *n));
        pairs.extend(used.map(|t| (table, graph.root(t))));
    }
    for (a, b) in pairs {
        let (a, b) = (find(&mut of, a.0), find(&mut of, b.0));
        of[a.max(b)] = a.min(b);
    }
    (0..of.len()).map(|t| find(&mut of, t)).collect()
}

/// What of a plan another does otherwise.
fn changed(before: &Assignment, after: &Assignment) -> Vec<String> {
    let differs =
        |(t, e): &(&String, &Entry)| before.0.get(*t).is_none_or(|b| (b.role, &b.column) != (e.role, &e.column));
    after.0.iter().filter(differs).map(|(t, _)| t.clone()).collect()
}

/// What a schema costs with some tables (`part`) placed as in one assignment, and the rest as in another. `None` where they
/// cannot be: a column may be one that is no longer offered.
fn cost_of_mixture(schema: &Schema, part: &[&String], of_part: &Assignment, of_rest: &Assignment) -> Option<i64> {
    let entry = |table: &String| {
        let entry = if part.contains(&table) { &of_part.0[table] } else { of_rest.0.get(table)? };
        // What is of one class is of one group, whatever that is called.
        Some((table.clone(), Entry { group: None, ..entry.clone() }))
    };
    let tables = schema.tables.iter().map(|t| t.name.to_string()).filter(|t| of_rest.0.contains_key(t));
    let overrides = Assignment(tables.filter_map(|t| entry(&t)).collect());
    let graph = Graph::new(schema);
    let plan = citus_planner::plan(&graph, &Request { overrides, ..Request::default() }, &mut || ()).ok()?;
    Some(plan.search.as_ref()?.price.total())
}

/// Of what the plan of a schema does otherwise after something was taken from it (`less`): the parts, by component, in which both
/// placements cost the same, before and after. Nothing but an accident of the search could have changed these.
fn needless(
    (schema, before): (&Schema, &Outcome),
    (less, after): (&Schema, &Outcome),
    component: &BTreeMap<String, usize>,
) -> Vec<String> {
    let others = changed(&before.assignment, &after.assignment);
    let mut parts: BTreeMap<usize, Vec<&String>> = BTreeMap::new();
    for table in &others {
        parts.entry(component[table]).or_default().push(table);
    }
    let is_needless = |part: &Vec<&String>| {
        let stayed = cost_of_mixture(less, part, &before.assignment, &after.assignment);
        let went = cost_of_mixture(schema, part, &after.assignment, &before.assignment);
        stayed.is_some_and(|c| c <= after.cost) && went.is_some_and(|c| c <= before.cost)
    };
    parts.into_values().filter(is_needless).map(|part| format!("{part:?}")).collect()
}

/// Asserts that nothing changed needlessly where both plans are proven; returns whether they are.
fn changes_only_what_must(
    before: (&Schema, &Outcome),
    after: (&Schema, &Outcome),
    component: &BTreeMap<String, usize>,
    name: &str,
    missing: impl Fn() -> String,
) -> bool {
    let proven = before.1.proven && after.1.proven;
    if proven {
        let needless = needless(before, after, component);
        assert!(needless.is_empty(), "{name}: without {} these changed for nothing: {needless:?}", missing());
    }
    proven
}

/// [`components`] by the names of tables.
fn components_by_name(graph: &Graph<'_>) -> BTreeMap<String, usize> {
    let of = components(graph);
    graph.tables().map(|t| (graph.table(t).name.to_string(), of[t.0])).collect()
}

#[test]
fn a_plan_that_is_still_there_is_not_passed_over_when_a_foreign_key_goes() {
    let mut random = Random(23);
    let (mut judged, mut taken, mut unchanged, mut far, mut lost_before, mut better) = (0, 0, 0, 0, 0, 0);
    for (name, schema) in schemas() {
        let graph = Graph::new(&schema);
        let plan = citus_planner::plan(&graph, &Request::default(), &mut || ()).unwrap();
        let before = outcome(&plan);
        let component = components(&graph);
        let by_name = components_by_name(&graph);
        let mut edges: Vec<usize> = (0..graph.edges.len()).collect();
        shuffle(&mut edges, &mut random);
        for &id in edges.iter().take(TAKEN) {
            let edge = &graph.edges[id];
            let mut less = schema.clone();
            let key = less.tables[edge.referencing.0].foreign_keys.remove(edge.foreign_key);
            let less_graph = Graph::new(&less);
            let after_plan = citus_planner::plan(&less_graph, &Request::default(), &mut || ()).unwrap();
            let after = outcome(&after_plan);
            let others = changed(&before.assignment, &after.assignment);
            let missing = || format!("{} of {}", key.name, graph.table(edge.referencing).name);
            judged +=
                usize::from(changes_only_what_must((&schema, &before), (&less, &after), &by_name, &name, missing));
            taken += 1;
            unchanged += usize::from(others.is_empty());
            let what = || format!("{name}: without {} of {}: {others:?}", key.name, graph.table(edge.referencing).name);
            // What is elsewhere has in common with it the load, what a foreign key is worth, and a tenant: it is counted.
            let home = component[graph.root(edge.referencing).0];
            let moved = graph.planned_tables().filter(|&t| others.contains(&graph.table(t).name.to_string()));
            let elsewhere: Vec<_> = moved.filter(|t| component[t.0] != home).collect();
            far += usize::from(!elsewhere.is_empty());
            // Where a foreign key was given up anyway, and nothing else hung on it, the same plan costs so much less.
            let (old, new) = (plan.search.as_ref().unwrap(), after_plan.search.as_ref().unwrap());
            let is_it = |c: &&Charge| c.term == Term::ForeignKeyLost && c.subject == Subject::ForeignKey(id);
            let Some(lost) = old.price.charges.iter().find(is_it) else { continue };
            if before.proven && after.proven && old.foreign_key_worth == new.foreign_key_worth {
                let kept = planned(&less, before.assignment.clone());
                if kept.cost == before.cost - lost.cost {
                    lost_before += 1;
                    better += usize::from(after.cost < kept.cost);
                    assert!(
                        after.cost <= kept.cost,
                        "{}: what is the best costs more than a plan that is there",
                        what()
                    );
                }
            }
        }
    }
    println!(
        "{taken} foreign keys taken away, {unchanged} without any change, {far} with one elsewhere too; of {judged} no change \
         was needless; {lost_before} were lost before, {better} of these stood in the way of a better plan"
    );
    assert!(lost_before > 0, "no foreign key that was lost was taken away");
}

#[test]
fn a_table_less_changes_the_plan_only_around_it() {
    let mut random = Random(29);
    let (mut judged, mut taken, mut unchanged, mut elsewhere) = (0, 0, 0, 0);
    for (name, schema) in schemas() {
        let graph = Graph::new(&schema);
        let plan = citus_planner::plan(&graph, &Request::default(), &mut || ()).unwrap();
        let before = outcome(&plan);
        let component = components(&graph);
        let by_name = components_by_name(&graph);
        let total: i64 = graph.planned_tables().filter_map(|t| graph.bytes(t)).sum();
        let mut tables: Vec<TableId> = graph.planned_tables().collect();
        shuffle(&mut tables, &mut random);
        for &table in tables.iter().take(TAKEN) {
            let gone: BTreeSet<RelationName> =
                std::iter::once(table).chain(graph.descendants(table)).map(|t| graph.table(t).name.clone()).collect();
            let mut less = schema.clone();
            less.tables.retain(|t| !gone.contains(&t.name));
            for other in &mut less.tables {
                other.foreign_keys.retain(|f| !gone.contains(&f.referenced));
                other.inherits.retain(|t| !gone.contains(t));
                other.dependencies.retain(|d| gone.iter().all(|g| g.to_string() != d.name));
            }
            if let Some(workload) = &mut less.workload {
                workload.joins.retain(|j| !gone.contains(&j.left) && !gone.contains(&j.right));
                workload.filters.retain(|f| !gone.contains(&f.relation));
            }
            let after = planned(&less, Assignment::default());
            let others = changed(&before.assignment, &after.assignment);
            let missing = || format!("table {}", graph.table(table).name);
            judged +=
                usize::from(changes_only_what_must((&schema, &before), (&less, &after), &by_name, &name, missing));
            taken += 1;
            unchanged += usize::from(others.is_empty());
            let outside: Vec<_> = graph
                .planned_tables()
                .filter(|&t| others.contains(&graph.table(t).name.to_string()))
                .filter(|t| component[t.0] != component[table.0])
                .map(|t| graph.table(t).name.to_string())
                .collect();
            elsewhere += usize::from(!outside.is_empty());
            // What was much of the load changes what all others are of it; what was little must not.
            let little = graph.bytes(table).is_some_and(|b| b.saturating_mul(1_000) < total);
            assert!(outside.is_empty() || !little, "{name}: without {}: {outside:?}", graph.table(table).name);
        }
    }
    println!(
        "{taken} tables taken away, {unchanged} without any change to others, {elsewhere} with a change to unrelated ones; of \
         {judged} no change was needless"
    );
}
