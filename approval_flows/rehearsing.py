"""What the desk would say: its work is done in a transaction of which nothing is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from access.ports import Store, Tx

T = TypeVar("T")


class _Undo(Exception):
    """Carries what the work returned out of the transaction that it undoes."""

    def __init__(self, result: object) -> None:
        super().__init__("rehearsed")
        self.result: Any = result


class Rehearsing:
    """Implements `access.ports.Store`: every transaction is undone, and its result is given back."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def transact(self, work: Callable[[Tx], T]) -> T:
        """As the store, but that nothing is committed."""

        def undone(tx: Tx) -> T:
            raise _Undo(work(tx))

        try:
            return await self._store.transact(undone)
        except _Undo as undo:
            result: T = undo.result
            return result

    async def read(self, work: Callable[[Tx], T]) -> T:
        """As the store."""
        return await self._store.read(work)

    def subscribe(self, wake: Callable[[], None], *about: str) -> Callable[[], None]:
        """As the store."""
        return self._store.subscribe(wake, *about)
