"""What reviewers and collectors are handed: every grant with why, who said yes and how it ended."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from access.events import StoredEvent
from ledger.review import ERASED, as_csv, as_json, given

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
NAMES = {"d|dana": "Dana", "d|ann": "Ann"}
ASKED = {"ask": "access", "resource": "db", "scope": {"kind": "read"}, "reason": "a look", "ticket": "INC-1"}
ISSUED = {
    "grant": "grt_1", "resource": "db", "scope": {"kind": "read"}, "by": ["d|ann"], "person": "d|dana", "reason": "",
    "starts_at": "2026-03-02T09:00:00+00:00", "expires_at": "2026-03-02T10:00:00+00:00",
}  # fmt: skip


def story(*facts: tuple[str, dict[str, Any] | None]) -> list[StoredEvent]:
    return [
        StoredEvent(at, "w", at, START + timedelta(minutes=at), kind, "req_1", "d|dana", payload, f"h{at}")
        for at, (kind, payload) in enumerate(facts)
    ]


@pytest.mark.parametrize(
    ("later", "until", "ended", "how"),
    [
        ([], "10:00:00", "", ""),
        ([("grant.ended", {"grant": "grt_1", "state": "revoked", "by": "d|ann", "why": ""})], "10:00:00", "09:02:00", "revoked"),
        ([("grant.extended", {"grant": "grt_1", "expires_at": "2026-03-02T11:00:00+00:00", "by": "d|ann"})], "11:00:00", "", ""),
        (
            [("grant.used", {"grant": "grt_1"}), ("grant.ended", {"grant": "grt_1", "state": "expired", "by": "", "why": ""})],
            "10:00:00", "09:02:00", "used",
        ),
        ([("grant.ended", {"grant": "grt_9", "state": "revoked", "by": "", "why": ""})], "10:00:00", "", ""),
    ],
)  # fmt: skip
def test_a_grant_with_why_who_and_how_it_ended(later: list[tuple[str, Any]], until: str, ended: str, how: str) -> None:
    (row,) = given(
        story(("access.requested", ASKED), ("grant.issued", ISSUED), *later), lambda one: NAMES.get(one, one)
    )
    assert (row.person, row.resource, row.scope, row.approved_by) == ("Dana", "db", "read", "Ann")
    assert (row.ticket, row.reason, row.request, row.grant) == ("INC-1", "a look", "req_1", "grt_1")
    assert row.until == f"2026-03-02 {until}Z"
    assert (row.ended, row.how) == (ended and f"2026-03-02 {ended}Z", how)


def test_the_last_revision_counts_and_emergencies_are_marked() -> None:
    facts = story(
        ("access.requested", ASKED), ("request.revised", ASKED | {"reason": "another"}), ("grant.issued", ISSUED)
    )
    assert given(facts)[0].reason == "another"
    opened = story(("emergency.opened", ASKED | {"by": "d|dana"}), ("grant.issued", ISSUED))
    assert given(opened)[0].emergency == "yes"


def test_what_was_erased_says_so_and_hides_nothing_else() -> None:
    assert given(story(("access.requested", None), ("grant.issued", ISSUED)))[0].reason == ERASED


def test_a_grant_whose_request_was_erased_is_a_row_all_the_same() -> None:
    """Else who may erase could take a grant out of the review."""
    erased = story(("access.requested", None), ("grant.issued", None), ("grant.ended", None))
    (row,) = given(erased, lambda one: NAMES.get(one, one))
    assert (row.granted, row.person, row.reason, row.request) == ("2026-03-02 09:01:00Z", "Dana", ERASED, "req_1")
    assert (row.resource, row.approved_by, row.until, row.grant) == ("", "", "", "")


@pytest.mark.parametrize("evil", ["=HYPERLINK(1)", "+1", "-1", "@x", "\tx", "a\u202eb"])
def test_no_reason_becomes_a_formula_or_hides(evil: str) -> None:
    rows = given(story(("access.requested", ASKED | {"reason": evil}), ("grant.issued", ISSUED)))
    cells = [cell for row in csv.reader(io.StringIO(as_csv(rows))) for cell in row]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t")) or "\u202e" in cell for cell in cells)


def test_a_collector_gets_one_line_each() -> None:
    first, erased = story(("access.requested", ASKED), ("access.requested", None))
    assert json.loads(as_json(first))["payload"] == ASKED
    assert json.loads(as_json(erased)) == {
        "position": 1, "at": "2026-03-02T09:01:00+00:00", "kind": "access.requested", "about": "req_1", "actor": "d|dana",
        "payload": None, "hash": "h1",
    }  # fmt: skip
