CREATE SCHEMA shop;
CREATE TYPE shop.mood AS ENUM ('calm', 'cross');
CREATE TYPE shop.address AS (street text, zip varchar(10));
CREATE DOMAIN shop.email AS text NOT NULL CHECK (VALUE LIKE '%@%');
CREATE TYPE shop.span AS RANGE (subtype = float8);
CREATE SEQUENCE shop.ticket AS int START 5 INCREMENT 2;
CREATE COLLATION shop.ignore_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);

CREATE TABLE shop.customer (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  email shop.email,
  mood shop.mood,
  addresses shop.address[],
  name text COLLATE shop.ignore_case,
  visits shop.span,
  code varchar(20) UNIQUE NULLS NOT DISTINCT,
  ticket int DEFAULT nextval('shop.ticket'),
  shout text GENERATED ALWAYS AS (upper(code)) STORED,
  CONSTRAINT code_not_empty CHECK (code <> '') NO INHERIT
);
COMMENT ON TABLE shop.customer IS 'who buys';
COMMENT ON COLUMN shop.customer.code IS 'as printed';
ALTER TABLE shop.customer ALTER COLUMN code SET (n_distinct = 1000);
ALTER TABLE shop.customer ADD CONSTRAINT mood_set CHECK (mood IS NOT NULL) NOT VALID;
CREATE UNIQUE INDEX customer_name ON shop.customer (lower(code) text_pattern_ops DESC, id) INCLUDE (mood)
  WHERE code IS NOT NULL;
CREATE INDEX customer_fill ON shop.customer (ticket) WITH (fillfactor = 70);
ALTER TABLE shop.customer CLUSTER ON customer_fill;
CREATE STATISTICS shop.customer_stats ON code, ticket FROM shop.customer;
ALTER TABLE shop.customer REPLICA IDENTITY FULL;

CREATE UNLOGGED TABLE shop.purchase (
  id serial,
  customer_id bigint,
  other_id bigint,
  at timestamp NOT NULL,
  PRIMARY KEY (id, at),
  CONSTRAINT purchase_customer FOREIGN KEY (customer_id) REFERENCES shop.customer (id)
    ON DELETE SET NULL (customer_id) ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT purchase_other FOREIGN KEY (other_id) REFERENCES shop.customer (id) MATCH FULL
) PARTITION BY RANGE (at);
CREATE TABLE shop.purchase_2026 PARTITION OF shop.purchase FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')
  PARTITION BY HASH (id);
CREATE TABLE shop.purchase_2026_0 PARTITION OF shop.purchase_2026 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE shop.purchase_rest PARTITION OF shop.purchase DEFAULT;
CREATE INDEX purchase_at ON shop.purchase (at);

CREATE TABLE shop.plain (id int PRIMARY KEY, note text);
CREATE TABLE shop.heir (extra int) INHERITS (shop.plain);
CREATE TABLE shop.typed OF shop.address;
CREATE TABLE shop.booking (room int, during int4range, 
  CONSTRAINT no_overlap EXCLUDE USING gist (during WITH &&, int4range(room, room, '[]') WITH =));
ALTER TABLE shop.booking ADD CONSTRAINT booking_room FOREIGN KEY (room) REFERENCES shop.plain (id) NOT VALID;

CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER touched BEFORE UPDATE ON shop.purchase FOR EACH ROW EXECUTE FUNCTION shop.touch();
ALTER TABLE shop.plain DISABLE TRIGGER ALL;
CREATE TRIGGER plain_touched BEFORE UPDATE ON shop.plain FOR EACH ROW EXECUTE FUNCTION shop.touch();
ALTER TABLE shop.plain DISABLE TRIGGER plain_touched;
CREATE RULE quiet AS ON DELETE TO shop.plain DO INSTEAD NOTHING;
CREATE POLICY own ON shop.plain FOR SELECT TO PUBLIC USING (id IN (SELECT room FROM shop.booking));
CREATE POLICY small ON shop.plain AS RESTRICTIVE USING (id < 10) WITH CHECK (id < 5);
ALTER TABLE shop.plain ENABLE ROW LEVEL SECURITY;

CREATE FUNCTION shop.price_of(shop.plain) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE TABLE shop.quote (price int DEFAULT shop.price_of(row(1, '')::shop.plain), line shop.plain, t text DEFAULT nextval('shop.ticket'::text));

CREATE VIEW shop.v AS SELECT p.id FROM shop.plain p JOIN shop.quote q ON q.price = p.id;
CREATE MATERIALIZED VIEW shop.m AS SELECT * FROM shop.v;
CREATE PUBLICATION plain_only FOR TABLE shop.plain;
CREATE PUBLICATION schema_wide FOR TABLES IN SCHEMA shop;
CREATE TEMPORARY TABLE gone (id int);

CREATE SCHEMA "App ""Data""";
CREATE TABLE "App ""Data"""."Ünï;tbl--" ("select" int PRIMARY KEY, "a b" text);
