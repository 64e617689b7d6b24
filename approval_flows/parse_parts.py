"""Pieces of flow files that other files have too: windows, sources of people, patterns. Pure."""

from __future__ import annotations

import re
from datetime import time
from types import MappingProxyType
from zoneinfo import ZoneInfo

import re2
import yaml

from approval_flows.model import DAYS, Sources, Window, Words
from approval_flows.ticketing import TicketIs
from approval_flows.yaml_lines import Node, Reader

_NAME = re.compile(r"\A[a-z][a-z0-9-]{0,40}\Z")
_TIME = re.compile(r"\A([01]\d|2[0-3]):([0-5]\d)\Z")
_SOURCES = ("people", "groups", "on_call", "owners", "approvers", "manager")


def read_name(reader: Reader, node: Node, where: str) -> str:
    """A name such as `production-writes`."""
    text = reader.text(node, where)
    if text and not _NAME.match(text):
        reader.wrong(node, where, "must be lower-case letters, digits and '-', at most 41, starting with a letter")
    return text


def read_labels(reader: Reader, node: Node) -> MappingProxyType[str, str]:
    """Labels of a resource."""
    if not isinstance(node, yaml.MappingNode) or not node.value:
        reader.wrong(node, "when.labels", "must be a mapping such as {env: production}")
        return MappingProxyType({})
    found = {str(key.value): reader.text(value, f"when.labels.{key.value}") for key, value in node.value}
    return MappingProxyType(found)


def read_window(reader: Reader, node: Node, where: str) -> Window:
    """Times of day in a zone."""
    keys = reader.keys(node, where, ("from", "to", "zone", "days"))
    for key in ("from", "to", "zone"):
        if key not in keys:
            reader.wrong(node, f"{where}.{key}", "is missing")
    start = read_clock(reader, keys["from"], f"{where}.from") if "from" in keys else time(0)
    end = read_clock(reader, keys["to"], f"{where}.to") if "to" in keys else time(1)
    if start == end and {"from", "to"} <= keys.keys():
        reader.wrong(node, where, "begins when it ends; leave hours out for always")
    days = reader.words(keys["days"], f"{where}.days", DAYS) if "days" in keys else DAYS
    zone = read_zone(reader, keys["zone"], f"{where}.zone") if "zone" in keys else ZoneInfo("UTC")
    return Window(start, end, zone, frozenset(DAYS.index(day) for day in days))


def read_clock(reader: Reader, node: Node, where: str) -> time:
    """A time of day."""
    # YAML 1.1 reads 22:00 as a number in base 60, so the text itself is looked at, quoted or not
    match = _TIME.match(node.value) if isinstance(node, yaml.ScalarNode) else None
    if match is None:
        reader.wrong(node, where, 'must be a time of day such as "22:00"')
        return time(0)
    return time(int(match[1]), int(match[2]))


def read_zone(reader: Reader, node: Node, where: str) -> ZoneInfo:
    """A time zone by its name."""
    name = reader.text(node, where)
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        if name:
            reader.wrong(node, where, f"{name} is not a time zone; write it like Europe/Berlin")
        return ZoneInfo("UTC")


def read_sources(reader: Reader, node: Node, where: str) -> Sources:
    """Where people come from; at least one source."""
    keys = reader.keys(node, where, _SOURCES)
    sources = Sources(
        people=reader.texts(keys["people"], f"{where}.people") if "people" in keys else (),
        groups=reader.texts(keys["groups"], f"{where}.groups") if "groups" in keys else (),
        owners=reader.flag(keys["owners"], f"{where}.owners") if "owners" in keys else False,
        approvers=reader.flag(keys["approvers"], f"{where}.approvers") if "approvers" in keys else False,
        on_call=reader.texts(keys["on_call"], f"{where}.on_call") if "on_call" in keys else (),
        manager=reader.flag(keys["manager"], f"{where}.manager") if "manager" in keys else False,
    )
    if sources.empty:
        reader.wrong(node, where, f"names nobody: {', '.join(_SOURCES)}")
    return sources


def read_words(reader: Reader, node: Node, where: str) -> Words:
    """What a reason or a ticket must be."""
    known = ("required", "pattern", "hint", "is") if where == "ticket" else ("required", "pattern", "hint")
    keys = reader.keys(node, where, known)
    pattern = read_pattern(reader, keys["pattern"], f"{where}.pattern") if "pattern" in keys else ""
    required = reader.flag(keys["required"], f"{where}.required") if "required" in keys else True
    hint = reader.text(keys["hint"], f"{where}.hint") if "hint" in keys else ""
    ticket_is = reader.choices(keys["is"], f"{where}.is", TicketIs) if "is" in keys else frozenset[TicketIs]()
    if ticket_is and not required:
        reader.wrong(keys["is"], f"{where}.is", "needs required: true; without a ticket there is nothing to look up")
    return Words(required, pattern, hint, ticket_is)


def read_pattern(reader: Reader, node: Node, where: str) -> str:
    """An RE2 pattern."""
    text = reader.text(node, where)
    try:
        re2.compile(text)
    except re2.error as error:
        first = error.args[0] if error.args else error
        said = first.decode(errors="replace") if isinstance(first, bytes) else str(first)
        reader.wrong(node, where, f"is not a valid RE2 pattern: {said}")
    return text
