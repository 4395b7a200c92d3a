-- What cascades must not do: reach rows of another key, or begin where a row has only moved.
CREATE SCHEMA cascades;
SET search_path = cascades;
SET client_min_messages = warning;

-- The twin has native keys; the order of rows is the same.
CREATE TABLE pk (id int NOT NULL, p int NOT NULL) PARTITION BY LIST (p);
CREATE TABLE pk_0 PARTITION OF pk FOR VALUES IN (0);
CREATE TABLE pk_1 PARTITION OF pk FOR VALUES IN (1);
CREATE TABLE fk (row int, x int);
CREATE INDEX ON fk (x);
SELECT advisor.add_global_unique('pk', 'id', 'pk_key');
SELECT advisor.add_global_foreign_key('fk', 'x', 'pk', 'id', 'fk_ref', on_delete => 'cascade', on_update => 'cascade');
CREATE TABLE native_pk (id int CONSTRAINT native_pk_key UNIQUE, p int);
CREATE TABLE native_fk (row int, x int CONSTRAINT native_fk_ref REFERENCES native_pk (id) ON DELETE CASCADE ON UPDATE CASCADE);
INSERT INTO pk VALUES (1, 0), (2, 1);
INSERT INTO fk VALUES (1, 1), (2, 2);
INSERT INTO native_pk VALUES (1, 0), (2, 1);
INSERT INTO native_fk VALUES (1, 1), (2, 2);

-- Keys that follow one another: what referenced 1 must not end where 2 went.
UPDATE native_pk SET id = id + 1;
UPDATE pk SET id = id + 1;
-- Rows exchange their keys.
UPDATE native_pk SET id = 3 - id;
UPDATE pk SET id = 3 - id;
-- The other order takes no key before it is free.
UPDATE native_pk SET id = id - 1;
UPDATE pk SET id = id - 1;
SELECT * FROM native_fk ORDER BY row;
SELECT * FROM fk ORDER BY row;
-- In two statements each key is free in time.
UPDATE pk SET id = 7 WHERE id = 1;
UPDATE pk SET id = 8 WHERE id = 7;
SELECT * FROM fk ORDER BY row;

-- A move is not a deletion, whatever the rows.
UPDATE pk SET p = 1 - p;
SELECT tableoid::regclass, * FROM pk ORDER BY id;
SELECT * FROM fk ORDER BY row;
-- By DELETE and INSERT it is one, as natively.
WITH gone AS (DELETE FROM pk WHERE id = 8 RETURNING *) INSERT INTO pk SELECT id, 0 FROM gone;
SELECT * FROM fk ORDER BY row;
-- Key and place at once: nobody could tell the referencing rows where to go.
DELETE FROM fk;
DELETE FROM pk;
INSERT INTO pk VALUES (1, 0), (2, 1);
INSERT INTO fk VALUES (1, 1);
UPDATE pk SET id = 5, p = 1 WHERE id = 1;
-- Where nothing references the key, it goes.
UPDATE pk SET id = 5, p = 0 WHERE id = 2;
SELECT tableoid::regclass, * FROM pk ORDER BY id;

-- A chain of rows that reference one another, through partitions.
CREATE TABLE tree (id int NOT NULL, p int NOT NULL, parent int) PARTITION BY LIST (p);
CREATE TABLE tree_0 PARTITION OF tree FOR VALUES IN (0);
CREATE TABLE tree_1 PARTITION OF tree FOR VALUES IN (1);
CREATE INDEX ON tree (parent);
SELECT advisor.add_global_unique('tree', 'id');
SELECT advisor.add_global_foreign_key('tree', 'parent', 'tree', 'id', on_delete => 'cascade');
INSERT INTO tree SELECT g, g % 2, nullif(g - 1, 0) FROM generate_series(1, 200) g;
DELETE FROM tree WHERE id = 101;
SELECT count(*), max(id) FROM tree;
DELETE FROM tree WHERE id = 1;
SELECT count(*) FROM tree;

-- What is deferred cannot tell a row that was moved and deleted from one that got another key as well: both are deletions.
CREATE TABLE late_pk (id int NOT NULL, p int NOT NULL) PARTITION BY LIST (p);
CREATE TABLE late_pk_0 PARTITION OF late_pk FOR VALUES IN (0);
CREATE TABLE late_pk_1 PARTITION OF late_pk FOR VALUES IN (1);
CREATE TABLE late_fk (x int DEFAULT 9);
CREATE INDEX ON late_fk (x);
SELECT advisor.add_global_unique('late_pk', 'id');
SELECT advisor.add_global_foreign_key('late_fk', 'x', 'late_pk', 'id', on_update => 'set null', initially_deferred => true);
INSERT INTO late_pk VALUES (1, 0);
INSERT INTO late_fk VALUES (1);
BEGIN;
UPDATE late_pk SET p = 1 WHERE id = 1;
DELETE FROM late_pk WHERE id = 1;
COMMIT;
BEGIN;
UPDATE late_pk SET p = 1, id = 2 WHERE id = 1;
SET CONSTRAINTS ALL IMMEDIATE;
ROLLBACK;
UPDATE late_pk SET p = 1 WHERE id = 1;
UPDATE late_pk SET id = 2 WHERE id = 1;
SELECT tableoid::regclass, * FROM late_pk;
SELECT * FROM late_fk;

-- A row that references itself, and was written before by the same transaction, gets another key.
CREATE TABLE ring (id int NOT NULL, p int NOT NULL, parent int) PARTITION BY LIST (p);
CREATE TABLE ring_0 PARTITION OF ring FOR VALUES IN (0);
CREATE INDEX ON ring (parent);
SELECT advisor.add_global_unique('ring', 'id');
SELECT advisor.add_global_foreign_key('ring', 'parent', 'ring', 'id', on_update => 'cascade');
INSERT INTO ring VALUES (1, 0);
BEGIN;
UPDATE ring SET parent = 1;
UPDATE ring SET id = 2;
SELECT * FROM ring;
COMMIT;
SELECT advisor.drop_constraint('ring', 'ring_parent_fkey');
SELECT advisor.add_global_foreign_key('ring', 'parent', 'ring', 'id');
BEGIN;
UPDATE ring SET parent = 2;
UPDATE ring SET id = 3;
ROLLBACK;

-- A key in another form is the same key: nobody has to wait who wants the referencing table to himself.
CREATE TABLE form_pk (id numeric NOT NULL, p int NOT NULL) PARTITION BY LIST (p);
CREATE TABLE form_pk_0 PARTITION OF form_pk FOR VALUES IN (0);
CREATE TABLE form_fk (x numeric);
CREATE INDEX ON form_fk (x);
SELECT advisor.add_global_unique('form_pk', 'id');
SELECT advisor.add_global_foreign_key('form_fk', 'x', 'form_pk', 'id');
INSERT INTO form_pk VALUES (1, 0), (2, 0);
INSERT INTO form_fk VALUES (1);
BEGIN;
UPDATE form_pk SET id = 1.0 WHERE id = 1;
SELECT count(*) FROM pg_locks WHERE relation = 'form_fk'::regclass AND pid = pg_backend_pid();
UPDATE form_pk SET id = 3 WHERE id = 2;
SELECT mode FROM pg_locks WHERE relation = 'form_fk'::regclass AND pid = pg_backend_pid();
ROLLBACK;

SET client_min_messages = warning;
DROP SCHEMA cascades CASCADE;
