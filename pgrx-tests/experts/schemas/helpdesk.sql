CREATE TABLE accounts (id serial PRIMARY KEY, name text);
CREATE TABLE users (id serial PRIMARY KEY, account_id int NOT NULL REFERENCES accounts, email text);
CREATE TABLE tickets (id serial PRIMARY KEY, account_id int NOT NULL REFERENCES accounts, requester_id int NOT NULL REFERENCES users, assignee_id int REFERENCES users, subject text);
CREATE TABLE messages (id serial PRIMARY KEY, account_id int NOT NULL REFERENCES accounts, ticket_id int NOT NULL REFERENCES tickets, author_id int NOT NULL REFERENCES users, body text);
CREATE TABLE tags (id serial PRIMARY KEY, account_id int NOT NULL REFERENCES accounts, name text);
CREATE TABLE taggings (id serial PRIMARY KEY, tag_id int NOT NULL REFERENCES tags, ticket_id int NOT NULL REFERENCES tickets);
CREATE TABLE timezones (id serial PRIMARY KEY, name text NOT NULL);
ALTER TABLE accounts ADD COLUMN timezone_id int REFERENCES timezones;
