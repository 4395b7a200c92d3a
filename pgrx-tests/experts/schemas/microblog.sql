CREATE TABLE accounts (id bigint PRIMARY KEY, username text NOT NULL, domain text);
CREATE TABLE statuses (id bigint PRIMARY KEY, account_id bigint NOT NULL REFERENCES accounts ON DELETE CASCADE, in_reply_to_id bigint REFERENCES statuses ON DELETE SET NULL, body text);
CREATE TABLE favourites (id bigint PRIMARY KEY, account_id bigint NOT NULL REFERENCES accounts, status_id bigint NOT NULL REFERENCES statuses, UNIQUE (account_id, status_id));
CREATE TABLE follows (id bigint PRIMARY KEY, account_id bigint NOT NULL REFERENCES accounts, target_account_id bigint NOT NULL REFERENCES accounts, UNIQUE (account_id, target_account_id));
CREATE TABLE media (id bigint PRIMARY KEY, account_id bigint NOT NULL REFERENCES accounts, status_id bigint REFERENCES statuses, file text);
CREATE TABLE domain_blocks (id bigint PRIMARY KEY, domain text NOT NULL UNIQUE);
