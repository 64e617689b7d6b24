"""Statements that differ in their literals: what is remembered of one is what judging the other by itself says."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from access.masking import ColumnRule, MaskPolicy
from access.scopes import Level
from app.config_build import DEFAULT_DETECTION
from proxy.masking import sqltext
from proxy.masking.plan import Masker
from proxy.postgres.reading import Reader, Reading
from proxy.sql.catalog import Catalog
from proxy.sql.forms import Form, FormMemory, Given, Hiding, form
from proxy.sql.judged import SqlSession
from proxy.sql.parse import parse
from tests.proxy.sql.test_corpus import CORPUS
from tests.proxy.sql.variants import STRINGS, variants
from tests.proxy.sql.worlds import Dice

SESSION = SqlSession(role="app")
#: `HOOP_DEEP=20` looks twenty times as long.
DEEP = int(os.environ.get("HOOP_DEEP", "1"))

POLICIES = {
    "rules": MaskPolicy(columns=(ColumnRule("*.email", "email"), ColumnRule("*.name", "person")), entities=DEFAULT_DETECTION),
    "strict": MaskPolicy(columns=(ColumnRule("*.email", "email"),), entities=DEFAULT_DETECTION, strict=True, lookups_per_hour=5),
    "words": MaskPolicy(entities=DEFAULT_DETECTION, words={"project": ("DE", "zz")}, patterns={"code": ("[0-9]{5}",)}),
}


def same(one: Reading, other: Reading) -> None:
    assert one.judged == other.judged
    assert one.shown == other.shown
    assert one.parts == other.parts
    assert (one.text, one.touched, one.stable) == (other.text, other.touched, other.stable)
    assert [(s.node, s.tree, s.text, s.location, s.length) for s in one.parsed.statements] == [
        (s.node, s.tree, s.text, s.location, s.length) for s in other.parsed.statements
    ]


@pytest.mark.parametrize("policy", POLICIES)
def test_what_is_remembered_is_what_judging_it_says(catalog: Catalog, policy: str) -> None:
    """Every statement of the corpus, and others of its form, by one memory that knows all of them."""
    masker = Masker(POLICIES[policy], catalog, b"k")
    reader, alone = Reader(catalog, masker), Reader(catalog, masker)
    dice = Dice(len(policy))
    session = SqlSession(role="app", level=Level.WRITE)
    used = 0
    for case in CORPUS:
        for text in (case.sql, *variants(case.sql, 3 * DEEP, dice)):
            found = form(text)
            used += found is not None and reader._forms is not None and reader._forms.find(found) is not None
            same(reader.read(text, session, 0), alone.read(text, session, 0, fresh=True))
    assert used > 300 * DEEP
