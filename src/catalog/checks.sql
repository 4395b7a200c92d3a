SELECT con.conrelid::int8 AS relation, con.conname AS name, pg_get_constraintdef(con.oid) AS definition,
  con.convalidated AS validated, con.connoinherit AS no_inherit, NOT con.conislocal AS inherited,
  (SELECT d.description FROM pg_catalog.pg_description d
    WHERE d.classoid = 'pg_catalog.pg_constraint'::regclass AND d.objoid = con.oid) AS comment
FROM relation r
JOIN pg_catalog.pg_constraint con ON con.conrelid = r.oid AND con.contype = 'c'
