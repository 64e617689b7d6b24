"""The protected demo schema and the queries that try to get values out of it (used by test_leaks and the benchmark)."""

from __future__ import annotations

from access.masking import ColumnRule, MaskPolicy, Strategy

#: Columns the owner protects. REDACT everywhere, so that two databases that differ only in these values must give
#: byte-identical masked results: any difference is a leak, in whatever encoding.
POLICY = MaskPolicy(
    columns=(
        ColumnRule("customers.email", "email", Strategy.REDACT),
        ColumnRule("customers.name", "person", Strategy.REDACT),
        ColumnRule("customers.phone", "phone", Strategy.REDACT),
        ColumnRule("customers.ssn", "ssn", Strategy.REDACT),
        ColumnRule("customers.born", "birth_date", Strategy.REDACT),
        ColumnRule("customers.card", "card", Strategy.REDACT),
        ColumnRule("customers.profile", "person", Strategy.REDACT),
        ColumnRule("customers.secret", "secret", Strategy.REDACT),
        ColumnRule("customers.aliases", "email", Strategy.REDACT),
        ColumnRule("customers.home", "address", Strategy.REDACT),
        ColumnRule("customers.doc", "person", Strategy.REDACT),
        ColumnRule("readings.patient", "person", Strategy.REDACT),
    )
)

SCHEMA = """
CREATE TYPE place AS (street text, city text);
CREATE TABLE customers (
    id int PRIMARY KEY, email text UNIQUE, name varchar(80), phone text, ssn char(11), born date, card numeric(16),
    profile jsonb, secret bytea, aliases text[], home place, doc text, plan text, created timestamptz, active boolean,
    email_lower text GENERATED ALWAYS AS (lower(email)) STORED
);
CREATE TABLE vip_customers (discount int) INHERITS (customers);
CREATE TABLE orders (
    id int PRIMARY KEY, customer_id int, status text, total numeric(10,2), placed timestamptz, note text, items jsonb
);
CREATE TABLE readings (id int, taken date, patient text, value int) PARTITION BY RANGE (taken);
CREATE TABLE readings_2025 PARTITION OF readings FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE VIEW contact AS SELECT id, email AS reach_at, upper(name) AS who, plan FROM customers;
CREATE VIEW contact_again AS SELECT c.reach_at, c.who, o.status FROM contact c JOIN orders o ON o.customer_id = c.id;
CREATE MATERIALIZED VIEW contact_snapshot AS SELECT id, email, plan FROM customers WITH NO DATA;
CREATE FUNCTION all_customers() RETURNS SETOF customers LANGUAGE sql STABLE AS 'SELECT * FROM customers';
CREATE FUNCTION one_email(int) RETURNS text LANGUAGE sql STABLE AS 'SELECT email FROM customers WHERE id = $1';
CREATE FUNCTION shout(text) RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE NOTICE ''%', $1; RETURN 1; END';
""".replace("''%', $1", "''%'', $1")

FILL = """
INSERT INTO customers (id, email, name, phone, ssn, born, card, profile, secret, aliases, home, doc, plan, created, active)
VALUES (1, {email}, {name}, {phone}, {ssn}, {born}, {card}, {profile}, {secret}, {aliases}, ROW({street}, {city})::place,
        {doc}, 'gold', '2025-03-01 10:00:00+00', true),
       (2, 'second-' || {email}, 'Zoe ' || {name}, {phone}, {ssn}, {born}, {card}, {profile}, {secret}, {aliases},
        ROW({city}, {street})::place, {doc}, 'free', '2025-04-02 11:00:00+00', false);
INSERT INTO orders VALUES (10, 1, 'open', 19.99, '2025-05-01 09:30:00+00', 'leave at the door', '[{{"sku": "A-1"}}]'),
    (11, 1, 'closed', 5.00, '2025-05-02 09:30:00+00', NULL, '[]'), (12, 2, 'open', 100.00, '2025-06-01 00:00:00+00', 'call first', '[]');
INSERT INTO readings VALUES (1, '2025-02-03', {name}, 37), (2, '2025-02-04', {name}, 38);
REFRESH MATERIALIZED VIEW contact_snapshot;
ANALYZE;
"""

#: Two sets of values for the protected columns. Lengths and first letters differ too: nothing may depend on them.
VALUES = (
    {
        "email": "'ada.lovelace@example.com'", "name": "'Ada Lovelace'", "phone": "'+44 20 7946 0958'",
        "ssn": "'536-90-4399'", "born": "'1815-12-10'", "card": "4111111111111111",
        "profile": """'{"nick": "countess", "children": ["Byron", "Anne"], "height": 160}'""", "secret": "'hunter2'",
        "aliases": "ARRAY['ada@a.org', 'al@b.net']", "street": "'12 St James Square'", "city": "'London'",
        "doc": "'<person><first>Ada</first></person>'",
    },
    {
        "email": "'grace@navy.mil'", "name": "'Grace Brewster Hopper'", "phone": "'+1 415 555 2671'",
        "ssn": "'219-09-1234'", "born": "'1906-12-09'", "card": "5555555555554444",
        "profile": """'{"nick": "amazing", "children": ["Cobol", "Bugs"], "height": 171}'""", "secret": "'nanosecond'",
        "aliases": "ARRAY['gh@navy.mil', 'grace@arlington.gov']", "street": "'1 Fleet Road'", "city": "'Arlington'",
        "doc": "'<person><first>Grace</first></person>'",
    },
)  # fmt: skip

ESCAPES: tuple[tuple[str, str], ...] = (
    ("plain", "SELECT email FROM customers"),
    ("every column", "SELECT * FROM customers"),
    ("alias", "SELECT email AS id, name AS status FROM customers"),
    ("table alias", "SELECT c.email FROM customers AS c"),
    ("column aliases of a table", "SELECT b, d FROM customers AS c(a, b, x, d)"),
    ("reverse", "SELECT reverse(email) FROM customers"),
    ("upper", "SELECT upper(name) FROM customers"),
    ("base64", "SELECT encode(email::bytea, 'base64') FROM customers"),
    ("hex", "SELECT encode(convert_to(name, 'UTF8'), 'hex') FROM customers"),
    ("ascii codes", "SELECT ascii(substr(email, n, 1)) FROM customers, generate_series(1, 20) n"),
    ("one character a row", "SELECT regexp_split_to_table(email, '') FROM customers"),
    ("char array", "SELECT string_to_array(name, NULL) FROM customers"),
    ("translate", "SELECT translate(email, 'abcdefghijklm@.', 'nopqrstuvwxyz#!') FROM customers"),
    ("bytea cast", "SELECT email::bytea FROM customers"),
    ("concatenation", "SELECT 'x' || email || 'y' FROM customers"),
    ("format", "SELECT format('%s-%s', id, phone) FROM customers"),
    ("md5", "SELECT md5(ssn) FROM customers"),
    ("length", "SELECT length(name), octet_length(email) FROM customers"),
    ("substring", "SELECT left(ssn, 3), right(ssn, 4) FROM customers"),
    ("comparison in the list", "SELECT email = 'ada.lovelace@example.com', name LIKE 'A%' FROM customers"),
    ("case", "SELECT CASE WHEN email LIKE 'a%' THEN 1 ELSE 0 END FROM customers"),
    ("nullif test", "SELECT NULLIF(email, 'ada.lovelace@example.com') IS NULL FROM customers"),
    ("coalesce", "SELECT coalesce(NULL, email, 'none'), greatest(name, phone) FROM customers"),
    ("arithmetic on a number", "SELECT card + 1, card % 10000, sqrt(card) FROM customers"),
    ("numeric card", "SELECT card FROM customers"),
    ("date", "SELECT born FROM customers"),
    ("date parts", "SELECT extract(year FROM born), age(born), born + 1, date_trunc('year', born) FROM customers"),
    ("whole row", "SELECT c FROM customers c"),
    ("whole row as text", "SELECT c::text FROM customers c"),
    ("row constructor", "SELECT ROW(id, email, name) FROM customers"),
    ("composite field", "SELECT (home).street, (home).* FROM customers"),
    ("field of a whole row", "SELECT (c).email, (c).born FROM customers c"),
    ("all fields of a whole row", "SELECT (c).* FROM customers c"),
    ("row_to_json", "SELECT row_to_json(c) FROM customers c"),
    ("to_jsonb", "SELECT to_jsonb(c) -> 'email', to_jsonb(c) ->> 'name' FROM customers c"),
    ("jsonb object keys", "SELECT jsonb_object_agg(email, id) FROM customers"),
    ("json object keys by row", "SELECT json_build_object(name, 1) FROM customers"),
    ("json path", "SELECT profile ->> 'nick', profile #>> '{children,0}', profile -> 'height' FROM customers"),
    ("jsonb itself", "SELECT profile FROM customers"),
    ("jsonb_each", "SELECT key, value FROM customers, jsonb_each_text(profile)"),
    ("jsonb_each star", "SELECT e.* FROM customers c, LATERAL jsonb_each(to_jsonb(c)) e"),
    ("jsonb elements", "SELECT x FROM customers, jsonb_array_elements_text(profile -> 'children') x"),
    ("jsonb path query", "SELECT jsonb_path_query(profile, '$.children[*]') FROM customers"),
    ("json to record", "SELECT r.nick FROM customers, jsonb_to_record(profile) AS r(nick text, height int)"),
    ("json_table", "SELECT j.* FROM customers, JSON_TABLE(profile, '$' COLUMNS (nick text PATH '$.nick')) j"),
    ("sql/json functions", "SELECT JSON_VALUE(profile, '$.nick'), JSON_OBJECT('k': email), JSON_ARRAY(name) FROM customers"),
    ("json_agg", "SELECT json_agg(c) FROM customers c"),
    ("sql/json aggregate", "SELECT JSON_ARRAYAGG(email), JSON_OBJECTAGG(id: name) FROM customers"),
    ("json array of a query", "SELECT JSON_ARRAY(SELECT email FROM customers)"),
    ("array itself", "SELECT aliases, aliases[1] FROM customers"),
    ("array_agg", "SELECT array_agg(email) FROM customers"),
    ("array constructor", "SELECT ARRAY[email, name], ARRAY[card] FROM customers"),
    ("array of a query", "SELECT ARRAY(SELECT email FROM customers ORDER BY id)"),
    ("string_agg", "SELECT string_agg(name, ', ') FROM customers"),
    ("min and max", "SELECT min(email), max(born), avg(card), sum(card) FROM customers"),
    ("ordered-set aggregate", "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY email), mode() WITHIN GROUP (ORDER BY name) FROM customers"),
    ("statistics aggregate", "SELECT stddev(card), bit_xor(card::bigint), every(email LIKE 'a%') FROM customers"),
    ("window", "SELECT first_value(email) OVER (ORDER BY id), lag(name) OVER (ORDER BY id) FROM customers"),
    ("window order", "SELECT row_number() OVER (ORDER BY length(email)), rank() OVER w FROM customers WINDOW w AS (ORDER BY born)"),
    ("window frame", "SELECT id, count(*) OVER (ORDER BY card RANGE BETWEEN 1 PRECEDING AND CURRENT ROW), sum(card) OVER () FROM customers"),
    ("union", "SELECT email FROM customers UNION SELECT 'x'"),
    ("union all below a harmless name", "SELECT status FROM orders UNION ALL SELECT name FROM customers"),
    ("except", "SELECT email FROM customers EXCEPT SELECT 'x'"),
    ("scalar subquery", "SELECT (SELECT email FROM customers WHERE id = 1), o.id FROM orders o"),
    ("exists with a test", "SELECT EXISTS (SELECT 1 FROM customers WHERE email LIKE 'a%')"),
    ("in a subquery", "SELECT 'Ada Lovelace' IN (SELECT name FROM customers)"),
    ("row compared with a subquery", "SELECT (SELECT count(*) FROM customers WHERE name > 'B') > 0"),
    ("derived table", "SELECT x FROM (SELECT lower(email) AS x FROM customers) t"),
    ("derived table star", "SELECT * FROM (SELECT id, email || '' AS plan FROM customers) t"),
    ("nested derived tables", "SELECT z FROM (SELECT y AS z FROM (SELECT email || '' AS y FROM customers) a) b"),
    ("cte", "WITH t AS (SELECT email || '' AS e FROM customers) SELECT e FROM t"),
    ("cte named like a table", "WITH orders AS (SELECT email AS status FROM customers) SELECT status || '' FROM orders"),
    ("recursive cte", "WITH RECURSIVE t(n, e) AS (SELECT 1, email::text FROM customers UNION ALL SELECT n + 1, e || '!' FROM t WHERE n < 3) SELECT * FROM t"),
    ("recursive spelling", "WITH RECURSIVE t(i, s, o) AS (SELECT 1, email, '' FROM customers UNION ALL SELECT i + 1, s, substr(s, i, 1) FROM t WHERE i < 9) SELECT o FROM t"),
    ("mutually named ctes", "WITH RECURSIVE a AS (SELECT * FROM b), b AS (SELECT name || '' AS n FROM customers) SELECT n FROM a"),
    ("search clause", "WITH RECURSIVE t(e) AS (SELECT email FROM customers UNION ALL SELECT e FROM t WHERE false) SEARCH DEPTH FIRST BY e SET path SELECT path FROM t"),
    ("lateral", "SELECT l.v FROM customers c, LATERAL (SELECT c.email || '' AS v) l"),
    ("lateral values", "SELECT v.x FROM customers c CROSS JOIN LATERAL (VALUES (c.email), (c.name)) v(x)"),
    ("unnest", "SELECT u FROM customers, unnest(aliases) u"),
    ("unnest of several", "SELECT a, b FROM customers, unnest(aliases, ARRAY[name]) AS t(a, b)"),
    ("unnest in the list", "SELECT unnest(aliases) FROM customers"),
    ("function in FROM", "SELECT * FROM customers c, LATERAL concat(c.email, c.ssn) x"),
    ("rows from", "SELECT * FROM customers c, LATERAL ROWS FROM (regexp_split_to_table(c.email, '@'), generate_series(1, 2)) AS r(part, n)"),
    ("natural join", "SELECT * FROM customers NATURAL JOIN contact"),
    ("join using a protected column", "SELECT email FROM customers JOIN contact_snapshot USING (email)"),
    ("full join using", "SELECT email FROM customers FULL JOIN contact_snapshot USING (email)"),
    ("join alias", "SELECT j.b FROM (customers a JOIN orders o ON o.customer_id = a.id) AS j(a, b)"),
    ("join using alias", "SELECT j.email || '' FROM customers JOIN contact_snapshot USING (email) AS j"),
    ("view", "SELECT reach_at, who FROM contact"),
    ("view of a view", "SELECT * FROM contact_again"),
    ("expression over a view", "SELECT lower(reach_at), md5(who) FROM contact"),
    ("materialized view", "SELECT * FROM contact_snapshot"),
    ("inheritance child", "SELECT * FROM ONLY customers"),
    ("generated column", "SELECT email_lower FROM customers"),
    ("partition", "SELECT patient, patient || '' FROM readings_2025"),
    ("partitioned table", "SELECT * FROM readings"),
    ("set returning function", "SELECT * FROM all_customers()"),
    ("function in the list", "SELECT all_customers()"),
    ("scalar function", "SELECT one_email(1)"),
    ("function over rows", "SELECT id, one_email(id) FROM customers"),
    ("attribute notation", "SELECT c.name, (c.home).city FROM customers c"),
    ("xml", "SELECT doc, xpath('//first', doc::xml), xmlserialize(content doc::xml AS text) FROM customers"),
    ("xmlelement", "SELECT xmlelement(name x, email), xmlforest(name, phone), xmlagg(doc::xml) FROM customers"),
    ("xmltable", "SELECT x.* FROM customers, XMLTABLE('/person' PASSING (doc::xml) COLUMNS first text PATH 'first') x"),
    ("query_to_xml", "SELECT query_to_xml('SELECT email FROM customers', true, false, '')"),
    ("table_to_xml", "SELECT table_to_xml('customers', true, false, '')"),
    ("bytea", "SELECT secret, encode(secret, 'escape'), get_byte(secret, 0) FROM customers"),
    ("collate and cast", 'SELECT (email COLLATE "C")::varchar(100), name::name FROM customers'),
    ("tsvector", "SELECT to_tsvector('simple', name), ts_headline(email, to_tsquery('ada')) FROM customers"),
    ("range of a protected value", "SELECT numrange(card, card + 1), daterange(born, born + 10) FROM customers"),
    ("distinct on", "SELECT DISTINCT ON (email) email FROM customers ORDER BY email, id"),
    ("returning of an update", "UPDATE customers SET plan = 'gold' WHERE id = 1 RETURNING email, upper(name), customers.*"),
    ("returning of a delete", "DELETE FROM customers WHERE id = 2 RETURNING *, customers"),
    ("copied by an insert", "INSERT INTO orders (id, note) SELECT 100 + id, email FROM customers RETURNING note"),
    ("copied by an update", "UPDATE orders o SET note = c.email FROM customers c WHERE c.id = o.customer_id RETURNING o.note, o.*"),
    ("copied inside a cte", "WITH w AS (UPDATE orders o SET note = c.name FROM customers c WHERE c.id = o.customer_id RETURNING note) SELECT note FROM w"),
    ("returning of a merge", "MERGE INTO orders o USING customers c ON c.id = o.customer_id WHEN MATCHED THEN UPDATE SET note = c.ssn RETURNING o.note, c.email"),
    ("on conflict", "INSERT INTO orders (id, note) VALUES (10, 'x') ON CONFLICT (id) DO UPDATE SET note = (SELECT email FROM customers WHERE id = 1) RETURNING note"),
    ("statistics", "SELECT most_common_vals, histogram_bounds FROM pg_stats WHERE tablename = 'customers'"),
    ("statistics underneath", "SELECT stavalues1 FROM pg_statistic WHERE starelid = 'customers'::regclass"),
    ("error: cast to integer", "SELECT email::int FROM customers"),
    ("error: cast to uuid", "SELECT name::uuid FROM customers"),
    ("error: cast to date", "SELECT email::date FROM customers"),
    ("error: cast to regclass", "SELECT email::regclass FROM customers"),
    ("error: cast to json", "SELECT email::json FROM customers"),
    ("error: cast to xml", "SELECT ('<' || email)::xml FROM customers"),
    ("error: in WHERE", "SELECT id FROM customers WHERE name::int > 0"),
    ("error: current_setting", "SELECT current_setting(email) FROM customers"),
    ("error: division with a message", "SELECT to_number(email, '999') / 0, to_date(name, 'YYYY') FROM customers"),
    ("error: unique violation", "UPDATE customers SET email = (SELECT email FROM customers WHERE id = 1)"),
    ("error: through a view", "SELECT reach_at::numeric FROM contact"),
    ("notice", "SELECT shout(email) FROM customers"),
    ("explain", "EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM customers WHERE email = 'x' ORDER BY name"),
    ("copy table", "COPY customers TO STDOUT"),
    ("copy columns csv", "COPY customers (id, email, profile, born) TO STDOUT (FORMAT csv, HEADER)"),
    ("copy query", "COPY (SELECT id, upper(name), aliases FROM customers) TO STDOUT (FORMAT csv, FORCE_QUOTE *)"),
    ("copy binary", "COPY (SELECT id, email, born, card FROM customers) TO STDOUT (FORMAT binary)"),
    ("copy whole row", "COPY (SELECT c FROM customers c) TO STDOUT"),
    ("copy view", "COPY (SELECT * FROM contact_again) TO STDOUT"),
)  # fmt: skip

#: What a support engineer asks every day. Each must come through the masker exactly as it is.
BENIGN: tuple[tuple[str, str], ...] = (
    ("count", "SELECT count(*) FROM customers"),
    ("count of a column", "SELECT count(email), count(DISTINCT email) FROM customers"),
    ("count by plan", "SELECT plan, count(*) FROM customers GROUP BY plan ORDER BY 1"),
    ("having", "SELECT plan, count(*) FROM customers GROUP BY plan HAVING count(*) > 0 ORDER BY plan"),
    ("is the column filled", "SELECT id, email IS NULL, phone IS NOT NULL FROM customers ORDER BY id"),
    ("filled columns", "SELECT id, num_nulls(email, phone) FROM customers ORDER BY id"),
    ("exists", "SELECT EXISTS (SELECT 1 FROM customers WHERE id = 1)"),
    ("exists selecting anything", "SELECT EXISTS (SELECT email FROM customers WHERE active)"),
    ("by id", "SELECT id, plan, created, active FROM customers WHERE id = 1"),
    ("find by email", "SELECT id, plan FROM customers WHERE plan = 'gold' AND email IS NOT NULL"),
    ("orders of a customer", "SELECT o.id, o.status, o.total, o.placed FROM orders o WHERE o.customer_id = 1 ORDER BY o.id"),
    ("join", "SELECT o.id, c.plan, o.total FROM orders o JOIN customers c ON c.id = o.customer_id ORDER BY 1"),
    ("left join", "SELECT c.id, count(o.id), max(o.placed) FROM customers c LEFT JOIN orders o ON o.customer_id = c.id GROUP BY c.id ORDER BY 1"),
    ("orders by status", "SELECT status, count(*), sum(total), round(avg(total), 2) FROM orders GROUP BY status ORDER BY 1"),
    ("revenue by day", "SELECT date_trunc('day', placed) AS day, sum(total) FROM orders GROUP BY 1 ORDER BY 1"),
    ("revenue by customer", "SELECT customer_id, sum(total) FROM orders GROUP BY customer_id ORDER BY 2 DESC"),
    ("latest order each", "SELECT DISTINCT ON (customer_id) customer_id, id, placed FROM orders ORDER BY customer_id, placed DESC"),
    ("running total", "SELECT id, sum(total) OVER (ORDER BY placed) FROM orders ORDER BY placed"),
    ("rank by revenue", "SELECT customer_id, rank() OVER (ORDER BY sum(total) DESC) FROM orders GROUP BY customer_id ORDER BY 2"),
    ("rows a customer", "SELECT id, row_number() OVER (PARTITION BY customer_id ORDER BY placed) FROM orders ORDER BY id"),
    ("text of an order", "SELECT id, note, upper(status), length(note) FROM orders ORDER BY id"),
    ("items", "SELECT id, items, items -> 0 ->> 'sku', jsonb_array_length(items) FROM orders ORDER BY id"),
    ("elements of items", "SELECT o.id, i ->> 'sku' FROM orders o, jsonb_array_elements(o.items) i"),
    ("whole order", "SELECT o FROM orders o ORDER BY id"),
    ("order as json", "SELECT row_to_json(o) FROM orders o ORDER BY id"),
    ("cte", "WITH big AS (SELECT * FROM orders WHERE total > 10) SELECT id, total FROM big ORDER BY id"),
    ("recursive counter", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4) SELECT i FROM n"),
    ("series", "SELECT d::date FROM generate_series('2025-05-01'::date, '2025-05-03'::date, '1 day') d"),
    ("union of ids", "SELECT id FROM customers UNION SELECT customer_id FROM orders ORDER BY 1"),
    ("scalar subquery", "SELECT c.id, (SELECT count(*) FROM orders o WHERE o.customer_id = c.id) FROM customers c ORDER BY 1"),
    ("case", "SELECT id, CASE WHEN total > 50 THEN 'big' ELSE 'small' END FROM orders ORDER BY id"),
    ("plan of a view", "SELECT id, plan FROM contact ORDER BY id"),
    ("filter", "SELECT count(*) FILTER (WHERE active), count(*) FILTER (WHERE email IS NULL) FROM customers"),
    ("duplicates", "SELECT count(*) FROM (SELECT email FROM customers GROUP BY email HAVING count(*) > 1) d"),
    ("values", "SELECT v.a, v.b FROM (VALUES (1, 'one'), (2, 'two')) v(a, b)"),
    ("partition", "SELECT taken, value FROM readings ORDER BY taken"),
    ("server", "SELECT current_database(), current_user, pg_is_in_recovery()"),
    ("sizes", "SELECT relname, relkind FROM pg_class WHERE relname = 'orders'"),
    ("columns", "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attnum > 0"),
    ("information schema", "SELECT table_name, column_name FROM information_schema.columns WHERE table_name = 'orders'"),
    ("settings", "SHOW server_version"),
    ("null fraction", "SELECT attname, null_frac FROM pg_stats WHERE tablename = 'orders'"),
    ("copy of orders", "COPY orders TO STDOUT"),
    ("copy of harmless columns", "COPY (SELECT id, plan FROM customers) TO STDOUT (FORMAT csv, HEADER)"),
    ("explain", "EXPLAIN (COSTS OFF) SELECT count(*) FROM orders"),
)  # fmt: skip
