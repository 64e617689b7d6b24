"""Nothing of a value is lost on its way through a row: a field that is added to a value must be added here too."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from access.emergencies import Emergency, EmergencyState, Finding
from access.ids import SessionId
from access.ports import ActionToken, MessageRef, OutboxItem
from access.requests import GrantState, RequestState
from ledger import chat_rows, rows
from ledger.chain import canonical, micros
from ledger.sealing import Sealer
from tests.fakes.clock import START
from tests.fakes.entropy import SeededEntropy
from tests.ledger import examples

LATER = START + timedelta(minutes=3, microseconds=1)
SEALER = Sealer(examples.KEY, entropy=SeededEntropy())

EMERGENCY = Emergency(
    acknowledge_by=LATER, attest_within=timedelta(hours=24), blocks=False, told=(examples.OTTO,),
    state=EmergencyState.CLOSED, escalated=True, overdue=True, acknowledged_by=examples.OTTO, acknowledged_at=START,
    ended_at=LATER, account="Restarted it.", attested_at=LATER, finding=Finding.FOLLOW_UP, note="and rotate",
    closed_by=examples.OTTO, closed_at=LATER,
)  # fmt: skip
REQUEST = examples.request(
    state=RequestState.APPROVED,
    revision=2,
    version=3,
    decided_by=examples.OTTO,
    decided_at=LATER,
    revised_at=START + timedelta(minutes=3),
    starts_at=LATER,
    note="ok",
    authors=(examples.OTTO,),
    emergency=EMERGENCY,
)
GRANT = examples.grant(
    state=GrantState.SUCCEEDED, version=4, holder="ses_1", ended_at=LATER, ended_by=examples.OTTO, why_ended="done",
    used_at=START, used_in=SessionId("ses_1"), emergency=True,
)  # fmt: skip
CREDENTIAL = examples.credential(ended_at=LATER)
SESSION = examples.session(
    closed_at=LATER, why_closed="cut", kill_at=START, kill_by=examples.OTTO, kill_why="wrong table"
)
ITEM = OutboxItem("slack:C1", "card", {"a": [1]}, "k", 5, 2, LATER)
TOKEN = ActionToken("s3cr3t", "approve", REQUEST.id, 2, LATER, "local|otto", {"a": "b"})
REF = MessageRef("req_1", "card", "slack", "C1", "171.1", "170.0", "local|otto", "v1")


def row(values: dict[str, Any], **more: Any) -> Any:
    return SimpleNamespace(**values | more)


def kill(session: Any) -> dict[str, Any]:
    return {
        "kill_at": micros(session.kill_at),
        "kill_by": session.kill_by,
        "kill_data": canonical({"why": session.kill_why}),
    }


CASES = [
    (REQUEST, lambda v: rows.request_from(row(rows.request_values(v, SEALER)), SEALER)),
    (examples.review(), lambda v: rows.review_from(row(rows.review_values(v)))),
    (GRANT, lambda v: rows.grant_from(row(rows.grant_values(v)))),
    (CREDENTIAL, lambda v: rows.credential_from(row(rows.credential_values(v, SEALER)), SEALER)),
    (SESSION, lambda v: rows.session_from(row(rows.session_values(v), **kill(v)))),
    (ITEM, lambda v: chat_rows.outbox_from(row(chat_rows.outbox_values(v, SEALER), number=v.id), SEALER)),
    (TOKEN, lambda v: chat_rows.token_from(row(chat_rows.token_values(v, "digest")), v.token)),
    (REF, lambda v: chat_rows.ref_from(row(chat_rows.ref_values(v)))),
]


@pytest.mark.parametrize(("value", "through"), CASES, ids=lambda case: type(case).__name__)
def test_every_field_survives(value: Any, through: Any) -> None:
    assert through(value) == value


@pytest.mark.parametrize(
    "value", [value for value, _ in CASES] + [REQUEST.evidence, EMERGENCY], ids=lambda v: type(v).__name__
)
def test_the_examples_fill_every_field(value: Any) -> None:
    assert is_dataclass(value)
    stored = [field for field in fields(value) if field.compare]
    left_out = [field.name for field in stored if getattr(value, field.name) == default(field)]
    assert not left_out, "give these fields a value in the examples, so that losing them is seen"


def default(field: Field[Any]) -> object:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return field.default
