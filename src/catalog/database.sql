SELECT current_database() AS name,
  current_setting('server_version_num')::int4 AS server_version,
  (SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'citus') AS citus_version,
  ARRAY(SELECT extname FROM pg_catalog.pg_extension) AS extensions,
  current_setting('block_size')::int8 AS block_size
