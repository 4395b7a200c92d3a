-- Everything a migration might lose, a JSON array [kind, relation, name, value] a line: what the catalog has of the
-- user's objects. Two of these, before and after, are compared.
SET search_path = '';
WITH objects AS (
	SELECT c.*, format('%I.%I', n.nspname, c.relname) AS relation
	FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
	WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'advisor', 'planned_migration', 'citus', 'citus_internal', 'columnar', 'columnar_internal')
		AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
			AND d.objid = c.oid AND d.deptype = 'e')
		AND c.relname !~ '_1\d{5}$'
), tables AS (SELECT * FROM objects WHERE relkind IN ('r', 'p', 'f')
), acl AS (
	SELECT c.oid, (SELECT pg_catalog.string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(c.relacl) AS a) AS acl FROM objects c
)
SELECT pg_catalog.json_build_array(kind, relation, name, value) FROM (
	SELECT 'table' AS kind, relation, '' AS name, pg_catalog.concat_ws(' | ', relkind::text, pg_catalog.pg_get_userbyid(relowner), relpersistence::text,
		acl.acl, pg_catalog.array_to_string(reloptions, ','), relrowsecurity, relforcerowsecurity, relreplident::text,
		pg_catalog.pg_get_expr(relpartbound, oid), pg_catalog.pg_get_partkeydef(oid), pg_catalog.obj_description(oid, 'pg_class')) AS value
	FROM tables JOIN acl USING (oid)
	UNION ALL
	-- By place among the others: what Citus makes anew has forgotten the columns that were dropped.
	SELECT 'column', relation, attname, pg_catalog.concat_ws(' | ', pg_catalog.row_number() OVER (PARTITION BY attrelid ORDER BY attnum), pg_catalog.format_type(atttypid, atttypmod), attnotnull,
		pg_catalog.pg_get_expr(d.adbin, d.adrelid), attidentity::text, attgenerated::text, attcollation::pg_catalog.regcollation,
		-- Some builds of PostgreSQL keep books there.
		(SELECT pg_catalog.string_agg(o, ',') FROM unnest(attoptions) AS o WHERE o !~ '^pg_'), attstattarget, attstorage::text, attcompression::text, attacl::text, pg_catalog.col_description(t.oid, attnum))
	FROM tables t JOIN pg_catalog.pg_attribute a ON attrelid = t.oid AND attnum > 0 AND NOT attisdropped
		LEFT JOIN pg_catalog.pg_attrdef d ON adrelid = t.oid AND adnum = attnum
	UNION ALL
	SELECT 'constraint ' || contype::text, relation, conname, pg_catalog.concat_ws(' | ', pg_catalog.pg_get_constraintdef(k.oid), convalidated,
		condeferrable, condeferred, connoinherit AND contype = 'c', pg_catalog.obj_description(k.oid, 'pg_constraint'))
	FROM tables t JOIN pg_catalog.pg_constraint k ON conrelid = t.oid WHERE contype <> 't'
		-- PostgreSQL makes one more for each partition of a referenced table, and names it as it likes.
		AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint u WHERE u.oid = k.conparentid AND u.conrelid = k.conrelid)
	UNION ALL
	SELECT 'index', relation, i.relname, pg_catalog.concat_ws(' | ', pg_catalog.pg_get_indexdef(indexrelid), indisclustered, indisreplident, indisvalid,
		pg_catalog.obj_description(indexrelid, 'pg_class'), reltablespace)
	FROM (SELECT oid, relation FROM objects WHERE relkind IN ('r', 'p', 'm')) t JOIN pg_catalog.pg_index x ON indrelid = t.oid
		JOIN pg_catalog.pg_class i ON i.oid = indexrelid
	UNION ALL
	SELECT 'trigger', relation, tgname, pg_catalog.concat_ws(' | ', pg_catalog.pg_get_triggerdef(g.oid), tgenabled::text, pg_catalog.obj_description(g.oid, 'pg_trigger'))
	FROM objects t JOIN pg_catalog.pg_trigger g ON tgrelid = t.oid WHERE NOT tgisinternal
	UNION ALL
	SELECT 'policy', relation, polname, pg_catalog.concat_ws(' | ', polcmd::text, polpermissive, (SELECT pg_catalog.string_agg(
		pg_catalog.pg_get_userbyid(r), ',' ORDER BY 1) FROM unnest(polroles) AS r), pg_catalog.pg_get_expr(polqual, polrelid),
		pg_catalog.pg_get_expr(polwithcheck, polrelid), pg_catalog.obj_description(p.oid, 'pg_policy'))
	FROM tables t JOIN pg_catalog.pg_policy p ON polrelid = t.oid
	UNION ALL
	SELECT 'rule', relation, rulename, pg_catalog.concat_ws(' | ', pg_catalog.pg_get_ruledef(r.oid), ev_enabled::text, pg_catalog.obj_description(r.oid, 'pg_rewrite'))
	FROM objects t JOIN pg_catalog.pg_rewrite r ON ev_class = t.oid WHERE rulename <> '_RETURN'
	UNION ALL
	SELECT 'view', relation, '', pg_catalog.concat_ws(' | ', relkind::text, pg_catalog.pg_get_viewdef(oid), pg_catalog.pg_get_userbyid(relowner), acl.acl,
		pg_catalog.array_to_string(reloptions, ','), relispopulated, pg_catalog.obj_description(oid, 'pg_class'))
	FROM objects JOIN acl USING (oid) WHERE relkind IN ('v', 'm')
	UNION ALL
	SELECT 'view column', relation, attname, pg_catalog.concat_ws(' | ', pg_catalog.format_type(atttypid, atttypmod), pg_catalog.pg_get_expr(d.adbin, d.adrelid),
		attacl::text, attstattarget, (SELECT pg_catalog.string_agg(o, ',') FROM unnest(attoptions) AS o WHERE o !~ '^pg_'), pg_catalog.col_description(t.oid, attnum))
	FROM objects t JOIN pg_catalog.pg_attribute a ON attrelid = t.oid AND attnum > 0 AND NOT attisdropped
		LEFT JOIN pg_catalog.pg_attrdef d ON adrelid = t.oid AND adnum = attnum WHERE relkind IN ('v', 'm')
	UNION ALL
	SELECT 'statistics', t.relation, pg_catalog.format('%I.%I', n.nspname, stxname), pg_catalog.concat_ws(' | ', pg_catalog.pg_get_statisticsobjdef(s.oid),
		stxstattarget, pg_catalog.pg_get_userbyid(stxowner), pg_catalog.obj_description(s.oid, 'pg_statistic_ext'))
	FROM tables t JOIN pg_catalog.pg_statistic_ext s ON stxrelid = t.oid JOIN pg_catalog.pg_namespace n ON n.oid = stxnamespace
	UNION ALL
	SELECT 'sequence', relation, '', pg_catalog.concat_ws(' | ', seqtypid::pg_catalog.regtype, seqstart, seqincrement, seqmax, seqmin, seqcache, seqcycle,
		pg_catalog.pg_sequence_last_value(o.oid), pg_catalog.pg_get_userbyid(relowner), acl.acl, (SELECT pg_catalog.concat_ws(' ', refobjid::pg_catalog.regclass, refobjsubid, deptype::text)
			FROM pg_catalog.pg_depend WHERE classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND objid = o.oid AND deptype IN ('a', 'i')),
		pg_catalog.obj_description(o.oid, 'pg_class'))
	FROM objects o JOIN acl USING (oid) JOIN pg_catalog.pg_sequence ON seqrelid = o.oid
	UNION ALL
	SELECT 'publication', relation, pubname, pg_catalog.concat_ws(' | ', pg_catalog.pg_get_expr(prqual, prrelid), prattrs::text)
	FROM tables t JOIN pg_catalog.pg_publication_rel r ON prrelid = t.oid JOIN pg_catalog.pg_publication p ON p.oid = prpubid
	UNION ALL
	SELECT 'function', '', pg_catalog.left(proname, 28) || ' ' || pg_catalog.md5(p.oid::pg_catalog.regprocedure::text), pg_catalog.concat_ws(' | ', pg_catalog.pg_get_functiondef(p.oid), pg_catalog.pg_get_userbyid(proowner),
		(SELECT pg_catalog.string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(proacl) AS a), pg_catalog.obj_description(p.oid, 'pg_proc'))
	FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = pronamespace
	WHERE prokind <> 'a' AND nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'advisor', 'citus', 'citus_internal', 'planned_migration') AND NOT EXISTS (
		SELECT FROM pg_catalog.pg_depend WHERE classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND objid = p.oid AND deptype = 'e')
	UNION ALL
	SELECT 'schema', '', nspname, '' FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('advisor')
) AS found ORDER BY kind, relation, name;
