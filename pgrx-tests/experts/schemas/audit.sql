CREATE TABLE tenants (id int PRIMARY KEY, name text);
CREATE TABLE actors (id bigint PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, name text);
CREATE TABLE audit_log (id bigint NOT NULL, tenant_id int NOT NULL REFERENCES tenants, actor_id bigint, action text, created_at timestamptz NOT NULL,
	PRIMARY KEY (id, created_at)) PARTITION BY RANGE (created_at);
CREATE TABLE audit_log_1 PARTITION OF audit_log FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE audit_log_2 PARTITION OF audit_log FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
CREATE TABLE api_calls (id bigint NOT NULL, tenant_id int NOT NULL, path text, called_at timestamptz NOT NULL, PRIMARY KEY (id, called_at)) PARTITION BY RANGE (called_at);
CREATE TABLE api_calls_1 PARTITION OF api_calls FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
