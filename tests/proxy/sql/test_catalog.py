from __future__ import annotations

import pytest

from proxy.sql.catalog import Catalog, Column, ForeignKey, Function, Relation


def table(oid: int, name: str, *columns: str, schema: str = "public", **more: object) -> Relation:
    numbered = tuple(Column(at, column) for at, column in enumerate(columns, start=1))
    return Relation(oid, schema, name, columns=numbered, **more)  # type: ignore[arg-type]


CATALOG = Catalog.of(
    [
        table(1, "users", "id", "email"),
        table(2, "users", "id", "secret", schema="crm"),
        table(3, "parent", "id", "note"),
        table(4, "child", "extra", "note", "id", parents=(3,)),
        table(5, "grandchild", "id", "note", parents=(4,)),
        table(6, "v_users", "n", "mail", kind="v", sources=frozenset({1}), origins={1: frozenset(), 2: frozenset({"public.users.email"})}),
        table(7, "v_unknown", "x", kind="v", sources=frozenset({1, 6})),
        table(8, "v_over", "mail", kind="m", sources=frozenset({6}), origins={1: frozenset({"public.v_users.mail", "public.users.email"})}),
    ],
    [Function("public", "f"), Function("public", "f", language="sql"), Function("crm", "f")],
    foreign_keys=[ForeignKey(("public", "child"), ("public", "users"), on_delete="c")],
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "path", "found"),
    [
        (("users",), ("pg_catalog", "public"), 1),
        (("users",), ("crm", "public"), 2),
        (("users",), ("nowhere",), None),
        (("users",), (), None),
        (("crm", "users"), ("public",), 2),
        (("db", "crm", "users"), (), 2),
        (("public", "nothing"), ("public",), None),
    ],
)
def test_names_are_found_as_the_server_finds_them(
    name: tuple[str, ...], path: tuple[str, ...], found: int | None
) -> None:
    relation = CATALOG.resolve(name, path)
    assert (relation.oid if relation else None) == found


@pytest.mark.parametrize(
    ("oid", "attnum", "expected"),
    [
        (1, 2, {"public.users.email"}),
        (1, 9, set()),
        (99, 1, set()),
        (3, 2, {"public.parent.note", "public.child.note", "public.grandchild.note"}),
        (5, 1, {"public.parent.id", "public.child.id", "public.grandchild.id"}),
        (4, 1, {"public.child.extra"}),
        (6, 1, {"public.v_users.n"}),
        (6, 2, {"public.v_users.mail", "public.users.email"}),
        (
            7,
            1,
            {"public.v_unknown.x", "public.users.id", "public.users.email", "public.v_users.n", "public.v_users.mail"},
        ),
        (8, 1, {"public.v_over.mail", "public.v_users.mail", "public.users.email"}),
    ],
)
def test_a_column_shows_the_columns_behind_it(oid: int, attnum: int, expected: set[str]) -> None:
    assert CATALOG.origins(oid, attnum) == expected
    assert CATALOG.origins(oid, attnum) is CATALOG.origins(oid, attnum)


def test_kinship() -> None:
    assert CATALOG.descendants(3) == {4, 5}
    assert CATALOG.ancestors(5) == {3, 4}
    assert CATALOG.views_over(1) == {6, 7, 8}
    assert [key.child for key in CATALOG.referencing["public", "users"]] == [("public", "child")]
    assert [key.parent for key in CATALOG.references["public", "child"]] == [("public", "users")]


def test_overloads_stand_together() -> None:
    assert len(CATALOG.functions["public", "f"]) == 2


def test_a_circle_of_parents_ends() -> None:
    catalog = Catalog.of([table(1, "a", "id", parents=(2,)), table(2, "b", "id", parents=(1,))])
    assert catalog.descendants(1) == {1, 2}
    assert catalog.origins(1, 1) == {"public.a.id", "public.b.id"}


def test_nothing_is_known_before_it_is_loaded() -> None:
    empty = Catalog.empty()
    assert not empty.loaded
    assert empty.resolve(("users",), ("public",)) is None
    assert empty.origins(1, 1) == frozenset()
