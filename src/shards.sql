WITH RECURSIVE tree AS (
  SELECT $1::oid AS oid
  UNION
  SELECT i.inhrelid FROM pg_inherits i JOIN tree t ON t.oid = i.inhparent
),
sizes AS (
  SELECT c.reltuples, c.relpages, pg_relation_size(c.oid) AS heap, pg_total_relation_size(c.oid) AS bytes
  FROM tree t JOIN pg_class c ON c.oid = t.oid WHERE c.relkind = 'r'
),
total AS (
  SELECT coalesce(sum(CASE
      WHEN reltuples >= 0 AND relpages > 0 THEN reltuples::float8 / relpages * heap / current_setting('block_size')::int8
      -- Never analysed: rows of a usual width.
      ELSE heap / 100.0
    END), 0) AS rows,
    coalesce(sum(heap), 0) AS heap, coalesce(sum(bytes), 0) AS bytes,
    coalesce(bool_and(reltuples >= 0 AND relpages > 0) FILTER (WHERE heap > 0), false) AS analysed
  FROM sizes
)
SELECT n.nspname, c.relname, c.relkind, least(round(total.rows), 9e18)::int8, total.heap, total.bytes,
  c.relkind IN ('r', 'p') AND c.relrowsecurity AND row_security_active(c.oid), total.analysed
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, total
WHERE c.oid = $1
