-- Every global unique constraint: one row for each table that is the topmost one with a trigger of a token, and for each
-- registered table that lost its trigger.
WITH RECURSIVE ours AS MATERIALIZED (
  SELECT t.oid, t.tgrelid, pg_catalog.left(pg_catalog.encode(t.tgargs, 'escape'), 16) AS token, t.tgparentid
  FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_trigger t ON t.oid = d.objid
  WHERE d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
    AND d.refobjid = 'advisor.check_global_unique()'::pg_catalog.regprocedure
    AND t.tgnargs = 1 AND pg_catalog.encode(t.tgargs, 'escape') ~ '^[0-9a-f]{16}\\000$'
),
registered AS MATERIALIZED (
  SELECT r.*, c.oid AS root
  FROM advisor.global_constraint_registry r
    LEFT JOIN LATERAL pg_catalog.parse_ident(r.relation) AS name ON true
    LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = name[1]
    LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = name[2] AND c.relkind IN ('r', 'p')
),
-- The roots as the triggers have them: a clone is never one.
above(token, relation, ancestor) AS (
  SELECT token, tgrelid, tgrelid FROM ours WHERE tgparentid = 0
  UNION
  SELECT above.token, above.relation, i.inhparent
  FROM above JOIN pg_catalog.pg_inherits i ON i.inhrelid = above.ancestor AND NOT i.inhdetachpending
),
headless AS (
  SELECT r.token, r.root FROM registered r
  WHERE r.root IS NOT NULL AND NOT EXISTS (SELECT FROM ours o WHERE o.token = r.token AND o.tgrelid = r.root)
    -- Below another table that has the trigger, the row is a leftover.
    AND NOT EXISTS (
      WITH RECURSIVE up(relation) AS (
        SELECT r.root UNION SELECT i.inhparent FROM up JOIN pg_catalog.pg_inherits i ON i.inhrelid = up.relation
      )
      SELECT FROM up JOIN ours o ON o.tgrelid = up.relation AND o.token = r.token
    )
),
roots AS (
  SELECT o.token, o.tgrelid AS root, o.oid AS trigger
  FROM ours o
  WHERE o.tgparentid = 0 AND NOT EXISTS (
    SELECT FROM above a
    WHERE a.token = o.token AND a.relation = o.tgrelid AND a.ancestor <> o.tgrelid
      AND ((a.token, a.ancestor) IN (SELECT token, tgrelid FROM ours) OR (a.token, a.ancestor) IN (SELECT token, root FROM headless))
  )
  UNION ALL
  SELECT token, root, NULL FROM headless
)
SELECT roots.token, roots.root, n.nspname, c.relname, pg_catalog.format('%I.%I', n.nspname, c.relname),
  coalesce(con.conname, t.tgname, r.constraint_name),
  CASE WHEN t.oid IS NULL THEN (
    SELECT pg_catalog.json_agg(name) FROM pg_catalog.unnest(r.columns) AS name
  ) ELSE (
    SELECT pg_catalog.json_agg(a.attname ORDER BY var.at)
    FROM pg_catalog.regexp_matches(t.tgqual::pg_catalog.text, ':varattno (-?\d+)', 'g') WITH ORDINALITY AS var(number, at)
      JOIN pg_catalog.pg_attribute a ON a.attrelid = t.tgrelid AND a.attnum = var.number[1]::pg_catalog.int2
  ) END,
  coalesce(t.tgdeferrable, r.is_deferrable), coalesce(t.tginitdeferred, r.initially_deferred),
  t.oid, coalesce(r.validated_for, ''), r.token IS NOT NULL, c.relowner, r.constraint_name, r.relation, r.definition
FROM roots
  JOIN pg_catalog.pg_class c ON c.oid = roots.root
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_trigger t ON t.oid = roots.trigger
  LEFT JOIN pg_catalog.pg_constraint con ON con.oid = t.tgconstraint
  LEFT JOIN LATERAL (
    SELECT * FROM registered r
    WHERE r.token = roots.token AND (r.root = roots.root OR r.root IS NULL)
    ORDER BY r.root IS NULL LIMIT 1
  ) r ON true
ORDER BY n.nspname, c.relname, 6, roots.token
