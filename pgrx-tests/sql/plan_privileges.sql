-- A role that owns nothing plans what it may see and is told what it could not see; nothing is written; a search_path
-- full of traps changes nothing.
CREATE SCHEMA bank;
CREATE TABLE bank.customer (customer_id bigint PRIMARY KEY, name text);
CREATE TABLE bank.account (account_id bigint, customer_id bigint NOT NULL REFERENCES bank.customer, PRIMARY KEY (customer_id, account_id));
INSERT INTO bank.customer SELECT i, 'c' FROM generate_series(1, 1000) i;
INSERT INTO bank.account SELECT i, i FROM generate_series(1, 1000) i;
ANALYZE bank.customer, bank.account;
CREATE ROLE advisor_test_nobody;
CREATE TEMP TABLE as_owner AS SELECT * FROM advisor.plan_distribution(ARRAY['bank']::name[]) WITH ORDINALITY p(line, n);
GRANT SELECT ON as_owner TO advisor_test_nobody;

SET ROLE advisor_test_nobody;
BEGIN READ ONLY;
SELECT advisor.plan_distribution(ARRAY['bank']::name[]);
SELECT count(*) > 0 AS script FROM advisor.plan_distribution(ARRAY['bank']::name[], format => 'sql');
SELECT pg_current_xact_id_if_assigned() IS NULL AS wrote_nothing;
COMMIT;
RESET ROLE;

-- Functions, operators, types, tables and casts of the catalog's names, in front of the catalog.
CREATE SCHEMA traps;
CREATE FUNCTION traps.trap() RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''trap''; END';
CREATE FUNCTION traps.format_type(oid, integer) RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''trap''; END';
CREATE FUNCTION traps.quote_ident(text) RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''trap''; END';
CREATE FUNCTION traps.pg_get_expr(pg_node_tree, oid) RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''trap''; END';
CREATE FUNCTION traps.same(oid, oid) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''trap''; END';
CREATE FUNCTION traps.same(name, name) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''trap''; END';
CREATE OPERATOR traps.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = traps.same);
CREATE OPERATOR traps.= (LEFTARG = name, RIGHTARG = name, FUNCTION = traps.same);
CREATE TABLE traps.pg_class (oid oid, relname name);
CREATE TABLE traps.pg_constraint (oid oid);
CREATE TEMP TABLE pg_attribute (oid oid);
SET search_path = traps, pg_temp, pg_catalog;
SET quote_all_identifiers = on;
SET DateStyle = 'German';
SET standard_conforming_strings = off;
SET enable_seqscan = off;
CREATE TEMP TABLE in_a_trap AS SELECT * FROM advisor.plan_distribution(ARRAY['bank']::pg_catalog.name[]) WITH ORDINALITY p(line, n);
RESET ALL;
SELECT count(*) AS lines_that_differ FROM as_owner o FULL JOIN in_a_trap t USING (n) WHERE o.line IS DISTINCT FROM t.line;

\set VERBOSITY terse
DROP SCHEMA bank, traps CASCADE;
DROP TABLE pg_temp.pg_attribute, as_owner, in_a_trap;
DROP ROLE advisor_test_nobody;
