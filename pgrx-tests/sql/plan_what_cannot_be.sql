-- Tables that Citus does not take, and a key column it cannot hash.
CREATE SCHEMA odd;
SET search_path = odd;
CREATE TABLE measurement (id bigint PRIMARY KEY, city text, at date);
CREATE TABLE measurement_berlin () INHERITS (measurement);
CREATE TABLE log (at date NOT NULL, account_id bigint NOT NULL, line text) PARTITION BY RANGE (at);
CREATE TABLE log_2025 PARTITION OF log FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') PARTITION BY HASH (account_id);
CREATE TABLE log_2025_0 PARTITION OF log_2025 FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE TABLE document (body json, tags xml, price money PRIMARY KEY);
CREATE TABLE account (account_id bigint PRIMARY KEY, name text);
CREATE TABLE booking (account_id bigint NOT NULL REFERENCES account, during tstzrange, room int,
  total numeric(12,2), doubled numeric GENERATED ALWAYS AS (total * 2) STORED,
  EXCLUDE USING gist (during WITH &&));

SELECT advisor.plan_distribution(ARRAY['odd']::name[]);
-- Insisting is possible; everything that Citus would refuse is named at once.
SELECT code, name, effect, relation, object_type, object_name, message, detail FROM advisor.plan_issues(ARRAY['odd']::name[], '{
  "odd.measurement": {"role": "distributed", "column": "id"},
  "odd.log": {"role": "reference"},
  "odd.document": {"role": "distributed", "column": "body"},
  "odd.account": {"role": "distributed", "column": "account_id"},
  "odd.booking": {"role": "distributed", "column": "doubled"}}')
WHERE effect = 'blocked';

-- A view that calls a function on rows of a table keeps Citus from taking that table.
CREATE SCHEMA rows;
SET search_path = rows;
CREATE TABLE person (id bigint PRIMARY KEY, name text, password text);
CREATE FUNCTION without_password(person) RETURNS person LANGUAGE sql IMMUTABLE AS $$ SELECT $1.id, $1.name, '' $$;
CREATE VIEW everybody AS SELECT (without_password(p)).name FROM person p;
CREATE VIEW somebody AS SELECT name FROM everybody LIMIT 1;
CREATE VIEW names AS SELECT upper(name) FROM person;
SELECT code, effect, object_type, object_name, message, detail
FROM advisor.plan_issues(ARRAY['rows']::name[], '{"rows.person": {"role": "reference"}}') WHERE object_type = 'view';
SELECT phase, because FROM advisor.migration_steps(ARRAY['rows']::name[], '{"rows.person": {"role": "reference"}}')
WHERE because LIKE 'Lost:%';
SELECT phase, statement FROM advisor.rollback_steps(ARRAY['rows']::name[], '{"rows.person": {"role": "reference"}}')
WHERE statement LIKE '%CREATE VIEW%';
SELECT count(*) FROM advisor.plan_issues(ARRAY['rows']::name[], '{"rows.person": {"role": "local"}}') WHERE object_type = 'view';

RESET search_path;
\set VERBOSITY terse
DROP SCHEMA odd CASCADE;
DROP SCHEMA rows CASCADE;
