"""Who watches a live shell: documents of the store that whoever looks keeps renewing."""

from __future__ import annotations

from datetime import timedelta

from access.actors import PersonId
from access.ids import SessionId
from access.ports import Tx

KIND = "shell_watcher"
#: How long a look counts; the page that shows a live session says so again before that.
WATCHED_FOR = timedelta(seconds=15)


def watch(tx: Tx, session: SessionId, person: PersonId) -> None:
    """`person` looks at `session` now."""
    tx.put_doc(KIND, f"{session} {person}", {"person": person}, group=session, expires_at=tx.now + WATCHED_FOR)


def watched_by(tx: Tx, session: SessionId) -> frozenset[PersonId]:
    """Who looks at `session` at this moment."""
    return frozenset(PersonId(data["person"]) for _, data in tx.docs(KIND, group=session))
