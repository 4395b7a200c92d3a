CREATE TABLE date_dim (date_sk int PRIMARY KEY, day date NOT NULL);
CREATE TABLE store (store_sk int PRIMARY KEY, name text);
CREATE TABLE item (item_sk int PRIMARY KEY, name text);
CREATE TABLE customer (customer_sk int PRIMARY KEY, name text, city text);
CREATE TABLE sales (sold_date_sk int, item_sk int NOT NULL, customer_sk int, store_sk int, ticket_number int NOT NULL, amount numeric(12, 2), PRIMARY KEY (item_sk, ticket_number));
CREATE TABLE returns (returned_date_sk int, item_sk int NOT NULL, customer_sk int, ticket_number int NOT NULL, amount numeric(12, 2), PRIMARY KEY (item_sk, ticket_number));
