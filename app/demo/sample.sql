-- A small shop with the kind of data nobody wants to see in a chat. Deterministic: the tour knows its rows.
-- Everything personal here is made up; card numbers pass the Luhn check, SSNs the area rules, so detectors see real shapes.

CREATE TABLE customers (
    id          integer PRIMARY KEY,
    name        text NOT NULL,
    email       text NOT NULL UNIQUE,
    phone       text NOT NULL,
    card_number text NOT NULL,
    ssn         text NOT NULL,
    birth_date  date NOT NULL,
    city        text NOT NULL,
    plan        text NOT NULL CHECK (plan IN ('free', 'team', 'business')),
    created_at  timestamptz NOT NULL
);
CREATE TABLE orders (
    id          integer PRIMARY KEY,
    customer_id integer NOT NULL REFERENCES customers ON DELETE CASCADE,
    status      text NOT NULL CHECK (status IN ('new', 'paid', 'shipped', 'refunded')),
    total       numeric(10, 2) NOT NULL,
    placed_at   timestamptz NOT NULL
);
CREATE TABLE order_items (
    order_id integer NOT NULL REFERENCES orders ON DELETE CASCADE,
    line     integer NOT NULL,
    sku      text NOT NULL,
    quantity integer NOT NULL,
    PRIMARY KEY (order_id, line)
);
CREATE TABLE support_tickets (
    id          integer PRIMARY KEY,
    customer_id integer NOT NULL REFERENCES customers ON DELETE CASCADE,
    subject     text NOT NULL,
    body        text NOT NULL,
    opened_at   timestamptz NOT NULL
);
CREATE VIEW customer_contacts AS
    SELECT id, name AS who, email AS contact, phone AS call_me, city FROM customers;

CREATE FUNCTION pg_temp.luhn(digits text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT digits || ((10 - sum(CASE WHEN n % 2 = length(digits) % 2 THEN (d * 2) / 10 + (d * 2) % 10 ELSE d END) % 10) % 10)::text
    FROM (SELECT n, substr(digits, n, 1)::integer AS d FROM generate_series(1, length(digits)) AS n) AS each
$$;

INSERT INTO customers
SELECT n,
       first || ' ' || last,
       lower(first) || '.' || lower(last) || n || '@' || (ARRAY['example.com', 'example.org', 'mail.example.net'])[1 + n % 3],
       '+1 (' || (ARRAY['212', '415', '617', '312'])[1 + n % 4] || ') 555-' || lpad((100 + n * 37 % 900)::text, 4, '01'),
       pg_temp.luhn((ARRAY['400000', '510510', '411111'])[1 + n % 3] || lpad((n * 7919 % 1000000000)::text, 9, '0')),
       lpad((100 + n * 13 % 565)::text, 3, '0') || '-' || lpad((10 + n * 7 % 89)::text, 2, '0') || '-' || lpad((1000 + n * 271 % 8999)::text, 4, '0'),
       date '1955-03-01' + (n * 97 % 18000),
       (ARRAY['Boston', 'Chicago', 'New York', 'Oakland', 'Austin'])[1 + n % 5],
       (ARRAY['free', 'team', 'business'])[1 + n % 3],
       timestamptz '2024-01-15 09:00:00+00' + n * interval '31 hours'
FROM (
    SELECT n,
           (ARRAY['Ada', 'Grace', 'Alan', 'Edsger', 'Barbara', 'Donald', 'Radia', 'Ken', 'Frances', 'Leslie'])[1 + n % 10] AS first,
           (ARRAY['Miller', 'Garcia', 'Okafor', 'Schmidt', 'Rossi', 'Novak', 'Tanaka'])[1 + n % 7] AS last
    FROM generate_series(1, 200) AS n
) AS people;

INSERT INTO orders
SELECT n, 1 + n * 17 % 200, (ARRAY['new', 'paid', 'shipped', 'shipped', 'refunded'])[1 + n % 5],
       round((5 + n * 7.31 % 480)::numeric, 2), timestamptz '2026-01-02 08:00:00+00' + n * interval '5 hours'
FROM generate_series(1, 600) AS n;

INSERT INTO order_items
SELECT o.id, line, 'SKU-' || lpad((o.id * line % 977)::text, 4, '0'), 1 + (o.id + line) % 3
FROM orders AS o, generate_series(1, 3) AS line;

INSERT INTO support_tickets
SELECT n, c.id, (ARRAY['Refund', 'Cannot log in', 'Wrong address', 'Invoice copy'])[1 + n % 4],
       CASE n % 3
           WHEN 0 THEN 'Please call me back at ' || c.phone || ', mornings are best.'
           WHEN 1 THEN 'My account is ' || c.email || ' and the last order has not arrived.'
           ELSE 'Order ' || n * 3 || ' was charged twice to card ' || c.card_number || '.'
       END,
       timestamptz '2026-10-01 10:00:00+00' + n * interval '3 hours'
FROM generate_series(1, 60) AS n JOIN customers AS c ON c.id = 1 + n * 3 % 200;

-- The gateway's own role: it may read and change rows; it is no superuser. What looks after the tables and the sessions
-- (statistics, indexes, who blocks whom, ending a session) comes from groups it is a member of.
DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'shop_upkeep') THEN
        CREATE ROLE shop_upkeep NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'shop_app') THEN
        CREATE ROLE shop_app NOLOGIN;
    END IF;
END
$$;
ALTER TABLE customers OWNER TO shop_upkeep;
ALTER TABLE orders OWNER TO shop_upkeep;
ALTER TABLE order_items OWNER TO shop_upkeep;
ALTER TABLE support_tickets OWNER TO shop_upkeep;
GRANT CREATE ON SCHEMA public TO shop_upkeep;
GRANT shop_upkeep, pg_signal_backend, pg_read_all_stats TO hoop_gateway;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO shop_app;
GRANT USAGE ON SCHEMA public TO hoop_gateway;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO hoop_gateway;
ANALYZE;
