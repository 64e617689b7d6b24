"""Output that many detectors look through for a long time: complete, and nobody else waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from access.masking import MaskPolicy, Strategy
from access.scopes import Read
from tests.fakes.world import DANA
from tests.patience import LONG, SOON
from tests.wire.ssh.site import Site, Target, open_site

SEVERAL = MaskPolicy(entities=dict.fromkeys(("email", "credit_card", "iban", "phone", "ip_address"), Strategy.REDACT))
LINE = "2026-11-18T09:12:01Z web-1 nginx: GET /orders/%07d 200 1324 0.012 upstream=10.1.2.3:8080 agent=curl/8\n"


@pytest.fixture
async def busy(target: Target, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(target, tmp_path, mask=SEVERAL) as opened:
        yield opened


def log(tmp_path: Path, lines: int) -> Path:
    path = tmp_path / "web.log"
    path.write_text("".join(LINE % number for number in range(lines)))
    return path


async def test_all_of_it_arrives_masked_and_in_order(busy: Site, tmp_path: Path) -> None:
    await busy.grant(Read())
    path = log(tmp_path, 4000)
    status, out, _ = await busy.ssh(f"cat {path}")
    numbers = [line.partition("/orders/")[2][:7] for line in out.decode().splitlines()]
    assert status == 0 and numbers == [f"{number:07d}" for number in range(4000)]
    assert b"10.1.2.3" not in out


async def test_others_go_on_and_revocation_cuts_it_at_once(busy: Site, tmp_path: Path) -> None:
    grant = await busy.grant(Read())
    path = log(tmp_path, 200_000)
    loop = asyncio.get_running_loop()
    process = await busy.start(f"cat {path}")
    assert process.stdout is not None and process.stderr is not None
    await process.stdout.read(1000)
    reading = asyncio.create_task(process.stdout.read())
    longest = 0.0
    for _ in range(20):
        began = loop.time()
        await asyncio.sleep(0.02)
        longest = max(longest, loop.time() - began - 0.02)
    assert longest < 0.25, f"the loop stood still for {longest:.2f} s"
    began = loop.time()
    await busy.desk.revoke(grant.id, DANA.id, "enough")
    error = await asyncio.wait_for(process.stderr.read(), LONG)
    assert loop.time() - began < SOON
    assert "revoked" in error.decode()
    assert await process.wait() not in {0, None}
    assert len(await reading) < 200_000 * len(LINE % 1) / 2
