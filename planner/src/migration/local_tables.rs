//! Tables that stay on the coordinator but share a foreign key with a reference table: Citus takes them, and all local
//! tables that foreign keys link to them, into its metadata by dropping and re-creating them. Rows stay; identity
//! counters start again, comments, rules and column options are gone, and views over them are re-created without grants,
//! materialized ones without indexes. All of that is put back in the same transaction.

use std::collections::BTreeSet;

use crate::graph::{Edge, TableId};
use crate::identifier::{RelationName, quote_identifier, quote_literal};
use crate::plan::ForeignKeyFate;
use crate::schema::Table;

use super::context::{Migration, regclass};
use super::notebook::SCHEMA;
use super::sql::Block;

/// Local tables that this foreign key makes Citus convert; none where it is not between a local table and a reference table, or
/// one that Citus manages already.
fn converted_by(migration: &Migration<'_, '_>, edge: &Edge) -> BTreeSet<TableId> {
    let (graph, layout) = (migration.graph, &migration.plan.layout);
    let start = match (edge.referencing, edge.referenced) {
        (local, reference) | (reference, local) if layout.is_local(local) && layout.is_reference(reference) => local,
        (a, b) if is_managed(migration, a) && layout.is_local(b) => b,
        (a, b) if is_managed(migration, b) && layout.is_local(a) => a,
        _ => return BTreeSet::new(),
    };
    let mut found = BTreeSet::new();
    let mut open = vec![graph.root(start)];
    while let Some(table) = open.pop() {
        if !layout.is_local(table) || !found.insert(table) {
            continue;
        }
        for member in std::iter::once(table).chain(graph.descendants(table)) {
            open.extend(graph.outgoing(member).map(|e| graph.root(e.referenced)));
            open.extend(graph.incoming(member).map(|e| graph.root(e.referencing)));
        }
    }
    found
}

/// A local table that was in Citus' metadata when the plan was made, and stays there.
fn is_managed(migration: &Migration<'_, '_>, table: TableId) -> bool {
    let table = migration.graph.root(table);
    migration.plan.layout.is_local(table)
        && !migration.is_pending(table)
        && migration.current(table).is_some_and(|now| now.kind == "local")
}

/// All local tables that this migration converts.
pub(super) fn converted(migration: &Migration<'_, '_>) -> BTreeSet<TableId> {
    migration
        .changed_foreign_keys()
        .filter(|key| !matches!(key.planned.fate, ForeignKeyFate::Lost { .. }))
        .flat_map(|key| converted_by(migration, key.edge))
        .filter(|&table| migration.current(table).is_none())
        .collect()
}

/// Runs `statements`, which add the foreign key `edge`, and puts back what a conversion of local tables forgets.
pub(super) fn preserving(
    migration: &Migration<'_, '_>,
    edge: &Edge,
    mut block: Block,
    statements: Vec<String>,
) -> Block {
    let converted = converted_by(migration, edge);
    if converted.is_empty() {
        return block.run_all(statements);
    }
    let tables: Vec<&Table> = converted.iter().map(|&t| migration.graph.table(t)).collect();
    let names: Vec<String> = tables.iter().map(|t| t.name.to_string()).collect();
    // Nobody may draw a number between reading the counter and setting it.
    block = block.run(format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", names.join(", ")));
    let mut resets = Vec::new();
    let mut renamed = Vec::new();
    let mut named_again = Vec::new();
    let identities = tables.iter().flat_map(|t| t.columns.iter().filter(|c| c.identity.is_some()).map(move |c| (t, c)));
    for (n, (table, column)) in identities.enumerate() {
        let sequence = format!(
            "pg_get_serial_sequence({}, {})",
            quote_literal(&table.name.to_string()),
            quote_literal(&column.name)
        );
        block = block
            .declare(&format!("sequence_{n} regclass"))
            .declare(&format!("counter_{n} bigint"))
            .declare(&format!("called_{n} boolean"))
            .run(format!("sequence_{n} := {sequence}"))
            .run(format!("EXECUTE 'SELECT last_value, is_called FROM ' || sequence_{n} INTO counter_{n}, called_{n}"));
        // Citus takes the identity off under a name that it does not quote.
        let quoted = quote_identifier(&column.name);
        if quoted != column.name && !is_in(migration, edge, &table.name, &column.name) {
            let (name, plain) = (&table.name, format!("planned_migration_{n}"));
            renamed.push(format!("ALTER TABLE {name} RENAME COLUMN {quoted} TO {plain}"));
            named_again.push(format!("ALTER TABLE {name} RENAME COLUMN {plain} TO {quoted}"));
        }
        resets.push(format!(
            "IF {sequence}::regclass <> sequence_{n} THEN PERFORM setval({sequence}, counter_{n}, \
             called_{n}); END IF"
        ));
    }
    let members: Vec<String> = converted.iter().map(|&t| regclass(migration.name(t))).collect();
    let members = members.join(", ");
    if !renamed.is_empty() {
        let only_then = |statements: Vec<String>| {
            format!("IF kept IS NOT NULL THEN\n    {};\n  END IF", statements.join(";\n    "))
        };
        (renamed, named_again) = (vec![only_then(renamed)], vec![only_then(named_again)]);
    }
    block
        .declare("kept text[]")
        .run(format!(
            "IF NOT ARRAY[{members}] <@ ARRAY(SELECT logicalrelid FROM pg_dist_partition) THEN\n    \
             kept := {SCHEMA}.put_aside(ARRAY[{members}]);\n  END IF"
        ))
        .run_all(renamed)
        .run_all(statements)
        .run_all(named_again)
        .run_all(resets)
        .run(format!("IF kept IS NOT NULL THEN PERFORM {SCHEMA}.put_back(kept); END IF"))
}

/// Whether a column is one of a foreign key's, on either side.
fn is_in(migration: &Migration<'_, '_>, edge: &Edge, table: &RelationName, column: &str) -> bool {
    let key = migration.graph.foreign_key(edge);
    let is = |id: TableId, columns: &[String]| migration.name(id) == table && columns.iter().any(|c| c == column);
    is(edge.referencing, &key.columns) || is(edge.referenced, &key.referenced_columns)
}
