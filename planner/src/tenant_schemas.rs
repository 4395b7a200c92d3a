//! Databases with one schema a tenant: many schemas of one shape. Citus can place each of them on a node as a whole
//! (`citus_schema_distribute`), which loses no key and no foreign key inside them; no distribution column does better.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::{Graph, TableId};
use crate::identifier::{quote_identifier, quote_literal};
use crate::rules::{Finding, ObjectType, TENANT_SCHEMA};
use crate::schema::{RelationName, TableKind};

/// Fewer schemas of one shape may be anything: a copy for tests, a previous release.
const FEWEST_SCHEMAS: usize = 3;

/// A schema is of a shape if it shares so much of it, in percent: the last migration may not have reached every tenant.
const LIKENESS: usize = 80;

/// The verdict "schema-based sharding".
#[derive(Clone, Debug, PartialEq)]
pub struct TenantSchemas {
    /// Raw names, sorted.
    pub schemas: Vec<String>,
    /// Tables that each of them has (of the most usual shape).
    pub tables: usize,
    /// Schemas that differ from the rest: raw name and how.
    pub different: Vec<(String, String)>,
    /// Tables elsewhere that tenants reference: reference tables, in this order.
    pub shared: Vec<TableId>,
    /// What Citus would refuse of it.
    pub refusals: Vec<Finding>,
}

impl TenantSchemas {
    /// The tables that a plan speaks of, if they are one schema a tenant. Schemas with one of `overridden` are what the user
    /// says they are.
    pub fn find(graph: &Graph<'_>, planned: &[TableId], overridden: &[TableId]) -> Option<Self> {
        let schema = |t: &TableId| graph.table(*t).name.schema.as_str();
        let kept: BTreeSet<&str> = overridden.iter().map(schema).collect();
        let mut shapes: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        // Citus does not distribute the schema public.
        for table in planned.iter().filter(|t| schema(t) != "public" && !kept.contains(schema(t))) {
            shapes.entry(schema(table)).or_default().extend(shape(graph, *table));
        }
        let mut counts: BTreeMap<&BTreeSet<String>, usize> = BTreeMap::new();
        for shape in shapes.values() {
            *counts.entry(shape).or_default() += 1;
        }
        let (usual, _) = counts.into_iter().max_by_key(|(shape, count)| (*count, shape.len(), *shape))?;
        let alike = |shape: &BTreeSet<String>| {
            let common = shape.intersection(usual).count();
            common * 100 >= LIKENESS * shape.union(usual).count()
        };
        let schemas: Vec<String> =
            shapes.iter().filter(|(_, s)| alike(s)).map(|(name, _)| (*name).to_owned()).collect();
        let inside = |t: &TableId| schemas.iter().any(|s| s == schema(t));
        let tenants: Vec<TableId> = planned.iter().copied().filter(|t| inside(t)).collect();
        if schemas.len() < FEWEST_SCHEMAS || tenants.len() * 2 < planned.len() {
            return None;
        }
        let different = schemas.iter().filter(|s| shapes[s.as_str()] != *usual);
        let different = different.map(|s| (s.clone(), difference(&shapes[s.as_str()], usual))).collect();
        let tables = usual.iter().filter(|part| part.ends_with(TABLE)).count();
        let mut shared: Vec<TableId> = tenants
            .iter()
            .flat_map(|&t| tree(graph, t))
            .flat_map(|t| graph.outgoing(t).map(|e| graph.root(e.referenced)).collect::<Vec<_>>())
            .filter(|t| !inside(t))
            .collect();
        // What a reference table references must be one too; referenced tables come first.
        let mut open = shared.clone();
        while let Some(table) = open.pop() {
            for referenced in graph.outgoing(table).map(|e| graph.root(e.referenced)).filter(|t| !inside(t)) {
                if !shared.contains(&referenced) {
                    open.push(referenced);
                }
                shared.push(referenced);
            }
        }
        let mut order: Vec<TableId> = Vec::new();
        for table in shared.into_iter().rev() {
            if !order.contains(&table) {
                order.push(table);
            }
        }
        let refusals = tenants.iter().flat_map(|&t| refusals(graph, t, &schemas, &order)).collect();
        let verdict = TenantSchemas { schemas, tables, different, shared: order, refusals };
        Some(verdict.with_extension_tables(graph))
    }

    fn with_extension_tables(mut self, graph: &Graph<'_>) -> Self {
        for table in graph.schema.extension_tables.iter().filter(|t| self.schemas.contains(&t.name.schema)) {
            let message = format!(
                "schema cannot be distributed since it has table {} which is owned by an extension",
                table.name.schema
            );
            let detail = format!("{} belongs to the extension {}.", table.name, table.extension);
            let fix = format!("ALTER EXTENSION {} SET SCHEMA public;", quote_identifier(&table.extension));
            self.refusals.push(finding(&table.name, ObjectType::Table, &table.name.name, message, detail, Some(fix)));
        }
        self.refusals.sort_by(|a, b| (&a.relation, &a.object_name).cmp(&(&b.relation, &b.object_name)));
        self
    }

    /// What to run on the coordinator, one statement each: shared tables first.
    pub fn statements(&self, graph: &Graph<'_>) -> Vec<String> {
        let shared = self.shared.iter().map(|&t| {
            let name = quote_literal(&graph.table(t).name.to_string());
            format!("SELECT create_reference_table({name});")
        });
        let schemas = self.schemas.iter().map(|s| {
            let name = quote_literal(&quote_identifier(s));
            format!("SELECT citus_schema_distribute({name});")
        });
        shared.chain(schemas).collect()
    }
}

/// How the shape marks a table.
const TABLE: &str = " table";

/// What one table adds to the shape of its schema: itself, its columns with their types, its keys.
fn shape(graph: &Graph<'_>, table: TableId) -> Vec<String> {
    let t = graph.table(table);
    let own = format!("{}.", quote_identifier(&t.name.schema));
    let mut parts = vec![format!("{}{TABLE}", t.name.name)];
    parts.extend(t.columns.iter().map(|c| format!("{}.{} {}", t.name.name, c.name, c.type_text.replace(&own, ""))));
    parts.extend(t.indexes.iter().filter(|i| i.unique).map(|i| {
        let columns: Vec<&str> = i.columns.iter().filter(|c| c.key).map(|c| c.text.as_str()).collect();
        format!("{} key ({})", t.name.name, columns.join(", "))
    }));
    parts
}

/// `without invoices; with notes`
fn difference(shape: &BTreeSet<String>, usual: &BTreeSet<String>) -> String {
    const SHOWN: usize = 3;
    let list = |parts: Vec<&String>, word: &str| {
        let mut names: Vec<String> = parts.iter().take(SHOWN).map(|p| p.trim_end_matches(TABLE).to_owned()).collect();
        if parts.len() > SHOWN {
            names.push(format!("{} more", parts.len() - SHOWN));
        }
        (!names.is_empty()).then(|| format!("{word} {}", names.join(", ")))
    };
    let less = list(usual.difference(shape).collect(), "without");
    let more = list(shape.difference(usual).collect(), "with");
    less.into_iter().chain(more).collect::<Vec<_>>().join("; ")
}

/// A table with its partitions.
fn tree(graph: &Graph<'_>, table: TableId) -> Vec<TableId> {
    std::iter::once(table).chain(graph.descendants(table)).collect()
}

fn refusals(graph: &Graph<'_>, table: TableId, tenants: &[String], shared: &[TableId]) -> Vec<Finding> {
    let t = graph.table(table);
    let mut found = Vec::new();
    let mut refuse = |kind: ObjectType, object: &str, message: &str, detail: String, fix: Option<String>| {
        found.push(finding(&t.name, kind, object, message.to_owned(), detail, fix));
    };
    if t.kind == TableKind::Foreign {
        refuse(
            ObjectType::Table,
            &t.name.name,
            "cannot create a foreign table in a distributed schema",
            format!("{} is a foreign table: move it to a schema that is not distributed.", t.name),
            None,
        );
    }
    if graph.is_in_inheritance(table) {
        refuse(
            ObjectType::Table,
            &t.name.name,
            "tables in a distributed schema cannot inherit or be inherited",
            format!("{} inherits, or is inherited from.", t.name),
            None,
        );
    }
    for partition in graph.descendants(table) {
        let partition = &graph.table(partition).name;
        if partition.schema != t.name.schema {
            refuse(
                ObjectType::Table,
                &t.name.name,
                "partitioning within a distributed schema is not supported when the parent and the child are in different schemas",
                format!("{partition} is a partition of {}.", t.name),
                Some(format!("ALTER TABLE {partition} SET SCHEMA {};", quote_identifier(&t.name.schema))),
            );
        }
    }
    for trigger in &t.triggers {
        refuse(
            ObjectType::Trigger,
            &trigger.name,
            &format!("cannot distribute relation \"{}\" because it has triggers", t.name.name),
            format!("Citus does not support triggers on distributed tables, those of a schema included: {}.", t.name),
            Some(format!("DROP TRIGGER {} ON {};", quote_identifier(&trigger.name), t.name)),
        );
    }
    for edge in graph.outgoing(table) {
        let referenced = graph.root(edge.referenced);
        let to = &graph.table(referenced).name;
        let key = graph.foreign_key(edge);
        let drop = Some(format!("ALTER TABLE {} DROP CONSTRAINT {};", t.name, quote_identifier(&key.name)));
        if to.schema == t.name.schema {
            continue;
        }
        if tenants.contains(&to.schema) || !shared.contains(&referenced) {
            refuse(
                ObjectType::ForeignKey,
                &key.name,
                "foreign keys from distributed schemas can only point to the same distributed schema or reference tables in regular schemas",
                format!("{} references {to}, in the schema of another tenant.", t.name),
                drop,
            );
        } else if graph.table(referenced).kind != TableKind::Ordinary {
            refuse(
                ObjectType::ForeignKey,
                &key.name,
                "distributing partitioned tables in only supported for hash-distributed tables",
                format!("{} references {to}, which cannot be a reference table.", t.name),
                drop,
            );
        }
    }
    for edge in graph.incoming(table) {
        let from = &graph.table(edge.referencing).name;
        if !tenants.contains(&from.schema) {
            let key = graph.foreign_key(edge);
            let message = "cannot create foreign keys to tables in a distributed schema from another schema".to_owned();
            let detail = format!("{from} references {}.", t.name);
            let fix = format!("ALTER TABLE {from} DROP CONSTRAINT {};", quote_identifier(&key.name));
            found.push(finding(from, ObjectType::ForeignKey, &key.name, message, detail, Some(fix)));
        }
    }
    found
}

fn finding(
    relation: &RelationName,
    object_type: ObjectType,
    object: &str,
    message: String,
    detail: String,
    fix_sql: Option<String>,
) -> Finding {
    Finding {
        code: TENANT_SCHEMA.code,
        name: TENANT_SCHEMA.name,
        level: TENANT_SCHEMA.level,
        effect: TENANT_SCHEMA.effect,
        relation: relation.clone(),
        object_type,
        object_name: object.to_owned(),
        message,
        detail: Some(detail),
        hint: None,
        fix_sql,
    }
}
