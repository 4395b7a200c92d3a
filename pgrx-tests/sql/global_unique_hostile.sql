-- What hands, and other people, can do to constraints: nobody reads, locks or breaks what is not his.
CREATE SCHEMA hostile;
SET search_path = hostile;
CREATE ROLE regress_mallory;
GRANT ALL ON SCHEMA hostile TO regress_mallory;

-- Two triggers with one argument on columns of different types are two keys.
SET ROLE regress_mallory;
CREATE TABLE own(i bigint, t text);
CREATE CONSTRAINT TRIGGER a AFTER INSERT ON own FOR EACH ROW WHEN (NEW.t IS DISTINCT FROM NULL)
  EXECUTE FUNCTION advisor.check_global_unique('0123456789abcdef');
CREATE CONSTRAINT TRIGGER b AFTER INSERT ON own FOR EACH ROW WHEN (NEW.i IS DISTINCT FROM NULL)
  EXECUTE FUNCTION advisor.check_global_unique('0123456789abcdef');
INSERT INTO own(t) VALUES ('x');
INSERT INTO own(i) VALUES (12345);
INSERT INTO own(i, t) VALUES (1, 'y');
INSERT INTO own(i) VALUES (12345);

-- An owner's functions do nothing that outlives the look at his rows.
CREATE TABLE log(x int);
CREATE FUNCTION raise_me() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  RAISE WARNING 'I run as the role of the commit'; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON log DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION raise_me();
CREATE FUNCTION write() RETURNS bool LANGUAGE plpgsql AS $$ BEGIN INSERT INTO hostile.log VALUES (1); RETURN true; END $$;
CREATE FUNCTION looks_harmless(int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN hostile.write(); END $$;
CREATE TABLE tree(id int, d int);
CREATE TABLE tree_1(CHECK (looks_harmless(1))) INHERITS (tree);
CREATE TABLE tree_2() INHERITS (tree);
SELECT advisor.add_global_unique('tree', 'id', not_valid => true);
RESET ROLE;
SELECT advisor.validate_constraint('tree', 'tree_id_key');
SELECT advisor.add_global_unique('tree', 'd');
SELECT count(*) FROM log;

-- A newcomer cannot bring a trigger that says it is the constraint's.
CREATE TABLE m(id bigint, d bigint);
CREATE TABLE m_1() INHERITS (m);
CREATE TABLE x(id bigint, d bigint);
SELECT advisor.add_global_unique('m', 'id');
INSERT INTO m_1 VALUES (5, 1);
DO $$ BEGIN EXECUTE format('CREATE CONSTRAINT TRIGGER foo AFTER INSERT OR UPDATE ON hostile.x FOR EACH ROW
  WHEN (NEW.d IS DISTINCT FROM NULL) EXECUTE FUNCTION advisor.check_global_unique(%L)',
  (SELECT left(encode(tgargs, 'escape'), 16) FROM pg_trigger WHERE tgrelid = 'hostile.m'::regclass)); END $$;
ALTER TABLE x INHERIT m;
DROP TRIGGER foo ON x;
ALTER TABLE x INHERIT m;
INSERT INTO x VALUES (5, 2);

-- A trigger that is dropped and made again: nobody knows what came in meanwhile.
SELECT pg_get_triggerdef(oid) AS again FROM pg_trigger WHERE tgrelid = 'hostile.x'::regclass \gset
DROP TRIGGER m_id_key ON x;
INSERT INTO x VALUES (5, 2);
:again;
SELECT validated, healthy, problems FROM advisor.global_constraints WHERE relation = 'hostile.m';
SELECT advisor.validate_constraint('m', 'm_id_key');
DELETE FROM x;
SELECT action FROM advisor.repair_constraints('m');
SELECT advisor.validate_constraint('m', 'm_id_key');

-- The root's trigger is missing while a table leaves.
DROP TRIGGER m_id_key ON m;
ALTER TABLE x NO INHERIT m;
SELECT action FROM advisor.repair_constraints('m');
SELECT relation, problems FROM advisor.global_constraints WHERE relation LIKE 'hostile.%' ORDER BY 1;
-- What was taken in and rolled back is looked at again.
BEGIN;
SAVEPOINT a;
ALTER TABLE x INHERIT m;
ROLLBACK TO a;
INSERT INTO x VALUES (5, 3);
ALTER TABLE x INHERIT m;
ROLLBACK;

-- A partition whose trigger repair has made loses it when it is detached.
CREATE TABLE p(id int, d int) PARTITION BY LIST (d);
CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1);
CREATE TABLE p_2 PARTITION OF p FOR VALUES IN (2);
SELECT advisor.add_global_unique('p', 'id');
DROP TRIGGER p_id_key ON p;
SELECT action FROM advisor.repair_constraints('p');
ALTER TABLE p DETACH PARTITION p_1;
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'hostile.p_1'::regclass;

-- A deferred check of a transaction that has become read-only.
SELECT advisor.add_global_unique('m', 'd', initially_deferred => true);
BEGIN;
INSERT INTO m_1 VALUES (900000001, 900000001);
SET TRANSACTION READ ONLY;
COMMIT;

-- SET CONSTRAINTS inside a trigger of a table that COPY fills.
CREATE TABLE source(x int);
CREATE FUNCTION at_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  SET CONSTRAINTS ALL DEFERRED;
  INSERT INTO hostile.m VALUES (7, 1);
  SET CONSTRAINTS ALL IMMEDIATE;
  RAISE WARNING 'not reached'; RETURN NULL; END $$;
CREATE TRIGGER t AFTER INSERT ON source FOR EACH ROW EXECUTE FUNCTION at_once();
COPY source FROM stdin;
1
\.

\set VERBOSITY terse
DROP SCHEMA hostile CASCADE;
DROP ROLE regress_mallory;
