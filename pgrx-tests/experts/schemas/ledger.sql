CREATE TABLE currencies (code char(3) PRIMARY KEY);
CREATE TABLE ledgers (id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE accounts (id bigint PRIMARY KEY, ledger_id bigint NOT NULL REFERENCES ledgers, code text NOT NULL, currency char(3) NOT NULL REFERENCES currencies,
	UNIQUE (ledger_id, code));
CREATE TABLE transactions (id bigint PRIMARY KEY, ledger_id bigint NOT NULL REFERENCES ledgers, booked_at timestamptz NOT NULL, description text);
CREATE TABLE entries (id bigint PRIMARY KEY, transaction_id bigint NOT NULL REFERENCES transactions, account_id bigint NOT NULL REFERENCES accounts,
	amount numeric(20, 4) NOT NULL);
