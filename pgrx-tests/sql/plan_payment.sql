-- The payment example, small: merchants and event types become reference tables, events follow their users.
CREATE SCHEMA payment;
SET search_path = payment;
CREATE TABLE event_types (event_type_id bigint CONSTRAINT event_types_pk PRIMARY KEY, event_type text);
CREATE TABLE payment_users (user_id bigint CONSTRAINT payment_users_pk PRIMARY KEY, url text, login text, avatar_url text);
CREATE TABLE payment_merchants (merchant_id bigint CONSTRAINT payment_merchants_pk PRIMARY KEY, name text, url text);
CREATE TABLE payment_events (event_id bigint,
  user_id bigint CONSTRAINT payment_events_payment_users_fk REFERENCES payment_users (user_id),
  event_type_id bigint CONSTRAINT payment_events_event_types_fk REFERENCES event_types (event_type_id),
  merchant_id bigint CONSTRAINT payment_events_payment_merchants_fk REFERENCES payment_merchants (merchant_id),
  event_details jsonb, created_at timestamp) PARTITION BY RANGE (created_at);
SELECT format('CREATE TABLE payment_events_%s PARTITION OF payment_events FOR VALUES FROM (%L) TO (%L)',
              to_char(m, 'YYYY_MM'), m::date, (m + interval '1 month')::date)
FROM generate_series(timestamp '2025-01-01', '2025-12-01', '1 month') m \gexec

-- Empty: users and merchants are symmetric, names decide, and the report says so.
SELECT advisor.plan_distribution(ARRAY['payment']::name[]);

INSERT INTO event_types SELECT i, 'type ' || i FROM generate_series(1, 5) i;
INSERT INTO payment_users SELECT i, 'https://example.com/' || i, 'login' || i, NULL FROM generate_series(1, 5000) i;
INSERT INTO payment_merchants SELECT i, 'merchant ' || i, NULL FROM generate_series(1, 100) i;
INSERT INTO payment_events
SELECT i, i % 5000 + 1, i % 5 + 1, i % 100 + 1, '{"amount": 1}', timestamp '2025-01-01' + i % 365 * interval '1 day'
FROM generate_series(1, 25000) i;
ANALYZE event_types, payment_users, payment_merchants, payment_events;

SELECT advisor.plan_distribution(ARRAY['payment']::name[]);
SELECT relation, role, distribution_column, colocation_group, rows FROM advisor.plan_tables(ARRAY['payment']::name[]);

-- Merchants on their own key: a group of their own, and the foreign key from the events is what it costs.
SELECT advisor.plan_distribution(ARRAY['payment']::name[], '{
  "payment.event_types": {"role": "reference"},
  "payment.payment_users": {"role": "distributed", "column": "user_id"},
  "payment.payment_events": {"role": "distributed", "column": "user_id"},
  "payment.payment_merchants": {"role": "distributed", "column": "merchant_id"}}');

-- Events on their own number: told why that is poor, and what to use.
SELECT advisor.plan_distribution(ARRAY['payment']::name[], '{
  "payment_users": {"role": "distributed", "column": "user_id"},
  "payment_events": {"role": "distributed", "column": "event_id"}}');

RESET search_path;
\set VERBOSITY terse
DROP SCHEMA payment CASCADE;
