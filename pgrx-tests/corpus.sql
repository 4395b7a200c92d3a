-- Everything that plans, in a transaction that may not write, in the database of this session. The output goes to files
-- of the folder :out, to be compared with the other run's; :run is 1 or 2, and the second has other settings.
-- Prints: tables, issues, milliseconds of the first plan.
SELECT :run = 2 AS second \gset
\if :second
SET search_path = '';
SET DateStyle = 'German';
SET TimeZone = 'Asia/Kathmandu';
SET IntervalStyle = 'iso_8601';
SET standard_conforming_strings = off;
SET extra_float_digits = 0;
SET bytea_output = 'escape';
SET enable_hashjoin = off;
SET enable_hashagg = off;
SET enable_seqscan = off;
\endif
SET statement_timeout = '5min';
BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;

SELECT pg_catalog.clock_timestamp() AS started \gset
\set file :out '/text'
\o :file
SELECT advisor.plan_distribution();
\o
SELECT pg_catalog.round(1000 * EXTRACT(epoch FROM pg_catalog.clock_timestamp() - :'started')) AS plan_ms \gset

\set file :out '/json'
\o :file
SELECT advisor.plan_distribution(format => 'json')::json;
\set file :out '/script'
\o :file
SELECT advisor.plan_distribution(format => 'sql');
\set file :out '/tables'
\o :file
SELECT * FROM advisor.plan_tables();
\set file :out '/issues'
\o :file
SELECT * FROM advisor.plan_issues();
\set file :out '/model'
\o :file
SELECT advisor.schema_model();
\o

-- Division by zero where the transaction was given a number, that is, wrote something.
SELECT 1 / (pg_catalog.pg_current_xact_id_if_assigned() IS NULL)::int AS nothing_written \gset
SELECT (SELECT pg_catalog.count(*) FROM advisor.plan_tables()) || ' ' ||
	(SELECT pg_catalog.count(*) FROM advisor.plan_issues()) || ' ' || :plan_ms;
\if :second
\else
-- Division by zero where a definition of the model is not what PostgreSQL says, every name with its schema;
-- the second run's settings would change how it writes constants.
SET LOCAL search_path = pg_catalog, pg_temp;
SELECT 1 / (pg_catalog.count(*) = 0)::int AS definitions_are_right
FROM pg_catalog.json_array_elements(advisor.schema_model()::json -> 'tables') AS t
CROSS JOIN pg_catalog.json_array_elements(t -> 'indexes') AS i
JOIN pg_catalog.pg_namespace n ON n.nspname = t -> 'name' ->> 'schema'
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = i ->> 'name'
WHERE i ->> 'definition' IS DISTINCT FROM pg_catalog.pg_get_indexdef(c.oid) \gset
SELECT 1 / (pg_catalog.count(*) = 0)::int AS definitions_are_right
FROM pg_catalog.json_array_elements(advisor.schema_model()::json -> 'tables') AS t
CROSS JOIN LATERAL (
	SELECT k FROM pg_catalog.json_array_elements(t -> 'foreign_keys') AS k
	UNION ALL
	SELECT i -> 'constraint' FROM pg_catalog.json_array_elements(t -> 'indexes') AS i
) AS of (k)
JOIN pg_catalog.pg_namespace n ON n.nspname = t -> 'name' ->> 'schema'
JOIN pg_catalog.pg_class r ON r.relnamespace = n.oid AND r.relname = t -> 'name' ->> 'name'
JOIN pg_catalog.pg_constraint c ON c.conrelid = r.oid AND c.conname = k ->> 'name'
WHERE k ->> 'definition' IS DISTINCT FROM pg_catalog.pg_get_constraintdef(c.oid) \gset
\endif
COMMIT;
