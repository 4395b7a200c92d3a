SELECT t.tgrelid::int8 AS relation, t.tgname AS name, pg_get_triggerdef(t.oid) AS definition,
  fn.nspname AS function_schema, f.proname AS function_name, t.tgenabled AS enabled,
  (SELECT min(e.extname::text COLLATE "C") FROM pg_catalog.pg_depend d
   JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
   WHERE d.classid = 'pg_catalog.pg_trigger'::regclass AND d.objid = t.oid
     AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype IN ('e', 'x')) AS extension,
  ds.description AS comment
FROM relation r
JOIN pg_catalog.pg_trigger t ON t.tgrelid = r.oid AND NOT t.tgisinternal AND t.tgparentid = 0
JOIN pg_catalog.pg_proc f ON f.oid = t.tgfoid
JOIN pg_catalog.pg_namespace fn ON fn.oid = f.pronamespace
LEFT JOIN pg_catalog.pg_description ds
  ON ds.classoid = 'pg_catalog.pg_trigger'::regclass AND ds.objoid = t.oid AND ds.objsubid = 0
