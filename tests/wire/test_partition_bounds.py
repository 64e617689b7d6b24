"""The bounds of partitions are values of the columns tables are divided by: protected like them, in every channel."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from access.masking import ColumnRule, MaskPolicy, Strategy
from access.policy import Policy
from app.embedded_postgres import EmbeddedPostgres
from proxy.masking.strategies import REDACTED
from tests.wire.site import open_site

SCHEMA = """
CREATE TABLE patients (id int, ward text, born date) PARTITION BY LIST (ward);
CREATE TABLE patients_1 PARTITION OF patients FOR VALUES IN ('Lovelace', 'Grace Hopper');
CREATE TABLE patients_2 PARTITION OF patients FOR VALUES IN ('Turing') PARTITION BY RANGE (born);
CREATE TABLE patients_2a PARTITION OF patients_2 FOR VALUES FROM ('1912-06-23') TO ('1954-06-07');
CREATE TABLE patients_0 PARTITION OF patients DEFAULT;
CREATE VIEW bounds AS SELECT relname AS shown, pg_get_expr(relpartbound, oid) AS told FROM pg_class WHERE relispartition;
INSERT INTO patients SELECT g, 'Lovelace' FROM generate_series(1, 5) g;
"""
#: Values, and one of them as `pg_node_tree` shows it.
SECRETS = ("lovelace", "hopper", "turing", "1912", "1954", "76 111 118 101", "4c6f76656c616365")
RULES = (ColumnRule("patients.ward", "person", Strategy.SHAPE),)
LEAKING = [
    "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relispartition",
    "SELECT upper(pg_get_expr(relpartbound, oid)) AS relname FROM pg_class WHERE relispartition",
    "SELECT relpartbound FROM pg_class WHERE relispartition",
    "SELECT relpartbound::text FROM pg_class WHERE relispartition",
    "SELECT * FROM pg_class WHERE relispartition",
    "SELECT c FROM pg_class c WHERE relispartition",
    "SELECT c::text FROM pg_class c WHERE relispartition",
    "SELECT to_jsonb(c) ->> 'relpartbound' FROM pg_class c WHERE relispartition",
    "SELECT x FROM (SELECT relname, relpartbound FROM pg_class WHERE relispartition) AS s(y, x)",
    "SELECT convert_to(pg_get_expr(relpartbound, oid), 'UTF8') FROM pg_class WHERE relispartition",
    "SELECT string_agg(pg_get_expr(c.relpartbound, c.oid), ',') FROM pg_class c",
    "SELECT array_agg(pg_get_expr(c.relpartbound, c.oid)) FROM pg_class c WHERE relispartition",
    "WITH c AS (SELECT pg_get_expr(relpartbound, oid) AS a FROM pg_class) SELECT min(a), max(a) FROM c",
    "SELECT pg_get_partition_constraintdef('patients_1'::regclass)",
    "SELECT pg_catalog.pg_get_partition_constraintdef(oid) FROM pg_class WHERE relispartition",
    "SELECT * FROM pg_get_partition_constraintdef('patients_1'::regclass)",
    "SELECT d FROM pg_class, LATERAL pg_get_partition_constraintdef(oid) AS d WHERE relispartition",
    "SELECT split_part(pg_get_partition_constraintdef('patients_1'::regclass), '''', 2)",
    "SELECT pg_get_partition_constraintdef('patients_1'::regclass)::int",
    "SELECT pg_get_expr(relpartbound, oid)::date FROM pg_class WHERE relispartition",
    "SELECT * FROM bounds",
    "SELECT told || '!' FROM bounds",
    "SELECT (told)::int FROM bounds",
    "COPY (SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relispartition) TO STDOUT",
    "COPY pg_class (relname, relpartbound) TO STDOUT",
    "SELECT w FROM (VALUES ('Lovelace'), ('Other')) v(w), pg_class WHERE pg_get_expr(relpartbound, oid) LIKE '%' || w || '%'",
    "SELECT w FROM (VALUES ('Lovelace'), ('Other')) v(w) WHERE pg_get_partition_constraintdef('patients_1'::regclass) ~ w",
    "SELECT * FROM lpad(pg_get_partition_constraintdef('patients_1'::regclass), 200)",
    "SELECT * FROM rtrim(pg_get_expr((SELECT relpartbound FROM pg_class WHERE oid = 'patients_1'::regclass), 0))",
    "SELECT CASE WHEN pg_get_partition_constraintdef('patients_1'::regclass) = 'DEFAULT' THEN 1 ELSE pg_get_partition_constraintdef('patients_1'::regclass)::int END",
    "DO $$ BEGIN RAISE NOTICE '%', pg_get_partition_constraintdef('patients_1'::regclass); END $$",
    "EXPLAIN (VERBOSE) SELECT * FROM patients",
    "SELECT chr(n) FROM generate_series(1, 255) n WHERE ascii(pg_get_expr((SELECT relpartbound FROM pg_class WHERE oid = 'patients_1'::regclass), 0)) = n",
]
#: What stays readable beside them, with how often `«masked»` stands in it.
READABLE = [
    ("SELECT count(*) FROM pg_class WHERE relpartbound IS NOT NULL", "4", 0),
    ("SELECT relname FROM pg_class WHERE relname = 'patients_1'", "patients_1", 0),
    ("SELECT relname, pg_get_expr(relpartbound, oid) = 'DEFAULT' FROM pg_class WHERE relname = 'patients_0'", "True", 0),
    ("SELECT c.relname, c.relkind, pg_get_expr(c.relpartbound, c.oid) AS e FROM pg_class c WHERE relname = 'patients_1'", "patients_1", 1),
    ("SELECT pg_get_partkeydef('patients'::regclass)", "LIST (ward)", 0),
    ("SELECT pg_get_viewdef('bounds'::regclass)", "relpartbound", 0),
    ("SELECT shown FROM bounds WHERE shown = 'patients_0'", "patients_0", 0),
    ("SELECT tablename FROM pg_tables WHERE tablename = 'patients_1'", "patients_1", 0),
    ("SELECT inhparent::regclass::text FROM pg_inherits WHERE inhrelid = 'patients_1'::regclass", "patients", 0),
]  # fmt: skip


async def said(through: psycopg.AsyncConnection[tuple[object, ...]], text: str, *, binary: bool = False) -> str:
    """Everything the client gets for a statement."""
    try:
        if text.startswith("COPY"):
            async with through.cursor().copy(text) as copy:
                return " ".join([bytes(data).decode() async for data in copy])
        cursor = await through.execute(text, binary=binary)
        return repr(await cursor.fetchall())
    except psycopg.Error as error:
        return f"{error} {error.diag.message_detail} {error.diag.context}"


@pytest.fixture
def ward(postgres_database: str) -> str:
    with psycopg.connect(postgres_database, autocommit=True) as direct:
        direct.execute(SCHEMA)
    return postgres_database


async def test_no_bound_of_a_protected_column_gets_out(postgres: EmbeddedPostgres, ward: str, tmp_path: Path):
    mask = MaskPolicy(columns=RULES, entities={})
    policy = Policy(hold_seconds=1)  # what is held and not refused is refused when nobody comes
    async with open_site(postgres, ward, tmp_path, policy=policy, mask=mask) as site, await site.connect() as through:
        leaked = []
        for text in LEAKING:
            for binary in (False, True):
                got = await said(through, text, binary=binary)
                # Where the words are in the statement itself, what comes back must not be one of them either.
                leaked += [(text, binary, got) for secret in SECRETS if secret in got.lower()]
        assert not leaked
        for text, word, masks in READABLE:
            for binary in (False, True):
                got = await said(through, text, binary=binary)
                assert word in got and got.count(REDACTED) == masks, (text, got)


@pytest.mark.parametrize("strict", [False, True])
async def test_psql_describes_partitions_without_their_bounds(
    postgres: EmbeddedPostgres, ward: str, tmp_path: Path, strict: bool
):
    mask = MaskPolicy(columns=RULES, entities={}, strict=strict)
    async with open_site(postgres, ward, tmp_path, mask=mask) as site:
        _, out, error = await site.psql(
            stdin="\\d+ patients\n\\d+ patients_1\n\\d+ patients_2a\n\\d patients_2\n\\dP+\n"
        )
        assert not error
        assert f"patients_1 {REDACTED}" in out and f"Partition of: patients {REDACTED}" in out
        assert "Partition key: LIST (ward)" in out and f"Partition constraint: {REDACTED}" in out
        assert not [secret for secret in SECRETS if secret in out.lower()]
        asked = "SELECT 1 FROM pg_class WHERE pg_get_expr(relpartbound, oid) LIKE '%L%'"
        async with await site.connect() as through:
            refused = await said(through, asked)
        assert ("tests pg_catalog.pg_class.relpartbound" in refused) == strict


async def test_bounds_of_other_columns_are_shown(postgres: EmbeddedPostgres, ward: str, tmp_path: Path):
    mask = MaskPolicy(columns=(ColumnRule("patients.id", "id", Strategy.REDACT),), entities={})
    async with open_site(postgres, ward, tmp_path, mask=mask) as site:
        _, out, _ = await site.psql(stdin="\\d+ patients\n\\d+ patients_1\n")
        assert "FOR VALUES IN ('Lovelace', 'Grace Hopper')" in out and REDACTED not in out


async def test_values_in_definitions_meet_the_detectors(postgres: EmbeddedPostgres, ward: str, tmp_path: Path):
    with psycopg.connect(ward, autocommit=True) as direct:
        direct.execute("CREATE INDEX one ON patients_0 (id) WHERE ward = 'ada@example.com'")
        direct.execute("ALTER TABLE patients_0 ADD CONSTRAINT two CHECK (ward <> 'ada@example.com')")
        direct.execute("CREATE VIEW three AS SELECT id FROM patients WHERE ward = 'ada@example.com'")
        direct.execute("CREATE TABLE patients_3 PARTITION OF patients FOR VALUES IN ('ada@example.com')")
    mask = MaskPolicy(columns=(), entities={"email": Strategy.SHAPE})
    async with open_site(postgres, ward, tmp_path, mask=mask) as site:
        _, out, error = await site.psql(stdin="\\d+ patients\n\\d+ patients_0\n\\d+ patients_3\n\\d+ three\n")
        assert not error and "ada@" not in out and out.count("a****@*****.com") >= 5


async def test_a_sample_protects_bounds_before_the_first_look(
    postgres: EmbeddedPostgres, postgres_database: str, tmp_path: Path
):
    people = ["Ada Lovelace", "Grace Hopper", "Alan Turing", "Edsger Dijkstra", "Barbara Liskov", "Donald Knuth",
              "Margaret Hamilton", "Frances Allen", "Niklaus Wirth", "Radia Perlman", "John Backus", "Karen Jones"]  # fmt: skip
    with psycopg.connect(postgres_database, autocommit=True) as direct:
        direct.execute(
            "CREATE TABLE visits (k1 text) PARTITION BY LIST (k1); CREATE TABLE visits_0 PARTITION OF visits DEFAULT;"
            "CREATE TABLE visits_1 PARTITION OF visits FOR VALUES IN ('Ada Lovelace')"
        )
        for one in people:
            direct.execute("INSERT INTO visits VALUES (%s)", (one,))
    mask = MaskPolicy(entities={"person": Strategy.SHAPE}, by_sample=True)
    async with open_site(postgres, postgres_database, tmp_path, mask=mask, policy=Policy(hold_seconds=2)) as site:
        _, out, error = await site.psql(stdin="\\d+ visits\n\\d+ visits_1\n")
        assert not error and "Lovelace" not in out and REDACTED in out
