"""The row of a session and its upstream connection are made at the same time: neither is left behind without the other."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from access.errors import Unavailable
from access.resources import Upstream
from ledger.sessions import SessionLog
from proxy.arrival import Arrival
from proxy.upstream import Connected, Dialling, DirectDialer
from proxy.wire import Wire
from tests.wire.site import Site

BUSY = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'hoop/%'"


class Upstreams:
    """The connections to the upstream, kept as they are made; `reached` when one is. `silent`: they never say a word."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, silent: bool) -> None:
        self.wires: list[Wire] = []
        self.reached = asyncio.Event()
        connect, log_in, more = DirectDialer.connect, Dialling.log_in_for_session, Wire.more

        async def connecting(dialer: DirectDialer, upstream: Upstream, make: Any) -> Any:
            self.wires.append(await connect(dialer, upstream, make))
            return self.wires[-1]

        async def logging_in(dialling: Dialling, parameters: dict[str, str]) -> Connected:
            made = await log_in(dialling, parameters)
            self.reached.set()
            return made

        async def listening(wire: Wire) -> bytes:
            if silent and wire in self.wires:
                self.reached.set()
                await asyncio.Event().wait()
            return await more(wire)

        monkeypatch.setattr(DirectDialer, "connect", connecting)
        monkeypatch.setattr(Dialling, "log_in_for_session", logging_in)
        monkeypatch.setattr(Wire, "more", listening)


async def _left(site: Site) -> int:
    """How many connections of sessions the server still has, when it had a moment to see them go."""
    count = 0
    async with await site.direct() as connection:
        for _ in range(200):
            count = int(str((await (await connection.execute(BUSY)).fetchone() or (0,))[0]))
            if not count:
                break
            await asyncio.sleep(0.01)
    return count


@pytest.mark.parametrize("silent", [False, True], ids=["logged-in", "while-dialling"])
async def test_a_session_that_cannot_be_written_down_leaves_no_connection(
    site: Site, monkeypatch: pytest.MonkeyPatch, silent: bool
) -> None:
    upstreams = Upstreams(monkeypatch, silent=silent)

    async def opened(_log: SessionLog, _row: object) -> None:
        await upstreams.reached.wait()
        await asyncio.sleep(0)
        raise Unavailable("The store is locked.")

    monkeypatch.setattr(SessionLog, "opened", opened)
    with pytest.raises(psycopg.OperationalError, match="The store is locked"):
        await site.connect(connect_timeout=10)
    assert len(upstreams.wires) == 1
    await asyncio.wait_for(upstreams.wires[0].closed.wait(), 3)
    assert not site.gateway.sessions and await _left(site) == 0
    monkeypatch.undo()
    async with await site.connect() as connection:
        await connection.execute("SELECT 1")


async def test_a_row_that_fails_at_once_stops_the_dialling(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    upstreams = Upstreams(monkeypatch, silent=False)

    async def opened(_log: SessionLog, _row: object) -> None:
        raise Unavailable("The store is locked.")

    monkeypatch.setattr(SessionLog, "opened", opened)
    with pytest.raises(psycopg.OperationalError, match="The store is locked"):
        await site.connect(connect_timeout=10)
    assert not upstreams.reached.is_set() and await _left(site) == 0


class Aborting:
    """A connection that counts how often it was ended."""

    def __init__(self) -> None:
        self.ended = 0
        self.wire = self

    def abort(self) -> None:
        self.ended += 1


@pytest.mark.parametrize("row_first", [True, False])
async def test_who_goes_in_the_moment_of_success_leaves_nothing_either(row_first: bool) -> None:
    made, go, row = Aborting(), asyncio.Event(), asyncio.Event()

    async def dial(*_: object) -> tuple[Aborting, None]:
        await go.wait()
        return made, None

    async def opened(_row: object) -> None:
        await row.wait()

    gateway = SimpleNamespace(ports=SimpleNamespace(log=SimpleNamespace(opened=opened)))
    arrival: Any = SimpleNamespace(gateway=gateway, _dial=dial)
    reaching = asyncio.ensure_future(Arrival._reach(arrival, None, None, {}))  # type: ignore[arg-type]
    for event in (row, go) if row_first else (go, row):
        await asyncio.sleep(0.01)
        event.set()
    if row_first:
        await asyncio.sleep(0)  # it is reached, and who waits for it did not run yet
    reaching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reaching
    assert made.ended == 1
