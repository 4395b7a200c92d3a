-- Partitioning and plain inheritance, in the order of the parents.
SELECT i.inhrelid::int8 AS relation, n.nspname AS schema, c.relname AS name
FROM relation r
JOIN pg_catalog.pg_inherits i ON i.inhrelid = r.oid
JOIN pg_catalog.pg_class c ON c.oid = i.inhparent
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
ORDER BY i.inhrelid, i.inhseqno
