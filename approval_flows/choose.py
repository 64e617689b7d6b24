"""Which flow a request takes, and why the others do not. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

import re2

from access.actors import Person
from access.errors import Invalid, together
from access.requests import AccessRequest, Ask
from access.resources import Resource
from access.scopes import OfRunbook, scope_name
from access.statements import Effect, Flag
from access.tickets import Ticket
from approval_flows.flow import shown_duration
from approval_flows.model import Flow, Risk, When, Words
from approval_flows.ticketing import unmet
from approval_flows.wording import readable

UNMASK = "unmask"
NOT_HERE = Ticket("", problem="the ticket is not looked up here")


@dataclass(frozen=True, slots=True)
class Facts:
    """What conditions are looked up in: the request, the person who asks, the resource, the time. `on_call` are the
    schedules that person is on call for at that time; `emergency` means break-glass; `looked_up` is asked for what is known
    of the ticket, only where a flow wants to know."""

    person: Person
    resource: str
    labels: Mapping[str, str]
    ask: Ask
    scope: str
    duration: timedelta
    at: datetime
    ticket: str = ""
    agent: bool = False
    effects: frozenset[Effect] = frozenset()
    flags: frozenset[Flag] = frozenset()
    on_call: frozenset[str] = frozenset()
    emergency: bool = False
    runbook: str = ""
    looked_up: Callable[[], Ticket] = lambda: NOT_HERE


@dataclass(frozen=True, slots=True)
class Considered:
    """A flow that was looked at; `why_not` is empty for the one that is taken."""

    flow: Flow
    why_not: str = ""


def facts_of(
    request: AccessRequest, person: Person, resource: Resource, at: datetime, on_call: frozenset[str] = frozenset()
) -> Facts:
    """The facts of a request as it was filed."""
    evidence = request.evidence
    return Facts(
        person=person,
        resource=resource.name,
        labels=resource.labels,
        ask=request.ask,
        scope=scope_name(request.scope),
        duration=request.duration,
        at=at,
        ticket=request.ticket,
        agent=request.actor.via is not None,
        effects=evidence.effects if evidence else frozenset(),
        flags=evidence.flags if evidence else frozenset(),
        on_call=on_call,
        emergency=request.emergency is not None,
        runbook=request.scope.name if isinstance(request.scope, OfRunbook) else "",
    )


def consider(flows: Sequence[Flow], facts: Facts) -> list[Considered]:
    """The flows in the order they are asked, up to the one that is taken (the last, if its `why_not` is empty). For
    break-glass only the flows that describe it, for everything else only the others."""
    looked: list[Considered] = []
    for flow in (one for one in flows if (one.break_glass is not None) is facts.emergency):
        looked.append(Considered(flow, why_not(flow.when, facts) or _by_itself(flow, facts)))
        if not looked[-1].why_not:
            break
    return looked


def _by_itself(flow: Flow, facts: Facts) -> str:
    """What a flow that asks nobody does not say yes to: clear values, and effects, that it does not name in words."""
    if not flow.automatic:
        return ""
    if facts.scope == UNMASK and UNMASK not in flow.when.scopes:
        return f"it asks nobody and does not name the scope {UNMASK}"
    beyond = facts.effects - flow.when.effects
    if flow.when.effects and beyond:
        return f"it asks nobody and does not name the effect {_listed(beyond)}"
    return ""


def choose(flows: Sequence[Flow], facts: Facts) -> Flow | None:
    """The flow that is taken; None when there is none, and then nothing can be granted."""
    looked = consider(flows, facts)
    return looked[-1].flow if looked and not looked[-1].why_not else None


def why_not(when: When, facts: Facts) -> str:
    """The first condition that does not hold, in words; empty when all hold."""
    return _of_what(when, facts) or _of_whom(when, facts) or _of_time(when, facts)


_RISKS = tuple(Risk)
_OF_SCOPE = {"read": 0, "write": 1, "admin": 2, "unmask": 2}
_OF_EFFECT = {Effect.READ: 0, Effect.WRITE: 1, Effect.DDL: 2, Effect.DANGER: 3, Effect.ADMIN: 3, Effect.OPAQUE: 3}
_LARGE = frozenset({Flag.UNBOUNDED_WRITE, Flag.DROP, Flag.TRUNCATE})


def risk_of(facts: Facts) -> Risk:
    """How much this could do: by its effects, or by the scope where nothing is known yet; a write without bounds is at least
    high, and through an AI agent everything counts one higher."""
    known = [_OF_EFFECT.get(effect, 3) for effect in facts.effects]
    rank = max(known, default=_OF_SCOPE.get(facts.scope, 3))
    rank = max(rank, 2) if facts.flags & _LARGE else rank
    return _RISKS[min(rank + facts.agent, len(_RISKS) - 1)]


def _of_what(when: When, facts: Facts) -> str:
    if when.asks and facts.ask not in when.asks:
        return f"this asks for {facts.ask.value}, not {_listed(when.asks)}"
    if when.resources and not any(fnmatchcase(facts.resource, glob) for glob in when.resources):
        return f"{facts.resource} is not {_listed(when.resources)}"
    for key, value in when.labels.items():
        if facts.labels.get(key) != value:
            return f"{facts.resource} is not labelled {key}: {value}"
    if when.runbooks and not (facts.runbook and any(fnmatchcase(facts.runbook, glob) for glob in when.runbooks)):
        return f"{facts.runbook or 'this'} is not the runbook {_listed(when.runbooks)}"
    if when.scopes and facts.scope not in when.scopes:
        # what runs once has no standing scope, however little it does
        hint = "; see effects" if facts.ask is not Ask.ACCESS else ""
        return f"the scope is {facts.scope}, not {_listed(when.scopes)}{hint}"
    if when.effects and not when.effects & facts.effects:
        return f"no effect is {_listed(when.effects)}"
    if when.flags and not when.flags & facts.flags:
        return f"no flag is {_listed(when.flags)}"
    if when.risk and (risk := risk_of(facts)) not in when.risk:
        return f"the risk is {risk.value}, not {_listed(when.risk)}"
    return ""


def _of_whom(when: When, facts: Facts) -> str:
    if when.agent is not None and when.agent is not facts.agent:
        return "no AI agent asks" if when.agent else "an AI agent asks"
    if when.people and facts.person.wire_name not in when.people:
        return f"{facts.person.name} is not {_listed(when.people)}"
    if when.groups and facts.person.groups.isdisjoint(when.groups):
        return f"{facts.person.name} is not in {_listed(when.groups)}"
    if when.on_call and facts.on_call.isdisjoint(when.on_call):
        return f"{facts.person.name} is not on call for {_listed(when.on_call)}"
    return ""


def _of_time(when: When, facts: Facts) -> str:
    if when.longer_than is not None and facts.duration <= when.longer_than:
        return f"it is not longer than {shown_duration(when.longer_than)}"
    if when.at_most is not None and facts.duration > when.at_most:
        return f"it is longer than {shown_duration(when.at_most)}"
    if when.hours and not any(window.contains(facts.at) for window in when.hours):
        return f"it is not {' or '.join(map(str, when.hours))}"
    if when.ticket is not None and not _whole(when.ticket, facts.ticket):
        return f"the ticket does not match {when.ticket}"
    return unmet(when.ticket_is, facts.looked_up(), facts.person) if when.ticket_is else ""


def check_words(flow: Flow, reason: str, ticket: str) -> Invalid | None:
    """What the flow misses in the reason and the ticket; None if nothing."""
    reason, ticket = reason.strip(), ticket.strip()
    return together(
        _words_wrong(flow, flow.reason, "reason", reason), _words_wrong(flow, flow.ticket, "ticket", ticket)
    )


def check_ticket(flow: Flow, person: Person, looked_up: Callable[[], Ticket]) -> Invalid | None:
    """What the flow misses in the ticket itself, as the ticket system knows it; None if nothing."""
    wants = flow.ticket.ticket_is
    ticket = looked_up() if wants else NOT_HERE
    wrong = unmet(wants, ticket, person)
    if not wrong:
        return None
    wanted = " and ".join(sorted(wants))
    wrong = wrong.rstrip(".")
    said = wrong if ticket.key and wrong.startswith(ticket.key) else f"{wrong[0].upper()}{wrong[1:]}"
    hint = flow.ticket.hint or f"The flow {flow.name} wants a ticket that is {wanted}."
    return Invalid(f"{said}.", field="ticket", hint=hint)


def _words_wrong(flow: Flow, words: Words, field: str, given: str) -> Invalid | None:
    if not readable(given):
        missing = Invalid(f"The flow {flow.name} wants a {field}.", field=field, hint=_hint(words))
        return missing if words.required else None
    if words.pattern and not _whole(words.pattern, given):
        return Invalid(f"This {field} is not what the flow {flow.name} wants.", field=field, hint=_hint(words))
    return None


def _hint(words: Words) -> str:
    return words.hint or (f"It must match {words.pattern}" if words.pattern else "")


def _whole(pattern: str, text: str) -> bool:
    return re2.fullmatch(pattern, text) is not None


def _listed(values: object) -> str:
    return " or ".join(sorted(str(value) for value in values))  # type: ignore[attr-defined]
