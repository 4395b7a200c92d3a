-- Every global foreign key: one row for each pair of tables whose triggers of one token name each other by FROM, and for each
-- registered pair of tables that lost them. Triggers below the two are not looked at here.
WITH ours AS MATERIALIZED (
  SELECT t.oid, t.tgrelid, t.tgconstrrelid, t.tgconstraint, t.tgqual, t.tgdeferrable, t.tginitdeferred,
    t.tgfoid = '/*referencing*/'::pg_catalog.oid AS is_referencing, pg_catalog.encode(t.tgargs, 'escape') AS arguments,
    pg_catalog.split_part(pg_catalog.encode(t.tgargs, 'escape'), '\000', 1) AS token
  FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_trigger t ON t.oid = d.objid
    JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
  WHERE d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
    AND d.refobjid IN ('/*referencing*/'::pg_catalog.oid, '/*referenced*/'::pg_catalog.oid)
    AND t.tgnargs = 4 AND pg_catalog.encode(t.tgargs, 'escape') ~ '^[0-9a-f]{16}\\000'
    AND /*shape*/
    AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
),
pairs AS (
  SELECT f.*, p.tgqual AS referenced_condition
  FROM ours f
    CROSS JOIN LATERAL (
      SELECT p.tgqual FROM ours p
      WHERE f.is_referencing AND NOT p.is_referencing AND p.arguments = f.arguments
        AND p.tgrelid = f.tgconstrrelid AND p.tgconstrrelid = f.tgrelid
      LIMIT 1
    ) p
),
-- By OID where the row is of this database and the table is there, else by name, as after a restore.
registered AS MATERIALIZED (
  SELECT r.*, coalesce(here.oid, named.oid) AS root_oid, coalesce(there.oid, other.oid) AS referenced_oid,
    CASE WHEN here.oid IS NULL THEN r.columns ELSE (
      SELECT pg_catalog.array_agg(a.attname ORDER BY key.at)
      FROM pg_catalog.unnest(r.root_columns) WITH ORDINALITY AS key(number, at)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = here.oid AND a.attnum = key.number AND NOT a.attisdropped
    ) END AS names,
    CASE WHEN there.oid IS NULL THEN r.referenced_columns ELSE (
      SELECT pg_catalog.array_agg(a.attname ORDER BY key.at)
      FROM pg_catalog.unnest(r.referenced_root_columns) WITH ORDINALITY AS key(number, at)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = there.oid AND a.attnum = key.number AND NOT a.attisdropped
    ) END AS referenced_names
  FROM advisor.global_constraint_registry r
    LEFT JOIN pg_catalog.pg_class here ON here.relkind IN ('r', 'p') AND here.oid =
      CASE WHEN pg_catalog.starts_with(r.root, '/*database*//') THEN pg_catalog.split_part(r.root, '/', 3)::pg_catalog.oid END
    LEFT JOIN LATERAL pg_catalog.parse_ident(r.relation) AS name ON here.oid IS NULL
    LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = name[1]
    LEFT JOIN pg_catalog.pg_class named ON named.relnamespace = n.oid AND named.relname = name[2] AND named.relkind IN ('r', 'p')
    LEFT JOIN pg_catalog.pg_class there ON there.relkind IN ('r', 'p') AND there.oid =
      CASE WHEN pg_catalog.starts_with(r.referenced_root, '/*database*//')
        THEN pg_catalog.split_part(r.referenced_root, '/', 3)::pg_catalog.oid END
    LEFT JOIN LATERAL pg_catalog.parse_ident(r.referenced) AS other_name ON there.oid IS NULL
    LEFT JOIN pg_catalog.pg_namespace m ON m.nspname = other_name[1]
    LEFT JOIN pg_catalog.pg_class other ON other.relnamespace = m.oid AND other.relname = other_name[2]
      AND other.relkind IN ('r', 'p')
  WHERE r.kind = 'foreign key'
),
keys AS (
  SELECT p.token, p.tgrelid AS root, p.tgconstrrelid AS referenced, p.oid AS trigger, p.tgconstraint, p.arguments,
    p.tgdeferrable, p.tginitdeferred, p.tgqual, p.referenced_condition, NULL::pg_catalog.name[] AS names,
    NULL::pg_catalog.name[] AS referenced_names, NULL::pg_catalog.name AS name
  FROM pairs p
  UNION ALL
  SELECT r.token, r.root_oid, r.referenced_oid, NULL, NULL,
    r.token || '\000' || r.match_type || '\000' || r.on_delete || '\000' || r.on_update || '\000',
    r.is_deferrable, r.initially_deferred, NULL, NULL, r.names, r.referenced_names, r.constraint_name
  FROM registered r
  WHERE r.root_oid IS NOT NULL AND r.referenced_oid IS NOT NULL
    AND pg_catalog.cardinality(r.names) = pg_catalog.cardinality(r.columns)
    AND pg_catalog.cardinality(r.referenced_names) = pg_catalog.cardinality(r.columns)
    AND NOT EXISTS (
      SELECT FROM pairs p WHERE p.token = r.token AND p.tgrelid = r.root_oid AND p.tgconstrrelid = r.referenced_oid
    )
)
SELECT keys.token, keys.root, n.nspname, c.relname, pg_catalog.format('%I.%I', n.nspname, c.relname), c.relowner,
  keys.referenced, m.nspname, d.relname, pg_catalog.format('%I.%I', m.nspname, d.relname),
  coalesce(con.conname, keys.name),
  CASE WHEN keys.trigger IS NULL THEN (SELECT pg_catalog.json_agg(name) FROM pg_catalog.unnest(keys.names) AS name) ELSE (
    SELECT pg_catalog.json_agg(a.attname ORDER BY var.at)
    FROM pg_catalog.regexp_matches(keys.tgqual::pg_catalog.text, ':varattno (-?\d+)', 'g') WITH ORDINALITY AS var(number, at)
      JOIN pg_catalog.pg_attribute a ON a.attrelid = keys.root AND a.attnum = var.number[1]::pg_catalog.int2
  ) END,
  CASE WHEN keys.trigger IS NULL THEN (SELECT pg_catalog.json_agg(name) FROM pg_catalog.unnest(keys.referenced_names) AS name)
  ELSE (
    SELECT pg_catalog.json_agg(a.attname ORDER BY var.at)
    FROM pg_catalog.regexp_matches(keys.referenced_condition::pg_catalog.text, ':varattno (-?\d+)', 'g')
        WITH ORDINALITY AS var(number, at)
      JOIN pg_catalog.pg_attribute a ON a.attrelid = keys.referenced AND a.attnum = var.number[1]::pg_catalog.int2
  ) END,
  pg_catalog.split_part(keys.arguments, '\000', 2), pg_catalog.split_part(keys.arguments, '\000', 3),
  pg_catalog.split_part(keys.arguments, '\000', 4), keys.tgdeferrable, keys.tginitdeferred, keys.trigger,
  coalesce(r.validated_for, ''), r.token IS NOT NULL, r.constraint_name, r.relation, r.definition, r.root,
  r.root_columns, r.referenced, r.referenced_root, r.referenced_root_columns, r.referenced_members
FROM keys
  JOIN pg_catalog.pg_class c ON c.oid = keys.root
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_class d ON d.oid = keys.referenced
  JOIN pg_catalog.pg_namespace m ON m.oid = d.relnamespace
  LEFT JOIN pg_catalog.pg_constraint con ON con.oid = keys.tgconstraint
  LEFT JOIN LATERAL (
    SELECT * FROM registered r
    WHERE r.token = keys.token AND (r.root_oid = keys.root OR r.root_oid IS NULL)
    ORDER BY r.root_oid IS NULL LIMIT 1
  ) r ON true
ORDER BY n.nspname, c.relname, 11, keys.token
