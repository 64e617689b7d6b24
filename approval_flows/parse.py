"""One flow file → `Flow`, or every problem at once with file and line. Pure."""

from __future__ import annotations

import re
from datetime import time, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

import re2
import yaml

from access.requests import Ask
from access.statements import Effect, Flag
from approval_flows.model import DAYS, Escalation, Flow, FlowProblem, Sources, Stage, When, Window, Words
from approval_flows.yaml_lines import Keys, Node, Reader

SCOPES = ("read", "write", "admin", "once")
_NAME = re.compile(r"\A[a-z][a-z0-9-]{0,40}\Z")
_TIME = re.compile(r"\A([01]\d|2[0-3]):([0-5]\d)\Z")
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
)
_SOURCES = ("people", "groups", "owners", "approvers")
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
    name = _name(reader, keys["name"], "name") if "name" in keys else ""
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
        reason=_words(reader, keys["reason"], "reason") if "reason" in keys else Words(),
        ticket=_words(reader, keys["ticket"], "ticket") if "ticket" in keys else Words(),
        max_duration=reader.duration(keys["max_duration"], "max_duration") if "max_duration" in keys else None,
        max_total=reader.duration(keys["max_total"], "max_total") if "max_total" in keys else None,
        waits=reader.duration(keys["waits"], "waits") if "waits" in keys else None,
        remind=reader.items(keys["remind"], "remind", reader.duration) if "remind" in keys else (),
        escalate=reader.items(keys["escalate"], "escalate", lambda n, w: _escalation(reader, n, w))
        if "escalate" in keys
        else (),
        file=reader.file,
        line=node.start_mark.line + 1,
    )
    _fits(reader, node, keys, flow)
    return flow


def _fits(reader: Reader, node: Node, keys: Keys, flow: Flow) -> None:
    """How the parts fit together."""
    if flow.automatic and flow.stages:
        reader.wrong(keys["automatic"], "automatic", "and stages exclude each other")
    if flow.automatic and (flow.remind or flow.escalate or flow.waits):
        reader.wrong(keys["automatic"], "automatic", "waits for nobody: remove waits, remind and escalate")
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
    names = [stage.name for stage in flow.stages]
    for stage in flow.stages:
        if names.count(stage.name) > 1:
            reader.wrong(stage.line, f"stages.{stage.name}", "is the name of two stages")
    if not flow.distinct:
        _overlap(reader, flow)


def _overlap(reader: Reader, flow: Flow) -> None:
    """Where one person may count in several stages, two stages with the same people would be one click."""
    for index, stage in enumerate(flow.stages):
        for earlier in flow.stages[:index]:
            if set(stage.sources.split()) & set(earlier.sources.split()):
                message = f"overlaps stage {earlier.name}: with distinct: false one click would count in both"
                reader.wrong(stage.line, f"stages.{stage.name}", message)


def _name(reader: Reader, node: Node, where: str) -> str:
    text = reader.text(node, where)
    if text and not _NAME.match(text):
        reader.wrong(node, where, "must be lower-case letters, digits and '-', at most 41, starting with a letter")
    return text


def _when(reader: Reader, node: Node, *, automatic: bool) -> When:
    known = (
        "asks",
        "resources",
        "labels",
        "scopes",
        "effects",
        "flags",
        "longer_than",
        "at_most",
        "hours",
        "ticket",
        "agent",
        "people",
        "groups",
    )
    keys = reader.keys(node, "when", known)
    if not keys:
        reader.wrong(node, "when", "is empty; leave it out for always")
    asks = reader.choices(keys["asks"], "when.asks", Ask) if "asks" in keys else frozenset[Ask]()
    if automatic and Ask.STATEMENT in asks:
        reader.wrong(
            keys["asks"], "when.asks", "a held statement is never approved automatically: a rule wants it seen"
        )
    if automatic and not asks:
        asks = frozenset({Ask.ACCESS})
    return When(
        asks=asks,
        resources=reader.texts(keys["resources"], "when.resources") if "resources" in keys else (),
        labels=_labels(reader, keys["labels"]) if "labels" in keys else MappingProxyType({}),
        scopes=frozenset(reader.words(keys["scopes"], "when.scopes", SCOPES)) if "scopes" in keys else frozenset(),
        effects=reader.choices(keys["effects"], "when.effects", Effect) if "effects" in keys else frozenset(),
        flags=reader.choices(keys["flags"], "when.flags", Flag) if "flags" in keys else frozenset(),
        longer_than=reader.duration(keys["longer_than"], "when.longer_than") if "longer_than" in keys else None,
        at_most=reader.duration(keys["at_most"], "when.at_most") if "at_most" in keys else None,
        hours=reader.items(keys["hours"], "when.hours", lambda n, w: _window(reader, n, w)) if "hours" in keys else (),
        ticket=_pattern(reader, keys["ticket"], "when.ticket") if "ticket" in keys else None,
        agent=reader.flag(keys["agent"], "when.agent") if "agent" in keys else None,
        people=reader.texts(keys["people"], "when.people") if "people" in keys else (),
        groups=reader.texts(keys["groups"], "when.groups") if "groups" in keys else (),
    )


def _labels(reader: Reader, node: Node) -> MappingProxyType[str, str]:
    if not isinstance(node, yaml.MappingNode) or not node.value:
        reader.wrong(node, "when.labels", "must be a mapping such as {env: production}")
        return MappingProxyType({})
    found = {str(key.value): reader.text(value, f"when.labels.{key.value}") for key, value in node.value}
    return MappingProxyType(found)


def _window(reader: Reader, node: Node, where: str) -> Window:
    keys = reader.keys(node, where, ("from", "to", "zone", "days"))
    for key in ("from", "to", "zone"):
        if key not in keys:
            reader.wrong(node, f"{where}.{key}", "is missing")
    start = _clock(reader, keys["from"], f"{where}.from") if "from" in keys else time(0)
    end = _clock(reader, keys["to"], f"{where}.to") if "to" in keys else time(1)
    if start == end and {"from", "to"} <= keys.keys():
        reader.wrong(node, where, "begins when it ends; leave hours out for always")
    days = reader.words(keys["days"], f"{where}.days", DAYS) if "days" in keys else DAYS
    zone = _zone(reader, keys["zone"], f"{where}.zone") if "zone" in keys else ZoneInfo("UTC")
    return Window(start, end, zone, frozenset(DAYS.index(day) for day in days))


def _clock(reader: Reader, node: Node, where: str) -> time:
    # YAML 1.1 reads 22:00 as a number in base 60, so the text itself is looked at, quoted or not
    match = _TIME.match(node.value) if isinstance(node, yaml.ScalarNode) else None
    if match is None:
        reader.wrong(node, where, 'must be a time of day such as "22:00"')
        return time(0)
    return time(int(match[1]), int(match[2]))


def _zone(reader: Reader, node: Node, where: str) -> ZoneInfo:
    name = reader.text(node, where)
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        if name:
            reader.wrong(node, where, f"{name} is not a time zone; write it like Europe/Berlin")
        return ZoneInfo("UTC")


def _stages(reader: Reader, node: Node) -> tuple[Stage, ...]:
    found = reader.items(node, "stages", lambda n, w: _stage(reader, n, w))
    if len(found) > MOST_STAGES:
        reader.wrong(node, "stages", f"are more than {MOST_STAGES}")
    return found


def _stage(reader: Reader, node: Node, where: str) -> Stage:
    keys = reader.keys(node, where, ("name", "any", "all", "need", "quiet"))
    name = _name(reader, keys["name"], f"{where}.name") if "name" in keys else ""
    if "name" not in keys:
        reader.wrong(node, f"{where}.name", "is missing")
    if ("any" in keys) == ("all" in keys):
        reader.wrong(node, where, "needs either any or all: who decides")
    every = "all" in keys
    of = "all" if every else "any"
    sources = _sources(reader, keys[of], f"{where}.{of}") if of in keys else Sources()
    for key in ("need", "quiet"):
        if every and key in keys:
            reader.wrong(keys[key], f"{where}.{key}", "is used only with any; all wants one person of each")
    return Stage(
        name=name,
        sources=sources,
        every=every,
        need=reader.number(keys["need"], f"{where}.need", 1, MOST_PEOPLE) if "need" in keys else 1,
        quiet=_sources(reader, keys["quiet"], f"{where}.quiet") if "quiet" in keys else Sources(),
        line=node.start_mark.line + 1,
    )


def _sources(reader: Reader, node: Node, where: str) -> Sources:
    keys = reader.keys(node, where, _SOURCES)
    sources = Sources(
        people=reader.texts(keys["people"], f"{where}.people") if "people" in keys else (),
        groups=reader.texts(keys["groups"], f"{where}.groups") if "groups" in keys else (),
        owners=reader.flag(keys["owners"], f"{where}.owners") if "owners" in keys else False,
        approvers=reader.flag(keys["approvers"], f"{where}.approvers") if "approvers" in keys else False,
    )
    if sources.empty:
        reader.wrong(node, where, f"names nobody: {', '.join(_SOURCES)}")
    return sources


def _escalation(reader: Reader, node: Node, where: str) -> Escalation:
    keys = reader.keys(node, where, ("after", "to"))
    for key in ("after", "to"):
        if key not in keys:
            reader.wrong(node, f"{where}.{key}", "is missing")
    after = reader.duration(keys["after"], f"{where}.after") if "after" in keys else timedelta(0)
    return Escalation(after, _sources(reader, keys["to"], f"{where}.to") if "to" in keys else Sources())


def _words(reader: Reader, node: Node, where: str) -> Words:
    keys = reader.keys(node, where, ("required", "pattern", "hint"))
    pattern = _pattern(reader, keys["pattern"], f"{where}.pattern") if "pattern" in keys else ""
    required = reader.flag(keys["required"], f"{where}.required") if "required" in keys else True
    hint = reader.text(keys["hint"], f"{where}.hint") if "hint" in keys else ""
    return Words(required, pattern, hint)


def _pattern(reader: Reader, node: Node, where: str) -> str:
    text = reader.text(node, where)
    try:
        re2.compile(text)
    except re2.error as error:
        first = error.args[0] if error.args else error
        said = first.decode(errors="replace") if isinstance(first, bytes) else str(first)
        reader.wrong(node, where, f"is not a valid RE2 pattern: {said}")
    return text
