"""The page of `/hoop help`: what people want to do, and which verbs do it, in a few words each. Pure data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from bot.intents import Verb


class Aim(StrEnum):
    """What somebody wants, in the order of the page."""

    GET = "Get access"
    RUN = "Run something once"
    DECIDE = "Decide on requests"
    STOP = "Stop what runs"
    EMERGENCY = "Emergencies"
    LOOK = "Look"
    SELF = "You and your clients"


AIMS: Mapping[Aim, Mapping[Verb, str]] = {
    Aim.GET: {
        Verb.REQUEST: "ask for access, now or later",
        Verb.CHANGE: "change what I asked for",
        Verb.CANCEL: "take my request back",
        Verb.BEGIN: "begin access that was approved ahead",
        Verb.EXTEND: "more time, without a disconnect",
        Verb.DONE: "give access back early",
        Verb.TOKEN: "a new password for my client",
        Verb.AGENT: "a token for my AI agent",
    },
    Aim.RUN: {
        Verb.EXEC: "one command, once approved",
        Verb.RUN: "a runbook, with its parameters",
        Verb.RUNBOOKS: "the runbooks there are",
        Verb.RERUN: "the same run again",
        Verb.ACCEPT: "take a text that was proposed instead of mine",
        Verb.DECLINE: "keep my own text",
    },
    Aim.DECIDE: {
        Verb.PENDING: "what waits for me",
        Verb.APPROVE: "say yes, or to less than was asked for",
        Verb.DENY: "say no, and why",
        Verb.PROPOSE: "another text that I would approve",
        Verb.ALLOW: "say yes ahead, with a second person",
        Verb.DISALLOW: "take that back",
        Verb.DELEGATE: "let somebody decide in my place",
        Verb.UNDELEGATE: "end that",
    },
    Aim.STOP: {
        Verb.REVOKE: "end access now, with its sessions",
        Verb.KILL: "cut one session",
    },
    Aim.EMERGENCY: {
        Verb.BREAK_GLASS: "access at once, everybody is called",
        Verb.ATTEST: "say what I did with it",
        Verb.ACK: "look after somebody's break-glass",
        Verb.CLOSE: "review what they did",
        Verb.DENY_ALL: "freeze: nothing runs there",
        Verb.LIFT: "end a freeze, with a second person",
    },
    Aim.LOOK: {
        Verb.MY: "my access, sessions and requests",
        Verb.SHOW: "one request, grant or session",
        Verb.SESSIONS: "open sessions",
        Verb.REPLAY: "the recording of a session",
        Verb.RUNS: "what was run lately",
        Verb.WHO: "who decides there, who has access",
        Verb.WHY: "what I may do, what a statement would do",
    },
    Aim.SELF: {
        Verb.SETTINGS: "private messages, quiet hours, digest",
        Verb.WHOAMI: "which person I am here",
        Verb.CONSOLE: "a link into the web console",
        Verb.KEY: "my SSH keys and certificates",
        Verb.SSH_CONFIG: "what goes into ~/.ssh/config",
        Verb.LOGIN: "let my SSH login in, by its number",
        Verb.HELP: "this page; help VERB says more",
    },
}

AIM_OF: Mapping[Verb, Aim] = {verb: aim for aim, verbs in AIMS.items() for verb in verbs}


def grouped(verbs: Iterable[Verb]) -> list[tuple[Aim, list[tuple[Verb, str]]]]:
    """These verbs under what they are for, each with its few words; an aim without any is left out."""
    wanted = set(verbs)
    found = [(aim, [(verb, says) for verb, says in said.items() if verb in wanted]) for aim, said in AIMS.items()]
    return [(aim, said) for aim, said in found if said]
