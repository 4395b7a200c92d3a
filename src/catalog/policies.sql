SELECT p.polrelid::int8 AS relation, p.polname AS name, p.polcmd AS command, p.polpermissive AS permissive,
  ARRAY(SELECT CASE WHEN role = 0 THEN NULL ELSE pg_get_userbyid(role) END FROM unnest(p.polroles) AS role) AS roles,
  CASE WHEN p.polqual IS NOT NULL THEN pg_get_expr(p.polqual, p.polrelid) END AS using,
  CASE WHEN p.polwithcheck IS NOT NULL THEN pg_get_expr(p.polwithcheck, p.polrelid) END AS with_check,
  -- Text inside a node tree has its braces escaped: only a node begins like this.
  coalesce(p.polqual::text LIKE '%{SUBLINK %', false) OR coalesce(p.polwithcheck::text LIKE '%{SUBLINK %', false)
    AS subquery
FROM relation r
JOIN pg_catalog.pg_policy p ON p.polrelid = r.oid
