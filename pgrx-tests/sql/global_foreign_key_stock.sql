-- Items, warehouses, stock: the sample of the documentation. With native keys there is nothing to add; with items
-- partitioned by time, where item_id is unique across partitions only globally, ours does it.
CREATE SCHEMA stock_example;
SET search_path = stock_example;
SET client_min_messages = notice;

-- Hash partitions on both sides: the key contains the partition key.
CREATE TABLE items (item_id bigint PRIMARY KEY, name text NOT NULL) PARTITION BY HASH (item_id);
CREATE TABLE items_0 PARTITION OF items FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE items_1 PARTITION OF items FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE warehouses (warehouse_id int PRIMARY KEY, city text NOT NULL) PARTITION BY HASH (warehouse_id);
CREATE TABLE warehouses_0 PARTITION OF warehouses FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE warehouses_1 PARTITION OF warehouses FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE stock (
    warehouse_id int NOT NULL REFERENCES warehouses, item_id bigint NOT NULL REFERENCES items, quantity int NOT NULL,
    PRIMARY KEY (warehouse_id, item_id)
) PARTITION BY HASH (warehouse_id);
CREATE TABLE stock_0 PARTITION OF stock FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE stock_1 PARTITION OF stock FOR VALUES WITH (MODULUS 2, REMAINDER 1);
-- Refused, with the native statement.
SELECT advisor.add_global_unique('items', 'item_id');
SELECT advisor.add_global_foreign_key('stock', 'item_id', 'items', 'item_id');
SELECT advisor.add_global_foreign_key('stock', 'warehouse_id', 'warehouses', 'warehouse_id');
SELECT count(*) AS native_foreign_keys FROM pg_constraint WHERE contype = 'f' AND conrelid = 'stock'::regclass AND conparentid = 0;
SELECT count(*) AS global FROM advisor.global_constraints WHERE relation LIKE 'stock_example.%';

-- Items by time. No native key can be on item_id alone, and so none can be referenced.
DROP TABLE stock, items CASCADE;
CREATE TABLE items (
    item_id bigint NOT NULL, added date NOT NULL, name text NOT NULL, PRIMARY KEY (item_id, added)
) PARTITION BY RANGE (added);
CREATE TABLE items_2025 PARTITION OF items FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE items_2026 PARTITION OF items FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE stock (
    warehouse_id int NOT NULL REFERENCES warehouses, item_id bigint NOT NULL, quantity int NOT NULL,
    PRIMARY KEY (warehouse_id, item_id)
) PARTITION BY HASH (warehouse_id);
CREATE TABLE stock_0 PARTITION OF stock FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE stock_1 PARTITION OF stock FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO warehouses VALUES (1, 'Graz'), (2, 'Linz');
INSERT INTO items VALUES (10, '2025-03-01', 'anvil'), (20, '2026-03-01', 'rope');
INSERT INTO stock VALUES (1, 10, 5), (2, 10, 1), (2, 20, 7);
\set ON_ERROR_STOP 0
ALTER TABLE stock ADD FOREIGN KEY (item_id) REFERENCES items (item_id);
-- Nor ours, before the key is unique.
SELECT advisor.add_global_foreign_key('stock', 'item_id', 'items', 'item_id');
SELECT advisor.add_global_unique('items', 'item_id');
-- With the advice that item_id of stock has no index: its primary key begins with warehouse_id.
SELECT advisor.add_global_foreign_key('stock', 'item_id', 'items', 'item_id');
SELECT relation, constraint_name, kind, columns, referenced, on_delete, validated, partitions, healthy, problems
FROM advisor.global_constraints WHERE relation LIKE 'stock_example.%' ORDER BY 1, 2;

INSERT INTO stock VALUES (1, 20, 3);
INSERT INTO stock VALUES (1, 30, 3);
UPDATE stock SET item_id = 30 WHERE (warehouse_id, item_id) = (2, 20);
DELETE FROM items;
DELETE FROM items WHERE item_id = 10;
DELETE FROM items_2025;
UPDATE items SET item_id = 11 WHERE item_id = 10;
-- To move an item to another year is none of the foreign key's business.
UPDATE items SET added = '2026-06-01' WHERE item_id = 10;
SELECT tableoid::regclass, * FROM items ORDER BY item_id;
TRUNCATE items;
TRUNCATE items_2026;
TRUNCATE items, stock;
INSERT INTO items VALUES (10, '2025-03-01', 'anvil'), (20, '2026-03-01', 'rope');
INSERT INTO stock VALUES (1, 10, 5), (2, 20, 7);
ALTER TABLE items DETACH PARTITION items_2026;
DROP TABLE items_2026;
DELETE FROM stock WHERE item_id = 20;
ALTER TABLE items DETACH PARTITION items_2026;
SELECT advisor.drop_constraint('items', 'items_item_id_key');
DROP SCHEMA stock_example CASCADE;
