-- Both kinds of trees, with names that must survive.
CREATE EXTENSION citus_advisor;
CREATE SCHEMA "Data";
SET search_path = "Data";

CREATE TABLE master(id bigint PRIMARY KEY, comment text, at date);
CREATE TABLE master_2020 (PRIMARY KEY (id), CHECK (at < '2021-01-01')) INHERITS (master);
CREATE TABLE "master 2021" (PRIMARY KEY (id), CHECK (at >= '2021-01-01')) INHERITS (master);
CREATE TABLE master_2021_late () INHERITS ("master 2021");
INSERT INTO master_2020 SELECT i, 'c' || i, '2020-05-05' FROM generate_series(1, 100) AS i;
INSERT INTO "master 2021" SELECT i, 'c' || i, '2021-05-05' FROM generate_series(101, 200) AS i;
SELECT advisor.add_global_unique('master', 'id');
SELECT advisor.add_global_unique('master', 'comment', 'comments are unique', initially_deferred => true);

CREATE TABLE events(id bigint, tenant int, at date NOT NULL, k text) PARTITION BY RANGE (at);
CREATE TABLE events_2020 PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE events_2021 PARTITION OF events FOR VALUES FROM ('2021-01-01') TO ('2022-01-01') PARTITION BY LIST (tenant);
CREATE TABLE events_2021_1 PARTITION OF events_2021 FOR VALUES IN (1);
INSERT INTO events SELECT i, 1, date '2020-01-01' + i, 'k' || i FROM generate_series(1, 500) AS i;
SELECT advisor.add_global_unique('events', 'id');
SELECT advisor.add_global_unique('events', ARRAY['k', 'tenant'], is_deferrable => true);

CREATE TABLE "order lines"(n int, event bigint, "Master" bigint) PARTITION BY RANGE (n);
CREATE TABLE "or lines 1" PARTITION OF "order lines" FOR VALUES FROM (0) TO (100);
CREATE TABLE "or lines 2" PARTITION OF "order lines" DEFAULT;
CREATE INDEX ON "order lines" (event);
CREATE INDEX ON "order lines" ("Master");
INSERT INTO "order lines" SELECT i, i, i FROM generate_series(1, 200) AS i;
SELECT advisor.add_global_foreign_key('"order lines"', 'event', 'events', 'id', is_deferrable => true);
SELECT advisor.add_global_foreign_key('"order lines"', 'Master', 'master', 'id', 'to master', match_type => 'full', on_delete => 'set null ("Master")', on_update => 'cascade');
