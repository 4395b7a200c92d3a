-- Where the trigger that everybody copies lets duplicates in, or refuses what a native constraint would take, as far as
-- one session can show it. Numbers are those of the list of loopholes; schedules of several sessions are in
-- pgrx-tests/isolation. What cannot be cured is at the end, pinned.
SET client_min_messages = warning;
CREATE SCHEMA loopholes;
SET search_path = loopholes, public;
CREATE ROLE loopholes_writer;
CREATE ROLE loopholes_other;
GRANT USAGE ON SCHEMA loopholes TO loopholes_writer, loopholes_other;

-- What a program sees of a statement's error.
CREATE FUNCTION fields(statement text, OUT state text, OUT message text, OUT detail text, OUT schema_name text,
    OUT table_name text, OUT constraint_name text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    state := '00000';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
        schema_name = SCHEMA_NAME, table_name = TABLE_NAME, constraint_name = CONSTRAINT_NAME;
END $$;

CREATE TABLE master (id bigint, owner_name text, p int NOT NULL, note text) PARTITION BY LIST (p);
CREATE TABLE child0 PARTITION OF master FOR VALUES IN (0);
CREATE TABLE child1 PARTITION OF master FOR VALUES IN (1);
CREATE TABLE child2 PARTITION OF master FOR VALUES IN (2) PARTITION BY LIST (note);
CREATE TABLE child2a PARTITION OF child2 FOR VALUES IN ('a');
SELECT advisor.add_global_unique('master', 'id');
INSERT INTO master VALUES (1, 'postgres', 0, 'first'), (2, 'postgres', 1, 'second'), (3, 'postgres', 2, 'a');

-- B9: the error is the native one, field by field. The last line is what a native index says.
CREATE TABLE native (id bigint CONSTRAINT native_id_key UNIQUE);
INSERT INTO native VALUES (1);
\x on
SELECT * FROM fields('INSERT INTO loopholes.master VALUES (1, NULL, 1)');
SELECT * FROM fields('INSERT INTO loopholes.child2a VALUES (1, NULL, 2, ''a'')');
SELECT * FROM fields('UPDATE loopholes.master SET id = 2 WHERE id = 3');
SELECT * FROM fields('INSERT INTO loopholes.native VALUES (1)');
\x off
DROP TABLE native;

-- A6: a temporary table of the same name, and operators of the caller's own.
CREATE TEMP TABLE master (id bigint, owner_name text, p int, note text);
INSERT INTO loopholes.master VALUES (1, NULL, 1);
CREATE FUNCTION pg_temp.never(bigint, bigint) RETURNS boolean LANGUAGE sql AS 'SELECT false';
CREATE OPERATOR pg_temp.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = pg_temp.never);
SET search_path = pg_temp, loopholes, pg_catalog;
INSERT INTO loopholes.master VALUES (1, NULL, 1);
DROP OPERATOR pg_temp.= (bigint, bigint);
DROP TABLE pg_temp.master;
-- B11: no search_path at all, as in a restore.
SET search_path = '';
INSERT INTO loopholes.master VALUES (1, NULL, 1);
INSERT INTO loopholes.master VALUES (4, NULL, 1);
SET search_path = loopholes, public;

-- A7: row security hides the row that is in the way, and the error does not tell its key to whom it is hidden from.
ALTER TABLE master ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON master USING (owner_name = current_user);
GRANT SELECT, INSERT, UPDATE ON master TO loopholes_other;
SET ROLE loopholes_other;
SELECT count(*) AS visible FROM master;
INSERT INTO master VALUES (1, 'loopholes_other', 1);
INSERT INTO master VALUES (5, 'loopholes_other', 1);
UPDATE master SET id = 2 WHERE id = 5;
RESET ROLE;
ALTER TABLE master DISABLE ROW LEVEL SECURITY;
DROP POLICY own_rows ON master;

-- B1: whoever may only insert may insert, and is not told what is there.
GRANT INSERT ON master TO loopholes_writer;
SET ROLE loopholes_writer;
INSERT INTO master VALUES (6, 'loopholes_writer', 0);
INSERT INTO master VALUES (6, 'loopholes_writer', 1);
RESET ROLE;
-- A privilege on the key's columns is enough to be told.
GRANT SELECT (id) ON master TO loopholes_writer;
GRANT SELECT (id), INSERT ON child1 TO loopholes_writer;
SET ROLE loopholes_writer;
INSERT INTO child1 VALUES (6, 'loopholes_writer', 1);
RESET ROLE;

-- A8: a BEFORE trigger changes the key of a statement that does not mention it.
CREATE FUNCTION another_key() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.id := 2; RETURN NEW; END';
CREATE TRIGGER another_key BEFORE UPDATE ON child0 FOR EACH ROW EXECUTE FUNCTION another_key();
UPDATE master SET note = 'changed' WHERE id = 1;
DROP TRIGGER another_key ON child0;
CREATE TRIGGER another_key BEFORE INSERT ON child0 FOR EACH ROW EXECUTE FUNCTION another_key();
INSERT INTO master VALUES (100, NULL, 0);
DROP TRIGGER another_key ON child0;
DROP FUNCTION another_key();

-- A12: as a replica.
SET session_replication_role = replica;
INSERT INTO master VALUES (1, NULL, 1);
INSERT INTO child2a VALUES (1, NULL, 2, 'a');
RESET session_replication_role;

-- A9: a newcomer that holds a key.
CREATE TABLE newcomer (p int NOT NULL, note text, gone int, id bigint, owner_name text);
ALTER TABLE newcomer DROP COLUMN gone;
CREATE UNIQUE INDEX ON newcomer (id);
INSERT INTO newcomer (id, p) VALUES (1, 7), (70, 7);
ALTER TABLE master ATTACH PARTITION newcomer FOR VALUES IN (7);
SELECT count(*) AS attached FROM pg_inherits WHERE inhrelid = 'newcomer'::regclass;
DELETE FROM newcomer WHERE id = 1;
ALTER TABLE master ATTACH PARTITION newcomer FOR VALUES IN (7);
INSERT INTO master VALUES (70, NULL, 0);
INSERT INTO newcomer (id, p) VALUES (2, 7);
-- Also below a sub-partition, and with partitions of its own.
CREATE TABLE deeper (LIKE master) PARTITION BY LIST (owner_name);
CREATE TABLE deeper_x PARTITION OF deeper FOR VALUES IN ('x');
CREATE UNIQUE INDEX ON deeper_x (id);
INSERT INTO deeper VALUES (70, 'x', 2, 'b');
ALTER TABLE child2 ATTACH PARTITION deeper FOR VALUES IN ('b');
UPDATE deeper SET id = 71;
ALTER TABLE child2 ATTACH PARTITION deeper FOR VALUES IN ('b');
INSERT INTO master VALUES (71, NULL, 0);
INSERT INTO deeper_x VALUES (70, 'x', 2, 'b');
DROP TABLE deeper;
-- A partition that leaves is free, and its keys are.
ALTER TABLE master DETACH PARTITION newcomer;
INSERT INTO newcomer (id, p) VALUES (2, 7);
INSERT INTO master VALUES (70, NULL, 0);
DROP TABLE newcomer;

-- B10: renaming and moving.
ALTER TABLE master RENAME COLUMN id TO "The Id";
INSERT INTO master ("The Id", p) VALUES (1, 1);
ALTER TABLE master RENAME TO "Master";
ALTER TABLE child1 RENAME TO "Child 1";
CREATE SCHEMA loopholes_elsewhere;
ALTER TABLE child0 SET SCHEMA loopholes_elsewhere;
INSERT INTO "Master" ("The Id", p) VALUES (1, 1);
INSERT INTO "Master" ("The Id", p) VALUES (8, 1);
UPDATE loopholes_elsewhere.child0 SET "The Id" = 8 WHERE "The Id" = 1;
ALTER TABLE loopholes_elsewhere.child0 SET SCHEMA loopholes;
ALTER TABLE "Child 1" RENAME TO child1;
ALTER TABLE "Master" RENAME TO master;
ALTER TABLE master RENAME COLUMN "The Id" TO id;
-- A column more, a column less, in front of it and behind.
ALTER TABLE master ADD COLUMN extra int DEFAULT 5;
ALTER TABLE master DROP COLUMN owner_name;
INSERT INTO master (id, p) VALUES (1, 1);
INSERT INTO master (id, p) VALUES (9, 1);
-- The key's own column is held.
ALTER TABLE master DROP COLUMN id;
-- A17: other values in place of those that were checked.
ALTER TABLE master ALTER COLUMN id TYPE bigint USING id / 10;
ALTER TABLE master ALTER COLUMN id TYPE text;

-- B13: an update that leaves the key alone checks nothing and locks nothing.
BEGIN;
UPDATE master SET note = note || '!', extra = extra + 1 WHERE p < 2;
UPDATE master SET id = id WHERE p < 2;
SELECT count(*) AS locks FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid();
COMMIT;

-- What was harmless stays harmless (1C): NULL, COPY, MERGE, moves, one statement that exchanges everything.
INSERT INTO master (id, p) VALUES (NULL, 0), (NULL, 0), (NULL, 1);
COPY master (id, p) FROM STDIN;
20	0
21	1
\.
COPY master (id, p) FROM STDIN;
22	0
21	0
\.
MERGE INTO master m USING (VALUES (20, 1), (23, 1)) v(id, p) ON m.id = v.id AND m.p = v.p
    WHEN MATCHED THEN UPDATE SET note = 'merged' WHEN NOT MATCHED THEN INSERT (id, p) VALUES (v.id, v.p);
MERGE INTO master m USING (VALUES (20, 1), (23, 1)) v(id, p) ON m.id = v.id
    WHEN MATCHED THEN UPDATE SET note = 'merged', p = v.p WHEN NOT MATCHED THEN INSERT (id, p) VALUES (v.id, v.p);
UPDATE master SET p = 0 WHERE id = 20;
UPDATE master SET p = 1, id = 21 WHERE id = 20;
WITH gone AS (DELETE FROM master WHERE id = 20 RETURNING id) INSERT INTO master (id, p) SELECT id, 1 FROM gone;
TRUNCATE child1;
SELECT id, p FROM master WHERE id IS NOT NULL ORDER BY id;
INSERT INTO master (id, p) VALUES (20, 0), (21, 1), (22, 0);
INSERT INTO master (id, p) VALUES (30, 0), (31, 1), (30, 1);
-- An EXCEPTION block ends in a check, too, and takes its rows back.
DO $$
BEGIN
    FOR i IN 20..24 LOOP
        BEGIN
            INSERT INTO master (id, p) VALUES (i, 1);
        EXCEPTION WHEN unique_violation THEN
            RAISE WARNING '% refused', i;
        END;
    END LOOP;
END $$;
SELECT id, p FROM master WHERE id BETWEEN 20 AND 29 ORDER BY id;
DROP TABLE master;

-- Inheritance. A11: a child that comes later, by either way.
CREATE TABLE master (id bigint, note text);
CREATE TABLE child0 () INHERITS (master);
SELECT advisor.add_global_unique('master', 'id');
INSERT INTO master VALUES (1), (2);
CREATE TABLE child1 () INHERITS (master);
INSERT INTO child1 VALUES (1);
INSERT INTO child1 VALUES (3);
CREATE TABLE grandchild (more int) INHERITS (child1);
INSERT INTO grandchild VALUES (3);
CREATE TABLE newcomer (note text, id bigint);
CREATE UNIQUE INDEX ON newcomer (id);
INSERT INTO newcomer VALUES ('there', 3), ('new', 4);
-- A9
ALTER TABLE newcomer INHERIT master;
DELETE FROM newcomer WHERE id = 3;
ALTER TABLE newcomer INHERIT master;
INSERT INTO child0 VALUES (4);
INSERT INTO newcomer VALUES ('again', 1);
ALTER TABLE newcomer NO INHERIT master;
INSERT INTO newcomer VALUES ('again', 1);
INSERT INTO child0 VALUES (4);
-- Two parents: one key, seen through both.
CREATE TABLE second_parent (id bigint, note text);
CREATE TABLE both_parents () INHERITS (master, second_parent);
INSERT INTO both_parents VALUES (1);
INSERT INTO both_parents VALUES (5);
INSERT INTO second_parent VALUES (5);
-- A19: a temporary child, which other sessions could not see.
CREATE TEMP TABLE temporary () INHERITS (master);
CREATE TEMP TABLE temporary (LIKE master);
ALTER TABLE temporary INHERIT master;
DROP TABLE IF EXISTS temporary;
DROP TABLE second_parent CASCADE;
DROP TABLE newcomer;
DROP TABLE master CASCADE;

-- A20: foreign tables, at install and later.
CREATE FOREIGN DATA WRAPPER loopholes_nowhere;
CREATE SERVER loopholes_nowhere FOREIGN DATA WRAPPER loopholes_nowhere;
CREATE TABLE master (id bigint, p int) PARTITION BY LIST (p);
CREATE TABLE child0 PARTITION OF master FOR VALUES IN (0);
CREATE FOREIGN TABLE away PARTITION OF master FOR VALUES IN (1) SERVER loopholes_nowhere;
SELECT advisor.add_global_unique('master', 'id');
DROP FOREIGN TABLE away;
SELECT advisor.add_global_unique('master', 'id');
CREATE FOREIGN TABLE away PARTITION OF master FOR VALUES IN (1) SERVER loopholes_nowhere;
CREATE FOREIGN TABLE away (id bigint, p int) SERVER loopholes_nowhere;
ALTER TABLE master ATTACH PARTITION away FOR VALUES IN (1);
DROP FOREIGN TABLE IF EXISTS away;
DROP TABLE master;
CREATE TABLE master (id bigint);
CREATE TABLE child0 () INHERITS (master);
SELECT advisor.add_global_unique('master', 'id');
CREATE FOREIGN TABLE away () INHERITS (master) SERVER loopholes_nowhere;
DROP FOREIGN TABLE IF EXISTS away;
DROP TABLE master CASCADE;
DROP FOREIGN DATA WRAPPER loopholes_nowhere CASCADE;

-- Equal keys of different text, one after the other; at the same time: isolation/specs/equal_keys.
CREATE COLLATION ignore_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE master (n numeric, f float8, t text COLLATE ignore_case, j jsonb, a numeric[], i interval, p int) PARTITION BY LIST (p);
CREATE TABLE child0 PARTITION OF master FOR VALUES IN (0);
CREATE TABLE child1 PARTITION OF master FOR VALUES IN (1);
SELECT advisor.add_global_unique('master', c) FROM unnest('{n,f,t,j,a,i}'::name[]) c;
INSERT INTO master VALUES (1.0, '-0', 'Bob', '[1.0]', '{1.0}', '1 month', 0);
INSERT INTO master (n, p) VALUES (1.00, 1);
INSERT INTO master (f, p) VALUES (0, 1);
INSERT INTO master (t, p) VALUES ('BOB', 1);
INSERT INTO master (j, p) VALUES ('[1.00]', 1);
INSERT INTO master (a, p) VALUES ('{1}', 1);
INSERT INTO master (i, p) VALUES ('30 days', 1);
INSERT INTO master (n, p) VALUES ('NaN', 0);
INSERT INTO master (n, p) VALUES ('NaN', 1);
INSERT INTO master (f, p) VALUES ('NaN', 0);
INSERT INTO master (f, p) VALUES ('NaN', 1);
DROP TABLE master;
DROP COLLATION ignore_case;
-- Several columns; NULL in one of them equals nothing.
CREATE TABLE master (a int, b text, p int) PARTITION BY LIST (p);
CREATE TABLE child0 PARTITION OF master FOR VALUES IN (0);
CREATE TABLE child1 PARTITION OF master FOR VALUES IN (1);
SELECT advisor.add_global_unique('master', ARRAY['a', 'b']);
INSERT INTO master VALUES (1, 'x', 0), (1, 'y', 1), (2, 'x', 1), (NULL, 'x', 0), (NULL, 'x', 1), (1, NULL, 0), (1, NULL, 1);
INSERT INTO master VALUES (1, 'x', 1);
UPDATE master SET a = 1 WHERE a = 2;
DROP TABLE master;
-- A row type's NULL test is another one: (1,) is neither NULL nor NOT NULL, and it is a key.
CREATE TYPE pair AS (a int, b int);
CREATE TABLE master (k pair, p int) PARTITION BY LIST (p);
CREATE TABLE child0 PARTITION OF master FOR VALUES IN (0);
CREATE TABLE child1 PARTITION OF master FOR VALUES IN (1);
SELECT advisor.add_global_unique('master', 'k');
INSERT INTO master VALUES ('(1,)', 0), (NULL, 0), (NULL, 1);
INSERT INTO master VALUES ('(1,)', 1);
INSERT INTO master VALUES ('(,)', 0);
INSERT INTO master VALUES ('(,)', 1);
DROP TABLE master;
DROP TYPE pair;
-- Long keys.
CREATE TABLE master (k text, p int) PARTITION BY LIST (p);
CREATE TABLE child0 PARTITION OF master FOR VALUES IN (0);
CREATE TABLE child1 PARTITION OF master FOR VALUES IN (1);
ALTER TABLE master ALTER COLUMN k SET STORAGE EXTERNAL;
SELECT advisor.add_global_unique('master', 'k');
INSERT INTO master SELECT string_agg(md5(i::text), '') , 0 FROM generate_series(1, 80) i;
INSERT INTO master SELECT string_agg(md5(i::text), '') || 'x', 1 FROM generate_series(1, 80) i;
\set VERBOSITY terse
INSERT INTO master SELECT string_agg(md5(i::text), ''), 1 FROM generate_series(1, 80) i;
\set VERBOSITY default
DROP TABLE master;

-- From here on: what cannot be cured.
CREATE TABLE master (id bigint, p int) PARTITION BY LIST (p);
CREATE TABLE child0 PARTITION OF master FOR VALUES IN (0);
CREATE TABLE child1 PARTITION OF master FOR VALUES IN (1);
SELECT advisor.add_global_unique('master', 'id');
INSERT INTO master VALUES (1, 0);
-- B12: ON CONFLICT finds no index of the whole; DO NOTHING without a target covers the partition that the row goes to.
INSERT INTO master VALUES (1, 1) ON CONFLICT (id) DO NOTHING;
INSERT INTO master VALUES (1, 0) ON CONFLICT DO NOTHING;
INSERT INTO master VALUES (1, 1) ON CONFLICT DO NOTHING;
-- B15: that two statements lock keys in opposite order is a deadlock: isolation/specs/bulk_against_keyed.
-- B14: TRUNCATE of one partition holds off writers of the others: isolation/specs/truncate_in_progress.
-- A14: the owner of a partition disables its triggers. The view says so.
ALTER TABLE child1 DISABLE TRIGGER USER;
INSERT INTO master VALUES (1, 1);
SELECT relation, constraint_name, healthy, problems FROM advisor.global_constraints WHERE relation LIKE 'loopholes.%';
ALTER TABLE child1 ENABLE ALWAYS TRIGGER master_id_key;
DELETE FROM child1;
-- A21: the function goes only with CASCADE, and the extension does.
DROP FUNCTION advisor.check_global_unique();
BEGIN;
DROP EXTENSION citus_advisor;
ROLLBACK;
BEGIN;
DROP EXTENSION citus_advisor CASCADE;
INSERT INTO master VALUES (1, 1);
ROLLBACK;
INSERT INTO master VALUES (1, 1);

DROP SCHEMA loopholes CASCADE;
DROP SCHEMA loopholes_elsewhere CASCADE;
DROP OWNED BY loopholes_writer, loopholes_other;
DROP ROLE loopholes_writer, loopholes_other;
