-- ANALYZE for a dump that came with rows. Table by table, and not the trees that have foreign tables: ANALYZE would go
-- and read those from another server.
SET search_path = pg_catalog;
SELECT format('ANALYZE %I.%I', n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm')
	AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_toast%'
	AND NOT EXISTS (
		WITH RECURSIVE tree AS (
			SELECT c.oid
			UNION
			SELECT i.inhrelid FROM pg_inherits i JOIN tree t ON t.oid = i.inhparent)
		SELECT FROM tree t JOIN pg_class m ON m.oid = t.oid WHERE m.relkind = 'f')
ORDER BY 1 \gexec
