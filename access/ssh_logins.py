"""Logins that are confirmed in chat: a number that a terminal shows, and that its person chooses there among others, or types.

The number is never in an event or a message by itself: the message shows it among others, so who is asked must look at
their terminal. A wrong choice ends all open logins of that person, and for a while only the typed number lets in: nothing
is found by trying.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from access.actors import PersonId
from access.errors import Invalid
from access.events import Fact
from access.ports import Tx

KIND = "ssh_login"
#: Documents that say that a person chose wrongly a while ago.
WRONG = "ssh_login_wrong"
#: How long a number is good for, and how long nobody is asked to choose after a wrong choice.
GOOD_FOR, TYPED_ONLY = timedelta(minutes=2), timedelta(minutes=10)
#: Numbers of one person that may be open at once, and how many a message shows.
OPEN_MAX, SHOWN = 3, 3
OPEN, CONFIRMED, DENIED = "open", "confirmed", "denied"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginAsked(Fact):
    """An SSH login waits for its person to choose the number that its terminal shows. The stream is the person."""

    kind: ClassVar[str] = "login.asked"
    resource: str
    client: str
    attempt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginConfirmed(Fact):
    """A person confirmed in chat that an SSH login is theirs. The stream is the person."""

    kind: ClassVar[str] = "login.confirmed"
    resource: str
    client: str
    attempt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginDenied(Fact):
    """A person chose another number than the terminal shows, or said that the login is not theirs. The stream is the person."""

    kind: ClassVar[str] = "login.denied"
    resource: str
    client: str
    attempt: str
    why: str


@dataclass(frozen=True, slots=True)
class Ask:
    """A login that wants to be confirmed. `shown` are the numbers to choose from, `number` among them."""

    number: str
    attempt: str
    shown: Sequence[str]
    person: PersonId
    resource: str
    client: str


def ask(tx: Tx, one: Ask) -> bool:
    """Open a number, and ask its person to choose it; False when too many are open, or this one is."""
    if tx.doc(KIND, one.number) is not None or len(tx.docs(KIND, group=one.person)) >= OPEN_MAX:
        return False
    data = {
        "person": one.person, "resource": one.resource, "client": one.client, "state": OPEN, "attempt": one.attempt,
        "shown": sorted(one.shown), "why": "",
    }  # fmt: skip
    tx.put_doc(KIND, one.number, data, group=one.person, expires_at=tx.now + GOOD_FOR)
    if chooses(tx, one.person):
        tx.append(
            LoginAsked(
                stream=one.person, actor=one.person, resource=one.resource, client=one.client, attempt=one.attempt
            )
        )
    return True


def chooses(tx: Tx, person: PersonId) -> bool:
    """Whether this person is asked to choose; after a wrong choice only what they type counts, for a while."""
    return not tx.docs(WRONG, group=person)


def attempt_of(tx: Tx, person: PersonId, attempt: str) -> tuple[str, Mapping[str, Any]] | None:
    """The number of an attempt and its data, while it is good."""
    return next(((n, data) for n, data in tx.docs(KIND, group=person) if data["attempt"] == attempt), None)


def choose(tx: Tx, attempt: str, number: str, person: PersonId) -> tuple[bool, str, str]:
    """The person chose this number (empty: it is not theirs): whether it is the right one, the resource, and where the client
    comes from. Raises Invalid when there is nothing to choose any more."""
    found = attempt_of(tx, person, attempt)
    if found is None or found[1]["state"] != OPEN or not chooses(tx, person):
        raise Invalid("This login is over.", field="number", hint="Log in again.")
    right, data = found
    if number == right:
        confirm(tx, right, person)
        return True, data["resource"], data["client"]
    why = "another number was chosen in chat" if number else "its person said in chat that it is not theirs"
    for other, its in tx.docs(KIND, group=person):
        if its["state"] == OPEN:
            tx.put_doc(KIND, other, {**its, "state": DENIED, "why": why}, group=person, expires_at=tx.now + GOOD_FOR)
            tx.append(
                LoginDenied(
                    stream=person, actor=person, resource=its["resource"], client=its["client"], attempt=its["attempt"],
                    why=why,
                )
            )  # fmt: skip
    tx.put_doc(WRONG, attempt, {}, group=person, expires_at=tx.now + TYPED_ONLY)
    return False, data["resource"], data["client"]


def confirm(tx: Tx, number: str, person: PersonId) -> tuple[str, str]:
    """The person says the number: (resource, where the client comes from). Raises Invalid when it is not one of theirs."""
    data = tx.doc(KIND, number)
    if data is None or data["person"] != person or data["state"] != OPEN:
        raise Invalid("This is no number of a login of yours, or it is too old.", field="number", hint="Log in again.")
    tx.put_doc(KIND, number, {**data, "state": CONFIRMED}, group=person, expires_at=tx.now + GOOD_FOR)
    tx.append(
        LoginConfirmed(
            stream=person, actor=person, resource=data["resource"], client=data["client"], attempt=data["attempt"]
        )
    )
    return data["resource"], data["client"]


def answer(tx: Tx, number: str, person: PersonId, resource: str) -> tuple[str, str]:
    """What became of it so far, for exactly this: OPEN, CONFIRMED or DENIED, and why."""
    data = tx.doc(KIND, number)
    if data is None or (data["person"], data["resource"]) != (person, resource):
        return OPEN, ""
    return data["state"], data["why"]


def use(tx: Tx, number: str) -> bool:
    """Use it up; False when somebody did before."""
    data = tx.take_doc(KIND, number)
    return data is not None and data["state"] == CONFIRMED
