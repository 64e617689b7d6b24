"""SSH: direct, `ssh -J` and the gateway, interleaved. Run: `python -m tests.bench.ssh`."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import tempfile
import time
from pathlib import Path

import asyncssh
import uvloop

from access.masking import MaskPolicy, Strategy
from access.scopes import Interactive
from tests.wire.ssh.site import ACCOUNT, Site, Target, open_site

ROUNDS = 15
BULK = 200_000_000
KEYS = 200


async def ssh(arguments: list[str], *command: str) -> tuple[float, int]:
    """Seconds and bytes of one run."""
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        "ssh", "-F", "none", *arguments, *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    size = 0
    while chunk := await process.stdout.read(1 << 18):
        size += len(chunk)
    assert await process.wait() == 0, "a run failed, so its time says nothing"
    return time.perf_counter() - began, size


def direct(target: Target, *more: str) -> list[str]:
    return [
        "-p", str(target.port), "-i", str(target.key), "-o", f"UserKnownHostsFile={target.known_hosts}", "-o", "BatchMode=yes",
        "-o", "IdentitiesOnly=yes", *more, f"{ACCOUNT}@127.0.0.1",
    ]  # fmt: skip


async def compare(site: Site, command: str, rounds: int) -> None:
    jump = " ".join(["ssh -F none -W %h:%p", *direct(site.target)])
    paths = {
        "direct": direct(site.target),
        "ssh -J": direct(site.target, "-o", f"ProxyCommand={jump}"),
        "gateway": [*(await site.options())[2:], "-c", "aes128-gcm@openssh.com", "web-1@127.0.0.1"],
    }
    took: dict[str, list[float]] = {name: [] for name in paths}
    size = 0
    for _ in range(rounds):
        for name, arguments in paths.items():
            seconds, size = await ssh(arguments, command)
            took[name].append(seconds)
    base = statistics.median(took["direct"])
    for name, all_of_them in took.items():
        middle = statistics.median(all_of_them)
        rate = f"{size / middle / 1e6:7.0f} MB/s" if size > 1e6 else f"{middle * 1000:7.0f} ms"
        print(f"  {name:8} {rate}   {middle / base:.2f} x direct's time")


async def typing(connection: asyncssh.SSHClientConnection) -> float:
    """Median milliseconds from a key to its echo, in a terminal in which `cat` runs."""
    waits = []
    async with connection:
        process = await connection.create_process(term_type="xterm", encoding=None)
        process.stdin.write(b"cat\n")
        await asyncio.sleep(1)
        with contextlib.suppress(TimeoutError):
            while await asyncio.wait_for(process.stdout.read(4096), 0.5):
                pass
        for number in range(KEYS):
            began = time.perf_counter()
            process.stdin.write(b"x")
            await process.stdout.read(1)
            waits.append(time.perf_counter() - began)
            if number % 40 == 39:  # a terminal's line is not endless
                process.stdin.write(b"\x15")
                await asyncio.sleep(0.3)
                await process.stdout.read(4096)
        process.stdin.write(b"\x03\x04")
    return statistics.median(waits) * 1000


async def echoes(site: Site) -> None:
    """Keys and their echo, direct and through the gateway."""
    direct_to = await asyncssh.connect(
        "127.0.0.1", site.target.port, username=ACCOUNT, client_keys=[str(site.target.key)], config=None,
        known_hosts=str(site.target.known_hosts),
    )  # fmt: skip
    direct_ms = await typing(direct_to)
    await site.grant(Interactive())
    gateway_ms = await typing(await site.connect("dana+web-1", (await site.issue()).token))
    print(
        f"echo of a key, p50: direct {direct_ms:.2f} ms, gateway {gateway_ms:.2f} ms, added {gateway_ms - direct_ms:.2f} ms"
    )


async def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        target = Target(Path(directory) / "target")
        target.start()
        try:
            for label, mask in (
                ("no detectors", MaskPolicy()),
                ("one detector", MaskPolicy(entities={"email": Strategy.REDACT})),
            ):
                home = Path(directory) / label.replace(" ", "-")
                home.mkdir()
                async with open_site(target, home, mask=mask) as site:
                    await site.grant()
                    if not mask.entities:
                        print("exec true")
                        await compare(site, "true", ROUNDS)
                        await echoes(site)
                    size = BULK if not mask.entities else BULK // 10
                    print(f"{size // 1_000_000} MB of zeros, recorded, {label}")
                    await compare(site, f"head -c {size} /dev/zero", 3)
        finally:
            target.stop()


if __name__ == "__main__":
    uvloop.run(main())
