//! Limits a model to some schemas and what is linked to them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use citus_planner::error::{Error, ErrorKind};
use citus_planner::graph::{Graph, TableId};
use citus_planner::layout::schemas_hint;
use citus_planner::schema::{DataType, RelationName, Schema};

/// Keeps the tables of these schemas, those linked to them by a foreign key or by inheritance, and the whole partition
/// trees of all of them; of the rest what belongs to the tables kept.
///
/// # Errors
/// 3F000 for a schema that does not exist.
pub fn limit(schema: &mut Schema, schemas: &[String]) -> Result<(), Error> {
    let graph = Graph::new(schema);
    if let Some(unknown) = schemas.iter().find(|s| !schema.schemas.contains(s)) {
        return Err(Error::new(ErrorKind::UndefinedSchema, format!("schema \"{unknown}\" does not exist"))
            .hint(schemas_hint(&graph, unknown)));
    }
    let tables = tables_in_scope(&graph, schemas);
    let keep: HashSet<RelationName> = tables.into_iter().map(|t| graph.table(t).name.clone()).collect();

    schema.tables.retain(|t| keep.contains(&t.name));
    schema.types = types_of(schema);
    let used: HashSet<&RelationName> =
        schema.tables.iter().flat_map(|t| &t.columns).flat_map(|c| &c.sequences).collect();
    schema.sequences.retain(|s| {
        let owned = s.owned_by.as_ref().is_some_and(|o| keep.contains(&o.relation));
        schemas.contains(&s.name.schema) || owned || used.contains(&s.name)
    });
    schema.views.retain(|v| schemas.contains(&v.name.schema) || v.reads.iter().any(|t| keep.contains(t)));
    let referenced: HashSet<&RelationName> =
        schema.tables.iter().flat_map(|t| &t.foreign_keys).map(|k| &k.referenced).collect();
    schema.extension_tables.retain(|t| schemas.contains(&t.name.schema) || referenced.contains(&t.name));
    for publication in &mut schema.publications {
        publication.tables.retain(|t| keep.contains(t));
    }
    schema.publications.retain(|p| p.all_tables || !p.tables.is_empty());
    schema.citus_tables.retain(|t| keep.contains(&t.name));
    Ok(())
}

fn tables_in_scope(graph: &Graph<'_>, schemas: &[String]) -> BTreeSet<TableId> {
    let inside = graph.tables().filter(|&t| schemas.contains(&graph.table(t).name.schema));
    let inside: BTreeSet<TableId> = inside.flat_map(|t| tree(graph, t)).collect();
    let mut parents: HashMap<TableId, Vec<TableId>> = HashMap::new();
    for parent in graph.tables() {
        for &child in graph.inheritance_children(parent) {
            parents.entry(child).or_default().push(parent);
        }
    }
    let mut scope = inside.clone();
    for &table in &inside {
        let referenced = graph.outgoing(table).map(|e| e.referenced);
        let referencing = graph.incoming(table).map(|e| e.referencing);
        let heirs = graph.inheritance_children(table).iter().copied();
        let ancestors = parents.get(&table).into_iter().flatten().copied();
        for linked in referenced.chain(referencing).chain(heirs).chain(ancestors) {
            scope.extend(tree(graph, linked));
        }
    }
    scope
}

/// The whole partition tree that a table is in.
fn tree(graph: &Graph<'_>, table: TableId) -> Vec<TableId> {
    let root = graph.root(table);
    let mut tree = graph.descendants(root);
    tree.push(root);
    tree
}

/// The types that the tables use, directly or inside others.
fn types_of(schema: &Schema) -> BTreeMap<String, DataType> {
    let columns = schema.tables.iter().flat_map(|t| &t.columns).map(|c| &c.data_type);
    let mut open: Vec<&String> = columns.chain(schema.tables.iter().filter_map(|t| t.of_type.as_ref())).collect();
    let mut used = BTreeMap::new();
    while let Some(key) = open.pop() {
        let Some(found) = schema.types.get(key).filter(|_| !used.contains_key(key)) else { continue };
        open.extend(found.inner.iter().chain(&found.fields));
        used.insert(key.clone(), found.clone());
    }
    used
}
