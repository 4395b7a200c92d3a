-- One schema a tenant: the verdict is schema-based sharding.
CREATE TABLE public.plans (id int PRIMARY KEY, name text);
DO $$ BEGIN
  FOR i IN 1..5 LOOP
    EXECUTE format('CREATE SCHEMA tenant_%s', i);
    EXECUTE format('CREATE TABLE tenant_%s.customers (id bigint PRIMARY KEY, plan_id int REFERENCES public.plans, email text UNIQUE)', i);
    EXECUTE format('CREATE TABLE tenant_%1$s.orders (id bigint PRIMARY KEY, customer_id bigint REFERENCES tenant_%1$s.customers)', i);
  END LOOP;
END $$;
ALTER TABLE tenant_4.orders ADD note text;
ALTER TABLE tenant_5.orders ADD CONSTRAINT across FOREIGN KEY (customer_id) REFERENCES tenant_1.customers;
SELECT line FROM advisor.plan_distribution() WITH ORDINALITY AS r(line, number) WHERE number BETWEEN 1 AND 22;
SELECT relation, object_type, object_name, message, detail, fix_sql FROM advisor.plan_issues() WHERE code = 'CA119';
SELECT jsonb_pretty(plan_distribution::jsonb -> 'tenant_schemas') FROM advisor.plan_distribution(format => 'json');
SET client_min_messages = warning;
DROP SCHEMA tenant_1, tenant_2, tenant_3, tenant_4, tenant_5 CASCADE;
DROP TABLE public.plans;
