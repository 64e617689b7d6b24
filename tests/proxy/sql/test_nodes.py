from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from access.scopes import Level
from proxy.sql.catalog import Catalog
from proxy.sql.classify import judge
from proxy.sql.judged import SqlSession
from proxy.sql.nodes import NODE, NODES, SCALAR, SHAPES
from proxy.sql.parse import Parsed, ParsedStatement, parse
from tests.proxy.sql.test_corpus import CORPUS


def strangers(name: str, fields: Any) -> Iterator[str]:
    """Nodes and fields in a tree that `SHAPES` does not describe."""
    shape = SHAPES.get(name)
    if shape is None:
        yield name
        return
    for key, value in fields.items():
        kind = shape.get(key)
        if kind is None or (kind == SCALAR and isinstance(value, dict | list)):
            yield f"{name}.{key}"
        elif kind == NODES:
            for item in value:
                for node, inner in item.items():
                    yield from strangers(node, inner)
        elif kind == NODE:
            for node, inner in value.items():
                yield from strangers(node, inner)
        elif kind != SCALAR:
            yield from strangers(kind, value)


def test_the_shapes_describe_whatever_the_parser_makes() -> None:
    found = set()
    for case in CORPUS:
        for one in parse(case.sql).statements:
            found |= set(strangers(one.node, one.tree))
    assert found == set()


def test_shapes_only_name_shapes() -> None:
    kinds = {kind for shape in SHAPES.values() for kind in shape.values()}
    assert {kind for kind in kinds if kind not in SHAPES and kind not in {SCALAR, NODE, NODES}} == set()


def altered(node: str, tree: dict[str, Any]) -> Parsed:
    return Parsed("x", (ParsedStatement(node, tree, "x"),))


@pytest.mark.parametrize(
    ("node", "tree"),
    [
        ("BrandNewStmt", {}),
        ("SelectStmt", {"brandNew": True}),
        ("SelectStmt", {"targetList": [{"BrandNew": {}}]}),
        ("SelectStmt", {"targetList": [{"ResTarget": {"val": {"BrandNew": {}}}}]}),
        (
            "SelectStmt",
            {
                "targetList": [
                    {
                        "ResTarget": {
                            "val": {"A_Expr": {"kind": "AEXPR_OP", "name": [{"String": {"sval": "="}}], "brandNew": 1}}
                        }
                    }
                ]
            },
        ),
        ("SelectStmt", {"fromClause": [{"JoinExpr": {"brandNew": {}}}]}),
        ("SelectStmt", {"whereClause": {"CoalesceExpr": {"args": [{"BrandNew": {}}]}}}),
        ("DeleteStmt", {"relation": {"relname": "t"}, "brandNew": {}, "whereClause": {"A_Const": {}}}),
        ("InsertStmt", {"relation": {"relname": "t"}, "selectStmt": {"BrandNew": {}}}),
        ("TransactionStmt", {"kind": "TRANS_STMT_BRAND_NEW"}),
        ("VariableSetStmt", {"kind": "VAR_BRAND_NEW", "name": "x"}),
        ("CopyStmt", {}),
        ("SelectStmt", {"targetList": "not a list"}),
        ("SelectStmt", {"targetList": [None]}),
        ("Query", {}),
        ("PlannedStmt", {}),
    ],
)
def test_an_unknown_construct_is_not_understood(node: str, tree: dict[str, Any], catalog: Catalog) -> None:
    judged = judge(altered(node, tree), catalog, SqlSession(level=Level.ADMIN)).combined
    assert not judged.understood
    assert judged.problem
