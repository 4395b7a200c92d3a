-- Deferred checks, and SET CONSTRAINTS wherever it is called: a check is made there, not later.
CREATE SCHEMA deferred;
SET search_path = deferred;
\set VERBOSITY terse
CREATE TABLE m (id int, part int) PARTITION BY LIST (part);
SELECT format('CREATE TABLE m%s PARTITION OF m FOR VALUES IN (%s)', i, i) FROM generate_series(0, 3) i \gexec
SELECT advisor.add_global_unique('m', 'id', is_deferrable => true);
INSERT INTO m VALUES (1, 0), (2, 0), (3, 0);

-- At the end of the statement, unless deferred.
INSERT INTO m VALUES (4, 1), (1, 1);
BEGIN;
SET CONSTRAINTS m_id_key DEFERRED;
INSERT INTO m VALUES (1, 1), (2, 2);
SET CONSTRAINTS m_id_key IMMEDIATE;
ROLLBACK;
BEGIN;
SET CONSTRAINTS ALL DEFERRED;
INSERT INTO m VALUES (1, 1), (2, 2);
DELETE FROM m0 WHERE id IN (1, 2);
COMMIT;
BEGIN;
SET CONSTRAINTS ALL DEFERRED;
INSERT INTO m SELECT g, 3 FROM generate_series(1, 1000) g;
COMMIT;
SELECT count(*), count(DISTINCT id) FROM m;

-- Inside a function that a writing statement calls.
CREATE TABLE log (x int);
CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  SET CONSTRAINTS ALL DEFERRED;
  INSERT INTO deferred.m2 VALUES (11, 2);
  INSERT INTO deferred.m2 VALUES (12, 2);
  INSERT INTO deferred.m2 VALUES (3, 2), (13, 2);
  SET CONSTRAINTS ALL IMMEDIATE;
  RAISE WARNING 'not reached';
  DELETE FROM deferred.m2;
  RETURN 1;
END $$;
BEGIN;
INSERT INTO log SELECT f();
COMMIT;
SELECT f();

-- A statement that a trigger runs while the transaction commits.
CREATE TABLE late (x int);
CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO deferred.m VALUES (1, 1), (2, 1), (3, 1);
  RAISE WARNING 'not reached';
  DELETE FROM deferred.m WHERE part = 1;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late();
INSERT INTO late VALUES (1);

-- A savepoint that is rolled back takes the check with it, and it is made again.
BEGIN;
SET CONSTRAINTS ALL DEFERRED;
INSERT INTO m VALUES (3, 3);
SAVEPOINT s;
DELETE FROM m0 WHERE id = 3;
SET CONSTRAINTS ALL IMMEDIATE;
ROLLBACK TO s;
COMMIT;
SELECT * FROM m WHERE id = 3;

-- COPY checks at its end.
COPY m FROM stdin;
21	1
22	2
21	3
\.
SELECT count(*) FROM m WHERE id > 20;

-- An EXCEPTION block in a trigger neither swallows the outer statement's error nor loses its rows.
CREATE TABLE note (id int, part int) PARTITION BY LIST (part);
SELECT format('CREATE TABLE note%s PARTITION OF note FOR VALUES IN (%s)', i, i) FROM generate_series(0, 1) i \gexec
SELECT advisor.add_global_unique('note', 'id');
CREATE TABLE outside (id int, part int) PARTITION BY LIST (part);
SELECT format('CREATE TABLE outside%s PARTITION OF outside FOR VALUES IN (%s)', i, i) FROM generate_series(0, 1) i \gexec
SELECT advisor.add_global_unique('outside', 'id');
CREATE FUNCTION note_it() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  BEGIN
    INSERT INTO deferred.note VALUES (NEW.id % 3, 0), (NEW.id % 3, 1);
  EXCEPTION WHEN unique_violation THEN
    NULL;
  END;
  RETURN NULL;
END $$;
CREATE TRIGGER z AFTER INSERT ON outside FOR EACH ROW EXECUTE FUNCTION note_it();
CREATE TRIGGER a AFTER INSERT ON outside FOR EACH ROW EXECUTE FUNCTION note_it();
INSERT INTO outside VALUES (1, 0), (2, 0), (3, 0), (2, 1);
INSERT INTO outside VALUES (1, 0), (2, 0), (3, 0), (4, 1);
SELECT count(*) FROM outside;
SELECT count(*) FROM note;

-- Rows that move, or come again in the same transaction, are nobody else's matter.
UPDATE outside SET part = 1 - part;
BEGIN;
DELETE FROM outside;
INSERT INTO outside SELECT g, g % 2 FROM generate_series(1, 1000) g;
DELETE FROM outside WHERE id > 500;
INSERT INTO outside SELECT g, (g + 1) % 2 FROM generate_series(501, 1500) g;
COMMIT;
UPDATE outside SET part = 1 - part;
INSERT INTO outside SELECT g, g % 2 FROM generate_series(1400, 1600) g;
BEGIN;
SAVEPOINT s;
DELETE FROM outside WHERE id = 7;
ROLLBACK TO s;
INSERT INTO outside VALUES (2000, 0), (2001, 0), (7, (SELECT 1 - part FROM outside WHERE id = 7));
ROLLBACK;
SELECT count(*), count(DISTINCT id) FROM outside;

-- One name reaches members of all schemas, those that come later too.
CREATE SCHEMA deferred_elsewhere;
CREATE TABLE spread (id int, part int);
CREATE TABLE deferred_elsewhere.spread_1 () INHERITS (spread);
SELECT advisor.add_global_unique('spread', 'id', is_deferrable => true);
CREATE TABLE deferred_elsewhere.spread_2 () INHERITS (spread);
INSERT INTO spread VALUES (1, 0);
BEGIN;
SET CONSTRAINTS spread_id_key DEFERRED;
INSERT INTO deferred_elsewhere.spread_1 VALUES (1, 1);
INSERT INTO deferred_elsewhere.spread_2 VALUES (1, 2);
DELETE FROM spread WHERE part < 2;
COMMIT;
SELECT * FROM spread;
INSERT INTO deferred_elsewhere.spread_1 VALUES (1, 1);

\set VERBOSITY default
SET client_min_messages = warning;
DROP SCHEMA deferred, deferred_elsewhere CASCADE;
