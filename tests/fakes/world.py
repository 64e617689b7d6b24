"""A small company: people, one production database, a desk, and short ways to make things happen at it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

from access.actors import Actor, Agent, Person, PersonId
from access.events import StatementHeld, StoredEvent
from access.ids import CredentialId, GrantId, RequestId, SessionId
from access.masking import ForApprover, Masked, declare_masked
from access.ports import Store
from access.requests import AccessRequest, Choice, Evidence, Grant, Place, RequestState, Session
from access.resources import Protocol, Resource, Upstream
from access.scopes import Read, Scope
from access.statements import Digest, Effect
from approval_flows.desk import Desk
from approval_flows.flow import Limits
from approval_flows.office import Office
from approval_flows.shelf import FlowShelf, Loaded, build
from identity.directory import StaticDirectory
from tests.fakes.clock import ManualClock
from tests.fakes.duty import Duty
from tests.fakes.entropy import SeededEntropy

PLACE = Place("console", "access")


def two_people(need: int = 2) -> str:
    """A flow that wants several of the resource's approvers."""
    return f"name: several\nstages:\n  - {{name: approvers, any: {{approvers: true}}, need: {need}}}\n"


def a_person(handle: str, /, **other: object) -> Person:
    return replace(Person(PersonId(f"directory|{handle}"), handle.capitalize(), handle), **other)  # type: ignore[arg-type]


DANA = a_person("dana")  # asks
ANN, BOB = a_person("ann"), a_person("bob")  # the database administrators
OLGA = a_person("olga")  # owns the database
SAM = a_person("sam")  # security
EVE = a_person("eve")  # nobody in particular
IAN = a_person("ian", active=False)  # left; still listed among the administrators

EVERYBODY = (DANA, ANN, BOB, OLGA, SAM, EVE, IAN)
GROUPS = {
    "dba": ("ann", "bob", "ian"),
    "owners": ("olga",),
    "security": ("sam",),
    "oncall": ("bob",),
    "firefighters": ("bob",),
    "incident": ("bob",),
}

PROD = Resource(
    "prod-db",
    Protocol.POSTGRES,
    Upstream("127.0.0.1", 5432, "app", "app"),
    databases=("app",),
    approvers=("dba",),
    owners=("owners",),
    max_duration=timedelta(hours=8),
    default_duration=timedelta(hours=1),
)

DANA_SELF = Actor(DANA.id, display="Dana")
CLAUDE = Actor(DANA.id, Agent("claude"), display="Dana")
DELETE = Digest("d" * 64)
OTHER = Digest("e" * 64)


def evidence_of(digest: Digest = DELETE, text: str = "DELETE FROM customers WHERE id = 7") -> Evidence:
    return Evidence(
        shown=declare_masked(text),
        exact=ForApprover(text),
        complete=True,
        digest=digest,
        database="app",
        effects=frozenset({Effect.WRITE}),
        verbs=("DELETE",),
        tables=("public.customers",),
        rule="read-scope-write",
    )


def held_fact(session: SessionId, digest: Digest = DELETE) -> StatementHeld:
    return StatementHeld(
        stream=session,
        actor=DANA.id,
        number=1,
        statement=declare_masked("DELETE FROM customers WHERE id = 7"),
        digest=digest,
        effects=["write"],
        tables=["public.customers"],
        rule="read-scope-write",
        request="",
    )


@dataclass
class World:
    store: Store
    clock: ManualClock
    entropy: SeededEntropy = field(default_factory=lambda: SeededEntropy(7))
    limits: Limits = field(default_factory=Limits)
    flows: tuple[str, ...] = ()
    resources: dict[str, Resource] = field(default_factory=lambda: {PROD.name: PROD})
    directory: StaticDirectory = field(default_factory=lambda: StaticDirectory(EVERYBODY, GROUPS))

    on_call: Duty = field(default_factory=Duty)

    def __post_init__(self) -> None:
        shelf = FlowShelf(self._load)
        self.office = Office(self.directory, self.resources, self.entropy, self.limits, shelf, self.on_call)
        self.desk = Desk(self.store, self.office, self.clock)
        self._sessions = 0

    def _load(self) -> Loaded:
        """The flows written in `flows`, over those that ship."""
        texts = {f"flows/{number}.yml": text for number, text in enumerate(self.flows)}
        return build(texts, self.directory, self.resources, self.on_call.schedules())

    async def ask(
        self, actor: Actor = DANA_SELF, *, minutes: float = 60, scope: Scope | None = None, reason: str = "INC-42"
    ) -> AccessRequest:
        asked = await self.desk.ask_access(
            actor, "prod-db", scope or Read(), timedelta(minutes=minutes), reason, "", PLACE
        )
        return asked.request

    async def approve(self, request: AccessRequest, by: Person = ANN) -> AccessRequest:
        return await self.desk.review(request.id, request.revision, by.id, Choice.APPROVE)

    async def access(self, actor: Actor = DANA_SELF, *, minutes: float = 60, scope: Scope | None = None) -> Grant:
        """Standing access, asked for and approved by Ann."""
        request = await self.approve(await self.ask(actor, minutes=minutes, scope=scope))
        return (await self.grants(request.id))[0]

    async def session(
        self, actor: Actor = DANA_SELF, *, credential: str = "crd_000000000000", resource: str = "prod-db"
    ) -> SessionId:
        self._sessions += 1
        now = self.clock.now()
        row = Session(
            id=SessionId(f"ses_{self._sessions:012d}"),
            credential=CredentialId(credential),
            actor=actor,
            resource=resource,
            database="app",
            protocol="postgres",
            node="node-1",
            client="127.0.0.1",
            application="psql",
            opened_at=now,
            heartbeat_at=now,
        )
        await self.store.transact(lambda tx: tx.insert_session(row))
        return row.id

    async def close(self, session: SessionId) -> None:
        def work(tx: object) -> None:
            row = tx.session(session)  # type: ignore[attr-defined]
            tx.update_session(replace(row, closed_at=tx.now, why_closed="left"))  # type: ignore[attr-defined]

        await self.store.transact(work)

    async def hold(
        self, session: SessionId, actor: Actor = DANA_SELF, *, seconds: float = 900, digest: Digest = DELETE
    ) -> AccessRequest:
        return await self.desk.hold(
            actor, "prod-db", evidence_of(digest), session, (), seconds, held_fact(session, digest)
        )

    async def held_and_approved(self) -> tuple[SessionId, Grant]:
        """A statement held in a session under standing access, and approved by Ann."""
        await self.access()
        session = await self.session()
        request = await self.approve(await self.hold(session))
        return session, (await self.grants(request.id))[0]

    async def request(self, id: RequestId) -> AccessRequest:
        row = await self.store.read(lambda tx: tx.request(id))
        assert row is not None
        return row

    async def requests(self, *states: RequestState) -> list[AccessRequest]:
        return await self.store.read(lambda tx: tx.requests(states=states))

    async def grant(self, id: GrantId) -> Grant:
        row = await self.store.read(lambda tx: tx.grant(id))
        assert row is not None
        return row

    async def grants(self, request: RequestId | None = None) -> list[Grant]:
        return await self.store.read(lambda tx: tx.grants(request=request))

    async def events(self, *kinds: str) -> list[StoredEvent]:
        return await self.store.read(lambda tx: tx.events(kinds=kinds))

    async def kinds(self) -> list[str]:
        return [event.kind for event in await self.events()]

    def remove_from_group(self, group: str, person: Person) -> None:
        left = {
            name: tuple(one for one in members if (name, one) != (group, person.wire_name))
            for name, members in GROUPS.items()
        }
        self.directory.replace(EVERYBODY, left)

    def deactivate(self, person: Person) -> None:
        people = tuple(replace(one, active=one.active and one.id != person.id) for one in EVERYBODY)
        self.directory.replace(people, GROUPS)


DETAIL = Masked("DELETE 1")
