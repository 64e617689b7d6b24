"""The fake, checked by an app on Slack's own JavaScript SDK (@slack/bolt).

Optional: needs node and a folder with `npm install @slack/bolt` in it, named by HOOP_SLACK_PEER.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.slack import FakeSlack
from tests.fakes.slack.server import APP_TOKEN, BOT_TOKEN

MODULES = Path(os.environ.get("HOOP_SLACK_PEER") or "not set")
NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(
    NODE is None or not (MODULES / "node_modules/@slack/bolt").is_dir(),
    reason="set HOOP_SLACK_PEER to a folder where `npm install @slack/bolt` was run (and have node)",
)


class Peer:
    """The running JavaScript app and what it said."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def says(self, what: str) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), 20)
        said: dict[str, Any] = json.loads(line or b'{"what": "died"}')
        assert said["what"] == what, said
        return said


@pytest.fixture(params=["socket", "http"])
async def peer(slack: FakeSlack, request: pytest.FixtureRequest) -> AsyncIterator[Peer]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "PEER_MODULES": str(MODULES),
        "PEER_MODE": request.param,
        "PEER_BOT_TOKEN": BOT_TOKEN,
        "PEER_APP_TOKEN": APP_TOKEN,
        "PEER_API_URL": slack.api_url,
        "PEER_SECRET": slack.deliveries.secret,
        "PEER_PORT": str(port),
    }
    if request.param == "http":
        slack.use_http(f"http://127.0.0.1:{port}/slack/events")
    process = await asyncio.create_subprocess_exec(
        NODE or "node",
        str(Path(__file__).with_name("peer.mjs")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], **settings},
    )
    one = Peer(process)
    await one.says("ready")
    for _ in range(200):
        if slack.sockets.open or request.param == "http":
            break
        await asyncio.sleep(0.01)
    yield one
    process.kill()
    await process.wait()


async def test_bolt_for_javascript_talks_to_the_fake(slack: FakeSlack, peer: Peer) -> None:
    dana, channel = slack.person("dana"), slack.channel("access")
    assert (await dana.slash("hello", channel)).ok
    await peer.says("command")
    assert [m.text for m in dana.whispers(channel)] == ["echo hello"]

    assert (await dana.slash("card", channel)).ok
    await peer.says("command")
    card, reply, shared, psst = channel.messages[1:]
    assert (reply.thread, shared.thread, psst.only_for) == (card.ts, card.ts, dana.id)
    assert slack.workspace.files[shared.files[0]].data == b"a,b\n1,2\n"

    assert (await dana.press(card, "Go")).ok
    assert (await peer.says("action"))["value"] == "tok"
    assert card.text == "pressed"

    assert (await dana.slash("form", channel)).ok
    await peer.says("command")
    assert dana.modal is not None
    assert dana.modal.content["title"]["text"] == "Second"
    assert [o["text"]["text"] for o in await dana.suggest(dana.modal, "pick", "prod")] == ["prod-db"]
    await dana.choose(dana.modal, "pick", "prod-db")
    await dana.submit({"value": "no"})
    await peer.says("view")
    assert dana.modal.state["errors"] == {"reason": "too short"}
    await dana.submit({"value": "because"})
    await peer.says("view")
    assert dana.modal is None

    assert (await dana.shortcut("request")).ok
    await peer.says("shortcut")
    assert dana.home is not None
    assert (await dana.mention(channel, "hi")).ok
    assert (await peer.says("mention"))["name"] == "dana"


async def test_bolt_for_javascript_refuses_a_forged_signature_of_the_fake(slack: FakeSlack, peer: Peer) -> None:
    if not slack.deliveries.address:
        return
    slack.deliveries.secret = "another"
    assert (await slack.person("dana").slash("hello", slack.channel("access"))).status == 401
