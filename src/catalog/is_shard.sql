-- A shard is called <table>_<shard id> (a long table name is cut) and lies in its table's schema.
EXISTS (
  SELECT FROM pg_catalog.pg_dist_shard s
  JOIN pg_catalog.pg_class l ON l.oid = s.logicalrelid
  WHERE s.shardid::text = substring(c.relname::text FROM '_([0-9]{1,18})$')
    AND l.relnamespace = c.relnamespace
    AND starts_with(c.relname::text, left(l.relname::text, 10))
)
