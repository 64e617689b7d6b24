"""No protected value reaches a client: not in rows, COPY, errors, notices, names, plans, parameters, notifications."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from access.scopes import Admin, Read, Scope, Write
from proxy.postgres import messages as m
from tests.wire.attacks.corpus import CUT
from tests.wire.attacks.field import Field
from tests.wire.attacks.leaks import leaked, shapes
from tests.wire.attacks.raw import Raw, Said, bind, execute, parse
from tests.wire.attacks.schema import EMAIL

QUERIES = """
SELECT email, ssn FROM customers
TABLE customers
SELECT * FROM customers ORDER BY email LIMIT 3
SELECT c FROM customers c
SELECT c.* FROM customers AS c(a, b, d, e)
SELECT (c).email FROM customers c
SELECT email(c) FROM customers c
SELECT reverse(email), upper(email), initcap(email), translate(email, 'abc', 'nop') FROM customers
SELECT encode(email::bytea, 'base64'), encode(email::bytea, 'hex'), encode(email::bytea, 'escape') FROM customers
SELECT md5(email), sha256(email::bytea), hashtext(email) FROM customers
SELECT ascii(substr(email, n, 1)) FROM customers, generate_series(1, 20) n WHERE id = 1 ORDER BY n
SELECT substr(email, n, 1) FROM customers, generate_series(1, 20) n WHERE id = 1 ORDER BY n
SELECT regexp_split_to_table(email, '') FROM customers WHERE id = 1
SELECT string_to_array(email, NULL) FROM customers
SELECT get_byte(email::bytea, n) FROM customers, generate_series(0, 18) n WHERE id = 1
SELECT to_json(c), row_to_json(c), to_jsonb(c) ->> 'email' FROM customers c
SELECT jsonb_each_text(to_jsonb(c)) FROM customers c
SELECT json_agg(c), array_agg(email), string_agg(ssn, ',') FROM customers c
SELECT min(email), max(ssn), mode() WITHIN GROUP (ORDER BY email) FROM customers
SELECT xmlelement(name x, email), xmlforest(ssn) FROM customers
SELECT email FROM customers UNION SELECT 'x'
SELECT name FROM scratch RIGHT JOIN customers USING (id) UNION ALL SELECT email FROM customers
SELECT (SELECT email FROM customers WHERE id = s.id) FROM scratch s
SELECT x FROM (SELECT email || '' AS x FROM customers) t
WITH RECURSIVE r AS (SELECT email AS e, 1 AS n FROM customers WHERE id = 1 UNION ALL SELECT e || n, n + 1 FROM r WHERE n < 3) SELECT * FROM r
SELECT * FROM contacts
SELECT shout, lower(reach) FROM contacts
SELECT * FROM frozen
SELECT email FROM frozen LIMIT 1
SELECT lag(email) OVER (ORDER BY id), first_value(ssn) OVER () FROM customers
SELECT CASE WHEN true THEN email END, coalesce(NULL, ssn), nullif(email, ''), greatest(email, ssn) FROM customers
SELECT format('%s', email), concat(email, ssn), overlay(email placing '' from 1 for 0), quote_literal(email) FROM customers
SELECT ROW(email, ssn), ARRAY[email] FROM customers
SELECT array(SELECT email FROM customers)
SELECT VALUES_ FROM (VALUES ((SELECT email FROM customers WHERE id = 1))) v(values_)
SELECT unnest(array_agg(email)) FROM customers
SELECT to_tsvector('simple', email), email::tsvector FROM customers
SELECT ts_headline(email, 'x'::tsquery) FROM customers
SELECT m[1] FROM customers, regexp_matches(email, '(.*)@') m
SELECT length(email), position('@' in email), email < 'm', email LIKE 'z%' FROM customers
SELECT ('x' || email)::varchar(30), email::name, email::char(40) FROM customers
SELECT email::int FROM customers
SELECT email::uuid FROM customers
SELECT email::regclass FROM customers
SELECT email::json FROM customers
SELECT email::xml, ('<a>' || email)::xml FROM customers
SELECT email::date FROM customers
SELECT email::inet FROM customers
SELECT 1 / (length(email) - length(email)) FROM customers
SELECT to_number(email, '9'), to_date(ssn, 'X') FROM customers
SELECT current_setting(email) FROM customers
SELECT ('{' || email)::int[] FROM customers
SELECT (email || '::')::box FROM customers
SELECT regexp_replace('x', email || '(', '') FROM customers
SELECT chr(1114112 + length(email)) FROM customers
SELECT set_config('application_name', (SELECT email FROM customers WHERE id = 1), false)
SELECT query_to_xml('SELECT email FROM customers', true, true, '')
SELECT most_common_vals FROM pg_stats WHERE tablename = 'customers'
SELECT histogram_bounds::text FROM pg_stats WHERE attname = 'email'
SELECT * FROM stats
SELECT stavalues1::text FROM pg_statistic
SELECT leak(1)
SELECT * FROM rows_of()
EXPLAIN (ANALYZE, VERBOSE) SELECT email FROM customers WHERE email = (SELECT max(email) FROM customers)
EXPLAIN SELECT * FROM customers WHERE email = (SELECT min(email) FROM customers)
COPY customers TO STDOUT
COPY customers (email) TO STDOUT (FORMAT csv, FORCE_QUOTE *)
COPY (SELECT upper(email) FROM customers) TO STDOUT (FORMAT binary)
COPY (SELECT c FROM customers c) TO STDOUT (DELIMITER '|', NULL 'n')
COPY (SELECT reverse(ssn) FROM customers) TO STDOUT (FORMAT csv, HEADER, QUOTE 'v')
COPY frozen TO STDOUT
PREPARE q AS SELECT email || '' FROM customers ;; EXECUTE q
PREPARE q AS SELECT name || '' FROM customers ;; DEALLOCATE q; PREPARE q AS SELECT email || '' FROM customers; EXECUTE q
BEGIN; DECLARE c CURSOR FOR SELECT email || '' FROM customers ;; FETCH ALL FROM c
BEGIN; DECLARE c CURSOR FOR SELECT name || '' FROM customers ;; CLOSE c; DECLARE c CURSOR FOR SELECT ssn || '' FROM customers; FETCH ALL FROM c
DECLARE c BINARY CURSOR WITH HOLD FOR SELECT email FROM customers ;; FETCH 3 FROM c
SET search_path = archive, public ;; SET search_path = public; SELECT email || '' FROM customers
SET search_path = archive, public ;; SELECT set_config('search_path', 'public', false); SELECT email || '' FROM customers
SET search_path = archive, public ;; BEGIN; SET LOCAL search_path = public; SELECT upper(email) FROM customers
SET search_path = archive, public ;; BEGIN ;; SAVEPOINT s; SET search_path = public ;; ROLLBACK TO s ;; SET LOCAL search_path = public ;; SELECT upper(email) FROM customers
BEGIN; SET LOCAL search_path = archive ;; COMMIT ;; SELECT upper(email) FROM customers
SET search_path = archive ;; RESET search_path; SELECT upper(email) FROM customers
SET search_path = archive ;; DISCARD ALL ;; SELECT upper(email) FROM customers
SET client_min_messages = debug5; SET debug_print_plan = on; SELECT email FROM customers WHERE id = 1
SET bytea_output = escape; SELECT email::bytea, convert_to(ssn, 'UTF8') FROM customers
LISTEN x ;; SELECT pg_notify('x', email) FROM customers
SELECT DISTINCT ON (email) email || '' FROM customers
SELECT count(*), email FROM customers GROUP BY GROUPING SETS ((email), ())
SELECT JSON_OBJECT('k': email), JSON_ARRAYAGG(ssn), JSON_SCALAR(email) FROM customers GROUP BY email
SELECT * FROM JSON_TABLE((SELECT jsonb_agg(email) FROM customers), '$[*]' COLUMNS (e text PATH '$')) j
SELECT * FROM XMLTABLE('//a' PASSING (SELECT xmlelement(name a, email) FROM customers LIMIT 1) COLUMNS e text PATH '.') x
SELECT attname, attmissingval FROM pg_attribute WHERE attrelid = 'customers'::regclass
"""

WRITES = """
INSERT INTO customers (id, email) VALUES (1, 'x')
INSERT INTO customers (id, email) SELECT 900, email FROM customers WHERE id = 1
UPDATE customers SET email = 'a' WHERE id = 1 RETURNING old.email, new.email || '', email
DELETE FROM customers WHERE id = 1 RETURNING *
DELETE FROM customers WHERE id = 2 RETURNING upper(email)
UPDATE customers SET id = email::int WHERE id = 1
INSERT INTO scratch SELECT 902, email FROM customers WHERE id = 1 ;; SELECT * FROM scratch WHERE id = 902
UPDATE customers SET note = email WHERE id = 1 ;; SELECT note FROM customers WHERE id = 1
WITH x AS (DELETE FROM customers WHERE id = 1 RETURNING *) SELECT upper(email) FROM x
MERGE INTO customers c USING scratch s ON c.id = s.id AND s.id = 1 WHEN MATCHED THEN UPDATE SET note = 'y' RETURNING c.*, merge_action()
LISTEN x ;; SELECT pg_notify('x', email) FROM customers WHERE id = 1
LISTEN x ;; NOTIFY x, 'y'
"""


@pytest.fixture(params=[Read(), Write(), Admin()], ids=["read", "write", "admin"])
def client(field: Field, request: pytest.FixtureRequest) -> Iterator[Raw]:
    scope: Scope = request.param
    with field.connect(scope) as raw:
        yield raw


def _lines(block: str) -> list[str]:
    return block.strip().splitlines()


def _binary(client: Raw, text: str) -> Said:
    client.send(parse("", text), bind("", "", results=[1]), m.describe("P", ""), execute(""), m.SYNC_MESSAGE)
    return client.until_ready()


def test_the_detector_of_leaks_sees_them(field: Field) -> None:
    """Directly at the server the same queries do leak: in most of these shapes."""
    row = field.oracle.connection.execute(
        "SELECT reverse(email), encode(email::bytea, 'base64') FROM customers WHERE id = 1"
    ).fetchone()
    assert row is not None
    assert all(any(shape in str(value).encode() for shape in shapes()) for value in row)
    said = Said([m.message(m.DATA_ROW, b"\0\1\0\0\0\1" + bytes([c])) for c in EMAIL.format(1).encode()])
    assert leaked(said) == "values put together"


def test_no_read_leaks(client: Raw) -> None:
    found = []
    for line in _lines(QUERIES):
        for step in line.split(CUT):
            channel = leaked(said := client.query(step))
            if channel:
                found.append(f"{line}: {channel} {said.rows[:2]}")
        if ";" not in line:
            answers = (client.extended(line), _binary(client, line), client.extended(line + " -- again"))
            found += [f"{line} (extended): {channel}" for said in answers if (channel := leaked(said))]
        client.query("ROLLBACK")
        client.query("DISCARD ALL")
    assert not found, "\n".join(found)


def test_no_write_leaks(field: Field) -> None:
    found = []
    before = field.oracle.state()
    with field.connect(Write()) as client:
        for line in _lines(WRITES):
            answers = [client.query(step) for step in line.split(CUT)]
            found += [f"{line}: {channel} {said.rows[:2]}" for said in answers if (channel := leaked(said))]
            client.query("ROLLBACK")
            field.oracle.restore(field.oracle.changed(before))
    assert not found, "\n".join(found)


def test_a_pipeline_is_read_in_its_order(field: Field) -> None:
    """What one Execute changes is what the next Bind of the same pipeline means."""

    def run(text: str) -> bytes:
        return parse("", text) + bind("", "") + m.describe("P", "") + execute("")

    with field.connect(Read()) as client:
        client.query("SET search_path = archive, public; PREPARE p AS SELECT name || '' FROM archive.customers")
        for messages in (
            [run("SET search_path = public"), run("SELECT email || '' FROM customers")],
            [run("DEALLOCATE p"), run("PREPARE p AS SELECT email || '' FROM customers"), run("EXECUTE p")],
            [
                run("DEALLOCATE p"),
                run("PREPARE p AS SELECT ssn || '' FROM public.customers"),
                bind("", "p"),
                execute(""),
            ],
            [run("BEGIN"), run("DECLARE c CURSOR FOR SELECT ssn || '' FROM public.customers"), run("FETCH ALL FROM c")],
            [run("CLOSE ALL"), run("DECLARE c CURSOR FOR SELECT ssn || '' FROM public.customers"), execute("c")],
        ):
            said = client.send(*messages, m.SYNC_MESSAGE).until_ready()
            assert not leaked(said)
            assert said.rows
            client.query("SET search_path = archive, public")
