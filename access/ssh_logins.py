"""SSH logins that are confirmed in chat: a number in the terminal, said in chat by the person it claims to be.

Nobody is asked by a message, so nobody can be worn down by messages: without the number that a person's own terminal shows,
nothing happens. Documents of the store, good once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from access.actors import PersonId
from access.errors import Invalid
from access.events import Fact
from access.ports import Tx

KIND = "ssh_login"
#: How long a number is good for.
GOOD_FOR = timedelta(minutes=2)
#: Numbers of one person that may be open at once.
OPEN_MAX = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginConfirmed(Fact):
    """A person confirmed in chat that an SSH login is theirs. The stream is the person."""

    kind: ClassVar[str] = "login.confirmed"
    resource: str
    client: str


def ask(tx: Tx, number: str, person: PersonId, resource: str, client: str) -> bool:
    """Open a number; False when too many are open, or this one is."""
    if tx.doc(KIND, number) is not None or len(tx.docs(KIND, group=person)) >= OPEN_MAX:
        return False
    data = {"person": person, "resource": resource, "client": client, "confirmed": False}
    tx.put_doc(KIND, number, data, group=person, expires_at=tx.now + GOOD_FOR)
    return True


def confirm(tx: Tx, number: str, person: PersonId) -> tuple[str, str]:
    """The person says the number: (resource, where the client comes from). Raises Invalid when it is not one of theirs."""
    data = tx.doc(KIND, number)
    if data is None or data["person"] != person or data["confirmed"]:
        raise Invalid("This is no number of a login of yours, or it is too old.", field="number", hint="Log in again.")
    tx.put_doc(KIND, number, {**data, "confirmed": True}, group=person, expires_at=tx.now + GOOD_FOR)
    tx.append(LoginConfirmed(stream=person, actor=person, resource=data["resource"], client=data["client"]))
    return data["resource"], data["client"]


def confirmed(tx: Tx, number: str, person: PersonId, resource: str) -> bool:
    """Whether it was confirmed, for exactly this."""
    data = tx.doc(KIND, number)
    return data is not None and bool(data["confirmed"]) and (data["person"], data["resource"]) == (person, resource)


def use(tx: Tx, number: str) -> bool:
    """Use it up; False when somebody did before."""
    data = tx.take_doc(KIND, number)
    return data is not None and bool(data["confirmed"])
