"""Rows to put into a store, with every field filled."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from access.actors import Actor, Agent, PersonId
from access.ids import CredentialId, GrantId, RequestId, SessionId
from access.masking import ForApprover, Masked
from access.requests import AccessRequest, Ask, Choice, Credential, Evidence, Grant, Place, Review, Session
from access.scopes import Once, Read
from access.statements import Digest, Effect, Flag
from tests.fakes.clock import START

DANA = PersonId("local|dana")
OTTO = PersonId("local|otto")
KEY = bytes(range(32))
SECRET = "DELETE FROM customers WHERE ssn = '078-05-1120'"


def actor(person: PersonId = DANA, agent: str = "claude") -> Actor:
    return Actor(person, Agent(agent) if agent else None, "Dana Ø")


def evidence(text: str = SECRET) -> Evidence:
    return Evidence(
        shown=Masked("DELETE FROM customers WHERE ssn = '***'"),
        exact=ForApprover(text),
        complete=False,
        digest=Digest("d" * 64),
        database="app",
        parameters=(ForApprover("078-05-1120"), None),
        effects=frozenset({Effect.WRITE, Effect.DANGER}),
        verbs=("DELETE",),
        tables=("public.customers",),
        flags=frozenset({Flag.UNBOUNDED_WRITE}),
        rule="writes",
        message="Writes need a second pair of eyes.",
        in_transaction=True,
        notes=("12 rows",),
    )


def request(id: str = "req_1", *, at: datetime = START, **changes: Any) -> AccessRequest:
    made = AccessRequest(
        id=RequestId(id),
        actor=actor(),
        resource="prod-db",
        ask=Ask.STATEMENT,
        scope=Once(Digest("d" * 64)),
        duration=timedelta(minutes=30, microseconds=7),
        reason="because \x00 of \u202e INC-42",
        created_at=at,
        expires_at=at + timedelta(minutes=15),
        ticket="INC-42",
        evidence=evidence(),
        session=SessionId("ses_1"),
        parent=RequestId("req_0"),
        place=Place("console", "ops", "t1"),
        flow="two-people",
        groups=("dba",),
        approvers=(OTTO,),
    )
    return replace(made, **changes)


def review(person: PersonId = OTTO, *, revision: int = 1, choice: Choice = Choice.APPROVE) -> Review:
    return Review(RequestId("req_1"), revision, person, choice, "fine", START)


def grant(id: str = "grt_1", **changes: Any) -> Grant:
    made = Grant(
        id=GrantId(id),
        request=RequestId("req_1"),
        actor=actor(),
        resource="prod-db",
        scope=Read(),
        starts_at=START,
        expires_at=START + timedelta(hours=1),
        issued_by=(OTTO,),
    )
    return replace(made, **changes)


def credential(id: str = "crd_1", **changes: Any) -> Credential:
    made = Credential(
        id=CredentialId(id),
        person=DANA,
        agent="claude",
        resource="prod-db",
        wire_name="dana~claude",
        verifier="SCRAM-SHA-256$4096:salt$stored:server",
        created_at=START,
        expires_at=START + timedelta(hours=8),
        only_grant=GrantId("grt_1"),
    )
    return replace(made, **changes)


def session(id: str = "ses_1", **changes: Any) -> Session:
    made = Session(
        id=SessionId(id),
        credential=CredentialId("crd_1"),
        actor=actor(),
        resource="prod-db",
        database="app",
        protocol="postgres",
        node="node-a",
        client="127.0.0.1:40000",
        application="psql",
        opened_at=START,
        heartbeat_at=START,
        request=RequestId("req_1"),
        statements=3,
        refused=1,
        held=1,
        masked=9,
        rows=70,
    )
    return replace(made, **changes)
