"""One flow file → `Flow`, or every problem at once with file and line. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from types import MappingProxyType

from access.requests import Ask
from access.statements import Effect, Flag
from approval_flows import parse_parts as parts
from approval_flows.model import BreakGlass, Escalation, Flow, FlowProblem, Risk, Sources, Stage, When, Words
from approval_flows.ticketing import TicketIs
from approval_flows.yaml_lines import E, Keys, Node, Reader, T

SCOPES = ("read", "write", "admin", "interactive", "once", "unmask")
_FLOW = (
    "name",
    "priority",
    "description",
    "when",
    "stages",
    "distinct",
    "automatic",
    "reason",
    "ticket",
    "max_duration",
    "max_total",
    "waits",
    "remind",
    "escalate",
    "urgent",
    "step_up",
    "repeat",
    "activate_within",
    "windows",
    "break_glass",
)
MOST_STAGES = 8
MOST_PEOPLE = 20


def parse(file: str, text: str) -> tuple[Flow | None, tuple[FlowProblem, ...]]:
    """The flow of one file, None when there is any problem."""
    reader = Reader(file)
    node = reader.document(text)
    flow = _flow(reader, node) if node is not None else None
    return (None if reader.problems else flow), tuple(reader.problems)


def _flow(reader: Reader, node: Node) -> Flow:
    keys = reader.keys(node, "", _FLOW)
    name = parts.read_name(reader, keys["name"], "name") if "name" in keys else ""
    if not name and "name" not in keys:
        reader.wrong(node, "name", "is missing")
    automatic = reader.flag(keys["automatic"], "automatic") if "automatic" in keys else False
    flow = Flow(
        name=name,
        priority=reader.number(keys["priority"], "priority", 0, 100_000) if "priority" in keys else 100,
        description=reader.text(keys["description"], "description") if "description" in keys else "",
        when=_when(reader, keys["when"], automatic=automatic) if "when" in keys else When(),
        stages=_stages(reader, keys["stages"]) if "stages" in keys else (),
        distinct=reader.flag(keys["distinct"], "distinct") if "distinct" in keys else True,
        automatic=automatic,
        reason=parts.read_words(reader, keys["reason"], "reason") if "reason" in keys else Words(),
        ticket=parts.read_words(reader, keys["ticket"], "ticket") if "ticket" in keys else Words(),
        max_duration=reader.duration(keys["max_duration"], "max_duration") if "max_duration" in keys else None,
        max_total=reader.duration(keys["max_total"], "max_total") if "max_total" in keys else None,
        waits=reader.duration(keys["waits"], "waits") if "waits" in keys else None,
        remind=reader.items(keys["remind"], "remind", reader.duration) if "remind" in keys else (),
        escalate=reader.items(keys["escalate"], "escalate", lambda n, w: _escalation(reader, n, w))
        if "escalate" in keys
        else (),
        urgent=reader.flag(keys["urgent"], "urgent") if "urgent" in keys else False,
        step_up=reader.flag(keys["step_up"], "step_up") if "step_up" in keys else False,
        repeat=reader.duration(keys["repeat"], "repeat") if "repeat" in keys else None,
        activate_within=reader.duration(keys["activate_within"], "activate_within")
        if "activate_within" in keys
        else None,
        windows=reader.items(keys["windows"], "windows", lambda n, w: parts.read_window(reader, n, w))
        if "windows" in keys
        else (),
        break_glass=_break_glass(reader, keys["break_glass"]) if "break_glass" in keys else None,
        file=reader.file,
        line=node.start_mark.line + 1,
    )
    _fits(reader, node, keys, flow)
    return flow


def _fits(reader: Reader, node: Node, keys: Keys, flow: Flow) -> None:
    """How the parts fit together."""
    if flow.automatic and flow.stages:
        reader.wrong(keys["automatic"], "automatic", "and stages exclude each other")
    if flow.automatic and (flow.remind or flow.escalate or flow.waits or flow.urgent):
        reader.wrong(keys["automatic"], "automatic", "waits for nobody: remove waits, remind, escalate and urgent")
    if flow.automatic and "when" not in keys:
        reader.wrong(keys["automatic"], "automatic", "needs conditions (when): nothing is granted to everybody")
    if not flow.automatic and "stages" not in keys:
        reader.wrong(node, "stages", "is missing: nobody could decide")
    if flow.max_duration and flow.max_total and flow.max_total < flow.max_duration:
        reader.wrong(keys["max_total"], "max_total", "is shorter than max_duration")
    if list(flow.remind) != sorted(set(flow.remind)):
        reader.wrong(keys["remind"], "remind", "must be increasing, counted from when it was asked")
    late = [*flow.remind, *(one.after for one in flow.escalate)]
    if flow.waits and late and max(late) >= flow.waits:
        reader.wrong(keys["waits"], "waits", "ends before the last reminder or escalation")
    if flow.automatic and (flow.step_up or flow.repeat):
        reader.wrong(keys["automatic"], "automatic", "has nobody who clicks: remove step_up and repeat")
    if flow.break_glass is not None:
        _fits_emergency(reader, keys, flow)
    names = [stage.name for stage in flow.stages]
    for stage in flow.stages:
        if names.count(stage.name) > 1:
            reader.wrong(stage.line, f"stages.{stage.name}", "is the name of two stages")
    if not flow.distinct:
        _overlap(reader, flow)


_NOT_FOR_EMERGENCIES = ("automatic", "waits", "remind", "step_up", "repeat", "max_total", "activate_within", "windows")


def _fits_emergency(reader: Reader, keys: Keys, flow: Flow) -> None:
    """Break-glass waits for nobody: its one stage says who acknowledges and reviews."""
    for key in _NOT_FOR_EMERGENCIES:
        if key in keys:
            reader.wrong(keys[key], key, "does not go with break_glass: access is at once, short, and asked for anew")
    if len(flow.stages) != 1 or flow.stages[0].every or flow.stages[0].need != 1:
        reader.wrong(keys["break_glass"], "break_glass", "needs one stage of any: who acknowledges and reviews")
    if flow.when.asks:
        reader.wrong(keys["when"], "when.asks", "does not go with break_glass: it is always access")
    for key, looked in (("when", flow.when.ticket_is), ("ticket", flow.ticket.ticket_is)):
        if looked:
            reader.wrong(keys[key], key, "looks tickets up, and break_glass does not wait for another system")
    if "max_duration" not in keys:
        reader.wrong(keys["break_glass"], "break_glass", "needs max_duration: how long the access lasts at most")


def _break_glass(reader: Reader, node: Node) -> BreakGlass:
    known = ("groups", "on_call", "roles", "reason_at_least", "acknowledge", "attest", "blocks")
    keys = reader.keys(node, "break_glass", known)
    if "groups" not in keys:
        reader.wrong(node, "break_glass.groups", "is missing: nobody may break glass")
    if "on_call" not in keys and "roles" not in keys:
        reader.wrong(node, "break_glass", "needs on_call or roles: being in a group is not enough")
    usual = BreakGlass()

    def texts(key: str) -> tuple[str, ...]:
        return reader.texts(keys[key], f"break_glass.{key}") if key in keys else ()

    def length(key: str, otherwise: timedelta) -> timedelta:
        return reader.duration(keys[key], f"break_glass.{key}") if key in keys else otherwise

    return BreakGlass(
        groups=texts("groups"),
        on_call=texts("on_call"),
        roles=texts("roles"),
        reason_at_least=reader.number(keys["reason_at_least"], "break_glass.reason_at_least", 10, 500)
        if "reason_at_least" in keys
        else usual.reason_at_least,
        acknowledge=length("acknowledge", usual.acknowledge),
        attest=length("attest", usual.attest),
        blocks=reader.flag(keys["blocks"], "break_glass.blocks") if "blocks" in keys else usual.blocks,
    )


def _overlap(reader: Reader, flow: Flow) -> None:
    """Where one person may count in several stages, two stages with the same people would be one click."""
    for index, stage in enumerate(flow.stages):
        for earlier in flow.stages[:index]:
            if set(stage.sources.split()) & set(earlier.sources.split()):
                message = f"overlaps stage {earlier.name}: with distinct: false one click would count in both"
                reader.wrong(stage.line, f"stages.{stage.name}", message)


_WHEN = (
    "asks", "resources", "labels", "scopes", "effects", "flags", "longer_than", "at_most", "hours", "ticket", "agent",
    "people", "groups", "risk", "on_call", "runbooks", "ticket_is",
)  # fmt: skip


def _when(reader: Reader, node: Node, *, automatic: bool) -> When:
    keys = reader.keys(node, "when", _WHEN)
    if not keys:
        reader.wrong(node, "when", "is empty; leave it out for always")

    def given(name: str, read: Callable[[Node, str], T], otherwise: T) -> T:
        return read(keys[name], f"when.{name}") if name in keys else otherwise

    def chosen(name: str, kind: type[E]) -> frozenset[E]:
        return given(name, lambda node, where: reader.choices(node, where, kind), frozenset())

    asks = chosen("asks", Ask)
    if automatic and Ask.STATEMENT in asks:
        reader.wrong(
            keys["asks"], "when.asks", "a held statement is never approved automatically: a rule wants it seen"
        )
    return When(
        asks=asks or (frozenset({Ask.ACCESS}) if automatic else frozenset()),
        resources=given("resources", reader.texts, ()),
        runbooks=given("runbooks", reader.texts, ()),
        labels=given("labels", lambda node, _: parts.read_labels(reader, node), MappingProxyType({})),
        scopes=given("scopes", lambda node, where: frozenset(reader.words(node, where, SCOPES)), frozenset()),
        effects=chosen("effects", Effect),
        flags=chosen("flags", Flag),
        longer_than=given("longer_than", reader.duration, None),
        at_most=given("at_most", reader.duration, None),
        hours=given(
            "hours", lambda node, where: reader.items(node, where, lambda n, w: parts.read_window(reader, n, w)), ()
        ),
        ticket=given("ticket", lambda node, where: parts.read_pattern(reader, node, where), None),
        agent=given("agent", reader.flag, None),
        people=given("people", reader.texts, ()),
        groups=given("groups", reader.texts, ()),
        risk=chosen("risk", Risk),
        on_call=given("on_call", reader.texts, ()),
        ticket_is=chosen("ticket_is", TicketIs),
    )


def _stages(reader: Reader, node: Node) -> tuple[Stage, ...]:
    found = reader.items(node, "stages", lambda n, w: _stage(reader, n, w))
    if len(found) > MOST_STAGES:
        reader.wrong(node, "stages", f"are more than {MOST_STAGES}")
    return found


def _stage(reader: Reader, node: Node, where: str) -> Stage:
    keys = reader.keys(node, where, ("name", "any", "all", "need", "quiet"))
    name = parts.read_name(reader, keys["name"], f"{where}.name") if "name" in keys else ""
    if "name" not in keys:
        reader.wrong(node, f"{where}.name", "is missing")
    if ("any" in keys) == ("all" in keys):
        reader.wrong(node, where, "needs either any or all: who decides")
    every = "all" in keys
    of = "all" if every else "any"
    sources = parts.read_sources(reader, keys[of], f"{where}.{of}") if of in keys else Sources()
    for key in ("need", "quiet"):
        if every and key in keys:
            reader.wrong(keys[key], f"{where}.{key}", "is used only with any; all wants one person of each")
    return Stage(
        name=name,
        sources=sources,
        every=every,
        need=reader.number(keys["need"], f"{where}.need", 1, MOST_PEOPLE) if "need" in keys else 1,
        quiet=parts.read_sources(reader, keys["quiet"], f"{where}.quiet") if "quiet" in keys else Sources(),
        line=node.start_mark.line + 1,
    )


def _escalation(reader: Reader, node: Node, where: str) -> Escalation:
    keys = reader.keys(node, where, ("after", "to"))
    for key in ("after", "to"):
        if key not in keys:
            reader.wrong(node, f"{where}.{key}", "is missing")
    after = reader.duration(keys["after"], f"{where}.after") if "after" in keys else timedelta(0)
    return Escalation(after, parts.read_sources(reader, keys["to"], f"{where}.to") if "to" in keys else Sources())
