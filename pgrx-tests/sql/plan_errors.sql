-- What a person can get wrong: a clear error with its SQLSTATE and a hint, never an internal one.
CREATE SCHEMA shop;
CREATE TABLE shop.orders (order_id bigint PRIMARY KEY, "Customer" bigint) PARTITION BY HASH (order_id);
CREATE TABLE shop.orders_0 PARTITION OF shop.orders FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE VIEW shop.recent AS SELECT * FROM shop.orders;
CREATE FUNCTION pg_temp.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text; message text; detail text; hint text;
BEGIN
  EXECUTE statement;
  RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  RETURN concat_ws(E'\n', state || ' ' || message, 'DETAIL: ' || nullif(detail, ''), 'HINT: ' || nullif(hint, ''));
END $$;
\pset format unaligned
\pset tuples_only on
SELECT pg_temp.try('SELECT advisor.plan_distribution(format => ''pdf'')');
SELECT pg_temp.try('SELECT advisor.plan_distribution(ARRAY[''shpo'']::name[])');
SELECT pg_temp.try('SELECT advisor.plan_distribution(ARRAY[NULL]::name[])');
SELECT pg_temp.try('SELECT advisor.plan_distribution(overrides => ''[]'')');
SELECT pg_temp.try('SELECT advisor.plan_distribution(overrides => ''{"shop.order": {"role": "reference"}}'')');
SELECT pg_temp.try('SELECT advisor.plan_distribution(overrides => ''{"shpo.orders": {"role": "reference"}}'')');
SELECT pg_temp.try('SELECT advisor.plan_distribution(overrides => ''{"shop.orders.x.y": {"role": "reference"}}'')');
SELECT pg_temp.try('SELECT advisor.plan_distribution(overrides => ''{"shop.orders": {"role": "boss"}}'')');
SELECT pg_temp.try('SELECT advisor.plan_distribution(overrides => ''{"shop.orders": {"role": "distributed"}}'')');
SELECT pg_temp.try('SELECT advisor.plan_distribution(overrides => ''{"shop.orders": {"role": "reference", "column": "x"}}'')');
SELECT pg_temp.try('SELECT advisor.plan_distribution(overrides => ''{"shop.orders": {"role": "distributed", "column": "customer"}}'')');
SELECT pg_temp.try('SELECT advisor.plan_distribution(overrides => ''{"shop.orders": {"role": "distributed", "column": "ordre_id"}}'')');
SELECT pg_temp.try('SELECT advisor.plan_distribution(overrides => ''{"shop.orders_0": {"role": "local"}}'')');
SELECT pg_temp.try('SELECT advisor.plan_distribution(overrides => ''{"shop.recent": {"role": "reference"}}'')');
SELECT pg_temp.try('SELECT advisor.plan_distribution(overrides => ''{"shop.orders": {"role": "local"}, "SHOP.Orders": {"role": "local"}}'')');
SELECT pg_temp.try('SELECT advisor.check_distribution(NULL)');
SELECT pg_temp.try('SELECT advisor.check_distribution(''{"shop.orders": 5}'')');
-- NULL for an argument with a default means the default.
SELECT count(*) > 5 FROM advisor.plan_distribution(NULL, NULL, NULL);
DROP SCHEMA shop CASCADE;
