CREATE TABLE tenant (tenant_id int PRIMARY KEY, name text);
CREATE TABLE product (tenant_id int NOT NULL REFERENCES tenant, product_id bigint NOT NULL, name text, PRIMARY KEY (tenant_id, product_id));
CREATE TABLE basket (tenant_id int NOT NULL REFERENCES tenant, basket_id bigint NOT NULL, PRIMARY KEY (tenant_id, basket_id));
CREATE TABLE basket_item (tenant_id int NOT NULL, basket_id bigint NOT NULL, product_id bigint NOT NULL, quantity int, PRIMARY KEY (tenant_id, basket_id, product_id),
	FOREIGN KEY (tenant_id, basket_id) REFERENCES basket, FOREIGN KEY (tenant_id, product_id) REFERENCES product);
CREATE TABLE vat_rate (country char(2) NOT NULL, rate numeric NOT NULL, PRIMARY KEY (country, rate));
