-- Foreign keys whose tables are detached, attached, truncated and dropped; SET CONSTRAINTS.
CREATE SCHEMA gfp;
SET search_path = gfp;
CREATE TABLE pk (id int NOT NULL, p int NOT NULL) PARTITION BY LIST (p);
CREATE TABLE pk_0 PARTITION OF pk FOR VALUES IN (0);
CREATE TABLE pk_1 PARTITION OF pk FOR VALUES IN (1) PARTITION BY RANGE (id);
CREATE TABLE pk_1_a PARTITION OF pk_1 DEFAULT;
CREATE TABLE fk (r int, x int) PARTITION BY LIST (r);
CREATE TABLE fk_1 PARTITION OF fk FOR VALUES IN (1) PARTITION BY RANGE (x);
CREATE TABLE fk_1_a PARTITION OF fk_1 DEFAULT;
CREATE TABLE fk_2 PARTITION OF fk FOR VALUES IN (2);
CREATE INDEX ON fk (x);
SELECT advisor.add_global_unique('pk', 'id');
SELECT advisor.add_global_foreign_key('fk', 'x', 'pk', 'id', 'fk_ref', on_delete => 'cascade');
INSERT INTO pk VALUES (1, 0), (2, 1), (3, 1);
INSERT INTO fk VALUES (1, 1), (2, 2);
CREATE VIEW triggers AS SELECT tgrelid::regclass, tgname, tgparentid <> 0 AS clone
FROM pg_trigger WHERE tgconstrrelid <> 0 AND NOT tgisinternal;

-- Referenced: what leaves keeps nothing, and may come back.
ALTER TABLE pk DETACH PARTITION pk_1;
DELETE FROM fk WHERE x = 2;
ALTER TABLE pk DETACH PARTITION pk_1;
SELECT * FROM triggers WHERE tgrelid::text ~ 'pk_1' ORDER BY 1, 2;
DELETE FROM pk_1 WHERE id = 3;
INSERT INTO fk VALUES (2, 2);
ALTER TABLE pk ATTACH PARTITION pk_1 FOR VALUES IN (1);
INSERT INTO fk VALUES (2, 2);
SELECT * FROM triggers WHERE tgrelid::text ~ 'pk_1' ORDER BY 1, 2;
DELETE FROM pk_1_a WHERE id = 2;
SELECT * FROM fk ORDER BY 1, 2;
BEGIN;
ALTER TABLE pk DETACH PARTITION pk_1;
ALTER TABLE pk ATTACH PARTITION pk_1 FOR VALUES IN (1);
COMMIT;

-- Referencing: what leaves keeps the key as its own, and gives it up for the same one.
ALTER TABLE fk DETACH PARTITION fk_1;
SELECT relation, constraint_name, validated, healthy, definition FROM advisor.global_constraints
WHERE kind = 'foreign key' AND relation ~ '^gfp' ORDER BY 1;
INSERT INTO fk_1_a VALUES (1, 99);
\echo :LAST_ERROR_SQLSTATE
INSERT INTO pk VALUES (4, 0);
INSERT INTO fk_1 VALUES (1, 4);
DELETE FROM pk WHERE id = 1;
SELECT * FROM fk_1;
ALTER TABLE fk ATTACH PARTITION fk_1 FOR VALUES IN (1);
SELECT relation, constraint_name, validated, healthy FROM advisor.global_constraints
WHERE kind = 'foreign key' AND relation ~ '^gfp' ORDER BY 1;
DELETE FROM pk WHERE id = 4;
SELECT * FROM fk;
BEGIN;
ALTER TABLE fk DETACH PARTITION fk_1;
ALTER TABLE fk ATTACH PARTITION fk_1 FOR VALUES IN (1);
COMMIT;
ALTER TABLE fk DETACH PARTITION fk_1;
SELECT advisor.drop_constraint('fk_1', 'fk_ref');
INSERT INTO fk_1 VALUES (1, 99);
ALTER TABLE fk ATTACH PARTITION fk_1 FOR VALUES IN (1);
\echo :LAST_ERROR_SQLSTATE
DELETE FROM fk_1;
ALTER TABLE fk ATTACH PARTITION fk_1 FOR VALUES IN (1);
SELECT count(*) FROM triggers;
-- Renamed meanwhile, it is the same key still.
ALTER TABLE fk DETACH PARTITION fk_1;
SELECT advisor.rename_constraint('fk_1', 'fk_ref', 'was_fk_ref');
ALTER TABLE fk ATTACH PARTITION fk_1 FOR VALUES IN (1);
SELECT relation, constraint_name FROM advisor.global_constraints WHERE kind = 'foreign key' AND relation ~ '^gfp' ORDER BY 1;
SELECT count(*) FROM triggers;

-- In two transactions: it is asked before the first one.
INSERT INTO pk VALUES (1, 0);
INSERT INTO fk VALUES (1, 1);
ALTER TABLE pk DETACH PARTITION pk_0 CONCURRENTLY;
SELECT inhrelid::regclass, inhdetachpending FROM pg_inherits WHERE inhparent = 'pk'::regclass ORDER BY 1;
ALTER TABLE fk ADD COLUMN more int;
DELETE FROM fk;
ALTER TABLE pk DETACH PARTITION pk_0 CONCURRENTLY;
INSERT INTO fk VALUES (1, 1);
SELECT * FROM triggers WHERE tgrelid = 'pk_0'::regclass;
ALTER TABLE fk DETACH PARTITION fk_2 CONCURRENTLY;
SELECT relation, validated FROM advisor.global_constraints WHERE kind = 'foreign key' AND relation ~ '^gfp' ORDER BY 1;
SELECT advisor.validate_constraint('fk_2', 'fk_ref');
ALTER TABLE fk ATTACH PARTITION fk_2 FOR VALUES IN (2);
ALTER TABLE pk ATTACH PARTITION pk_0 FOR VALUES IN (0);
-- Somebody else's table
CREATE ROLE gfp_nobody;
GRANT USAGE ON SCHEMA gfp TO gfp_nobody;
SET ROLE gfp_nobody;
ALTER TABLE pk DETACH PARTITION pk_0 CONCURRENTLY;
ALTER TABLE fk DETACH PARTITION fk_2;
RESET ROLE;

-- TRUNCATE: together, or by CASCADE
INSERT INTO fk VALUES (1, 1);
TRUNCATE pk;
TRUNCATE fk;
TRUNCATE pk;
\echo :LAST_ERROR_SQLSTATE
TRUNCATE pk_0;
TRUNCATE pk, fk_1;
BEGIN;
TRUNCATE fk;
TRUNCATE pk;
ROLLBACK;
DO 'BEGIN TRUNCATE fk; TRUNCATE fk, pk; END';
TRUNCATE pk, fk;
INSERT INTO pk VALUES (1, 0), (2, 1);
INSERT INTO fk VALUES (1, 1), (2, 2);
CREATE TABLE below (y int);
CREATE UNIQUE INDEX ON fk_1_a (x);
CREATE UNIQUE INDEX ON fk_2 (x);
SELECT advisor.add_global_unique('fk', 'x');
SELECT advisor.add_global_foreign_key('below', 'y', 'fk', 'x');
INSERT INTO below VALUES (2);
GRANT TRUNCATE ON pk TO gfp_nobody;
GRANT TRUNCATE ON pk_0 TO gfp_nobody;
SET ROLE gfp_nobody;
TRUNCATE pk_0 CASCADE;
RESET ROLE;
DO 'BEGIN TRUNCATE pk CASCADE; END';
SELECT (SELECT count(*) FROM pk), (SELECT count(*) FROM fk), (SELECT count(*) FROM below);
TRUNCATE pk_0 CASCADE;
SELECT (SELECT count(*) FROM pk), (SELECT count(*) FROM fk), (SELECT count(*) FROM below);
TRUNCATE pk CASCADE;
-- A trigger's own TRUNCATE is not the client's.
CREATE TABLE other (o int);
INSERT INTO fk SELECT 1, 1 WHERE false;
CREATE FUNCTION truncate_pk() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN TRUNCATE pk; RETURN NULL; END';
CREATE TRIGGER t AFTER TRUNCATE ON other EXECUTE FUNCTION truncate_pk();
TRUNCATE other CASCADE;
\echo :LAST_ERROR_SQLSTATE
DROP TABLE other, below;
SELECT advisor.drop_constraint('fk', 'fk_x_key');

-- Triggers made by hand act on nobody else's table.
INSERT INTO pk VALUES (1, 0);
INSERT INTO fk VALUES (1, 1);
GRANT CREATE ON SCHEMA gfp TO gfp_nobody;
GRANT TRIGGER, REFERENCES ON fk TO gfp_nobody;
SELECT split_part(encode(tgargs, 'escape'), E'\\000', 1) AS token FROM pg_trigger
WHERE tgrelid = 'fk'::regclass AND tgname = 'fk_ref' \gset
SET ROLE gfp_nobody;
CREATE TABLE bait (id int NOT NULL);
INSERT INTO bait VALUES (1);
CREATE CONSTRAINT TRIGGER b AFTER DELETE OR UPDATE ON bait FROM fk FOR EACH ROW WHEN (OLD.id IS DISTINCT FROM NULL)
  EXECUTE FUNCTION advisor.check_global_reference(:'token', 'simple', 'cascade', 'no action');
CREATE TRIGGER bt AFTER TRUNCATE ON bait EXECUTE FUNCTION advisor.check_global_truncation(:'token');
RESET ROLE;
DELETE FROM bait;
TRUNCATE bait CASCADE;
SELECT * FROM fk;
DROP TABLE bait;
TRUNCATE pk, fk;

-- A table that goes with rows that are referenced
CREATE TABLE tree (id int NOT NULL);
CREATE TABLE branch () INHERITS (tree);
CREATE TABLE leaf (t int);
SELECT advisor.add_global_unique('tree', 'id');
SELECT advisor.add_global_foreign_key('leaf', 't', 'tree', 'id');
INSERT INTO branch VALUES (2);
INSERT INTO leaf VALUES (2);
DROP TABLE branch;
DROP TABLE branch CASCADE;
\echo :LAST_ERROR_SQLSTATE
DELETE FROM leaf;
DROP TABLE branch CASCADE;
DROP TABLE leaf, tree;

-- SET CONSTRAINTS by one name, wherever the tables are
SELECT advisor.drop_constraint('fk', 'fk_ref');
CREATE SCHEMA gfp_other;
ALTER TABLE pk_1_a SET SCHEMA gfp_other;
ALTER TABLE fk_2 SET SCHEMA gfp_other;
CREATE TABLE gfp_other.outer_fk (x int);
CREATE INDEX ON gfp_other.outer_fk (x);
SELECT advisor.add_global_foreign_key('gfp_other.outer_fk', 'x', 'pk', 'id', 'outer_ref', is_deferrable => true);
SELECT advisor.add_global_foreign_key('fk', 'x', 'pk', 'id', 'fk_ref', on_delete => 'cascade', is_deferrable => true);
CREATE TABLE nodes (id int NOT NULL, parent int, p int) PARTITION BY LIST (p);
CREATE TABLE nodes_0 PARTITION OF nodes FOR VALUES IN (0);
CREATE TABLE nodes_1 PARTITION OF nodes FOR VALUES IN (1);
CREATE INDEX ON nodes (parent);
SELECT advisor.add_global_unique('nodes', 'id');
SELECT advisor.add_global_foreign_key('nodes', 'parent', 'nodes', 'id', 'nodes_ref', is_deferrable => true);
CREATE TABLE gfp_other.nodes_2 PARTITION OF nodes FOR VALUES IN (2);
BEGIN;
SET CONSTRAINTS gfp_other.outer_ref, fk_ref, nodes_ref DEFERRED;
INSERT INTO gfp_other.outer_fk VALUES (1), (2);
INSERT INTO fk VALUES (1, 1), (2, 2);
INSERT INTO nodes VALUES (1, 2, 0), (2, 1, 1), (3, 4, 2);
INSERT INTO pk VALUES (1, 0), (2, 1);
INSERT INTO nodes VALUES (4, 3, 0);
SET CONSTRAINTS gfp_other.outer_ref, fk_ref, nodes_ref IMMEDIATE;
SET CONSTRAINTS gfp_other.outer_ref, nodes_ref DEFERRED;
DELETE FROM pk WHERE id = 2;
DELETE FROM nodes WHERE id IN (2, 3);
SELECT * FROM fk ORDER BY 1, 2;
INSERT INTO pk VALUES (2, 0);
INSERT INTO nodes VALUES (2, 1, 0), (3, 4, 0);
COMMIT;
BEGIN;
SET CONSTRAINTS gfp_other.outer_ref DEFERRED;
DELETE FROM pk WHERE id = 2;
SET CONSTRAINTS gfp_other.outer_ref IMMEDIATE;
ROLLBACK;
DROP SCHEMA gfp, gfp_other CASCADE;
DROP OWNED BY gfp_nobody;
DROP ROLE gfp_nobody;
SELECT count(*) FROM advisor.global_constraint_registry;
