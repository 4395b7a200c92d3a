CREATE TABLE tenants (id bigint PRIMARY KEY, name text);
CREATE TABLE users (id bigint PRIMARY KEY, tenant_id bigint NOT NULL, email text);
CREATE TABLE contacts (id bigint PRIMARY KEY, tenant_id bigint NOT NULL, owner_id bigint);
CREATE TABLE deals (id bigint PRIMARY KEY, tenant_id bigint NOT NULL, contact_id bigint NOT NULL, amount numeric);
CREATE TABLE activities (id bigint PRIMARY KEY, tenant_id bigint NOT NULL, deal_id bigint, happened_at timestamptz);
CREATE TABLE emails (id bigint PRIMARY KEY, tenant_id bigint NOT NULL, contact_id bigint, body text);
CREATE TABLE custom_fields (id bigint PRIMARY KEY, tenant_id bigint NOT NULL, name text);
CREATE TABLE countries (code char(2) PRIMARY KEY, name text);
CREATE TABLE feature_flags (name text PRIMARY KEY, enabled boolean NOT NULL);
