SELECT a.attrelid::int8 AS relation, a.attnum AS number, a.attname AS name, a.atttypid::int8 AS type,
  format_type(a.atttypid, a.atttypmod) AS type_text, a.atttypmod AS type_modifier, a.attnotnull AS not_null,
  a.attcollation::int8 AS collation,
  cn.nspname AS collation_schema, co.collname AS collation_name, co.collisdeterministic AS deterministic,
  a.attgenerated AS generated, a.attidentity AS identity,
  -- Only what is generated speaks of other columns; else the table need not be opened.
  CASE WHEN d.oid IS NOT NULL THEN pg_get_expr(d.adbin, CASE WHEN a.attgenerated <> '' THEN d.adrelid ELSE 0 END) END AS "default",
  a.attoptions AS options,
  ds.description AS comment
FROM relation r
JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_catalog.pg_collation co ON co.oid = a.attcollation
LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
LEFT JOIN pg_catalog.pg_description ds
  ON ds.classoid = 'pg_catalog.pg_class'::regclass AND ds.objoid = a.attrelid AND ds.objsubid = a.attnum
ORDER BY a.attrelid, a.attnum
