"""Big transfers through the gateway: the same bytes, and no more memory than small ones need."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

import pytest

from access.scopes import Read
from tests.wire.ssh.site import Site

pytestmark = pytest.mark.peers

SIZE = 2_000_000_000
#: What a transfer of any size may add to the gateway's memory, in bytes.
ROOM = 64 * 1024 * 1024


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def test_two_gigabytes_at_constant_memory(site: Site) -> None:
    await site.grant(Read())
    assert (await site.ssh("head -c 50000000 /dev/zero", seconds=60))[0] == 0
    process = await site.start(f"head -c {SIZE} /dev/zero", options=("-c", "aes128-gcm@openssh.com"))
    assert process.stdout is not None
    before = most = resident()
    size, digest = 0, hashlib.sha256()
    while chunk := await process.stdout.read(1 << 18):
        size += len(chunk)
        digest.update(chunk)
        if size % 64 < 8:
            most = max(most, resident())
    assert await asyncio.wait_for(process.wait(), 30) == 0
    assert size == SIZE
    assert most - before < ROOM, f"{(most - before) >> 20} MiB more"
    [ran] = [entry for entry in await site.recorded() if entry.text == f"head -c {SIZE} /dev/zero"]
    assert any(digest.hexdigest() in remark for remark in ran.remarks)
