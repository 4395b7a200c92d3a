CREATE TABLE device_types (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE devices (id uuid PRIMARY KEY, device_type_id int NOT NULL REFERENCES device_types, serial text NOT NULL UNIQUE);
CREATE TABLE measurements (device_id uuid NOT NULL REFERENCES devices, measured_at timestamptz NOT NULL, value float8 NOT NULL,
	PRIMARY KEY (device_id, measured_at)) PARTITION BY RANGE (measured_at);
CREATE TABLE measurements_1 PARTITION OF measurements FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE measurements_2 PARTITION OF measurements FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
CREATE TABLE alerts (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, device_id uuid NOT NULL REFERENCES devices, raised_at timestamptz NOT NULL, message text);
