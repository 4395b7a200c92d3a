SELECT c.oid, n.nspname, c.relname,
  CASE WHEN n.nspname NOT IN ('pg_catalog', 'information_schema') THEN
    (SELECT json_object_agg(a.attnum, a.attname)::text FROM pg_attribute a
     WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) END,
  CASE WHEN n.nspname NOT IN ('pg_catalog', 'information_schema') AND c.relkind = 'v' THEN
    (SELECT w.ev_action::text FROM pg_rewrite w WHERE w.ev_class = c.oid AND w.rulename = '_RETURN') END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
