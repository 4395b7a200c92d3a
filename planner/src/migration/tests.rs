//! What can be said of a script without a server: order, quoting, guards, and that nothing is dropped in silence.

use serde_json::{Value, json};

use super::{Phase, Step, script, steps};
use crate::assignment::Assignment;
use crate::graph::Graph;
use crate::layout::Layout;
use crate::plan::{ForeignKeyFate, KeyFate, LostObject, Plan, PlannedForeignKey, PlannedKey, PlannedTable};
use crate::rules::{ObjectType, is_judged_key};
use crate::schema::{AddedColumn, BegunPlacement, ReferentialAction, Schema, Unfinished};

/// A name with everything that has ever broken a script.
const HOSTILE: &str = "a'b\"c;\n\\q\n-- $migration$ :x %s {}";

fn column(name: &str, not_null: bool) -> Value {
    json!({"name": name, "type": "pg_catalog.int8", "type_text": "bigint", "not_null": not_null})
}

fn primary_key(name: &str, columns: &[&str]) -> Value {
    let columns: Vec<Value> = columns.iter().map(|c| json!({"column": c, "text": quoted(c)})).collect();
    json!({"name": name, "unique": true, "method": "btree", "columns": columns, "definition": "CREATE UNIQUE INDEX ...",
           "constraint": {"kind": "primary_key", "name": name, "definition": "PRIMARY KEY ..."}})
}

fn quoted(name: &str) -> String {
    crate::identifier::quote_identifier(name)
}

fn foreign_key(name: &str, columns: &[&str], referenced: &str, referenced_columns: &[&str]) -> Value {
    json!({"name": name, "columns": columns, "referenced": {"schema": "public", "name": referenced},
           "referenced_columns": referenced_columns, "definition": format!("FOREIGN KEY declared as {}", quoted(name))})
}

fn table(name: &str, columns: Vec<Value>, indexes: Vec<Value>, foreign_keys: Vec<Value>) -> Value {
    json!({"name": {"schema": "public", "name": name}, "kind": "ordinary", "owner": "o", "persistence": "permanent",
           "columns": columns, "indexes": indexes, "foreign_keys": foreign_keys})
}

fn schema(tables: Vec<Value>) -> Schema {
    let model = json!({"model_version": 1, "database": "d", "server_version": 150_000, "citus_version": null,
                       "schemas": ["public"], "types": {}, "tables": tables});
    serde_json::from_value(model).expect("a model")
}

/// The plan with every key and foreign key kept; tests then change the fates that they are about.
fn plan<'a>(graph: &'a Graph<'a>, assignment: Value) -> Plan<'a> {
    let assignment = Assignment::from_json(&assignment, "assignment").expect("an assignment");
    let path = ["public".to_owned()];
    let layout = Layout::from_assignment(graph, &assignment, &path, "assignment").expect("a layout");
    let tables = graph.planned_tables().map(|table| PlannedTable {
        table,
        rows: None,
        bytes: None,
        overridden: true,
        because: String::new(),
    });
    let keys = graph.tables().flat_map(|table| {
        let indexes = graph.table(table).indexes.iter().enumerate().filter(|(_, i)| is_judged_key(i));
        indexes.map(move |(index, _)| PlannedKey { table, index, fate: KeyFate::Kept })
    });
    let foreign_keys = (0..graph.edges.len()).map(|edge| PlannedForeignKey { edge, fate: ForeignKeyFate::Kept });
    Plan {
        request: crate::Request::default(),
        tables: tables.collect(),
        foreign_keys: foreign_keys.collect(),
        keys: keys.collect(),
        backfills: Vec::new(),
        lost_objects: Vec::new(),
        findings: Vec::new(),
        tenant_schemas: None,
        search: None,
        layout,
    }
}

/// `tenant` <- `task` (by a surrogate key, with itself), `country` as a lookup, `note` stays local.
fn tenants() -> Schema {
    schema(vec![
        table("country", vec![column("code", true)], vec![primary_key("country_pk", &["code"])], vec![]),
        table(
            "note",
            vec![column("id", true), column("country", false)],
            vec![],
            vec![foreign_key("note_country", &["country"], "country", &["code"])],
        ),
        table(
            "task",
            vec![column("id", true), column("tenant", false), column("parent", false)],
            vec![primary_key("task_pk", &["id"])],
            vec![
                foreign_key("task_parent", &["parent"], "task", &["id"]),
                foreign_key("task_tenant", &["tenant"], "tenant", &["id"]),
            ],
        ),
        table(
            "tenant",
            vec![column("id", true), column("country", false)],
            vec![primary_key("tenant_pk", &["id"])],
            vec![foreign_key("tenant_country", &["country"], "country", &["code"])],
        ),
    ])
}

fn tenants_plan<'a>(graph: &'a Graph<'a>) -> Plan<'a> {
    let mut plan = plan(
        graph,
        json!({"country": {"role": "reference"}, "tenant": {"role": "distributed", "column": "id", "group": "g"},
               "task": {"role": "distributed", "column": "tenant", "group": "g"}}),
    );
    let name = |key: &PlannedForeignKey| graph.foreign_key(&graph.edges[key.edge]).name.as_str();
    let parent = plan.foreign_keys.iter().position(|k| name(k) == "task_parent").unwrap();
    plan.foreign_keys[parent].fate =
        ForeignKeyFate::Widened { columns: vec![(1, 1), (2, 0)], on_update: ReferentialAction::NoAction };
    let task = plan.keys.iter().position(|k| graph.table(k.table).indexes[k.index].name == "task_pk").unwrap();
    plan.keys[task].fate = KeyFate::Widened { column: 1 };
    plan
}

fn position(steps: &[Step], phase: Phase, part: &str) -> usize {
    let found = steps.iter().position(|s| s.phase == phase && s.statement.contains(part));
    found.unwrap_or_else(|| panic!("no step of phase {} with {part}", phase.as_str()))
}

#[test]
fn everything_that_is_dropped_comes_back_in_an_order_that_citus_takes() {
    let schema = tenants();
    let graph = Graph::new(&schema);
    let plan = tenants_plan(&graph);
    let steps = steps(&plan);
    assert!(steps.is_sorted_by_key(|s| s.phase));
    for key in ["task_parent", "task_tenant", "tenant_country", "note_country"] {
        position(&steps, Phase::Drop, &format!("DROP CONSTRAINT {key};"));
        position(&steps, Phase::Constraints, &format!("ADD CONSTRAINT {key} FOREIGN KEY"));
    }
    position(&steps, Phase::Keys, "ALTER TABLE public.task ADD CONSTRAINT task_pk PRIMARY KEY (tenant, id);");
    position(&steps, Phase::Keys, "ALTER TABLE public.task ALTER COLUMN tenant SET NOT NULL;");
    position(&steps, Phase::Reference, "create_reference_table('public.country')");
    let anchor =
        position(&steps, Phase::Distribute, "create_distributed_table('public.tenant', 'id', colocate_with => 'none')");
    let member = position(
        &steps,
        Phase::Distribute,
        "create_distributed_table('public.task', 'tenant', colocate_with => 'public.tenant')",
    );
    assert!(anchor < member);
    let widened =
        position(&steps, Phase::Constraints, "FOREIGN KEY (tenant, parent) REFERENCES public.task(tenant, id);");
    let local = position(&steps, Phase::Constraints, "ADD CONSTRAINT note_country");
    assert!(widened < local, "the conversion of local tables comes last");
}

#[test]
fn what_destroys_waits_for_the_checks_and_what_empties_for_the_verification() {
    let schema = tenants();
    let graph = Graph::new(&schema);
    let plan = tenants_plan(&graph);
    for step in steps(&plan) {
        if step.statement.starts_with("SET ") {
            continue;
        }
        let guard = match step.phase {
            Phase::Prepare => continue,
            Phase::Cleanup => "IF current_setting('planned_migration.verified', true) IS DISTINCT FROM",
            _ => "IF current_setting('planned_migration.checked', true) IS DISTINCT FROM",
        };
        assert!(step.statement.contains(guard), "{}", step.statement);
    }
}

#[test]
fn losses_are_said() {
    let schema = tenants();
    let graph = Graph::new(&schema);
    let mut plan = tenants_plan(&graph);
    for key in &mut plan.foreign_keys {
        key.fate = ForeignKeyFate::Lost { code: "CA401" };
    }
    plan.lost_objects.push(LostObject {
        table: plan.tables[0].table,
        kind: ObjectType::Trigger,
        name: "touch".to_owned(),
        code: "CA501",
    });
    let steps = steps(&plan);
    let constraints = steps.iter().filter(|s| s.phase == Phase::Constraints && s.relation.is_some());
    let comments: Vec<_> = constraints.map(|s| s.statement.as_str()).collect();
    assert_eq!(comments.len(), 4);
    assert!(comments.iter().all(|c| c.starts_with("-- Not re-created: foreign key ")), "{comments:?}");
    let trigger = position(&steps, Phase::Drop, "DROP TRIGGER touch ON public.country");
    assert!(steps[trigger].because.starts_with("Lost: trigger \"touch\" of public.country. CA501"));
}

#[test]
fn a_wider_key_keeps_all_else() {
    let mut index = primary_key("k", &["a", "b"]);
    index["nulls_not_distinct"] = json!(true);
    index["predicate"] = json!("(a > 0)");
    index["options"] = json!(["fillfactor=70"]);
    index["comment"] = json!("it's");
    index["clustered"] = json!(true);
    index["columns"] = json!([
        {"column": "a", "text": "a", "descending": true, "nulls_first": false, "operator_class": "pg_catalog.int8_ops"},
        {"text": "lower(b)", "collation": "pg_catalog.\"C\"", "nulls_first": true},
        {"column": "t", "text": "t", "key": false},
        {"column": "c", "text": "c", "key": false}
    ]);
    index["constraint"] = Value::Null;
    let mut t = table("t", ["a", "b", "c", "t"].map(|c| column(c, true)).to_vec(), vec![index], vec![]);
    t["replica_identity"] = json!({"index": "k"});
    let schema = schema(vec![t]);
    let graph = Graph::new(&schema);
    let mut plan = plan(&graph, json!({"t": {"role": "distributed", "column": "t"}}));
    plan.keys[0].fate = KeyFate::Widened { column: 3 };
    let steps = steps(&plan);
    let swap = &steps[position(&steps, Phase::Keys, "DROP INDEX public.k;")].statement;
    for part in [
        "CREATE UNIQUE INDEX k ON public.t USING btree (t, a pg_catalog.int8_ops DESC NULLS LAST, lower(b) COLLATE \
         pg_catalog.\"C\" NULLS FIRST) INCLUDE (c) NULLS NOT DISTINCT WITH (fillfactor = '70') WHERE (a > 0);",
        "COMMENT ON INDEX public.k IS 'it''s';",
        "ALTER TABLE public.t CLUSTER ON k;",
        "ALTER TABLE public.t REPLICA IDENTITY USING INDEX k;",
    ] {
        assert!(swap.contains(part), "{part}\nis not in\n{swap}");
    }
}

#[test]
fn a_widened_foreign_key_keeps_its_clauses() {
    let mut key = foreign_key("f", &["parent"], "task", &["id"]);
    key["on_delete"] = json!("restrict");
    key["on_update"] = json!("cascade");
    key["match_type"] = json!("full");
    key["deferrable"] = json!(true);
    key["initially_deferred"] = json!(true);
    key["validated"] = json!(false);
    key["comment"] = json!("c\\d");
    let columns = ["id", "tenant", "parent"].map(|c| column(c, c != "parent")).to_vec();
    let schema = schema(vec![table("task", columns, vec![], vec![key])]);
    let graph = Graph::new(&schema);
    let mut plan = plan(&graph, json!({"task": {"role": "distributed", "column": "tenant"}}));
    plan.foreign_keys[0].fate =
        ForeignKeyFate::Widened { columns: vec![(1, 1), (2, 0)], on_update: ReferentialAction::NoAction };
    let steps = steps(&plan);
    let created = position(&steps, Phase::Constraints, "COMMENT ON CONSTRAINT f ON public.task IS E'c\\\\d';");
    assert!(steps[created].statement.contains(
        "ADD CONSTRAINT f FOREIGN KEY (tenant, parent) REFERENCES public.task(tenant, id) ON DELETE RESTRICT DEFERRABLE \
         INITIALLY DEFERRED NOT VALID;"
    ));
    // A row without a parent would break MATCH FULL, now that the tenant is never NULL.
    assert!(steps[created].because.contains("MATCH FULL becomes MATCH SIMPLE"));
}

#[test]
fn checks_that_are_not_valid_wait_for_the_rows() {
    let mut t = table("t", vec![column("a", true)], vec![], vec![]);
    t["checks"] = json!([
        {"name": "c", "definition": "CHECK ((a > 0)) NOT VALID", "validated": false},
        {"name": "d", "definition": "CHECK ((a > 1))"}
    ]);
    let schema = schema(vec![t]);
    let graph = Graph::new(&schema);
    let steps = steps(&plan(&graph, json!({"t": {"role": "distributed", "column": "a"}})));
    position(&steps, Phase::Drop, "ALTER TABLE public.t DROP CONSTRAINT c;");
    position(&steps, Phase::Constraints, "ALTER TABLE public.t ADD CONSTRAINT c CHECK ((a > 0)) NOT VALID;");
    assert!(steps.iter().all(|s| !s.statement.contains("CONSTRAINT d")));
}

#[test]
fn nothing_to_do_where_everything_is_in_place() {
    let mut schema = tenants();
    let citus = |name: &str, kind: &str, column: Option<&str>, colocation_id: i64| {
        serde_json::from_value(json!({"name": {"schema": "public", "name": name}, "kind": kind,
                                      "distribution_column": column, "colocation_id": colocation_id}))
        .expect("a row of pg_dist_partition")
    };
    schema.citus_tables = vec![
        citus("country", "reference", None, 1),
        citus("tenant", "distributed", Some("id"), 2),
        citus("task", "distributed", Some("tenant"), 2),
        citus("note", "local", None, 0),
    ];
    let assignment = json!({"country": {"role": "reference"},
        "tenant": {"role": "distributed", "column": "id", "group": "g"},
        "task": {"role": "distributed", "column": "tenant", "group": "g"}});
    let graph = Graph::new(&schema);
    let plan_in_place = plan(&graph, assignment.clone());
    assert_eq!(steps(&plan_in_place), []);
    assert!(script(&plan_in_place).iter().all(|line| line.starts_with("-- ")));

    // One table is colocated with others by chance: only it moves, to the group of the rest.
    let mut elsewhere = tenants();
    elsewhere.citus_tables = schema.citus_tables.clone();
    elsewhere.citus_tables[2].colocation_id = 7;
    let graph = Graph::new(&elsewhere);
    let plan = plan(&graph, assignment);
    let steps = steps(&plan);
    let moves: Vec<_> = steps.iter().filter(|s| matches!(s.phase, Phase::Reference | Phase::Distribute)).collect();
    assert_eq!(moves.len(), 1);
    assert!(
        moves[0]
            .statement
            .contains("update_distributed_table_colocation('public.task', colocate_with => 'public.tenant')")
    );
}

/// Cut off in the middle, with other sizes than its plan was made on, a migration is finished as it began.
#[test]
fn a_plan_made_anew_goes_on_with_what_was_begun() {
    let placements = |schema: &Schema| {
        let graph = Graph::new(schema);
        let plan = crate::plan(&graph, &crate::Request::default(), &mut || ()).expect("a plan");
        let columns = graph.planned_tables().map(|t| plan.layout.distribution_column_name(t).map(str::to_owned));
        (plan.layout.to_assignment(), columns.collect::<Vec<_>>(), steps(&plan))
    };
    let sized = |sizes: [i64; 4]| {
        let mut schema = tenants();
        for (table, size) in schema.tables.iter_mut().zip(sizes) {
            (table.rows, table.bytes) = (Some(size / 100), Some(size));
        }
        schema
    };
    let (first, ..) = placements(&sized([1 << 20, 1 << 20, 1 << 30, 1 << 24]));
    let mut later = sized([1 << 33, 1 << 34, 1 << 20, 1 << 20]);
    let (other, ..) = placements(&later);
    assert_ne!(first, other, "the sizes are chosen so that they matter");
    let begun = first.0.iter().map(|(name, entry)| {
        let table = later.tables.iter().find(|t| t.name.to_string() == *name).expect("a table");
        BegunPlacement {
            table: table.name.clone(),
            role: entry.role,
            distribution_column: entry.column.clone(),
            colocation_group: entry.group.clone(),
        }
    });
    let mut placed: Vec<BegunPlacement> = begun.collect();
    placed.sort();
    let added = AddedColumn { table: placed[0].table.clone(), column: "tenant_id".into(), type_text: "bigint".into() };
    later.unfinished = Some(Unfinished { placements: placed, added: vec![added], ..Unfinished::default() });
    let (again, _, steps) = placements(&later);
    assert_eq!(again, first);
    // What another plan has added and this one does not want goes, before anything else is done.
    let gone = position(&steps, Phase::Prepare, "DROP COLUMN IF EXISTS tenant_id");
    assert!(gone < position(&steps, Phase::Drop, "DROP CONSTRAINT"));
}

#[test]
fn hostile_names_stay_names() {
    let name = |prefix: &str| format!("{prefix}{HOSTILE}");
    let (t, l, k, f) = (name("t"), name("l"), name("k"), name("f"));
    let mut key = foreign_key(&f, &[HOSTILE], &l, &[HOSTILE]);
    key["comment"] = json!(HOSTILE);
    let schema = schema(vec![
        table(&l, vec![column(HOSTILE, true)], vec![primary_key(&name("p"), &[HOSTILE])], vec![]),
        table(&t, vec![column(HOSTILE, true), column("d", false)], vec![primary_key(&k, &[HOSTILE])], vec![key]),
    ]);
    let graph = Graph::new(&schema);
    let assignment = json!({quoted(&l): {"role": "reference"}, quoted(&t): {"role": "distributed", "column": HOSTILE}});
    let mut plan = plan(&graph, assignment);
    let lost = PlannedKey { fate: KeyFate::Lost { code: "CA301" }, ..plan.keys[1].clone() };
    plan.keys[1] = lost;
    let steps = steps(&plan);
    let statements: Vec<&str> = steps.iter().map(|s| s.statement.as_str()).filter(|s| !s.starts_with("--")).collect();
    let read = Psql::read(&script(&plan).join("\n"));
    assert_eq!(read.statements, statements, "psql sees the statements that were meant");
    assert_eq!(read.commands[0], "\\set ON_ERROR_STOP on");
    assert!(read.commands[1..].iter().all(|c| c.starts_with("\\echo phase ")));

    let distribute = &steps[position(&steps, Phase::Distribute, "create_distributed_table")].statement;
    let relation = "E'public.\"ta''b\"\"c;\n\\\\q\n-- $migration$ :x %s {}\"'";
    let raw = "E'a''b\"c;\n\\\\q\n-- $migration$ :x %s {}'";
    assert!(distribute.contains(&format!("create_distributed_table({relation}, {raw}, colocate_with => 'none')")));
}

/// What psql makes of a file: statements that it sends, commands that it obeys. Knows as much of its lexer as matters:
/// quotes, dollar quotes and comments, and that a backslash or a colon outside of them means something.
#[derive(Default)]
struct Psql {
    statements: Vec<String>,
    commands: Vec<String>,
}

impl Psql {
    fn read(file: &str) -> Self {
        let mut psql = Psql::default();
        let mut statement = String::new();
        let mut rest = file;
        while let Some(c) = rest.chars().next() {
            let taken = match c {
                '-' if rest.starts_with("--") => {
                    rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
                    continue;
                }
                '\\' => {
                    assert!(statement.trim().is_empty(), "a command inside of {statement}");
                    let end = rest.find('\n').unwrap_or(rest.len());
                    psql.commands.push(rest[..end].to_owned());
                    rest = &rest[end..];
                    continue;
                }
                ':' => panic!("psql may replace a variable: {rest}"),
                '\'' => {
                    let escapes = statement.ends_with('E');
                    let mut end = 1;
                    loop {
                        match &rest[end..] {
                            r if r.starts_with("''") || (escapes && r.starts_with('\\')) => end += 2,
                            r if r.starts_with('\'') => break end + 1,
                            r => end += r.chars().next().expect("an unfinished literal").len_utf8(),
                        }
                    }
                }
                '"' => 1 + rest[1..].find('"').expect("an unfinished identifier") + 1,
                '$' => {
                    let tag = 1 + rest[1..].find('$').expect("a tag") + 1;
                    tag + rest[tag..].find(&rest[..tag]).expect("an unfinished dollar quote") + tag
                }
                c => c.len_utf8(),
            };
            statement.push_str(&rest[..taken]);
            rest = &rest[taken..];
            if c == ';' {
                psql.statements.push(std::mem::take(&mut statement).trim().to_owned());
            }
        }
        assert!(statement.trim().is_empty(), "the file ends inside of {statement}");
        psql
    }
}
