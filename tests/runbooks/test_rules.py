"""Who may run what where; whether a push notice is genuine; where differences are shown. Pure."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from runbooks.mirror import compare_link
from runbooks.rules import ANY, Rule, rule_of
from runbooks.transports import Origin
from runbooks.webhook import SIGNATURE, TOKEN, genuine

DB, REST = Rule(("db/*",), ("prod-*",), ("dba",)), Rule(("*.runbook.sh", "web/*"), ("web-*",))


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("db/refund.runbook.sql", DB),
        ("db/deep/x.runbook.sh", DB),
        ("web/x.runbook.sql", REST),
        ("x.runbook.sh", REST),
        ("x.runbook.sql", None),
        ("DB/x.runbook.sql", None),
        ("web", None),
    ],
)
def test_the_first_rule_that_covers_a_path(path: str, rule: Rule | None) -> None:
    assert rule_of((DB, REST), path) == rule
    assert rule_of((), path) is ANY


def test_what_a_rule_admits() -> None:
    assert DB.admits({"dba", "x"})
    assert not DB.admits({"developers"})
    assert not DB.admits(())
    assert ANY.admits(())
    assert DB.reaches("prod-db")
    assert not DB.reaches("test-db")
    assert ANY.reaches("anything")


BODY = b'{"ref": "refs/heads/main"}'
GOOD = "sha256=" + hmac.new(b"s3cret", BODY, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("secret", "headers", "body", "is_genuine"),
    [
        ("s3cret", {SIGNATURE: GOOD}, BODY, True),
        ("s3cret", {TOKEN: "s3cret"}, b"anything", True),
        ("s3cret", {SIGNATURE: GOOD}, BODY + b" ", False),
        ("s3cret", {SIGNATURE: GOOD.upper()}, BODY, False),
        ("s3cret", {SIGNATURE: "sha256=" + hashlib.sha256(BODY).hexdigest()}, BODY, False),
        ("s3cret", {SIGNATURE: GOOD.removeprefix("sha256=")}, BODY, False),
        ("s3cret", {SIGNATURE: "sha1=" + hmac.new(b"s3cret", BODY, hashlib.sha1).hexdigest()}, BODY, False),
        ("s3cret", {SIGNATURE: GOOD, TOKEN: "s3cret"}, BODY, False),
        ("s3cret", {SIGNATURE: "", TOKEN: ""}, BODY, False),
        ("s3cret", {TOKEN: "é"}, BODY, False),
        ("s3cret", {}, BODY, False),
        ("", {TOKEN: ""}, BODY, False),
        ("", {SIGNATURE: "sha256=" + hmac.new(b"", BODY, hashlib.sha256).hexdigest()}, BODY, False),
    ],
)
def test_whether_a_notice_is_genuine(secret: str, headers: dict[str, str], body: bytes, is_genuine: bool) -> None:
    assert genuine(secret, headers, body) is is_genuine


OLD, NEW = "a" * 40, "b" * 40


@pytest.mark.parametrize(
    ("url", "compare", "link"),
    [
        ("https://github.com/acme/ops.git", "", f"https://github.com/acme/ops/compare/{OLD}...{NEW}"),
        ("ssh://git@github.com/acme/ops", "", f"https://github.com/acme/ops/compare/{OLD}...{NEW}"),
        ("https://gitlab.com/a/b/ops.git", "", f"https://gitlab.com/a/b/ops/-/compare/{OLD}...{NEW}"),
        (
            "https://git.example.com/ops",
            "https://git.example.com/ops/diff/{old}/{new}",
            f"https://git.example.com/ops/diff/{OLD}/{NEW}",
        ),
        ("https://git.example.com/ops", "", ""),
        ("https://github.com.evil.example/a/b", "", ""),
        ("/srv/ops", "", ""),
    ],
)
def test_where_a_difference_is_shown(url: str, compare: str, link: str) -> None:
    origin = Origin("ops", url, compare=compare)
    assert compare_link(origin, OLD, NEW) == link
    assert compare_link(origin, "main", NEW) == ""
