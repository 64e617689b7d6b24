"""What the ordinary clients show on this gateway, feature by feature: `python -m tests.wire.ssh.transcripts` writes
docs/ssh-transcripts.md. Every line below a prompt is what the program printed; ports, paths and ids are made shorter."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from access import ssh_logins
from access.policy import DEFAULT_MATRIX, Action, Policy
from access.resources import Files, SshRules
from access.scopes import Interactive, Level, Read, Write
from access.statements import Effect
from proxy.ssh.house import Settings
from tests.fakes.world import ANN, DANA
from tests.wire.ssh.site import Site, Target, keygen, open_site

PAGE = Path(__file__).parents[3] / "docs" / "ssh-transcripts.md"
POLICY = Policy(
    hold_seconds=20,
    matrix={**DEFAULT_MATRIX, Level.INTERACTIVE: {**DEFAULT_MATRIX[Level.INTERACTIVE], Effect.DANGER: Action.ALLOW}},
)
Then = Callable[[], Awaitable[object]]


@dataclass
class Book:
    """The page while it is written; `place` is where files are, `config` what is in ~/.ssh/config."""

    site: Site
    place: Path
    config: Path
    lines: list[str] = field(default_factory=list)

    def title(self, text: str, *words: str) -> None:
        print(text, flush=True)
        self.lines += ["", f"## {text}", "", *words]

    def aside(self, text: str) -> None:
        self.lines += ["", text]

    async def run(
        self, command: str, *, then: Then | None = None, stdin: str = "", terminal: bool = False, seconds: float = 30
    ) -> str:
        """A line as somebody types it, and what came; `then` happens meanwhile, by somebody else."""
        line = (
            command
            if "-m app ssh" in command
            else re.sub(r"\b(ssh|scp|sftp) ", rf"\1 -F {self.config} ", command, count=1)
        )
        line = line.replace("RSH", f"ssh -F {self.config}")
        argv = ["script", "-qec", line, "/dev/null"] if terminal else ["sh", "-c", line]
        process = await asyncio.create_subprocess_exec(
            *argv, cwd=self.place, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "TERM": "xterm", "ANSIBLE_CONFIG": f"{self.place}/ansible.cfg", "ANSIBLE_NOCOLOR": "1"},
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        talking = asyncio.create_task(process.stdout.read())
        if then is not None:
            await then()
        process.stdin.write(stdin.encode())
        if not terminal:
            process.stdin.close()
        out = await asyncio.wait_for(talking, seconds)
        await process.wait()
        said = self._short(out.decode("utf-8", "replace"))
        self.lines += [
            "",
            "```",
            f"$ {self._short(command.replace('RSH', 'ssh'))}",
            *said.splitlines(),
            *([f"$ echo $?\n{process.returncode}"] if process.returncode else []),
            "```",
        ]
        return said

    def _short(self, text: str) -> str:
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07", "", text).replace("\r", "")
        for path, name in (
            (str(self.place), "/srv/app"),
            (str(self.site.directory), "~"),
            (str(self.site.gateway.port), "2222"),
            (str(Path.home()), "~"),
        ):
            text = text.replace(path, name)
        return "\n".join(line.rstrip() for line in text.splitlines() if "Authenticated to" not in line).strip("\n")


async def approved(site: Site) -> None:
    await site.decide(by=ANN)


async def commands(book: Book) -> None:
    site = book.site
    await site.grant(Read())
    book.title("Single commands", "Dana has a read grant on web-1.")
    (book.place / "shop.log").write_text("order 41 paid by grace.hopper@example.com\norder 42 refunded\n")
    await book.run(f"ssh web-1 tail -n 2 {book.place}/shop.log")
    await book.run("ssh web-1 'ls /nowhere-at-all; echo two >&2'")
    book.aside("A change is held; Ann approves it in chat.")
    await book.run(f"ssh web-1 mkdir {book.place}/made", then=lambda: approved(site))
    await book.run(f"ssh web-1 rm -rf {book.place}/made")
    await book.run("ssh -tt web-1 id")
    await book.run("ssh -o ControlMaster=auto -o ControlPath=cm -o ControlPersist=5 web-1 'echo one'")
    await book.run("ssh -o ControlPath=cm -O check web-1")
    await book.run("for n in 1 2 3; do RSH -o ControlPath=cm web-1 echo $n & done; wait")
    await book.run("ssh -o ControlPath=cm -O exit web-1")


async def cuts(book: Book) -> None:
    site = book.site
    book.title("Cut while it runs")
    grant = await site.grant(Write())

    async def revoke() -> None:
        await asyncio.sleep(1.5)
        for one in await site.store.read(lambda tx: tx.grants()):
            if one.ended_at is None:
                await site.desk.revoke(one.id, ANN.id, "the incident is over")

    await book.run("ssh web-1 'head -c 900000000000 /dev/zero' | wc -c", then=revoke)
    assert grant is not None


async def files(book: Book) -> None:
    site = book.site
    await site.grant(Write())
    book.title("Files", "`ssh.files: write`, `ssh.paths: [/srv/app/**]`; a write grant.")
    (book.place / "report.txt").write_text("quarterly\n" * 100)
    await book.run(f"scp report.txt web-1:{book.place}/copy.txt && cmp report.txt copy.txt && echo same")
    await book.run(f"scp -O report.txt web-1:{book.place}/old.txt && echo done")
    await book.run("scp web-1:/etc/hostname here.txt")
    await book.run(
        "sftp -b - web-1", stdin=f"cd {book.place}\nls -l copy.txt\nrename copy.txt moved.txt\nget /etc/hostname\n"
    )
    await book.run(f"rsync -e 'RSH' -a report.txt web-1:{book.place}/synced.txt && echo done")


async def forwards(book: Book) -> None:
    site = book.site
    book.title("Forwards", '`ssh.forward_to: ["127.0.0.1:*"]`, an interactive grant.')
    await site.grant(Interactive())
    connect = "python3 -c 'import socket; s = socket.create_connection((\"127.0.0.1\", 18080)); print(s.recv(30))'"
    forward = f"ssh -N -L 18080:127.0.0.1:{site.target.port} web-1"
    await book.run(f"({forward} & p=$!; sleep 1.5; {connect}; kill $p)")
    await book.run("ssh -o ConnectTimeout=3 -W 169.254.169.254:80 web-1")
    book.aside('`ssh.forward_from: ["localhost:*"]`: a port of web-1 that comes out here. A program on web-1 calls it.')
    listen = f"ssh -N -R 18081:127.0.0.1:{site.target.port} web-1"
    await book.run(f"({listen} & p=$!; sleep 1.5; {connect.replace('18080', '18081')}; kill $p)")
    await book.run("ssh -R 0.0.0.0:18082:127.0.0.1:22 web-1 'sleep 1; echo on'")
    await book.run("ssh -o ExitOnForwardFailure=yes -N -R 80:127.0.0.1:22 web-1")


async def lent(book: Book) -> None:
    """The real agent of the person, and a display that is a few lines of Python."""
    site = book.site
    book.title("The agent and the display", "`ssh.agent: true`, `ssh.x11: true`, an interactive grant.")
    await site.grant(Interactive())
    socket = f"/tmp/hoop-transcript-{os.getpid()}"
    agent = await asyncio.create_subprocess_exec("ssh-agent", "-D", "-a", socket, stdout=asyncio.subprocess.DEVNULL)
    try:
        await asyncio.sleep(0.5)
        os.environ["SSH_AUTH_SOCK"] = socket
        keygen(book.place / "own")
        await book.run("ssh-add own; ssh-add -l")
        await book.run("ssh -A web-1 ssh-add -l")
        await book.run("ssh -A web-1 ssh-add -D")
        await book.run("ssh-add -l")
        if shutil.which("Xvfb") and shutil.which("xdpyinfo"):
            display = await asyncio.create_subprocess_exec(
                "Xvfb", ":47", "-nolisten", "tcp", stderr=asyncio.subprocess.DEVNULL
            )
            await asyncio.sleep(1)
            os.environ["DISPLAY"] = ":47"
            await book.run("ssh -Y web-1 'echo $DISPLAY; xdpyinfo | head -n 4'")
            display.terminate()
            await display.wait()
        os.environ["DISPLAY"] = ":47"
        resource = site.gateway.resources["web-1"]
        site.gateway.resources = {"web-1": replace(resource, ssh=replace(resource.ssh, agent=False, x11=False))}
        await book.run("ssh -A -Y web-1 'echo ${SSH_AUTH_SOCK-nothing}; echo ${DISPLAY-nothing}'")
        site.gateway.resources = {"web-1": resource}
    finally:
        agent.terminate()
        await agent.wait()
        os.environ.pop("SSH_AUTH_SOCK", None)
        os.environ.pop("DISPLAY", None)


async def shells(book: Book) -> None:
    book.title("A shell", "An interactive grant.")
    await book.run(
        "ssh -tt web-1", terminal=True, stdin="PS1='web-1$ '; stty size; echo mail grace.hopper@example.com; exit 4\n"
    )


async def certificates(book: Book) -> None:
    site = book.site
    book.title("A certificate for the next hour", "Dana has no key here; she says the number in chat.")
    environment = f"HOOP_SSH=127.0.0.1:{site.gateway.port} HOOP_PERSON=dana XDG_CACHE_HOME={book.place}/cache"
    wrapper = book.place / "bin"
    wrapper.mkdir()
    (wrapper / "ssh").write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {book.place}/bare "$@"\n')
    (wrapper / "ssh").chmod(0o755)
    known = book.site.directory / "gateway_known_hosts"
    (book.place / "bare").write_text(f"UserKnownHostsFile {known}\nIdentityFile none\nIdentityAgent none\n")

    async def say() -> None:
        async with asyncio.timeout(15):
            while not (numbers := await site.store.read(lambda tx: tx.docs(ssh_logins.KIND))):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        await asyncio.sleep(0.5)
        await site.store.transact(lambda tx: ssh_logins.confirm(tx, numbers[0][0], DANA.id))

    hoop = f"PATH={wrapper}:$PATH PYTHONPATH={Path.cwd()} {environment} {sys.executable} -m app ssh"
    said = await book.run(f"{hoop} web-1 -- echo in", then=say, terminal=True, stdin="\n", seconds=60)
    await book.run(f"{hoop} web-1 -- echo again")
    await site.keys.certificates.revoke(DANA.id, None, DANA.id)
    book.aside("`/hoop key remove certificates`, said in chat, and once more:")
    await book.run(f"{hoop} web-1 -o BatchMode=yes -- echo again")
    book.lines = [line.replace(book._short(hoop), "hoop ssh") for line in book.lines]
    assert "a certificate for Dana" in said


async def ansible(book: Book) -> None:
    if shutil.which("ansible") is None:
        return
    book.title("Ansible", "With what docs/ssh.md tells to configure, an interactive grant.")
    (book.place / "inventory").write_text("web-1 ansible_python_interpreter=/usr/bin/python3\n")
    (book.place / "ansible.cfg").write_text(
        f"[defaults]\ninventory = inventory\nremote_tmp = {book.place}/remote\nlocal_tmp = {book.place}/local\n"
        f"[ssh_connection]\npipelining = True\nssh_args = -F {book.config} -o ControlMaster=auto -o ControlPersist=5\ncontrol_path_dir = {book.place}/cp\n"
    )
    (book.place / "play.yml").write_text(
        f"- hosts: web-1\n  gather_facts: false\n  tasks:\n    - copy: {{content: 'hello\\n', dest: '{book.place}/by-ansible'}}\n"
        f"    - command: cat {book.place}/by-ansible\n"
    )
    await book.run("ansible web-1 -m ping", seconds=60)
    await book.run("ansible-playbook play.yml", seconds=90)


async def upstream_key(book: Book, target: Target) -> None:
    book.title("The target's host key changed")
    book.site.gateway.pool.close()
    target.stop()
    for name in ("host_key", "host_key.pub"):
        (target.directory / name).unlink()
    known = target.known_hosts.read_text()
    old, target.port = target.port, 0
    target.start()
    target.known_hosts.write_text(known.replace(f":{old} ", f":{target.port} "))
    resource = book.site.gateway.resources["web-1"]
    moved = replace(resource, upstream=replace(resource.upstream, port=target.port))
    book.site.gateway.resources = {"web-1": moved}
    await book.run("ssh web-1 id")


async def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        base = Path(directory)
        target, home, place = Target(base / "target"), base / "home", base / "app"
        home.mkdir()
        place.mkdir()
        keygen(base / "people")
        target.start("X11Forwarding yes")
        try:
            settings = Settings(login_seconds=10, people=(base / "people").read_text())
            async with open_site(target, home, settings=settings, policy=POLICY) as site:
                rules = SshRules(
                    files=Files.WRITE,
                    paths=(f"{place}/**",),
                    forward_to=("127.0.0.1:*",),
                    forward_from=("localhost:*",),
                    agent=True,
                    x11=True,
                )
                resource = replace(site.resource, ssh=rules)
                site.gateway.resources = {resource.name: resource}
                await site.options()
                config = base / "config"
                config.write_text(
                    f"Host web-1\n  HostName 127.0.0.1\n  Port {site.gateway.port}\n  User web-1\n  IdentityFile {await site.key()}\n"
                    f"  IdentitiesOnly yes\n  BatchMode yes\n  UserKnownHostsFile {home}/gateway_known_hosts\n  LogLevel ERROR\n"
                )
                book = Book(site, place, config)
                for part in (commands, cuts, files, forwards, lent, shells, certificates, ansible):
                    await part(book)
                await upstream_key(book, target)
        finally:
            target.stop()
    PAGE.write_text(
        "# SSH: what people see\n\nMade by `python -m tests.wire.ssh.transcripts` with OpenSSH's client and server"
        " and the gateway between them. Ports, paths and the\nway to the `hoop` of a checkout are made shorter, nothing else.\n"
        + "\n".join(book.lines)
        + "\n"
    )


if __name__ == "__main__":
    asyncio.run(main())
