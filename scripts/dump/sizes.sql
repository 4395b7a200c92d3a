-- Gives tables the row counts of a file of lines table,rows, as ANALYZE would have left them in pg_class: reltuples, and
-- relpages by the width of the columns. Of a partitioned table the leaves share the rows evenly.
--
-- psql variables: sizes     a file that the server can read
--                 left_out  where to write the lines that could not be used
\set ON_ERROR_STOP on
SET client_min_messages = error;
SET search_path = pg_catalog;

CREATE TEMP TABLE size_line AS
SELECT number::int, btrim(replace(line, E'\r', ''), E' \t') AS line, NULL::text AS problem
FROM string_to_table(ltrim(pg_read_file(:'sizes'), U&'\FEFF'), E'\n') WITH ORDINALITY AS f (line, number);

CREATE TEMP VIEW user_table AS
SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
	AND n.nspname NOT LIKE 'pg\_toast%' AND n.nspname NOT LIKE 'pg\_temp%';

-- Bytes of a row: fixed widths as they are, the others as the planner guesses them without statistics.
CREATE FUNCTION pg_temp.row_bytes(relation oid) RETURNS bigint LANGUAGE sql AS $$
	SELECT 28 + coalesce(sum(CASE
		WHEN a.attlen > 0 THEN a.attlen
		WHEN a.atttypid IN ('varchar'::regtype, 'bpchar'::regtype) AND a.atttypmod > 4 THEN least(a.atttypmod - 4, 32)
		WHEN a.atttypid = 'numeric'::regtype THEN 10
		ELSE 32 END), 0)
	FROM pg_attribute a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
$$;

-- A table as people write it: SQL's way, CSV's way, or the bare name.
CREATE FUNCTION pg_temp.find_table(written text) RETURNS regclass LANGUAGE plpgsql AS $$
DECLARE
	spelling text;
	found regclass;
	matches regclass[];
BEGIN
	FOREACH spelling IN ARRAY ARRAY[written, replace(substring(written, '^"(.*)"$'), '""', '"')] LOOP
		CONTINUE WHEN spelling IS NULL;
		PERFORM set_config('search_path', 'public, pg_catalog', true);
		BEGIN
			found := to_regclass(spelling);
		EXCEPTION WHEN OTHERS THEN
			found := NULL;
		END;
		PERFORM set_config('search_path', 'pg_catalog', true);
		IF EXISTS (SELECT FROM user_table u WHERE u.oid = found) THEN
			RETURN found;
		END IF;
		SELECT array_agg(u.oid::regclass) INTO matches
		FROM user_table u WHERE u.name = spelling OR u.schema || '.' || u.name = spelling;
		IF cardinality(matches) = 1 THEN
			RETURN matches[1];
		ELSIF cardinality(matches) > 1 THEN
			RAISE EXCEPTION 'several tables are called so: %; write the schema before it', array_to_string(matches, ', ');
		END IF;
	END LOOP;
	RAISE EXCEPTION 'there is no such table';
END
$$;

DO $$
DECLARE
	l record;
	parts text[];
	relation regclass;
	total numeric;
	leaf_count bigint;
BEGIN
	FOR l IN SELECT number, line FROM size_line WHERE line <> '' AND line NOT LIKE '#%' ORDER BY number LOOP
		BEGIN
			parts := regexp_match(l.line, '^(.*\S)\s*[,;\t]\s*"?([^,;"]*)"?$');
			IF parts IS NULL OR parts[2] !~ '^[0-9][0-9_]*(\.[0-9]*)?([eE]\+?[0-9]{1,2})?$' THEN
				-- The first line may be a header.
				CONTINUE WHEN l.number = 1 AND parts IS NOT NULL AND parts[2] ~* '^[a-z_ ]+$';
				RAISE EXCEPTION 'not of the form table,rows';
			END IF;
			relation := pg_temp.find_table(btrim(parts[1]));
			total := round(replace(parts[2], '_', '')::numeric);
			IF total > 1e18 THEN
				RAISE EXCEPTION 'more rows than a table can hold';
			END IF;
			SELECT count(*) INTO leaf_count FROM pg_partition_tree(relation) WHERE isleaf;
			-- A plain table is in no tree, and its own only leaf.
			WITH leaf AS (
				SELECT relid::oid AS oid, leaf_count AS n FROM pg_partition_tree(relation) WHERE isleaf
				UNION SELECT relation::oid, 1 WHERE leaf_count = 0)
			UPDATE pg_class c
			SET reltuples = (total / n)::float4,
				relpages = least(2147483647, ceil(total / n / greatest(1, 8168 / pg_temp.row_bytes(c.oid))))::int
			FROM leaf WHERE c.oid = leaf.oid;
			UPDATE pg_class SET reltuples = total::float4 WHERE oid = relation AND relkind = 'p';
		EXCEPTION WHEN OTHERS THEN
			UPDATE size_line SET problem = SQLERRM WHERE number = l.number;
		END;
	END LOOP;
END
$$;

\pset format unaligned
\pset tuples_only on
\o :left_out
SELECT format(E'  sizes, line %s: %s\n    %s', number, left(line, 100), problem) FROM size_line WHERE problem IS NOT NULL ORDER BY number;
\o
