-- Fills every table with :rows rows that hold: row n of a table references row n of each table that it references, so that
-- all that belongs to a tenant agrees about it. Values are the plainest of their types; where a check refuses them, those
-- that it names are tried. All that this makes is temporary. Prints each table that stays empty, and why, as JSON.
SET client_min_messages = error;
SET timezone = 'UTC';
SET citus.enable_ddl_propagation = off;

CREATE FUNCTION pg_temp.base_type(oid) RETURNS pg_type LANGUAGE sql AS $$
	WITH RECURSIVE t AS (
		SELECT pg_type.* FROM pg_type WHERE oid = $1
		UNION ALL SELECT b.* FROM t JOIN pg_type b ON b.oid = t.typbasetype WHERE t.typtype = 'd')
	SELECT * FROM t WHERE typtype <> 'd' $$;

CREATE FUNCTION pg_temp.is_accepted(value text, type text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SELECT %L::%s', value, type);
	RETURN true;
EXCEPTION WHEN OTHERS THEN RETURN false;
END $$;

-- The plainest value of a type: the first that it takes.
CREATE FUNCTION pg_temp.plain(type oid, typmod int, n int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	base pg_type := pg_temp.base_type(type);
	length int := CASE WHEN base.oid IN ('varchar'::regtype, 'bpchar'::regtype) AND typmod > 4 THEN typmod - 4 END;
	candidate text;
BEGIN
	IF base.typtype = 'e' THEN
		RETURN (SELECT enumlabel FROM pg_enum WHERE enumtypid = base.oid ORDER BY enumsortorder
			OFFSET (n - 1) % (SELECT count(*) FROM pg_enum WHERE enumtypid = base.oid) LIMIT 1);
	ELSIF base.oid = 'boolean'::regtype THEN
		RETURN n % 2 = 1;
	END IF;
	FOREACH candidate IN ARRAY CASE WHEN base.typcategory = 'S' THEN ARRAY[right('v' || n, coalesce(length, 9))] ELSE ARRAY[n::text, '0.000' || n, 'v' || n] END || ARRAY[
		'0000000' || n || '-0000-0000-0000-000000000000', '2024-01-0' || n, '0' || n || ':00', n || ' days', '{}', '10.0.0.' || n, format('(%s,%s)', n, n),
		format('[%s,%s)', n * 10, n * 10 + 5), format('[2024-01-0%s,2024-01-0%s)', n, n + 1), '08:00:2b:01:02:0' || n, '(0,0),(1,1)',
		'((0,0),(1,1),(1,0))', '<(0,0),1>', '\x0' || n, '<a/>', '0/' || n, 'a@b' || n || '.cd', 'http://b.cd/' || n, 'A' || n, 'a' || n, '1', 'a', 'A', 'AB', 'abc',
		'']
	LOOP
		IF pg_temp.is_accepted(candidate, format_type(type, typmod)) THEN
			RETURN candidate;
		END IF;
	END LOOP;
	RETURN NULL;
END $$;

CREATE TEMP TABLE trouble (relation regclass PRIMARY KEY, error text);

-- Whether an expression over the columns is not false.
CREATE FUNCTION pg_temp.holds(expression text, columns jsonb, vals jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	result boolean;
BEGIN
	EXECUTE format('SELECT (%s) IS NOT FALSE FROM (SELECT %s) AS t', expression,
		(SELECT string_agg(format('%L::%s AS %I', vals ->> key, value ->> 'type', key), ', ') FROM jsonb_each(columns))) INTO result;
	RETURN result;
EXCEPTION WHEN OTHERS THEN RETURN false;
END $$;

-- What may stand in a column of a check, instead of what is there.
CREATE FUNCTION pg_temp.others(expression text, description jsonb) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT NULL WHERE (description ->> 'nullable')::boolean
	UNION ALL SELECT v FROM (
		SELECT DISTINCT ON (v) v, o FROM (
			SELECT m[1] AS v, 1 AS o FROM regexp_matches(expression, '''([^'']*)''', 'g') AS m
			UNION ALL SELECT m[1], 2 FROM regexp_matches(expression, '(?<![\w.''])(\d+)', 'g') AS m
			UNION ALL SELECT (m[1]::numeric + 1)::text, 3 FROM regexp_matches(expression, '(?<![\w.''])(\d+)', 'g') AS m
			UNION ALL SELECT v, 4 FROM unnest(ARRAY['1', '0', '-1', 'true', 'false', '', 'a', 'A', 'abc', '{}', '{1}', '[]', '2024-02-01', repeat('a', 32), repeat('A', 32),
				repeat('a', 40), repeat('0', 64), '/', 'a@b.cd', 'http://b.cd']) AS v
			-- As long as it shall be.
			UNION ALL SELECT repeat('a', m[1]::int), 5 FROM regexp_matches(expression, '(?<![\w.''])(\d{1,2})(?!\d)', 'g') AS m) AS f
		ORDER BY v, o) AS f
	WHERE NOT (description ->> 'given')::boolean AND pg_temp.is_accepted(v, description ->> 'type') $$;

CREATE FUNCTION pg_temp.solved(expression text, used text[], columns jsonb, vals jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	a text;
	b text;
	x text;
	y text;
BEGIN
	FOREACH a IN ARRAY used LOOP FOR x IN SELECT pg_temp.others(expression, columns -> a) LOOP
		IF pg_temp.holds(expression, columns, vals || jsonb_build_object(a, x)) THEN
			RETURN vals || jsonb_build_object(a, x);
		END IF;
	END LOOP; END LOOP;
	-- All but one empty, or all.
	FOREACH a IN ARRAY used || NULL::text LOOP
		IF pg_temp.holds(expression, columns, vals || (SELECT coalesce(jsonb_object_agg(c, NULL), '{}') FROM unnest(used) AS c
			WHERE c IS DISTINCT FROM a AND (columns -> c ->> 'nullable')::boolean)) THEN
			RETURN vals || (SELECT coalesce(jsonb_object_agg(c, NULL), '{}') FROM unnest(used) AS c
				WHERE c IS DISTINCT FROM a AND (columns -> c ->> 'nullable')::boolean);
		END IF;
	END LOOP;
	FOREACH a IN ARRAY used LOOP FOR x IN SELECT pg_temp.others(expression, columns -> a) LIMIT 9 LOOP
		FOREACH b IN ARRAY used LOOP
			CONTINUE WHEN b <= a;
			FOR y IN SELECT pg_temp.others(expression, columns -> b) LIMIT 9 LOOP
				IF pg_temp.holds(expression, columns, vals || jsonb_build_object(a, x, b, y)) THEN
					RETURN vals || jsonb_build_object(a, x, b, y);
				END IF;
			END LOOP;
		END LOOP;
	END LOOP; END LOOP;
	RETURN vals;
END $$;

-- Values by which row n goes into a partition, where these can be read from its bounds.
CREATE FUNCTION pg_temp.by_partition(target regclass, n int) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	leaf oid;
	parent oid;
	bound text;
	found jsonb := '{}';
BEGIN
	SELECT relid INTO leaf FROM (
		SELECT relid, row_number() OVER (ORDER BY relid) - 1 AS i, count(*) OVER () AS of FROM pg_partition_tree(target) JOIN pg_class c ON c.oid = relid
		WHERE isleaf AND relkind = 'r' AND pg_get_expr(relpartbound, c.oid) !~ 'DEFAULT|FROM \(MINVALUE') AS l WHERE i = (n - 1) % of;
	WHILE leaf IS NOT NULL AND leaf <> target LOOP
		SELECT inhparent INTO parent FROM pg_inherits WHERE inhrelid = leaf;
		SELECT substring(pg_get_expr(relpartbound, leaf) FROM '^FOR VALUES (?:IN|FROM) \(([^)]*)\)') INTO bound FROM pg_class WHERE oid = leaf;
		found := (SELECT coalesce(jsonb_object_agg(attname, btrim(value, '''')), '{}') FROM (
			SELECT attnum, row_number() OVER () AS i FROM unnest((SELECT partattrs::int2[] FROM pg_partitioned_table WHERE partrelid = parent)) AS attnum) AS k
			JOIN (SELECT value, row_number() OVER () AS i FROM regexp_split_to_table(bound, ', ') AS value) AS v USING (i)
			JOIN pg_attribute a ON a.attrelid = parent AND a.attnum = k.attnum WHERE value IS NOT NULL) || found;
		leaf := parent;
	END LOOP;
	RETURN found;
END $$;

-- The table that a column without a foreign key is called after, with its key: `company_id`, `companies`.
CREATE FUNCTION pg_temp.named_after(target regclass, attribute name, type oid, OUT parent regclass, OUT key name) LANGUAGE sql AS $$
	WITH stem AS (SELECT (regexp_match(lower(attribute), '^(.+?)_?id$'))[1] AS s)
	SELECT c.oid, a.attname FROM stem JOIN pg_class c ON lower(c.relname) IN (s, s || 's', s || 'es', regexp_replace(s, 'y$', 'ies'))
	JOIN pg_index i ON indrelid = c.oid AND indisprimary AND indnatts = 1 JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = indkey[0] AND a.atttypid = type
	WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.oid <> target AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = target)
	AND NOT EXISTS (SELECT FROM pg_constraint f JOIN pg_attribute m ON m.attrelid = target AND m.attnum = ANY (f.conkey) WHERE f.conrelid = target AND f.contype = 'f'
		AND m.attname = attribute) ORDER BY c.relname LIMIT 1 $$;

-- Row n of a table; `waits` for tables that it may reference. Whether it is there.
CREATE FUNCTION pg_temp.fill_row(target regclass, n int, waits boolean) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	columns jsonb;
	vals jsonb := '{}';
	one record;
	found text[];
	expression text;
	value text;
	referenced jsonb;
	called record;
BEGIN
	SELECT jsonb_object_agg(attname, jsonb_build_object('type', format_type(atttypid, atttypmod), 'nullable', NOT attnotnull, 'given', false))
		INTO columns FROM pg_attribute WHERE attrelid = target AND attnum > 0 AND NOT attisdropped AND attgenerated = '';
	FOR one IN SELECT a.*, pg_get_expr(adbin, adrelid) AS expression, pg_get_serial_sequence(target::text, attname) AS sequence,
			EXISTS (SELECT FROM pg_index WHERE indrelid = target AND indisunique AND attnum = ANY (indkey)) AS is_key
		FROM pg_attribute a LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
		WHERE attrelid = target AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
	LOOP
		IF one.attidentity <> '' THEN
			vals := vals || jsonb_build_object(one.attname, nextval(one.sequence));
		ELSIF one.expression IS NOT NULL AND (NOT one.is_key OR one.expression ~ '\(') THEN
			EXECUTE format('SELECT (%s)::text', one.expression) INTO value;
			-- A default that no row can have.
			IF one.atttypid IN ('varchar'::regtype, 'bpchar'::regtype) AND one.atttypmod > 4 AND length(value) > one.atttypmod - 4 THEN
				value := pg_temp.plain(one.atttypid, one.atttypmod, n);
			END IF;
			vals := vals || jsonb_build_object(one.attname, value);
		ELSE
			value := NULL;
			SELECT * INTO called FROM pg_temp.named_after(target, one.attname, one.atttypid);
			IF called.parent IS NOT NULL THEN
				EXECUTE format('SELECT %I::text FROM %s ORDER BY tableoid, ctid LIMIT 1 OFFSET %s', called.key, called.parent, n - 1) INTO value;
				IF value IS NULL AND waits THEN
					INSERT INTO trouble VALUES (target, 'no row in ' || called.parent) ON CONFLICT (relation) DO UPDATE SET error = excluded.error;
					RETURN false;
				END IF;
			END IF;
			vals := vals || jsonb_build_object(one.attname, coalesce(value, pg_temp.plain(one.atttypid, one.atttypmod, n)));
		END IF;
	END LOOP;
	vals := vals || pg_temp.by_partition(target, n);
	-- What tables share first, usually the tenant.
	FOR one IN SELECT confrelid::regclass AS parent, ARRAY(SELECT attname FROM unnest(conkey) WITH ORDINALITY AS k (num, i) JOIN pg_attribute ON attrelid = conrelid
				AND attnum = num ORDER BY i) AS mine, ARRAY(SELECT attname FROM unnest(confkey) WITH ORDINALITY AS k (num, i) JOIN pg_attribute ON attrelid = confrelid
				AND attnum = num ORDER BY i) AS theirs
		FROM pg_constraint c WHERE conrelid = target AND contype = 'f' AND conparentid = 0 ORDER BY cardinality(conkey), conrelid = confrelid, conname
	LOOP
		EXECUTE format('SELECT ARRAY[%s] FROM %s WHERE %s ORDER BY (row_number() OVER (ORDER BY tableoid, ctid) - 1) <> %s, ctid LIMIT 1',
			(SELECT string_agg(format('%I::text', c), ', ') FROM unnest(one.theirs) AS c), one.parent,
			(SELECT concat_ws(' AND ', 'true', string_agg(format('%I::text = %L', t, vals ->> m), ' AND ')) FROM unnest(one.mine, one.theirs) AS u (m, t)
				WHERE (columns -> m ->> 'given')::boolean AND vals ->> m IS NOT NULL), n - 1) INTO found;
		IF one.parent = target THEN
			-- Its own parent where it must have one, else none.
			found := (SELECT array_agg(CASE WHEN (columns -> m ->> 'nullable')::boolean THEN NULL ELSE vals ->> t END) FROM unnest(one.mine, one.theirs) AS u (m, t)
				WHERE NOT (columns -> m ->> 'given')::boolean OR true);
		ELSIF found IS NULL THEN
			found := (SELECT array_agg(CASE WHEN (columns -> m ->> 'nullable')::boolean AND NOT (columns -> m ->> 'given')::boolean THEN NULL ELSE vals ->> m END)
				FROM unnest(one.mine) AS m);
			IF waits OR array_position(found, NULL) IS NULL THEN
				INSERT INTO trouble VALUES (target, 'no row in ' || one.parent) ON CONFLICT (relation) DO UPDATE SET error = excluded.error;
				RETURN false;
			END IF;
		ELSE
			-- What is called as in the row that it references is what it is there: orders and their lines agree about the product.
			EXECUTE format('SELECT to_jsonb(p) FROM %s AS p WHERE (%s) LIMIT 1', one.parent,
				(SELECT string_agg(format('%I::text = %L', t, f), ' AND ') FROM unnest(one.theirs, found) AS u (t, f))) INTO referenced;
			SELECT vals || coalesce(jsonb_object_agg(a.attname, referenced ->> a.attname), '{}') INTO vals
				FROM pg_attribute a JOIN pg_attribute b ON b.attrelid = one.parent AND b.attname = a.attname AND b.atttypid = a.atttypid AND b.attnum > 0
				WHERE a.attrelid = target AND a.attnum > 0 AND NOT a.atthasdef AND a.attidentity = '' AND a.attname ~* '.id$' AND referenced ->> a.attname IS NOT NULL
				AND NOT EXISTS (SELECT FROM pg_constraint f WHERE f.conrelid = target AND f.contype = 'f' AND a.attnum = ANY (f.conkey));
		END IF;
		SELECT vals || jsonb_object_agg(m, f), columns || jsonb_object_agg(m, columns -> m || '{"given": true}') INTO vals, columns
			FROM unnest(one.mine, found) AS u (m, f) WHERE f IS NOT NULL OR NOT (columns -> m ->> 'given')::boolean HAVING count(*) > 0;
	END LOOP;
	FOR round IN 1..3 LOOP
		FOR one IN SELECT pg_get_expr(conbin, conrelid) AS expression, ARRAY(SELECT attname FROM unnest(conkey) AS num JOIN pg_attribute ON attrelid = conrelid
				AND attnum = num) AS used FROM pg_constraint WHERE conrelid = target AND contype = 'c' ORDER BY conname
		LOOP
			IF NOT pg_temp.holds(one.expression, columns, vals) THEN
				vals := pg_temp.solved(one.expression, one.used, columns, vals);
			END IF;
		END LOOP;
	END LOOP;
	EXECUTE format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE VALUES (%s)', target, (SELECT string_agg(quote_ident(key), ', ' ORDER BY key) FROM jsonb_each(columns)),
		(SELECT string_agg(quote_nullable(vals ->> key), ', ' ORDER BY key) FROM jsonb_each(columns)));
	RETURN true;
EXCEPTION WHEN OTHERS THEN
	INSERT INTO trouble VALUES (target, SQLERRM) ON CONFLICT (relation) DO UPDATE SET error = excluded.error;
	RETURN false;
END $$;

SELECT set_config('fill.rows', :'rows', false) \g /dev/null
DO $$
DECLARE
	tables regclass[] := ARRAY(SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
		WHERE relkind IN ('r', 'p') AND NOT relispartition AND nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'citus', 'citus_internal', 'columnar_internal')
		AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') ORDER BY nspname, relname);
	target regclass;
	trigger record;
	triggers text[] := '{}';
	rows bigint;
	waits boolean := true;
	progress boolean := true;
	one record;
BEGIN
	-- What an application does with a new row would be in the way.
	FOR trigger IN SELECT tgrelid::regclass AS relation, tgname FROM pg_trigger WHERE tgrelid = ANY (tables) AND NOT tgisinternal AND tgenabled = 'O' LOOP
		EXECUTE format('ALTER TABLE %s DISABLE TRIGGER %I', trigger.relation, trigger.tgname);
		triggers := triggers || format('ALTER TABLE %s ENABLE TRIGGER %I', trigger.relation, trigger.tgname);
	END LOOP;
	-- Until nothing more gets rows, each table after those that it references. Where only circles are left, one of them begins.
	WHILE progress OR waits LOOP
		waits := progress;
		progress := false;
		FOREACH target IN ARRAY tables LOOP
			EXECUTE format('SELECT count(*) FROM %s %s', (SELECT CASE relkind WHEN 'r' THEN 'ONLY' END FROM pg_class WHERE oid = target), target) INTO rows;
			CONTINUE WHEN rows > 0;
			FOR n IN 1..current_setting('fill.rows')::int LOOP
				EXIT WHEN NOT pg_temp.fill_row(target, n, waits);
				progress := true;
			END LOOP;
			EXIT WHEN progress AND NOT waits;
		END LOOP;
	END LOOP;
	-- Cycles: what was empty when its children came.
	FOR one IN SELECT conrelid::regclass AS child, confrelid::regclass AS parent, a.attname AS mine, b.attname AS theirs
		FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = conrelid AND a.attnum = conkey[1] JOIN pg_attribute b ON b.attrelid = confrelid AND b.attnum = confkey[1]
		WHERE contype = 'f' AND conparentid = 0 AND conrelid = ANY (tables) AND cardinality(conkey) = 1 AND NOT a.attnotnull AND conrelid <> confrelid ORDER BY 1, 3
	LOOP
		BEGIN
			EXECUTE format('UPDATE %1$s AS c SET %3$I = p.k FROM (SELECT %4$I AS k, row_number() OVER (ORDER BY tableoid, ctid) AS n FROM %2$s) AS p, '
				'(SELECT tableoid AS t, ctid AS r, row_number() OVER (ORDER BY tableoid, ctid) AS n FROM %1$s) AS o '
				'WHERE (c.tableoid, c.ctid) = (o.t, o.r) AND o.n = p.n AND NOT EXISTS (SELECT FROM %1$s AS x WHERE x.%3$I IS NOT NULL)', one.child, one.parent, one.mine, one.theirs);
		EXCEPTION WHEN OTHERS THEN NULL;
		END;
	END LOOP;
	-- Deferred foreign keys have seen the rows before the tables are changed again.
	SET CONSTRAINTS ALL IMMEDIATE;
	FOR i IN 1..cardinality(triggers) LOOP
		EXECUTE triggers[i];
	END LOOP;
	FOREACH target IN ARRAY tables LOOP
		EXECUTE format('SELECT count(*) FROM %s', target) INTO rows;
		IF rows > 0 THEN
			DELETE FROM trouble WHERE relation = target;
		END IF;
	END LOOP;
END $$;
SELECT json_build_array(relation::text, error) FROM trouble ORDER BY relation::text;
