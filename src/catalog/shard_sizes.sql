-- Bytes of every shard, in the order of the hash ranges, and the rows of all, where each node has analysed its own. Asks
-- every node, so only an audit, or a plan of a cluster, runs it.
WITH counted AS (
  SELECT a.key::int8 AS shardid, max(a.value::float8) AS rows
  FROM pg_catalog.run_command_on_all_nodes($$
    SELECT coalesce(json_object_agg(s.shardid, c.reltuples), '{}')
    FROM pg_catalog.pg_dist_shard s
    JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(pg_catalog.shard_name(s.logicalrelid, s.shardid))
    WHERE c.reltuples >= 0$$) AS r
  CROSS JOIN LATERAL json_each_text(CASE WHEN r.success THEN r.result::json END) AS a
  GROUP BY a.key
)
SELECT n.nspname AS schema, c.relname AS name,
  array_agg(s.bytes ORDER BY s.minimum, s.shardid) AS bytes,
  CASE WHEN count(s.rows) = count(*) THEN sum(s.rows)::int8 END AS rows
FROM (
  SELECT s.table_name::oid AS relation, s.shardid, max(d.shardminvalue)::int8 AS minimum,
    coalesce(max(s.shard_size), 0) AS bytes, max(counted.rows) AS rows
  FROM pg_catalog.citus_shards s
  JOIN pg_catalog.pg_dist_shard d ON d.shardid = s.shardid
  LEFT JOIN counted ON counted.shardid = s.shardid
  GROUP BY s.table_name, s.shardid
) AS s
JOIN pg_catalog.pg_class c ON c.oid = s.relation
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
GROUP BY n.nspname, c.relname
