-- What hands can do to a constraint, what the view says then, and what repair does.
CREATE SCHEMA gh;
SET search_path = gh;
CREATE VIEW health AS SELECT relation, constraint_name, validated, healthy, problems FROM advisor.global_constraints;
CREATE TABLE master(id int, comment text);
CREATE TABLE child_1() INHERITS (master);
CREATE TABLE child_2() INHERITS (master);
SELECT advisor.add_global_unique('master', 'id');
CREATE TABLE events(id int, k int) PARTITION BY LIST (k);
CREATE TABLE events_1 PARTITION OF events FOR VALUES IN (1);
CREATE TABLE events_2 PARTITION OF events FOR VALUES IN (2);
SELECT advisor.add_global_unique('events', 'id', 'the key', initially_deferred => true);
SELECT * FROM health;
SELECT * FROM advisor.repair_constraints();

-- Disabled
ALTER TABLE child_1 DISABLE TRIGGER master_id_key;
ALTER TABLE events_2 DISABLE TRIGGER ALL;
SELECT * FROM health;
SELECT advisor.validate_constraint('master', 'master_id_key');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM advisor.repair_constraints('master');
SELECT * FROM advisor.repair_constraints('events');
SELECT advisor.validate_constraint('master', 'master_id_key');
SELECT advisor.validate_constraint('events', 'the key');
SELECT * FROM health;
-- Disabled and enabled again: it fires, but nobody knows what came in meanwhile.
ALTER TABLE events DISABLE TRIGGER USER;
ALTER TABLE events ENABLE TRIGGER USER;
SELECT * FROM health;
SELECT advisor.validate_constraint('events', 'the key');
-- Another trigger is another matter.
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER other AFTER INSERT ON child_1 EXECUTE FUNCTION nothing();
ALTER TABLE child_1 DISABLE TRIGGER other;
ALTER TABLE child_1 ENABLE REPLICA TRIGGER master_id_key;
SELECT * FROM health;
SELECT * FROM advisor.repair_constraints('child_1');
SELECT advisor.validate_constraint('master', 'master_id_key');

-- Dropped
DROP TRIGGER master_id_key ON child_2;
DROP TRIGGER "the key" ON events;
SELECT * FROM health;
SELECT * FROM advisor.repair_constraints();
SELECT advisor.validate_constraint('master', 'master_id_key');
DROP TRIGGER master_id_key ON master;
SELECT * FROM health;
SELECT * FROM advisor.repair_constraints();
SELECT advisor.validate_constraint('master', 'master_id_key');
SELECT advisor.validate_constraint('events', 'the key');
SELECT * FROM health;
SELECT is_deferrable, initially_deferred FROM advisor.global_constraints;

-- Indexes
DROP INDEX events_1_id_idx, child_1_id_idx, child_2_id_idx;
CREATE INDEX ON events_1 (id) WHERE id > 0;
CREATE INDEX ON child_1 (id DESC);
CREATE INDEX ON child_2 USING hash (id);
SELECT * FROM health;
SELECT * FROM advisor.repair_constraints();
SELECT * FROM health;

-- Without its row of the registry, as pg_dump -n restores it
DELETE FROM advisor.global_constraint_registry;
SELECT * FROM health;
SELECT * FROM advisor.repair_constraints();
SELECT advisor.validate_constraint('master', 'master_id_key');
SELECT * FROM health;

-- Behind the back of the event triggers
ALTER EVENT TRIGGER citus_advisor_ddl DISABLE;
CREATE TABLE child_3() INHERITS (master);
INSERT INTO child_3 VALUES (1), (1);
SELECT * FROM health;
ALTER EVENT TRIGGER citus_advisor_ddl ENABLE ALWAYS;
SELECT * FROM advisor.repair_constraints('master');
SELECT * FROM health;
SELECT * FROM advisor.violations('master', 'master_id_key');
SELECT advisor.validate_constraint('master', 'master_id_key');
\echo :LAST_ERROR_SQLSTATE
TRUNCATE child_3;
SELECT advisor.validate_constraint('master', 'master_id_key');
SELECT * FROM health;
-- Triggers that hands made: none of them is a constraint,
CREATE VIEW a_view AS SELECT 1 AS id;
CREATE TRIGGER by_hand INSTEAD OF INSERT ON a_view FOR EACH ROW EXECUTE FUNCTION advisor.check_global_unique('0123456789abcdef');
CREATE TEMP TABLE passing(id int UNIQUE);
CREATE CONSTRAINT TRIGGER by_hand AFTER INSERT OR UPDATE ON passing FOR EACH ROW WHEN (NEW.id IS DISTINCT FROM NULL)
  EXECUTE FUNCTION advisor.check_global_unique('0123456789abcdef');
CREATE TABLE by_hand(id int, k point);
CREATE TABLE by_hand_1() INHERITS (by_hand);
CREATE CONSTRAINT TRIGGER one AFTER INSERT ON by_hand FOR EACH ROW WHEN (NEW.id IS DISTINCT FROM NULL)
  EXECUTE FUNCTION advisor.check_global_unique('0123456789abcde1');
CREATE TRIGGER two AFTER INSERT OR UPDATE ON by_hand FOR EACH ROW WHEN (NEW.id IS DISTINCT FROM NULL)
  EXECUTE FUNCTION advisor.check_global_unique('0123456789abcde2');
CREATE CONSTRAINT TRIGGER three AFTER INSERT OR UPDATE ON by_hand FOR EACH ROW WHEN (NEW.id > 5)
  EXECUTE FUNCTION advisor.check_global_unique('0123456789abcde3');
CREATE CONSTRAINT TRIGGER four AFTER INSERT OR UPDATE ON by_hand FOR EACH ROW
  EXECUTE FUNCTION advisor.check_global_unique('0123456789abcde4');
CREATE CONSTRAINT TRIGGER five AFTER INSERT OR UPDATE ON by_hand FOR EACH ROW WHEN (NEW.id IS DISTINCT FROM NULL)
  EXECUTE FUNCTION advisor.check_global_unique('token');
CREATE CONSTRAINT TRIGGER seven AFTER INSERT OR UPDATE ON by_hand FOR EACH ROW WHEN (NEW.id IS DISTINCT FROM NULL)
  EXECUTE FUNCTION advisor.check_global_unique('''||1/0||''123456');
SELECT count(*) FROM health WHERE relation !~ 'master|events';
-- and one that looks like ours does not stand in the way of others.
CREATE CONSTRAINT TRIGGER six AFTER INSERT OR UPDATE ON by_hand FOR EACH ROW WHEN (NEW.k IS DISTINCT FROM NULL)
  EXECUTE FUNCTION advisor.check_global_unique('0123456789abcde6');
ALTER TABLE child_1 DISABLE TRIGGER master_id_key;
SELECT * FROM health;
SELECT * FROM advisor.repair_constraints();
SELECT * FROM advisor.repair_constraints('by_hand');
\echo :LAST_ERROR_SQLSTATE
SELECT advisor.validate_constraint('master', 'master_id_key');
SELECT * FROM health;
DROP TABLE passing, by_hand, by_hand_1;

-- Rows of the registry whose table has gone unseen
ALTER EVENT TRIGGER citus_advisor_drop DISABLE;
CREATE TABLE unseen(id int, k int) PARTITION BY LIST (k);
SELECT advisor.add_global_unique('unseen', 'id');
DROP TABLE unseen;
CREATE TABLE seen(id int, k int) PARTITION BY LIST (k);
SELECT advisor.add_global_unique('seen', 'id');
SET client_min_messages = error;
ALTER TABLE seen DROP COLUMN id CASCADE;
RESET client_min_messages;
ALTER EVENT TRIGGER citus_advisor_drop ENABLE ALWAYS;
SELECT * FROM health;
SELECT relation FROM advisor.global_constraint_registry ORDER BY 1;
SELECT * FROM advisor.repair_constraints();
SELECT relation FROM advisor.global_constraint_registry ORDER BY 1;
SELECT advisor._follow_ddl();
\echo :LAST_ERROR_SQLSTATE
SELECT advisor._follow_drop();
\echo :LAST_ERROR_SQLSTATE
SET client_min_messages = error;
DROP SCHEMA gh CASCADE;
SELECT count(*) FROM advisor.global_constraint_registry;
