COMMENT ON FUNCTION advisor.schema_model(name[]) IS 'all that the planner knows of this database, for bug reports and replay';
COMMENT ON FUNCTION advisor._rules() IS 'the rows of advisor.rules';
COMMENT ON VIEW advisor.rules IS 'every objection that Citus can have to a distribution, with its remedy';
GRANT USAGE ON SCHEMA advisor TO PUBLIC;
