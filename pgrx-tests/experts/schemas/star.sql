CREATE TABLE dim_date (date_key int PRIMARY KEY, day date NOT NULL);
CREATE TABLE dim_store (store_key int PRIMARY KEY, name text);
CREATE TABLE dim_product (product_key int PRIMARY KEY, name text);
CREATE TABLE dim_customer (customer_key bigint PRIMARY KEY, name text, city text);
CREATE TABLE fact_sales (date_key int NOT NULL REFERENCES dim_date, store_key int NOT NULL REFERENCES dim_store, product_key int NOT NULL REFERENCES dim_product,
	customer_key bigint NOT NULL REFERENCES dim_customer, quantity int, amount numeric(12, 2));
CREATE TABLE fact_returns (date_key int NOT NULL REFERENCES dim_date, product_key int NOT NULL REFERENCES dim_product,
	customer_key bigint NOT NULL REFERENCES dim_customer, amount numeric(12, 2));
