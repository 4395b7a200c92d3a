-- Lets PostgreSQL's parser look at every statement of the script and of the way back, without running any: as the body of a
-- function, of which plpgsql parses the block and each statement in it. Prints nothing; ends with the first that does not
-- parse. Must not be in a transaction that may not write; leaves nothing.
BEGIN;
SET LOCAL client_min_messages = error;
SET LOCAL search_path = '';
DO $parse$
DECLARE
	one record;
	body text;
	parsed int := 0;
BEGIN
	FOR one IN
		SELECT 'script' AS what, step, statement FROM advisor.migration_steps()
		UNION ALL SELECT 'way back', step, statement FROM advisor.rollback_steps()
	LOOP
		IF one.statement LIKE '--%' THEN
			IF one.statement ~ '[\n\r]' THEN
				RAISE EXCEPTION 'step % of the % is a comment that ends', one.step, one.what;
			END IF;
			CONTINUE;
		END IF;
		-- DO $tag$ ... $tag$; or a plain statement.
		body := substring(one.statement FROM '^DO (.*);$');
		IF body IS NULL THEN
			body := format('%L', 'BEGIN ' || one.statement || ' END');
		END IF;
		BEGIN
			EXECUTE 'CREATE OR REPLACE FUNCTION pg_temp.parsed() RETURNS void LANGUAGE plpgsql AS ' || body;
		EXCEPTION WHEN OTHERS THEN
			RAISE EXCEPTION USING ERRCODE = SQLSTATE, MESSAGE = format('step %s of the %s does not parse: %s', one.step, one.what, SQLERRM), DETAIL = one.statement;
		END;
		parsed := parsed + 1;
	END LOOP;
	IF parsed = 0 AND EXISTS (SELECT FROM advisor.plan_tables() WHERE role <> 'local') THEN
		RAISE EXCEPTION 'there was nothing to parse';
	END IF;
END $parse$;
ROLLBACK;
