-- Bytes of every shard, in the order of the hash ranges; the rows of all, where each node has analysed its own; and the rows
-- that were written over, as tables.sql counts them: here before the table was distributed, there since. Rows that distribution
-- has moved away from here are still there, so they do not count. shard_name() leaves the schema out if that is public. Asks
-- every node, so only an audit, or a plan of a cluster, runs it.
WITH counted AS (
  SELECT a.key::int8 AS shardid, max((a.value ->> 0)::float8) AS rows, max((a.value ->> 1)::int8) AS changes
  FROM pg_catalog.run_command_on_all_nodes($$
    SELECT coalesce(json_object_agg(s.shardid, json_build_array(
      CASE WHEN c.reltuples BETWEEN 0 AND 9e18 THEN c.reltuples END,
      pg_stat_get_tuples_updated(c.oid) + pg_stat_get_tuples_deleted(c.oid)
        + greatest(0, pg_stat_get_tuples_inserted(c.oid) - greatest(pg_stat_get_live_tuples(c.oid),
          CASE WHEN c.reltuples BETWEEN 0 AND 9e18 THEN c.reltuples::int8 END)))), '{}')
    FROM pg_catalog.pg_dist_shard s
    JOIN pg_catalog.pg_class l ON l.oid = s.logicalrelid
    CROSS JOIN LATERAL parse_ident(pg_catalog.shard_name(s.logicalrelid, s.shardid)) AS shard (name)
    JOIN pg_catalog.pg_class c ON c.relnamespace = l.relnamespace AND c.relname = shard.name[cardinality(shard.name)]$$) AS r
  CROSS JOIN LATERAL json_each(CASE WHEN r.success THEN r.result::json END) AS a
  GROUP BY a.key
),
weighed AS (
  SELECT s.relation, array_agg(s.bytes ORDER BY s.minimum, s.shardid) AS bytes,
    CASE WHEN count(s.rows) = count(*) THEN sum(s.rows)::int8 END AS rows,
    coalesce(sum(s.changes), 0)::int8 AS changes
  FROM (
    SELECT s.table_name::oid AS relation, s.shardid, max(d.shardminvalue)::int8 AS minimum,
      coalesce(max(s.shard_size), 0) AS bytes, max(counted.rows) AS rows, max(counted.changes) AS changes
    FROM pg_catalog.citus_shards s
    JOIN pg_catalog.pg_dist_shard d ON d.shardid = s.shardid
    LEFT JOIN counted ON counted.shardid = s.shardid
    GROUP BY s.table_name, s.shardid
  ) AS s
  GROUP BY s.relation
)
SELECT n.nspname AS schema, c.relname AS name, w.bytes, w.rows,
  w.changes + pg_stat_get_tuples_updated(c.oid) + pg_stat_get_tuples_deleted(c.oid)
    + CASE WHEN w.rows IS NULL THEN 0
      ELSE greatest(0, pg_stat_get_tuples_inserted(c.oid) - greatest(pg_stat_get_live_tuples(c.oid), w.rows)) END AS changes
FROM weighed w
JOIN pg_catalog.pg_class c ON c.oid = w.relation
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
