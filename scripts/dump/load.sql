-- Runs the statements that statements.pl cut out of a dump, each on its own, inside the server: none of them passes
-- through psql, so none can be taken for a psql command.
--
-- psql variables: folder    what statements.pl wrote
--                 encoding  the encoding of the dump
--                 database  whose statements, of a dump of several
-- Writes folder/left_out (what a person reads), folder/counts, folder/roles.
\set ON_ERROR_STOP on
\set statements :folder '/statements'
\set left_out :folder '/left_out'
\set counts :folder '/counts'
\set roles :folder '/roles'
SET client_min_messages = error;

CREATE TEMP TABLE dump_statement (number int, line int, database text, fate text, reason text, statement text);
SELECT pg_catalog.format('COPY pg_temp.dump_statement FROM %L (ENCODING %L)', :'statements', :'encoding') \gexec
-- What stands before the first \connect belongs to each database.
DELETE FROM pg_temp.dump_statement WHERE database NOT IN ('', :'database');
ALTER TABLE pg_temp.dump_statement ADD PRIMARY KEY (number);

CREATE TEMP TABLE dump_role (name text);

CREATE PROCEDURE pg_temp.load_dump() LANGUAGE plpgsql AS $procedure$
DECLARE
	s record;
	missing text;
	state text;
	message text;
BEGIN
	FOR s IN SELECT number, statement FROM pg_temp.dump_statement WHERE fate = 'run' ORDER BY number LOOP
		LOOP
			-- Once more for each role that the statement names and the server does not have.
			missing := NULL;
			BEGIN
				EXECUTE s.statement;
				SET CONSTRAINTS ALL IMMEDIATE;
			EXCEPTION WHEN OTHERS OR assert_failure THEN
				GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
				missing := pg_catalog.substring(message, '^role "(.*)" does not exist$');
				IF missing IS NULL OR EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname::text = missing) THEN
					missing := NULL;
					UPDATE pg_temp.dump_statement d
					SET reason = message,
						fate = CASE
							-- Nothing is lost with a setting that a newer server has, or with what is to be dropped and is not there.
							WHEN state = '42704' AND message LIKE 'unrecognized configuration parameter %' THEN 'pass'
							WHEN s.statement ~* '^(drop\s|alter\s.*\sdrop\s)' AND state IN ('42P01', '42704', '42703', '42883', '3F000') THEN 'pass'
							WHEN s.statement ~* '^create\s+(procedural\s+)?language\s+"?plpgsql"?\s*$' THEN 'pass'
							ELSE 'failed' END
					WHERE d.number = s.number;
				END IF;
			END;
			EXIT WHEN missing IS NULL;
			EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', missing);
			INSERT INTO pg_temp.dump_role VALUES (missing);
		END LOOP;
		-- A statement a transaction, as psql runs a dump; else a thousand tables would all stay locked.
		COMMIT;
	END LOOP;
END
$procedure$;
CALL pg_temp.load_dump();

RESET ALL;
SET client_min_messages = error;
SET search_path = pg_catalog;
\pset format unaligned
\pset tuples_only on
\o :left_out
SELECT format(E'  line %s: %s\n    %s', line,
	CASE WHEN length(first_line) > 100 THEN left(first_line, 100) || ' ...' ELSE first_line END,
	replace(reason, E'\n', E'\n    '))
FROM pg_temp.dump_statement, LATERAL (
	-- As it was written: statements.pl put a file of rows where the dump says stdin.
	SELECT regexp_replace(split_part(statement, E'\n', 1), '''[^'']*/rows\.[0-9]+''', 'stdin')) AS f (first_line)
WHERE fate IN ('failed', 'refuse', 'command')
ORDER BY number;
\o :roles
SELECT string_agg(quote_ident(name), ', ' ORDER BY name) FROM pg_temp.dump_role;
\o :counts
SELECT format('statements=%s failed=%s passed_over=%s', count(*) FILTER (WHERE fate IN ('run', 'failed')),
	count(*) FILTER (WHERE fate IN ('failed', 'refuse', 'command')), count(*) FILTER (WHERE fate = 'pass'))
FROM pg_temp.dump_statement;
\o
