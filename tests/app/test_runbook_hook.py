"""Push notices over HTTP: a genuine one fetches, everything else gets one and the same answer."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import ClientSession, web

from app.runbook_hook import MOST_BYTES, RunbookHook
from runbooks.catalog import Catalog
from runbooks.transports import Origin

BODY = b'{"ref":"refs/heads/main"}'
SIGNED = "sha256=" + hmac.new(b"s3cret", BODY, hashlib.sha256).hexdigest()
Post = Callable[..., Awaitable[int]]


class Counting(Catalog):
    """A catalog that writes down what it fetches."""

    fetched: list[str]

    async def _fetched(self, name: str) -> None:
        self.fetched.append(name)


@pytest.fixture
def catalog() -> Counting:
    with_secret = SimpleNamespace(origin=Origin("ops", "/x", webhook="s3cret"))
    without = SimpleNamespace(origin=Origin("quiet", "/x"))
    mirrors: Any = {"ops": with_secret, "quiet": without}
    made = Counting(mirrors)
    made.fetched = []
    return made


@pytest.fixture
async def post(catalog: Counting) -> AsyncIterator[Post]:
    async with asyncio.TaskGroup() as tasks:
        app = web.Application()
        app.add_routes(RunbookHook(catalog, tasks).routes())
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]

        async with ClientSession() as http:

            async def send(name: str, body: bytes = BODY, **headers: str) -> int:
                named = {key.replace("_", "-"): value for key, value in headers.items()}
                async with http.post(
                    f"http://127.0.0.1:{port}/hooks/runbooks/{name}", data=io.BytesIO(body), headers=named
                ) as answer:
                    return answer.status

            yield send
        await runner.cleanup()


async def test_a_genuine_notice_fetches(post: Post, catalog: Counting) -> None:
    assert await post("ops", X_Hub_Signature_256=SIGNED) == 202
    assert await post("ops", X_Gitlab_Token="s3cret") == 202
    assert catalog.fetched == ["ops", "ops"]


@pytest.mark.parametrize(
    ("name", "body", "headers"),
    [
        ("ops", BODY, {}),
        ("ops", BODY + b" ", {"X_Hub_Signature_256": SIGNED}),
        ("ops", BODY, {"X_Hub_Signature_256": "sha256=" + "0" * 64}),
        ("ops", BODY, {"X_Gitlab_Token": "other"}),
        ("quiet", BODY, {"X_Gitlab_Token": ""}),
        ("none", BODY, {"X_Hub_Signature_256": SIGNED}),
        ("ops", b"x" * (MOST_BYTES + 1), {"X_Gitlab_Token": "s3cret"}),
        ("..%2fops", BODY, {"X_Gitlab_Token": "s3cret"}),
    ],
)
async def test_everything_else_is_refused_alike(
    post: Post, catalog: Counting, name: str, body: bytes, headers: dict[str, str]
) -> None:
    assert await post(name, body, **headers) == 403
    assert not catalog.fetched
