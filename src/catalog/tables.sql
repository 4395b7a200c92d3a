SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind, pg_get_userbyid(c.relowner) AS owner,
  c.relpersistence AS persistence,
  CASE WHEN c.relispartition THEN pg_get_expr(c.relpartbound, 0) END AS partition_bound,
  c.relispartition AS is_partition,
  p.partstrat AS partition_strategy,
  p.partattrs::int2[] AS partition_columns,
  CASE WHEN p.partrelid IS NOT NULL THEN pg_get_partkeydef(c.oid) END AS partition_definition,
  am.amname AS access_method,
  ame.extname AS access_method_extension,
  nullif(c.reloftype, 0)::int8 AS of_type,
  ts.spcname AS tablespace,
  fdw.fdwname AS wrapper,
  ft.ftoptions AS options,
  c.relreplident AS replica_identity,
  c.relrowsecurity AS row_security,
  c.relforcerowsecurity AS force_row_security,
  pg_has_role(c.relowner, 'USAGE') AS owned_by_reader,
  (has_table_privilege(c.oid, 'SELECT') AND NOT (c.relrowsecurity AND row_security_active(c.oid)))
    AS statistics_readable,
  -- Both can be set by hand to anything, NaN included.
  CASE WHEN c.reltuples BETWEEN 0 AND 9e18 THEN c.reltuples::int8 END AS rows,
  CASE WHEN c.relpages > 0 THEN c.relpages END AS pages,
  CASE WHEN c.relkind = 'r' THEN pg_relation_filepath(c.oid) END AS file,
  pg_stat_get_tuples_updated(c.oid) + pg_stat_get_tuples_deleted(c.oid)
    + greatest(0, pg_stat_get_tuples_inserted(c.oid)
      - greatest(pg_stat_get_live_tuples(c.oid), CASE WHEN c.reltuples BETWEEN 0 AND 9e18 THEN c.reltuples::int8 END))
    AS changes,
  ds.description AS comment
FROM relation r
JOIN pg_catalog.pg_class c ON c.oid = r.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = c.oid
LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
LEFT JOIN pg_catalog.pg_depend amd
  ON amd.classid = 'pg_catalog.pg_am'::regclass AND amd.objid = am.oid
  AND amd.refclassid = 'pg_catalog.pg_extension'::regclass AND amd.deptype = 'e'
LEFT JOIN pg_catalog.pg_extension ame ON ame.oid = amd.refobjid
LEFT JOIN pg_catalog.pg_tablespace ts ON ts.oid = c.reltablespace
LEFT JOIN pg_catalog.pg_foreign_table ft ON ft.ftrelid = c.oid
LEFT JOIN pg_catalog.pg_foreign_server fs ON fs.oid = ft.ftserver
LEFT JOIN pg_catalog.pg_foreign_data_wrapper fdw ON fdw.oid = fs.srvfdw
LEFT JOIN pg_catalog.pg_description ds
  ON ds.classoid = 'pg_catalog.pg_class'::regclass AND ds.objoid = c.oid AND ds.objsubid = 0
