-- As pg_dumpall writes it: roles, then one database after the other. DATABASE chooses: second
CREATE ROLE app;
ALTER ROLE app WITH NOSUPERUSER INHERIT LOGIN PASSWORD 'SCRAM-SHA-256$4096:x';
CREATE ROLE postgres;
GRANT app TO postgres WITH INHERIT TRUE GRANTED BY postgres;
CREATE TABLESPACE fast OWNER postgres LOCATION '/mnt/fast';
\connect template1
SET client_encoding = 'UTF8';
\connect postgres
SET client_encoding = 'UTF8';
CREATE DATABASE first;
\connect first
CREATE TABLE public.only_in_first (id int);
COPY public.only_in_first FROM stdin;
1
\.
CREATE DATABASE second;
\connect second
DROP TABLE public.only_in_second;
CREATE TABLE public.only_in_second (id int);
ALTER TABLE public.only_in_second OWNER TO app;
COPY public.only_in_second (id) FROM stdin WITH (FORMAT csv);
1
2
\.
