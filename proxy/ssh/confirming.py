"""Logging in with a number that is chosen in chat (keyboard-interactive, RFC 4256), for who has no key and no token at hand."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from access import ssh_logins
from access.actors import Person
from access.errors import HoopError
from access.ports import Clock
from proxy.ssh.house import House

#: How long a client waits for the number to be said, and how often that is looked up, in seconds.
WAIT_SECONDS, LOOK_SECONDS = 100.0, 0.5
#: Numbers in ten minutes, for one claimed name and for one address.
PER_NAME, PER_ADDRESS, WINDOW = 5, 20, 600.0
#: Names and addresses that are remembered; beyond that everybody waits.
REMEMBERED = 10_000

PROMPT = "Then press Enter (or give a hoop token): "


@dataclass(slots=True)
class Asked:
    """How often numbers were given out lately, by claimed name and by address."""

    clock: Clock
    _when: dict[str, deque[float]] = field(default_factory=dict)

    def may(self, name: str, address: str) -> bool:
        """Count one more; False when there were too many."""
        now = self.clock.monotonic()
        for key in [key for key, times in self._when.items() if times[-1] < now - WINDOW]:
            del self._when[key]
        if len(self._when) > REMEMBERED:
            return False
        allowed = True
        for key, most in ((f"name {name}", PER_NAME), (f"address {address}", PER_ADDRESS)):
            times = self._when.setdefault(key, deque(maxlen=most))
            allowed = allowed and not (len(times) == most and times[0] > now - WINDOW)
            times.append(now)
        return allowed


@dataclass(slots=True)
class Confirming:
    """One attempt. `person` is who the name claims; None for nobody, who is asked just the same and never let in."""

    house: House
    person: Person | None
    resource: str
    address: str
    number: str = ""
    #: Why it was said no to; empty while nobody did.
    why: str = ""

    async def begin(self) -> str:
        """What the terminal shows; empty when too many numbers are open."""
        shown = self._numbers()
        self.number = shown[0]
        attempt, person = self.house.ports.entropy.token(8).hex(), self.person
        chooses = True
        if person is not None:
            asked = ssh_logins.Ask(self.number, attempt, shown, person.id, self.resource, self.address)
            try:
                opened = await self.house.ports.store.transact(lambda tx: ssh_logins.ask(tx, asked))
                chooses = await self.house.ports.store.read(lambda tx: ssh_logins.chooses(tx, person.id))
            except HoopError:
                return ""
            if not opened:
                return ""
        minutes = int(ssh_logins.GOOD_FOR.total_seconds() // 60)
        if not chooses:
            return f"hoop: is this you? Say in chat, within {minutes} minutes:  /hoop login {self.number}\n"
        return (
            f"hoop: is this you? Choose {self.number} in chat, within {minutes} minutes.\n"
            f"hoop: No message there? Say:  /hoop login {self.number}\n"
        )

    def _numbers(self) -> list[str]:
        """The number, and others that it is shown with."""
        found: list[str] = []
        while len(found) < ssh_logins.SHOWN:
            number = f"{int.from_bytes(self.house.ports.entropy.token(8), 'big') % 1_000_000:06d}"
            if number not in found:
                found.append(number)
        return found

    async def said(self) -> bool:
        """Wait until the number was chosen or said in chat by that person; then it is used up. False when they said no."""
        clock, store, person = self.house.ports.clock, self.house.ports.store, self.person
        until = clock.monotonic() + WAIT_SECONDS
        while clock.monotonic() < until:
            try:
                if person is not None:
                    state, self.why = await store.read(
                        lambda tx: ssh_logins.answer(tx, self.number, person.id, self.resource)
                    )
                    if state == ssh_logins.CONFIRMED:
                        return await store.transact(lambda tx: ssh_logins.use(tx, self.number))
                    if state == ssh_logins.DENIED:
                        return False
            except HoopError:
                return False
            await asyncio.sleep(LOOK_SECONDS)
        return False
