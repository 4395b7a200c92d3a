-- What may be lost: all else is read from the triggers. A row whose validated_for is not of this database's trigger says
-- that the rows have not been looked at since. root and root_columns say which table and columns it is about, whatever
-- they are called by now; after a restore they are of another database, and the names count.
CREATE TABLE advisor.global_constraint_registry (
  token text NOT NULL,
  relation text NOT NULL,
  kind text NOT NULL,
  constraint_name name NOT NULL,
  columns name[] NOT NULL,
  is_deferrable boolean NOT NULL,
  initially_deferred boolean NOT NULL,
  definition text NOT NULL,
  validated_for text,
  root text,
  root_columns smallint[],
  -- Of a foreign key.
  referenced text,
  referenced_columns name[],
  referenced_root text,
  referenced_root_columns smallint[],
  referenced_members oid[],
  match_type text,
  on_delete text,
  on_update text,
  PRIMARY KEY (token, relation)
);
REVOKE ALL ON advisor.global_constraint_registry FROM PUBLIC;
GRANT SELECT ON advisor.global_constraint_registry TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('advisor.global_constraint_registry', '');
COMMENT ON TABLE advisor.global_constraint_registry IS
  'what advisor knows of global constraints beyond their triggers; see advisor.global_constraints';

CREATE VIEW advisor.global_constraints AS
SELECT relation, constraint_name, kind, columns, referenced, referenced_columns, match_type, on_delete, on_update,
  is_deferrable, initially_deferred, validated, partitions, healthy, problems, definition
FROM advisor._global_constraints();
GRANT SELECT ON advisor.global_constraints TO PUBLIC;
COMMENT ON VIEW advisor.global_constraints IS
  'constraints across all partitions: what they are, whether the rows are known to hold them, what is wrong with them';

-- They look at nothing as long as no global constraint exists.
CREATE EVENT TRIGGER citus_advisor_ddl ON ddl_command_end
  WHEN TAG IN ('CREATE TABLE', 'CREATE FOREIGN TABLE', 'CREATE SCHEMA', 'IMPORT FOREIGN SCHEMA', 'ALTER TABLE',
               'ALTER FOREIGN TABLE', 'ALTER SCHEMA', 'CREATE TRIGGER',
               -- These rename tables and columns as well.
               'ALTER INDEX', 'ALTER VIEW', 'ALTER MATERIALIZED VIEW', 'ALTER TYPE')
  EXECUTE FUNCTION advisor._follow_ddl();
CREATE EVENT TRIGGER citus_advisor_ddl_start ON ddl_command_start
  WHEN TAG IN ('ALTER TABLE')
  EXECUTE FUNCTION advisor._precede_ddl();
CREATE EVENT TRIGGER citus_advisor_drop ON sql_drop EXECUTE FUNCTION advisor._follow_drop();
ALTER EVENT TRIGGER citus_advisor_ddl ENABLE ALWAYS;
ALTER EVENT TRIGGER citus_advisor_ddl_start ENABLE ALWAYS;
ALTER EVENT TRIGGER citus_advisor_drop ENABLE ALWAYS;
