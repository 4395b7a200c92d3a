SELECT r.oid, pg_get_indexdef(r.oid) AS definition FROM relation r
