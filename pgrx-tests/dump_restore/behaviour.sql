-- What a restored constraint does.
SELECT advisor.validate_constraint('"Data".master', 'master_id_key');
SELECT advisor.validate_constraint('"Data".master', 'comments are unique');
SELECT advisor.validate_constraint('"Data".events', 'events_id_key');
SELECT advisor.validate_constraint('"Data".events', 'events_k_tenant_key');
SELECT advisor.validate_constraint('"Data"."order lines"', 'order lines_event_fkey');
SELECT advisor.validate_constraint('"Data"."order lines"', 'to master');
SELECT relation, constraint_name, validated, healthy, problems FROM advisor.global_constraints ORDER BY 1, 2;
SELECT relation, constraint_name, action FROM advisor.repair_constraints()
WHERE action <> 'recorded which keys each table may hold';
\set ON_ERROR_STOP off
\set VERBOSITY sqlstate
INSERT INTO "Data".master_2020 VALUES (150, 'new', '2020-06-06');
INSERT INTO "Data"."master 2021" VALUES (201, 'c1', '2021-06-06');
INSERT INTO "Data".events VALUES (500, 1, '2020-06-06', 'new');
INSERT INTO "Data".events VALUES (501, 1, '2020-06-06', 'k500');
INSERT INTO "Data"."order lines" VALUES (1, 999, NULL);
INSERT INTO "Data"."order lines" VALUES (1, NULL, 999);
DELETE FROM "Data".events WHERE id = 7;
SET session_replication_role = replica;
INSERT INTO "Data".events VALUES (500, 1, '2020-06-06', 'new');
RESET session_replication_role;
\set ON_ERROR_STOP on
\set VERBOSITY default
CREATE TABLE "Data".master_new () INHERITS ("Data".master);
CREATE TABLE "Data".events_new PARTITION OF "Data".events DEFAULT;
SELECT relation, constraint_name, partitions, healthy, problems FROM advisor.global_constraints ORDER BY 1, 2;
DELETE FROM "Data".master WHERE id = 150;
SELECT "Master" FROM "Data"."order lines" WHERE n = 150;
DROP TABLE "Data".master_new, "Data".events_new CASCADE;
