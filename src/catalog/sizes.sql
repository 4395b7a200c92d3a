-- Of tables that are not empty.
SELECT r.oid, CASE WHEN pg_relation_size(r.oid) > 0 THEN pg_total_relation_size(r.oid) END AS size
FROM relation r
