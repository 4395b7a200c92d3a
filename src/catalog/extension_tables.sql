-- Our own tables are of no concern to a plan.
SELECT r.nspname AS schema, r.relname AS name, r.extension FROM relation r
WHERE r.extension IS NOT NULL AND NOT (r.extension = 'citus_advisor' AND r.nspname = 'advisor')
