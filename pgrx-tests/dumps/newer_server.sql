--
-- A dump as pg_dump 17 and 18 write it with -C, of a database with roles and extensions that are not here.
--

\restrict Ufd8fYlT0a4v2bUQk4vE2mI6XKkPzq1OZ0WJx8mVYhqVd5d

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

CREATE DATABASE "Shop" WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = builtin BUILTIN_LOCALE = 'C.UTF-8';
ALTER DATABASE "Shop" OWNER TO "shop owner";

\unrestrict Ufd8fYlT0a4v2bUQk4vE2mI6XKkPzq1OZ0WJx8mVYhqVd5d
\connect -reuse-previous=on "dbname='Shop'"
\restrict Ufd8fYlT0a4v2bUQk4vE2mI6XKkPzq1OZ0WJx8mVYhqVd5d

SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;

CREATE SCHEMA public;
ALTER SCHEMA public OWNER TO pg_database_owner;

CREATE EXTENSION IF NOT EXISTS postgis WITH SCHEMA public;
COMMENT ON EXTENSION postgis IS 'PostGIS geometry and geography spatial types and functions';
CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;

CREATE FUNCTION public.touched() RETURNS trigger
    LANGUAGE plpgsql
    AS $_$
BEGIN
  -- a semicolon; a $$ quote $$; and a 'string;
  NEW.touched := now(); RETURN NEW;
END;
$_$;
ALTER FUNCTION public.touched() OWNER TO "shop owner";

CREATE FUNCTION public.total(p_order bigint) RETURNS numeric
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT CASE WHEN total.p_order > 0 THEN 1 ELSE 2 END AS "case";
 SELECT 3.5;
END;

SET default_tablespace = fast_disks;
SET default_table_access_method = heap;

CREATE TABLE public.customers (
    id bigint NOT NULL,
    name text DEFAULT 'it''s; \ -- not a comment /* nor this'::text,
    touched timestamp with time zone
);
ALTER TABLE public.customers OWNER TO "shop owner";

CREATE TABLE public.orders (
    id bigint NOT NULL,
    customer_id bigint NOT NULL,
    note text
);
ALTER TABLE public.orders OWNER TO "Robert""); DROP TABLE customers;--";

CREATE TABLE public.shops (
    id bigint NOT NULL,
    place public.geometry(Point,4326)
);
ALTER TABLE public.shops OWNER TO "shop owner";

COPY public.customers (id, name, touched) FROM stdin;
1	Ünï; DROP TABLE public.customers;	\N
2	\\! touch /tmp/citus_advisor_was_here	2025-01-01 00:00:00+00
\.

COPY public.shops (id, place) FROM stdin;
1	0101
\! touch /tmp/citus_advisor_was_here
DROP TABLE public.customers; '
\.

COPY public.orders (id, customer_id, note) FROM stdin;
10	1	$$
11	2	'
\.

SELECT pg_catalog.setval('public.no_such_seq', 11, true);

CREATE TABLE public."it's" (
    id bigint NOT NULL
);
SELECT * FROM pg_catalog.pg_restore_relation_stats(
	'version', '180004'::integer,
	'schemaname', 'public',
	'relname', 'it''s',
	'relpages', '4425'::integer,
	'reltuples', '1e+06'::real,
	'relallvisible', '0'::integer
);
SELECT * FROM pg_catalog.pg_restore_attribute_stats(
	'version', '180004'::integer,
	'schemaname', 'public',
	'relname', 'it''s',
	'attname', 'id',
	'inherited', 'f'::boolean,
	'n_distinct', '-1'::real
);
ALTER TABLE ONLY public."it's"
    ADD CONSTRAINT its_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.customers
    ADD CONSTRAINT customers_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.customers(id);
CREATE INDEX shops_place ON public.shops USING gist (place);
CREATE INDEX CONCURRENTLY customers_name ON public.customers USING gin (name public.gin_trgm_ops);
CREATE TRIGGER touch BEFORE UPDATE ON public.customers FOR EACH ROW EXECUTE FUNCTION public.touched();
CREATE RULE quiet AS ON DELETE TO public.orders DO ALSO (SELECT 1; SELECT 2);

ALTER TABLE public.orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_orders ON public.orders TO clerk, "Chief Clerk" USING ((customer_id = 1));
CREATE PUBLICATION everything FOR ALL TABLES WITH (publish = 'insert, update, delete, truncate');
CREATE SUBSCRIPTION feed CONNECTION 'host=production dbname=shop' PUBLICATION everything WITH (connect = false, slot_name = 'feed');

GRANT SELECT ON TABLE public.customers TO reporting;
GRANT SELECT,MAINTAIN ON TABLE public.orders TO reporting;
REVOKE ALL ON SCHEMA public FROM readers;
ALTER DEFAULT PRIVILEGES FOR ROLE "shop owner" IN SCHEMA public GRANT SELECT ON TABLES TO reporting;
ALTER DEFAULT PRIVILEGES FOR ROLE intern IN SCHEMA public GRANT SELECT ON TABLES TO intern;

\unrestrict Ufd8fYlT0a4v2bUQk4vE2mI6XKkPzq1OZ0WJx8mVYhqVd5d
