-- Foreign keys to and from sets of partitions.
CREATE SCHEMA gf;
SET search_path = gf;
-- What items, warehouses and stock become when items are partitioned by time.
CREATE TABLE items (item_id bigint NOT NULL, added date NOT NULL, title text, PRIMARY KEY (item_id, added))
  PARTITION BY RANGE (added);
CREATE TABLE items_2024 PARTITION OF items FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE items_2025 PARTITION OF items FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE warehouses (w_id int PRIMARY KEY);
CREATE TABLE stock (w_id int REFERENCES warehouses, item bigint, quantity int, PRIMARY KEY (w_id, item)) PARTITION BY HASH (w_id);
CREATE TABLE stock_0 PARTITION OF stock FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE stock_1 PARTITION OF stock FOR VALUES WITH (MODULUS 2, REMAINDER 1);
SELECT advisor.add_global_foreign_key('stock', 'item', 'items', 'item_id');
\echo :LAST_ERROR_SQLSTATE
SELECT advisor.add_global_unique('items', 'item_id');
SELECT advisor.add_global_foreign_key('stock', 'item', 'items', 'item_id');
CREATE INDEX ON stock (item);
INSERT INTO items SELECT g, date '2024-06-01' + g, 'item ' || g FROM generate_series(1, 400) g;
INSERT INTO warehouses VALUES (1), (2), (3);
INSERT INTO stock VALUES (1, 1, 10), (1, 300, 20), (2, 1, 30);
INSERT INTO stock VALUES (3, 401, 1);
\echo :LAST_ERROR_SQLSTATE
INSERT INTO stock SELECT 3, g, 1 FROM generate_series(395, 405) g;
DELETE FROM items;
DELETE FROM items WHERE item_id = 300;
UPDATE items SET item_id = 1300 WHERE item_id = 300;
TRUNCATE items_2025;
DROP TABLE items_2025;
ALTER TABLE items DETACH PARTITION items_2025;
-- A row that moves is where it was, for those who reference it.
UPDATE items SET added = '2024-02-02' WHERE item_id = 300;
SELECT tableoid::regclass, item_id FROM items WHERE item_id IN (1, 300) ORDER BY 2;
\x
SELECT * FROM advisor.global_constraints WHERE kind = 'foreign key';
\x
-- The fields of the errors
CREATE FUNCTION told(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE s text; c text; t text; n text;
BEGIN
  EXECUTE statement;
  RETURN 'nothing';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS s = SCHEMA_NAME, c = CONSTRAINT_NAME, t = TABLE_NAME, n = RETURNED_SQLSTATE;
  RETURN concat_ws(' ', n, s, t, c);
END $$;
SELECT told('INSERT INTO stock VALUES (3, 401, 1)'), told('DELETE FROM items WHERE item_id = 1');
-- No right to the referenced table is needed, and nobody learns what he may not read.
CREATE ROLE gf_writer;
GRANT USAGE ON SCHEMA gf TO gf_writer;
GRANT INSERT ON stock TO gf_writer;
GRANT DELETE ON items TO gf_writer;
GRANT SELECT (added) ON items TO gf_writer;
SET ROLE gf_writer;
INSERT INTO stock VALUES (2, 2, 1);
INSERT INTO stock VALUES (2, 1000, 1);
DELETE FROM items WHERE added = '2024-06-02';
CREATE TEMP TABLE items (item_id bigint);
INSERT INTO gf.stock VALUES (2, 3, 1);
RESET ROLE;
DROP TABLE pg_temp.items;
-- Where PostgreSQL does it itself
CREATE TABLE native (w int);
SELECT advisor.add_global_foreign_key('native', 'w', 'warehouses', 'w_id', on_delete => 'set null', match_type => 'full', is_deferrable => true);
\echo :LAST_ERROR_SQLSTATE
-- What is wrong
SELECT advisor.add_global_foreign_key('native', 'w', 'items', 'nothing');
SELECT advisor.add_global_foreign_key('native', 'w', 'items', 'title');
SELECT advisor.add_global_foreign_key('native', 'w', 'items', '{item_id,added}'::name[]);
SELECT advisor.add_global_foreign_key('native', 'w', 'items', 'item_id', on_delete => 'vanish');
SELECT advisor.add_global_foreign_key('native', 'w', 'items', 'item_id', match_type => 'partial');
SELECT advisor.add_global_foreign_key('native', 'w', 'items', 'item_id', on_delete => 'set null (x)');
SELECT advisor.add_global_foreign_key('native', 'w', 'items', 'item_id', on_update => 'set null (w)');
SELECT advisor.add_global_foreign_key(NULL, 'w', 'items', 'item_id');
CREATE TABLE texts (t text);
SELECT advisor.add_global_foreign_key('texts', 't', 'items', 'item_id');
\echo :LAST_ERROR_SQLSTATE
CREATE TEMP TABLE passing (i bigint);
SELECT advisor.add_global_foreign_key('passing', 'i', 'items', 'item_id');
SET ROLE gf_writer;
SELECT advisor.add_global_foreign_key('gf.native', 'w', 'gf.items', 'item_id');
RESET ROLE;
ALTER TABLE items_2024 SET UNLOGGED;
-- A unique that is needed
SELECT advisor.drop_constraint('items', 'items_item_id_key');
SELECT advisor.drop_constraint('items', 'items_item_id_key', cascade => true);
SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal AND tgrelid::regclass::text ~ '^(items|stock)';
DROP TABLE stock, items, native, texts, warehouses;

-- Inheritance trees on both sides, and every action
CREATE TABLE pk (id int, note text);
CREATE TABLE pk_a () INHERITS (pk);
CREATE TABLE pk_b () INHERITS (pk);
SELECT advisor.add_global_unique('pk', 'id');
CREATE TABLE fk (n int, r int DEFAULT 0, s int);
CREATE TABLE fk_a () INHERITS (fk);
CREATE INDEX ON fk (r);
CREATE INDEX ON fk_a (r);
CREATE FUNCTION try_actions(on_delete text, on_update text) RETURNS TABLE (after text, n int, r int) LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM fk; DELETE FROM pk;
  PERFORM advisor.add_global_foreign_key('fk', 'r', 'pk', 'id', 'try', on_delete => try_actions.on_delete, on_update => try_actions.on_update);
  INSERT INTO pk VALUES (0); INSERT INTO pk_a VALUES (1); INSERT INTO pk_b VALUES (2), (3);
  INSERT INTO fk VALUES (1, 1), (2, 2); INSERT INTO fk_a VALUES (3, 1), (4, 3), (5, NULL);
  BEGIN
    DELETE FROM pk WHERE id = 1;
    RETURN QUERY SELECT 'delete', f.n, f.r FROM fk f ORDER BY 2;
  EXCEPTION WHEN foreign_key_violation OR restrict_violation THEN
    RETURN QUERY SELECT 'delete: ' || SQLERRM, NULL::int, NULL::int;
  END;
  BEGIN
    UPDATE pk SET id = 30 WHERE id = 3;
    RETURN QUERY SELECT 'update', f.n, f.r FROM fk f ORDER BY 2;
  EXCEPTION WHEN foreign_key_violation OR restrict_violation THEN
    RETURN QUERY SELECT 'update: ' || SQLERRM, NULL::int, NULL::int;
  END;
  PERFORM advisor.drop_constraint('fk', 'try');
END $$;
SELECT * FROM try_actions('no action', 'restrict');
SELECT * FROM try_actions('cascade', 'cascade');
SELECT * FROM try_actions('set null', 'set null');
SELECT * FROM try_actions('set default', 'set default');
-- The default has gone as well.
DELETE FROM fk; DELETE FROM pk;
SELECT advisor.add_global_foreign_key('fk', 'r', 'pk', 'id', on_delete => 'set default');
INSERT INTO pk_a VALUES (0), (1);
INSERT INTO fk VALUES (1, 0), (2, 1);
DELETE FROM pk WHERE id IN (0, 1);
DELETE FROM pk WHERE id = 1;
SELECT * FROM fk ORDER BY 1;
SELECT advisor.drop_constraint('fk', 'fk_r_fkey');

-- Deferred; MATCH FULL; a list of columns; types of one family; a key that references itself
SELECT advisor.add_global_foreign_key('fk', 'r', 'pk', 'id', is_deferrable => true);
BEGIN;
SET CONSTRAINTS fk_r_fkey DEFERRED;
INSERT INTO fk_a VALUES (9, 9);
DELETE FROM pk WHERE id = 0;
INSERT INTO pk_b VALUES (9), (0);
COMMIT;
BEGIN;
SET CONSTRAINTS ALL DEFERRED;
INSERT INTO fk_a VALUES (8, 8);
SAVEPOINT s;
SET CONSTRAINTS ALL IMMEDIATE;
ROLLBACK TO s;
DELETE FROM fk WHERE n = 8;
COMMIT;
SELECT * FROM fk ORDER BY 1;
CREATE TABLE pairs (a smallint NOT NULL, b text NOT NULL, day date NOT NULL) PARTITION BY RANGE (day);
CREATE TABLE pairs_1 PARTITION OF pairs FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE pairs_2 PARTITION OF pairs DEFAULT;
SELECT advisor.add_global_unique('pairs', ARRAY['a', 'b']);
INSERT INTO pairs VALUES (1, 'x', '2024-01-01'), (2, 'y', '2025-01-01');
CREATE TABLE refers (k bigint, l varchar(9), kept int);
CREATE INDEX ON refers (k, l);
SELECT advisor.add_global_foreign_key('refers', ARRAY['l', 'k'], 'pairs', ARRAY['b', 'a'], match_type => 'full', on_delete => 'set null');
INSERT INTO refers VALUES (1, 'x', 1), (2, 'y', 2), (NULL, NULL, 3);
INSERT INTO refers VALUES (1, NULL, 4);
INSERT INTO refers VALUES (70000, 'x', 4);
INSERT INTO refers SELECT 1 + g % 3, 'x', g FROM generate_series(1, 5) g;
DELETE FROM pairs WHERE a = 2;
SELECT * FROM refers ORDER BY kept;
SELECT advisor.drop_constraint('refers', 'refers_l_k_fkey');
SELECT advisor.add_global_foreign_key('refers', ARRAY['k', 'l'], 'pairs', ARRAY['a', 'b'], on_delete => 'set null (l)');
DELETE FROM pairs;
SELECT * FROM refers ORDER BY kept;
CREATE TABLE nodes (id int NOT NULL, parent int, p int NOT NULL) PARTITION BY LIST (p);
CREATE TABLE nodes_0 PARTITION OF nodes FOR VALUES IN (0);
CREATE TABLE nodes_1 PARTITION OF nodes FOR VALUES IN (1);
CREATE INDEX ON nodes (parent);
SELECT advisor.add_global_unique('nodes', 'id');
SELECT advisor.add_global_foreign_key('nodes', 'parent', 'nodes', 'id', on_delete => 'cascade', on_update => 'cascade');
INSERT INTO nodes VALUES (1, 2, 0), (2, 1, 1), (3, 1, 1), (4, 3, 0);
INSERT INTO nodes VALUES (5, 6, 0);
UPDATE nodes SET id = 30 WHERE id = 3;
UPDATE nodes SET p = 1 - p;
UPDATE nodes SET p = 1 - p, id = 31 WHERE id = 30;
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM nodes ORDER BY id;
DELETE FROM nodes WHERE id = 30;
SELECT * FROM nodes ORDER BY id;
TRUNCATE nodes;

-- Tables come and go.
CREATE TABLE fk_b () INHERITS (fk);
CREATE TABLE fk_c (LIKE fk);
INSERT INTO fk_c VALUES (1, 77);
ALTER TABLE fk_c INHERIT fk;
\echo :LAST_ERROR_SQLSTATE
TRUNCATE fk_c;
ALTER TABLE fk_c INHERIT fk;
INSERT INTO fk_b VALUES (1, 77);
INSERT INTO fk_c VALUES (1, 77);
CREATE TABLE pk_c () INHERITS (pk);
INSERT INTO pk_c VALUES (77);
INSERT INTO fk_b VALUES (1, 77);
ALTER TABLE pk_c NO INHERIT pk;
DELETE FROM fk_b;
ALTER TABLE pk_c NO INHERIT pk;
ALTER TABLE fk_c NO INHERIT fk;
SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgrelid IN ('pk_c'::regclass, 'fk_c'::regclass);
-- Names
ALTER TABLE pk RENAME id TO "Key";
ALTER TABLE pk RENAME TO "P k";
ALTER TABLE fk RENAME r TO "R";
ALTER TABLE fk RENAME CONSTRAINT fk_r_fkey TO renamed;
INSERT INTO fk_a VALUES (1, 55);
SELECT advisor.rename_constraint('fk', 'renamed', 'again');
INSERT INTO fk_a VALUES (1, 55);
DELETE FROM "P k" WHERE "Key" = 9;
COMMENT ON CONSTRAINT again ON fk IS 'known by its name';
SELECT relation, constraint_name, columns, referenced, referenced_columns, validated, definition FROM advisor.global_constraints
WHERE relation = 'gf.fk';
-- Hands
ALTER TABLE fk_a DISABLE TRIGGER again;
INSERT INTO fk_a VALUES (1, 55);
DROP TRIGGER again ON fk_b;
SELECT validated, healthy, problems FROM advisor.global_constraints WHERE relation = 'gf.fk';
SELECT * FROM advisor.repair_constraints('fk');
SELECT key, partition FROM advisor.violations('fk', 'again');
SELECT advisor.validate_constraint('fk', 'again');
DELETE FROM fk_a WHERE "R" = 55;
SELECT advisor.validate_constraint('fk', 'again');
CREATE INDEX ON fk_b ("R");
SELECT validated, healthy, problems FROM advisor.global_constraints WHERE relation = 'gf.fk';
SELECT * FROM advisor.repair_constraints('fk');
-- While the other side's do not fire, nothing is vouched for.
ALTER TABLE "P k" DISABLE TRIGGER ALL;
SELECT validated, healthy, split_part(problems, ' on ', 1) AS problem FROM advisor.global_constraints WHERE relation = 'gf.fk';
SELECT advisor.validate_constraint('fk', 'again');
ALTER TABLE "P k" ENABLE TRIGGER ALL;
SELECT advisor.validate_constraint('"P k"', 'pk_id_key');
SELECT advisor.validate_constraint('fk', 'again');
SELECT validated, healthy, problems FROM advisor.global_constraints WHERE relation = 'gf.fk';
-- As a replica nothing is checked, as natively.
SET session_replication_role = replica;
INSERT INTO fk_a VALUES (1, 55);
RESET session_replication_role;
DELETE FROM fk_a WHERE "R" = 55;
-- NOT VALID, and IF NOT EXISTS
SELECT advisor.drop_constraint('fk', 'again');
INSERT INTO fk_a VALUES (1, 55);
SELECT advisor.add_global_foreign_key('fk', 'R', '"P k"', 'Key');
SELECT advisor.add_global_foreign_key('fk', 'R', '"P k"', 'Key', not_valid => true);
SELECT advisor.add_global_foreign_key('fk', 'R', '"P k"', 'Key', if_not_exists => true);
INSERT INTO fk_a VALUES (1, 56);
UPDATE fk SET n = 2 WHERE "R" = 55;
SELECT key, partition FROM advisor.violations('fk', 'fk_R_fkey');
-- The end
DROP TABLE "P k";
DROP TABLE pk_b;
DROP TABLE pk_b CASCADE;
DELETE FROM fk;
DROP TABLE pk_b CASCADE;
DROP TABLE "P k" CASCADE;
DROP TABLE pairs CASCADE;
DROP TABLE nodes;
SELECT * FROM advisor.global_constraints;
SELECT count(*) FROM advisor.global_constraint_registry;
DROP SCHEMA gf CASCADE;
DROP ROLE gf_writer;
