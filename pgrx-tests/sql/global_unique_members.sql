-- Tables come and go: the constraint follows.
CREATE SCHEMA gm;
SET search_path = gm;
CREATE FUNCTION coverage(pattern text) RETURNS TABLE (member regclass, trigger name, fires "char", serving name)
LANGUAGE sql SET search_path = gm AS $$
  SELECT t.tgrelid::regclass, t.tgname, t.tgenabled, (
    SELECT min(c.relname) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = t.tgrelid)
  FROM pg_trigger t
  WHERE t.tgfoid = 'advisor.check_global_unique'::regproc AND t.tgrelid::regclass::text ~ pattern ORDER BY 1, 2
$$;

-- Inheritance
CREATE TABLE master(id int, comment text);
CREATE TABLE child() INHERITS (master);
SELECT advisor.add_global_unique('master', 'id');
CREATE TABLE created() INHERITS (master);
CREATE TABLE grandchild() INHERITS (child);
CREATE TABLE joined(LIKE master);
INSERT INTO master VALUES (1, 'a');
INSERT INTO joined VALUES (1, 'b'), (2, 'b'), (2, 'c');
ALTER TABLE joined INHERIT master;
\echo :LAST_ERROR_SQLSTATE
DELETE FROM joined WHERE comment = 'c';
ALTER TABLE joined INHERIT master;
\echo :LAST_ERROR_SQLSTATE
DELETE FROM joined WHERE id = 1;
ALTER TABLE joined INHERIT master;
CREATE SCHEMA gm_more CREATE TABLE elsewhere() INHERITS (gm.master);
DO $$ BEGIN EXECUTE 'CREATE TABLE dynamic() INHERITS (gm.master)'; END $$;
SELECT * FROM coverage('.');
SELECT partitions, healthy, problems FROM advisor.global_constraints;
-- Members are covered from their first row,
INSERT INTO dynamic VALUES (2, 'd');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO gm_more.elsewhere VALUES (3, 'd');
INSERT INTO grandchild VALUES (3, 'd');
\echo :LAST_ERROR_SQLSTATE
-- and no longer than they are members.
ALTER TABLE joined NO INHERIT master;
INSERT INTO joined VALUES (3, 'd');
INSERT INTO dynamic VALUES (2, 'd');
DELETE FROM dynamic;
ALTER TABLE child NO INHERIT master;
DROP TABLE dynamic, created;
SELECT * FROM coverage('.');
SELECT partitions, healthy, problems FROM advisor.global_constraints;
-- Two ways up
CREATE TABLE left_side() INHERITS (master);
CREATE TABLE right_side() INHERITS (master);
CREATE TABLE shared() INHERITS (left_side, right_side);
ALTER TABLE shared NO INHERIT left_side;
SELECT * FROM coverage('shared');
ALTER TABLE shared NO INHERIT right_side;
SELECT * FROM coverage('shared');
-- What cannot be covered
CREATE TEMP TABLE passing() INHERITS (gm.master);
\echo :LAST_ERROR_SQLSTATE
CREATE FOREIGN DATA WRAPPER gm_wrapper;
CREATE SERVER gm_server FOREIGN DATA WRAPPER gm_wrapper;
CREATE FOREIGN TABLE remote() INHERITS (master) SERVER gm_server;
\echo :LAST_ERROR_SQLSTATE

-- Partitions
CREATE TABLE events(id bigint, tenant int, at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE events_2020 PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
SELECT advisor.add_global_unique('events', 'id');
CREATE TABLE events_2021 PARTITION OF events FOR VALUES FROM ('2021-01-01') TO ('2022-01-01') PARTITION BY LIST (tenant);
CREATE TABLE events_2021_1 PARTITION OF events_2021 FOR VALUES IN (1);
CREATE TABLE attached(at date NOT NULL, gone int, tenant int, id bigint);
ALTER TABLE attached DROP COLUMN gone;
INSERT INTO events VALUES (1, 1, '2020-02-02');
INSERT INTO attached VALUES ('2022-02-02', 1, 1);
ALTER TABLE events ATTACH PARTITION attached FOR VALUES FROM ('2022-01-01') TO ('2023-01-01');
\echo :LAST_ERROR_SQLSTATE
UPDATE attached SET id = 2;
ALTER TABLE events ATTACH PARTITION attached FOR VALUES FROM ('2022-01-01') TO ('2023-01-01');
CREATE TABLE tree(LIKE events) PARTITION BY HASH (tenant);
CREATE TABLE tree_0 PARTITION OF tree FOR VALUES WITH (MODULUS 1, REMAINDER 0);
INSERT INTO tree VALUES (2, 2, '2023-03-03');
ALTER TABLE events ATTACH PARTITION tree DEFAULT;
\echo :LAST_ERROR_SQLSTATE
DELETE FROM tree;
ALTER TABLE events ATTACH PARTITION tree DEFAULT;
CREATE FOREIGN TABLE remote PARTITION OF events FOR VALUES FROM ('2030-01-01') TO ('2031-01-01') SERVER gm_server;
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM coverage('events|attached|tree');
SELECT partitions, healthy, problems FROM advisor.global_constraints WHERE relation = 'gm.events';
ALTER TABLE events DETACH PARTITION tree;
ALTER TABLE events DETACH PARTITION attached CONCURRENTLY;
SELECT * FROM coverage('events|attached|tree');
SELECT partitions, healthy, problems FROM advisor.global_constraints WHERE relation = 'gm.events';

INSERT INTO attached VALUES ('2022-02-03', 1, 1);
INSERT INTO events VALUES (1, 1, '2021-02-02');
\echo :LAST_ERROR_SQLSTATE
-- A table that is made, filled and attached in one transaction
BEGIN;
CREATE TABLE filled(LIKE events);
INSERT INTO filled VALUES (1, 1, '2024-04-04');
ALTER TABLE events ATTACH PARTITION filled FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
BEGIN;
CREATE TABLE filled PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
INSERT INTO events VALUES (4, 1, '2024-04-04');
SAVEPOINT before;
INSERT INTO events VALUES (4, 1, '2021-04-04');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK TO before;
COMMIT;
DROP TABLE filled;
INSERT INTO events VALUES (4, 1, '2021-04-04');

-- Names change
SELECT advisor.drop_constraint('master', 'master_id_key');
SELECT advisor.add_global_unique('master', 'comment');
ALTER TABLE master RENAME TO "Mäster";
ALTER TABLE "Mäster" RENAME comment TO "com ment";
ALTER SCHEMA gm RENAME TO gn;
SET search_path = gn;
SELECT relation, constraint_name, columns, validated, healthy, definition FROM advisor.global_constraints;
SELECT relation, constraint_name, columns, definition FROM advisor.global_constraint_registry ORDER BY 1;
CREATE SCHEMA gm_third;
ALTER TABLE events SET SCHEMA gm_third;
SELECT relation, constraint_name, validated FROM advisor.global_constraints;
SELECT relation FROM advisor.global_constraint_registry ORDER BY 1;

-- Columns
ALTER TABLE "Mäster" ALTER COLUMN "com ment" TYPE varchar;
\echo :LAST_ERROR_SQLSTATE
ALTER TABLE "Mäster" DROP COLUMN "com ment";
\echo :LAST_ERROR_SQLSTATE
ALTER TABLE "Mäster" DROP COLUMN id;
SET client_min_messages = error;
ALTER TABLE "Mäster" DROP COLUMN "com ment" CASCADE;
RESET client_min_messages;
SELECT relation FROM advisor.global_constraint_registry;
ALTER TABLE gm_third.events RENAME CONSTRAINT events_id_key TO renamed_by_hand;
SELECT constraint_name, healthy FROM advisor.global_constraints;
DROP TRIGGER renamed_by_hand ON gm_third.events;
DROP TABLE gm_third.events;
SELECT count(*) FROM advisor.global_constraint_registry;
SELECT count(*) FROM advisor.global_constraints;

CREATE TABLE keyed(id int, k int) PARTITION BY LIST (k);
SELECT advisor.add_global_unique('keyed', 'id');
ALTER TABLE keyed RENAME CONSTRAINT keyed_id_key TO renamed_by_hand;
SET client_min_messages = error;
ALTER TABLE keyed DROP COLUMN id CASCADE;
RESET client_min_messages;
SELECT count(*) FROM advisor.global_constraint_registry;

-- Other names for ALTER TABLE ... RENAME, which the registry follows,
CREATE TABLE parent(id int, comment text);
CREATE TABLE child_of() INHERITS (parent);
SELECT advisor.add_global_unique('parent', 'id');
ALTER INDEX parent RENAME TO "PARENT";
ALTER VIEW "PARENT" RENAME COLUMN id TO number;
CREATE TABLE parent(id int);
SELECT relation, columns, validated, healthy FROM advisor.global_constraints;
SELECT relation, columns FROM advisor.global_constraint_registry;
-- or does not: the table is the same.
ALTER EVENT TRIGGER citus_advisor_ddl DISABLE;
ALTER TABLE "PARENT" RENAME TO parent_2;
ALTER TABLE parent_2 RENAME number TO id;
ALTER EVENT TRIGGER citus_advisor_ddl ENABLE ALWAYS;
SELECT relation, columns, validated, healthy FROM advisor.global_constraints;
DROP TRIGGER parent_id_key ON parent_2;
DROP TRIGGER parent_id_key ON child_of;
SELECT relation, columns, validated, healthy, problems FROM advisor.global_constraints;
SELECT * FROM advisor.repair_constraints();
SELECT relation, columns FROM advisor.global_constraint_registry;
-- The trigger takes the constraint's new name in all tables; errors have it.
ALTER TABLE parent_2 RENAME CONSTRAINT parent_id_key TO renamed;
SELECT t.tgrelid::regclass, t.tgname, c.conname FROM pg_trigger t JOIN pg_constraint c ON c.oid = t.tgconstraint
WHERE t.tgfoid = 'advisor.check_global_unique'::regproc ORDER BY 1;
INSERT INTO parent_2 VALUES (1);
INSERT INTO child_of VALUES (1);
\echo :LAST_ERROR_SQLSTATE
ALTER TABLE child_of ADD CONSTRAINT taken CHECK (id > 0);
ALTER TABLE parent_2 RENAME CONSTRAINT renamed TO taken;
\echo :LAST_ERROR_SQLSTATE
-- A newcomer that has the name already
CREATE TABLE newcomer(CONSTRAINT renamed UNIQUE (id)) INHERITS (parent_2);
\echo :LAST_ERROR_SQLSTATE
-- The end, however names are quoted
SET quote_all_identifiers = on;
SET client_min_messages = error;
DROP TABLE parent_2 CASCADE;
RESET quote_all_identifiers;
SELECT count(*) FROM advisor.global_constraint_registry;
DROP TABLE parent;

-- Tables of a type
CREATE TYPE typed AS (id int, k int);
CREATE TABLE of_type OF typed PARTITION BY LIST (k);
SELECT advisor.add_global_unique('of_type', 'id');
ALTER TYPE typed RENAME ATTRIBUTE id TO number CASCADE;
SELECT columns FROM advisor.global_constraint_registry;
ALTER TYPE typed DROP ATTRIBUTE number CASCADE;
SELECT count(*) FROM advisor.global_constraint_registry;
SELECT count(*) FROM advisor.global_constraints;
DROP TABLE of_type;

-- A column that the parent loses, and children keep
CREATE TABLE parent(x int, id int);
CREATE TABLE local(z int, id int, x int);
ALTER TABLE local INHERIT parent;
CREATE TABLE below() INHERITS (local);
SELECT advisor.add_global_unique('parent', 'id');
SELECT advisor.add_global_unique('parent', 'x');
ALTER TABLE parent DROP COLUMN id CASCADE;
SELECT * FROM coverage('parent|local|below');
SELECT relation, constraint_name, validated, healthy FROM advisor.global_constraints;
ALTER TABLE ONLY parent DROP COLUMN x CASCADE;
SELECT count(*) FROM advisor.global_constraints;
SELECT count(*) FROM advisor.global_constraint_registry;
INSERT INTO local VALUES (1, 1, 1), (1, 1, 1);
DROP TABLE parent CASCADE;
RESET client_min_messages;

-- An index that serves two constraints stays with the other one.
CREATE TABLE parent(id int);
CREATE TABLE served() INHERITS (parent);
SELECT advisor.add_global_unique('parent', 'id');
SELECT advisor.add_global_unique('parent', 'id', 'pk');
SELECT advisor.drop_constraint('parent', 'parent_id_key');
SELECT constraint_name, healthy, problems FROM advisor.global_constraints;
-- Whoever has no right to the schema can drop what is his.
CREATE ROLE gm_stranger;
GRANT ALL ON SCHEMA gn TO gm_stranger;
REVOKE USAGE ON SCHEMA advisor FROM PUBLIC;
SET ROLE gm_stranger;
CREATE TABLE own(id int UNIQUE, k int);
CREATE TABLE own_child() INHERITS (own);
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER other AFTER INSERT ON own EXECUTE FUNCTION nothing();
ALTER TABLE own DISABLE TRIGGER other;
DROP TRIGGER other ON own;
CREATE TRIGGER other AFTER INSERT ON own EXECUTE FUNCTION nothing();
DROP TABLE own_child, own;
RESET ROLE;
ALTER TABLE parent OWNER TO gm_stranger;
ALTER TABLE served OWNER TO gm_stranger;
SET ROLE gm_stranger;
CREATE TABLE another() INHERITS (parent);
ALTER TABLE another NO INHERIT parent;
ALTER TABLE parent RENAME TO renamed;
DROP TABLE served;
RESET ROLE;
GRANT USAGE ON SCHEMA advisor TO PUBLIC;
SELECT relation, partitions, healthy, problems FROM advisor.global_constraints;
DROP TABLE renamed;
DROP OWNED BY gm_stranger;
DROP ROLE gm_stranger;

-- Owners: whoever may attach need not own the root.
CREATE ROLE gm_root;
CREATE ROLE gm_branch;
GRANT ALL ON SCHEMA gn TO gm_root, gm_branch;
SET ROLE gm_root;
CREATE TABLE root(id int);
CREATE TABLE branch() INHERITS (root);
INSERT INTO root VALUES (7);
SELECT advisor.add_global_unique('root', 'id');
RESET ROLE;
ALTER TABLE branch OWNER TO gm_branch;
SET ROLE gm_branch;
CREATE TABLE leaf(id int);
INSERT INTO leaf VALUES (7);
ALTER TABLE leaf INHERIT branch;
\echo :LAST_ERROR_SQLSTATE
UPDATE leaf SET id = 8;
ALTER TABLE leaf INHERIT branch;
-- His functions run as nobody else: in a CHECK, in an index, as root's owner or the extension's.
CREATE FUNCTION whoever() RETURNS bool LANGUAGE plpgsql AS
  $$ BEGIN IF current_user <> 'gm_branch' THEN RAISE WARNING 'runs as %', current_user; END IF; RETURN true; END $$;
CREATE FUNCTION who(int) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT gn.whoever()); END';
CREATE TABLE tricky(id int, CHECK (who(1)));
CREATE INDEX ON tricky (id) WHERE who(2);
CREATE INDEX ON tricky ((who(id)));
INSERT INTO tricky SELECT i FROM generate_series(100, 200) AS i;
INSERT INTO tricky VALUES (8), (NULL), (NULL);
ALTER TABLE tricky INHERIT branch;
\echo :LAST_ERROR_SQLSTATE
UPDATE tricky SET id = 150 WHERE id = 8;
ALTER TABLE tricky INHERIT branch;
\echo :LAST_ERROR_SQLSTATE
DELETE FROM tricky WHERE id = 150;
ALTER TABLE tricky INHERIT branch;
RESET ROLE;
INSERT INTO root VALUES (1000);
INSERT INTO leaf VALUES (199);
\echo :LAST_ERROR_SQLSTATE
SELECT partitions, validated, healthy FROM advisor.global_constraints;
SELECT * FROM advisor.repair_constraints();
SET ROLE gm_root;
INSERT INTO root VALUES (1001);
RESET ROLE;
SELECT partitions, validated, healthy FROM advisor.global_constraints;
SET client_min_messages = error;
DROP SERVER gm_server CASCADE;
DROP FOREIGN DATA WRAPPER gm_wrapper;
DROP SCHEMA gn, gm_more, gm_third CASCADE;
DROP ROLE gm_root, gm_branch;
