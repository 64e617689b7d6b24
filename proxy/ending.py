"""The last things about a session: its recording is sealed and its row closed, in one commit."""

from __future__ import annotations

from access.events import Fact
from access.ports import SessionLog
from access.recordings import Recording
from access.requests import Session


async def end(recording: Recording, log: SessionLog, row: Session) -> None:
    """Seal the recording and close the row. The row is closed as well when the recording cannot be sealed, or was before.
    Raises Unavailable when the store takes neither."""
    done = False

    async def both(seal: Fact) -> None:
        nonlocal done
        await log.closed(row, recording.name, seal)
        done = True

    try:
        await recording.close(both)
    finally:
        if not done:
            await log.closed(row, recording.name)
