-- Every global unique constraint: one row for each table that is the topmost one with a trigger of a token, and for each
-- registered table that lost its trigger.
WITH RECURSIVE ours AS MATERIALIZED (
  SELECT t.oid, t.tgrelid, pg_catalog.left(pg_catalog.encode(t.tgargs, 'escape'), 16) AS token, t.tgparentid
  FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_trigger t ON t.oid = d.objid
    JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
  WHERE d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
    AND d.refobjid = '/*function*/'::pg_catalog.oid
    AND t.tgnargs = 1 AND pg_catalog.encode(t.tgargs, 'escape') ~ '^[0-9a-f]{16}\\000$'
    AND /*shape*/
    AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
),
-- By OID where the row is of this database and the table is there, else by name, as after a restore.
registered AS MATERIALIZED (
  SELECT r.*, coalesce(here.oid, named.oid) AS root_oid,
    CASE WHEN here.oid IS NULL THEN r.columns ELSE (
      SELECT pg_catalog.array_agg(a.attname ORDER BY key.at)
      FROM pg_catalog.unnest(r.root_columns) WITH ORDINALITY AS key(number, at)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = here.oid AND a.attnum = key.number
    ) END AS names
  FROM advisor.global_constraint_registry r
    LEFT JOIN pg_catalog.pg_class here ON here.relkind IN ('r', 'p') AND here.oid =
      CASE WHEN pg_catalog.starts_with(r.root, '/*database*//') THEN pg_catalog.split_part(r.root, '/', 3)::pg_catalog.oid END
    LEFT JOIN LATERAL pg_catalog.parse_ident(r.relation) AS name ON here.oid IS NULL
    LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = name[1]
    LEFT JOIN pg_catalog.pg_class named ON named.relnamespace = n.oid AND named.relname = name[2] AND named.relkind IN ('r', 'p')
  WHERE r.kind = 'unique'
),
-- The roots as the triggers have them: a clone is never one.
above(token, relation, ancestor) AS (
  SELECT token, tgrelid, tgrelid FROM ours WHERE tgparentid = 0
  UNION
  SELECT above.token, above.relation, i.inhparent
  FROM above JOIN pg_catalog.pg_inherits i ON i.inhrelid = above.ancestor AND NOT i.inhdetachpending
),
headless AS (
  SELECT DISTINCT r.token, r.root_oid AS root FROM registered r
  WHERE r.root_oid IS NOT NULL AND NOT EXISTS (SELECT FROM ours o WHERE o.token = r.token AND o.tgrelid = r.root_oid)
    -- Without a column of its key, the row is a leftover.
    AND NOT EXISTS (
      SELECT FROM pg_catalog.unnest(r.names) AS name
      WHERE NOT EXISTS (
        SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = r.root_oid AND a.attname = name AND NOT a.attisdropped
      )
    )
    -- As it is below another table that has the trigger.
    AND NOT EXISTS (
      WITH RECURSIVE up(relation) AS (
        SELECT r.root_oid UNION SELECT i.inhparent FROM up JOIN pg_catalog.pg_inherits i ON i.inhrelid = up.relation
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
    SELECT pg_catalog.json_agg(name) FROM pg_catalog.unnest(r.names) AS name
  ) ELSE (
    SELECT pg_catalog.json_agg(a.attname ORDER BY var.at)
    FROM pg_catalog.regexp_matches(t.tgqual::pg_catalog.text, ':varattno (-?\d+)', 'g') WITH ORDINALITY AS var(number, at)
      JOIN pg_catalog.pg_attribute a ON a.attrelid = t.tgrelid AND a.attnum = var.number[1]::pg_catalog.int2
  ) END,
  coalesce(t.tgdeferrable, r.is_deferrable), coalesce(t.tginitdeferred, r.initially_deferred),
  t.oid, coalesce(r.validated_for, ''), r.token IS NOT NULL, c.relowner, r.constraint_name, r.relation, r.definition,
  r.root, r.root_columns
FROM roots
  JOIN pg_catalog.pg_class c ON c.oid = roots.root
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_trigger t ON t.oid = roots.trigger
  LEFT JOIN pg_catalog.pg_constraint con ON con.oid = t.tgconstraint
  LEFT JOIN LATERAL (
    SELECT * FROM registered r
    WHERE r.token = roots.token AND (r.root_oid = roots.root OR r.root_oid IS NULL)
    ORDER BY r.root_oid IS NULL LIMIT 1
  ) r ON true
ORDER BY n.nspname, c.relname, 6, roots.token
