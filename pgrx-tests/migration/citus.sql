-- What the script asks of Citus, where there is none: a catalog of which table is what, and functions that write there and
-- refuse what Citus refuses. Rows stay where they are. What the script does to keys, foreign keys, checks, views and comments
-- is then PostgreSQL's word.
SET allow_system_table_mods = on;
SET client_min_messages = warning;
CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass PRIMARY KEY, partmethod "char", partkey text, colocationid int, repmodel "char");
CREATE TABLE pg_catalog.pg_dist_local_group (groupid int);
CREATE TABLE pg_catalog.pg_dist_node (groupid int, noderole text, isactive boolean, shouldhaveshards boolean);
-- For plans that are made in the middle; nothing is on any node.
CREATE TABLE pg_catalog.pg_dist_shard (logicalrelid regclass, shardid bigint, shardminvalue text);
CREATE FUNCTION pg_catalog.shard_name(regclass, bigint) RETURNS text LANGUAGE sql AS $$ SELECT $1 || '_' || $2 $$;
CREATE VIEW pg_catalog.citus_shards AS SELECT NULL::regclass AS table_name, 0::bigint AS shardid, 0::bigint AS shard_size WHERE false;
INSERT INTO pg_dist_local_group VALUES (0);
INSERT INTO pg_dist_node VALUES (0, 'primary', true, false), (1, 'primary', true, true);
INSERT INTO pg_extension SELECT 1, 'citus', extowner, extnamespace, true, '13.2-1' FROM pg_extension WHERE extname = 'plpgsql';
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET citus.shard_replication_factor = 1', current_database()); END $$;

CREATE FUNCTION pg_catalog.column_to_column_name(regclass, text) RETURNS text LANGUAGE sql AS $$
	SELECT attname::text FROM pg_attribute WHERE attrelid = $1 AND attnum = substring($2 FROM ':varattno ([0-9]+)')::int $$;
CREATE FUNCTION pg_catalog.run_command_on_all_nodes(text, OUT nodeid int, OUT success boolean, OUT result text)
	RETURNS SETOF record LANGUAGE sql AS 'SELECT 0, true, NULL::text WHERE false';
CREATE FUNCTION pg_catalog.run_command_on_workers(text, OUT nodename text, OUT nodeport int, OUT success boolean, OUT result text)
	RETURNS SETOF record LANGUAGE sql AS 'SELECT NULL::text, 0, true, ''0'' WHERE false';
CREATE FUNCTION pg_catalog.citus_local_disk_space_stats(OUT available_disk_size bigint, OUT total_disk_size bigint) LANGUAGE sql AS 'SELECT 1::bigint << 60, 1::bigint << 60';

CREATE FUNCTION pg_catalog.stub_take(target regclass, method "char", raw text, colocation int, model "char") RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	member regclass;
BEGIN
	IF EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = target) THEN
		RAISE EXCEPTION 'table "%" is already distributed', target;
	END IF;
	FOR member IN SELECT target UNION SELECT relid FROM pg_partition_tree(target) LOOP
		IF EXISTS (SELECT FROM pg_constraint WHERE contype = 'f' AND member IN (conrelid, confrelid)) THEN
			RAISE EXCEPTION '% moves under a foreign key', member;
		ELSIF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = member AND NOT tgisinternal) THEN
			RAISE EXCEPTION 'cannot distribute relation "%" because it has triggers', member;
		ELSIF EXISTS (SELECT FROM pg_constraint WHERE contype = 'c' AND NOT convalidated AND conrelid = member) THEN
			RAISE EXCEPTION '% has a check that its rows may violate', member;
		ELSIF raw IS NOT NULL AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = member AND attname = raw AND NOT attisdropped) THEN
			RAISE EXCEPTION 'column "%" of relation "%" does not exist', raw, member;
		ELSIF raw IS NOT NULL AND EXISTS (SELECT FROM pg_index WHERE indrelid = member AND (indisunique OR indisexclusion) AND NOT
				(SELECT attnum FROM pg_attribute WHERE attrelid = member AND attname = raw) = ANY ((indkey::int2[])[0:indnkeyatts - 1])) THEN
			RAISE EXCEPTION 'cannot create constraint on "%"', member;
		END IF;
		INSERT INTO pg_dist_partition VALUES (member, method, ':varattno ' || (SELECT attnum FROM pg_attribute WHERE attrelid = member AND attname = raw), colocation, model);
	END LOOP;
END $$;
CREATE FUNCTION pg_catalog.create_reference_table(target regclass) RETURNS void LANGUAGE sql AS $$ SELECT stub_take(target, 'n', NULL, 1, 't') $$;
CREATE FUNCTION pg_catalog.create_distributed_table(target regclass, raw text, distribution_type int DEFAULT 0, colocate_with text DEFAULT 'default') RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	colocation int := (SELECT colocationid FROM pg_dist_partition WHERE logicalrelid = to_regclass(nullif(colocate_with, 'none')) AND partmethod = 'h');
BEGIN
	IF colocate_with <> 'none' AND colocation IS NULL THEN
		RAISE EXCEPTION 'relation % is not distributed', colocate_with;
	END IF;
	PERFORM stub_take(target, 'h', raw, coalesce(colocation, (SELECT coalesce(max(colocationid), 1) + 1 FROM pg_dist_partition)), 's');
END $$;
CREATE FUNCTION pg_catalog.truncate_local_data_after_distributing_table(target regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = target) THEN
		RAISE EXCEPTION '% is not distributed, its rows would be lost', target;
	END IF;
END $$;

-- A foreign key to a reference table takes a local table, and all that foreign keys link to it; one that Citus could not
-- keep is refused.
CREATE FUNCTION pg_catalog.stub_follow() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE
	refused text;
	taken oid[];
BEGIN
	LOOP
		EXIT WHEN current_setting('citus.enable_local_reference_table_foreign_keys', true) = 'off';
		WITH found AS (INSERT INTO pg_dist_partition
			SELECT DISTINCT t.relid, 'n'::"char", NULL, 0, 's'::"char"
			FROM pg_constraint c
			JOIN pg_dist_partition p ON p.partmethod = 'n' AND p.logicalrelid IN (c.conrelid, c.confrelid),
			LATERAL (SELECT coalesce(pg_partition_root(o), o) FROM unnest(ARRAY[c.conrelid, c.confrelid]) AS o) AS other (root),
			LATERAL (SELECT other.root UNION SELECT relid FROM pg_partition_tree(other.root)) AS t (relid)
			WHERE c.contype = 'f' AND t.relid NOT IN (SELECT logicalrelid FROM pg_dist_partition) RETURNING logicalrelid)
			SELECT array_agg(logicalrelid::oid) INTO taken FROM found;
		EXIT WHEN taken IS NULL;
		-- It makes them anew, without comments.
		DELETE FROM pg_description WHERE classoid = 'pg_class'::regclass AND objoid = ANY (taken)
			OR classoid = 'pg_class'::regclass AND objoid IN (SELECT indexrelid FROM pg_index WHERE indrelid = ANY (taken))
			OR classoid = 'pg_constraint'::regclass AND objoid IN (SELECT oid FROM pg_constraint WHERE conrelid = ANY (taken));
	END LOOP;
	SELECT string_agg(format('%s of %s: %s', conname, conrelid::regclass, pg_get_constraintdef(oid)), E'\n') INTO refused FROM (
		SELECT c.* FROM pg_constraint c
		LEFT JOIN pg_dist_partition f ON f.logicalrelid = c.conrelid
		LEFT JOIN pg_dist_partition t ON t.logicalrelid = c.confrelid
		WHERE c.contype = 'f' AND CASE
			WHEN f.partmethod = 'h' AND t.partmethod = 'h' THEN f.colocationid <> t.colocationid OR NOT EXISTS (
				SELECT FROM unnest(c.conkey, c.confkey) AS k (mine, theirs)
				WHERE mine = (SELECT attnum FROM pg_attribute WHERE attrelid = c.conrelid AND attname = column_to_column_name(f.logicalrelid, f.partkey))
				AND theirs = (SELECT attnum FROM pg_attribute WHERE attrelid = c.confrelid AND attname = column_to_column_name(t.logicalrelid, t.partkey)))
			WHEN f.partmethod = 'h' THEN t.repmodel IS DISTINCT FROM 't'
			ELSE t.partmethod = 'h' END) AS c;
	IF refused IS NOT NULL THEN
		RAISE EXCEPTION 'cannot create foreign key constraint' USING DETAIL = refused;
	END IF;
END $$;
CREATE EVENT TRIGGER stub_follow ON ddl_command_end WHEN tag IN ('ALTER TABLE') EXECUTE FUNCTION pg_catalog.stub_follow();
