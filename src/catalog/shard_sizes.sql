-- Bytes of every shard, in the order of the hash ranges. Asks every node, so only an audit runs it.
SELECT n.nspname AS schema, c.relname AS name,
  array_agg(s.bytes ORDER BY s.minimum, s.shardid) AS bytes
FROM (
  SELECT s.table_name::oid AS relation, s.shardid, max(d.shardminvalue)::int8 AS minimum,
    coalesce(max(s.shard_size), 0) AS bytes
  FROM pg_catalog.citus_shards s
  JOIN pg_catalog.pg_dist_shard d ON d.shardid = s.shardid
  GROUP BY s.table_name, s.shardid
) AS s
JOIN pg_catalog.pg_class c ON c.oid = s.relation
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
GROUP BY n.nspname, c.relname
