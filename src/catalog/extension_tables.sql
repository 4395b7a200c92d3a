SELECT r.nspname AS schema, r.relname AS name, r.extension FROM relation r WHERE r.extension IS NOT NULL
