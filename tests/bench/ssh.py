"""SSH: direct, `ssh -J` and the gateway, taking turns: `make bench-ssh`. The table of a whole run is docs/ssh-performance.md."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import os
import shlex
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import asyncssh
import uvloop

from access.masking import MaskPolicy, Strategy
from access.scopes import Interactive
from proxy.ssh.house import Settings
from tests.wire.ssh.site import ACCOUNT, Site, Target, open_site

TABLE = Path(__file__).parents[2] / "docs" / "ssh-performance.md"
ROUNDS, BULK_ROUNDS = 11, 3
BULK = 200_000_000
#: Bytes of log lines by what is looked for.
TEXT = {"one detector": 40_000_000, "five detectors, 5 % of the lines personal": 60_000_000}
KEYS = 160
IDLE = 200
GCM = "aes128-gcm@openssh.com"
ONE = MaskPolicy(entities={"email": Strategy.REDACT})
FIVE = MaskPolicy(entities=dict.fromkeys(("email", "credit_card", "iban", "phone", "ip_address"), Strategy.REDACT))
LINES = (
    "2026-11-18T09:12:01Z web-1 nginx: GET /orders/41 200 1324 0.012 upstream=backend:8080 agent=curl/8\n",
    "2026-11-18T09:12:02.417Z web-1 worker[812]: job 6f1c2b11-6845-67e3 took 3493 ms, 797347 rows, rss=1838201\n",
    "2026-11-18T09:12:03Z web-1 app: cache miss for item 20391, reading http://backend:8080/api/v2/items/872a1566\n",
)
PERSONAL = (
    "2026-11-18T09:12:04Z web-1 app: login of ada.lovelace@example.com from 203.0.113.9\n",
    "2026-11-18T09:12:05Z web-1 app: sms to +49 170 1234567 sent, card 4111 1111 1111 1111 declined\n",
)


def log_text(size: int) -> str:
    """Lines of a server; every twentieth has something personal in it."""
    twenty = "".join(
        PERSONAL[block % 2] if number == 19 else LINES[number % 3] for block in range(2) for number in range(20)
    )
    return twenty * (size // len(twenty) + 1)


@dataclass
class Report:
    """What was measured, as lines of a table."""

    rows: list[str] = field(default_factory=list)

    def say(self, *cells: str) -> None:
        print("  ".join(cells), flush=True)
        self.rows.append("| " + " | ".join(cells) + " |")


async def ssh(arguments: list[str], *command: str) -> tuple[float, int]:
    """Seconds and bytes of one run; the bytes are counted outside of this process, which is the gateway."""
    began = time.perf_counter()
    line = shlex.join(["ssh", "-F", "none", *arguments, *command]) + " | wc -c"
    process = await asyncio.create_subprocess_shell(
        line, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return time.perf_counter() - began, int(out)


def direct(target: Target, *more: str) -> list[str]:
    return [
        "-p", str(target.port), "-i", str(target.key), "-o", f"UserKnownHostsFile={target.known_hosts}", "-o", "BatchMode=yes",
        "-o", "IdentitiesOnly=yes", *more, f"{ACCOUNT}@127.0.0.1",
    ]  # fmt: skip


async def compare(
    report: Report, site: Site, what: str, command: str, rounds: int, size: int = 0, cipher: str = ""
) -> None:
    chosen = ("-c", cipher) if cipher else ()
    jump = " ".join(["ssh -F none -W %h:%p", *direct(site.target, *chosen)])
    paths = {
        "direct": direct(site.target, *chosen),
        "ssh -J": direct(site.target, *chosen, "-o", f"ProxyCommand={jump}"),
        "gateway": [*(await site.options())[2:], *chosen, "web-1@127.0.0.1"],
    }
    took: dict[str, list[float]] = {name: [] for name in paths}
    for _ in range(rounds):
        for name, arguments in paths.items():
            seconds, got = await ssh(arguments, command)
            # What is masked has another length.
            assert abs(got - size) <= size * 0.1, f"{got} bytes instead of {size}, so its time says nothing"
            took[name].append(seconds)
    middle = {name: statistics.median(times) for name, times in took.items()}

    def shown(seconds: float) -> str:
        return f"{size / seconds / 1e6:.0f} MB/s" if size else f"{seconds * 1000:.0f} ms"

    if size:
        ratio = f"{middle['ssh -J'] / middle['gateway']:.2f} x ssh -J's throughput"
    else:
        ratio = f"{middle['gateway'] / middle['direct']:.2f} x direct's time"
    report.say(what, *(shown(seconds) for seconds in middle.values()), ratio)


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


async def echoes(report: Report, site: Site) -> None:
    """Keys and their echo, direct and through the gateway."""
    direct_to = await asyncssh.connect(
        "127.0.0.1", site.target.port, username=ACCOUNT, client_keys=[str(site.target.key)], config=None,
        known_hosts=str(site.target.known_hosts),
    )  # fmt: skip
    direct_ms = await typing(direct_to)
    await site.grant(Interactive())
    gateway_ms = await typing(await site.connect("dana+web-1", (await site.issue()).token))
    report.say(
        "echo of a key, p50", f"{direct_ms:.2f} ms", "", f"{gateway_ms:.2f} ms", f"{gateway_ms - direct_ms:+.2f} ms"
    )


_CROWD = """
import asyncio, asyncssh, sys
async def main():
    port, key, known, count = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
    held = []
    for _ in range(count):
        one = await asyncssh.connect("127.0.0.1", port, username="web-1", client_keys=[key], known_hosts=known, config=None, agent_path=None)
        assert (await one.run("echo x")).stdout == "x\\n"
        held.append(one)
    print("in", flush=True)
    await asyncio.to_thread(sys.stdin.read)
asyncio.run(main())
"""


def resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def crowd(site: Site, count: int) -> asyncio.subprocess.Process:
    """That many people who ran a command and stay, in another process."""
    await site.options()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _CROWD, str(site.gateway.port), str(await site.key()), str(site.directory / "gateway_known_hosts"),
        str(count), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert await process.stdout.readline() == b"in\n"
    return process


async def idle(report: Report, site: Site) -> None:
    """Memory of the gateway's process for each session that waits."""
    warm = await crowd(site, 20)
    before = resident()
    many = await crowd(site, IDLE)
    await asyncio.sleep(1)
    each = (resident() - before) / IDLE / 1000
    for process in (warm, many):
        process.kill()
        await process.wait()
    report.say(f"{IDLE} idle sessions, each", "", "", f"{each:.0f} KB", "at most 150 KB wanted")


async def main(parts: set[str]) -> None:
    report = Report()
    with tempfile.TemporaryDirectory() as directory:
        target = Target(Path(directory) / "target")
        target.start()
        log = Path(directory) / "web.log"
        log.write_text(log_text(max(TEXT.values())))
        settings = Settings(login_seconds=10, connections_per_person=IDLE * 2)
        try:
            for label, mask in (
                ("none", MaskPolicy()),
                ("one detector", ONE),
                ("five detectors, 5 % of the lines personal", FIVE),
            ):
                home = Path(directory) / label.partition(",")[0].replace(" ", "-")
                home.mkdir()
                async with open_site(target, home, mask=mask, settings=settings) as site:
                    await site.grant()
                    if label == "none":
                        if "exec" in parts:
                            await compare(report, site, "exec `true`, upstream pooled", "true", ROUNDS)
                        if "idle" in parts:
                            await idle(report, site)
                        if "bulk" in parts:
                            bulk = f"head -c {BULK} /dev/zero"
                            what = f"{BULK // 1_000_000} MB, recorded"
                            await compare(report, site, f"{what}, aes128-gcm", bulk, BULK_ROUNDS, BULK, GCM)
                            await compare(report, site, f"{what}, the client's own cipher", bulk, BULK_ROUNDS, BULK)
                        if "echo" in parts:
                            await echoes(report, site)
                    elif "text" in parts:
                        size = TEXT[label]
                        what, command = f"{size // 1_000_000} MB of log lines, {label}", f"head -c {size} {log}"
                        await compare(report, site, f"{what}, aes128-gcm", command, BULK_ROUNDS, size, GCM)
        finally:
            target.stop()
    if parts == PARTS:
        write(report)


def write(report: Report) -> None:
    """The whole run, for the documentation."""
    now, load = datetime.now(UTC), os.getloadavg()[0]
    TABLE.write_text(
        "# SSH: what the gateway costs\n\nMade by `make bench-ssh`: OpenSSH's client and server on one machine, the three ways taking turns, "
        "medians.\nThe gateway judges, records and hashes everything; log lines go through the detectors as well, and what is "
        "personal in them\nis masked. Zeros are not text, so no detector sees them.\n\n"
        f"{now:%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores, load {load:.1f} at the end.\n\n"
        "| what | direct | ssh -J | gateway | |\n|---|---|---|---|---|\n" + "\n".join(report.rows) + "\n"
    )


PARTS = {"exec", "idle", "bulk", "echo", "text"}

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", choices=[*sorted(PARTS), []], default=[])
    uvloop.run(main(set(parser.parse_args().parts) or PARTS))
