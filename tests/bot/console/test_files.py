"""Masked results as files: for whoever may read the message, as they stand there."""

from __future__ import annotations

import csv
import io

import pytest

from access.masking import Masked
from bot.card_json import card_to_json
from bot.cards import Card, CodeBlock, State, Table, Tone, text
from bot.console import messages
from bot.console.messages import Message, private_channel
from bot.results import as_file
from tests.bot.console.conftest import Open
from tests.bot.console.scene import CHANNEL, Scene
from tests.fakes.world import ANN, DANA, EVE

ROWS = ((Masked("1"), Masked("d***@***.com")), (Masked("2"), None), (Masked("=cmd|' /C calc'!A0"), Masked('a "b", c')))


def card(*, private: bool = False) -> Card:
    blocks = (
        CodeBlock(Masked("SELECT 1"), "What ran"),
        Table((Masked("id"), Masked("email")), ROWS, "The order now: 3 rows"),
        Table((Masked("output"),), ((Masked("line one"),), (Masked("line <b>two</b>"),)), "tail-log: 2 rows"),
    )
    return Card("result", State("Done", "✅", Tone.GOOD), text("Done"), "Done", blocks=blocks, private=private)


async def put(scene: Scene, id: str, channel: str) -> None:
    data = card_to_json(card(private=channel.startswith("@")))
    await scene.store.transact(lambda tx: messages.add(tx, Message(id, channel, scene.clock.now(), card=data)))


async def test_a_table_is_a_file_of_csv_and_output_is_text(scene: Scene, opened: Open) -> None:
    await put(scene, "m1", CHANNEL)
    page = await opened(DANA).page(f"/c/{CHANNEL.lstrip('#')}")
    assert page.count('href="/~dana/files/m1/1" download') == 1
    assert page.count('href="/~dana/files/m1/2" download') == 1
    got = await opened(ANN).get("/files/m1/1")
    assert (got.status, got.content_type) == (200, "text/csv")
    assert got.headers["Content-Disposition"] == 'attachment; filename="the-order-now.csv"'
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    rows = list(csv.reader(io.StringIO(await got.text())))
    assert rows == [["id", "email"], ["1", "d***@***.com"], ["2", ""], ["'=cmd|' /C calc'!A0", 'a "b", c']]
    got = await opened(DANA).get("/files/m1/2")
    assert got.content_type == "text/plain"
    assert got.headers["Content-Disposition"] == 'attachment; filename="tail-log.txt"'
    assert await got.text() == "line one\nline <b>two</b>\n"


@pytest.mark.parametrize("path", ["m1/0", "m1/3", "m1/99999", "m1/-1", "m1/x", "m1/١", "m2/0", "/0"])
async def test_what_is_no_result_is_not_there(scene: Scene, opened: Open, path: str) -> None:
    await put(scene, "m1", CHANNEL)
    assert (await opened(DANA).get(f"/files/{path}")).status == 404


async def test_a_private_result_is_for_its_person(scene: Scene, opened: Open) -> None:
    await put(scene, "m1", private_channel(DANA.id))
    assert (await opened(DANA).get("/files/m1/1")).status == 200
    refused = await opened(EVE).get("/files/m1/1")
    assert refused.status == 404
    assert await refused.text() == await (await opened(EVE).get("/files/m9/1")).text()


def test_a_file_without_a_note_has_a_name() -> None:
    assert as_file(("a",), (), "").name == "result.csv"
    assert as_file(("a",), (), "../../etc/x: 3").name == "etc-x.csv"
