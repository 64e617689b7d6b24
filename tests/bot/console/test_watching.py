"""Watching a session while it goes on: who may, what they see, and that it is known who does."""

from __future__ import annotations

import asyncio
import json

import pytest

from access.actors import Person
from access.ids import SessionId
from access.ssh_shells import watched_by
from bot.console.lists import LISTED
from tests.bot.console.conftest import Open
from tests.bot.console.scene import Growing, Scene
from tests.fakes.world import ANN, DANA, EVE, EVERYBODY, GROUPS, OLGA, SAM


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


@pytest.mark.parametrize("person", [DANA, ANN, OLGA, SAM], ids=["requester", "approver", "owner", "security"])
async def test_whose_it_is_who_decides_who_owns_and_security_list_watch_and_kill(
    scene: Scene, opened: Open, person: Person
) -> None:
    session = await scene.world.session()
    scene.growing[session] = Growing([(0.1, "o", "$ ")])
    browser = opened(person)
    listed = await browser.page("/sessions")
    assert "Open now" in listed
    assert f'data-say="kill {session}"' in listed
    assert "Watch live" in listed
    assert f'data-live="/~{person.wire_name}/sessions/{session}/live"' in await browser.page(f"/sessions/{session}")
    said = str(await browser.say("/hoop sessions"))
    assert session in said
    await browser.say(f"/hoop kill {session} enough")
    row = await scene.store.read(lambda tx: tx.session(SessionId(session)))
    assert row is not None
    assert (row.kill_by, row.kill_why) == (person.id, "enough")


async def test_nobody_else_sees_or_kills_it_nor_who_left_security(scene: Scene, opened: Open) -> None:
    session = await scene.world.session()
    scene.directory.replace(EVERYBODY, {**GROUPS, "security": ("bob",)})
    for person in (EVE, SAM):
        browser = opened(person)
        assert session not in await browser.page("/sessions")
        assert (await browser.get(f"/sessions/{session}")).status == 404
        assert session not in str(await browser.say("/hoop sessions"))
        await browser.say(f"/hoop kill {session} mine")
    row = await scene.store.read(lambda tx: tx.session(SessionId(session)))
    assert row is not None
    assert row.kill_at is None


async def test_an_open_session_is_listed_however_many_ended_since(scene: Scene, opened: Open) -> None:
    session = await scene.world.session()
    for _ in range(LISTED + 1):
        scene.clock.advance(1)
        await scene.world.close(await scene.world.session())
    assert f'data-say="kill {session}"' in await opened(SAM).page("/sessions")
