-- The payment example: users and merchants, and the events between them, one partition a month.
CREATE TABLE event_types (
	event_type_id bigint CONSTRAINT event_types_pk PRIMARY KEY,
	event_type text
);

CREATE TABLE payment_users (
	user_id bigint CONSTRAINT payment_users_pk PRIMARY KEY,
	url text,
	login text,
	avatar_url text
);

CREATE TABLE payment_merchants (
	merchant_id bigint CONSTRAINT payment_merchants_pk PRIMARY KEY,
	name text,
	url text
);

CREATE TABLE payment_events (
	event_id bigint,
	user_id bigint CONSTRAINT payment_events_payment_users_fk REFERENCES payment_users (user_id),
	event_type_id bigint CONSTRAINT payment_events_event_types_fk REFERENCES event_types (event_type_id),
	merchant_id bigint CONSTRAINT payment_events_payment_merchants_fk REFERENCES payment_merchants (merchant_id),
	event_details jsonb,
	created_at timestamp
) PARTITION BY RANGE (created_at);

SELECT format('CREATE TABLE payment_events_%s PARTITION OF payment_events FOR VALUES FROM (%L) TO (%L)',
	to_char(month, 'YYYY_MM'), month, month + interval '1 month')
FROM generate_series(timestamp '2025-01-01', timestamp '2025-12-01', interval '1 month') AS month
ORDER BY month \gexec
