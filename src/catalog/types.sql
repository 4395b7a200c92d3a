-- Every type of a column, and what those are made of.
WITH RECURSIVE used (oid) AS (
  SELECT a.atttypid
  FROM relation r
  JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
  UNION
  SELECT c.reloftype FROM relation r JOIN pg_catalog.pg_class c ON c.oid = r.oid
  WHERE c.reloftype <> 0
  UNION
  SELECT part.oid
  FROM used
  JOIN pg_catalog.pg_type t ON t.oid = used.oid
  CROSS JOIN LATERAL (
    SELECT t.typbasetype WHERE t.typbasetype <> 0
    UNION ALL
    SELECT t.typelem WHERE t.typelem <> 0 AND t.typcategory = 'A'
    UNION ALL
    SELECT g.rngsubtype FROM pg_catalog.pg_range g WHERE g.rngtypid = t.oid
    UNION ALL
    SELECT g.rngtypid FROM pg_catalog.pg_range g WHERE g.rngmultitypid = t.oid
    UNION ALL
    SELECT a.atttypid FROM pg_catalog.pg_attribute a
    WHERE t.typrelid <> 0 AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
  ) AS part (oid)
)
SELECT t.oid::int8, n.nspname AS schema, t.typname AS name, format_type(t.oid, NULL) AS text, t.typtype AS kind,
  t.typcategory AS category, t.typnotnull AS not_null,
  coalesce(
    nullif(t.typbasetype, 0),
    CASE WHEN t.typcategory = 'A' AND t.typelem <> 0 THEN t.typelem END,
    g.rngsubtype,
    m.rngtypid
  )::int8 AS inner,
  t.typcategory = 'A' AND t.typelem <> 0 AND t.typtype = 'b' AS is_array,
  CASE WHEN t.typrelid <> 0 THEN ARRAY(
    SELECT a.atttypid::int8 FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attnum
  ) END AS fields,
  CASE WHEN c.relkind IN ('r', 'p', 'f') THEN cn.nspname END AS row_type_schema,
  CASE WHEN c.relkind IN ('r', 'p', 'f') THEN c.relname END AS row_type_name,
  e.extname AS extension
FROM used
JOIN pg_catalog.pg_type t ON t.oid = used.oid
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_catalog.pg_range g ON g.rngtypid = t.oid
LEFT JOIN pg_catalog.pg_range m ON m.rngmultitypid = t.oid
LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_depend d
  ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e'
  AND (d.classid = 'pg_catalog.pg_type'::regclass AND d.objid = t.oid
    OR d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = nullif(t.typrelid, 0))
LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
