-- The tables of the model. Every other query starts from those without extension, so that all agree on what is left out:
-- system schemas, temporary tables, members of extensions (`extension` is set) and, under Citus, shards.
SELECT c.oid, n.nspname AS schema, c.relname AS name, e.extname AS extension
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_depend d
  ON d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
  AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e'
LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
WHERE c.relkind IN ('r', 'p', 'f')
  AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  -- The notebook of a migration that was cut off.
  AND n.nspname <> 'planned_migration'
  AND NOT (/*is_shard*/)
