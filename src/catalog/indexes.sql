SELECT x.indexrelid::int8 AS oid, x.indrelid::int8 AS relation, i.relname AS name, x.indisunique AS unique,
  am.amname AS method, x.indisvalid AS valid, x.indnullsnotdistinct AS nulls_not_distinct,
  x.indisclustered AS clustered, x.indisreplident AS replica_identity,
  CASE WHEN x.indpred IS NOT NULL THEN pg_get_expr(x.indpred, x.indrelid) END AS predicate,
  parent.relname AS parent, ts.spcname AS tablespace, i.reloptions AS options,
  i.relkind AS kind, ids.description AS comment,
  con.contype AS constraint_type, con.conname AS constraint_name, con.condeferrable AS deferrable,
  con.condeferred AS initially_deferred, /*conperiod*/ AS period,
  cds.description AS constraint_comment
FROM relation r
JOIN pg_catalog.pg_index x ON x.indrelid = r.oid AND x.indislive
JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_am am ON am.oid = i.relam
LEFT JOIN pg_catalog.pg_constraint con
  ON con.conrelid = x.indrelid AND con.conindid = x.indexrelid AND con.contype IN ('p', 'u', 'x')
LEFT JOIN pg_catalog.pg_inherits inh ON inh.inhrelid = x.indexrelid
LEFT JOIN pg_catalog.pg_class parent ON parent.oid = inh.inhparent
LEFT JOIN pg_catalog.pg_tablespace ts ON ts.oid = i.reltablespace
LEFT JOIN pg_catalog.pg_description ids
  ON ids.classoid = 'pg_catalog.pg_class'::regclass AND ids.objoid = x.indexrelid AND ids.objsubid = 0
LEFT JOIN pg_catalog.pg_description cds
  ON cds.classoid = 'pg_catalog.pg_constraint'::regclass AND cds.objoid = con.oid AND cds.objsubid = 0
