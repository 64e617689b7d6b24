"""A stage for conversations: the small company of `tests.fakes.world` with a chat platform, a judge, an executor."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from access.actors import Actor, Agent, Person, PersonId, wire_name
from access.errors import Denied
from access.explain import Estimate, Understood
from access.ids import CredentialId, GrantId, RequestId, SessionId
from access.masking import ForApprover, Masked, declare_masked
from access.policy import Action, Policy, Rule
from access.ports import IssuedCredential, MessageRef, Outcome, Store
from access.requests import AccessRequest, Credential, Evidence, Grant, Place, Session
from access.resources import Resource
from access.runs import Run, RunStep, run_digest, run_scope
from access.scopes import OfRunbook
from access.statements import Digest, Effect, Statement
from bot.announcer import Announcer
from bot.cards import Button, Card, Do, ExactBlock, Form, SecretBlock, plain
from bot.cases import World as Bot
from bot.executing import Runner
from bot.handing import Hander
from bot.handlers import Handlers
from bot.kit import Kit
from bot.links import Links
from bot.planning import Plan
from bot.platform import Caller, MessageGone, Places, Posted
from bot.reaching import Reach
from bot.sender import Sender
from runbooks.catalog import Catalog
from tests.fakes.clock import ManualClock
from tests.fakes.world import ANN, DANA, World

CHAT = "chat"
Fault = Callable[[str, Card], None]


@dataclass
class Message:
    """One posted message: where, the newest card, and how often it changed."""

    channel: str
    thread: str
    card: Card
    edits: int = 0


@dataclass
class FakePlatform:
    """A platform that knows its keys. `fault` is called before each delivery and may raise, `after` once it is done."""

    name: str = CHAT
    strangers: set[PersonId] = field(default_factory=set)
    members: set[PersonId] = field(default_factory=set)
    silent: Exception | None = None
    messages: dict[str, Message] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    fault: Fault | None = None
    after: Fault | None = None
    calls: int = 0

    async def post(self, channel: str, thread: str, card: Card, *, key: str) -> Posted:
        assert not card.private, f"a private {card.kind} card went to {channel}"
        return self._add(channel, thread, card, key)

    async def direct(self, person: PersonId, card: Card, *, key: str) -> Posted | None:
        if person in self.strangers:
            return None
        return self._add(f"@{person}", "", card, key)

    async def reached(self, channel: str, people: frozenset[PersonId]) -> Mapping[PersonId, bool]:
        if self.silent:
            raise self.silent
        return {one: bool(channel) and one in self.members for one in people - self.strangers}

    async def update(self, ref: MessageRef, card: Card) -> None:
        self._before("update", card)
        message = self.messages.get(ref.message)
        if message is None:
            raise MessageGone(ref.message)
        assert card.private == message.channel.startswith("@")
        message.card = card
        message.edits += 1
        self._done("update", card)

    def _add(self, channel: str, thread: str, card: Card, key: str) -> Posted:
        self._before("post", card)
        if key not in self.keys:
            self.keys[key] = f"m{len(self.keys) + 1}"
            self.messages[self.keys[key]] = Message(channel, thread, card)
        self._done("post", card)
        return Posted(channel, self.keys[key])

    def _before(self, what: str, card: Card) -> None:
        self.calls += 1
        for button in card.all_buttons():
            assert button.url or button.token, f"a button without token on {card.kind}"
        if self.fault:
            self.fault(what, card)

    def _done(self, what: str, card: Card) -> None:
        if self.after:
            self.after(what, card)

    def in_channel(self, kind: str = "") -> list[Message]:
        found = [m for m in self.messages.values() if not m.channel.startswith("@")]
        return [m for m in found if not kind or m.card.kind == kind]

    def to(self, person: Person, kind: str = "") -> list[Message]:
        found = [m for m in self.messages.values() if m.channel == f"@{person.id}"]
        return [m for m in found if not kind or m.card.kind == kind]


@dataclass
class FakeReply:
    """What the person saw as answers."""

    cards: list[Card] = field(default_factory=list)
    forms: list[Form] = field(default_factory=list)

    async def card(self, card: Card) -> None:
        assert card.private, f"the answer {card.kind} is not private"
        self.cards.append(card)

    async def form(self, form: Form) -> None:
        self.forms.append(form)

    @property
    def last(self) -> Card:
        return self.cards[-1]

    @property
    def form_(self) -> Form:
        return self.forms[-1]


@dataclass
class FakeJudge:
    """Masks what stands in quotes; refuses DROP."""

    complete: bool = True

    async def describe(self, actor: Actor, person: Person, resource: Resource, text: str) -> Evidence:
        if "DROP" in text.upper():
            raise Denied("DROP is never allowed here.", rule="no-drop", hint="Ask the owner.")
        masked = text if self.complete else text.replace("secret-value", "***")
        writes = not text.upper().startswith("SELECT")
        return Evidence(
            shown=declare_masked(masked),
            exact=ForApprover(text),
            complete=self.complete,
            digest=Digest(hashlib.sha256(text.encode()).hexdigest()),
            database="app",
            effects=frozenset({Effect.WRITE if writes else Effect.READ}),
            verbs=(text.split(" ", 1)[0].upper(),),
            tables=("public.customers",),
            rule="read-scope-write" if writes else "",
            message="This writes." if writes else "",
        )

    async def estimate(self, actor: Actor, person: Person, resource: Resource, text: str, what: Estimate) -> Evidence:
        if "email" in text:
            raise Denied("It tests a protected column.", rule="masking")
        asked = f"{what.value.upper()} OF {text}"
        found = await self.describe(actor, person, resource, asked)
        return replace(found, effects=frozenset({Effect.READ}))

    async def understand(self, resource: Resource, text: str) -> Understood:
        writes = not text.upper().startswith("SELECT")
        effects = frozenset({Effect.DDL if "DROP" in text.upper() else Effect.WRITE if writes else Effect.READ})
        tables = ("public.customers",)
        one = Statement(
            "postgres",
            "",
            effects,
            (text.split(" ", 1)[0].upper(),),
            () if writes else tables,
            tables if writes else (),
        )
        return Understood(declare_masked(text), (one,))

    async def describe_run(
        self, actor: Actor, person: Person, resource: Resource, run: Run
    ) -> tuple[Evidence, OfRunbook]:
        found = [await self.describe(actor, person, resource, step.text) for step in run.steps]
        digests = [
            Digest(hashlib.sha256(repr((resource.name, s.text, s.values)).encode()).hexdigest()) for s in run.steps
        ]
        scope = run_scope(run, digests, writes=True)
        said = "\n".join(f"{step.text} {step.values}" for step in run.steps)
        evidence = replace(found[0], shown=declare_masked(said), exact=ForApprover(said), rule="runbook", message="")
        return replace(evidence, digest=run_digest(scope)), scope


@dataclass
class FakeCredentials:
    """Tokens `secret-1`, `secret-2`, …; only the newest of a wire name and resource is live."""

    clock: ManualClock
    issued: list[tuple[str, str, datetime]] = field(default_factory=list)
    ended: list[CredentialId] = field(default_factory=list)

    async def issue(
        self, person: Person, agent: Agent | None, resource: Resource, until: datetime, *, grant: GrantId | None = None
    ) -> IssuedCredential:
        name = wire_name(person, agent)
        self.issued.append((name, resource.name, until))
        number = len(self.issued)
        row = Credential(
            CredentialId(f"crd_{number:012d}"),
            person.id,
            agent.name if agent else "",
            resource.name,
            name,
            "verifier",
            self.clock.now(),
            until,
        )
        return IssuedCredential(row, f"secret-{number}", self.url(person, agent, resource))

    def url(self, person: Person, agent: Agent | None, resource: Resource) -> str:
        return f"postgresql://{wire_name(person, agent)}@gw:5432/{resource.name}?sslmode=prefer"

    async def find(self, wire_name: str, resource: str) -> Credential | None:
        return None

    async def end(self, id: CredentialId, why: str) -> None:
        self.ended.append(id)


@dataclass
class FakeLinks:
    issued_to: list[PersonId] = field(default_factory=list)

    async def issue(self, person: PersonId, *, by: str) -> str:
        self.issued_to.append(person)
        return "link-secret"

    async def peek(self, secret: str) -> PersonId | None:
        return None

    async def redeem(self, secret: str) -> str | None:
        return None

    async def who(self, session: str) -> PersonId | None:
        return None

    async def logout(self, session: str) -> None: ...


@dataclass
class FakeExecutor:
    """Consumes the grant at the desk as the gateway does, then answers (or fails) as told."""

    world: World
    fails_before: Exception | None = None
    fails_after: Exception | None = None
    outcome: Outcome = field(
        default_factory=lambda: Outcome(
            True,
            "UPDATE 1",
            (Masked("id"), Masked("email")),
            ((Masked("7"), Masked("d***@***")), (Masked("8"), None)),
            2,
        )
    )
    runs: list[GrantId] = field(default_factory=list)
    steps: list[tuple[str, tuple[str | None, ...]]] = field(default_factory=list)
    answers: list[Outcome] = field(default_factory=list)

    async def run(self, request: AccessRequest, grant: Grant, person: Person, resource: Resource) -> Outcome:
        self.runs.append(grant.id)
        if self.fails_before:
            raise self.fails_before
        session = await self.world.session(request.actor, credential=f"crd_{grant.id[4:]}00")
        await self._consume(grant, session)
        if self.fails_after:
            raise self.fails_after
        return replace(self.outcome, session=session)

    async def run_steps(
        self, grant: Grant, person: Person, resource: Resource, database: str, steps: Sequence[RunStep]
    ) -> AsyncGenerator[Outcome, None]:
        """Each step consumes, answers from `answers` (else `outcome`), and tells the desk what became of it."""
        self.runs.append(grant.id)
        self.steps += [(step.text, step.values) for step in steps]
        session = await self.world.session(grant.actor, credential=f"crd_{grant.id[4:]}00", resource=grant.resource)
        for number, _ in enumerate(steps):
            assert isinstance(grant.scope, OfRunbook)
            await self._consume(grant, session, grant.scope.steps[number])
            if self.fails_after:
                raise self.fails_after
            outcome = self.answers[number] if number < len(self.answers) else self.outcome
            if outcome.known:
                word = "succeeded" if outcome.ok else "failed"
                await self.world.desk.outcome(grant.id, word, outcome.message)
            yield replace(outcome, session=session)
            if not (outcome.ok and outcome.known):
                return

    async def _consume(self, grant: Grant, session: SessionId, digest: Digest | None = None) -> None:
        def work(tx: object) -> None:
            row = tx.session(session)  # type: ignore[attr-defined]
            now = tx.now  # type: ignore[attr-defined]
            credential = Credential(
                row.credential,
                grant.actor.person,
                "",
                grant.resource,
                grant.id,
                "v",
                now,
                now + timedelta(hours=1),
                only_grant=grant.id,
            )
            if tx.credential(grant.id, grant.resource) is None:  # type: ignore[attr-defined]
                tx.insert_credential(credential)  # type: ignore[attr-defined]

        await self.world.store.transact(work)
        scope = grant.scope
        await self.world.desk.consume(grant.id, session, digest or scope.digest)  # type: ignore[union-attr]


POLICY = Policy(rules=(Rule("no-secrets", Action.DENY, "Nobody reads this.", tables=("secrets",)),))


class Stage:
    """Everything plugged together, with short ways to act as a person."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self.world = World(store, clock)
        self.store, self.clock, self.entropy = store, clock, self.world.entropy
        self.chat = FakePlatform()
        self.judge = FakeJudge()
        self.credentials = FakeCredentials(clock)
        self.login_links = FakeLinks()
        self.executor = FakeExecutor(self.world)
        self.runbooks = Catalog()
        self.places = Places((CHAT,))
        links = Links("https://hoop.test")
        self.bot = Bot(self.world.directory, self.world.resources, POLICY, links, self.world.desk, "security")
        self.restart()

    def restart(self) -> None:
        """New announcer, sender, runner and handlers, as after a restart of the process."""
        platforms = {CHAT: self.chat}
        plan = Plan(self.bot, self.places)
        self.announcer = Announcer(self.store, plan, self.entropy)
        self.reach = Reach(self.store, plan, platforms, self.entropy)
        hander = Hander(self.store, self.bot, platforms, self.credentials, self.entropy)
        self.sender = Sender(self.store, self.bot, platforms, self.places, hander)
        self.runner = Runner(self.store, self.bot, self.executor, self.entropy, self.runbooks)
        self.kit = Kit(
            self.bot,
            self.store,
            self.world.desk,
            self.judge,
            self.credentials,
            self.login_links,
            self.clock,
            self.entropy,
            self.runbooks,
        )
        self.handlers = Handlers(self.kit)

    async def settle(self, *, run: bool = True) -> None:
        """Let announcer, runner and sender work until nothing is left that is due."""
        for _ in range(60):
            worked = await self.announcer.step()
            worked = await self.reach.step() or worked
            worked = (run and await self.runner.step()) or worked
            worked = await self.sender.step() or worked
            if not worked:
                return
        raise AssertionError("never done")

    def caller(self, person: Person) -> Caller:
        return Caller(person.id, CHAT, Place(CHAT, "#access"))

    async def say(self, person: Person, text: str) -> FakeReply:
        reply = FakeReply()
        await self.handlers.say(text, self.caller(person), reply)
        return reply

    async def press(self, person: Person, token: str) -> FakeReply:
        reply = FakeReply()
        await self.handlers.press(token, self.caller(person), reply)
        return reply

    async def submit(self, person: Person, form: Form, **values: str) -> tuple[Form | None, FakeReply]:
        reply = FakeReply()
        filled = {f.name: f.value for f in form.fields} | values
        again = await self.handlers.submit(form.name, form.token, filled, self.caller(person), reply)
        return again, reply

    async def asked(self, text: str = "request prod-db 1h INC-42 debugging", by: Person = DANA) -> RequestId:
        reply = await self.say(by, text)
        assert reply.cards, reply.forms
        assert reply.last.kind == "done", reply.last.fallback
        await self.settle()
        rows = await self.store.read(lambda tx: tx.requests(limit=1))
        return rows[0].id

    async def live(self, by: Person = DANA) -> Grant:
        """Access asked for in chat and approved by Ann from the channel's card."""
        request = await self.asked(by=by)
        await self.press(ANN, token_of(self.chat.in_channel("request")[-1].card, Do.APPROVE))
        await self.settle()
        return (await self.world.grants(request))[0]

    def head(self, request: str) -> str:
        """The message that heads the thread of a request."""
        return self.chat.keys[f"request/{request}/{CHAT}:#access"]

    async def session(self, grant: Grant, number: int = 1, **more: object) -> Session:
        row = replace(session_row(grant, self.clock.now(), number), **more)  # type: ignore[arg-type]
        await self.store.transact(lambda tx: tx.insert_session(row))
        return row


def session_row(grant: Grant, now: datetime, number: int) -> Session:
    """An open session under this grant."""
    return Session(
        id=SessionId(f"ses_{number:012d}"),
        credential=CredentialId("crd_000000000000"),
        actor=grant.actor,
        resource=grant.resource,
        database="app",
        protocol="postgres",
        node="node-1",
        client="127.0.0.1",
        application="psql",
        opened_at=now,
        heartbeat_at=now,
        request=grant.request,
    )


def button_of(card: Card, do: Do) -> Button:
    return next(button for button in card.all_buttons() if button.do is do)


def token_of(card: Card, do: Do) -> str:
    return button_of(card, do).token


def has(card: Card, do: Do) -> bool:
    return any(button.do is do for button in card.all_buttons())


def words(card: Card) -> str:
    """Everything readable on a card, exact text and secrets included."""
    lines = [card.title, *card.lines, *card.notes, card.footer, *(f.value for f in card.fields)]
    for item in card.items:
        lines += [item.title, *item.lines]
    said = [plain(line) for line in lines] + [card.fallback, card.state.word]
    for block in card.blocks:
        if isinstance(block, ExactBlock):
            said.append(block.shown())
        elif isinstance(block, SecretBlock):
            said.append(block.text)
        else:
            said.append(str(block))
    return "\n".join(said)
