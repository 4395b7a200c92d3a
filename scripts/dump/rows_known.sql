-- One line where the plan could not go by sizes, none otherwise.
SELECT CASE WHEN known = 0 THEN E'\n The tables have no rows here: the choice rests on structure alone (foreign keys, keys, names).\n'
		' make demo SCHEMA=... SIZES=sizes.csv, with lines table,rows, gives sizes.'
	WHEN known < tables THEN format(E'\n %s of %s tables have no rows here: for these the choice rests on structure.', tables - known, tables)
	END
FROM (SELECT count(*) AS tables, count(*) FILTER (WHERE c.reltuples > 0) AS known
	FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
	WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
		AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_%'
		AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
			WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')) AS s
WHERE known < tables;
