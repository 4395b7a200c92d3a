-- Tables that are otherwise on a node than on the coordinator, a JSON array [relation, where, here, there] a line: shards of
-- distributed, reference and managed local tables, and the tables of the same name on the workers.
SET search_path = '';
SET client_min_messages = warning;
CREATE TEMP TABLE form AS SELECT $form$
	SELECT pg_catalog.concat_ws(' | ',
		(SELECT pg_catalog.string_agg(contype::text || CASE WHEN convalidated THEN '' ELSE '?' END || CASE WHEN condeferrable THEN 'd' ELSE '' END, ' '
				ORDER BY contype::text, convalidated, condeferrable)
			FROM pg_catalog.pg_constraint k WHERE conrelid = t.oid AND contype <> 't'
			AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint u WHERE u.oid = k.conparentid AND u.conrelid = k.conrelid)%s),
		(SELECT pg_catalog.string_agg(pg_catalog.concat_ws(',', indisunique, indisvalid, indnkeyatts, indnatts, indpred IS NOT NULL, indexprs IS NOT NULL), ' '
				ORDER BY indisunique, indisvalid, indnkeyatts, indnatts, indpred IS NOT NULL, indexprs IS NOT NULL)
			FROM pg_catalog.pg_index WHERE indrelid = t.oid),
		(SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', attname, typname, atttypmod, attnotnull), ', ' ORDER BY attname)
			FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_type y ON y.oid = atttypid WHERE attrelid = t.oid AND attnum > 0 AND NOT attisdropped))
	FROM pg_catalog.pg_class t WHERE t.oid = %s::pg_catalog.regclass$form$::text AS query,
	-- A foreign key from a reference to a local table is on the coordinator only, where both are.
	$but$ AND NOT (contype = 'f' AND EXISTS (SELECT FROM pg_catalog.pg_dist_partition r JOIN pg_catalog.pg_dist_partition l ON l.logicalrelid = k.confrelid
		WHERE r.logicalrelid = k.conrelid AND r.repmodel = 't' AND l.partmethod = 'n' AND l.repmodel <> 't'))$but$::text AS elsewhere;
CREATE TEMP TABLE found (relation text, place text, form text);
DO $found$ DECLARE one record; query text := (SELECT form.query FROM pg_temp.form); but text := (SELECT form.elsewhere FROM pg_temp.form); here text; BEGIN
	FOR one IN SELECT logicalrelid::text AS name, logicalrelid FROM pg_catalog.pg_dist_partition ORDER BY 1 LOOP
		EXECUTE pg_catalog.format(query, '', pg_catalog.quote_literal(one.name)) INTO here;
		INSERT INTO pg_temp.found VALUES (one.name, 'here', here);
		EXECUTE pg_catalog.format(query, but, pg_catalog.quote_literal(one.name)) INTO here;
		INSERT INTO pg_temp.found VALUES (one.name, 'elsewhere', here);
		INSERT INTO pg_temp.found SELECT one.name, 'in shard ' || shardid || ' on ' || nodeport, result
			FROM pg_catalog.run_command_on_placements(one.logicalrelid, pg_catalog.format(query, '', '%L'));
		INSERT INTO pg_temp.found SELECT one.name, 'on worker ' || nodeport, result
			FROM pg_catalog.run_command_on_workers(pg_catalog.format(query, but, pg_catalog.quote_literal(one.name)));
	END LOOP;
END $found$;
SELECT pg_catalog.json_build_array(f.relation, f.place, here.form, f.form) FROM pg_temp.found f JOIN pg_temp.found here USING (relation)
	WHERE f.place NOT IN ('here', 'elsewhere') AND f.form IS DISTINCT FROM here.form
	AND here.place = CASE WHEN f.place LIKE 'in shard % on ' || current_setting('port') THEN 'here' ELSE 'elsewhere' END ORDER BY f.relation, f.place;
