SELECT p.logicalrelid::oid::int8 AS relation,
  CASE
    WHEN p.partmethod <> 'n' THEN 'distributed'
    WHEN p.repmodel = 't' THEN 'reference'
    WHEN p.colocationid = 0 THEN 'local'
    ELSE 'single_shard'
  END AS kind,
  a.attname AS distribution_column, p.colocationid::int8 AS colocation_id,
  (SELECT count(*) FROM pg_catalog.pg_dist_shard s WHERE s.logicalrelid = p.logicalrelid) AS shard_count
FROM pg_catalog.pg_dist_partition p
LEFT JOIN pg_catalog.pg_attribute a
  ON a.attrelid = p.logicalrelid AND a.attnum = substring(p.partkey::text FROM ':varattno ([0-9]+)')::int2
