-- Classes of statements beside what EXPLAIN said of them on a real Citus (13.2.2, three nodes, the distribution below):
-- router: one task; many: several tasks, or several rounds (pushdown and fan-out of ours); repartition, unsupported: its error.
-- The statements are only explained here, so that pg_stat_statements has them.
CREATE EXTENSION pg_stat_statements;
CREATE SCHEMA w;
CREATE TABLE w.users(id bigint primary key, name text, merchant_id bigint, email text);
CREATE TABLE w.events(id bigint, user_id bigint not null, merchant_id bigint, ts timestamptz, amount numeric, primary key(user_id,id));
CREATE TABLE w.orders(id bigint, user_id bigint not null default 7, merchant_id bigint, total numeric, primary key(user_id,id));
CREATE TABLE w.devices(device_id bigint primary key, user_id bigint, label text);
CREATE TABLE w.merchants(id bigint primary key, name text);
CREATE TABLE w.kinds(id bigint primary key, name text);
CREATE TABLE w.audit(id bigint primary key, user_id bigint, note text);
CREATE TABLE w.conf(k text primary key, v text);
CREATE VIEW w.user_events AS SELECT e.*, u.name FROM w.events e JOIN w.users u ON u.id = e.user_id;
CREATE VIEW w.totals AS SELECT user_id, sum(amount) s FROM w.events GROUP BY user_id;

CREATE TABLE w.explained (citus text, statement text);
INSERT INTO w.explained VALUES
  ('router', 'SELECT * FROM w.users WHERE id = 5'),
  ('router', 'SELECT * FROM w.users WHERE id = 5 AND name = ''x'''),
  ('many', 'SELECT count(*) FROM w.events'),
  ('many', 'SELECT count(*) FROM w.events WHERE merchant_id = 4'),
  ('many', 'SELECT user_id, count(*) FROM w.events GROUP BY user_id'),
  ('many', 'SELECT merchant_id, count(*) FROM w.events GROUP BY merchant_id'),
  ('router', 'SELECT * FROM w.events e JOIN w.users u ON u.id = e.user_id WHERE u.id = 3'),
  ('router', 'SELECT * FROM w.events e JOIN w.users u ON u.id = e.user_id WHERE e.user_id = 3 AND u.name = ''a'''),
  ('many', 'SELECT * FROM w.events e, w.users u WHERE u.id = e.user_id'),
  ('router', 'SELECT * FROM w.events e, w.users u WHERE u.id = 3 AND e.user_id = 3'),
  ('repartition', 'SELECT * FROM w.events e JOIN w.orders o ON o.merchant_id = e.merchant_id'),
  ('router', 'SELECT * FROM w.events e JOIN w.orders o ON o.merchant_id = e.merchant_id WHERE e.user_id = 1 AND o.user_id = 1'),
  ('repartition', 'SELECT * FROM w.events e JOIN w.devices d ON d.device_id = e.merchant_id'),
  ('repartition', 'SELECT * FROM w.events e JOIN w.devices d ON d.user_id = e.user_id WHERE e.user_id = 3'),
  ('router', 'SELECT * FROM w.events e LEFT JOIN w.users u ON u.id = e.user_id WHERE e.user_id = 3'),
  ('router', 'SELECT * FROM w.events e LEFT JOIN w.users u ON u.id = e.user_id WHERE u.id = 3'),
  ('many', 'SELECT * FROM w.events e LEFT JOIN w.users u ON u.id = e.user_id AND u.id = 3'),
  ('unsupported', 'SELECT * FROM w.events e LEFT JOIN w.orders o ON o.merchant_id = e.merchant_id'),
  ('many', 'SELECT * FROM w.events e FULL JOIN w.users u ON u.id = e.user_id'),
  ('router', 'SELECT * FROM w.events e FULL JOIN w.users u ON u.id = e.user_id WHERE e.user_id = 3'),
  ('many', 'SELECT * FROM w.events e JOIN w.merchants m ON m.id = e.merchant_id'),
  ('router', 'SELECT * FROM w.events e JOIN w.merchants m ON m.id = e.merchant_id WHERE user_id = 3'),
  ('many', 'SELECT * FROM w.merchants m LEFT JOIN w.events e ON m.id = e.merchant_id'),
  ('router', 'SELECT * FROM w.merchants'),
  ('router', 'SELECT * FROM w.merchants m JOIN w.kinds k USING (id)'),
  ('local', 'SELECT * FROM w.audit'),
  ('router', 'SELECT * FROM w.audit JOIN w.merchants USING (id)'),
  ('many', 'SELECT * FROM w.audit a JOIN w.events e ON a.user_id = e.user_id'),
  ('many', 'SELECT * FROM w.audit a JOIN w.events e ON a.user_id = e.user_id WHERE e.user_id = 3'),
  ('unsupported', 'SELECT * FROM w.events, w.users'),
  ('many', 'SELECT * FROM w.events WHERE user_id IN (1, 2)'),
  ('router', 'SELECT * FROM w.events WHERE user_id IN (1)'),
  ('many', 'SELECT * FROM w.events WHERE user_id = 1 OR user_id = 2'),
  ('router', 'SELECT * FROM w.events WHERE user_id = 1 FOR UPDATE'),
  ('unsupported', 'SELECT * FROM w.events FOR UPDATE'),
  ('unsupported', 'SELECT user_id, merchant_id, count(*) FROM w.events GROUP BY ROLLUP (user_id, merchant_id)'),
  ('router', 'SELECT user_id, merchant_id, count(*) FROM w.events WHERE user_id = 3 GROUP BY ROLLUP (user_id, merchant_id)'),
  ('many', 'SELECT * FROM w.users u WHERE EXISTS (SELECT 1 FROM w.events e WHERE e.user_id = u.id)'),
  ('router', 'SELECT * FROM w.users u WHERE EXISTS (SELECT 1 FROM w.events e WHERE e.user_id = u.id) AND u.id = 4'),
  ('router', 'SELECT * FROM w.users u WHERE NOT EXISTS (SELECT 1 FROM w.events e WHERE e.user_id = u.id) AND u.id = 4'),
  ('many', 'SELECT * FROM w.users u WHERE NOT EXISTS (SELECT 1 FROM w.events e WHERE e.user_id = u.id)'),
  ('unsupported', 'SELECT * FROM w.users u WHERE EXISTS (SELECT 1 FROM w.events e WHERE e.merchant_id = u.merchant_id)'),
  ('many', 'SELECT * FROM w.users u WHERE id IN (SELECT user_id FROM w.events)'),
  ('router', 'SELECT * FROM w.users u WHERE id IN (SELECT user_id FROM w.events WHERE user_id = 5)'),
  ('many', 'SELECT * FROM w.users u WHERE id NOT IN (SELECT user_id FROM w.events) AND id = 5'),
  ('many', 'SELECT * FROM w.users u WHERE id IN (SELECT user_id FROM w.events ORDER BY ts LIMIT 5)'),
  ('many', 'SELECT * FROM w.users u WHERE merchant_id IN (SELECT merchant_id FROM w.events)'),
  ('many', 'SELECT * FROM w.users u WHERE u.merchant_id = (SELECT max(merchant_id) FROM w.events)'),
  ('many', 'SELECT * FROM w.users u WHERE u.merchant_id = (SELECT max(merchant_id) FROM w.events e WHERE e.user_id = u.id)'),
  ('many', 'SELECT * FROM w.users u WHERE u.id = 5 AND u.merchant_id = (SELECT max(merchant_id) FROM w.events e WHERE e.user_id = u.id)'),
  ('router', 'SELECT * FROM w.users u WHERE u.id = 5 AND u.merchant_id = (SELECT max(merchant_id) FROM w.events e WHERE e.user_id = 5)'),
  ('many', 'SELECT id, (SELECT count(*) FROM w.events e WHERE e.user_id = u.id) FROM w.users u'),
  ('many', 'SELECT id, (SELECT count(*) FROM w.events e WHERE e.user_id = u.id) FROM w.users u WHERE id = 5'),
  ('many', 'SELECT id, (SELECT count(*) FROM w.events e) FROM w.users u'),
  ('unsupported', 'SELECT id, (SELECT count(*) FROM w.events e WHERE e.merchant_id = u.merchant_id) FROM w.users u'),
  ('router', 'SELECT id, (SELECT name FROM w.merchants m WHERE m.id = u.merchant_id) FROM w.users u WHERE id = 5'),
  ('many', 'SELECT id, (SELECT name FROM w.merchants m WHERE m.id = u.merchant_id) FROM w.users u'),
  ('router', 'WITH a AS (SELECT * FROM w.events WHERE user_id = 5) SELECT * FROM a'),
  ('many', 'WITH a AS (SELECT user_id, count(*) c FROM w.events GROUP BY user_id) SELECT * FROM a JOIN w.users u ON u.id = a.user_id'),
  ('router', 'WITH a AS (SELECT user_id, count(*) c FROM w.events GROUP BY user_id) SELECT * FROM a JOIN w.users u ON u.id = a.user_id WHERE u.id = 5'),
  ('many', 'WITH a AS MATERIALIZED (SELECT user_id, count(*) c FROM w.events GROUP BY user_id) SELECT * FROM a JOIN w.users u ON u.id = a.user_id'),
  ('many', 'WITH a AS (SELECT * FROM w.events) SELECT * FROM a x JOIN a y USING (user_id)'),
  ('router', 'WITH a AS (SELECT * FROM w.events WHERE user_id = 5) SELECT * FROM a x JOIN a y USING (user_id)'),
  ('unsupported', 'WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t JOIN w.events e ON e.id = n) SELECT * FROM t'),
  ('router', 'WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t JOIN w.events e ON e.id = n AND e.user_id = 5) SELECT * FROM t'),
  ('many', 'SELECT * FROM (SELECT user_id, count(*) c FROM w.events GROUP BY user_id) s JOIN w.users u ON u.id = s.user_id'),
  ('router', 'SELECT * FROM (SELECT user_id, count(*) c FROM w.events GROUP BY user_id) s JOIN w.users u ON u.id = s.user_id WHERE u.id = 5'),
  ('many', 'SELECT * FROM (SELECT merchant_id, count(*) c FROM w.events GROUP BY merchant_id) s JOIN w.users u ON u.merchant_id = s.merchant_id'),
  ('many', 'SELECT * FROM (SELECT * FROM w.events ORDER BY ts LIMIT 10) s JOIN w.users u ON u.id = s.user_id'),
  ('many', 'SELECT * FROM (SELECT * FROM w.events WHERE user_id = 5 ORDER BY ts LIMIT 10) s JOIN w.users u ON u.id = s.user_id'),
  ('router', 'SELECT * FROM (SELECT * FROM w.events WHERE user_id = 5 ORDER BY ts LIMIT 10) s JOIN w.users u ON u.id = s.user_id WHERE u.id = 5'),
  ('many', 'SELECT count(*) FROM (SELECT DISTINCT user_id FROM w.events) s'),
  ('many', 'SELECT count(*) FROM (SELECT DISTINCT merchant_id FROM w.events) s'),
  ('many', 'SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY user_id ORDER BY ts) r FROM w.events) s WHERE r = 1'),
  ('many', 'SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY merchant_id ORDER BY ts) r FROM w.events) s WHERE r = 1'),
  ('many', 'SELECT *, row_number() OVER (PARTITION BY merchant_id ORDER BY ts) r FROM w.events'),
  ('many', 'SELECT user_id FROM w.events UNION ALL SELECT user_id FROM w.orders'),
  ('many', 'SELECT user_id FROM w.events UNION SELECT user_id FROM w.orders'),
  ('router', 'SELECT user_id FROM w.events WHERE user_id = 5 UNION SELECT user_id FROM w.orders WHERE user_id = 5'),
  ('many', 'SELECT merchant_id FROM w.events UNION SELECT merchant_id FROM w.orders'),
  ('router', 'SELECT * FROM (SELECT user_id FROM w.events UNION ALL SELECT user_id FROM w.orders) s WHERE user_id = 5'),
  ('many', 'SELECT user_id, count(*) FROM (SELECT user_id FROM w.events UNION ALL SELECT user_id FROM w.orders) s GROUP BY user_id'),
  ('many', 'SELECT count(*) FROM (SELECT merchant_id FROM w.events UNION ALL SELECT merchant_id FROM w.orders) s'),
  ('many', 'SELECT user_id FROM w.events UNION ALL SELECT id FROM w.merchants'),
  ('many', 'SELECT * FROM w.events a JOIN w.events b USING (user_id)'),
  ('repartition', 'SELECT * FROM w.events a JOIN w.events b USING (merchant_id)'),
  ('router', 'SELECT * FROM w.user_events WHERE user_id = 5'),
  ('many', 'SELECT * FROM w.user_events WHERE merchant_id = 5'),
  ('router', 'SELECT * FROM w.totals WHERE user_id = 5'),
  ('many', 'SELECT * FROM w.totals JOIN w.users u ON u.id = user_id'),
  ('many', 'SELECT DISTINCT user_id FROM w.events'),
  ('many', 'SELECT DISTINCT merchant_id FROM w.events'),
  ('many', 'SELECT * FROM w.users u, LATERAL (SELECT * FROM w.events e WHERE e.user_id = u.id ORDER BY ts LIMIT 3) s'),
  ('many', 'SELECT * FROM w.users u, LATERAL (SELECT * FROM w.events e WHERE e.user_id = u.id ORDER BY ts LIMIT 3) s WHERE u.id = 5'),
  ('unsupported', 'SELECT * FROM w.users u, LATERAL (SELECT * FROM w.events e WHERE e.merchant_id = u.merchant_id ORDER BY ts LIMIT 3) s'),
  ('local', 'SELECT now()'),
  ('many', 'SELECT count(DISTINCT merchant_id) FROM w.events'),
  ('many', 'SELECT * FROM w.users u JOIN w.events e ON e.user_id = u.id JOIN w.orders o ON o.user_id = u.id'),
  ('router', 'SELECT * FROM w.users u JOIN w.events e ON e.user_id = u.id JOIN w.orders o ON o.user_id = u.id WHERE o.user_id = 5'),
  ('repartition', 'SELECT * FROM w.users u JOIN w.events e ON e.user_id = u.id JOIN w.orders o ON o.merchant_id = e.merchant_id'),
  ('repartition', 'SELECT * FROM w.users u JOIN w.events e ON e.user_id = u.id JOIN w.orders o ON o.merchant_id = e.merchant_id WHERE u.id = 5'),
  ('repartition', 'SELECT * FROM w.users u JOIN w.devices d ON d.user_id = u.id'),
  ('repartition', 'SELECT * FROM w.users u JOIN w.devices d ON d.device_id = u.id'),
  ('repartition', 'SELECT * FROM w.events e JOIN w.devices d ON d.device_id = e.user_id WHERE e.user_id = 5'),
  ('router', 'INSERT INTO w.events(id, user_id) VALUES (1, 5)'),
  ('many', 'INSERT INTO w.events(id, user_id) VALUES (1, 5), (2, 6)'),
  ('unsupported', 'INSERT INTO w.events(id) VALUES (1)'),
  ('unsupported', 'INSERT INTO w.events(id, user_id) VALUES (1, NULL)'),
  ('router', 'INSERT INTO w.orders(id) VALUES (1)'),
  ('router', 'INSERT INTO w.orders(id, user_id) VALUES (1, DEFAULT)'),
  ('router', 'INSERT INTO w.merchants VALUES (1, ''a'')'),
  ('local', 'INSERT INTO w.audit VALUES (1, 2, ''a'')'),
  ('many', 'INSERT INTO w.orders(id, user_id) SELECT id, user_id FROM w.events'),
  ('router', 'INSERT INTO w.orders(id, user_id) SELECT id, user_id FROM w.events WHERE user_id = 5'),
  ('repartition', 'INSERT INTO w.orders(id, user_id) SELECT id, merchant_id FROM w.events'),
  ('many', 'INSERT INTO w.orders(id, user_id) SELECT max(id), merchant_id FROM w.events GROUP BY merchant_id'),
  ('many', 'INSERT INTO w.orders(id, user_id) SELECT max(id), user_id FROM w.events GROUP BY user_id'),
  ('many', 'INSERT INTO w.orders(id, user_id) SELECT id, id FROM w.merchants'),
  ('many', 'INSERT INTO w.orders(id, user_id) SELECT id, user_id FROM w.audit'),
  ('many', 'INSERT INTO w.audit(id, user_id) SELECT id, user_id FROM w.events'),
  ('many', 'INSERT INTO w.merchants(id) SELECT user_id FROM w.events'),
  ('router', 'INSERT INTO w.merchants(id) SELECT id FROM w.kinds'),
  ('router', 'INSERT INTO w.events(id, user_id, amount) VALUES (1, 5, 2) ON CONFLICT (user_id, id) DO UPDATE SET amount = 3'),
  ('unsupported', 'INSERT INTO w.events(id, user_id, amount) VALUES (1, 5, 2) ON CONFLICT (user_id, id) DO UPDATE SET user_id = 3'),
  ('router', 'UPDATE w.events SET amount = 1 WHERE user_id = 5 AND id = 2'),
  ('many', 'UPDATE w.events SET amount = 1 WHERE id = 2'),
  ('unsupported', 'UPDATE w.events SET user_id = 1 WHERE user_id = 2'),
  ('unsupported', 'UPDATE w.events SET amount = random() WHERE id = 2'),
  ('unsupported', 'UPDATE w.events SET amount = random() WHERE user_id = 2'),
  ('many', 'UPDATE w.events e SET amount = 1 FROM w.users u WHERE u.id = e.user_id AND u.name = ''x'''),
  ('router', 'UPDATE w.events e SET amount = 1 FROM w.users u WHERE u.id = e.user_id AND u.id = 5'),
  ('unsupported', 'UPDATE w.events e SET amount = 1 FROM w.orders o WHERE o.merchant_id = e.merchant_id'),
  ('many', 'UPDATE w.events e SET amount = 1 FROM w.merchants m WHERE m.id = e.merchant_id'),
  ('many', 'UPDATE w.events e SET amount = 1 WHERE user_id IN (SELECT id FROM w.users WHERE name = ''x'')'),
  ('many', 'UPDATE w.events e SET amount = 1 WHERE merchant_id IN (SELECT merchant_id FROM w.orders)'),
  ('router', 'UPDATE w.merchants SET name = ''x'' WHERE id = 4'),
  ('unsupported', 'UPDATE w.merchants SET name = ''x'' FROM w.events e WHERE e.merchant_id = merchants.id'),
  ('many', 'UPDATE w.merchants SET name = ''x'' WHERE id IN (SELECT merchant_id FROM w.events)'),
  ('local', 'UPDATE w.audit SET note = ''x'' WHERE id = 4'),
  ('many', 'UPDATE w.audit SET note = ''x'' FROM w.events e WHERE e.user_id = audit.user_id'),
  ('router', 'DELETE FROM w.events WHERE user_id = 4'),
  ('many', 'DELETE FROM w.events WHERE ts < now()'),
  ('many', 'DELETE FROM w.events e USING w.users u WHERE u.id = e.user_id AND u.name = ''x'''),
  ('router', 'DELETE FROM w.merchants'),
  ('local', 'DELETE FROM w.audit'),
  ('many', 'MERGE INTO w.events t USING w.orders s ON t.user_id = s.user_id AND t.id = s.id WHEN MATCHED THEN UPDATE SET amount = s.total'),
  ('router', 'MERGE INTO w.events t USING w.orders s ON t.user_id = s.user_id AND t.id = s.id AND t.user_id = 5 WHEN MATCHED THEN UPDATE SET amount = s.total'),
  ('repartition', 'MERGE INTO w.events t USING w.orders s ON t.user_id = s.merchant_id WHEN MATCHED THEN UPDATE SET amount = s.total'),
  ('unsupported', 'MERGE INTO w.merchants t USING w.kinds s ON t.id = s.id WHEN MATCHED THEN UPDATE SET name = s.name'),
  ('local', 'MERGE INTO w.audit t USING w.conf s ON t.note = s.k WHEN MATCHED THEN UPDATE SET note = s.v'),
  ('many', 'WITH a AS (DELETE FROM w.events WHERE user_id = 5 RETURNING *) INSERT INTO w.orders(id, user_id) SELECT id, user_id FROM a'),
  ('router', 'WITH a AS (DELETE FROM w.events WHERE user_id = 5 RETURNING *) SELECT * FROM a'),
  ('many', 'WITH a AS (DELETE FROM w.events RETURNING *) SELECT * FROM a'),
  ('local', 'SELECT * FROM w.conf JOIN w.audit ON note = k'),
  ('router', 'SELECT e.user_id, (SELECT string_agg(name, '','') FROM w.kinds) FROM w.events e WHERE user_id = 5'),
  ('router', 'SELECT * FROM w.users u WHERE id = 5 AND merchant_id IN (SELECT id FROM w.merchants)'),
  ('many', 'SELECT * FROM w.merchants m WHERE id IN (SELECT merchant_id FROM w.events)'),
  ('unsupported', 'SELECT * FROM w.merchants m WHERE EXISTS (SELECT 1 FROM w.events e WHERE e.merchant_id = m.id)'),
  ('many', 'SELECT * FROM w.users TABLESAMPLE system (10)'),
  ('many', 'SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY amount) FROM w.events'),
  ('many', 'SELECT * FROM w.users u JOIN (SELECT user_id FROM w.events WHERE amount > 5) e ON e.user_id = u.id JOIN w.merchants m ON m.id = u.merchant_id'),
  ('router', 'SELECT * FROM w.users u LEFT JOIN (SELECT user_id, sum(amount) FROM w.events GROUP BY 1) e ON e.user_id = u.id WHERE u.id = 6');
CREATE FUNCTION w.ours() RETURNS TABLE (class text, missing text, query text) LANGUAGE sql AS $$
  SELECT class, missing, query FROM advisor.workload(overrides => '{
    "w.merchants": {"role": "reference"}, "w.kinds": {"role": "reference"},
    "w.users": {"role": "distributed", "column": "id", "group": "u"},
    "w.events": {"role": "distributed", "column": "user_id", "group": "u"},
    "w.orders": {"role": "distributed", "column": "user_id", "group": "u"},
    "w.devices": {"role": "distributed", "column": "device_id", "group": "d"},
    "w.audit": {"role": "local"}, "w.conf": {"role": "local"}, "w.explained": {"role": "local"}}')
$$;
SET pg_stat_statements.track = 'all';
DO $$ DECLARE s text; BEGIN
  PERFORM pg_stat_statements_reset();
  FOR s IN SELECT statement FROM w.explained LOOP EXECUTE 'EXPLAIN ' || s; END LOOP;
END $$;
RESET pg_stat_statements.track;
CREATE TABLE w.judged AS
SELECT DISTINCT e.citus, o.class, o.missing, e.statement FROM w.explained e LEFT JOIN w.ours() o ON o.query = 'EXPLAIN ' || e.statement;

SELECT citus, class, count(*) FROM w.judged GROUP BY 1, 2 ORDER BY 1, 2;

-- Where we say another word than Citus.
SELECT citus, class, statement FROM w.judged
WHERE citus IS DISTINCT FROM CASE WHEN class IN ('pushdown', 'fan-out') THEN 'many' ELSE class END ORDER BY statement;

-- What is missing to a router query.
SELECT class, missing, statement FROM w.judged WHERE missing IS NOT NULL ORDER BY statement COLLATE "C";

-- As pg_stat_statements has them when they are run: constants are parameters, also where no parameter can stand.
SELECT count(*) FROM pg_stat_statements_reset();
SELECT count(*) FROM w.events WHERE ts > now() - interval '1 day' AND user_id = 5;
SELECT date_trunc('day', ts), count(*) FROM w.events GROUP BY date_trunc('day', ts);
SELECT extract(year FROM ts) FROM w.events WHERE merchant_id = 7 AND ts > timestamp with time zone '2024-01-01';
SELECT name FROM w.users WHERE id = 9;
SELECT e.amount FROM w.events e JOIN w.orders o ON o.user_id = e.user_id AND o.id = 3;
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM w.events WHERE user_id = 4;
COPY (SELECT * FROM w.merchants) TO '/dev/null';
COMMIT;
CREATE TABLE w.gone (x int);
SELECT x FROM w.gone;
DROP TABLE w.gone;
VACUUM w.kinds;
SELECT class, missing, query FROM w.ours() WHERE query !~ 'advisor|pg_stat_statements' ORDER BY query COLLATE "C";

-- A search path of the role, and none.
SELECT count(*) FROM pg_stat_statements_reset();
SET search_path = w;
SELECT label FROM devices WHERE device_id = 1;
RESET search_path;
SELECT class, missing, query FROM w.ours() WHERE query ~ 'label';
ALTER ROLE postgres SET search_path = w, public;
SELECT class, missing, query FROM w.ours() WHERE query ~ 'label';
-- What the model has of it for the cost model; weights are times.
SELECT jsonb_path_query_array(advisor.schema_model(ARRAY['w']::name[]) -> 'workload' -> 'filters', '$[*] ? (@.relation.name == "devices").columns') AS filters;
ALTER ROLE postgres RESET search_path;

-- Another role sees no text of others, and is told so.
CREATE ROLE workload_reader;
GRANT USAGE ON SCHEMA advisor TO workload_reader;
SET ROLE workload_reader;
SELECT DISTINCT class, missing, query FROM advisor.workload() ORDER BY 1, 2, 3;
RESET ROLE;

SET client_min_messages = warning;
DROP EXTENSION pg_stat_statements;
DROP SCHEMA w CASCADE;
DROP OWNED BY workload_reader;
DROP ROLE workload_reader;
RESET client_min_messages;

-- Without the extension.
SELECT * FROM advisor.workload();
\set VERBOSITY sqlstate
SELECT * FROM advisor.workload();
\set VERBOSITY default
