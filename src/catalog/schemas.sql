-- A schema of an extension counts only where someone put a table of their own into it.
SELECT n.nspname AS name
FROM pg_catalog.pg_namespace n
WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'planned_migration')
  AND (
    NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend d
      WHERE d.classid = 'pg_catalog.pg_namespace'::regclass AND d.objid = n.oid
        AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e'
    ) AND NOT EXISTS (
      -- PostgreSQL creates the schema of a control file, but does not make it a member.
      SELECT FROM pg_catalog.pg_extension x WHERE x.extname = 'citus_advisor' AND x.extnamespace = n.oid
    )
    OR n.oid IN (SELECT c.relnamespace FROM relation r JOIN pg_catalog.pg_class c ON c.oid = r.oid)
  )
