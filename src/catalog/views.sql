SELECT n.nspname AS schema, v.relname AS name, v.relkind = 'm' AS materialized,
  CASE WHEN v.relkind = 'm' THEN pg_total_relation_size(v.oid) END AS bytes,
  coalesce(r.schemas, '{}') AS read_schemas, coalesce(r.names, '{}') AS read_names
FROM pg_catalog.pg_class v
JOIN pg_catalog.pg_namespace n ON n.oid = v.relnamespace
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
WHERE v.relkind IN ('v', 'm')
  AND v.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = v.oid
      AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e'
  )
