"""The reviewed lists against the servers they were made for."""

from __future__ import annotations

import psycopg
import pytest

from app.embedded_postgres import EmbeddedPostgres
from proxy.sql import functions, relations
from proxy.sql.catalog import Catalog, Function, Volatility
from proxy.sql.functions import builtin_call, is_trusted
from proxy.sql.known import known

LISTS = {
    "harmless": functions.HARMLESS,
    "executes text": functions.EXECUTES_TEXT,
    "tells too much": functions.TELLS_TOO_MUCH,
    "writes": functions.WRITES,
    "locks": functions.ADVISORY_LOCKS | functions.ADVISORY_UNLOCKS,
    "special": functions.SPECIAL,
}


def test_no_function_is_on_two_lists() -> None:
    names = [name for listed in LISTS.values() for name in listed]
    assert sorted(names) == sorted(set(names))


def test_every_listed_function_exists(catalog: Catalog) -> None:
    known_names = {name for schema, name in catalog.functions if schema == "pg_catalog"}
    assert {name for listed in LISTS.values() for name in listed} - known_names == set()


def test_every_volatile_builtin_that_is_not_listed_is_administration(catalog: Catalog) -> None:
    listed = frozenset().union(*LISTS.values())
    for (schema, name), overloads in catalog.functions.items():
        volatile = any(one.volatility is Volatility.VOLATILE for one in overloads)
        if schema == "pg_catalog" and volatile and name not in listed and all(one.builtin for one in overloads):
            assert builtin_call(name, overloads).effects == {"admin"}, name


def test_stable_functions_that_reach_outside_are_all_known_to_the_reviewer(catalog: Catalog) -> None:
    """A new server version that brings one with such a name makes somebody look at it."""
    suspicious = ("_read", "_ls_", "file", "query_to", "execute", "secret", "password")
    harmless = {
        "pg_filenode_relation", "pg_relation_filenode", "pg_relation_filepath", "pg_split_walfile_name", "pg_walfile_name",
        "pg_walfile_name_offset", "pg_stat_get_db_blk_read_time", "pg_stat_get_db_temp_files",
    }  # fmt: skip
    for (schema, name), overloads in catalog.functions.items():
        if schema == "pg_catalog" and any(part in name for part in suspicious) and name not in harmless:
            call = builtin_call(name, overloads)
            takes_internal = name.endswith(("_in", "_out", "_recv", "_send"))
            assert call.effects or takes_internal, name


def test_every_system_relation_was_looked_at(catalog: Catalog) -> None:
    for schema, name in catalog.relations:
        if schema == "pg_catalog" and catalog.relations[schema, name].kind in {"r", "v"}:
            assert "does not know" not in relations.closed(schema, name), name


@pytest.mark.parametrize(
    ("schema", "name", "closed"),
    [
        ("pg_catalog", "pg_authid", True),
        ("pg_catalog", "pg_class", False),
        ("pg_catalog", "pg_stat_progress_vacuum", False),
        ("pg_catalog", "pg_brand_new", True),
        ("pg_toast", "pg_toast_1", True),
        ("pg_toast_temp_3", "x", True),
        ("information_schema", "tables", False),
        ("information_schema", "user_mapping_options", True),
        ("public", "pg_authid", False),
    ],
)
def test_closed_relations(schema: str, name: str, closed: bool) -> None:
    assert bool(relations.closed(schema, name)) is closed


@pytest.mark.parametrize(
    ("function", "trusted"),
    [
        (Function("public", "similarity", Volatility.IMMUTABLE, language="c", extension="pg_trgm"), True),
        (Function("public", "similarity", Volatility.STABLE, language="c", extension="pg_trgm"), True),
        (Function("public", "similarity", Volatility.VOLATILE, language="c", extension="pg_trgm"), False),
        (Function("public", "similarity", Volatility.IMMUTABLE, language="plpgsql", extension="pg_trgm"), False),
        (Function("public", "similarity", Volatility.IMMUTABLE, language="c", extension="dblink"), False),
        (Function("public", "similarity", Volatility.IMMUTABLE, language="c"), False),
        (Function("public", "uuid_generate_v4", Volatility.VOLATILE, language="c", extension="uuid-ossp"), True),
    ],
)
def test_trusted_functions(function: Function, trusted: bool) -> None:
    assert is_trusted(function) is trusted


@pytest.mark.parametrize(
    ("registered", "held"),
    [
        (frozenset(), True),
        (frozenset({"public.f"}), False),
        (frozenset({"public.*"}), False),
        (frozenset({"f"}), True),
        (frozenset({"crm.f"}), True),
        (frozenset({"*"}), False),
    ],
)
def test_the_owner_registers_by_qualified_name(registered: frozenset[str], held: bool) -> None:
    catalog = Catalog.of(functions=[Function("public", "f", builtin=False)], registered=registered)
    assert bool(known(catalog).call(("f",), ("pg_catalog", "public")).effects) is held


def test_registering_one_of_two_candidates_is_not_enough() -> None:
    both = [Function("public", "f", builtin=False), Function("crm", "f", builtin=False)]
    catalog = Catalog.of(functions=both, registered=frozenset({"public.f"}))
    assert known(catalog).call(("f",), ("pg_catalog", "public", "crm")).effects
    assert not known(catalog).call(("f",), ("pg_catalog", "public")).effects
    assert not known(catalog).call(("public", "f"), ("pg_catalog", "public", "crm")).effects


def test_made_up_names_do_not_fill_the_memory() -> None:
    names = known(Catalog.of(functions=[Function("pg_catalog", "lower", Volatility.IMMUTABLE, language="internal")]))
    for number in range(20_000):
        names.call((f"made_up_{number}",), ("pg_catalog",))
    assert len(names._calls) < 10_000
    assert not names.call(("lower",), ("pg_catalog",)).effects


async def test_functions_put_into_pg_catalog_are_not_built_in(
    postgres: EmbeddedPostgres, postgres_database: str
) -> None:
    from tests.proxy.sql.conftest import read_catalog

    with psycopg.connect(postgres_database, autocommit=True) as admin:
        admin.execute("SET allow_system_table_mods = on")
        admin.execute("CREATE FUNCTION pg_catalog.looks_built_in() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'")
    catalog = await read_catalog(postgres_database)
    assert known(catalog).call(("looks_built_in",), ("pg_catalog",)).effects == {"opaque"}
