"""Drives a conversation without sockets: say what happens, look at what it wants done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import ClassVar

from access.actors import Actor, Agent, Person, PersonId
from access.ids import GrantId, RequestId, SessionId
from access.masking import MaskPolicy, Strategy
from access.policy import Policy
from access.requests import AccessRequest, Ask, Grant, RequestState
from access.resources import Protocol, Resource, Upstream
from access.scopes import Once, Read, Scope
from proxy.admission import Bearer
from proxy.conversation import Answer, Await, Commit, Conclude, Consume, FileHold, Outputs, Question
from proxy.express import Moves, Plain, express
from proxy.postgres import messages as m
from proxy.postgres.conversation import Conversation
from proxy.postgres.facts import Facts
from proxy.postgres.frames import Splitter
from proxy.postgres.reader import Reader
from proxy.postgres.state import SqlState
from proxy.recording import unpack
from proxy.sql.catalog import Catalog
from tests.fakes.clock import ManualClock
from tests.proxy.fakes import PlainMasker, simple_judge, simple_trace

DANA = Person(PersonId("directory|dana"), "Dana", "dana")
RESOURCE = Resource("prod-db", Protocol.POSTGRES, Upstream("db", 5432, "app", "app"))
SESSION = SessionId("ses_000000000001")
PARAMETERS = {
    "server_version": "18.0",
    "client_encoding": "UTF8",
    "standard_conforming_strings": "on",
    "default_transaction_read_only": "on",
    "is_superuser": "off",
    "session_authorization": "app",
    "in_hot_standby": "off",
    "search_path": '"$user", public',
}


def grant(scope: Scope | None = None, *, id: str = "grt_1", holder: str = "", minutes: float = 60) -> Grant:
    start = ManualClock().now()
    return Grant(
        GrantId(id), RequestId("req_1"), Actor(DANA.id), "prod-db", scope or Read(), start - timedelta(minutes=1),
        start + timedelta(minutes=minutes), (), holder=holder,
    )  # fmt: skip


@dataclass
class Ink:
    """A pen that hands everything to `Play.perform`."""

    out: Outputs
    held: int = 0
    turns: int = 0

    def append(self, *records: bytes) -> None:
        self.out.records += records

    def hold(self, *records: bytes) -> None:
        self.out.results += records

    def flush(self) -> None:
        """`Play.perform` does."""


@dataclass
class Play:
    """One conversation. `asked` are the questions nobody has answered yet, `told` those nobody waits for."""

    scope: Scope | None = None
    policy: Policy = field(default_factory=Policy)
    agent: Agent | None = None
    grants: list[Grant] | None = None
    person: Person | None = DANA
    read_only: bool | None = None
    #: Answer commits by themselves.
    commits: bool = True
    #: Names that somebody defined anew before it began.
    unread: frozenset[str] = frozenset()
    #: The short way in C.
    compiled: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self.clock = ManualClock()
        self.version = 0
        self.live: list[Grant] = self.grants if self.grants is not None else [grant(self.scope)]
        actor = Actor(DANA.id, self.agent, "Dana")
        bearer = Bearer(
            SESSION,
            actor,
            RESOURCE,
            self.policy,
            lambda: self.person,
            lambda: self.live,
            lambda who: who.split("|")[1],
            lambda: self.version,
        )
        read_only = isinstance(self.scope or Read(), Read) if self.read_only is None else self.read_only
        catalog = Catalog.of()
        masker = PlainMasker(MaskPolicy(entities={"email": Strategy.REDACT}), catalog, b"k")
        reader = Reader(catalog, masker, judge=simple_judge, trace=simple_trace)
        state = SqlState("app", {"search_path": '"$user", public'}, unread=self.unread)
        self.conversation = Conversation(
            Facts(bearer, "app", read_only=read_only), reader, state, self.clock, dict(PARAMETERS)
        )
        moves = self.moves()
        self.express = express(self.conversation, moves) if self.compiled else Plain(moves)
        self.asked: list[Question] = []
        self.told: list[Question] = []
        self.records: list[list[object]] = []
        self.to_upstream = b""
        self.to_client = b""
        self.log: list[str] = []
        self.closed: str | None = None
        self.cancelled = 0

    def moves(self) -> Moves:
        """What is done with what goes the short way: here, nothing but to keep it for `perform`."""
        out = self.conversation.out
        return Moves(
            pen=Ink(out), forward=lambda data: self._into(out.to_upstream, data),
            reply=lambda data: self._into(out.to_client, data), failed=self.failed, client=self.conversation.client_data,
            upstream=self.conversation.upstream_data, soon=lambda: None,
        )  # fmt: skip

    # what happens

    def client(self, *frames: bytes) -> Play:
        self.express.client(b"".join(frames))
        return self.perform()

    def upstream(self, *frames: bytes) -> Play:
        self.express.upstream(b"".join(frames))
        return self.perform()

    def answer(self, value: Answer) -> Play:
        self.conversation.answer(self.asked.pop(0), value)
        return self.perform()

    def tick(self, seconds: float = 0) -> Play:
        self.clock.advance(seconds)
        self.conversation.tick()
        return self.perform()

    def cancel(self) -> Play:
        self.conversation.cancel()
        return self.perform()

    def perform(self) -> Play:
        out = self.conversation.out
        for one in out.records:
            self.log.append("record")
            self.records.append(unpack(one))
        out.records.clear()
        self.told += out.tell
        out.tell = []
        if out.to_upstream:
            self.log.append("forward")
            self.to_upstream += b"".join(out.to_upstream)
            out.to_upstream.clear()
        self.to_client += b"".join(out.to_client)
        out.to_client.clear()
        self.records += [unpack(one) for one in out.results]
        out.results.clear()
        self.cancelled += out.cancel_upstream
        out.cancel_upstream = False
        self.closed = out.close
        if out.ask is not None:
            question, out.ask = out.ask, None
            self.log.append(type(question).__name__.lower())
            if isinstance(question, Commit) and self.commits:
                self.told.append(question)
                self.conversation.answer(question, True)
                return self.perform()
            self.asked.append(question)
        conv = self.conversation
        self.express.arm(conv.clear, conv.responses.status)
        return self

    @staticmethod
    def _into(where: list[bytes], data: bytes) -> None:
        where.append(data)

    def failed(self, problem: BaseException) -> None:
        """The short way could not record."""
        raise problem

    # what came of it

    def sent(self) -> list[bytes]:
        """The frames that went upstream since the last look."""
        frames = Splitter().feed(self.to_upstream)
        assert b"".join(frames) == self.to_upstream
        self.to_upstream = b""
        return frames

    def heard(self) -> list[str]:
        """What the client got since the last look, in short: type letters, with what matters."""
        frames = Splitter(m.BACKEND).feed(self.to_client)
        assert b"".join(frames) == self.to_client
        self.to_client = b""
        return [_short(frame) for frame in frames]

    def kinds(self) -> list[str]:
        return [str(one[0]) for one in self.records]

    def question(self, kind: type[Question]) -> Question:
        assert self.asked and isinstance(self.asked[0], kind), (self.asked, kind)
        return self.asked[0]

    # the port's part of a hold

    def filed(self, id: str = "req_held") -> AccessRequest:
        question = self.question(FileHold)
        assert isinstance(question, FileHold)
        now = self.clock.now()
        request = AccessRequest(
            RequestId(id), Actor(DANA.id), "prod-db", Ask.STATEMENT, Once(question.evidence.digest),
            timedelta(minutes=5), "", now, now + timedelta(minutes=5), evidence=question.evidence,
            approvers=(PersonId("directory|ann"),),
        )  # fmt: skip
        self.answer(request)
        return request

    def decided(self, request: AccessRequest, state: RequestState = RequestState.APPROVED, note: str = "") -> None:
        assert isinstance(self.asked[0], Await), self.asked
        if state is RequestState.APPROVED:
            self.live.append(grant(request.scope, id=f"grt_{request.id}", holder=SESSION))
        self.answer(replace(request, state=state, note=note, decided_by=PersonId("directory|ann")))

    def consumed(self) -> None:
        question = self.question(Consume)
        assert isinstance(question, Consume)
        used = next(g for g in self.live if g.id == question.grant)
        self.live.remove(used)
        self.answer(used)

    def outcomes(self) -> list[tuple[str, str]]:
        return [(str(q.grant), q.outcome) for q in self.told if isinstance(q, Conclude)]

    def facts(self) -> list[str]:
        return [fact.kind for q in self.told if isinstance(q, Commit) for fact in q.facts]

    def hold(self) -> AccessRequest:
        """File, approve and consume."""
        request = self.filed()
        self.decided(request)
        self.consumed()
        return request


def _short(frame: bytes) -> str:
    kind = chr(frame[0])
    if kind in "EN":
        fields = m.parse_fields(frame)
        return f"{kind} {fields['C']} {fields['M']}"
    if kind == "C":
        return f"C {m.parse_tag(frame)}"
    if kind == "Z":
        return f"Z {chr(m.parse_ready(frame))}"
    if kind == "D":
        return "D " + "|".join("" if v is None else v.decode() for v in m.row_values(frame))
    return kind


# ---------------------------------------------------------------------------------------------- what a server says


def row(*values: str | None) -> bytes:
    body = len(values).to_bytes(2, "big")
    for value in values:
        raw = None if value is None else value.encode()
        body += b"\xff\xff\xff\xff" if raw is None else len(raw).to_bytes(4, "big") + raw
    return m.message(m.DATA_ROW, body)


def described(*names: str, form: int = 0) -> bytes:
    return m.row_description([m.Field(name, 0, 0, 25, -1, -1, form) for name in names])


def complete(tag: str) -> bytes:
    return m.message(m.COMPLETE, m.cstring(tag))


def failed(code: str = "22012", text: str = "division by zero") -> bytes:
    return m.fields_message(m.ERROR, {"S": "ERROR", "V": "ERROR", "C": code, "M": text, "R": "int4div"})


IDLE, OPEN, BROKEN = m.ready(m.IDLE), m.ready(m.IN_TRANSACTION), m.ready(m.FAILED)
PARSED, BOUND, NO_DATA, CLOSED = (m.message(kind) for kind in (m.PARSED, m.BOUND, m.NO_DATA, m.CLOSED))


def bind(
    statement: str = "", portal: str = "", values: Sequence[bytes | None] = (), results: Sequence[int] = ()
) -> bytes:
    body = m.cstring(portal) + m.cstring(statement) + b"\0\0" + len(values).to_bytes(2, "big")
    for value in values:
        body += b"\xff\xff\xff\xff" if value is None else len(value).to_bytes(4, "big") + value
    return m.message(m.BIND, body + len(results).to_bytes(2, "big") + b"".join(r.to_bytes(2, "big") for r in results))


def execute(portal: str = "", limit: int = 0) -> bytes:
    return m.message(m.EXECUTE, m.cstring(portal) + limit.to_bytes(4, "big"))


def hidden(*statements: str) -> list[bytes]:
    """What the gateway sends to run statements of its own."""
    closes = [close("P", "hoop"), close("S", "hoop")]
    frames = [*closes]
    for text in statements:
        frames += [m.parse("hoop", text), bind("hoop", "hoop"), execute("hoop"), *closes]
    return [*frames, m.SYNC_MESSAGE]


def ran(*answers: str | tuple[str, Sequence[bytes]]) -> bytes:
    """What the server says to `hidden` before ReadyForQuery: a tag each, with the rows before it."""
    said = CLOSED + CLOSED
    for one in answers:
        tag, rows = (one, ()) if isinstance(one, str) else one
        said += PARSED + BOUND + b"".join(rows) + complete(tag) + CLOSED + CLOSED
    return said


def close(kind: str, name: str) -> bytes:
    return m.message(m.CLOSE, kind.encode() + m.cstring(name))
