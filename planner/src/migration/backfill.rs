//! Columns that tables get: added empty, filled batch by batch while the application goes on, declared NOT NULL when
//! nobody writes any more. All of it happens before a key or a foreign key is touched, so that a path that leads nowhere
//! costs nothing but time.

use crate::backfill::{Backfill, sql};
use crate::graph::{ColumnId, TableId};
use crate::identifier::{RelationName, quote_identifier, quote_literal};
use crate::plan::PlannedBackfill;
use crate::report::number;
use crate::schema::{AddedColumn, Table};

use super::context::{Migration, regclass};
use super::placement::members;
use super::sql::{Block, Failure};
use super::{Phase, Step, notebook};

/// What the notebook calls a column that is not filled yet: a plan made anew does not see it, and fills it.
const COLUMN: &str = "column";

/// Pages that one batch looks at: 8 MB, some ten thousand rows.
const BATCH_PAGES: usize = 1_000;

/// The tables of this migration that get a column, each after those that it is filled from.
pub(super) fn pending<'m>(migration: &'m Migration<'_, '_>) -> impl Iterator<Item = &'m PlannedBackfill> {
    migration.plan.backfills.iter().filter(|b| migration.is_pending(b.table))
}

/// Whether the table gets a column.
pub(super) fn is_pending(migration: &Migration<'_, '_>, table: TableId) -> bool {
    pending(migration).any(|b| b.table == table)
}

/// Columns are added and filled; the last step lets the others begin.
pub(super) fn fill(migration: &Migration<'_, '_>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    steps.extend(abandoned(migration).map(|added| drop_abandoned(migration, added)));
    let begins = steps.len();
    for planned in pending(migration) {
        steps.push(add(migration, planned));
        steps.push(fill_one(migration, planned));
    }
    if steps.len() > begins {
        steps.push(complete(migration));
    }
    steps
}

/// Columns that another plan has added and not filled, and that this one does without.
fn abandoned<'m>(migration: &'m Migration<'_, '_>) -> impl Iterator<Item = &'m AddedColumn> {
    let added = migration.graph.schema.unfinished.iter().flat_map(|u| &u.added);
    added.filter(|a| {
        let is_wanted = |b: &PlannedBackfill| {
            *migration.name(b.table) == a.table && migration.plan.backfill(b).column.name == a.column
        };
        !pending(migration).any(is_wanted)
    })
}

fn drop_abandoned(migration: &Migration<'_, '_>, added: &AddedColumn) -> Step {
    let (name, column) = (&added.table, &added.column);
    let note = notebook::is_put_aside(COLUMN, name, column);
    let statement = migration
        .started_block()
        .return_if(&format!("NOT {note}"))
        .run(format!("ALTER TABLE {name} DROP COLUMN IF EXISTS {}", quote_identifier(column)))
        .run(notebook::back(COLUMN, name, column))
        .finish();
    let because = "A plan that was not finished has added this column and not filled it; this one does without it.";
    step(Phase::Prepare, name, statement, because.to_owned())
}

/// Such a column of a table: as [`added_column`].
pub(super) fn abandoned_column(migration: &Migration<'_, '_>, table: TableId) -> Option<String> {
    let added = abandoned(migration).find(|a| a.table == *migration.name(table))?;
    Some(format!("{} {}", added.column, added.type_text))
}

fn step(phase: Phase, name: &RelationName, statement: String, because: String) -> Step {
    Step { phase, relation: Some(name.clone()), statement, because }
}

/// A condition: the column is filled and NOT NULL, or the table is in its place, which says the same.
pub(super) fn is_complete(migration: &Migration<'_, '_>, planned: &PlannedBackfill) -> String {
    let attribute = attribute(migration, planned.table, planned.column, " AND attnotnull");
    format!("({attribute} OR {})", migration.is_placed(planned.table))
}

fn attribute(migration: &Migration<'_, '_>, table: TableId, column: ColumnId, condition: &str) -> String {
    format!(
        "EXISTS (SELECT FROM pg_attribute WHERE attrelid = {} AND attname = {} AND NOT attisdropped{condition})",
        regclass(migration.name(table)),
        quote_literal(&migration.graph.column(table, column).name)
    )
}

fn add(migration: &Migration<'_, '_>, planned: &PlannedBackfill) -> Step {
    let name = migration.name(planned.table);
    let backfill = migration.plan.backfill(planned);
    let statement = migration
        .filling_block()
        .return_if(&attribute(migration, planned.table, planned.column, ""))
        .run(format!("ALTER TABLE {name} {}", sql::add_column(backfill)))
        .run(notebook::put_aside(
            COLUMN,
            name,
            &backfill.column.name,
            &sql::add_column(backfill),
            &serde_json::to_string(&backfill.column.name).expect("a name is text"),
        ))
        .finish();
    let because = format!(
        "The distribution column, which {name} does not have. A change of the catalog only: it is empty, and takes an \
         exclusive lock for a moment."
    );
    step(Phase::Prepare, name, statement, because)
}

/// Row security would hide rows from the statement without a word; this makes it an error.
fn sees_all_rows(migration: &Migration<'_, '_>, backfill: &Backfill) -> Option<&'static str> {
    let ends = backfill.path(migration.graph).into_iter().flat_map(|e| [e.referencing, e.referenced]);
    let is_hidden = ends.into_iter().any(|t| migration.graph.table(t).row_security);
    is_hidden.then_some("PERFORM set_config('row_security', 'off', true)")
}

/// Triggers and rules of the table are kept still where whoever runs the script may do that: a row that gets its tenant has
/// not changed, and nobody's `updated_at` or audit log shall say so. Where they fire, they see the path that they know.
/// What the block has to declare, and what comes before and after the statement.
fn quietly(migration: &Migration<'_, '_>, table: TableId) -> Option<(Vec<&'static str>, String, String)> {
    let members: Vec<&Table> =
        std::iter::once(table).chain(migration.graph.descendants(table)).map(|t| migration.graph.table(t)).collect();
    if members.iter().all(|t| t.triggers.is_empty() && t.rules.is_empty()) {
        return None;
    }
    let mut declarations = vec!["role_before text := current_setting('session_replication_role')"];
    // Triggers for replicas only would wake up.
    declarations.push(match members.iter().any(|t| t.triggers.iter().any(|t| t.enabled == "R")) {
        true => "still boolean := false",
        false => "still boolean := has_parameter_privilege('session_replication_role', 'SET')",
    });
    let before = "IF still THEN PERFORM set_config('session_replication_role', 'replica', true);\n      \
                  ELSE PERFORM set_config('search_path', (SELECT reset_val FROM pg_settings WHERE name = 'search_path'), true); END IF";
    let after = "IF still THEN PERFORM set_config('session_replication_role', role_before, true);\n      \
                 ELSE PERFORM set_config('search_path', '', true); END IF";
    Some((declarations, before.to_owned(), after.to_owned()))
}

/// Pages are updated a few at a time, each batch committed where it can be: in a transaction block (`psql -1`) all of
/// them are one. Rows that have a value are passed over, so it goes on where it was stopped.
fn fill_one(migration: &Migration<'_, '_>, planned: &PlannedBackfill) -> Step {
    let name = migration.name(planned.table);
    let backfill = migration.plan.backfill(planned);
    let column = quote_identifier(&backfill.column.name);
    let value = sql::Values::while_filling(&migration.plan.layout).along_all("t", backfill, 1);
    let security = sees_all_rows(migration, backfill).map(|s| format!("{s};\n      ")).unwrap_or_default();
    let quietly = quietly(migration, planned.table);
    let (quiet, loud) = match &quietly {
        Some((_, before, after)) => (format!("{before};\n      "), format!(";\n      {after}")),
        None => (String::new(), String::new()),
    };
    let update = format!(
        "EXECUTE 'UPDATE ONLY ' || leaf || {} || '''(' || page || ',0)''::tid AND t.ctid < ''(' || page + {BATCH_PAGES} \
         || ',0)''::tid'",
        quote_literal(&format!(" AS t SET {column} = {value} WHERE t.{column} IS NULL AND t.ctid >= "))
    );
    let loops = format!(
        "FOREACH leaf IN ARRAY ARRAY(SELECT m.relid::regclass::text FROM ({}) AS m (relid)\n    \
         JOIN pg_class AS c ON c.oid = m.relid WHERE c.relkind = 'r' ORDER BY 1) LOOP\n    \
         pages := pg_relation_size(leaf::regclass) / current_setting('block_size')::bigint;\n    page := 0;\n    \
         WHILE page <= pages LOOP\n      {security}{quiet}{update};\n      \
         GET DIAGNOSTICS batch = ROW_COUNT{loud};\n      filled := filled + batch;\n      \
         IF batch > 0 AND alone THEN COMMIT; END IF;\n      \
         IF page * 10 / (pages + 1) <> (page + {BATCH_PAGES}) * 10 / (pages + 1) AND pages > {BATCH_PAGES} THEN\n        \
         RAISE INFO USING MESSAGE = leaf || ': ' || filled || ' rows filled, ' || least(page + {BATCH_PAGES}, pages) || \
         ' of ' || pages || ' pages';\n      END IF;\n      \
         page := page + {BATCH_PAGES};\n    END LOOP;\n  END LOOP",
        members(name)
    );
    let has_triggers = quietly.is_some();
    let declarations = quietly.into_iter().flat_map(|(declarations, ..)| declarations);
    let statement = declarations
        .fold(migration.filling_block(), Block::declare)
        .declare("alone boolean := statement_timestamp() = transaction_timestamp()")
        .declare("leaf text")
        .declare("page bigint")
        .declare("pages bigint")
        .declare("batch bigint")
        .declare("filled bigint := 0")
        .return_if(&is_complete(migration, planned))
        .run(loops)
        .run(format!(
            "RAISE INFO USING MESSAGE = {} || filled || ' rows filled'",
            quote_literal(&format!("{name}.{column}: "))
        ))
        .finish();
    let rows = migration.graph.rows(planned.table).map(|n| format!("About {} rows", number::thousands(n)));
    let bytes = planned.bytes.map(|b| format!("{} written", number::size(b)));
    let size: Vec<String> = [rows, bytes].into_iter().flatten().collect();
    let size = if size.is_empty() { String::new() } else { format!("{}. ", size.join(", ")) };
    let because = format!(
        "{size}Filled over {}, in batches of {BATCH_PAGES} pages, each its own transaction. Readers and other writers go on, \
         and wait only for rows of the batch; the foreign keys are still in force.{}",
        crate::backfill::in_words(migration.graph, backfill),
        if has_triggers {
            " Triggers and rules stay still, unless you may not set session_replication_role: then they fire."
        } else {
            ""
        }
    );
    step(Phase::Prepare, name, statement, because)
}

/// Fails where a row has stayed without a value; what is new since then gets its own in phase keys.
fn complete(migration: &Migration<'_, '_>) -> Step {
    let looks = pending(migration).map(|planned| {
        let name = migration.name(planned.table);
        let backfill = migration.plan.backfill(planned);
        let column = quote_identifier(&backfill.column.name);
        let value = sql::Values::while_filling(&migration.plan.layout).along_all("t", backfill, 1);
        let query = format!(
            "SELECT * FROM {} AS t WHERE t.{column} IS NULL AND {value} IS NULL",
            sql::from(migration.graph, planned.table)
        );
        look(
            &format!("NOT {}", is_complete(migration, planned)),
            &query,
            &format!("{name} has rows that get no {column}"),
        )
    });
    let looks: Vec<String> = looks.collect();
    let statement = migration
        .filling_block()
        .declare("problems text")
        .run_all(looks)
        .fail_if("problems IS NOT NULL", &nowhere())
        .run(migration.mark_checked())
        .finish();
    let because = "Every row must have a value before anything is taken away. Without it no later step does anything.";
    Step { phase: Phase::Prepare, relation: None, statement, because: because.to_owned() }
}

fn nowhere() -> Failure {
    Failure::new(
        "rows have no parent from which they could get the distribution column",
        "Give these rows a parent, or delete them.",
    )
    .detail("problems")
}

/// Adds to `problems`, under a condition, that a query finds rows.
fn look(condition: &str, query: &str, problem: &str) -> String {
    let exists = query.replacen("SELECT *", "SELECT 1", 1);
    let problem = quote_literal(&format!("{problem}: {query};"));
    format!(
        "IF {condition} THEN\n    IF EXISTS ({exists}) THEN\n      problems := concat_ws(E'\\n', problems, {problem});\n    \
         END IF;\n  END IF"
    )
}

/// Fails, before anything is added, where rows would get no value, or the disk is too small for them.
pub(super) fn feasible(mut block: Block, migration: &Migration<'_, '_>) -> Block {
    let values = sql::Values::by_path(migration.graph);
    let mut without = Vec::new();
    for planned in pending(migration) {
        let name = migration.name(planned.table);
        let backfill = migration.plan.backfill(planned);
        let open = format!("NOT {}", is_complete(migration, planned));
        let rows = format!("SELECT * FROM {} AS t WHERE", sql::from(migration.graph, planned.table));
        let column = quote_identifier(&backfill.column.name);
        if !backfill.is_certain {
            let query = format!("{rows} {} IS NULL", values.along_all("t", backfill, 1));
            without.push(look(&open, &query, &format!("{name} has rows that get no {column}")));
        }
    }
    if !without.is_empty() {
        block = block.run_all(without).fail_if("problems IS NOT NULL", &nowhere());
    }
    let rewritten: Vec<String> = pending(migration)
        .map(|planned| {
            // Not CASE: a THEN inside would end PL/pgSQL's condition.
            let (members, complete) = (members(migration.name(planned.table)), is_complete(migration, planned));
            format!(
                "(SELECT coalesce(sum(pg_total_relation_size(m.relid)), 0) FROM ({members}) AS m (relid) WHERE NOT {complete})"
            )
        })
        .collect();
    if rewritten.is_empty() {
        return block;
    }
    block.fail_if(
        &format!("(SELECT available_disk_size FROM citus_local_disk_space_stats()) < {}", rewritten.join("\n      + ")),
        &Failure::new(
            "the coordinator has too little disk to write the tables that get a column once more",
            "Make room: old and new versions of the rows stand side by side until the tables have moved.",
        ),
    )
}

/// The columns that are still to come, of each table that gets one: `company_id bigint`, as the catalog will have it.
pub(super) fn added_column(migration: &Migration<'_, '_>, table: TableId) -> Option<String> {
    let planned = pending(migration).find(|b| b.table == table)?;
    let column = &migration.plan.backfill(planned).column;
    Some(format!("{} {}", column.name, column.type_text))
}

/// For the way back: the column goes, when no key and no distribution needs it any more.
pub(super) fn drop_added(migration: &Migration<'_, '_>, planned: &PlannedBackfill) -> Step {
    let name = migration.name(planned.table);
    let column = quote_identifier(&migration.plan.backfill(planned).column.name);
    let statement = migration
        .checked_block()
        .return_if(&format!("NOT {}", attribute(migration, planned.table, planned.column, "")))
        .fail_if(
            &format!("EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = {})", regclass(name)),
            &Failure::new(
                format!("{name} is not back where it was"),
                "Mend what an earlier step has reported, then run all steps again.",
            ),
        )
        .run(format!("ALTER TABLE {name} DROP COLUMN {column}"))
        .finish();
    let because = format!("The migration added it. What it holds follows from the rows that {name} refers to.");
    step(Phase::Keys, name, statement, because)
}

/// Rows that have come since, and NOT NULL.
pub(super) fn not_null(migration: &Migration<'_, '_>) -> Vec<Step> {
    let steps = pending(migration).map(|planned| {
        let name = migration.name(planned.table);
        let backfill = migration.plan.backfill(planned);
        let column = quote_identifier(&backfill.column.name);
        let mut block = migration
            .checked_block()
            .run(notebook::back(COLUMN, name, &backfill.column.name))
            .return_if(&is_complete(migration, planned));
        if let Some(security) = sees_all_rows(migration, backfill) {
            block = block.run(security);
        }
        block = block.run(format!("LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE"));
        let fill = sql::fill(&migration.plan.layout, backfill);
        block = match quietly(migration, planned.table) {
            Some((declarations, before, after)) => {
                declarations.into_iter().fold(block, Block::declare).run(before).run(fill).run(after)
            }
            None => block.run(fill),
        };
        let statement = block
            .fail_if(
                &format!("EXISTS (SELECT 1 FROM {} AS t WHERE t.{column} IS NULL)", sql::from(migration.graph, planned.table)),
                &Failure::new(
                    format!("{name} has rows without {column}"),
                    "Give these rows a parent, or delete them; then run all steps again.",
                ),
            )
            .run("SET CONSTRAINTS ALL IMMEDIATE")
            .run(format!("ALTER TABLE {name} ALTER COLUMN {column} SET NOT NULL"))
            .finish();
        let because = format!(
            "Rows that have come since {column} was filled get theirs; from now on an INSERT into {name} must name it. Reads the \
             whole table under an exclusive lock."
        );
        step(Phase::Keys, name, statement, because)
    });
    steps.collect()
}
