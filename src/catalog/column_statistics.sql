-- pg_stats shows what this role may see. It is joined to the tables in Rust: without statistics on pg_statistic itself
-- a join by names here would be a nested loop.
SELECT s.schemaname AS schema, s.tablename AS relation, s.attname AS name, s.inherited,
  nullif(s.null_frac, 'NaN') AS null_fraction, nullif(s.n_distinct, 'NaN') AS n_distinct, s.avg_width AS average_width,
  nullif(s.most_common_freqs[1], 'NaN') AS top_frequency, nullif(s.correlation, 'NaN') AS correlation
FROM pg_catalog.pg_stats s
WHERE s.schemaname !~ '^pg_' AND s.schemaname <> 'information_schema'
