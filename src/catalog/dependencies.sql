-- What expressions, indexes and policies of a table need, followed through functions and types as Citus follows
-- pg_depend: down to objects of extensions, tables (by their row types) and objects without further dependencies.
-- The types of columns are followed in the model itself. Objects built into PostgreSQL leave no dependency.
WITH RECURSIVE used_type (relation, column_name, oid) AS (
  SELECT a.attrelid, a.attname, a.atttypid
  FROM relation r
  JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
  -- Types that PostgreSQL brings hold no domain.
  WHERE a.atttypid >= 16384
  UNION
  SELECT u.relation, u.column_name, part.oid
  FROM used_type u
  JOIN pg_catalog.pg_type t ON t.oid = u.oid
  CROSS JOIN LATERAL (
    SELECT t.typbasetype WHERE t.typbasetype <> 0
    UNION ALL
    SELECT t.typelem WHERE t.typelem <> 0 AND t.typcategory = 'A'
    UNION ALL
    SELECT g.rngsubtype FROM pg_catalog.pg_range g WHERE g.rngtypid = t.oid
    UNION ALL
    SELECT a.atttypid FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.oid = t.typrelid AND c.relkind = 'c'
  ) AS part (oid)
  WHERE part.oid >= 16384
    AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend e
      WHERE e.classid = 'pg_catalog.pg_type'::regclass AND e.objid = u.oid
        AND e.refclassid = 'pg_catalog.pg_extension'::regclass AND e.deptype = 'e'
    )
),
-- Names come last: of most of what there is to start from nothing is found.
source (relation, via, via_name, classid, objid) AS (
  -- What the checks of domains need.
  SELECT u.relation, 'column', u.column_name, 'pg_catalog.pg_constraint'::regclass::oid, c.oid
  FROM used_type u
  JOIN pg_catalog.pg_constraint c ON c.contypid = u.oid AND c.contype = 'c'
  UNION ALL
  SELECT d.adrelid, 'default', NULL, 'pg_catalog.pg_attrdef'::regclass::oid, d.oid
  FROM relation r
  JOIN pg_catalog.pg_attrdef d ON d.adrelid = r.oid
  UNION ALL
  SELECT c.conrelid, CASE c.contype WHEN 'c' THEN 'check' ELSE 'index' END, c.conname,
    'pg_catalog.pg_constraint'::regclass::oid, c.oid
  FROM relation r
  JOIN pg_catalog.pg_constraint c ON c.conrelid = r.oid AND c.contype IN ('c', 'x')
  UNION ALL
  SELECT x.indrelid, 'index', NULL, 'pg_catalog.pg_class'::regclass::oid, x.indexrelid
  FROM relation r
  JOIN pg_catalog.pg_index x ON x.indrelid = r.oid
  UNION ALL
  SELECT p.polrelid, 'policy', p.polname, 'pg_catalog.pg_policy'::regclass::oid, p.oid
  FROM relation r
  JOIN pg_catalog.pg_policy p ON p.polrelid = r.oid
),
first (relation, via, via_name, classid, objid) AS (
  SELECT s.relation, s.via,
    coalesce(s.via_name, CASE s.via
      WHEN 'default' THEN (
        SELECT a.attname
        FROM pg_catalog.pg_attrdef ad
        JOIN pg_catalog.pg_attribute a ON a.attrelid = ad.adrelid AND a.attnum = ad.adnum
        WHERE ad.oid = s.objid)
      ELSE (SELECT i.relname FROM pg_catalog.pg_class i WHERE i.oid = s.objid)
    END),
    d.refclassid, d.refobjid
  FROM source s
  JOIN pg_catalog.pg_depend d ON d.classid = s.classid AND d.objid = s.objid AND d.deptype = 'n'
  WHERE NOT (d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = s.relation)
),
walk (relation, via, via_name, classid, objid) AS (
  SELECT * FROM first
  UNION
  SELECT w.relation, w.via, w.via_name, next.classid, next.objid
  FROM walk w
  CROSS JOIN LATERAL (
    SELECT d.refclassid, d.refobjid
    FROM pg_catalog.pg_depend d
    WHERE d.classid = w.classid AND d.objid = w.objid AND d.deptype IN ('n', 'i')
      AND w.classid IN ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_type'::regclass)
    UNION ALL
    -- A free-standing composite type depends on its fields through its pg_class row.
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
object AS (
  SELECT o.classid, o.objid,
    CASE
      WHEN o.classid = 'pg_catalog.pg_proc'::regclass THEN 'function'
      WHEN o.classid = 'pg_catalog.pg_operator'::regclass THEN 'operator'
      WHEN o.classid = 'pg_catalog.pg_opclass'::regclass THEN 'operator_class'
      WHEN o.classid = 'pg_catalog.pg_opfamily'::regclass THEN 'operator_family'
      WHEN o.classid = 'pg_catalog.pg_collation'::regclass THEN 'collation'
      WHEN o.classid = 'pg_catalog.pg_cast'::regclass THEN 'cast'
      WHEN o.classid = 'pg_catalog.pg_class'::regclass AND c.relkind IN ('r', 'p', 'f') THEN 'table'
      WHEN o.classid = 'pg_catalog.pg_type'::regclass AND t.typtype IN ('b', 'r', 'm')
        AND NOT (t.typtype = 'b' AND t.typcategory = 'A' AND t.typelem <> 0) AND e.oid IS NULL THEN 'unsupported_type'
      WHEN o.classid = 'pg_catalog.pg_type'::regclass AND e.oid IS NOT NULL THEN 'other'
      WHEN o.classid NOT IN (
        'pg_catalog.pg_class'::regclass, 'pg_catalog.pg_type'::regclass, 'pg_catalog.pg_namespace'::regclass,
        'pg_catalog.pg_language'::regclass, 'pg_catalog.pg_extension'::regclass, 'pg_catalog.pg_authid'::regclass
      ) THEN 'other'
    END AS kind,
    CASE WHEN c.oid IS NOT NULL THEN cn.nspname END AS table_schema,
    c.relname AS table_name,
    e.extname AS extension
  FROM (SELECT DISTINCT classid, objid FROM walk) AS o
  LEFT JOIN pg_catalog.pg_class c ON o.classid = 'pg_catalog.pg_class'::regclass AND c.oid = o.objid
  LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_type t ON o.classid = 'pg_catalog.pg_type'::regclass AND t.oid = o.objid
  LEFT JOIN pg_catalog.pg_depend d
    ON d.classid = o.classid AND d.objid = o.objid AND d.objsubid = 0
    AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e'
  LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
)
SELECT w.relation::int8, w.via, w.via_name, o.kind, o.extension, o.table_schema, o.table_name,
  CASE WHEN o.table_name IS NULL THEN (pg_identify_object(o.classid, o.objid, 0)).identity END AS name
FROM walk w
JOIN object o ON o.classid = w.classid AND o.objid = w.objid
WHERE o.kind IS NOT NULL
