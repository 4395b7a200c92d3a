-- Names that try to break out: report, rows, overrides and script quote them right.
CREATE SCHEMA "Dr. Evil's; DROP SCHEMA public; --";
SET search_path = "Dr. Evil's; DROP SCHEMA public; --";
CREATE TABLE "select" ("Tenant Id" bigint, PRIMARY KEY ("Tenant Id"));
CREATE TABLE "Ünï ""tbl""" ("Tenant Id" bigint NOT NULL REFERENCES "select", "a\b$$" int, "from" text, UNIQUE ("a\b$$"));
CREATE TABLE "sixty_three_bytes_sixty_three_bytes_sixty_three_bytes_sixty_thr" ("Tenant Id" bigint NOT NULL,
  "'; SELECT 1 -- " text, CONSTRAINT "fk'""\" FOREIGN KEY ("Tenant Id") REFERENCES "select" ON DELETE CASCADE);
COMMENT ON CONSTRAINT "fk'""\" ON "sixty_three_bytes_sixty_three_bytes_sixty_three_bytes_sixty_thr" IS E'it''s "\\ $$ :x';
RESET search_path;

SELECT advisor.plan_distribution(ARRAY['Dr. Evil''s; DROP SCHEMA public; --']::name[]);
SELECT advisor.plan_distribution(ARRAY['Dr. Evil''s; DROP SCHEMA public; --']::name[],
  '{"\"Dr. Evil''s; DROP SCHEMA public; --\".\"select\"": {"role": "distributed", "column": "Tenant Id"}}', 'sql');

\set VERBOSITY terse
DROP SCHEMA "Dr. Evil's; DROP SCHEMA public; --" CASCADE;
