-- What a restored constraint does. Run twice: the first pass validates.
\set VERBOSITY verbose
SELECT advisor.validate_constraint('"Data".master', 'master_id_key');
SELECT advisor.validate_constraint('"Data".master', 'comments are unique');
SELECT advisor.validate_constraint('"Data".events', 'events_id_key');
SELECT advisor.validate_constraint('"Data".events', 'events_k_tenant_key');
SELECT relation, constraint_name, validated, healthy, problems FROM advisor.global_constraints ORDER BY 1, 2;
SELECT relation, constraint_name, action FROM advisor.repair_constraints();
CREATE TABLE "Data".master_new () INHERITS ("Data".master);
CREATE TABLE "Data".events_new PARTITION OF "Data".events DEFAULT;
SELECT relation, constraint_name, partitions, healthy, problems FROM advisor.global_constraints ORDER BY 1, 2;
DROP TABLE "Data".master_new, "Data".events_new;
