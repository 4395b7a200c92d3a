-- Key columns first, then INCLUDE columns, which have neither operator class nor options. Names of columns are known by then.
SELECT x.indexrelid::int8 AS index, k AS position, k <= x.indnkeyatts AS key,
  x.indrelid::int8 AS relation, x.indkey[k - 1] AS number, i.relam::int8 AS method,
  CASE WHEN x.indkey[k - 1] = 0 THEN pg_get_indexdef(x.indexrelid, k, false) END AS expression,
  oc.oid::int8 AS operator_class, oc.opcdefault AS operator_class_default,
  ocn.nspname AS operator_class_schema, oc.opcname AS operator_class_name,
  co.oid::int8 AS collation, con.nspname AS collation_schema, co.collname AS collation_name,
  k <= x.indnkeyatts AND x.indoption[k - 1]::int4 & 1 = 1 AS descending,
  k <= x.indnkeyatts AND x.indoption[k - 1]::int4 & 2 = 2 AS nulls_first,
  opn.nspname AS operator_schema, op.oprname AS operator_name,
  op.oid IS NOT NULL AND EXISTS (
    SELECT FROM pg_catalog.pg_amop o
    WHERE o.amopopr = op.oid AND o.amopmethod = 403 AND o.amopstrategy = 3
  ) AS equality
FROM relation r
JOIN pg_catalog.pg_index x ON x.indrelid = r.oid AND x.indislive
JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
CROSS JOIN LATERAL generate_series(1, x.indnatts::int4) AS k
LEFT JOIN pg_catalog.pg_opclass oc ON k <= x.indnkeyatts AND oc.oid = x.indclass[k - 1]
LEFT JOIN pg_catalog.pg_namespace ocn ON ocn.oid = oc.opcnamespace
LEFT JOIN pg_catalog.pg_collation co ON k <= x.indnkeyatts AND co.oid = x.indcollation[k - 1]
LEFT JOIN pg_catalog.pg_namespace con ON con.oid = co.collnamespace
LEFT JOIN pg_catalog.pg_constraint x_con
  ON x.indisexclusion AND x_con.conrelid = x.indrelid AND x_con.conindid = x.indexrelid AND x_con.contype = 'x'
LEFT JOIN pg_catalog.pg_operator op ON op.oid = x_con.conexclop[k]
LEFT JOIN pg_catalog.pg_namespace opn ON opn.oid = op.oprnamespace
ORDER BY x.indexrelid, k
