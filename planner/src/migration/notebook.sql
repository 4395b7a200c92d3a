  CREATE SCHEMA IF NOT EXISTS planned_migration;
  CREATE TABLE IF NOT EXISTS planned_migration.tables (
    relation text PRIMARY KEY, rows bigint, cleaned boolean NOT NULL);
  CREATE TABLE IF NOT EXISTS planned_migration.placements (
    relation text PRIMARY KEY, role text NOT NULL, distribution_column text, colocation_group text);
  CREATE TABLE IF NOT EXISTS planned_migration.constraints (
    relation text, name text, validated boolean NOT NULL, definition text NOT NULL, PRIMARY KEY (relation, name));
  CREATE TABLE IF NOT EXISTS planned_migration.put_aside (
    kind text, relation text, name text, definition text NOT NULL, model jsonb NOT NULL, PRIMARY KEY (kind, relation, name));
  CREATE TABLE IF NOT EXISTS planned_migration.ways (relation text, name text, model jsonb NOT NULL, PRIMARY KEY (relation, name));
  CREATE TABLE IF NOT EXISTS planned_migration.keepsakes (relation text PRIMARY KEY, statements text[] NOT NULL);
  -- What Citus forgets of tables that it re-creates, as statements; views over them, and functions of their rows, are dropped.
  CREATE OR REPLACE FUNCTION planned_migration.put_aside(relations regclass[], only_what_is_over_them boolean DEFAULT false) RETURNS text[] LANGUAGE plpgsql AS $put_aside$
  DECLARE
    -- Without a lock, which another connection of Citus' might wait for.
    members oid[] := ARRAY(WITH RECURSIVE m (relid) AS (SELECT r::oid FROM unnest(relations) AS r
      UNION SELECT inhrelid FROM pg_inherits JOIN m ON inhparent = m.relid) SELECT relid FROM m);
    found oid[];
    depths int[];
    routines oid[];
    routine_depths int[];
    statements text[];
    one record;
  BEGIN
    -- Views over them, functions that need their rows, and what needs those; how many lie between.
    WITH RECURSIVE over (class, object, depth) AS (
      SELECT 'pg_class'::regclass::oid, unnest(members), 0
      UNION
      SELECT next.class, next.object, over.depth + 1 FROM over CROSS JOIN LATERAL (
        SELECT 'pg_class'::regclass::oid, r.ev_class FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid AND r.rulename = '_RETURN' AND r.ev_class <> over.object
          WHERE d.refclassid = over.class AND d.refobjid = over.object AND d.classid = 'pg_rewrite'::regclass
        UNION ALL
        SELECT d.classid, d.objid FROM pg_depend d
          WHERE d.refclassid = over.class AND d.refobjid = over.object AND d.classid = 'pg_proc'::regclass AND d.deptype = 'n'
        UNION ALL
        SELECT d.classid, d.objid FROM pg_type t JOIN pg_depend d ON d.refclassid = 'pg_type'::regclass AND d.refobjid IN (t.oid, t.typarray)
          WHERE over.class = 'pg_class'::regclass AND t.typrelid = over.object AND d.classid = 'pg_proc'::regclass AND d.deptype = 'n') AS next (class, object)),
    deepest AS (SELECT class, object, max(depth) AS depth FROM over WHERE depth > 0 GROUP BY class, object)
    SELECT array_agg(object) FILTER (WHERE class = 'pg_class'::regclass), array_agg(depth) FILTER (WHERE class = 'pg_class'::regclass),
      array_agg(object) FILTER (WHERE class = 'pg_proc'::regclass), array_agg(depth) FILTER (WHERE class = 'pg_proc'::regclass)
      INTO found, depths, routines, routine_depths FROM deepest;
    SELECT array_agg(s.statement ORDER BY s.phase, s.depth, s.object, s.number, s.statement) INTO statements FROM (
      WITH views AS (
        SELECT c.*, v.depth, c.oid::regclass::text AS name, CASE relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END AS kind
        FROM unnest(found, depths) AS v (view, depth) JOIN pg_class c ON c.oid = v.view),
      tables AS (SELECT c.*, c.oid::regclass::text AS name, CASE relkind WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END AS kind
        FROM pg_class c WHERE c.oid = ANY (members)),
      routine AS (SELECT p.*, r.depth, p.oid::regprocedure::text AS name FROM unnest(routines, routine_depths) AS r (routine, depth) JOIN pg_proc p ON p.oid = r.routine)
      SELECT 1 AS phase, depth, oid AS object, 0 AS number, format('CREATE %s %s%s%s AS %s%s', kind, name,
        CASE WHEN relkind = 'm' THEN ' USING ' || quote_ident((SELECT amname FROM pg_am WHERE pg_am.oid = relam)) END,
        ' WITH (' || array_to_string(reloptions, ', ') || ')', rtrim(pg_get_viewdef(oid), ' ;'),
        CASE WHEN relkind = 'm' THEN ' WITH NO DATA' END) AS statement FROM views
      UNION ALL SELECT 1, depth, oid, 0, rtrim(pg_get_functiondef(oid), E'\n') FROM routine
      UNION ALL SELECT 1, depth, oid, 1, format('COMMENT ON ROUTINE %s IS %L', name, description)
        FROM routine JOIN pg_description ON objoid = oid AND classoid = 'pg_proc'::regclass
      UNION ALL SELECT 1, depth, oid, 2, format('REVOKE ALL ON ROUTINE %s FROM PUBLIC', name) FROM routine WHERE proacl IS NOT NULL
      UNION ALL SELECT 1, depth, oid, 3, format('GRANT %s ON ROUTINE %s TO %s%s', privilege_type, name, CASE grantee WHEN 0 THEN 'PUBLIC'
          ELSE quote_ident(pg_get_userbyid(grantee)) END, CASE WHEN is_grantable THEN ' WITH GRANT OPTION' END)
        FROM routine, aclexplode(proacl) WHERE grantee <> proowner
      UNION ALL SELECT 1, depth, oid, 4, format('ALTER ROUTINE %s OWNER TO %I', name, pg_get_userbyid(proowner)) FROM routine
      UNION ALL SELECT 1, depth, v.oid, 1, format('ALTER VIEW %s ALTER COLUMN %I SET DEFAULT %s', name, attname, pg_get_expr(adbin, adrelid))
        FROM views v JOIN pg_attrdef ON adrelid = v.oid JOIN pg_attribute ON attrelid = v.oid AND attnum = adnum
      UNION ALL SELECT 1, depth, v.oid, 2, 'REFRESH MATERIALIZED VIEW ' || name FROM views v WHERE relkind = 'm' AND relispopulated
      UNION ALL SELECT 1, depth, v.oid, 3, pg_get_indexdef(indexrelid) FROM views v JOIN pg_index ON indrelid = v.oid
      UNION ALL SELECT 1, depth, v.oid, 4, format('COMMENT ON INDEX %s IS %L', indexrelid::regclass, description)
        FROM views v JOIN pg_index ON indrelid = v.oid JOIN pg_description ON objoid = indexrelid AND classoid = 'pg_class'::regclass
      UNION ALL SELECT 1, depth, v.oid, 4, format('ALTER MATERIALIZED VIEW %s CLUSTER ON %I', name, relname)
        FROM (SELECT oid, name, depth FROM views) v JOIN pg_index ON indrelid = v.oid AND indisclustered JOIN pg_class i ON i.oid = indexrelid
      UNION ALL SELECT 1, depth, v.oid, 5, replace(pg_get_ruledef(r.oid), 'CREATE RULE', 'CREATE OR REPLACE RULE')
        FROM views v JOIN pg_rewrite r ON ev_class = v.oid WHERE rulename <> '_RETURN'
      UNION ALL SELECT 1, depth, v.oid, 5, pg_get_triggerdef(t.oid) FROM views v JOIN pg_trigger t ON tgrelid = v.oid AND NOT tgisinternal
      UNION ALL SELECT 1, depth, v.oid, 6, format('COMMENT ON %s IS %L', CASE objsubid WHEN 0 THEN kind || ' ' || name
          ELSE format('COLUMN %s.%I', name, attname) END, description)
        FROM views v JOIN pg_description ON objoid = v.oid AND classoid = 'pg_class'::regclass
        LEFT JOIN pg_attribute ON attrelid = objoid AND attnum = objsubid AND objsubid > 0
      UNION ALL SELECT 1, depth, v.oid, 7, format('GRANT %s ON %s TO %s%s', privilege_type, name, CASE grantee WHEN 0 THEN 'PUBLIC'
          ELSE quote_ident(pg_get_userbyid(grantee)) END, CASE WHEN is_grantable THEN ' WITH GRANT OPTION' END)
        FROM views v, aclexplode(relacl) WHERE grantee <> relowner
      UNION ALL SELECT 1, depth, v.oid, 7, format('GRANT %s (%I) ON %s TO %s%s', privilege_type, attname, name, CASE grantee WHEN 0 THEN 'PUBLIC'
          ELSE quote_ident(pg_get_userbyid(grantee)) END, CASE WHEN is_grantable THEN ' WITH GRANT OPTION' END)
        FROM views v JOIN pg_attribute ON attrelid = v.oid, aclexplode(attacl) WHERE grantee <> relowner
      UNION ALL SELECT 1, depth, v.oid, 8, format('ALTER %s %s OWNER TO %I', kind, name, pg_get_userbyid(relowner)) FROM views v
      UNION ALL SELECT 2, 0, t.oid, 0, format('COMMENT ON %s IS %L', CASE objsubid WHEN 0 THEN kind || ' ' || name
          ELSE format('COLUMN %s.%I', name, attname) END, description)
        FROM tables t JOIN pg_description ON objoid = t.oid AND classoid = 'pg_class'::regclass
        LEFT JOIN pg_attribute ON attrelid = objoid AND attnum = objsubid AND objsubid > 0
      UNION ALL SELECT 2, 0, t.oid, 1, format('COMMENT ON CONSTRAINT %I ON %s IS %L', conname, name, description)
        FROM tables t JOIN pg_constraint c ON conrelid = t.oid JOIN pg_description ON objoid = c.oid AND classoid = 'pg_constraint'::regclass
      UNION ALL SELECT 2, 0, t.oid, 2, format('COMMENT ON INDEX %s IS %L', indexrelid::regclass, description)
        FROM tables t JOIN pg_index ON indrelid = t.oid JOIN pg_description ON objoid = indexrelid AND classoid = 'pg_class'::regclass
      UNION ALL SELECT 2, 0, t.oid, 3, format('COMMENT ON TRIGGER %I ON %s IS %L', tgname, name, description)
        FROM tables t JOIN pg_trigger g ON tgrelid = t.oid JOIN pg_description ON objoid = g.oid AND classoid = 'pg_trigger'::regclass
      UNION ALL SELECT 2, 0, t.oid, 4, format('COMMENT ON POLICY %I ON %s IS %L', polname, name, description)
        FROM tables t JOIN pg_policy p ON polrelid = t.oid JOIN pg_description ON objoid = p.oid AND classoid = 'pg_policy'::regclass
      UNION ALL SELECT 2, 0, t.oid, 5, format('COMMENT ON STATISTICS %I.%I IS %L', n.nspname, stxname, description)
        FROM tables t JOIN pg_statistic_ext s ON stxrelid = t.oid JOIN pg_namespace n ON n.oid = stxnamespace
        JOIN pg_description ON objoid = s.oid AND classoid = 'pg_statistic_ext'::regclass
      UNION ALL SELECT 2, 0, t.oid, 6, replace(pg_get_ruledef(r.oid), 'CREATE RULE', 'CREATE OR REPLACE RULE')
        FROM tables t JOIN pg_rewrite r ON ev_class = t.oid
      UNION ALL SELECT 2, 0, t.oid, 7, format('ALTER TABLE %s %s RULE %I', name, CASE ev_enabled WHEN 'D' THEN 'DISABLE' WHEN 'R'
          THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, rulename)
        FROM tables t JOIN pg_rewrite r ON ev_class = t.oid WHERE ev_enabled <> 'O'
      UNION ALL SELECT 2, 0, t.oid, 8, format('COMMENT ON RULE %I ON %s IS %L', rulename, name, description)
        FROM (SELECT oid, name FROM tables UNION ALL SELECT oid, name FROM views) t JOIN pg_rewrite r ON ev_class = t.oid
        JOIN pg_description ON objoid = r.oid AND classoid = 'pg_rewrite'::regclass
      UNION ALL SELECT 2, 0, t.oid, 9, format('ALTER TABLE %s ALTER COLUMN %I SET (%s)', name, attname, options)
        FROM tables t JOIN pg_attribute ON attrelid = t.oid AND attnum > 0 AND NOT attisdropped,
          LATERAL (SELECT string_agg(o, ', ') FROM unnest(attoptions) AS o WHERE o !~ '^pg_') AS u (options) WHERE options IS NOT NULL
      UNION ALL SELECT 2, 0, t.oid, 10, format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS %s', name, attname, attstattarget)
        FROM tables t JOIN pg_attribute ON attrelid = t.oid AND attnum > 0 AND NOT attisdropped WHERE attstattarget >= 0
      UNION ALL SELECT 2, 0, t.oid, 11, format('ALTER TABLE %s REPLICA IDENTITY %s', name, CASE t.relreplident WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING'
          ELSE 'USING INDEX ' || quote_ident(identity.relname) END)
        FROM tables t LEFT JOIN (pg_index JOIN pg_class identity ON identity.oid = indexrelid) ON indrelid = t.oid AND indisreplident
        WHERE t.relreplident IN ('f', 'n') OR identity.relname IS NOT NULL
    ) AS s WHERE NOT only_what_is_over_them OR s.phase = 1 OR s.object = ANY (found);
    FOR one IN SELECT format('DROP %s %s', CASE relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END, view::regclass) AS statement, depth, view
      FROM unnest(found, depths) AS v (view, depth) JOIN pg_class ON pg_class.oid = view
      UNION ALL SELECT format('DROP ROUTINE %s', routine::regprocedure), depth, routine FROM unnest(routines, routine_depths) AS r (routine, depth)
      ORDER BY depth DESC, view
    LOOP EXECUTE one.statement; END LOOP;
    RETURN coalesce(statements, '{}');
  END $put_aside$;
  -- Whether Citus, which makes a table anew that it distributes while others write, forgets nothing of it that somebody could miss
  -- in the meantime, and sees what is written in the meantime.
  CREATE OR REPLACE FUNCTION planned_migration.stays_as_it_is(relation regclass) RETURNS boolean LANGUAGE sql AS $stays$
    WITH RECURSIVE m (relid) AS (SELECT relation::oid UNION SELECT inhrelid FROM pg_inherits JOIN m ON inhparent = m.relid)
    SELECT NOT EXISTS (SELECT FROM m JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = m.relid AND d.classid = 'pg_rewrite'::regclass)
      AND NOT EXISTS (SELECT FROM m JOIN pg_type t ON t.typrelid = m.relid JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.deptype = 'n'
        AND (d.refclassid = 'pg_class'::regclass AND d.refobjid = m.relid OR d.refclassid = 'pg_type'::regclass AND d.refobjid IN (t.oid, t.typarray)))
      AND NOT EXISTS (SELECT FROM m JOIN pg_rewrite ON ev_class = m.relid)
      AND NOT EXISTS (SELECT FROM m JOIN pg_publication_rel ON prrelid = m.relid)
      AND NOT EXISTS (SELECT FROM m JOIN pg_attribute ON attrelid = m.relid AND (attidentity <> '' OR attacl IS NOT NULL))
      AND NOT EXISTS (SELECT FROM m JOIN pg_class c ON c.oid = m.relid AND c.relkind = 'r' WHERE c.relreplident = 'n'
        OR c.relreplident = 'd' AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indisprimary))
  $stays$;
  CREATE OR REPLACE FUNCTION planned_migration.size_of(relation regclass) RETURNS numeric LANGUAGE sql AS $size_of$
    WITH RECURSIVE m (relid) AS (SELECT relation::oid UNION SELECT inhrelid FROM pg_inherits JOIN m ON inhparent = m.relid)
    SELECT coalesce(sum(pg_total_relation_size(relid)), 0) FROM m
  $size_of$;
  -- Runs them. What stays on the coordinator is not sent to the other nodes.
  CREATE OR REPLACE FUNCTION planned_migration.put_back(statements text[]) RETURNS void LANGUAGE plpgsql AS $put_back$
  DECLARE
    statement text;
    sent text := current_setting('citus.enable_ddl_propagation', true);
  BEGIN
    -- Bodies of functions may rely on a search path.
    PERFORM set_config('check_function_bodies', 'off', true);
    FOREACH statement IN ARRAY statements LOOP
      PERFORM set_config('citus.enable_ddl_propagation', CASE WHEN statement ~ '^(COMMENT|ALTER TABLE|ALTER VIEW .* SET DEFAULT|CREATE OR REPLACE RULE)' THEN 'off' ELSE sent END, true)
        WHERE sent IS NOT NULL;
      IF statement ~ '^REFRESH ' THEN
        BEGIN
          EXECUTE statement;
        EXCEPTION WHEN feature_not_supported THEN
          RAISE WARNING USING MESSAGE = 'Citus cannot fill a materialized view, it stays empty: ' || statement, DETAIL = SQLERRM;
        END;
      ELSE
        EXECUTE statement;
      END IF;
    END LOOP;
    PERFORM set_config('citus.enable_ddl_propagation', sent, true) WHERE sent IS NOT NULL;
  END $put_back$;
  -- The same for what was written down of a table, if anything was.
  CREATE OR REPLACE FUNCTION planned_migration.recall(name text) RETURNS void LANGUAGE plpgsql AS $recall$
  DECLARE
    kept text[];
  BEGIN
    DELETE FROM planned_migration.keepsakes WHERE relation = name RETURNING statements INTO kept;
    IF kept IS NOT NULL THEN
      PERFORM planned_migration.put_back(kept);
    END IF;
  END $recall$
