"""Refusals that a gate makes by itself, in words: what would be allowed, and what to do next."""

from __future__ import annotations

from dataclasses import replace

from access.policy import Action, Verdict
from access.requests import AccessRequest, RequestState
from access.scopes import Level
from access.statements import Effect, Flag
from proxy.admission import CANCELLED, Refusal, Unit

_READ_ONLY = frozenset({Effect.READ})
#: What a rule of the owner's may let through in a read session too. Code that nobody declared stays read only.
CHANGES = frozenset({Effect.WRITE, Effect.DDL, Effect.DANGER})


def unwrappable(unit: Unit, verdict: Verdict) -> Refusal | None:
    """A write cannot be approved into a read-only transaction: say so before anybody is asked."""
    lifted = verdict.consumes is not None or bool(unit.whole.effects & CHANGES)
    held = verdict.action is Action.HOLD or (verdict.action is Action.ALLOW and lifted)
    alone = Flag.OUTSIDE_TRANSACTION in unit.whole.flags
    if not held or unit.can_write or (unit.wrappable and not alone) or unit.whole.effects <= _READ_ONLY:
        return None
    if alone:
        return Refusal(
            f"{unit.whole.verbs[0]} cannot run inside of a transaction, and a read session changes things only in one",
            "A read session runs an approved change in a transaction that is writable for just this.",
            "Have this one command approved (/hoop exec …), or ask for write access: /hoop request … write",
        )
    return Refusal(
        verdict.message or "This statement changes data and the session is read only.",
        "A read session runs an approved change alone: one statement, outside of a transaction.",
        "Run it by itself, or ask for write access: /hoop request … write",
    )


#: The rule of `access.policy` for what the judge could not read: a mistake in the text, or too much for it.
NOT_UNDERSTOOD = "not-understood"
_ALLOWED = {
    Level.NONE: "Nothing is allowed without live access, but what was approved.",
    Level.READ: "A read grant allows reads; single changes can be approved.",
    Level.WRITE: "A write grant allows reads and bounded changes of data.",
    Level.ADMIN: "An admin grant allows reads, changes and definitions.",
    Level.INTERACTIVE: "An interactive grant allows shells.",
}


def completed(refusal: Refusal, rule: str, level: Level, resource: str) -> Refusal:
    """A refusal that says what would be allowed and what to do next, whoever made it."""
    unread = rule == NOT_UNDERSTOOD
    allowed = "What is not understood is not sent to the server." if unread else _ALLOWED[level]
    more = "" if unread else f"  More access: /hoop request {resource} …"
    detail = refusal.detail or f"{allowed} Rule: {rule}."
    hint = refusal.hint or f"Why: /hoop why {resource} -- …{more}"
    return replace(refusal, detail=detail, hint=hint)


def who_decides(request: AccessRequest, seconds: float) -> str:
    people = len(request.approvers)
    who = f"{people} {'person' if people == 1 else 'people'} can decide" if people else "the approvers were asked"
    length = f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
    return f"{who}; waiting at most {length}. Ctrl-C cancels."


def not_approved(decided: AccessRequest, by: str, gave_up: str) -> Refusal:
    if decided.state is RequestState.DENIED:
        reason = f": {decided.note}" if decided.note else ""
        hint = "Say more about why it is needed, or change it, and run it again to ask again."
        return Refusal(f"{decided.id} was denied by {by}{reason}", "The statement was not run.", hint)
    if gave_up:
        text = f"canceling statement due to user request ({decided.id})"
        return Refusal(text, "It was not run.", "Run it again to ask again.", CANCELLED)
    if decided.state is RequestState.CANCELLED:
        reason = f": {decided.note}" if decided.note else ""
        text = f"{decided.id} was taken back{reason}"
        return Refusal(text, "The statement was not run.", "Run it again to ask again.", CANCELLED)
    return Refusal(
        f"{decided.id} was not approved in time",
        "The statement was not run.",
        "Run it again to ask again.",
        CANCELLED,
    )
