-- Nothing of ours runs what a table's owner wrote as somebody else: predicates, checks, arguments of triggers.
CREATE ROLE privileges_mallory;
CREATE SCHEMA privileges;
GRANT ALL ON SCHEMA privileges TO privileges_mallory;
SET search_path = privileges;
SET ROLE privileges_mallory;
CREATE FUNCTION who() RETURNS bool LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  IF current_user <> 'privileges_mallory' THEN RAISE WARNING 'runs as another'; END IF;
  RETURN true;
END $$;
CREATE FUNCTION evil(int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN (SELECT privileges.who()); END';
CREATE FUNCTION evil_token() RETURNS bytea LANGUAGE plpgsql VOLATILE AS $$ BEGIN PERFORM privileges.who(); RETURN ''; END $$;
CREATE TABLE m (id int);
CREATE TABLE c () INHERITS (m);
CREATE INDEX ON c (id) WHERE privileges.evil(1);
SELECT advisor.add_global_unique('m', 'id');
CREATE TABLE w (id int);
CREATE CONSTRAINT TRIGGER t AFTER INSERT ON w FOR EACH ROW WHEN (NEW.id IS NOT NULL)
  EXECUTE FUNCTION advisor.check_global_unique('''||evil_token()||''5');
CREATE TABLE many (a int, b int);
-- Triggers made by hand, of every wrong kind.
CREATE CONSTRAINT TRIGGER t AFTER INSERT ON many FOR EACH ROW EXECUTE FUNCTION advisor.check_global_unique('0123456789abcdef');
\set VERBOSITY sqlstate
INSERT INTO w VALUES (1);
INSERT INTO many VALUES (1, 1);
DROP TRIGGER t ON many;
CREATE TRIGGER t BEFORE INSERT ON many FOR EACH ROW EXECUTE FUNCTION advisor.check_global_unique('0123456789abcdef');
INSERT INTO many VALUES (1, 1);
DROP TRIGGER t ON many;
CREATE TRIGGER t AFTER INSERT ON many EXECUTE FUNCTION advisor.check_global_unique('0123456789abcdef');
INSERT INTO many VALUES (1, 1);
CREATE TEMP TABLE mine (id int UNIQUE);
CREATE CONSTRAINT TRIGGER t AFTER INSERT ON mine FOR EACH ROW WHEN (NEW.id IS NOT NULL)
  EXECUTE FUNCTION advisor.check_global_unique('0123456789abcdef');
INSERT INTO mine VALUES (1);
SELECT advisor.check_global_unique();
\set VERBOSITY default
RESET ROLE;
SELECT relation, constraint_name FROM advisor.global_constraints WHERE relation LIKE 'privileges.%';
INSERT INTO m VALUES (1);
CREATE TABLE r (id int, d int);
CREATE TABLE rc () INHERITS (r);
INSERT INTO r VALUES (99, 0);
SELECT advisor.add_global_unique('r', 'id');
ALTER TABLE rc OWNER TO privileges_mallory;
SET ROLE privileges_mallory;
CREATE TABLE g (id int, d int, CHECK (privileges.evil(1)));
INSERT INTO g VALUES (1, 1);
ALTER TABLE g INHERIT rc;
CREATE TABLE g2 (id int, d int, CHECK (privileges.evil(1)));
INSERT INTO g2 VALUES (99, 1);
ALTER TABLE g2 INHERIT rc;
-- Values are for those who may read them.
GRANT INSERT ON rc TO privileges_mallory;
INSERT INTO rc VALUES (99, 2);
INSERT INTO advisor.global_key_claims VALUES (0, 0, 0, 0, 0);
DELETE FROM advisor.global_constraint_registry;
INSERT INTO advisor.statement_end DEFAULT VALUES;
RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA privileges CASCADE;
DROP OWNED BY privileges_mallory;
DROP ROLE privileges_mallory;
