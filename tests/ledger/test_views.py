from __future__ import annotations

import string
from dataclasses import MISSING, fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from access.events import (
    FACTS,
    AccessRequested,
    GrantIssued,
    RecordingSealed,
    RequestDecided,
    SessionKillAsked,
    StatementAllowed,
    StatementHeld,
    StoredEvent,
)
from access.ids import RequestId, SessionId
from access.masking import Masked
from access.ports import Tx
from access.statements import Digest
from ledger import views
from ledger.retention import erase
from ledger.store import Store
from tests.fakes.clock import START, ManualClock
from tests.ledger import examples


def name(actor: str) -> str:
    return actor.replace("local|", "@")


def allowed(text: str, stream: str = "ses_1") -> StatementAllowed:
    return StatementAllowed(
        stream=stream, actor="local|dana", number=1, statement=Masked(text), digest="", effects=["write"],
        tables=["public.t"], rule="writes", request="req_1",
    )  # fmt: skip


def story(tx: Tx) -> None:
    tx.insert_request(examples.request("req_1", session=None))
    tx.insert_session(examples.session("ses_1", request=RequestId("req_1")))
    tx.insert_request(examples.request("req_2"))
    tx.append(
        AccessRequested(
            stream="req_1", actor="local|dana", ask="access", resource="prod-db", scope={"kind": "read"}, duration_s=60,
            reason="INC-42 \u202e", ticket="", revision=1, approvers=["dba"],
        )
    )  # fmt: skip
    tx.append(RequestDecided(stream="req_1", actor="local|otto", state="approved", by="local|otto", note="be quick"))
    tx.append(allowed("UPDATE t SET Straße = '***'"))
    tx.append(RecordingSealed(stream="ses_1", actor="gateway", segment="x", size=1, head="", final=False))
    tx.append(RecordingSealed(stream="ses_1", actor="gateway", segment="x", size=2, head="", final=True))
    tx.append(
        StatementHeld(
            stream="ses_1", actor="local|dana", number=2, statement=Masked("DELETE FROM t"), digest=Digest("d"),
            effects=["write"], tables=[], rule="writes", request="req_2",
        )
    )  # fmt: skip
    tx.append(RequestDecided(stream="req_2", actor="local|otto", state="denied", by="local|otto", note=""))
    tx.append(RequestDecided(stream="req_9", actor="local|otto", state="denied", by="local|otto", note=""))


async def test_the_history_of_a_request_includes_its_sessions(store: Store) -> None:
    await store.transact(story)
    lines = await store.read(lambda tx: views.request_history(tx, RequestId("req_1"), name))
    assert [line.text for line in lines] == [
        "asked for access (read) on prod-db: INC-42 ⟨U+202E⟩",
        "approved by @otto: be quick",
        "ran [write] under rule writes (req_1): UPDATE t SET Straße = '***'",
        "recording x sealed at 2 bytes",
        "held under rule writes (req_2): DELETE FROM t",
    ]
    assert lines[0].actor == "@dana"
    assert str(lines[1]).startswith("2026-03-02 09:30:00Z  @otto ")


async def test_the_history_of_a_session_includes_what_it_asked_for(store: Store) -> None:
    await store.transact(story)
    lines = await store.read(lambda tx: views.session_history(tx, SessionId("ses_1"), name))
    assert [line.kind for line in lines] == [
        "statement.allowed",
        "recording.sealed",
        "statement.held",
        "request.decided",
    ]


async def test_the_newest_events_in_order(store: Store) -> None:
    await store.transact(story)
    assert [line.position for line in await store.read(lambda tx: views.recent(tx, 4))] == [5, 6, 7, 8]
    assert await store.read(lambda tx: views.recent(tx, 0)) == []


async def test_statements_are_found_by_their_text(store: Store, clock: ManualClock) -> None:
    await store.transact(story)
    clock.advance(60)
    await store.transact(lambda tx: tx.append(allowed("UPDATE other")))

    async def found(text: str, **rest: Any) -> list[int]:
        return [line.position for line in await store.read(lambda tx: views.search(tx, text, **rest))]

    assert await found("update") == [3, 9]
    assert await found("STRASSE") == [3]
    assert await found("update", limit=1) == [9]
    assert await found("update", limit=0) == []
    assert await found("update", since=START + timedelta(seconds=30)) == [9]
    assert await found("denied") == []
    assert await found("%") == []


async def test_search_reads_on_beyond_one_page(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "_PAGE", 3)

    def fill(tx: Tx) -> None:
        for number in range(10):
            tx.append(allowed(f"SELECT {number}"))

    await store.transact(fill)
    assert len(await store.read(lambda tx: views.search(tx, "select"))) == 10


async def test_what_was_erased_says_so(store: Store) -> None:
    await store.transact(story)
    await erase(store, actor="gateway", why="policy", stream="req_1")
    lines = await store.read(lambda tx: views.history(tx, ["req_1"]))
    assert [line.text for line in lines] == [
        "access.requested (the details were erased by policy)",
        "request.decided (the details were erased by policy)",
        "erased the details of 2 events: policy",
    ]


async def test_sessions_say_how_long_they_lasted(store: Store, clock: ManualClock) -> None:
    def fill(tx: Tx) -> None:
        tx.insert_session(examples.session("ses_1", closed_at=START + timedelta(seconds=5)))
        tx.insert_session(examples.session("ses_2"))

    await store.transact(fill)
    clock.advance(60)
    running, ended = await store.read(views.sessions)
    assert (running.open, running.lasted, running.recording) == (True, timedelta(seconds=60), "2026-03-02/ses_2.seg")
    assert (ended.open, ended.lasted) == (False, timedelta(seconds=5))


def event(kind: str, payload: dict[str, Any] | None) -> StoredEvent:
    return StoredEvent(1, "w", 1, datetime(2026, 3, 2, tzinfo=UTC), kind, "s", "local|dana", payload, "h")


@pytest.mark.parametrize("kind", sorted(FACTS))
def test_every_fact_has_words_and_they_name_only_its_fields(kind: str) -> None:
    template = views._WORDS[kind]
    known = {f.name for f in fields(FACTS[kind])} | {
        "because",
        "less",
        "assured",
        "in_place",
        "noted",
        "reasoned",
        "as_request",
        "stream",
        "to_person",
        "from_start",
        "changed",
        "decided",
    }
    used = {field for _, field, _, _ in string.Formatter().parse(template) if field}
    assert used <= known


@pytest.mark.parametrize("kind", sorted(FACTS))
def test_a_fact_of_an_older_release_still_has_words(kind: str) -> None:
    assert views.words(event(kind, {}))
    required = {f.name: "x" for f in fields(FACTS[kind]) if f.default is MISSING}
    assert "?" not in views.words(event(kind, {f.name: "" for f in fields(FACTS[kind])} | required))


def test_an_unknown_kind_is_shown_as_it_is() -> None:
    assert views.words(event("moon.landed", {"a": [1], "b": "\x1b"})) == 'moon.landed {"a": [1], "b": "\\u001b"}'


def test_braces_in_a_payload_are_only_text() -> None:
    shown = views.words(event("request.cancelled", {"why": "{by} {0} {why.__class__}"}))
    assert shown == "cancelled: {by} {0} {why.__class__}"


REQ, SES = "req_7k3f9a2b", "ses_7k3f9a2b4c5d"


async def test_a_line_names_for_whom_and_what_it_is_of(store: Store) -> None:
    """An operator's grant says to whom, a cut says which session, and the ids are those that `--of` takes."""

    def work(tx: Tx) -> None:
        when = START.isoformat()
        for via in ("", "claude"):
            tx.append(
                GrantIssued(
                    stream=REQ, actor="operator|root", grant="grt_7k3f9a2b4c", resource="prod-db", scope={"kind": "read"},
                    starts_at=when, expires_at=when, by=["operator|root"], person="local|dana", via=via,
                )
            )  # fmt: skip
        tx.append(SessionKillAsked(stream=SES, actor="local|otto", why="runaway"))

    await store.transact(work)
    first, second, cut = await store.read(lambda tx: views.recent(tx, 3, name))
    assert first.text.startswith("access granted to @dana on prod-db (read)")
    assert "granted to @dana via claude on" in second.text
    assert str(first).endswith(f"grt_7k3f9a2b4c  [{REQ}]")
    assert cut.text == f"asked to cut {SES}: runaway"
    assert str(cut).endswith(f"[{SES}]")


@pytest.mark.parametrize(
    ("about", "kinds"),
    [
        (REQ, ["request.decided", "session.kill_asked"]),
        ("grt_7k3f9a2b4c", ["request.decided", "session.kill_asked"]),
        (SES, ["session.kill_asked"]),
        ("grt_0000000000", []),
        ("gateway", []),
    ],
)
async def test_everything_about_an_id(store: Store, about: str, kinds: list[str]) -> None:
    def work(tx: Tx) -> None:
        tx.insert_request(examples.request(REQ, session=None))
        tx.insert_session(examples.session(SES, request=RequestId(REQ)))
        tx.insert_grant(examples.grant("grt_7k3f9a2b4c", request=RequestId(REQ)))
        tx.append(RequestDecided(stream=REQ, actor="local|otto", state="approved", by="local|otto", note=""))
        tx.append(SessionKillAsked(stream=SES, actor="local|otto", why="runaway"))

    await store.transact(work)
    assert [line.kind for line in await store.read(lambda tx: views.about(tx, about, name))] == kinds


@pytest.mark.parametrize(
    ("kind", "payload", "said"),
    [
        (
            "access.requested",
            {"ask": "access", "scope": {"kind": "read"}, "resource": "db", "reason": "a look", "ticket": "INC-1"},
            "asked for access (read) on db: INC-1 a look",
        ),
        (
            "access.requested",
            {"ask": "statement", "scope": {"kind": "once"}, "resource": "db", "reason": "", "ticket": ""},
            "asked for statement (once) on db",
        ),
        (
            "credential.issued",
            {"wire_name": "dana", "resource": "db", "expires_at": "2026-03-02T10:00:00.123456+00:00"},
            "credential for dana on db issued until 2026-03-02 10:00:00Z",
        ),
    ],
)
def test_words_leave_out_what_is_empty_and_write_times_as_lists_do(
    kind: str, payload: dict[str, Any], said: str
) -> None:
    assert views.words(event(kind, payload)) == said
