"""`run NAME key=value …` as typed: a value is a word, or anything in quotes. Pure."""

from __future__ import annotations

import re

from access.actors import AGENT_NAME
from bot.intents import Incomplete, Parsed, Run, Runbooks, Verb
from bot.lines import Wrong, cut_line
from bot.visible import cut, visible_line

MOST = 40
_NAME = 200
_PAIR = re.compile(
    r"""(?<!\S)(?P<name>[A-Za-z][A-Za-z0-9_]{0,40})=(?:"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>[^']*)'|“(?P<curly>[^”]*)”|(?P<bare>\S*))(?!\S)"""
)


def parse_run(verb: Verb, rest: str) -> Parsed:
    """What to run with which values. Raises Wrong; without a runbook's name it is a look at the list."""
    values: dict[str, str] = {}

    def take(match: re.Match[str]) -> str:
        name = match["name"]
        if name in values:
            raise Wrong(f"{name} is there twice.")
        values[name] = _value(match)
        return " "

    line = cut_line(verb, _PAIR.sub(take, rest))
    if len(values) > MOST:
        raise Wrong(f"At most {MOST} parameters.")
    if not line.words:
        return Runbooks() if not values else Incomplete(verb, {}, ("runbook",))
    if len(line.words) > 1:
        stray = visible_line(cut(line.words[1].text, 30))
        raise Wrong(f"Write parameters as name=value; I do not understand “{stray}”.")
    agent = line.flags.get("as-agent", "")
    if agent and not AGENT_NAME.match(agent):
        raise Wrong("That is no name of an agent.")
    if max(map(len, [line.words[0].text, line.flags.get("on", "")])) > _NAME:
        raise Wrong("That is too long for a name.")
    return Run(
        line.words[0].text, values, line.flags.get("on", ""), line.flags.get("reason", ""), line.flags.get("ticket", ""), agent
    )  # fmt: skip


def _value(match: re.Match[str]) -> str:
    if match["double"] is not None:
        return re.sub(r"\\(.)", r"\1", match["double"])
    return next(match[kind] for kind in ("single", "curly", "bare") if match[kind] is not None)


def parse_runbooks(verb: Verb, rest: str) -> Parsed:
    """The list, or what matches the words."""
    return Runbooks(" ".join(word.text for word in cut_line(verb, rest).words)[:_NAME])
