COMMENT ON FUNCTION advisor.plan_distribution(name[], jsonb, text) IS
  'plans the distribution of this database over Citus and reports it: text, json or sql';
COMMENT ON FUNCTION advisor.plan_tables(name[], jsonb) IS
  'the plan as one row a table: role, distribution column, colocation group, why';
COMMENT ON FUNCTION advisor.plan_issues(name[], jsonb) IS
  'what Citus objects to under the plan, and what the plan costs';
COMMENT ON FUNCTION advisor.migration_steps(name[], jsonb) IS
  'the plan as ordered statements: SELECT statement FROM advisor.migration_steps() ORDER BY step \gexec';
COMMENT ON FUNCTION advisor.check_distribution(jsonb) IS
  'everything that Citus objects to under a distribution of your own; a table not named is local';
COMMENT ON FUNCTION advisor.schema_model(name[]) IS
  'all that the planner knows of this database, for bug reports and replay';
COMMENT ON FUNCTION advisor._rules() IS 'the rows of advisor.rules';
COMMENT ON VIEW advisor.rules IS 'every objection that Citus can have to a distribution, with its remedy';
COMMENT ON FUNCTION advisor.check_data(jsonb) IS
  'what only the rows can tell of a distribution of your own: reads the tables';
COMMENT ON TABLE advisor.ignored_findings IS
  'findings that reports leave out, by fingerprint (see advisor.plan_issues), and why';
COMMENT ON FUNCTION advisor.check_distribution() IS
  'on a Citus coordinator: what is wrong with the distribution that is there';
COMMENT ON SCHEMA advisor IS 'plans how to distribute this database over Citus';

GRANT USAGE ON SCHEMA advisor TO PUBLIC;
COMMENT ON FUNCTION advisor.add_global_unique(regclass, name, name, boolean, boolean, boolean, boolean, boolean) IS
  'makes a column unique across all partitions or children of a table; returns the name of the constraint';
COMMENT ON FUNCTION advisor.add_global_unique(regclass, name[], name, boolean, boolean, boolean, boolean, boolean) IS
  'makes columns together unique across all partitions or children of a table; returns the name of the constraint';
COMMENT ON FUNCTION advisor.validate_constraint(regclass, name) IS
  'looks at the rows that a global constraint has not looked at; they can be read and written meanwhile';
COMMENT ON FUNCTION advisor.drop_constraint(regclass, name, boolean, boolean) IS
  'drops a global constraint, and the indexes that were made for it';
COMMENT ON FUNCTION advisor.rename_constraint(regclass, name, name) IS 'renames a global constraint on all its tables';
COMMENT ON FUNCTION advisor.violations(regclass, name) IS 'every row that holds a duplicated key of a global constraint';
COMMENT ON FUNCTION advisor.repair_constraints(regclass) IS
  'mends global constraints: missing or disabled triggers, missing indexes; a row for each action';
COMMENT ON FUNCTION advisor._global_constraints() IS 'the rows of advisor.global_constraints';
COMMENT ON FUNCTION advisor._precede_ddl() IS 'event trigger: global foreign keys are asked before a partition is detached concurrently, or attached';
COMMENT ON FUNCTION advisor._follow_ddl() IS 'event trigger: global constraints follow what happens to their tables';
COMMENT ON FUNCTION advisor._follow_drop() IS 'event trigger: global constraints end with their tables';
COMMENT ON FUNCTION advisor.add_global_foreign_key(regclass, name, regclass, name, name, text, text, text, boolean, boolean, boolean, boolean) IS
  'a foreign key to or from all partitions or children of a table; returns the name of the constraint';
COMMENT ON FUNCTION advisor.add_global_foreign_key(regclass, name[], regclass, name[], name, text, text, text, boolean, boolean, boolean, boolean) IS
  'a foreign key of several columns to or from all partitions or children of a table; returns the name of the constraint';
COMMENT ON FUNCTION advisor.add_global_foreign_key(regclass, name, regclass, name[], name, text, text, text, boolean, boolean, boolean, boolean) IS
  'a foreign key to or from all partitions or children of a table; returns the name of the constraint';
COMMENT ON FUNCTION advisor.add_global_foreign_key(regclass, name[], regclass, name, name, text, text, text, boolean, boolean, boolean, boolean) IS
  'a foreign key to or from all partitions or children of a table; returns the name of the constraint';
COMMENT ON FUNCTION advisor.simulate_shards(regclass, name, int, bigint) IS
  'where Citus would put the rows of a table, by its own hash; reads the table, or a sample of so many rows';
COMMENT ON FUNCTION advisor.workload(name[], jsonb) IS
  'each statement of pg_stat_statements under the plan: how Citus would run it, and the predicate that would make it a router query';
COMMENT ON FUNCTION advisor.plan_alternatives(name[], jsonb, int) IS
  'plans that differ from the best in kind, ranked, each with what it keeps and costs; its assignment can be passed back as overrides';
COMMENT ON FUNCTION advisor.rollback_steps(name[], jsonb) IS
  'the way back from the migration, to be made before it: one statement a row';
COMMENT ON FUNCTION advisor.rehearse_migration(name[], jsonb) IS
  'tries the migration on an empty copy of the schema, on a Citus coordinator, and leaves nothing behind';
