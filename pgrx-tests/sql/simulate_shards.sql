-- Where Citus would put the rows. That the hashes are Citus' own was compared with a real Citus: docs/design.md.
CREATE SCHEMA shards;
SET search_path = shards, public;
CREATE TABLE events (tenant_id bigint, code text, day date, flag boolean, key uuid, doc json, at timestamptz)
  PARTITION BY RANGE (at);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE events_2 PARTITION OF events DEFAULT;
INSERT INTO events
SELECT i % 500, 'code ' || i, date '2024-01-01' + i % 700, i % 3 = 0, ('00000000-0000-0000-0000-' || lpad(i::text, 12, '0'))::uuid,
  '{}', timestamptz '2024-01-01 00:00Z' + i * interval '1 hour'
FROM generate_series(1, 20000) i;
ANALYZE events;

-- Partitions are counted with their table.
SELECT shard, hash_min, hash_max, rows, bytes > 0 AS bytes, share FROM advisor.simulate_shards('events', 'tenant_id', 4);
SELECT shard, rows FROM advisor.simulate_shards('events', 'code', 3);
SELECT shard, rows FROM advisor.simulate_shards('events', 'day', 3);
SELECT shard, rows FROM advisor.simulate_shards('events', 'flag', 3);
SELECT shard, rows FROM advisor.simulate_shards('events', 'key', 3);
SELECT shard, rows FROM advisor.simulate_shards('events', 'at', 3);
SELECT sum(rows) FROM advisor.simulate_shards('events_1', 'tenant_id');
SELECT count(*), min(hash_min), max(hash_max), sum(rows) FROM advisor.simulate_shards('events', 'tenant_id', 64000);

-- A sample is the same each time, and counted up.
SELECT sum(rows) FROM advisor.simulate_shards('events', 'tenant_id', sample_rows => 1000);
SELECT count(*) FROM (SELECT * FROM advisor.simulate_shards('events', 'tenant_id', 8, 1000)
  EXCEPT ALL SELECT * FROM advisor.simulate_shards('events', 'tenant_id', 8, 1000)) AS difference;

-- Rows without a value are on no shard.
INSERT INTO events (at) VALUES ('2024-01-01 00:00Z');
SELECT sum(rows), sum(share) FROM advisor.simulate_shards('events', 'tenant_id', 2);
CREATE TABLE empty (id int);
SELECT * FROM advisor.simulate_shards('empty', 'id', 2);

-- It reads only.
BEGIN READ ONLY;
SELECT count(*) FROM advisor.simulate_shards('events', 'day');
COMMIT;

-- What it refuses.
SELECT * FROM advisor.simulate_shards('events', 'tenant');
SELECT * FROM advisor.simulate_shards('events', 'ctid');
SELECT * FROM advisor.simulate_shards('events', 'doc');
SELECT * FROM advisor.simulate_shards('events', 'tenant_id', 0);
SELECT * FROM advisor.simulate_shards('events', 'tenant_id', 64001);
SELECT * FROM advisor.simulate_shards('events', 'tenant_id', sample_rows => 0);
SELECT * FROM advisor.simulate_shards(NULL, 'tenant_id');
SELECT * FROM advisor.simulate_shards('events', NULL);
SELECT count(*) FROM advisor.simulate_shards('events', 'day', NULL, NULL);
CREATE VIEW v AS SELECT * FROM events;
SELECT * FROM advisor.simulate_shards('v', 'tenant_id');
CREATE TABLE elements (j json[]);
SELECT * FROM advisor.simulate_shards('elements', 'j');

-- The caller's rights, and row security.
CREATE ROLE shards_reader;
GRANT USAGE ON SCHEMA shards, advisor TO shards_reader;
SET ROLE shards_reader;
SELECT * FROM advisor.simulate_shards('events', 'tenant_id', 2);
RESET ROLE;
GRANT SELECT ON events TO shards_reader;
ALTER TABLE events ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON events TO shards_reader USING (tenant_id < 5);
SET ROLE shards_reader;
SELECT sum(rows) FROM advisor.simulate_shards('events', 'tenant_id', 2);
RESET ROLE;
SET statement_timeout = '1ms';
\set VERBOSITY sqlstate
SELECT count(*) FROM advisor.simulate_shards('events', 'code');
\set VERBOSITY default
RESET statement_timeout;

SET client_min_messages = warning;
DROP SCHEMA shards CASCADE;
REVOKE ALL ON SCHEMA advisor FROM shards_reader;
DROP ROLE shards_reader;
