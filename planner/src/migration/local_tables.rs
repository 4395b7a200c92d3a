//! Tables that stay on the coordinator but share a foreign key with a reference table: Citus takes them, and all local
//! tables that foreign keys link to them, into its metadata by dropping and re-creating them. Rows stay; identity
//! counters start again, and comments, rules and column options are gone. What can be put back is put back in the same
//! transaction.

use std::collections::BTreeSet;

use crate::graph::{Edge, TableId};
use crate::identifier::{RelationName, quote_identifier, quote_literal};
use crate::plan::ForeignKeyFate;
use crate::schema::Table;

use super::context::Migration;
use super::sql::Block;

/// Local tables that this foreign key makes Citus convert; none where it is not between a local and a reference table.
fn converted_by(migration: &Migration<'_, '_>, edge: &Edge) -> BTreeSet<TableId> {
    let (graph, layout) = (migration.graph, &migration.plan.layout);
    let start = match (edge.referencing, edge.referenced) {
        (local, reference) | (reference, local) if layout.is_local(local) && layout.is_reference(reference) => local,
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
        resets.push(format!(
            "IF {sequence}::regclass <> sequence_{n} THEN PERFORM setval({sequence}, counter_{n}, \
             called_{n}); END IF"
        ));
    }
    let kept = tables.iter().flat_map(|table| comments(migration, table));
    let aside = materialized_views(migration, &converted);
    let mut block = aside.iter().enumerate().fold(block, |block, (n, view)| put_aside(block, n, view, &names));
    block = block.run_all(statements).run_all(resets).run_all(kept.collect::<Vec<_>>());
    aside.iter().enumerate().fold(block, |block, (n, view)| put_back(block, n, view))
}

/// Materialized views over tables that are converted. Citus would run their queries in between, over shards, and forget
/// their indexes. One that other views rest on is left to Citus.
fn materialized_views<'a>(migration: &Migration<'a, '_>, converted: &BTreeSet<TableId>) -> Vec<&'a RelationName> {
    let graph = migration.graph;
    let views = &graph.schema.views;
    let members: Vec<&RelationName> = converted
        .iter()
        .flat_map(|&t| std::iter::once(t).chain(graph.descendants(t)))
        .map(|t| &graph.table(t).name)
        .collect();
    let mut over: BTreeSet<&RelationName> = BTreeSet::new();
    loop {
        let before = over.len();
        over.extend(
            views
                .iter()
                .filter(|v| v.reads.iter().any(|r| members.contains(&r) || over.contains(r)))
                .map(|v| &v.name)
                .collect::<Vec<_>>(),
        );
        if over.len() == before {
            break;
        }
    }
    let is_read = |name: &RelationName| views.iter().any(|v| v.reads.contains(name));
    views.iter().filter(|v| v.materialized && over.contains(&v.name) && !is_read(&v.name)).map(|v| &v.name).collect()
}

/// Drops a materialized view, unless the tables are converted already, and remembers how to make it again.
fn put_aside(block: Block, n: usize, view: &RelationName, tables: &[String]) -> Block {
    let (literal, tables) =
        (quote_literal(&view.to_string()), tables.iter().map(|t| format!("{}::regclass", quote_literal(t))));
    let tables = tables.collect::<Vec<_>>().join(", ");
    block
        .declare(&format!("view_{n} text"))
        .declare(&format!("view_{n}_is_filled boolean"))
        .declare(&format!("view_{n}_parts text[]"))
        .declare(&format!("view_{n}_part text"))
        .run(format!(
            "IF ARRAY[{tables}] <@ ARRAY(SELECT logicalrelid FROM pg_dist_partition) THEN NULL; ELSE\n    \
             SELECT format('CREATE MATERIALIZED VIEW %s%s%s AS %s WITH NO DATA', {literal}, ' USING ' || quote_ident(amname),\n      \
             ' WITH (' || array_to_string(reloptions, ', ') || ')', rtrim(pg_get_viewdef(c.oid), ' ;')), relispopulated,\n      \
             ARRAY[format('ALTER MATERIALIZED VIEW %s OWNER TO %I', {literal}, pg_get_userbyid(relowner))]\n      \
             || ARRAY(SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = c.oid ORDER BY indexrelid)\n      \
             || ARRAY(SELECT format('GRANT %s ON %s TO %s%s', privilege_type, {literal},\n        \
             CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,\n        \
             CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) FROM aclexplode(relacl) WHERE grantee <> relowner)\n      \
             || ARRAY(SELECT format('COMMENT ON MATERIALIZED VIEW %s IS %L', {literal}, obj_description(c.oid, 'pg_class'))\n        \
             WHERE obj_description(c.oid, 'pg_class') IS NOT NULL)\n      \
             INTO view_{n}, view_{n}_is_filled, view_{n}_parts FROM pg_class c LEFT JOIN pg_am ON pg_am.oid = relam\n      \
             WHERE c.oid = to_regclass({literal}) AND relkind = 'm';\n    \
             IF view_{n} IS NOT NULL THEN DROP MATERIALIZED VIEW {view}; END IF;\n  END IF"
        ))
}

/// Makes it again. Filling it may be what Citus cannot do: then it stays empty, and the script says so.
fn put_back(block: Block, n: usize, view: &RelationName) -> Block {
    let warning = quote_literal(&format!("materialized view {} stays empty: Citus cannot run its query", view));
    block.run(format!(
        "IF view_{n} IS NOT NULL THEN\n    EXECUTE view_{n};\n    \
         FOREACH view_{n}_part IN ARRAY view_{n}_parts LOOP EXECUTE view_{n}_part; END LOOP;\n    \
         IF view_{n}_is_filled THEN\n      \
         BEGIN REFRESH MATERIALIZED VIEW {view};\n      \
         EXCEPTION WHEN feature_not_supported THEN RAISE WARNING USING MESSAGE = {warning}, DETAIL = SQLERRM;\n      \
         END;\n    END IF;\n  END IF"
    ))
}

/// Comments on the table and its parts; of foreign keys only those that were not dropped, the others bring theirs along.
fn comments(migration: &Migration<'_, '_>, table: &Table) -> Vec<String> {
    let mut statements = Vec::new();
    let mut put_back = |object: String, text: &Option<String>| {
        if let Some(text) = text {
            statements.push(format!("COMMENT ON {object} IS {}", quote_literal(text)));
        }
    };
    put_back(format!("TABLE {}", table.name), &table.comment);
    for column in &table.columns {
        put_back(format!("COLUMN {}.{}", table.name, quote_identifier(&column.name)), &column.comment);
    }
    for index in &table.indexes {
        put_back(format!("INDEX {}", RelationName::new(&table.name.schema, &index.name)), &index.comment);
        if let Some(constraint) = &index.constraint {
            let name = quote_identifier(&constraint.name);
            put_back(format!("CONSTRAINT {name} ON {}", table.name), &constraint.comment);
        }
    }
    let dropped =
        |name: &str| migration.changed_foreign_keys().any(|k| *k.table == table.name && k.foreign_key.name == name);
    for key in table.foreign_keys.iter().filter(|k| !dropped(&k.name)) {
        put_back(format!("CONSTRAINT {} ON {}", quote_identifier(&key.name), table.name), &key.comment);
    }
    for trigger in &table.triggers {
        put_back(format!("TRIGGER {} ON {}", quote_identifier(&trigger.name), table.name), &trigger.comment);
    }
    statements
}

/// What a conversion of this table loses for good.
pub(super) fn forgotten(migration: &Migration<'_, '_>, table: TableId) -> Vec<String> {
    let (id, table) = (table, migration.graph.table(table));
    let mut losses: Vec<String> =
        table.rules.iter().map(|r| format!("rule \"{}\": {}", r.name, r.definition)).collect();
    for column in table.columns.iter().filter(|c| !c.options.is_empty()) {
        losses.push(format!("options of column \"{}\": {}", column.name, column.options.join(", ")));
    }
    let kept = materialized_views(migration, &BTreeSet::from([id]));
    let views = migration.graph.schema.views.iter();
    for view in views.filter(|v| v.reads.contains(&table.name) && !kept.contains(&&v.name)) {
        let what = if view.materialized { "indexes, grants and comments" } else { "grants and comments" };
        losses.push(format!("{what} of {}, which Citus drops and re-creates", view.name));
    }
    losses
}
