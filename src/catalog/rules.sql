SELECT w.ev_class::int8 AS relation, w.rulename AS name, pg_get_ruledef(w.oid) AS definition
FROM relation r
JOIN pg_catalog.pg_rewrite w ON w.ev_class = r.oid AND w.rulename <> '_RETURN'
