SELECT r.oid, pg_get_indexdef(r.oid) AS definition, pg_get_constraintdef(con.oid) AS constraint_definition
FROM relation r
JOIN pg_catalog.pg_index x ON x.indexrelid = r.oid
LEFT JOIN pg_catalog.pg_constraint con
  ON con.conrelid = x.indrelid AND con.conindid = x.indexrelid AND con.contype IN ('p', 'u', 'x')
