"""Which flow a request would take, who could decide it and what would happen when: for `hoop flows test`. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from access.actors import Person
from access.duty import NoSchedules, OnCall
from access.errors import Denied, Invalid, Unavailable
from access.ports import Directory
from access.requests import Ask
from access.resources import Resource
from access.statements import Effect, Flag
from approval_flows import flow as limits
from approval_flows import times
from approval_flows.choose import Facts, check_words, consider
from approval_flows.model import BreakGlass, Flow, FlowProblem
from approval_flows.parse import SCOPES
from approval_flows.stages import Course, Duty, People, course, escalated
from approval_flows.yaml_lines import Reader

_WISH = (
    "person",
    "agent",
    "resource",
    "ask",
    "scope",
    "duration",
    "reason",
    "ticket",
    "effects",
    "flags",
    "break_glass",
)


@dataclass(frozen=True, slots=True)
class Wish:
    """A request as a policy author imagines it."""

    person: str
    resource: str
    ask: Ask = Ask.ACCESS
    scope: str = "read"
    duration: timedelta = timedelta(hours=1)
    reason: str = ""
    ticket: str = ""
    agent: bool = False
    effects: frozenset[Effect] = frozenset()
    flags: frozenset[Flag] = frozenset()
    emergency: bool = False


def parse_wish(file: str, text: str) -> tuple[Wish, tuple[FlowProblem, ...]]:
    """The request of a file such as `docs/request.example.yml`; it may be used only without problems."""
    reader = Reader(file)
    node = reader.document(text)
    keys = reader.keys(node, "", _WISH) if node is not None else {}
    for key in ("person", "resource"):
        if node is not None and key not in keys:
            reader.wrong(node, key, "is missing")
    asks = [ask.value for ask in Ask]
    given = {key: reader.text(keys[key], key) for key in ("person", "resource", "reason", "ticket") if key in keys}
    ask = reader.text(keys["ask"], "ask") if "ask" in keys else Ask.ACCESS.value
    scope = reader.text(keys["scope"], "scope") if "scope" in keys else "read"
    if ask not in asks:
        reader.wrong(keys["ask"], "ask", f"is not one of {', '.join(asks)}")
    if scope not in SCOPES:
        reader.wrong(keys["scope"], "scope", f"is not one of {', '.join(SCOPES)}")
    wish = Wish(
        person=given.get("person", ""),
        resource=given.get("resource", ""),
        ask=Ask(ask) if ask in asks else Ask.ACCESS,
        scope=scope,
        duration=reader.duration(keys["duration"], "duration") if "duration" in keys else timedelta(hours=1),
        reason=given.get("reason", ""),
        ticket=given.get("ticket", ""),
        agent=bool(reader.text(keys["agent"], "agent")) if "agent" in keys else False,
        effects=reader.choices(keys["effects"], "effects", Effect) if "effects" in keys else frozenset(),
        flags=reader.choices(keys["flags"], "flags", Flag) if "flags" in keys else frozenset(),
        emergency=reader.flag(keys["break_glass"], "break_glass") if "break_glass" in keys else False,
    )
    return wish, tuple(reader.problems)


def explain(
    flows: Sequence[Flow],
    directory: Directory,
    person: Person,
    resource: Resource,
    wish: Wish,
    at: datetime,
    on_call: OnCall | None = None,
) -> list[str]:
    """In lines: the flows looked at and why each is not taken, then what the one that is taken does."""
    calling = on_call or NoSchedules()
    unknown: dict[str, str] = {}

    def duty(schedule: str) -> People:
        try:
            return calling.on_call(schedule, at)
        except Unavailable as error:
            unknown[schedule] = f"nobody counts as on call for {schedule}: {error}"
            return frozenset()

    lines = _explained(flows, directory, person, resource, wish, at, calling, duty)
    return [*lines, *unknown.values()]


def _explained(
    flows: Sequence[Flow],
    directory: Directory,
    person: Person,
    resource: Resource,
    wish: Wish,
    at: datetime,
    calling: OnCall,
    duty: Duty,
) -> list[str]:
    mine = frozenset(name for name in calling.schedules() if person.id in duty(name))
    facts = Facts(
        person,
        resource.name,
        resource.labels,
        wish.ask,
        wish.scope,
        wish.duration,
        at,
        wish.ticket,
        wish.agent,
        wish.effects,
        wish.flags,
        mine,
        wish.emergency,
    )
    looked = consider(flows, facts)
    lines = [f"{one.flow.name}: not taken, {one.why_not}" for one in looked if one.why_not]
    if not looked or looked[-1].why_not:
        return [*lines, "No flow is left, so this is refused."]
    flow = looked[-1].flow
    lines.append(f"{flow.name}: taken" + (f" — {flow.description}" if flow.description else ""))
    refusal = None if wish.ask is Ask.STATEMENT else check_words(flow, wish.reason, wish.ticket)
    refusal = refusal or _too_long(flow, resource, wish) or _closed(flow, resource, wish, at)
    if refusal is not None:
        return [*lines, f"  refused: {refusal}"]
    if flow.automatic:
        return [*lines, "  approved at once, nobody is asked", *_begins(flow, resource, at)]
    steps = course(flow, directory, resource, resource.approvers, asker=person.id, duty=duty)
    if flow.break_glass is not None:
        return [*lines, *_emergency(flow, flow.break_glass, steps, directory, person, mine)]
    lines += _stages(steps, flow, directory)
    if not steps.feasible():
        nobody = limits.nobody(directory, resource, "the stages can not be completed without the person who asks")
        return [*lines, f"  refused: {nobody}"]
    return [*lines, *_times(flow, directory, resource, person, at, duty), *_begins(flow, resource, at)]


def _closed(flow: Flow, resource: Resource, wish: Wish, at: datetime) -> Invalid | None:
    """Why it can not begin at `at`: a window. Broken glass waits for none, and a held statement not for the resource's."""
    if flow.break_glass is not None:
        return None
    here = replace(resource, windows=()) if wish.ask is Ask.STATEMENT else resource
    return times.check_windows(resource.name, here, flow, at)


def _begins(flow: Flow, resource: Resource, at: datetime) -> list[str]:
    """When the access begins, and what ends it early."""
    lines = []
    if flow.activate_within is not None:
        lines.append(f"  begun by its person within {limits.shown_duration(flow.activate_within)} of the approval")
    closed = times.closing(resource, flow, at)
    if closed is not None:
        lines.append(f"  ends with the window, at {closed:%H:%M} UTC at the latest")
    return lines


def _emergency(
    flow: Flow, rules: BreakGlass, steps: Course, directory: Directory, person: Person, mine: frozenset[str]
) -> list[str]:
    """What breaking glass does, or why this person may not."""
    if person.groups.isdisjoint(rules.groups):
        return [f"  refused: {person.name} is not in {' or '.join(rules.groups)}"]
    if person.groups.isdisjoint(rules.roles) and mine.isdisjoint(rules.on_call):
        wanted = (*(f"on call for {one}" for one in rules.on_call), *(f"in {one}" for one in rules.roles))
        return [f"  refused: {person.name} is not {' or '.join(wanted)}"]
    shown = limits.shown_duration
    known = [found.name for one in steps.people if (found := directory.person(one)) is not None]
    who = f"{', '.join(sorted(known)) or 'nobody'}, the owners or the security group"
    most = f", at most {shown(flow.max_duration)}" if flow.max_duration else ""
    return [
        f"  access at once{most}; the reason has at least {rules.reason_at_least} characters",
        f"  within {shown(rules.acknowledge)} acknowledged by {who}, else escalated",
        f"  within {shown(rules.attest)} of its end attested, and closed by another person",
        "  no next use before that" if rules.blocks else "  the next use does not wait for that",
    ]


def _too_long(flow: Flow, resource: Resource, wish: Wish) -> Invalid | None:
    most = min(resource.max_duration, flow.max_duration or resource.max_duration)
    if wish.ask is not Ask.ACCESS or wish.duration <= most:
        return None
    shown = limits.shown_duration
    return Invalid(f"{shown(wish.duration)} is more than the {shown(most)} allowed here.", field="duration")


def _stages(steps: Course, flow: Flow, directory: Directory) -> list[str]:
    lines = []
    for number, step in enumerate(steps.steps, 1):
        named = [person.name for one in step.people if (person := directory.person(one)) is not None]
        who = ", ".join(sorted(named)) or "nobody"
        lines.append(f"  stage {number}, {step.name}: {len(step.places)} of {step.whence} (now: {who})")
    places = sum(len(step.places) for step in steps.steps)
    if flow.step_up:
        lines.append("  an approval is confirmed in the console, with the digest typed; a click alone does not count")
    if places > 1:
        counted = "different people" if flow.distinct else "approvals"
        lines.append(f"  needs {places} {counted} in all, never the person who asks")
    return lines


def _times(flow: Flow, directory: Directory, resource: Resource, person: Person, at: datetime, duty: Duty) -> list[str]:
    """What the clock does while nobody decides."""
    shown, lines = limits.shown_duration, []
    moments = [(after, "those asked are reminded") for after in flow.remind]
    for one in flow.escalate:
        added = escalated(one, directory, resource, resource.approvers, asker=person.id, duty=duty)
        found = [known.name for new in added if (known := directory.person(new)) is not None]
        moments.append((one.after, f"may decide in every stage: {', '.join(sorted(found)) or 'nobody'}"))
    if flow.waits is not None:
        moments.append((flow.waits, "expires, nothing is granted"))
    for after, what in sorted(moments):
        lines.append(f"  after {shown(after)} ({at + after:%H:%M} UTC): {what}")
    if flow.max_total is not None:
        lines.append(f"  can be extended to {shown(flow.max_total)} in all")
    return lines


def overview(flows: Sequence[Flow]) -> list[str]:
    """The flows in the order they are asked, one line each."""
    return [
        f"{flow.priority:>6}  {flow.name:<24} "
        + ("break-glass, then " if flow.break_glass else "")
        + ("automatic" if flow.automatic else " → ".join(stage.name for stage in flow.stages))
        + (f" — {flow.description}" if flow.description else "")
        for flow in flows
    ]


def found_person(directory: Directory, name: str) -> Person | Denied:
    """The active person of a wire name."""
    person = directory.by_name(name)
    if person is None or not person.active:
        return Denied(f"{name} is not an active person of the directory.", rule="unknown-person")
    return person
