-- Other plans beside the best: in what they differ, what each keeps, and what that costs.
CREATE SCHEMA mart;
SET search_path = mart;
CREATE TABLE customers (customer_id bigint PRIMARY KEY, email text UNIQUE);
CREATE TABLE products (product_id bigint PRIMARY KEY, title text);
CREATE TABLE orders (order_id bigint PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customers, placed_at timestamptz);
CREATE TABLE order_lines (order_id bigint NOT NULL REFERENCES orders, line int, product_id bigint NOT NULL REFERENCES products, quantity int,
	PRIMARY KEY (order_id, line));
CREATE TABLE reviews (review_id bigint PRIMARY KEY, product_id bigint NOT NULL REFERENCES products, customer_id bigint NOT NULL REFERENCES customers, body text);
INSERT INTO customers SELECT i, i || '@example.com' FROM generate_series(1, 3000) AS i;
INSERT INTO products SELECT i, 'product ' || i FROM generate_series(1, 500) AS i;
INSERT INTO orders SELECT i, i % 3000 + 1, now() FROM generate_series(1, 9000) AS i;
INSERT INTO order_lines SELECT i % 9000 + 1, i / 9000, i % 500 + 1, 1 FROM generate_series(0, 26999) AS i;
INSERT INTO reviews SELECT i, i % 500 + 1, i % 3000 + 1, repeat('x', 80) FROM generate_series(1, 5000) AS i;
ANALYZE customers, products, orders, order_lines, reviews;

SELECT rank, label, cost > 0 AS costs, foreign_keys_kept, foreign_keys_widened, foreign_keys_dropped, uniques_widened, uniques_lost
FROM advisor.plan_alternatives('{mart}', how_many => 6) ORDER BY rank;
SELECT rank, because FROM advisor.plan_alternatives('{mart}', how_many => 3) ORDER BY rank;

-- Each is what it says when it is passed back: the same tables in the same places, at the same price.
SELECT a.rank, b.label, b.cost = a.cost AS same_cost, b.assignment = a.assignment AS same_plan, b.bytes_distributed = a.bytes_distributed AS same_bytes
FROM advisor.plan_alternatives('{mart}', how_many => 6) AS a,
	LATERAL advisor.plan_alternatives('{mart}', a.assignment, how_many => 1) AS b
ORDER BY a.rank;

-- What is insisted on is in every plan.
SELECT rank, assignment -> 'mart.customers' AS customers
FROM advisor.plan_alternatives('{mart}', '{"mart.customers": {"role": "reference"}}', 3) ORDER BY rank;
SELECT * FROM advisor.plan_alternatives(how_many => 0);
SELECT * FROM advisor.plan_alternatives('{nowhere}');
DROP SCHEMA mart CASCADE;
