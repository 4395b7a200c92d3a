//! Moving the tables: back to the coordinator where they are distributed otherwise, then to reference and distributed
//! tables, and at the very end the removal of the copy that every move leaves behind.

use crate::graph::TableId;
use crate::identifier::{RelationName, quote_literal};
use crate::layout::{GroupId, Placement};
use crate::plan::KeyFate;
use crate::report::number;

use super::context::{Migration, regclass};
use super::notebook::SCHEMA;
use super::sql::{Block, Failure};
use super::{Phase, Step, identity};

/// Keeps notices away until the end of the transaction.
pub(super) const QUIET: &str = "PERFORM set_config('client_min_messages', 'warning', true)";

/// Tables that Citus has, but not as planned, and that cannot be altered where they are.
pub(super) fn undistribute(migration: &Migration<'_, '_>) -> Vec<Step> {
    migration
        .pending_tables()
        .filter(|&t| migration.current(t).is_some() && !is_altered(migration, t))
        .map(|table| {
            let name = migration.name(table);
            let citus = regclass(name);
            let block = migration
                .checked_block()
                .return_if(&migration.is_placed(table))
                .return_if(&format!("NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = {citus})"));
            let statement = undistributed(block, migration, table);
            let because = match migration.current(table).is_some_and(|c| c.kind == "local") {
                true => format!(
                    "{} Citus manages it on the coordinator; it is PostgreSQL's own again first, with all that Citus would forget. \
                     Writers wait.",
                    size(migration, table)
                ),
                false => format!(
                    "{} It is distributed otherwise; its rows come back to the coordinator first. Writers wait.",
                    size(migration, table)
                ),
            };
            Step { phase: Phase::Drop, relation: Some(name.clone()), statement, because }
        })
        .collect()
}

/// A table that comes back to the coordinator with all that it has.
pub(super) fn undistributed(block: Block, migration: &Migration<'_, '_>, table: TableId) -> String {
    let name = migration.name(table);
    let (block, identities) = identity::taken_off(migration, table, block.declare("kept text[]"));
    let call = format!("PERFORM undistribute_table({})", quote_literal(&name.to_string()));
    let kept = format!("kept := {SCHEMA}.put_aside(ARRAY[{}])", regclass(name));
    let calls = [kept, call].into_iter().chain(identities).chain([format!("PERFORM {SCHEMA}.put_back(kept)")]);
    counted(block, migration, table, &calls.collect::<Vec<_>>().join(";\n  "))
}

/// Whether a distributed table can be redistributed in place: it keeps its keys.
fn is_altered(migration: &Migration<'_, '_>, table: TableId) -> bool {
    migration.placement(table).is_distributed()
        && migration.current(table).is_some_and(|c| c.kind == "distributed")
        && !identity::has_any(migration, table)
        && migration.plan.keys.iter().filter(|k| k.table == table).all(|k| k.fate == KeyFate::Kept)
}

pub(super) fn reference(migration: &Migration<'_, '_>) -> Vec<Step> {
    let tables = migration.conversions().filter(|&t| migration.placement(t) == Placement::Reference);
    tables
        .map(|table| {
            let name = migration.name(table);
            let call = format!("PERFORM create_reference_table({})", quote_literal(&name.to_string()));
            let because = format!("{} A copy on every node. Readers go on, writers wait.", size(migration, table));
            move_table(migration, table, Phase::Reference, &call, None, because)
        })
        .collect()
}

/// The anchor of a group comes before the others, which are colocated with it by name.
pub(super) fn distribute(migration: &Migration<'_, '_>) -> Vec<Step> {
    let tables = migration.conversions().filter_map(|table| Some((table, migration.placement(table).group()?)));
    choose_concurrent(migration)
        .into_iter()
        .chain(tables.map(|(table, group)| distribute_one(migration, group, table)))
        .collect()
}

/// Size from which a table is distributed while others write, unless the session says otherwise.
const CONCURRENTLY_FROM: &str = "10GB";

/// Session setting for another size.
const CONCURRENTLY_SETTING: &str = "planned_migration.concurrently_from";

/// What a node can still start for logical replication; without it Citus waits for ever. Processes of whose kind nothing is
/// known here are background workers.
const FREE_WORKERS: &str = "SELECT least(current_setting('max_logical_replication_workers')::int \
    - count(*) FILTER (WHERE backend_type ~ '^logical replication .*worker'), \
    current_setting('max_worker_processes')::int - count(*) FILTER (WHERE backend_type NOT IN ('client backend', \
    'autovacuum launcher', 'autovacuum worker', 'background writer', 'checkpointer', 'startup', 'walreceiver', 'walsender', \
    'walwriter', 'walsummarizer', 'slotsync worker', 'archiver', 'io worker'))) FROM pg_stat_activity";

/// Whether Citus might distribute the table while others write. A table with an identity column that this fails on can be
/// distributed by nothing else.
fn may_be_concurrent(migration: &Migration<'_, '_>, table: TableId) -> bool {
    migration.placement(table).is_distributed()
        && migration.current(table).is_none_or(|c| c.kind == "local")
        && !identity::has_any(migration, table)
}

/// Chooses, by the sizes of the moment, which tables are distributed while others write. Citus makes such a table anew, so
/// what it forgets of it is written down before, in a transaction of its own: should Citus fail in the middle, it is not lost.
fn choose_concurrent(migration: &Migration<'_, '_>) -> Option<Step> {
    let tables: Vec<TableId> = migration.conversions().filter(|&t| may_be_concurrent(migration, t)).collect();
    if tables.is_empty() {
        return None;
    }
    let names = tables.iter().map(|&t| quote_literal(&migration.name(t).to_string())).collect::<Vec<_>>().join(", ");
    let least = format!(
        "pg_size_bytes(coalesce(nullif(current_setting('{CONCURRENTLY_SETTING}', true), ''), '{CONCURRENTLY_FROM}'))"
    );
    let ready = format!(
        "current_setting('wal_level') = 'logical' \
         AND coalesce(current_setting('output_plugin_libraries', true), 'citus') ~ '\\mcitus\\M'\n      \
         AND (SELECT bool_and(success AND result::int > 0) FROM run_command_on_workers({}))",
        quote_literal(FREE_WORKERS)
    );
    let statement = migration
        .checked_block()
        .declare("one text")
        .return_if("statement_timestamp() <> transaction_timestamp()")
        .run(format!(
            "FOREACH one IN ARRAY ARRAY[{names}] LOOP\n    \
             IF {SCHEMA}.stays_as_it_is(one::regclass) AND {SCHEMA}.size_of(one::regclass) >= {least} THEN\n      \
             IF {ready} THEN\n        \
             INSERT INTO {SCHEMA}.keepsakes VALUES (one, {SCHEMA}.put_aside(ARRAY[one::regclass])) ON CONFLICT DO NOTHING;\n      \
             ELSE\n        \
             RAISE WARNING USING MESSAGE = 'writers of ' || one || ' will wait while it is copied', HINT = 'To let them go on Citus \
             needs wal_level = logical, citus in output_plugin_libraries where there is such a setting, and on every node a free process for logical replication (max_logical_replication_workers, max_worker_processes).';\n      \
             END IF;\n    END IF;\n  END LOOP"
        ))
        .finish();
    let because = format!(
        "Tables of {CONCURRENTLY_FROM} and more (SET {CONCURRENTLY_SETTING} says otherwise) are distributed while others write, if each step is a \
         transaction of its own, and if nothing hangs on them that Citus would forget when it makes them anew: views, rules, \
         publications. The rest keeps its writers waiting while it is copied."
    );
    Some(Step { phase: Phase::Distribute, relation: None, statement, because })
}

/// Distributes a table while others write, where that was chosen, and ends the block. Nothing may be written or locked before
/// in its transaction: Citus does it all in connections of its own. How many rows there are is known at the end. Writers wait
/// then for the shards that the transaction holds, and hold what is to be altered next: it has to end first.
fn concurrently(block: Block, name: &RelationName, call: &str) -> Block {
    let literal = quote_literal(&name.to_string());
    block.run(format!(
        "IF statement_timestamp() = transaction_timestamp() AND EXISTS (SELECT FROM {SCHEMA}.keepsakes WHERE relation = {literal}) THEN\n    \
         {QUIET};\n    {call};\n    COMMIT;\n    PERFORM {SCHEMA}.recall({literal});\n    \
         RAISE INFO USING MESSAGE = {};\n    RETURN;\n  END IF",
        quote_literal(&format!("{name}: distributed while others write"))
    ))
}

fn distribute_one(migration: &Migration<'_, '_>, group: GroupId, table: TableId) -> Step {
    let name = migration.name(table);
    let anchor = migration.anchor(group).filter(|&anchor| anchor != table).map(|anchor| migration.name(anchor));
    let column = migration.plan.layout.distribution_column_name(table).unwrap_or_default();
    // Three quoting rules in one call: a quoted identifier as text, a raw column name, a quoted identifier as text.
    let (relation, raw_column) = (quote_literal(&name.to_string()), quote_literal(column));
    let colocate_with = anchor.map_or("'none'".to_owned(), |anchor| quote_literal(&anchor.to_string()));
    let call = if is_altered(migration, table) {
        // Another group needs no copy where the shards lie alike; where they do not, Citus says so.
        let same_column = migration.current(table).is_some_and(|c| c.distribution_column.as_deref() == Some(column));
        let alter = match (same_column, anchor) {
            (true, None) => format!("PERFORM update_distributed_table_colocation({relation}, colocate_with => 'none')"),
            (true, Some(_)) => format!(
                "BEGIN\n    PERFORM update_distributed_table_colocation({relation}, colocate_with => {colocate_with});\n  \
                 EXCEPTION WHEN OTHERS THEN\n    PERFORM alter_distributed_table({relation}, colocate_with => {colocate_with});\n  END"
            ),
            (false, _) => format!(
                "PERFORM alter_distributed_table({relation}, distribution_column => {raw_column}, \
                 colocate_with => {colocate_with})"
            ),
        };
        let name = regclass(name);
        format!("kept := {SCHEMA}.put_aside(ARRAY[{name}]);\n  {alter};\n  PERFORM {SCHEMA}.put_back(kept)")
    } else {
        format!(
            "PERFORM create_distributed_table({relation}, {raw_column}, colocate_with => {colocate_with});\n  \
             PERFORM {SCHEMA}.recall({relation})"
        )
    };
    let meanwhile = may_be_concurrent(migration, table).then(|| {
        format!(
            "PERFORM create_distributed_table_concurrently({relation}, {raw_column}, colocate_with => {colocate_with})"
        )
    });
    let together = match anchor {
        None => "in a colocation group of its own, which others join by naming it".to_owned(),
        Some(anchor) => format!("together with {anchor}"),
    };
    let because = format!(
        "{} Distributed by {column}, {together}. Readers go on, writers wait until the rows are copied{}.",
        size(migration, table),
        match meanwhile {
            Some(_) => format!(" (from {CONCURRENTLY_FROM} for a moment at the end)"),
            None => String::new(),
        }
    );
    move_table(migration, table, Phase::Distribute, &call, meanwhile, because)
}

fn move_table(
    migration: &Migration<'_, '_>,
    table: TableId,
    phase: Phase,
    call: &str,
    meanwhile: Option<String>,
    because: String,
) -> Step {
    let name = migration.name(table);
    let members = members(name);
    // With a foreign key in place Citus would take the tables around this one into its metadata, and their identity
    // counters would start again.
    let foreign_keys = format!(
        "EXISTS (SELECT FROM pg_constraint WHERE contype = 'f' AND (conrelid IN ({members}) OR confrelid IN ({members})))"
    );
    let block = migration.checked_block().declare("kept text[]");
    let block = match &meanwhile {
        // A run that ended just behind it has put nothing back yet.
        Some(_) => block.run(format!(
            "IF {} THEN\n    PERFORM {SCHEMA}.recall({});\n    RETURN;\n  END IF",
            migration.is_placed(table),
            quote_literal(&name.to_string())
        )),
        None => block.return_if(&migration.is_placed(table)),
    };
    let block = block.fail_if(
        &foreign_keys,
        &Failure::new(
            format!("{name} still has foreign keys, or is referenced by some"),
            "Mend what a step of phase drop has reported, then run all steps again.",
        ),
    );
    // Nothing on the coordinator can be filled from what is on the nodes.
    let block = match super::backfill::pending(migration).next() {
        None => block,
        Some(_) => block.fail_if(
            &format!("EXISTS (SELECT FROM {SCHEMA}.put_aside WHERE kind = 'column')"),
            &Failure::new(
                "columns are still to be filled before the first table can move",
                "Mend what a step of phase keys has reported, then run all steps again.",
            )
            .detail(&format!(
                "(SELECT string_agg(relation || ': ' || name, E'\\n' ORDER BY relation) FROM {SCHEMA}.put_aside WHERE kind = 'column')"
            )),
        ),
    };
    let block = match &meanwhile {
        Some(call) => concurrently(block, name, call),
        None => block,
    };
    let statement = counted(block, migration, table, call);
    Step { phase, relation: Some(name.clone()), statement, because }
}

/// A query for a table and its partitions. It locks none of them, as `pg_partition_tree` would until the end of the
/// transaction: what Citus does in a connection of its own must not wait for this one.
pub(super) fn members(name: &RelationName) -> String {
    format!(
        "WITH RECURSIVE m (relid) AS (SELECT {}::oid UNION SELECT inhrelid FROM pg_inherits JOIN m ON inhparent = m.relid) SELECT relid FROM m",
        regclass(name)
    )
}

/// Calls Citus with the rows counted before and after, in one transaction and without writers: if the numbers differ
/// nothing has happened. Citus' notices, one a partition, would ask to remove the copies now; one line of progress and
/// the step at the end take their place.
fn counted(block: Block, migration: &Migration<'_, '_>, table: TableId, call: &str) -> String {
    let name = migration.name(table);
    let progress = quote_literal(&format!("{name}: "));
    if migration.graph.table(table).force_row_security {
        // Policies would decide which rows are seen, and on the nodes they might decide otherwise.
        return block.run(QUIET).run(call).finish();
    }
    block
        .declare("rows_before bigint")
        .declare("rows_after bigint")
        .run(QUIET)
        .run(format!("LOCK TABLE {name} IN EXCLUSIVE MODE"))
        .run(format!("SELECT count(*) INTO rows_before FROM {name}"))
        .run(format!(
            "UPDATE {SCHEMA}.tables SET rows = rows_before WHERE relation = {}",
            quote_literal(&name.to_string())
        ))
        .run(call)
        .run(format!("SELECT count(*) INTO rows_after FROM {name}"))
        .fail_if(
            "rows_after <> rows_before",
            &Failure::new(format!("{name} would not have the same rows after its move"), "Nothing was changed.")
                .detail("rows_before || ' rows before, ' || rows_after || ' after'"),
        )
        .run(format!("RAISE INFO USING MESSAGE = {progress} || rows_after || ' rows moved'"))
        .finish()
}

/// Removes the copies on the coordinator, whose statistics stay: those of the columns, which no later ANALYZE would find here.
/// Citus would also empty a plain table that references a distributed one through another: its own check looks one step far,
/// this one looks all the way. In one transaction Citus may refuse to analyse; that is no reason to stop.
pub(super) fn truncate(migration: &Migration<'_, '_>) -> Vec<Step> {
    migration
        .copies()
        .map(|table| {
            let name = migration.name(table);
            let members = members(name);
            let literal = quote_literal(&name.to_string());
            let plain_below = format!(
                "EXISTS (WITH RECURSIVE below (t) AS (({members}) \
                 UNION SELECT c.conrelid FROM pg_constraint c JOIN below ON c.confrelid = below.t \
                 WHERE c.contype = 'f') SELECT FROM below \
                 WHERE t NOT IN (SELECT logicalrelid::oid FROM pg_dist_partition))"
            );
            let size_left = format!("(SELECT sum(pg_relation_size(t)) FROM ({members}) AS m (t)) = 0");
            let statement = migration
                .verified_block()
                .run(format!("UPDATE {SCHEMA}.tables SET cleaned = true WHERE relation = {literal}"))
                .run(format!(
                    "BEGIN\n    ANALYZE {name};\n  EXCEPTION WHEN OTHERS THEN\n    \
                     RAISE WARNING USING MESSAGE = {}, DETAIL = SQLERRM, HINT = 'Run ANALYZE when the migration is over.';\n  END",
                    quote_literal(&format!("{name} gets no statistics now"))
                ))
                .return_if(&size_left)
                .fail_if(
                    &format!("NOT ({})", migration.is_placed(table)),
                    &Failure::new(format!("{name} is not in its place"), "Run all steps again."),
                )
                .fail_if(
                    &plain_below,
                    &Failure::new(
                        format!("a table that is not Citus' own references {name}, and would be emptied with it"),
                        "Drop that foreign key, or leave the old rows where they are: they only take up space.",
                    ),
                )
                .run(QUIET)
                // It locks what references the table after the table, writers the other way round.
                .run(format!(
                    "FOR attempt IN REVERSE 9..0 LOOP\n    \
                     BEGIN\n      \
                     PERFORM truncate_local_data_after_distributing_table({});\n      \
                     EXIT;\n    \
                     EXCEPTION WHEN deadlock_detected THEN\n      \
                     IF attempt = 0 THEN RAISE; END IF;\n    \
                     END;\n  END LOOP",
                    quote_literal(&name.to_string())
                ))
                .finish();
            let because =
                "The rows are on the nodes: their statistics are made there, and the copy goes that nobody sees any \
                           more."
                    .to_owned();
            Step { phase: Phase::Cleanup, relation: Some(name.clone()), statement, because }
        })
        .collect()
}

/// `About 500,000 rows, 61 MB.`, as far as it is known.
fn size(migration: &Migration<'_, '_>, table: TableId) -> String {
    let rows = migration.graph.rows(table).map(|n| format!("About {} rows", number::thousands(n)));
    let bytes = migration.graph.bytes(table).map(number::size);
    match (rows, bytes) {
        (Some(rows), Some(bytes)) => format!("{rows}, {bytes}."),
        (Some(one), None) | (None, Some(one)) => format!("{one}."),
        (None, None) => "Size unknown.".to_owned(),
    }
}
