-- The tables of a tree by OID, the order in which PostgreSQL locks them; `joined`: the transactions that made the links above.
WITH RECURSIVE tree(relation, joined) AS (
  SELECT '/*root*/'::pg_catalog.oid, ''::pg_catalog.text
  UNION
  SELECT i.inhrelid, tree.joined || ' ' || i.xmin::pg_catalog.text
  FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.relation AND NOT i.inhdetachpending
)
SELECT c.oid, n.nspname, c.relname, pg_catalog.format('%I.%I', n.nspname, c.relname), c.relkind, c.relpersistence,
  pg_catalog.pg_has_role(c.relowner, 'USAGE'), c.relowner,
  EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid AND NOT i.inhdetachpending),
  t.oid, t.tgname, t.tgenabled, con.conname, t.tgparentid <> 0,
  pg_catalog.string_agg(tree.joined, ' '),
  pg_catalog.pg_relation_size(c.oid), c.relnamespace, c.relispartition,
  -- The columns of the trigger's condition.
  (SELECT pg_catalog.json_agg(a.attname ORDER BY var.at)
   FROM pg_catalog.unnest(pg_catalog.string_to_array(t.condition, ':varattno ')) WITH ORDINALITY AS var(rest, at)
     JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = pg_catalog.split_part(var.rest, ' ', 1)::pg_catalog.int2
   WHERE var.at > 1)
FROM tree
  JOIN pg_catalog.pg_class c ON c.oid = tree.relation
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  -- One table at a time, by the index: there may be many triggers of other trees.
  LEFT JOIN LATERAL (
    SELECT t.oid, t.tgname, t.tgenabled, t.tgparentid, t.tgconstraint, t.tgqual::pg_catalog.text AS condition
    FROM pg_catalog.pg_trigger t
    WHERE t.tgrelid = c.oid AND t.tgfoid = '/*function*/'::pg_catalog.oid
      AND t.tgargs = pg_catalog.decode(pg_catalog.encode('/*token*/', 'hex') || '00', 'hex') AND /*shape*/
    OFFSET 0
  ) t ON true
  LEFT JOIN pg_catalog.pg_constraint con ON con.oid = t.tgconstraint
GROUP BY c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, c.relowner, t.oid, t.tgname, t.tgenabled, con.conname,
  t.condition, t.tgparentid, c.relnamespace, c.relispartition
ORDER BY c.oid, t.oid
