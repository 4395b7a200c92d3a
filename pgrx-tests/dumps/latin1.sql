SET client_encoding = 'LATIN1';
SET standard_conforming_strings = off;

CREATE TABLE straßen (name text DEFAULT 'it\'s; grün');
COPY straßen FROM stdin;
Münchner
\.
