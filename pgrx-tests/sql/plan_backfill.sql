-- A helpdesk whose messages and attachments do not say whose they are: the plan gives them the column, fills it over the
-- foreign keys, and says what that takes; the script does it.
CREATE SCHEMA desk;
SET search_path = desk;
CREATE TABLE companies (company_id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE agents (agent_id bigint PRIMARY KEY, company_id bigint NOT NULL REFERENCES companies, name text);
CREATE TABLE tickets (ticket_id bigint PRIMARY KEY, company_id bigint NOT NULL REFERENCES companies, subject text);
CREATE TABLE messages (message_id bigint PRIMARY KEY, ticket_id bigint NOT NULL REFERENCES tickets, agent_id bigint REFERENCES agents, body text);
CREATE TABLE attachments (attachment_id bigint PRIMARY KEY, message_id bigint NOT NULL REFERENCES messages, file text);
INSERT INTO companies SELECT i, 'company ' || i FROM generate_series(1, 200) AS i;
INSERT INTO agents SELECT i, i % 200 + 1, 'agent ' || i FROM generate_series(1, 1000) AS i;
INSERT INTO tickets SELECT i, i % 200 + 1, 'subject ' || i FROM generate_series(1, 3000) AS i;
-- The agent of message 1 is another company's.
INSERT INTO messages SELECT i, i % 3000 + 1, CASE WHEN i = 1 THEN 1 WHEN i % 3 = 0 THEN (i + 1) % 200 + 200 END, repeat('x', 200)
FROM generate_series(1, 9000) AS i;
INSERT INTO attachments SELECT i, i, repeat('y', 100) FROM generate_series(1, 4000) AS i;
ANALYZE companies, agents, tickets, messages, attachments;

SELECT relation, role, distribution_column, colocation_group, because FROM advisor.plan_tables('{desk}');
SELECT code, level, effect, relation, object_name, message, hint FROM advisor.plan_issues('{desk}')
WHERE code LIKE 'CA22_' ORDER BY relation, code;
SELECT step, phase, statement FROM advisor.migration_steps('{desk}')
WHERE relation IN ('desk.messages', 'desk.attachments') AND statement LIKE '%company_id%' ORDER BY step;

-- Ways that disagree can be counted beforehand.
SELECT code, relation, object_name, rows, example
FROM advisor.check_data((SELECT assignment FROM advisor.plan_alternatives('{desk}', how_many => 1)))
WHERE code LIKE 'CA22_' OR code = 'CA420' ORDER BY relation, code, object_name;

-- A column that no path leads to is none.
SELECT * FROM advisor.plan_tables('{desk}', '{"desk.companies": {"role": "distributed", "column": "region_id"}}');
DROP SCHEMA desk CASCADE;
