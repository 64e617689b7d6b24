"""Watching a session while it goes on: who may, what they see, and that it is known who does."""

from __future__ import annotations

import asyncio
import json

from access.ids import SessionId
from access.ssh_shells import watched_by
from tests.bot.console.conftest import Open
from tests.bot.console.scene import Growing, Scene
from tests.fakes.world import ANN, DANA, EVE


async def test_a_watcher_sees_it_grow_and_is_known(scene: Scene, opened: Open) -> None:
    session = await scene.world.session()
    growing = scene.growing[session] = Growing([(0.1, "o", "$ ")])
    page = await opened(ANN).page(f"/sessions/{session}")
    assert f'data-live="/~ann/sessions/{session}/live"' in page
    assert f'data-say="kill {session}"' in page
    assert "You watch this session" in page
    async with asyncio.timeout(10):
        response = await opened(ANN).get(f"/sessions/{session}/live")
        assert response.content_type == "text/event-stream"
        assert json.loads((await response.content.readline())[6:]) == {"cols": 120, "rows": 32, "time": 0}
        await response.content.readline()
        assert json.loads((await response.content.readline())[6:]) == [0.1, "o", "$ "]
        growing.events.append((2.5, "r", "90x20"))
        said = b""
        while b"90x20" not in said:
            said = await response.content.readline()
        assert await scene.store.read(lambda tx: watched_by(tx, SessionId(session))) == {ANN.id}
        growing.events.append((3.0, "o", "last words"))
        await scene.world.close(session)
        rest = await response.content.read()
    assert b"last words" in rest
    assert rest.endswith(b"event: done\ndata: {}\n\n")


async def test_ones_own_eyes_are_not_a_second_pair(scene: Scene, opened: Open) -> None:
    session = await scene.world.session()
    scene.growing[session] = Growing()
    assert "your own session" in await opened(DANA).page(f"/sessions/{session}")
    async with asyncio.timeout(10):
        response = await opened(DANA).get(f"/sessions/{session}/live")
        await response.content.readline()
        await asyncio.sleep(0.3)
        response.close()
    assert not await scene.store.read(lambda tx: watched_by(tx, SessionId(session)))


async def test_it_is_for_whom_the_recording_is_for(scene: Scene, opened: Open) -> None:
    session = await scene.world.session()
    scene.growing[session] = Growing()
    assert (await opened(EVE).get(f"/sessions/{session}/live")).status == 404
    assert (await opened(ANN).get("/sessions/ses_999999999999/live")).status == 404
    other = await scene.world.session()
    assert (await opened(ANN).get(f"/sessions/{other}/live")).status == 404  # no recording on this node


async def test_a_closed_session_is_a_replay(scene: Scene, opened: Open) -> None:
    session = await scene.world.session()
    await scene.world.close(session)
    page = await opened(ANN).page(f"/sessions/{session}")
    assert "data-live" not in page
    assert "Kill" not in page
