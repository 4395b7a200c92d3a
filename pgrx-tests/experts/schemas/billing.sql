CREATE TABLE customers (id bigint PRIMARY KEY, name text);
CREATE TABLE plans (id int PRIMARY KEY, name text);
CREATE TABLE prices (id int PRIMARY KEY, plan_id int NOT NULL, amount numeric);
CREATE TABLE subscriptions (id bigint PRIMARY KEY, customer_id bigint NOT NULL, plan_id int NOT NULL);
CREATE TABLE invoices (id bigint PRIMARY KEY, "customerId" bigint NOT NULL, issued_on date);
CREATE TABLE invoice_lines (id bigint PRIMARY KEY, invoice_id bigint NOT NULL, customer_id bigint NOT NULL, amount numeric);
CREATE TABLE payments (id bigint PRIMARY KEY, "customerId" bigint NOT NULL, invoice_id bigint, paid_at timestamptz);
CREATE TABLE usage_records (customer_id bigint NOT NULL, recorded_at timestamptz NOT NULL, meter text NOT NULL, quantity numeric);
CREATE INDEX ON usage_records (customer_id, recorded_at);
