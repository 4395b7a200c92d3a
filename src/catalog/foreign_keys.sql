-- conparentid: neither what a partition inherits nor what a partitioned referenced table adds for its partitions.
SELECT con.conrelid::int8 AS relation, con.conname AS name, rn.nspname AS referenced_schema,
  rc.relname AS referenced_name,
  con.conkey AS columns, con.confrelid AS referenced, con.confkey AS referenced_columns,
  -- Of a table that is not in the model, its columns are not either.
  CASE WHEN con.confrelid NOT IN (SELECT m.oid FROM relation m) THEN
    ARRAY(SELECT a.attname FROM unnest(con.confkey) WITH ORDINALITY k(number, position)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = con.confrelid AND a.attnum = k.number
          ORDER BY k.position)
  END AS referenced_column_names,
  con.confdelsetcols AS on_delete_columns,
  con.confdeltype AS on_delete, con.confupdtype AS on_update, con.confmatchtype AS match_type,
  con.condeferrable AS deferrable, con.condeferred AS initially_deferred, con.convalidated AS validated,
  /*conenforced*/ AS enforced,
  i.relname AS referenced_index,
  /*condef*/ AS definition, ds.description AS comment
FROM relation r
JOIN pg_catalog.pg_constraint con ON con.conrelid = r.oid AND con.contype = 'f' AND con.conparentid = 0
JOIN pg_catalog.pg_class rc ON rc.oid = con.confrelid
JOIN pg_catalog.pg_namespace rn ON rn.oid = rc.relnamespace
LEFT JOIN pg_catalog.pg_class i ON i.oid = con.conindid
LEFT JOIN pg_catalog.pg_description ds
  ON ds.classoid = 'pg_catalog.pg_constraint'::regclass AND ds.objoid = con.oid AND ds.objsubid = 0
