-- Indexes of every shape behind a global unique: what leads with the key serves, whatever stands behind it.
CREATE SCHEMA shapes;
SET search_path = shapes;
\set VERBOSITY terse

-- Columns behind the key that are NULL.
CREATE TABLE m (id int, d text, c text);
CREATE TABLE m0 () INHERITS (m);
CREATE TABLE m1 () INHERITS (m);
CREATE TABLE m2 () INHERITS (m);
CREATE UNIQUE INDEX ON m0 (id) INCLUDE (c);
CREATE INDEX ON m1 (id, c);
CREATE UNIQUE INDEX ON m2 (id NULLS FIRST);
SELECT advisor.add_global_unique('m', 'id');
INSERT INTO m0 SELECT g, 'x', NULL FROM generate_series(1, 100) g;
INSERT INTO m1 SELECT g, 'x', NULL FROM generate_series(101, 200) g;
INSERT INTO m2 SELECT g, 'x', NULL FROM generate_series(201, 300) g;
INSERT INTO m2 VALUES (50, 'x', 'x');
INSERT INTO m0 VALUES (150, 'x', 'x');
INSERT INTO m1 VALUES (150, 'x', 'x');
INSERT INTO m0 VALUES (250, 'x', 'x');
INSERT INTO m2 VALUES (1000, 'x', NULL), (71, 'x', NULL), (72, 'x', NULL);
INSERT INTO m0 VALUES (1000, 'x', NULL), (171, 'x', NULL), (172, 'x', NULL);
-- NULLs are distinct.
INSERT INTO m0 SELECT NULL FROM generate_series(1, 500);
INSERT INTO m1 SELECT NULL FROM generate_series(1, 500);
INSERT INTO m2 SELECT NULL FROM generate_series(1, 500);
INSERT INTO m2 VALUES (51), (52), (53);
SELECT id, count(*) FROM m WHERE id IS NOT NULL GROUP BY id HAVING count(*) > 1;

-- Rows that were there before, with NULLs among them: no partition is left out that may hold the key.
CREATE TABLE many (id bigint, c text);
SELECT format('CREATE TABLE many%s (UNIQUE (id)) INHERITS (many)', i) FROM generate_series(0, 9) i \gexec
INSERT INTO many1 SELECT g * 1000000::bigint FROM generate_series(1, 50) g;
INSERT INTO many1 SELECT NULL FROM generate_series(1, 50);
SELECT advisor.add_global_unique('many', 'id');
INSERT INTO many2 VALUES (50000000);
INSERT INTO many2 VALUES (25000000);
INSERT INTO many2 VALUES (50000001);
INSERT INTO many3 VALUES (50000001);

-- Composite keys, in an index with more columns, and NULL in either.
CREATE TABLE pair (a int, b text, c int);
CREATE TABLE pair0 () INHERITS (pair);
CREATE TABLE pair1 () INHERITS (pair);
CREATE INDEX ON pair0 (a, b, c);
CREATE UNIQUE INDEX ON pair1 (a, b) INCLUDE (c);
SELECT advisor.add_global_unique('pair', ARRAY['a', 'b']);
INSERT INTO pair0 VALUES (1, 'x', NULL), (1, 'y', NULL), (2, NULL, NULL), (NULL, 'x', 1);
INSERT INTO pair1 VALUES (2, NULL, NULL), (NULL, 'x', 1);
INSERT INTO pair1 VALUES (1, 'y', 7);
INSERT INTO pair0 VALUES (1, 'x', 8);
INSERT INTO pair1 SELECT 1, 'z' || g FROM generate_series(1, 1000) g;
INSERT INTO pair0 SELECT 1, 'z' || g FROM generate_series(1000, 2000) g;

-- A member whose index went away is read as a whole; the view says so.
DROP INDEX pair0_a_b_c_idx;
SELECT healthy, problems FROM advisor.global_constraints WHERE constraint_name = 'pair_a_b_key';
INSERT INTO pair1 VALUES (1, 'x', 8);
INSERT INTO pair1 VALUES (5, 'x', 8);
SELECT action FROM advisor.repair_constraints('pair');
INSERT INTO pair1 VALUES (1, 'x', 8);

\set VERBOSITY default
SET client_min_messages = warning;
DROP SCHEMA shapes CASCADE;
