"""What every use case is given, and the few steps they share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from difflib import get_close_matches

from access.actors import Actor, Agent, Person
from access.errors import Denied, Invalid
from access.explain import Estimate
from access.ids import GrantId, Prefix, RequestId, SessionId, parse_id
from access.masking import Masked
from access.ports import Clock, Credentials, Desk, Entropy, Judge, LoginLinks, Outcome, Store, Tx
from access.requests import AccessRequest, Grant
from access.resources import Resource
from approval_flows.rehearsing import Rehearsing
from bot.cards import Card
from bot.cases import World, usable
from bot.choices import Choices, Look
from bot.platform import Caller, Reply
from bot.ssh_side import SshSide
from bot.tokens import with_minted
from bot.zones import known
from runbooks.catalog import Catalog


@dataclass(frozen=True, slots=True)
class Ran:
    """A statement of a recording, and what became of it: its command tag, the error, or why it was refused. `reads`: it could
    do nothing else, whatever its tag is."""

    statement: Masked
    outcome: str = ""
    refused: bool = False
    reads: bool = False


Recorded = Callable[[SessionId], Awaitable[Sequence[Ran]]]


async def not_at_hand(_: SessionId) -> Sequence[Ran]:
    """Where no recordings can be read."""
    return ()


async def no_look(_grant: Grant, _person: Person, _resource: Resource, _text: str) -> Outcome:
    """Where nothing is looked at."""
    return Outcome(ok=False, tag="")


@dataclass(frozen=True, slots=True)
class Looks:
    """What people who decide may look at before they do, as the owner switched it on, and the way through the gateway."""

    on: frozenset[Estimate] = frozenset()
    run: Look = no_look


NO_LOOKS = Looks()


@dataclass(frozen=True, slots=True)
class Kit:
    """The ports the use cases talk to. `recorded` gives the statements of a session's recording, where it is at hand."""

    world: World
    store: Store
    desk: Desk
    judge: Judge
    credentials: Credentials
    login_links: LoginLinks
    clock: Clock
    entropy: Entropy
    runbooks: Catalog = field(default_factory=Catalog)
    recorded: Recorded = not_at_hand
    ssh: SshSide | None = None
    choices: Choices | None = None
    looks: Looks = NO_LOOKS

    def rehearsing(self) -> Kit:
        """The same, with a desk and a store that keep nothing of what is done."""
        return replace(self, desk=self.desk.rehearsal(), store=Rehearsing(self.store))

    def person(self, who: Caller) -> Person:
        """The caller as the directory knows them now, in the time zone of where they write from unless it knows theirs.
        Raises Denied for somebody unknown or inactive."""
        person = self.world.directory.person(who.person)
        if person is None or not person.active:
            hint = "Ask an administrator to add you."
            raise Denied("The directory does not know you as an active person.", rule="unknown-person", hint=hint)
        return person if person.time_zone else replace(person, time_zone=known(who.zone) or "UTC")

    def resource(self, name: str) -> Resource:
        """The resource of that name. Raises Invalid with what may have been meant."""
        found = self.world.resources.get(name)
        if found is None:
            raise Invalid(unknown_resource(self, name), field="resource")
        return found

    def resources(self) -> list[Resource]:
        """All of them, by name."""
        return [self.world.resources[name] for name in sorted(self.world.resources)]


def unknown_resource(kit: Kit, name: str) -> str:
    """What is said of a name that nothing has."""
    return f"There is no resource called “{name[:60]}”. {did_you_mean(kit, name)}"


def did_you_mean(kit: Kit, name: str) -> str:
    """The nearest resources, or all when there are few."""
    names = sorted(kit.world.resources)
    near = get_close_matches(name[:100], names, n=2, cutoff=0.5)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return f"There is {', '.join(names[:8])}." if names else "None is configured."


def actor_of(person: Person, agent: str = "") -> Actor:
    """The person, or the person via an agent of theirs."""
    return Actor(person.id, Agent(agent) if agent else None, person.name)


async def show(kit: Kit, who: Caller, reply: Reply, build: Callable[[Tx], Card]) -> None:
    """Answer with a card built and given its tokens in one transaction; only the caller can press its buttons."""

    def work(tx: Tx) -> Card:
        return with_minted(tx, kit.entropy, build(tx), who.person)

    await reply.card(await kit.store.transact(work))


def found_request(tx: Tx, id: RequestId) -> AccessRequest:
    """The request. Raises Invalid when there is none."""
    request = tx.request(id)
    if request is None:
        raise Invalid(f"There is no request {id}.", field="id", hint="Yours are listed by /hoop my.")
    return request


def found_grant(tx: Tx, target: str, person: Person, now: datetime) -> Grant:
    """The grant meant by a grant id, a request id or a resource (then: the caller's own live one).

    Raises Invalid when there is none or, for a resource, more than one.
    """
    if parse_id(target, Prefix.GRANT):
        grant = tx.grant(GrantId(target))
    elif parse_id(target, Prefix.REQUEST):
        grant = next(iter(tx.grants(request=RequestId(target), limit=1)), None)
    else:
        return _own_grant(usable(tx.grants(live_at=now, person=person.id, resource=target), now), target)
    if grant is None:
        raise Invalid(f"No access goes by {target}.", field="target", hint="Yours is listed by /hoop my.")
    return grant


def _own_grant(grants: list[Grant], resource: str) -> Grant:
    if not grants:
        raise Invalid(
            f"You have no live access to {resource[:60]}.", field="target", hint=f"Ask: /hoop request {resource[:60]}"
        )
    if len(grants) > 1:
        ids = ", ".join(grant.id for grant in grants)
        raise Invalid(f"You have more than one on {resource}: {ids}.", field="target", hint="Name one of them.")
    return grants[0]
