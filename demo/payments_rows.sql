-- Rows for demo/payments.sql: 5 event types, 2,000 merchants, 100,000 users, 500,000 events over the twelve months.
INSERT INTO event_types
SELECT i, (ARRAY['charge', 'refund', 'chargeback', 'payout', 'transfer'])[i] FROM generate_series(1, 5) AS i;

INSERT INTO payment_merchants
SELECT i, 'Merchant ' || i, 'https://merchant-' || i || '.example' FROM generate_series(1, 2000) AS i;

INSERT INTO payment_users
SELECT i, 'https://example.org/u/' || i, 'user' || i, 'https://example.org/u/' || i || '/avatar.png'
FROM generate_series(1, 100000) AS i;

-- Multiplied by primes, the numbers spread evenly, and are the same each time.
INSERT INTO payment_events
SELECT i, 1 + i * 7919 % 100000, 1 + i % 5, 1 + i * 104729 % 2000, jsonb_build_object('amount', i % 1000, 'currency', 'EUR'),
	timestamp '2025-01-01' + (i % 365) * interval '1 day' + (i % 86400) * interval '1 second'
FROM generate_series(1::bigint, 500000) AS i;

ANALYZE;
