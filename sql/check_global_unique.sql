-- The row trigger of a globally unique constraint. Its argument is the constraint's token; its WHEN names the key.
CREATE FUNCTION advisor.check_global_unique() RETURNS trigger
  LANGUAGE c AS 'MODULE_PATHNAME', 'check_global_unique';

-- A table without rows: its statement trigger is put behind the row triggers of a statement, to check what they have
-- collected.
CREATE FUNCTION advisor.finish_checks() RETURNS trigger
  LANGUAGE c AS 'MODULE_PATHNAME', 'finish_checks';
CREATE TABLE advisor.statement_end ();
REVOKE ALL ON advisor.statement_end FROM PUBLIC;
CREATE TRIGGER finish_checks AFTER INSERT ON advisor.statement_end
  FOR EACH STATEMENT EXECUTE FUNCTION advisor.finish_checks();
ALTER TABLE advisor.statement_end ENABLE ALWAYS TRIGGER finish_checks;

COMMENT ON FUNCTION advisor.check_global_unique() IS
  'the trigger of a global unique constraint; advisor.add_global_unique makes it';
COMMENT ON FUNCTION advisor.finish_checks() IS 'checks what the row triggers of a statement have collected';
COMMENT ON TABLE advisor.statement_end IS
  'always empty; its trigger is queued behind the row triggers of a statement, to end their checks';
