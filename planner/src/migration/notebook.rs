//! What a running migration writes down in the database, in a schema of its own that goes at the end: the tables with
//! their rows, the constraints that were there, the foreign keys and checks that are put aside for the time being. Each is
//! written in the transaction that does the thing. A script that is run again reads it; so does a plan that is made anew
//! after a failure, which otherwise would know nothing of a foreign key that is gone for the moment.

use crate::graph::TableId;
use crate::identifier::{RelationName, quote_literal};
use crate::layout::Placement;

use super::context::{Migration, regclass};
use super::sql::{Block, Failure};
use super::{Phase, Step, local_tables};

/// The schema; settings of the session have the same prefix.
pub const SCHEMA: &str = "planned_migration";

/// Tables and functions, as statements inside a block, the last without its semicolon.
const CONTENTS: &str = include_str!("notebook.sql");

/// The name under which views are kept that are too many to stay while tables move; no table's, which are written with their
/// schema.
pub(super) const VIEWS: &str = "views";

/// What follows is not for the nodes.
pub(super) const HERE_ONLY: &str = "PERFORM set_config('citus.enable_ddl_propagation', 'off', true)";

/// The end of that, as a step at the start has set it: in a transaction of all steps the other would last, and foreign keys
/// would be on the coordinator only.
pub(super) const EVERYWHERE: &str = "PERFORM set_config('citus.enable_ddl_propagation', 'on', true)";

/// Makes the notebook and writes down what is there. A second run keeps what the first has written.
pub(super) fn open(migration: &Migration<'_, '_>) -> Step {
    let mut block = opened(migration.started_block()).declare("counted bigint");
    let converted = local_tables::converted(migration);
    let moving: Vec<TableId> = migration.conversions().collect();
    for &table in moving.iter().chain(&converted) {
        let name = migration.name(table);
        let literal = quote_literal(&name.to_string());
        // Policies would decide which rows are seen. A distributed table cannot be counted inside another statement.
        let count = match migration.graph.table(table).force_row_security {
            true => "counted := NULL".to_owned(),
            false => format!("SELECT count(*) INTO counted FROM {name}"),
        };
        block = block.run(format!(
            "IF NOT EXISTS (SELECT FROM {SCHEMA}.tables WHERE relation = {literal}) THEN\n    {count};\n    \
             INSERT INTO {SCHEMA}.tables VALUES ({literal}, counted, {});\n  END IF",
            migration.placement(table) == Placement::Local
        ));
    }
    block = block.run(format!("DELETE FROM {SCHEMA}.placements")).run(placements(migration));
    let touched: Vec<String> = migration.touched().into_iter().map(|t| regclass(migration.name(t))).collect();
    if !touched.is_empty() {
        block = block.run(format!(
            "INSERT INTO {SCHEMA}.constraints\n    \
             SELECT conrelid::regclass, conname, convalidated, pg_get_constraintdef(oid) FROM pg_constraint\n    \
             WHERE contype IN ('p', 'u', 'x', 'f', 'c') AND conparentid = 0 AND conrelid IN (\n      {})\n    \
             ON CONFLICT DO NOTHING",
            touched.join(",\n      ")
        ));
    }
    let because = format!(
        "Writes down how many rows each table has and which constraints, to compare with at the end, and later what is put \
         aside for the time being: in schema {SCHEMA}, which goes with the last step. Counts the rows of each table."
    );
    Step { phase: Phase::Prepare, relation: None, statement: block.finish(), because }
}

/// Where the plan wants every table: a plan that is made anew after a failure goes on with it.
fn placements(migration: &Migration<'_, '_>) -> String {
    let text = |value: Option<&str>| value.map_or("NULL".to_owned(), quote_literal);
    let planned = migration.plan.tables.iter().map(|planned| {
        let placement = migration.placement(planned.table);
        format!(
            "({}, {}, {}, {})",
            quote_literal(&migration.name(planned.table).to_string()),
            quote_literal(placement.role().as_str()),
            text(migration.plan.layout.distribution_column_name(planned.table)),
            text(placement.group().map(|g| migration.plan.layout.groups[g].as_str()))
        )
    });
    format!("INSERT INTO {SCHEMA}.placements VALUES\n    {}", planned.collect::<Vec<_>>().join(",\n    "))
}

/// The notebook of the way back: only for what is put aside. What the way there has wanted nobody wants any more.
pub(super) fn open_back(migration: &Migration<'_, '_>) -> Step {
    let because = format!(
        "What is put aside for the time being is written down in schema {SCHEMA}, which goes with the last step."
    );
    let block = opened(migration.checked_block()).run(format!("DELETE FROM {SCHEMA}.placements"));
    Step { phase: Phase::Prepare, relation: None, statement: block.finish(), because }
}

fn opened(block: Block) -> Block {
    block
        .run("PERFORM set_config('client_min_messages', 'warning', true)")
        .run(HERE_ONLY)
        .run(CONTENTS.trim())
        .run(EVERYWHERE)
}

/// A foreign key or check that goes for the time being, with all that a new plan has to know of it.
pub(super) fn put_aside(kind: &str, relation: &RelationName, name: &str, definition: &str, model: &str) -> String {
    format!(
        "INSERT INTO {SCHEMA}.put_aside VALUES ('{kind}', {}, {}, {}, {}) ON CONFLICT DO NOTHING",
        quote_literal(&relation.to_string()),
        quote_literal(name),
        quote_literal(definition),
        quote_literal(model)
    )
}

/// A condition: it has gone for the time being.
pub(super) fn is_put_aside(kind: &str, relation: &RelationName, name: &str) -> String {
    format!(
        "EXISTS (SELECT FROM {SCHEMA}.put_aside WHERE (kind, relation, name) = ('{kind}', {}))",
        pair(relation, name)
    )
}

/// It is back.
pub(super) fn back(kind: &str, relation: &RelationName, name: &str) -> String {
    format!("DELETE FROM {SCHEMA}.put_aside WHERE (kind, relation, name) = ('{kind}', {})", pair(relation, name))
}

/// A foreign key that is lost may be the way to the value of a column: as long as there are columns to fill, a new plan has to
/// know it.
pub(super) fn way(relation: &RelationName, name: &str, model: &str) -> String {
    format!(
        "INSERT INTO {SCHEMA}.ways VALUES ({}, {}) ON CONFLICT DO NOTHING",
        pair(relation, name),
        quote_literal(model)
    )
}

/// A constraint that is lost is not missed at the end: it was named.
pub(super) fn lost(relation: &RelationName, name: &str) -> String {
    format!("DELETE FROM {SCHEMA}.constraints WHERE (relation, name) = ({})", pair(relation, name))
}

fn pair(relation: &RelationName, name: &str) -> String {
    format!("{}, {}", quote_literal(&relation.to_string()), quote_literal(name))
}

/// A constraint that has another form now keeps it.
pub(super) fn changed(relation: &RelationName, name: &str) -> String {
    format!(
        "UPDATE {SCHEMA}.constraints SET definition = (SELECT pg_get_constraintdef(oid) FROM pg_constraint\n    \
         WHERE conrelid = {} AND conname = {}) WHERE (relation, name) = ({})",
        regclass(relation),
        quote_literal(name),
        pair(relation, name)
    )
}

/// Counts the rows once more: fewer than were moved are a problem, unless somebody says that they were deleted since.
pub(super) fn recounted(block: Block) -> Block {
    block
        .declare("noted record")
        .declare("counted bigint")
        .run(format!(
            "FOR noted IN SELECT relation, rows FROM {SCHEMA}.tables WHERE rows IS NOT NULL ORDER BY relation LOOP\n    \
             EXECUTE 'SELECT count(*) FROM ' || noted.relation INTO counted;\n    \
             IF counted < noted.rows THEN\n      \
             problems := concat_ws(E'\\n', problems, noted.relation || ' has ' || counted || ' rows, and had ' || noted.rows);\n    \
             ELSIF counted > noted.rows THEN\n      \
             RAISE INFO USING MESSAGE = noted.relation || ': ' || counted - noted.rows || ' rows have come since';\n    \
             END IF;\n  END LOOP"
        ))
        .fail_if(
            "problems IS NOT NULL",
            &Failure::new(
                "tables have fewer rows than they had",
                format!(
                    "If they were deleted since, say so: UPDATE {SCHEMA}.tables SET rows = NULL; then run all steps again. \
                     Until then the copies on the coordinator stay."
                ),
            )
            .detail("problems"),
        )
}

/// Constraints that were there at the start and are not now, are not valid any more, or have another form: a query for
/// problems. Expressions are left out: PostgreSQL does not always print them as it has read them.
pub(super) fn missing_constraints() -> String {
    format!(
        "SELECT 'constraint \"' || name || '\" of ' || relation || ' was there at the start and is missing, not valid, or another: ' || definition\n      \
         FROM {SCHEMA}.constraints k WHERE NOT EXISTS (SELECT FROM pg_constraint c\n      \
         WHERE c.conrelid = to_regclass(k.relation) AND c.conname = k.name AND (c.convalidated OR NOT k.validated)\n      \
         AND (c.contype NOT IN ('p', 'u', 'f') OR pg_get_constraintdef(c.oid) = k.definition))\n    \
         UNION ALL\n    \
         SELECT kind || ' \"' || name || '\" of ' || relation || ' has not come back: ' || definition FROM {SCHEMA}.put_aside"
    )
}

/// The notebook goes, if nothing in it is still to be done.
pub(super) fn close(migration: &Migration<'_, '_>) -> Step {
    let open =
        format!("EXISTS (SELECT FROM {SCHEMA}.put_aside) OR EXISTS (SELECT FROM {SCHEMA}.tables WHERE NOT cleaned)");
    let statement = close_block(migration.verified_block(), &open);
    let because = "Nothing is left of the migration but what it was for.".to_owned();
    Step { phase: Phase::Cleanup, relation: None, statement, because }
}

fn close_block(block: Block, open: &str) -> String {
    block
        .return_if(&format!("to_regclass('{SCHEMA}.put_aside') IS NULL"))
        .fail_if(
            open,
            &Failure::new(
                "the migration is not complete",
                "Mend what an earlier step has reported, then run all steps again.",
            ),
        )
        .run("PERFORM set_config('client_min_messages', 'warning', true)")
        .run(format!("PERFORM {SCHEMA}.recall(relation) FROM {SCHEMA}.keepsakes WHERE relation <> '{VIEWS}'"))
        .run(HERE_ONLY)
        .run(format!("PERFORM {SCHEMA}.recall('{VIEWS}')"))
        .run(format!("DROP SCHEMA {SCHEMA} CASCADE"))
        .run(EVERYWHERE)
        .finish()
}
