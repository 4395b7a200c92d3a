CREATE TABLE plans (id int PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE currencies (code char(3) PRIMARY KEY, name text NOT NULL);
CREATE TABLE shops (id bigserial PRIMARY KEY, plan_id int NOT NULL REFERENCES plans, domain text NOT NULL UNIQUE);
CREATE TABLE staff (id bigserial PRIMARY KEY, shop_id bigint NOT NULL REFERENCES shops, email text NOT NULL, UNIQUE (shop_id, email));
CREATE TABLE customers (id bigserial PRIMARY KEY, shop_id bigint NOT NULL REFERENCES shops, email text, UNIQUE (shop_id, email));
CREATE TABLE products (id bigserial PRIMARY KEY, shop_id bigint NOT NULL REFERENCES shops, title text NOT NULL);
CREATE TABLE variants (id bigserial PRIMARY KEY, shop_id bigint NOT NULL REFERENCES shops, product_id bigint NOT NULL REFERENCES products, sku text);
CREATE TABLE orders (id bigserial PRIMARY KEY, shop_id bigint NOT NULL REFERENCES shops, customer_id bigint NOT NULL REFERENCES customers,
	currency char(3) NOT NULL REFERENCES currencies, placed_at timestamptz NOT NULL DEFAULT now(), total numeric(12, 2));
CREATE TABLE line_items (id bigserial PRIMARY KEY, order_id bigint NOT NULL REFERENCES orders, variant_id bigint NOT NULL REFERENCES variants, quantity int NOT NULL);
