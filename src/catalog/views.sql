WITH RECURSIVE need (rule, classid, objid) AS (
  -- What the functions of views need, through types and bodies of SQL. Built-in functions leave no dependency.
  SELECT d.objid, d.refclassid, d.refobjid
  FROM pg_catalog.pg_depend d
  WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.refclassid = 'pg_catalog.pg_proc'::regclass
  UNION
  SELECT w.rule, next.classid, next.objid
  FROM need w
  CROSS JOIN LATERAL (
    SELECT d.refclassid, d.refobjid
    FROM pg_catalog.pg_depend d
    WHERE d.classid = w.classid AND d.objid = w.objid AND d.deptype IN ('n', 'i')
      AND w.classid IN ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_type'::regclass)
    UNION ALL
    SELECT d.refclassid, d.refobjid
    FROM pg_catalog.pg_type t
    JOIN pg_catalog.pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'
    JOIN pg_catalog.pg_depend d
      ON d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'n'
    WHERE w.classid = 'pg_catalog.pg_type'::regclass AND t.oid = w.objid
  ) AS next (classid, objid)
  WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend e
    WHERE e.classid = w.classid AND e.objid = w.objid
      AND e.refclassid = 'pg_catalog.pg_extension'::regclass AND e.deptype = 'e'
  )
),
taken (view, schema, name) AS (
  SELECT DISTINCT w.ev_class, tn.nspname, t.relname
  FROM need
  JOIN pg_catalog.pg_rewrite w ON w.oid = need.rule AND w.rulename = '_RETURN'
  JOIN pg_catalog.pg_class t ON t.oid = need.objid AND t.relkind IN ('r', 'p', 'f')
  JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
  WHERE need.classid = 'pg_catalog.pg_class'::regclass
),
rebuilt (view) AS (
  -- Views that may have to go: those that group by a primary key or whose functions need tables, and those over them.
  SELECT w.ev_class FROM pg_catalog.pg_rewrite w
  JOIN pg_catalog.pg_depend d
    ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = w.oid
    AND d.refclassid = 'pg_catalog.pg_constraint'::regclass
  UNION
  SELECT t.view FROM taken t
  UNION
  SELECT w.ev_class FROM rebuilt g
  JOIN pg_catalog.pg_depend d
    ON d.classid = 'pg_catalog.pg_rewrite'::regclass
    AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = g.view
  JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid AND w.rulename = '_RETURN' AND w.ev_class <> g.view
)
SELECT n.nspname AS schema, v.relname AS name, v.relkind = 'm' AS materialized,
  CASE WHEN v.relkind = 'm' THEN pg_total_relation_size(v.oid) END AS bytes,
  coalesce(r.schemas, '{}') AS read_schemas, coalesce(r.names, '{}') AS read_names,
  coalesce(k.schemas, '{}') AS key_schemas, coalesce(k.tables, '{}') AS key_tables,
  coalesce(k.constraints, '{}') AS key_constraints,
  coalesce(y.schemas, '{}') AS row_schemas, coalesce(y.tables, '{}') AS row_tables,
  CASE WHEN v.oid IN (SELECT view FROM rebuilt) THEN array_cat(
    ARRAY[
      format('CREATE %s %I.%I%s AS %s', words.kind, n.nspname, v.relname,
        ' WITH (' || array_to_string(v.reloptions, ', ') || ')', rtrim(pg_get_viewdef(v.oid), ' ;')),
      format('ALTER %s %I.%I OWNER TO %I', words.kind, n.nspname, v.relname, pg_get_userbyid(v.relowner))],
    ARRAY(
      SELECT format('GRANT %s ON %I.%I TO %s%s', a.privilege_type, n.nspname, v.relname,
        CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
        CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' END)
      FROM aclexplode(v.relacl) AS a WHERE a.grantee <> v.relowner
      UNION ALL
      SELECT pg_get_indexdef(i.indexrelid) FROM pg_catalog.pg_index i WHERE i.indrelid = v.oid
      UNION ALL
      SELECT format('COMMENT ON %s %I.%I IS %L', words.kind, n.nspname, v.relname, ds.description)
      FROM pg_catalog.pg_description ds
      WHERE ds.classoid = 'pg_catalog.pg_class'::regclass AND ds.objoid = v.oid AND ds.objsubid = 0
      ORDER BY 1))
  ELSE '{}' END AS statements
FROM pg_catalog.pg_class v
JOIN pg_catalog.pg_namespace n ON n.oid = v.relnamespace
CROSS JOIN LATERAL (SELECT CASE WHEN v.relkind = 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END AS kind) AS words
LEFT JOIN (
  SELECT key.view, array_agg(key.schema) AS schemas, array_agg(key.name) AS tables, array_agg(key.conname) AS constraints
  FROM (
    SELECT DISTINCT w.ev_class AS view, tn.nspname AS schema, t.relname AS name, c.conname
    FROM pg_catalog.pg_rewrite w
    JOIN pg_catalog.pg_depend d
      ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = w.oid
      AND d.refclassid = 'pg_catalog.pg_constraint'::regclass
    JOIN pg_catalog.pg_constraint c ON c.oid = d.refobjid
    JOIN pg_catalog.pg_class t ON t.oid = c.conrelid
    JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
  ) AS key
  GROUP BY key.view
) AS k ON k.view = v.oid
LEFT JOIN (
  SELECT read.view, array_agg(read.schema) AS schemas, array_agg(read.name) AS names
  FROM (
    SELECT DISTINCT w.ev_class AS view, tn.nspname AS schema, t.relname AS name
    FROM pg_catalog.pg_rewrite w
    JOIN pg_catalog.pg_depend d
      ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = w.oid
      AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> w.ev_class AND d.deptype = 'n'
    JOIN pg_catalog.pg_class t ON t.oid = d.refobjid AND t.relkind IN ('r', 'p', 'f', 'v', 'm')
    JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
    WHERE w.rulename = '_RETURN' AND tn.nspname !~ '^pg_' AND tn.nspname <> 'information_schema'
  ) AS read
  GROUP BY read.view
) AS r ON r.view = v.oid
LEFT JOIN (
  SELECT t.view, array_agg(t.schema) AS schemas, array_agg(t.name) AS tables FROM taken t GROUP BY t.view
) AS y ON y.view = v.oid
WHERE v.relkind IN ('v', 'm')
  AND v.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = v.oid
      AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e'
  )
