"""What anybody who reaches the port may do to it: requests that are none, bodies that never end, connections that break off."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from app import runbook_hook
from app.jira.text import genuine as genuine_of_jira
from app.web import WebServer
from bot.console import guard
from runbooks.webhook import genuine as genuine_of_git

HOST = b"Host: 127.0.0.1\r\n"


@pytest.fixture
async def server() -> AsyncIterator[WebServer]:
    async def console(request: web.Request) -> web.Response:
        try:
            return web.Response(body=await guard.read_body(request))
        except guard.Refused as refused:
            return web.Response(status=refused.status)

    async def hook(request: web.Request) -> web.Response:
        body = await runbook_hook.read_body(request)
        return web.Response(status=403 if body is None else 200)

    async def broken(_request: web.Request) -> web.Response:
        raise RuntimeError("of our own")

    app = web.Application()
    app.add_routes([web.post("/console", console), web.post("/hook", hook), web.get("/broken", broken)])
    made = WebServer(app, "127.0.0.1", 0)
    await made.start()
    yield made
    await made.stop()


async def said(server: WebServer, data: bytes, *, wait: bool = True) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(data)
    await writer.drain()
    found = await asyncio.wait_for(reader.read(100), 10) if wait else b""
    writer.transport.abort()
    return found


@pytest.mark.parametrize(
    "data",
    [
        b"not HTTP at all\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
        b"POST /hook HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
    ],
)
async def test_requests_that_are_none_are_no_lines_in_the_log(
    server: WebServer, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await said(server, data)).startswith(b"HTTP/1.0 400")
    assert caplog.records == []


@pytest.mark.parametrize("path", [b"/console", b"/hook"])
async def test_clients_that_break_off_are_no_lines_in_the_log(
    server: WebServer, path: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(20):
        await said(server, b"POST " + path + b" HTTP/1.1\r\n" + HOST + b"Content-Length: 4000\r\n\r\na", wait=False)
    assert (await said(server, b"GET /none HTTP/1.1\r\n" + HOST + b"\r\n")).startswith(b"HTTP/1.1 404")
    assert caplog.records == []


async def test_a_mistake_of_our_own_is(server: WebServer, caplog: pytest.LogCaptureFixture) -> None:
    assert (await said(server, b"GET /broken HTTP/1.1\r\n" + HOST + b"\r\n")).startswith(b"HTTP/1.1 500")
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


@pytest.mark.parametrize(("path", "status"), [(b"/console", b"408"), (b"/hook", b"403")])
async def test_a_body_that_does_not_arrive_is_not_waited_for(
    server: WebServer, path: bytes, status: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.05)
    monkeypatch.setattr(runbook_hook, "BODY_SECONDS", 0.05)
    answer = await said(server, b"POST " + path + b" HTTP/1.1\r\n" + HOST + b"Content-Length: 4000\r\n\r\na")
    assert answer.startswith(b"HTTP/1.1 " + status)


def test_proofs_that_are_no_text_are_no_proofs() -> None:
    """Bytes that are not UTF-8 arrive in a header as lone surrogates."""
    odd = b"sha256=\xff".decode("utf-8", "surrogateescape")
    assert not genuine_of_git("s3cret", {"X-Hub-Signature-256": odd}, b"")
    assert not genuine_of_git("s3cret", {"X-Gitlab-Token": odd}, b"")
    assert not genuine_of_jira("s3cret", odd, b"")
    with pytest.raises(guard.Refused, match="old"):
        guard.check_csrf(odd, "session", "local|ann")
