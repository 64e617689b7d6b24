"""The tour's step with a server: the ssh everybody has, through the same approvals and masks."""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path

import asyncssh

from app.demo.report import expect
from app.demo.site import hoop
from app.demo.ssh_host import HOST, LOG, NAME
from app.demo.tour import CHANNEL, Tour

_MAIL = re.compile(r"[\w.]+@example\.\w+")
_HELD = re.compile(r"held for approval: (req_\w+)")


class Ssh:
    """The real client with Dana's key."""

    def __init__(self, tour: Tour) -> None:
        self._tour = tour
        self._home = tour.site.home / NAME
        self.key = self._home / "dana_key"
        self._known = self._home / "gateway_known_hosts"

    async def set_up(self) -> None:
        """Register a key and take the gateway's host key from what `hoop ssh-config` prints."""
        pair = asyncssh.generate_private_key("ssh-ed25519", comment="dana@laptop")
        self.key.touch(mode=0o600)
        self.key.write_bytes(pair.export_private_key())
        public = self.key.with_suffix(".pub")
        public.write_bytes(pair.export_public_key())
        status, printed = await asyncio.to_thread(hoop, self._tour.site.config, "key", "add", "dana", str(public))
        expect(status == 0, f"a registered key: {printed}")
        status, printed = await asyncio.to_thread(hoop, self._tour.site.config, "ssh-config")
        expect(status == 0 and "known_hosts:" in printed, f"a block for ~/.ssh/config: {printed}")
        self._known.write_text(printed.partition("known_hosts:")[2].splitlines()[0].strip() + "\n")
        self._tour.report.show("\n".join(printed.splitlines()[1:]).strip(), "~/.ssh/config:")

    async def start(self, line: str) -> asyncio.subprocess.Process:
        """`ssh web-1 -- LINE`, as it runs."""
        return await asyncio.create_subprocess_exec(
            "ssh", "-F", "none", "-p", str(self._tour.site.ssh_port), "-i", str(self.key), "-o", "IdentitiesOnly=yes",
            "-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={self._known}", f"{NAME}@{HOST}", line,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip

    async def run(self, line: str) -> tuple[int, str]:
        """What it prints, and how it ends."""
        process = await self.start(line)
        out, error = await asyncio.wait_for(process.communicate(), 20)
        printed = (out + error).decode("utf-8", "replace").replace("\r", "")
        self._tour.report.show(f"$ ssh {NAME} -- {line}\n{printed}")
        return process.returncode or 0, printed


async def server(tour: Tour) -> None:
    """A read, a refusal and a held change on a server."""
    if shutil.which("ssh") is None:
        tour.report.show("OpenSSH's client is not installed on this machine, so this step is left out.")
        return
    dana, ann = tour.people["dana"], tour.people["ann"]
    ssh = Ssh(tour)
    await ssh.set_up()
    await dana.say(f"/hoop request {NAME} 30m INC-42 what does the shop's log say")
    card = await ann.wait_for(CHANNEL, lambda m: "request" in m.kinds and NAME in m.text and "approve" in m.buttons)
    await ann.press(card.buttons["approve"])
    await dana.wait_for("/private", lambda m: NAME in m.text)
    log = tour.site.home.resolve() / NAME / "shop.log"
    status, printed = await ssh.run(f"tail -n 3 {log}")
    expect(status == 0 and "payment worker restarted" in printed, "the end of the log")
    leaked = [value for value in (*_MAIL.findall(LOG), "5555 5555 5555 4444") if value in printed]
    expect(not leaked, f"no personal value in the output, found {len(leaked)}")
    status, printed = await ssh.run(f"rm -rf {log.parent}")
    expect(status == 126 and "refused" in printed and _there(log), "a refusal, and the files where they were")
    tour.report.good("A read ran at once, masked; a deletion was refused in words.")
    await _held(tour, ssh, f"{CHANNEL}?thread={card.id}", log.parent / "deployed")


async def _held(tour: Tour, ssh: Ssh, thread: str, made: Path) -> None:
    line = f"touch {made}"
    process = await ssh.start(line)
    assert process.stderr is not None
    said = (await asyncio.wait_for(process.stderr.readline(), 10)).decode().strip()
    tour.report.show(f"$ ssh {NAME} -- {line}\n{said}")
    expect(_HELD.search(said) and not _there(made), "a line that says what it waits for, and nothing done yet")
    card = await tour.people["ann"].wait_for(
        thread, lambda m: "held" in m.kinds and "approve" in m.buttons and "touch" in m.text
    )
    tour.report.show(card.shown, "thread:")
    await tour.people["bob"].press(card.buttons["approve"])
    await asyncio.wait_for(process.communicate(), 15)
    expect(process.returncode == 0 and _there(made), "the file made, once Bob approved")
    tour.report.good("ssh waited, Bob approved in the thread, exactly this command ran.")


def _there(path: Path) -> bool:
    return path.exists()
