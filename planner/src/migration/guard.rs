//! The checks at the start, without which no step does anything, and the verification at the end.

use std::collections::BTreeSet;

use crate::backfill::{is_filled_over, sql};
use crate::graph::{ColumnId, TableId};
use crate::identifier::{RelationName, quote_identifier, quote_literal};
use crate::layout::Placement;
use crate::plan::{ForeignKeyFate, KeyFate};
use crate::rules::{self, ObjectType};

use super::context::{Migration, described};
use super::sql::{Block, Failure};
use super::{Phase, Step};
use super::{backfill, global_keys, local_tables, losses, notebook, views};

/// Settings and checks.
pub(super) fn prepare(migration: &Migration<'_, '_>) -> Vec<Step> {
    let mut steps = settings(migration);
    steps.push(Step {
        phase: Phase::Prepare,
        relation: None,
        statement: checks(migration),
        because: "Refuses to begin on a database that is not the planned one, or a cluster that is not ready. Without \
                  it no later step does anything."
            .to_owned(),
    });
    steps
}

/// The setting by which local tables follow reference tables into Citus' metadata.
pub(super) const FOLLOW_LOCAL_TABLES: &str = "citus.enable_local_reference_table_foreign_keys";

fn settings(migration: &Migration<'_, '_>) -> Vec<Step> {
    let setting = |statement: String, because: &str| Step {
        phase: Phase::Prepare,
        relation: None,
        statement,
        because: because.to_owned(),
    };
    let mut steps = vec![setting(
        "SET search_path TO '';".to_owned(),
        "Every name is written in full: what else is on the path must not matter.",
    )];
    steps.push(setting(
        "SET citus.multi_shard_modify_mode TO 'sequential';".to_owned(),
        "Partitions with long names, and everything in a single transaction (psql -1), work only in this mode.",
    ));
    steps.push(setting(
        format!("SET {FOLLOW_LOCAL_TABLES} TO off;"),
        "Whenever a constraint goes, Citus would look for local tables that no foreign key links to a reference table any \
         more, take them out of its metadata, and forget their comments and rules. It is on again in phase constraints.",
    ));
    steps.push(setting(
        "SET citus.enable_ddl_propagation TO on;".to_owned(),
        "Otherwise keys and foreign keys would be made here and not on the nodes.",
    ));
    for statement in migration.forget() {
        steps.push(setting(statement, "What an earlier run found in this session does not count."));
    }
    steps
}

/// Before foreign keys return.
pub(super) fn take_local_tables() -> Step {
    Step {
        phase: Phase::Constraints,
        relation: None,
        statement: format!("SET {FOLLOW_LOCAL_TABLES} TO on;"),
        because: "Otherwise foreign keys between local and reference tables would be accepted and not enforced."
            .to_owned(),
    }
}

/// The same for the way back: the tables may be in any state between here and there, but they must be these.
pub(super) fn prepare_back(migration: &Migration<'_, '_>) -> Vec<Step> {
    let mut steps = settings(migration);
    let tables = values(
        migration
            .touched()
            .iter()
            .map(|&t| vec![literal(&migration.graph.table(t).name), planned_columns(migration, t)]),
        2,
    );
    let block = ready(Block::new().declare("problems text"))
        .run(format!(
            "WITH planned AS (SELECT to_regclass(relation)::oid AS relid, * FROM {tables}\n      \
             AS p (relation, columns))\n  \
             SELECT string_agg(problem, E'\\n' ORDER BY problem) INTO problems FROM (\n    {COLUMNS_AND_OWNERS}) AS found (problem)"
        ))
        .fail_if("problems IS NOT NULL", &not_the_planned_one());
    let block = droppable(block, migration, true).run(migration.mark_checked());
    steps.push(Step {
        phase: Phase::Prepare,
        relation: None,
        statement: block.finish(),
        because: "Refuses to begin on another database, or a cluster that is not ready.".to_owned(),
    });
    steps
}

fn not_the_planned_one() -> Failure {
    Failure::new(
        "this is not the database that was planned, or not one that you may migrate",
        "Make a new plan here, or mend the differences.",
    )
    .detail("problems")
}

fn checks(migration: &Migration<'_, '_>) -> String {
    let mut block = Block::new().declare("problems text");
    block = feasible(block, migration);
    block = ready(block);
    block = unchanged(block, migration);
    block = droppable(block, migration, false);
    block = filled(block, migration);
    block = agreeing(block, migration);
    block = backfill::feasible(block, migration);
    block = roomy(block, migration);
    block.run(migration.mark_started()).finish()
}

/// Fails where Citus refuses something that no step changes.
fn feasible(block: Block, migration: &Migration<'_, '_>) -> Block {
    let blockers = losses::blockers(migration);
    if blockers.is_empty() {
        return block;
    }
    block.fail_if(
        "true",
        &Failure::new(
            "Citus refuses what this plan wants",
            "SELECT * FROM advisor.plan_issues() says what to do; then make a new plan.",
        )
        .detail(&quote_literal(&blockers.join("\n"))),
    )
}

/// Fails where the cluster is not ready; one error at a time, because each explains the next.
fn ready(block: Block) -> Block {
    let checks = [
        (
            "NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')",
            "this migration needs Citus, which is not installed in this database",
            "Run it on the coordinator of a Citus cluster, or see CREATE EXTENSION citus.",
        ),
        (
            "(SELECT groupid FROM pg_dist_local_group) <> 0",
            "this migration must run on the coordinator, and this is a worker",
            "Connect to the coordinator.",
        ),
        (
            "NOT EXISTS (SELECT FROM pg_dist_node WHERE groupid = 0 AND noderole = 'primary')",
            "the coordinator is not in Citus' metadata",
            "SELECT citus_set_coordinator_host('the name by which the workers reach it', 5432);",
        ),
        (
            "NOT EXISTS (SELECT FROM pg_dist_node WHERE noderole = 'primary' AND isactive \
             AND shouldhaveshards)",
            "no node takes shards",
            "Add a worker: SELECT citus_add_node('its name', 5432);",
        ),
        (
            "NOT has_database_privilege(current_database(), 'CREATE')",
            "permission denied to create a schema in this database; the migration writes down there what it puts aside",
            "Run it as the owner of the database, or a superuser.",
        ),
        (
            "current_setting('citus.shard_replication_factor') <> '1'",
            "citus.shard_replication_factor is not 1; Citus supports foreign keys only without replicated shards",
            "SET citus.shard_replication_factor TO 1;",
        ),
    ];
    checks
        .iter()
        .fold(block, |block, (condition, message, hint)| block.fail_if(condition, &Failure::new(*message, *hint)))
}

/// Fails where the database is not the one that was planned, with everything that is different in the DETAIL.
fn unchanged(block: Block, migration: &Migration<'_, '_>) -> Block {
    let tables = migration.touched();
    let planned = values(
        tables.iter().map(|&t| {
            let name = literal(&migration.graph.table(t).name);
            vec![name, migration.is_pending(t).to_string(), planned_columns(migration, t)]
        }),
        3,
    );
    let mut queries = vec![COLUMNS_AND_OWNERS.to_owned()];
    queries.push(unknown(
        "foreign key",
        "SELECT conrelid, confrelid, conname, pg_get_constraintdef(oid) FROM pg_constraint\n        \
         WHERE contype = 'f' AND conparentid = 0\n        \
         AND (conrelid IN (SELECT relid FROM members) OR confrelid IN (SELECT relid FROM members))",
        known_foreign_keys(migration, &tables),
    ));
    queries.push(unknown(
        "unique or exclusion index",
        "SELECT indrelid, indrelid, relname, pg_get_indexdef(indexrelid)\n        \
         FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid\n        \
         WHERE (indisunique OR indisexclusion) AND indrelid IN (SELECT relid FROM planned WHERE moves::boolean)",
        known_keys(migration),
    ));
    let triggers = migration.pending_tables().flat_map(|t| {
        let table = migration.graph.table(t);
        table.triggers.iter().map(|trigger| known(&table.name, &trigger.name, Some(&trigger.definition)))
    });
    queries.push(unknown(
        "trigger",
        "SELECT tgrelid, tgrelid, tgname, pg_get_triggerdef(oid) FROM pg_trigger\n        \
         WHERE NOT tgisinternal AND tgparentid = 0 AND tgrelid IN (SELECT relid FROM planned WHERE moves::boolean)",
        triggers.collect(),
    ));
    queries.extend(dependent_views(migration));
    block
        .run(format!(
            "WITH planned AS (SELECT to_regclass(relation)::oid AS relid, * FROM {planned}\n      \
             AS p (relation, moves, columns)),\n  \
             members AS (SELECT relid FROM planned UNION SELECT t.relid FROM planned, pg_partition_tree(planned.relid) \
             AS t)\n  \
             SELECT string_agg(problem, E'\\n' ORDER BY problem) INTO problems FROM (\n    {}) AS found (problem)",
            queries.join("\n    UNION ALL\n    ")
        ))
        .fail_if("problems IS NOT NULL", &not_the_planned_one())
}

/// Fails where Citus drops a table to make it anew, or a view has to go, and something depends on it that is not put aside as
/// views and functions are: a column of its type, a policy or rule of another table. Citus would drop it too, or the migration
/// stop in the middle. What depends on a local table that Citus takes is only said: that table becomes the shard.
fn droppable(block: Block, migration: &Migration<'_, '_>, back: bool) -> Block {
    let named = |name: &RelationName, with_functions: bool, fate: &str| {
        vec![literal(name), with_functions.to_string(), quote_literal(fate)]
    };
    let mut start: Vec<Vec<String>> = Vec::new();
    for table in migration.pending_tables().filter(|&t| back || migration.current(t).is_some()) {
        start.push(named(migration.name(table), true, DROPPED));
    }
    for table in local_tables::converted(migration) {
        start.push(named(migration.name(table), true, if back { DROPPED } else { "shard" }));
    }
    if !back {
        start.extend(views::laden(migration).into_iter().map(|t| named(migration.name(t), true, "same")));
        let views = &migration.graph.schema.views;
        let lost = rules::lost_views(&migration.plan.layout);
        start.extend(lost.into_iter().map(|v| named(&views[v].name, false, DROPPED)));
    }
    if start.is_empty() {
        return block;
    }
    let start = values(start.into_iter(), 3);
    // Only what Citus has comes back, and has shards.
    let shards =
        if back || migration.graph.schema.citus_tables.iter().any(|t| t.kind == "local") { SHARDS } else { "" };
    block
        .declare("shards text")
        .run("PERFORM set_config('citus.override_table_visibility', 'off', true)")
        .run(format!("WITH RECURSIVE start (relation, with_functions, fate) AS {start}{}", DEPENDENTS.replace("{SHARDS}", shards)))
        .run("PERFORM set_config('citus.override_table_visibility', 'on', true)")
        .fail_if(
            "problems IS NOT NULL",
            &Failure::new(
                "tables are made anew and views are dropped, some only for the time being, and other objects depend on them",
                "Drop those objects, and create them again after the migration.",
            )
            .detail("problems"),
        )
        .run(
            "IF shards IS NOT NULL THEN\n    RAISE WARNING USING MESSAGE = 'objects depend on local tables that Citus takes into its \
             metadata', DETAIL = shards, HINT = 'They will mean the shard, which has the rows and another name. Create them again \
             after the migration to mean the table.';\n  END IF",
        )
}

/// What was a local table before Citus took it is its shard, with all that depends on it, and goes with it.
const SHARDS: &str = "\
      UNION ALL
      SELECT 'pg_class'::regclass::oid, c.oid, 'its shard' FROM pg_dist_shard s JOIN pg_class t ON t.oid = s.logicalrelid
      CROSS JOIN LATERAL parse_ident(shard_name(s.logicalrelid, s.shardid)) AS shard (name)
      JOIN pg_class c ON c.relnamespace = t.relnamespace AND c.relname = shard.name[array_upper(shard.name, 1)]
      WHERE over.fate = 'dropped' AND over.class = 'pg_class'::regclass AND s.logicalrelid = over.object
";

/// Of a relation that goes, if only for a moment.
const DROPPED: &str = "dropped";

/// What hangs on the relations of `start`: views, and where they come back functions, as `notebook.sql` puts them aside, and what
/// hangs on those but is not of that kind.
const DEPENDENTS: &str = "\
,
  over (class, object, with_functions, fate) AS (
    SELECT 'pg_class'::regclass::oid, to_regclass(relation)::oid, with_functions, fate FROM start
    UNION
    SELECT next.class, next.object, over.with_functions AND next.fate IS DISTINCT FROM 'its shard', coalesce(next.fate, 'dropped') FROM over CROSS JOIN LATERAL (
      SELECT 'pg_class'::regclass::oid, inhrelid, over.fate FROM pg_inherits WHERE inhparent = over.object AND over.class = 'pg_class'::regclass
{SHARDS}      UNION ALL
      SELECT 'pg_class'::regclass::oid, r.ev_class, NULL FROM pg_depend d
      JOIN pg_rewrite r ON r.oid = d.objid AND r.rulename = '_RETURN' AND r.ev_class <> over.object
      WHERE d.refclassid = over.class AND d.refobjid = over.object AND d.classid = 'pg_rewrite'::regclass
      UNION ALL
      SELECT d.classid, d.objid, NULL FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid AND p.prokind <> 'a'
      WHERE with_functions AND d.refclassid = over.class AND d.refobjid = over.object AND d.classid = 'pg_proc'::regclass AND d.deptype = 'n'
      UNION ALL
      SELECT d.classid, d.objid, NULL FROM pg_type t JOIN pg_depend d ON d.refclassid = 'pg_type'::regclass AND d.refobjid IN (t.oid, t.typarray)
      JOIN pg_proc p ON p.oid = d.objid AND p.prokind <> 'a'
      WHERE with_functions AND over.class = 'pg_class'::regclass AND t.typrelid = over.object AND d.classid = 'pg_proc'::regclass AND d.deptype = 'n'
      ) AS next (class, object, fate)),
  gone AS (SELECT class, object, min(fate) AS fate FROM over WHERE object IS NOT NULL GROUP BY class, object),
  needed AS (
    SELECT class, object, fate, class AS refclass, object AS refobject FROM gone
    UNION ALL
    SELECT class, object, fate, 'pg_type'::regclass::oid, unnest(ARRAY[t.oid, t.typarray]) FROM gone
    JOIN pg_type t ON class = 'pg_class'::regclass AND t.typrelid = object),
  relations AS (SELECT object FROM gone WHERE class = 'pg_class'::regclass)
  SELECT string_agg(DISTINCT told, E'\\n') FILTER (WHERE n.fate IN ('dropped', 'its shard')), string_agg(DISTINCT told, E'\\n') FILTER (WHERE n.fate = 'shard')
  INTO problems, shards FROM needed n JOIN pg_depend d ON d.refclassid = n.refclass AND d.refobjid = n.refobject AND d.deptype = 'n'
  CROSS JOIN LATERAL (SELECT pg_describe_object(d.classid, d.objid, d.objsubid) || ' depends on ' || pg_describe_object(n.class, n.object, 0)) AS t (told)
  WHERE NOT EXISTS (SELECT FROM gone WHERE (class, object) = (d.classid, d.objid) AND d.objsubid = 0)
  AND NOT CASE d.classid
    WHEN 'pg_rewrite'::regclass THEN EXISTS (SELECT FROM pg_rewrite WHERE oid = d.objid AND ev_class IN (SELECT object FROM relations))
    WHEN 'pg_trigger'::regclass THEN EXISTS (SELECT FROM pg_trigger WHERE oid = d.objid AND tgrelid IN (SELECT object FROM relations))
    WHEN 'pg_policy'::regclass THEN EXISTS (SELECT FROM pg_policy WHERE oid = d.objid AND polrelid IN (SELECT object FROM relations))
    WHEN 'pg_attrdef'::regclass THEN EXISTS (SELECT FROM pg_attrdef WHERE oid = d.objid AND adrelid IN (SELECT object FROM relations))
    WHEN 'pg_constraint'::regclass THEN EXISTS (SELECT FROM pg_constraint WHERE oid = d.objid AND (contype = 'f' OR conrelid IN (SELECT object FROM relations)))
    WHEN 'pg_statistic_ext'::regclass THEN EXISTS (SELECT FROM pg_statistic_ext WHERE oid = d.objid AND stxrelid IN (SELECT object FROM relations))
    WHEN 'pg_class'::regclass THEN EXISTS (SELECT FROM pg_index WHERE indexrelid = d.objid AND indrelid IN (SELECT object FROM relations))
    ELSE false END";

/// Fails where a row has no value in its distribution column. Citus would say so itself, but only when all foreign keys
/// are gone already.
fn filled(block: Block, migration: &Migration<'_, '_>) -> Block {
    let nullable: Vec<_> = migration
        .conversions()
        .filter_map(|t| Some((t, migration.placement(t).distribution_column()?)))
        .filter(|&(t, column)| !migration.graph.column(t, column).not_null)
        .collect();
    if nullable.is_empty() {
        return block;
    }
    let looks = nullable.into_iter().map(|(t, column)| {
        let (name, column) = (migration.name(t), &migration.graph.column(t, column).name);
        format!(
            "IF NOT ({}) THEN\n    IF EXISTS (SELECT 1 FROM {name} WHERE {} IS NULL) THEN\n      \
             problems := concat_ws(E'\\n', problems, {});\n    END IF;\n  END IF",
            migration.is_placed(t),
            quote_identifier(column),
            quote_literal(&format!("{name} has rows without {column}"))
        )
    });
    block.run_all(looks).fail_if(
        "problems IS NOT NULL",
        &Failure::new(
            "Citus refuses rows without a value in the distribution column",
            "Fill it in, or delete the rows.",
        )
        .detail("problems"),
    )
}

/// Fails where rows do not hold what a widened foreign key is going to demand. Found later, the foreign key could not come
/// back: not widened because of the rows, and not as it was because of Citus.
fn agreeing(block: Block, migration: &Migration<'_, '_>) -> Block {
    let graph = migration.graph;
    let looks: Vec<String> = migration
        .changed_foreign_keys()
        .filter_map(|key| {
            let ForeignKeyFate::Widened { columns, .. } = &key.planned.fate else { return None };
            let values = sql::Values::by_path(graph);
            let compare = |&(from, to): &(ColumnId, ColumnId), operator: &str| {
                let from = values.of("r", key.edge.referencing, from);
                format!("{from} {operator} {}", values.of("k", key.edge.referenced, to))
            };
            // What a column is filled over agrees.
            let is_promised = !is_filled_over(graph, key.edge, columns);
            let added = columns.iter().filter(|c| is_promised && !key.edge.columns.contains(c));
            let differs: Vec<String> = added.map(|c| compare(c, "<>")).collect();
            if differs.is_empty() {
                return None;
            }
            let joins: Vec<String> = key.edge.columns.iter().map(|c| compare(c, "=")).collect();
            let (table, other) = (migration.name(key.edge.referencing), migration.name(key.edge.referenced));
            let query = format!(
                "SELECT 1 FROM {table} AS r JOIN {other} AS k ON {} WHERE {}",
                joins.join(" AND "),
                differs.join(" OR ")
            );
            let problem = format!(
                "{} would be violated; these rows disagree: {}",
                described(ObjectType::ForeignKey, &key.foreign_key.name, key.table),
                query.replacen("SELECT 1", "SELECT r.*", 1)
            );
            let ends = [key.edge.referencing, key.edge.referenced];
            let filled = backfill::pending(migration).filter(|b| ends.contains(&b.table));
            let filled: String = filled.map(|b| format!(" AND NOT {}", backfill::is_complete(migration, b))).collect();
            // A distributed table is read by no part of another statement, and not every join of two is possible.
            Some(format!(
                "IF NOT ({} AND {}){filled} THEN\n    \
                 BEGIN\n      EXECUTE {} INTO row_found;\n    \
                 EXCEPTION WHEN feature_not_supported THEN\n      row_found := NULL;\n    END;\n    \
                 IF row_found IS NOT NULL THEN\n      problems := concat_ws(E'\\n', problems, {});\n    END IF;\n  END IF",
                migration.is_placed(key.edge.referencing),
                migration.is_placed(key.edge.referenced),
                quote_literal(&format!("{query} LIMIT 1")),
                quote_literal(&problem)
            ))
        })
        .collect();
    if looks.is_empty() {
        return block;
    }
    // Tables that are distributed otherwise until now may have to be joined over the network.
    let over_network = "PERFORM set_config('citus.enable_repartition_joins', 'on', true)".to_owned();
    block.declare("row_found int").run(over_network).run_all(looks).fail_if(
        "problems IS NOT NULL",
        &Failure::new(
            "rows disagree with foreign keys that the plan widens",
            "Repair the rows that the queries find, or plan with the referenced table as a reference table.",
        )
        .detail("problems"),
    )
}

/// Fails where a worker has less room than its share of the copies needs. The originals stay until the end, but they are
/// there already.
fn roomy(block: Block, migration: &Migration<'_, '_>) -> Block {
    let moving: Vec<_> = migration
        .conversions()
        .map(|t| vec![literal(migration.name(t)), (migration.placement(t) == Placement::Reference).to_string()])
        .collect();
    if moving.is_empty() {
        return block;
    }
    block
        .declare("needed numeric")
        .run(format!(
            "WITH moving AS (SELECT to_regclass(relation) AS relid, everywhere FROM {}\n      \
             AS p (relation, everywhere)),\n  \
             leaves AS (SELECT relid, everywhere FROM moving UNION SELECT t.relid, everywhere FROM moving, \
             pg_partition_tree(moving.relid) AS t)\n  \
             SELECT coalesce(sum(pg_total_relation_size(relid) / CASE WHEN everywhere THEN 1 ELSE (SELECT count(*)\n    \
             FROM pg_dist_node WHERE noderole = 'primary' AND isactive AND shouldhaveshards) END), 0) INTO needed\n  \
             FROM leaves WHERE relid NOT IN (SELECT logicalrelid FROM pg_dist_partition)",
            values(moving.into_iter(), 2)
        ))
        .run(
            "SELECT string_agg(nodename || ':' || nodeport || ' has ' || pg_size_pretty(result::bigint) || ' left, and \
             needs about ' || pg_size_pretty(needed), E'\\n') INTO problems\n    \
             FROM run_command_on_workers('SELECT available_disk_size FROM citus_local_disk_space_stats()')\n    \
             WHERE success AND result::bigint < needed",
        )
        .fail_if(
            "problems IS NOT NULL",
            &Failure::new("a worker has too little disk for its part of the rows", "Make room, or add workers.")
                .detail("problems"),
        )
}

/// `(VALUES ('public.t', 'x'), ...)`: the list may not be empty in SQL, so an impossible row stands in.
fn values(rows: impl Iterator<Item = Vec<String>>, columns: usize) -> String {
    let mut rows: Vec<String> = rows.map(|row| format!("({})", row.join(", "))).collect();
    if rows.is_empty() {
        rows.push(format!("({})", vec!["NULL"; columns].join(", ")));
    }
    format!("(VALUES {})", rows.join(",\n      "))
}

/// The columns of a table as they were planned, with the one that it gets, and with one that another plan has added: an array.
fn planned_columns(migration: &Migration<'_, '_>, table: TableId) -> String {
    let columns = migration.graph.table(table).columns.iter().map(|c| format!("{} {}", c.name, c.type_text));
    let columns = columns.collect::<Vec<_>>().join(", ");
    let more = backfill::added_column(migration, table).into_iter().chain(backfill::abandoned_column(migration, table));
    let forms = std::iter::once(columns.clone()).chain(more.map(|column| match columns.is_empty() {
        true => column,
        false => format!("{columns}, {column}"),
    }));
    let forms: Vec<String> = forms.map(|f| quote_literal(&f)).collect();
    format!("ARRAY[{}]", forms.join(", "))
}

fn literal(name: &RelationName) -> String {
    quote_literal(&name.to_string())
}

/// Missing tables, other columns than planned, tables of somebody else.
const COLUMNS_AND_OWNERS: &str = "\
    SELECT CASE WHEN c.oid IS NULL THEN p.relation || ' does not exist'
      WHEN NOT pg_has_role(c.relowner, 'USAGE') THEN 'must be owner of table ' || p.relation
      WHEN coalesce(now.columns, '') <> ALL (p.columns::text[]) THEN p.relation || ' has the columns ' ||
        coalesce(now.columns, '(none)') || '; planned were ' || (p.columns::text[])[1] END
    FROM planned AS p LEFT JOIN pg_class AS c ON c.oid = p.relid
    CROSS JOIN LATERAL (SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum)
      FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) AS now (columns)";

/// Objects on touched tables that the plan does not know, or knows otherwise. `present` selects (table, other table, name,
/// definition) and may use `planned` (touched tables, whether they move) and `members` (the same with their partitions).
/// Definitions count only until both tables are Citus': in a second run the object may be the new one.
fn unknown(kind: &str, present: &str, known: Vec<Vec<String>>) -> String {
    format!(
        "SELECT '{kind} \"' || o.name || '\" of ' || o.relation::regclass || CASE WHEN k.name IS NULL\n        \
         THEN ' is not in the plan' ELSE ' is not the one that was planned: ' || o.definition END\n    \
         FROM ({present}) AS o (relation, other, name, definition)\n    \
         LEFT JOIN {}\n      \
         AS k (relation, name, definition) ON to_regclass(k.relation) = o.relation AND k.name = o.name\n    \
         WHERE k.name IS NULL OR k.definition <> o.definition AND NOT (\n        \
         o.relation IN (SELECT logicalrelid FROM pg_dist_partition)\n        \
         AND o.other IN (SELECT logicalrelid FROM pg_dist_partition))",
        values(known.into_iter(), 3)
    )
}

/// A row of an object that the plan knows; without a definition where the migration itself changes it.
fn known(table: &RelationName, name: &str, definition: Option<&String>) -> Vec<String> {
    vec![literal(table), quote_literal(name), definition.map_or("NULL".to_owned(), |d| quote_literal(d))]
}

fn known_foreign_keys(migration: &Migration<'_, '_>, tables: &BTreeSet<TableId>) -> Vec<Vec<String>> {
    let graph = migration.graph;
    let is_touched = |table: TableId| tables.contains(&graph.root(table));
    let keys = graph.tables().flat_map(|t| graph.table(t).foreign_keys.iter().map(move |key| (t, key)));
    keys.filter(|(t, key)| is_touched(*t) || graph.find(&key.referenced).is_some_and(is_touched))
        .map(|(t, key)| known(migration.name(t), &key.name, Some(&key.definition)))
        .chain(global_keys::known(migration).iter().map(|(table, name)| known(table, name, None)))
        .collect()
}

fn known_keys(migration: &Migration<'_, '_>) -> Vec<Vec<String>> {
    let keys = migration.plan.keys.iter().filter(|k| migration.is_pending(k.table));
    keys.map(|key| {
        let table = migration.graph.table(key.table);
        let index = &table.indexes[key.index];
        let is_widened = matches!(key.fate, KeyFate::Widened { .. });
        known(&table.name, &index.name, (!is_widened).then_some(&index.definition))
    })
    .collect()
}

/// A view that groups by a primary key depends on it: the key cannot be swapped under the view.
fn dependent_views(migration: &Migration<'_, '_>) -> Option<String> {
    let changed: Vec<_> = migration
        .plan
        .keys
        .iter()
        .filter(|k| k.fate != KeyFate::Kept)
        .filter_map(|k| {
            let table = migration.graph.table(k.table);
            let constraint = table.indexes[k.index].constraint.as_ref()?;
            Some(vec![literal(&table.name), quote_literal(&constraint.name)])
        })
        .collect();
    if changed.is_empty() {
        return None;
    }
    let views = &migration.graph.schema.views;
    let dropped = rules::lost_views(&migration.plan.layout).into_iter().map(|v| vec![literal(&views[v].name)]);
    Some(format!(
        "SELECT 'view ' || r.ev_class::regclass || ' depends on constraint \"' || k.name || '\" of ' || \
         k.relation || ', which is replaced: drop the view, and create it again afterwards'\n    FROM {}\n      \
         AS k (relation, name)\n    \
         JOIN pg_constraint c ON c.conrelid = to_regclass(k.relation) AND c.conname = k.name\n    \
         JOIN pg_depend d ON d.refclassid = 'pg_constraint'::regclass \
         AND d.refobjid = c.oid AND d.classid = 'pg_rewrite'::regclass\n    \
         JOIN pg_rewrite r ON r.oid = d.objid\n    \
         WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = c.conrelid)\n    \
         AND r.ev_class NOT IN (SELECT to_regclass(name) FROM {} AS v (name) WHERE to_regclass(name) IS NOT NULL)",
        values(changed.into_iter(), 2),
        values(dropped, 1)
    ))
}

/// Looks at every table, key and foreign key of the plan once more, before the old copies are removed.
pub(super) fn verify(migration: &Migration<'_, '_>) -> Vec<Step> {
    let mut block = migration.checked_block().declare("problems text");
    let mut queries = Vec::new();
    for table in migration.pending_tables() {
        queries.push(format!(
            "SELECT {} WHERE NOT ({})",
            quote_literal(&format!("{} is not in its place", migration.name(table))),
            migration.is_placed(table)
        ));
    }
    let returned: Vec<_> = migration
        .changed_foreign_keys()
        .filter(|k| !matches!(k.planned.fate, ForeignKeyFate::Lost { .. }))
        .map(|k| vec![literal(k.table), quote_literal(&k.foreign_key.name), k.foreign_key.validated.to_string()])
        .collect();
    let foreign_keys = returned.len();
    if foreign_keys > 0 {
        queries.push(format!(
            "SELECT 'foreign key \"' || k.name || '\" of ' || k.relation || ' is missing or not valid' FROM {}\n      \
             AS k (relation, name, validated) WHERE NOT EXISTS (SELECT FROM pg_constraint \
             WHERE conrelid = to_regclass(k.relation) AND conname = k.name AND contype = 'f' \
             AND (convalidated OR NOT k.validated))",
            values(returned.into_iter(), 3)
        ));
    }
    let keys: Vec<_> = migration
        .plan
        .keys
        .iter()
        .filter(|k| !matches!(k.fate, KeyFate::Lost { .. }) && migration.is_pending(k.table))
        .map(|k| {
            let table = migration.graph.table(k.table);
            vec![literal(&table.name), quote_literal(&table.indexes[k.index].name)]
        })
        .collect();
    if !keys.is_empty() {
        queries.push(format!(
            "SELECT 'key \"' || k.name || '\" of ' || k.relation || ' is missing' FROM {}\n      \
             AS k (relation, name) WHERE NOT EXISTS (SELECT FROM pg_index i \
             JOIN pg_class c ON c.oid = i.indexrelid \
             WHERE i.indrelid = to_regclass(k.relation) AND c.relname = k.name)",
            values(keys.into_iter(), 2)
        ));
    }
    queries.push(notebook::missing_constraints());
    block = block
        .run(format!(
            "SELECT string_agg(problem, E'\\n' ORDER BY problem) INTO problems FROM (\n    {}) AS found \
                 (problem)",
            queries.join("\n    UNION ALL\n    ")
        ))
        .fail_if(
            "problems IS NOT NULL",
            &Failure::new(
                "the migration is not complete",
                "Mend what an earlier step has reported, then run all steps again.",
            )
            .detail("problems"),
        );
    block = notebook::recounted(block);
    let count =
        |wanted: fn(Placement) -> bool| migration.pending_tables().filter(|&t| wanted(migration.placement(t))).count();
    let summary = format!(
        "migrated: {} distributed tables, {} reference tables, {foreign_keys} foreign keys",
        count(Placement::is_distributed),
        count(|p| p == Placement::Reference)
    );
    let statement = block
        .run(format!("RAISE NOTICE USING MESSAGE = {}", quote_literal(&summary)))
        .run(migration.mark_verified())
        .finish();
    let because =
        "Every table, key and foreign key of the plan is looked at once more, and all rows are counted; only then are the \
         copies on the coordinator removed."
            .to_owned();
    vec![Step { phase: Phase::Validate, relation: None, statement, because }]
}
