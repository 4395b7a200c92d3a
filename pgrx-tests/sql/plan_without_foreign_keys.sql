-- Analytics without a single foreign key: what belongs together is inferred from the names, and marked so.
CREATE SCHEMA metrics;
SET search_path = metrics;
CREATE TABLE sites (id bigint PRIMARY KEY, host text);
CREATE TABLE http_requests (site_id bigint NOT NULL, at timestamptz NOT NULL DEFAULT now(), url text, ms int);
CREATE TABLE http_requests_per_minute (site_id bigint NOT NULL, minute timestamptz NOT NULL, requests bigint, PRIMARY KEY (site_id, minute));
CREATE TABLE settings (name text PRIMARY KEY, value text);

SELECT advisor.plan_distribution(ARRAY['metrics']::name[]);

RESET search_path;
\set VERBOSITY terse
DROP SCHEMA metrics CASCADE;
