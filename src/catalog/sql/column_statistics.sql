-- pg_stats shows what this role may see. Of a partitioned table it is the whole tree that counts, of any other the
-- table alone.
SELECT r.oid::int8 AS relation, s.attname AS name,
  nullif(s.null_frac, 'NaN') AS null_fraction, nullif(s.n_distinct, 'NaN') AS n_distinct, s.avg_width AS average_width,
  nullif(s.most_common_freqs[1], 'NaN') AS top_frequency, nullif(s.correlation, 'NaN') AS correlation
FROM relation r
JOIN pg_catalog.pg_stats s
  ON s.schemaname = r.nspname AND s.tablename = r.relname AND s.inherited = (r.relkind = 'p')
WHERE r.extension IS NULL
