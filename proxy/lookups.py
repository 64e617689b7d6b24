"""How often a person looked for an exact value of a protected column lately: where nothing else may test one, each such
question is one guess, and guesses are counted over all sessions of a resource, in every process that shares the store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from access.actors import PersonId
from access.errors import Denied
from access.ports import Store, Tx

HOUR = timedelta(hours=1)
#: The kind of the documents that hold the times of somebody's questions.
KIND = "lookups"


async def uncounted(_person: PersonId, _resource: str, _number: int, _most: int) -> None:
    """Where nobody counts, nobody asks. Raises Denied."""
    raise Denied("Exact values of protected columns are not looked up here.", rule="lookups")


@dataclass(frozen=True, slots=True)
class Lookups:
    """The counts in the store, by person and resource. `most` an hour come with each question."""

    store: Store

    async def take(self, person: PersonId, resource: str, number: int, most: int) -> None:
        """Count `number` more. Raises Denied, and counts none, when that is more than `most` in an hour; and what the store
        raises: what cannot be counted is not asked."""

        def work(tx: Tx) -> datetime | None:
            key, start = f"{resource}/{person}", (tx.now - HOUR).timestamp()
            kept = tx.doc(KIND, key)
            asked = [at for at in (kept["asked"] if kept else []) if at > start]
            if len(asked) + number > most:
                return (datetime.fromtimestamp(asked[0], UTC) if asked else tx.now) + HOUR
            tx.put_doc(KIND, key, {"asked": asked + [tx.now.timestamp()] * number}, expires_at=tx.now + HOUR)
            return None

        free = await self.store.transact(work)
        if free is not None:
            what = f"At most {most} exact values of protected columns are looked up an hour on {resource}."
            raise Denied(what, rule="lookups", hint=f"Again after {free:%H:%M} UTC, or find the rows by other columns.")
