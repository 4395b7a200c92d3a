CREATE TABLE emoji (name text PRIMARY KEY, picture bytea);
CREATE TABLE workspaces (id uuid PRIMARY KEY, name text);
CREATE TABLE users (id uuid PRIMARY KEY, workspace_id uuid NOT NULL REFERENCES workspaces, handle text, UNIQUE (workspace_id, handle));
CREATE TABLE channels (id uuid PRIMARY KEY, workspace_id uuid NOT NULL REFERENCES workspaces, name text);
CREATE TABLE channel_members (channel_id uuid NOT NULL REFERENCES channels, user_id uuid NOT NULL REFERENCES users, PRIMARY KEY (channel_id, user_id));
CREATE TABLE messages (id uuid PRIMARY KEY, workspace_id uuid NOT NULL REFERENCES workspaces, channel_id uuid NOT NULL REFERENCES channels,
	user_id uuid NOT NULL REFERENCES users, body text, sent_at timestamptz NOT NULL);
CREATE TABLE reactions (message_id uuid NOT NULL REFERENCES messages, user_id uuid NOT NULL REFERENCES users, emoji text NOT NULL REFERENCES emoji, PRIMARY KEY (message_id, user_id, emoji));
