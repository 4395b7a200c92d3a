SELECT s.stxrelid::int8 AS relation, n.nspname AS schema, s.stxname AS name,
  pg_get_statisticsobjdef(s.oid) AS definition, s.stxexprs IS NOT NULL AS expressions
FROM relation r
JOIN pg_catalog.pg_statistic_ext s ON s.stxrelid = r.oid
JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace
