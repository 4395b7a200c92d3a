-- A multi-tenant application with surrogate keys: keys and foreign keys are widened, business keys become unique per tenant.
CREATE SCHEMA crm;
SET search_path = crm;
CREATE TABLE country (code char(2) PRIMARY KEY, name text NOT NULL);
CREATE TABLE company (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, country char(2) REFERENCES country);
CREATE TABLE employee (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, company_id bigint NOT NULL REFERENCES company,
  manager_id bigint REFERENCES employee, email text NOT NULL UNIQUE);
CREATE TABLE project (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, company_id bigint NOT NULL REFERENCES company ON UPDATE CASCADE,
  slug text NOT NULL, UNIQUE (company_id, slug));
CREATE TABLE task (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, company_id bigint NOT NULL REFERENCES company,
  project_id bigint NOT NULL REFERENCES project ON DELETE CASCADE,
  assignee_id bigint REFERENCES employee ON DELETE SET NULL, title text, updated_at timestamptz);
CREATE UNIQUE INDEX task_title_key ON task (lower(title)) WHERE title IS NOT NULL;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated_at := now(); RETURN NEW; END';
CREATE TRIGGER task_touch BEFORE UPDATE ON task FOR EACH ROW EXECUTE FUNCTION touch();

SELECT advisor.plan_distribution(ARRAY['crm']::name[]);
SELECT code, name, level, effect, relation, object_type, object_name, message, fix_sql, fingerprint
FROM advisor.plan_issues(ARRAY['crm']::name[]) WHERE effect = 'blocked';

RESET search_path;
\set VERBOSITY terse
DROP SCHEMA crm CASCADE;
