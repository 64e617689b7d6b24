"""Why a column is masked, in words."""

from __future__ import annotations

import pytest

from access.masking import ColumnRule, MaskPolicy, Strategy
from proxy.masking.detectors import Detectors
from proxy.masking.rules import Rules, by_sample
from proxy.masking.why import reasons
from proxy.sql.lineage import OutputColumn

RULES = Rules((ColumnRule("t.email", "email", Strategy.SHAPE), by_sample("public.t.k1", "person", Strategy.SHAPE)))
NONE = Detectors(MaskPolicy(entities={"email": Strategy.REDACT}), b"").mask_text


def column(name: str, touches: str, *, plain: bool = False, safe: bool = False, unknown: bool = False) -> OutputColumn:
    from_columns = frozenset(f"public.t.{one}" for one in touches.split())
    return OutputColumn(name, from_columns, plain=plain, safe=safe, unknown=unknown)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (column("e", "email", plain=True), "e shape: public.t.email, by the rule t.email (email)"),
        (column("k", "k1", plain=True), "k shape: public.t.k1, by a sample of its table (person)"),
        (column("u", "email id"), "u redacted: computed from public.t.email"),
        (column("n", "email", safe=True), ""),
        (column("i", "id", plain=True), ""),
        (column("f", "", unknown=True), "f redacted: nobody can tell what it is made of"),
        (column("me@example.org", "email"), "«masked» redacted: computed from public.t.email"),
    ],
)
def test_each_column_says_why(one: OutputColumn, said: str) -> None:
    assert reasons(RULES, NONE, [one], touched=True) == ((said,) if said else ())


def test_what_cannot_be_traced_and_what_nobody_protects() -> None:
    assert "every column" in reasons(RULES, NONE, None, touched=True)[0]
    assert reasons(RULES, NONE, None, touched=False) == ()
    assert reasons(Rules(()), NONE, [column("f", "", unknown=True)], touched=True) == ()
