-- The row triggers of a global foreign key, on referencing and on referenced tables. Their arguments: the constraint's token,
-- match type, ON DELETE, ON UPDATE; their WHEN names the key, their FROM the topmost table of the other side.
CREATE FUNCTION advisor.check_global_foreign_key() RETURNS trigger
  LANGUAGE c AS 'MODULE_PATHNAME', 'check_global_foreign_key';
CREATE FUNCTION advisor.check_global_reference() RETURNS trigger
  LANGUAGE c AS 'MODULE_PATHNAME', 'check_global_reference';
CREATE FUNCTION advisor.check_global_truncation() RETURNS trigger
  LANGUAGE c AS 'MODULE_PATHNAME', 'check_global_truncation';

COMMENT ON FUNCTION advisor.check_global_foreign_key() IS
  'the trigger of a global foreign key on referencing tables; advisor.add_global_foreign_key makes it';
COMMENT ON FUNCTION advisor.check_global_reference() IS
  'the trigger of a global foreign key on referenced tables; advisor.add_global_foreign_key makes it';
COMMENT ON FUNCTION advisor.check_global_truncation() IS
  'the TRUNCATE trigger of a global foreign key on referenced tables; advisor.add_global_foreign_key makes it';
