SELECT s.queryid, s.calls, s./*time*/, s.query, r.rolname,
  coalesce(
    (SELECT substr(setting, 13) FROM pg_db_role_setting c, unnest(c.setconfig) AS setting
     WHERE setting LIKE 'search\_path=%' AND c.setdatabase IN (0, s.dbid) AND c.setrole IN (0, s.userid)
     ORDER BY c.setrole = 0, c.setdatabase = 0 LIMIT 1),
    d.search_path)
FROM /*schema*/.pg_stat_statements s
LEFT JOIN pg_roles r ON r.oid = s.userid
CROSS JOIN (
  -- What a session begins with that has no setting of its own: ours, if we have none.
  SELECT CASE WHEN EXISTS (
      SELECT FROM pg_db_role_setting c, unnest(c.setconfig) AS setting, pg_database d
      WHERE setting LIKE 'search\_path=%' AND d.datname = current_database()
        AND c.setdatabase IN (0, d.oid) AND (c.setrole = 0 OR c.setrole = session_user::regrole)
    ) THEN boot_val ELSE reset_val END AS search_path
  FROM pg_settings WHERE name = 'search_path'
) AS d
WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY s./*time*/ DESC, s.queryid, s.query
