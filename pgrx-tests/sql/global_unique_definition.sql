-- advisor.add_global_unique and its sisters: what they take, what they refuse, what they leave behind.
CREATE SCHEMA gu;
SET search_path = gu;
CREATE TABLE master(id serial PRIMARY KEY, dummy text, comment text, ts timestamptz);
CREATE TABLE events(id bigint, tenant int, at date NOT NULL, k text) PARTITION BY RANGE (at);
CREATE TABLE events_2020 PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE events_2021 PARTITION OF events FOR VALUES FROM ('2021-01-01') TO ('2022-01-01') PARTITION BY LIST (tenant);
CREATE TABLE events_2021_1 PARTITION OF events_2021 FOR VALUES IN (1);

-- A native constraint does it.
SELECT advisor.add_global_unique('master', 'id');
\echo :LAST_ERROR_SQLSTATE
SELECT advisor.add_global_unique('events_2020', 'id', is_deferrable => true);
\echo :LAST_ERROR_SQLSTATE
SELECT advisor.add_global_unique('events', ARRAY['tenant', 'at'], initially_deferred => true);
\echo :LAST_ERROR_SQLSTATE
-- Not here: the expression cannot be a part of a key.
CREATE TABLE by_expression(id int, at date) PARTITION BY RANGE ((extract(year FROM at)));
SELECT advisor.add_global_unique('by_expression', ARRAY['id', 'at']);

-- Arguments
CREATE TABLE master_2020 (PRIMARY KEY (id), CHECK (ts < '2021-01-01')) INHERITS (master);
CREATE TABLE master_2021 (CHECK (ts >= '2021-01-01')) INHERITS (master);
SELECT advisor.add_global_unique(NULL, 'id');
\echo :LAST_ERROR_SQLSTATE
SELECT advisor.add_global_unique('master', NULL::name);
\echo :LAST_ERROR_SQLSTATE
SELECT advisor.add_global_unique('master', NULL::name[]);
\echo :LAST_ERROR_SQLSTATE
SELECT advisor.add_global_unique('master', ARRAY['id', NULL]::name[]);
\echo :LAST_ERROR_SQLSTATE
SELECT advisor.add_global_unique('master', ARRAY[]::name[]);
\echo :LAST_ERROR_SQLSTATE
SELECT advisor.add_global_unique('master', '{id,ts}');
\echo :LAST_ERROR_SQLSTATE
SELECT advisor.add_global_unique('master', 'nothing');
\echo :LAST_ERROR_SQLSTATE
SELECT advisor.add_global_unique('master', ARRAY['id', 'nothing']);
\echo :LAST_ERROR_SQLSTATE
SELECT advisor.add_global_unique('master', ARRAY['id', 'ts', 'id']);
\echo :LAST_ERROR_SQLSTATE
SELECT advisor.add_global_unique('master', 'ctid');
\echo :LAST_ERROR_SQLSTATE
SELECT advisor.add_global_unique('master', 'id', constraint_name => '');
\echo :LAST_ERROR_SQLSTATE
SELECT advisor.add_global_unique(4294967295::oid::regclass, 'id');
\echo :LAST_ERROR_SQLSTATE

-- Relations
CREATE VIEW a_view AS SELECT 1 AS id;
SELECT advisor.add_global_unique('a_view', 'id');
\echo :LAST_ERROR_SQLSTATE
SELECT advisor.add_global_unique('master_id_seq', 'id');
\echo :LAST_ERROR_SQLSTATE
SELECT advisor.add_global_unique('pg_catalog.pg_class', 'oid');
\echo :LAST_ERROR_SQLSTATE
SELECT advisor.add_global_unique('advisor.ignored_findings', 'reason');
\echo :LAST_ERROR_SQLSTATE
CREATE TABLE documents(body json);
CREATE TABLE documents_old() INHERITS (documents);
SELECT advisor.add_global_unique('documents', 'body');
\echo :LAST_ERROR_SQLSTATE
CREATE TEMP TABLE passing(id int, k int) PARTITION BY LIST (k);
SELECT advisor.add_global_unique('passing', 'id');
\echo :LAST_ERROR_SQLSTATE

-- Indexes: not built
SELECT advisor.add_global_unique('master', 'id', create_indexes => false);
\echo :LAST_ERROR_SQLSTATE
-- and built.
SELECT advisor.add_global_unique('master', 'id');
SELECT advisor.add_global_unique('master', 'comment', initially_deferred => true);
SELECT advisor.add_global_unique('events', ARRAY['k', 'id']);
SELECT indrelid::regclass, indexrelid::regclass, indisunique FROM pg_index
WHERE indrelid::regclass::text ~ '^(master|events)' ORDER BY 1, 2;
SELECT tgrelid::regclass, tgname, tgenabled, tgparentid <> 0 AS clone,
  regexp_replace(pg_get_triggerdef(oid), '''[0-9a-f]{16}''', '''token''') AS definition
FROM pg_trigger WHERE tgfoid = 'advisor.check_global_unique'::regproc AND tgrelid::regclass::text ~ '^(master|events)'
ORDER BY 1, 2;
\x
SELECT * FROM advisor.global_constraints WHERE relation ~ '^gu';
\x

-- Names
SELECT advisor.add_global_unique('master', 'id', if_not_exists => true);
SELECT advisor.add_global_unique('events', ARRAY['id', 'k'], if_not_exists => true);
SELECT advisor.add_global_unique('master', 'ts', 'master_id_key');
\echo :LAST_ERROR_SQLSTATE
SELECT advisor.add_global_unique('master', 'ts', 'master_id_key', if_not_exists => true);
SELECT advisor.add_global_unique('master', 'ts', 'master_pkey');
\echo :LAST_ERROR_SQLSTATE
SELECT advisor.add_global_unique('master', 'id');
SELECT advisor.drop_constraint('master', 'master_id_key1');
CREATE TABLE "a table whose name alone fills the sixty-three bytes that it has"(ä int, "a column with a long name" int, k int)
  PARTITION BY LIST (k);
SELECT advisor.add_global_unique('"a table whose name alone fills the sixty-three bytes that it has"', ARRAY['ä', 'a column with a long name']);
SELECT advisor.add_global_unique('"a table whose name alone fills the sixty-three bytes that it has"', ARRAY['ä', 'a column with a long name']);
DROP TABLE "a table whose name alone fills the sixty-three bytes that it has";
SELECT advisor.rename_constraint('master', 'master_id_key', 'The "key"');
SELECT advisor.rename_constraint('master', 'The "key"', 'The "key"');
\echo :LAST_ERROR_SQLSTATE
SELECT advisor.rename_constraint('master', 'The "key"', 'master_comment_key');
\echo :LAST_ERROR_SQLSTATE
SELECT advisor.rename_constraint('master', 'master_id_key', 'x');
\echo :LAST_ERROR_SQLSTATE
SELECT advisor.rename_constraint('master', 'The "key"', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT advisor.rename_constraint('master_2020', 'The "key"', 'x');
\echo :LAST_ERROR_SQLSTATE
SELECT t.tgrelid::regclass, t.tgname, c.conname FROM pg_trigger t JOIN pg_constraint c ON c.oid = t.tgconstraint
WHERE t.tgname ~ '^The' ORDER BY 1;
COMMENT ON CONSTRAINT "The ""key""" ON master IS 'one master, one id';
SELECT advisor.rename_constraint('master', 'The "key"', 'master_id_key');
SELECT obj_description(oid, 'pg_constraint') FROM pg_constraint WHERE conname = 'master_id_key' AND conrelid = 'master'::regclass;
BEGIN;
SET CONSTRAINTS master_comment_key IMMEDIATE;
SET CONSTRAINTS master_comment_key DEFERRED;
ROLLBACK;
-- A deferrable constraint, and an index that is not.
SELECT advisor.add_global_unique('master', 'id', 'deferred', is_deferrable => true);

-- Rows that are there
INSERT INTO events SELECT i, 1, date '2020-06-01' + i, 'k' FROM generate_series(1, 300) AS i;
INSERT INTO events VALUES (1, 1, '2021-06-06', 'k''2'), (NULL, 1, '2021-06-07', NULL), (NULL, 1, '2021-06-07', NULL);
SELECT advisor.add_global_unique('events', 'id');
\echo :LAST_ERROR_SQLSTATE
SELECT advisor.add_global_unique('events', 'id', not_valid => true);
SELECT * FROM advisor.violations('events', 'events_id_key');
SELECT constraint_name, validated, definition FROM advisor.global_constraints WHERE relation = 'gu.events';
SELECT advisor.validate_constraint('events', 'events_id_key');
\echo :LAST_ERROR_SQLSTATE
DO $$
DECLARE schema_name text; table_name text; constraint_name text; state text;
BEGIN
  PERFORM advisor.validate_constraint('gu.events', 'events_id_key');
EXCEPTION WHEN unique_violation THEN
  GET STACKED DIAGNOSTICS schema_name = SCHEMA_NAME, table_name = TABLE_NAME, constraint_name = CONSTRAINT_NAME, state = RETURNED_SQLSTATE;
  RAISE NOTICE '% % % %', state, schema_name, table_name, constraint_name;
END $$;
SELECT advisor.validate_constraint('events', 'nothing');
\echo :LAST_ERROR_SQLSTATE
SELECT advisor.validate_constraint('events_2020', 'events_id_key');
\echo :LAST_ERROR_SQLSTATE
DELETE FROM events WHERE k = 'k''2';
SELECT advisor.validate_constraint('events', 'events_id_key');
SELECT advisor.validate_constraint('events', 'events_id_key');
SELECT constraint_name, validated FROM advisor.global_constraints WHERE relation = 'gu.events';

-- The end: what the constraint made goes with it.
SELECT advisor.drop_constraint('events_2020', 'events_id_key');
\echo :LAST_ERROR_SQLSTATE
SELECT advisor.drop_constraint('events', 'events_id_key');
SELECT advisor.drop_constraint('events', 'events_id_key');
\echo :LAST_ERROR_SQLSTATE
SELECT advisor.drop_constraint('events', 'events_id_key', if_exists => true);
SELECT indexrelid::regclass FROM pg_index WHERE indrelid::regclass::text ~ '^events' ORDER BY 1;

-- Who may
CREATE ROLE gu_owner;
CREATE ROLE gu_other;
GRANT ALL ON SCHEMA gu TO gu_owner;
GRANT USAGE ON SCHEMA gu TO gu_other;
ALTER TABLE master OWNER TO gu_owner;
SET ROLE gu_owner;
SELECT advisor.add_global_unique('master', 'ts');
\echo :LAST_ERROR_SQLSTATE
SELECT advisor.drop_constraint('master', 'master_id_key');
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
ALTER TABLE master_2020 OWNER TO gu_owner;
ALTER TABLE master_2021 OWNER TO gu_owner;
SET ROLE gu_owner;
SELECT advisor.add_global_unique('master', 'ts');
SELECT constraint_name, validated, healthy FROM advisor.global_constraints WHERE relation = 'gu.master';
SET ROLE gu_other;
SELECT advisor.violations('gu.master', 'master_ts_key');
\echo :LAST_ERROR_SQLSTATE
SELECT advisor.validate_constraint('gu.master', 'master_ts_key');
\echo :LAST_ERROR_SQLSTATE
SELECT advisor.rename_constraint('gu.master', 'master_ts_key', 'x');
\echo :LAST_ERROR_SQLSTATE
SELECT advisor.repair_constraints('gu.master');
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM advisor.repair_constraints();
UPDATE advisor.global_constraint_registry SET validated_for = NULL;
\echo :LAST_ERROR_SQLSTATE
SELECT constraint_name FROM advisor.global_constraints WHERE relation = 'gu.master';
RESET ROLE;
-- Rows that a policy hides would be missing from the answer.
ALTER TABLE master ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
SET ROLE gu_owner;
SELECT advisor.violations('gu.master', 'master_ts_key');
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
SET client_min_messages = error;
DROP SCHEMA gu CASCADE;
RESET client_min_messages;
SELECT count(*) FROM advisor.global_constraint_registry;
DROP ROLE gu_owner, gu_other;
DROP TABLE passing;
