-- Of tables with one shard that is here: a local table that Citus has taken over is an empty shell in front of the rows that
-- ANALYZE looks at. As column_statistics.sql, under the name of the table.
SELECT n.nspname AS schema, l.relname AS relation, s.attname AS name, s.inherited,
  nullif(s.null_frac, 'NaN') AS null_fraction, nullif(s.n_distinct, 'NaN') AS n_distinct, s.avg_width AS average_width,
  nullif(s.most_common_freqs[1], 'NaN') AS top_frequency, nullif(s.correlation, 'NaN') AS correlation
FROM pg_catalog.pg_dist_partition p
JOIN pg_catalog.pg_dist_shard d ON d.logicalrelid = p.logicalrelid
JOIN pg_catalog.pg_class l ON l.oid = p.logicalrelid
JOIN pg_catalog.pg_namespace n ON n.oid = l.relnamespace
JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(pg_catalog.shard_name(p.logicalrelid, d.shardid))
JOIN pg_catalog.pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname
WHERE p.partmethod = 'n'
