CREATE TABLE streams (stream_id uuid PRIMARY KEY, stream_type text NOT NULL);
CREATE TABLE events (stream_id uuid NOT NULL REFERENCES streams, version int NOT NULL, event_type text NOT NULL, payload jsonb NOT NULL,
	recorded_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (stream_id, version));
CREATE TABLE snapshots (stream_id uuid NOT NULL REFERENCES streams, version int NOT NULL, state jsonb NOT NULL, PRIMARY KEY (stream_id, version));
CREATE TABLE checkpoints (projection text PRIMARY KEY, position bigint NOT NULL);
