"""Login links into the console and the web sessions they start.

A link is a secret of 256 bits, good once, for five minutes, for one person. A session ends twelve hours after login, or
after an hour without use. The store holds SHA-256 of both secrets only: 256 random bits need no slow hash.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from access.actors import PersonId
from access.errors import Denied
from access.events import LoginLinked, LoginRefused
from access.ports import Clock, Directory, Entropy, Store, Tx

LINK = "login_link"
SESSION = "web_session"
LINK_LASTS = timedelta(minutes=5)
SESSION_LASTS = timedelta(hours=12)
IDLE_LASTS = timedelta(hours=1)
TOUCH_EVERY = timedelta(minutes=1)
SECRET_BYTES = 32
_SECRET = re.compile(r"\A[A-Za-z0-9_-]{43}\Z")


class WebLogins:
    """Implements `access.ports.LoginLinks`."""

    def __init__(self, store: Store, clock: Clock, entropy: Entropy, directory: Directory) -> None:
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._directory = directory

    async def issue(self, person: PersonId, *, by: str) -> str:
        """A link secret valid five minutes, usable once. Raises Denied for somebody who is not active."""
        secret = self._secret()

        def work(tx: Tx) -> None:
            if not self._active(person):
                raise Denied("A login link is only for an active person of the directory.", rule="person-inactive")
            tx.put_doc(LINK, _key(secret), {"person": person}, group=person, expires_at=tx.now + LINK_LASTS)
            tx.append(LoginLinked(stream=person, actor=by, person=person, used=False))

        await self._store.transact(work)
        return secret

    async def peek(self, secret: str) -> PersonId | None:
        """Who it would log in, without using it."""
        if not _SECRET.match(secret):
            return None
        return self._person(await self._store.read(lambda tx: tx.doc(LINK, _key(secret))))

    async def redeem(self, secret: str) -> str | None:
        """Use the link: a new session secret, or None when it is unknown, used, over, or its person is not active."""
        if not _SECRET.match(secret):
            return None
        session = self._secret()

        def work(tx: Tx) -> str | None:
            link = tx.take_doc(LINK, _key(secret))
            if link is None:
                return None
            person = self._person(link)
            if person is None:
                refused = str(link["person"])
                tx.append(LoginRefused(stream=refused, client="", name=refused, why="the person is not active"))
                return None
            now = tx.now.isoformat()
            data = {"person": person, "opened_at": now, "seen_at": now}
            tx.put_doc(SESSION, _key(session), data, group=person, expires_at=tx.now + SESSION_LASTS)
            tx.append(LoginLinked(stream=person, actor=person, person=person, used=True))
            return session

        return await self._store.transact(work)

    async def who(self, session: str) -> PersonId | None:
        """Whose session this is now: nobody's when it is unknown, over, unused for too long, or the person has left."""
        if not _SECRET.match(session):
            return None
        key = _key(session)
        data = await self._store.read(lambda tx: tx.doc(SESSION, key))
        now = self._clock.now()
        if data is None or not _in_time(data, now):
            return None
        if now - _at(data, "seen_at") >= TOUCH_EVERY and not await self._store.transact(lambda tx: _touch(tx, key)):
            return None
        return self._person(data)

    async def logout(self, session: str) -> None:
        """End the session; its secret is worth nothing from now on."""
        if _SECRET.match(session):
            await self._store.transact(lambda tx: tx.take_doc(SESSION, _key(session)))

    def _secret(self) -> str:
        return base64.urlsafe_b64encode(self._entropy.token(SECRET_BYTES)).rstrip(b"=").decode("ascii")

    def _active(self, person: PersonId) -> bool:
        known = self._directory.person(person)
        return known is not None and known.active

    def _person(self, data: Mapping[str, Any] | None) -> PersonId | None:
        person = PersonId(data["person"]) if data is not None else None
        return person if person is not None and self._active(person) else None


def _key(secret: str) -> str:
    return hashlib.sha256(secret.encode("ascii")).hexdigest()


def _at(data: Mapping[str, Any], name: str) -> datetime:
    return datetime.fromisoformat(data[name])


def _in_time(data: Mapping[str, Any], now: datetime) -> bool:
    return now < _at(data, "opened_at") + SESSION_LASTS and now < _at(data, "seen_at") + IDLE_LASTS


def _touch(tx: Tx, key: str) -> bool:
    """Note the use; False when the session ended in between (a logout is never undone by a late touch)."""
    data = tx.doc(SESSION, key)
    if data is None or not _in_time(data, tx.now):
        return False
    ends = _at(data, "opened_at") + SESSION_LASTS
    tx.put_doc(SESSION, key, {**data, "seen_at": tx.now.isoformat()}, group=data["person"], expires_at=ends)
    return True
