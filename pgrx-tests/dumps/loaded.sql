-- What a loaded database holds: tables with their rows, constraints, indexes, triggers.
SELECT format('table %s, owner %I, rows %s', c.oid::regclass, pg_get_userbyid(c.relowner),
	(xpath('/row/n/text()', query_to_xml('SELECT count(*) AS n FROM ' || c.oid::regclass, false, true, '')))[1])
FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace ORDER BY c.relname;
SELECT format('size of %s: %s rows in %s pages', oid::regclass, reltuples, relpages)
FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND reltuples > 1000 ORDER BY relname;
SELECT format('constraint %I of %s: %s', conname, conrelid::regclass, pg_get_constraintdef(oid))
FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid <> 0 ORDER BY conname;
SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname;
SELECT 'trigger ' || tgname FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1;
SELECT 'rule ' || rulename FROM pg_rules WHERE schemaname = 'public' ORDER BY 1;
SELECT 'policy ' || polname FROM pg_policy ORDER BY 1;
SELECT 'publication ' || pubname FROM pg_publication ORDER BY 1;
SELECT 'default ' || pg_get_expr(adbin, adrelid) FROM pg_attrdef ORDER BY 1;
