from __future__ import annotations

from dataclasses import replace

import pytest

from access.masking import declare_masked
from bot.console.views import clock
from tests.bot.console.conftest import Open
from tests.bot.console.scene import Entry, Recorded, Scene
from tests.bot.console.test_render import EVIL, Shape
from tests.fakes.world import ANN, DANA, EVE, OLGA

M = declare_masked


async def test_a_recording_is_for_its_person_and_who_answers_for_the_resource(scene: Scene, opened: Open) -> None:
    session = await scene.world.session()
    for somebody in (DANA, ANN, OLGA):
        assert "SELECT" in await opened(somebody).page(f"/sessions/{session}")
        assert (await opened(somebody).get(f"/sessions/{session}/cast")).status == 200
    for path in (f"/sessions/{session}", f"/sessions/{session}/cast"):
        response = await opened(EVE).get(path)
        assert response.status == 404
        unknown = await opened(EVE).get(path.replace(session, "ses_999999999999"))
        assert await unknown.text() == await response.text(), "it does not even say that there is one"


async def test_the_player_gets_the_asciicast(scene: Scene, opened: Open) -> None:
    session = await scene.world.session()
    dana = opened(DANA)
    page = await dana.get(f"/sessions/{session}")
    assert "'wasm-unsafe-eval'" in page.headers["Content-Security-Policy"]
    assert f'data-cast="/~dana/sessions/{session}/cast"' in await page.text()
    cast = await dana.get(f"/sessions/{session}/cast")
    assert cast.content_type == "application/x-asciicast"
    assert (await cast.text()).startswith('{"version":3')
    assert "wasm" not in cast.headers["Content-Security-Policy"]


async def test_statements_are_shown_with_verdict_result_and_request(scene: Scene, opened: Open) -> None:
    session = await scene.world.session()
    entries = (
        Entry(columns=(M("name"), M("note")), rows=((M("A██"), None),), total=40),
        Entry(2, 65.0, M("DROP TABLE x"), "deny", "no-drop", "Never here.", tag=""),
        Entry(3, 3700.0, M("DELETE FROM x"), "hold", "held", request="req_00000001", tag="DELETE 1", seconds=14.2),
        Entry(4, 3701.0, M("?"), "odd", seconds=None),
    )
    scene.recordings[session] = Recorded(entries)
    page = await opened(DANA).page(f"/sessions/{session}")
    for expected in (
        "Allowed",
        "Blocked",
        "Held",
        "odd",
        "Never here.",
        "A██",
        '<span class="null">null</span>',
        "1 of 40 rows",
        "rule no-drop",
        "14.2 s",
        "1:05",
        "1:01:40",
        'href="/~dana/requests/req_00000001"',
    ):
        assert expected in page, expected


@pytest.mark.parametrize("evil", EVIL)
async def test_nothing_recorded_becomes_markup(scene: Scene, opened: Open, evil: str) -> None:
    session = await scene.world.session()
    entry = Entry(
        1, 1.0, M(evil), evil, evil, evil, evil, evil, columns=(M(evil),), rows=((M(evil),),), total=1, seconds=1.0
    )
    scene.recordings[session] = Recorded((entry,), evil)
    shape = Shape(await opened(DANA).page(f"/sessions/{session}"))
    scene.recordings[session] = Recorded((replace(entry, message="x", rule="x", request="x"),))
    plain = Shape(await opened(DANA).page(f"/sessions/{session}"))
    assert shape.tags <= plain.tags
    assert shape.attributes <= plain.attributes
    assert len(shape.links) == len(plain.links)
    cast = await opened(DANA).get(f"/sessions/{session}/cast")
    assert cast.headers["X-Content-Type-Options"] == "nosniff"
    assert "attachment" in cast.headers["Content-Disposition"]


async def test_a_session_without_recording(scene: Scene, opened: Open) -> None:
    session = await scene.world.session()
    scene.recordings[session] = None
    assert "Nothing was run" in await opened(DANA).page(f"/sessions/{session}")
    response = await opened(DANA).get(f"/sessions/{session}/cast")
    assert response.status == 404
    assert (await response.json())["error"] == "No recording"


@pytest.mark.parametrize("id", ["ses_000000000001", "x", "req_00000001", "..%2f..%2fetc", "ses_%00"])
async def test_an_unknown_session(opened: Open, id: str) -> None:
    assert (await opened(ANN).get(f"/sessions/{id}")).status == 404


@pytest.mark.parametrize(
    ("seconds", "shown"), [(-1, "0:00"), (0.4, "0:00"), (59.9, "0:59"), (60, "1:00"), (3600, "1:00:00")]
)
def test_the_clock_of_a_recording(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown
