//! An empty copy of the tables, in schemas of its own, on which the script can be tried: the same columns, keys, foreign
//! keys, checks, triggers, policies and partitions under the same names. The script of the copy is made by the same
//! planner from the same roles, so that its steps are those of the real one with other schemas.

use std::collections::{BTreeMap, VecDeque};

use crate::Request;
use crate::assignment::Assignment;
use crate::graph::{Graph, TableId};
use crate::identifier::{RelationName, quote_identifier, quote_literal};
use crate::plan::Plan;
use crate::schema::{ConstraintKind, PartitionKey, Table, TableKind};

use super::{Step, foreign_keys, keys};

/// What the schemas of the copy begin with.
const PREFIX: &str = "planned_migration_rehearsal_";

/// How to make the copy, and how to plan it.
pub struct Rehearsal {
    /// In order.
    pub statements: Vec<String>,
    pub request: Request,
    /// What the copy leaves out, each a sentence.
    pub left_out: Vec<String>,
    names: BTreeMap<RelationName, RelationName>,
}

impl Rehearsal {
    pub fn new(plan: &Plan<'_>) -> Self {
        let graph = plan.graph();
        // In the order of their names, so that what is sorted by name stays so.
        let mut schemas: Vec<&String> = graph.schema.tables.iter().map(|t| &t.name.schema).collect();
        schemas.sort();
        schemas.dedup();
        let copy_of =
            |schema: &String| format!("{PREFIX}{:04}", schemas.iter().position(|s| *s == schema).unwrap_or(0));
        let copied = |t: &&Table| t.kind != TableKind::Foreign && t.inherits.is_empty();
        let names: BTreeMap<RelationName, RelationName> = graph
            .schema
            .tables
            .iter()
            .filter(copied)
            .map(|t| (t.name.clone(), RelationName::new(copy_of(&t.name.schema), &t.name.name)))
            .collect();
        let entries = plan.layout.to_assignment().0.into_iter();
        let renamed = entries.filter_map(|(written, entry)| {
            let (_, copy) = names.iter().find(|(name, _)| name.to_string() == written)?;
            Some((copy.to_string(), entry))
        });
        let request = Request {
            schemas: Some(schemas.iter().map(|s| copy_of(s)).collect()),
            overrides: Assignment(renamed.collect()),
            search_path: Vec::new(),
            prices: plan.request.prices,
        };
        let mut rehearsal = Rehearsal { statements: Vec::new(), request, left_out: Vec::new(), names };
        for schema in &schemas {
            rehearsal.statements.push(format!("CREATE SCHEMA {}", copy_of(schema)));
        }
        rehearsal.copy_tables(graph, &copy_of);
        rehearsal.place(graph);
        rehearsal.say_what_is_left_out(graph);
        rehearsal
    }

    fn copy_tables(&mut self, graph: &Graph<'_>, copy_of: &dyn Fn(&String) -> String) {
        // Parents before partitions.
        let mut open: VecDeque<TableId> = graph.planned_tables().collect();
        let mut late = Vec::new();
        while let Some(id) = open.pop_front() {
            open.extend(graph.partitions(id));
            let table = graph.table(id);
            let Some(copy) = self.names.get(&table.name).cloned() else { continue };
            self.copy_table(graph, table, &copy, copy_of);
            late.extend(objects(table, &copy));
        }
        self.statements.extend(late);
        for table in &graph.schema.tables {
            for key in &table.foreign_keys {
                let (Some(copy), Some(target)) = (self.names.get(&table.name), self.names.get(&key.referenced)) else {
                    continue;
                };
                let clause = foreign_keys::declared(key, target);
                self.statements
                    .push(format!("ALTER TABLE {copy} ADD CONSTRAINT {} {clause}", quote_identifier(&key.name)));
            }
        }
    }

    fn copy_table(
        &mut self,
        graph: &Graph<'_>,
        table: &Table,
        copy: &RelationName,
        copy_of: &dyn Fn(&String) -> String,
    ) {
        let partitioned = |key: &PartitionKey| format!(" PARTITION BY {}", key.definition);
        let by = table.partition_key.as_ref().map(partitioned).unwrap_or_default();
        let parent = table.partition_of.as_ref().and_then(|p| self.names.get(p));
        if let (Some(parent), Some(bound)) = (parent, &table.partition_bound) {
            self.statements.push(format!("CREATE TABLE {copy} PARTITION OF {parent} {bound}{by}"));
        } else {
            self.statements.push(format!(
                "CREATE TABLE {copy} (LIKE {} INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING IDENTITY INCLUDING STORAGE){by}",
                table.name
            ));
            for column in table.columns.iter().filter(|c| c.identity.is_none() && !c.sequences.is_empty()) {
                self.own_sequences(graph, copy, column, copy_of);
            }
        }
        for check in table.checks.iter().filter(|c| !c.inherited) {
            let name = quote_identifier(&check.name);
            self.statements.push(format!("ALTER TABLE {copy} ADD CONSTRAINT {name} {}", check.definition));
        }
    }

    /// A default that draws numbers draws them from a sequence of the copy.
    fn own_sequences(
        &mut self,
        graph: &Graph<'_>,
        copy: &RelationName,
        column: &crate::schema::Column,
        copy_of: &dyn Fn(&String) -> String,
    ) {
        let mut default = column.default.clone().unwrap_or_default();
        for name in &column.sequences {
            let own = RelationName::new(copy_of(&name.schema), format!("{} of {}", name.name, copy.name));
            let own = RelationName::new(own.schema, own.name.chars().take(40).collect::<String>());
            let data_type = graph.schema.sequences.iter().find(|s| s.name == *name).map_or("bigint", |s| &s.data_type);
            self.statements.push(format!("CREATE SEQUENCE IF NOT EXISTS {own} AS {data_type}"));
            default = default.replace(&quote_literal(&name.to_string()), &quote_literal(&own.to_string()));
        }
        let column = quote_identifier(&column.name);
        self.statements.push(format!("ALTER TABLE {copy} ALTER COLUMN {column} SET DEFAULT {default}"));
    }

    /// Brings the copy to where Citus has the tables now.
    fn place(&mut self, graph: &Graph<'_>) {
        let mut anchors: BTreeMap<i64, String> = BTreeMap::new();
        for citus in &graph.schema.citus_tables {
            if graph.find(&citus.name).is_none_or(|t| graph.is_partition(t)) {
                continue;
            }
            let Some(copy) = self.names.get(&citus.name) else { continue };
            let literal = quote_literal(&copy.to_string());
            match (citus.kind.as_str(), &citus.distribution_column) {
                ("reference", _) => self.statements.push(format!("SELECT create_reference_table({literal})")),
                ("distributed", Some(column)) => {
                    let with = anchors.entry(citus.colocation_id).or_insert_with(|| "none".to_owned());
                    self.statements.push(format!(
                        "SELECT create_distributed_table({literal}, {}, colocate_with => {})",
                        quote_literal(column),
                        quote_literal(with)
                    ));
                    if with == "none" {
                        *with = copy.to_string();
                    }
                }
                _ => {}
            }
        }
    }

    fn say_what_is_left_out(&mut self, graph: &Graph<'_>) {
        self.left_out.push("the rows: the copy is empty, so what they would violate is not found".to_owned());
        let mut say = |count: usize, what: &str| {
            if count > 0 {
                self.left_out.push(format!("{what} ({count})"));
            }
        };
        say(graph.schema.views.len(), "views and materialized views");
        say(graph.schema.tables.iter().map(|t| t.rules.len()).sum(), "rules");
        say(graph.schema.tables.iter().map(|t| t.statistics_objects.len()).sum(), "extended statistics");
        let missing = graph.schema.tables.iter().filter(|t| !self.names.contains_key(&t.name)).count();
        say(missing, "foreign tables and tables that inherit");
    }

    /// Outcomes of the real steps, from those of the copy's steps: what was tried under another schema is the same step.
    pub fn outcomes(&self, real: &[Step], tried: Vec<(Step, String)>) -> Vec<String> {
        let mut found: BTreeMap<(super::Phase, Option<String>), VecDeque<String>> = BTreeMap::new();
        for (step, outcome) in tried.into_iter().filter(|(s, _)| !s.statement.starts_with("--")) {
            found.entry((step.phase, step.relation.map(|r| r.to_string()))).or_default().push_back(outcome);
        }
        real.iter()
            .map(|step| {
                if step.statement.starts_with("--") {
                    return "nothing to run".to_owned();
                }
                let copy = step.relation.as_ref().map(|r| self.names.get(r).unwrap_or(r).to_string());
                let outcome = found.get_mut(&(step.phase, copy)).and_then(VecDeque::pop_front);
                outcome.unwrap_or_else(|| "not rehearsed: the copy has nothing of this kind".to_owned())
            })
            .collect()
    }
}

/// Keys, indexes, triggers and policies.
fn objects(table: &Table, copy: &RelationName) -> Vec<String> {
    let mut statements = Vec::new();
    for index in table.indexes.iter().filter(|i| i.parent.is_none()) {
        statements.push(match &index.constraint {
            Some(constraint) => {
                let clause = match constraint.kind {
                    ConstraintKind::Exclusion => constraint.definition.clone(),
                    _ => keys::constraint_clause(index, constraint, None),
                };
                format!("ALTER TABLE {copy} ADD CONSTRAINT {} {clause}", quote_identifier(&constraint.name))
            }
            None => moved(&index.definition, &table.name, copy),
        });
    }
    statements.extend(table.triggers.iter().map(|t| moved(&t.definition, &table.name, copy)));
    if table.row_security {
        statements.push(format!("ALTER TABLE {copy} ENABLE ROW LEVEL SECURITY"));
    }
    statements.extend(table.policies.iter().map(|p| moved(&p.definition, &table.name, copy)));
    statements
}

/// A definition that names its table once, behind ON.
fn moved(definition: &str, from: &RelationName, to: &RelationName) -> String {
    for on in [" ON ", " ON ONLY "] {
        let named = format!("{on}{from}");
        if definition.contains(&named) {
            return definition.replacen(&named, &format!("{on}{to}"), 1);
        }
    }
    definition.to_owned()
}
