CREATE TABLE hosts (host text PRIMARY KEY);
CREATE TABLE accounts (host text NOT NULL, name text NOT NULL, password text, PRIMARY KEY (host, name));
CREATE TABLE mailboxes (host text NOT NULL, name text NOT NULL, folder text NOT NULL, PRIMARY KEY (host, name, folder));
CREATE TABLE mails (host text NOT NULL, name text NOT NULL, folder text NOT NULL, uid bigint NOT NULL, body text, PRIMARY KEY (host, name, folder, uid));
CREATE TABLE filters (host text NOT NULL, name text NOT NULL, position int NOT NULL, rule text, PRIMARY KEY (host, name, position));
CREATE TABLE settings (name text PRIMARY KEY, value text);
