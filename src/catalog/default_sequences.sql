-- nextval('s'::regclass) leaves a dependency of the default on the sequence; nextval('s'::text) does not.
SELECT DISTINCT d.adrelid::int8 AS relation, d.adnum AS number, n.nspname AS schema, s.relname AS name
FROM relation r
JOIN pg_catalog.pg_attrdef d ON d.adrelid = r.oid
JOIN pg_catalog.pg_depend p
  ON p.classid = 'pg_catalog.pg_attrdef'::regclass AND p.objid = d.oid
  AND p.refclassid = 'pg_catalog.pg_class'::regclass
JOIN pg_catalog.pg_class s ON s.oid = p.refobjid AND s.relkind = 'S'
JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
