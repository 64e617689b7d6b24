"""How the gateway is let in by a target, and how it knows that it is the right one: OpenSSH's own server, and asyncssh's for
passwords that are asked for by keyboard-interactive, which OpenSSH does through PAM."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from access.resources import Protocol, Resource, Upstream
from app.clock import SystemClock
from proxy.ssh.doctor import examine
from proxy.ssh.packets import Cork
from proxy.ssh.upstream import Pool, UpstreamUnreachable
from tests.wire.ssh.site import ACCOUNT, Files, Target, keygen


def reached(target: Target, **changed: Any) -> Resource:
    upstream = Upstream(
        "127.0.0.1", target.port, ACCOUNT, "", private_key=f"file:{target.key}", known_hosts=str(target.known_hosts)
    )
    return Resource("web-1", Protocol.SSH, replace(upstream, **changed))


@asynccontextmanager
async def pool() -> AsyncIterator[Pool]:
    one = Pool(Files(), SystemClock(), Cork())
    yield one
    one.close()


async def says(resource: Resource) -> str:
    """What a command says on that target, or why it cannot be reached."""
    async with pool() as one:
        try:
            async with one.lease(resource) as connection:
                return str((await connection.run("echo in", encoding="utf-8")).stdout).strip()
        except UpstreamUnreachable as problem:
            return str(problem)


def run(*command: str | Path) -> None:
    subprocess.run([str(part) for part in command], check=True, capture_output=True)


def kept(path: Path, text: str) -> str:
    path.write_text(text)
    return f"file:{path}"


@pytest.mark.parametrize("form", [[], ["-m", "PKCS8"]])
async def test_a_key_with_a_passphrase(target: Target, tmp_path: Path, form: list[str]) -> None:
    locked = tmp_path / "locked"
    locked.write_bytes(target.key.read_bytes())
    locked.chmod(0o600)
    run("ssh-keygen", "-q", "-p", "-N", "correct horse", *form, "-f", locked)
    key, right = f"file:{locked}", kept(tmp_path / "right", "correct horse")
    assert await says(reached(target, private_key=key, passphrase=right)) == "in"
    assert "passphrase does not open" in await says(
        reached(target, private_key=key, passphrase=kept(tmp_path / "wrong", "x"))
    )
    assert "needs a passphrase" in await says(reached(target, private_key=key))


async def test_a_certificate_of_the_vault(target: Target, tmp_path: Path) -> None:
    """The key is in no authorized_keys; the target trusts an authority, and what the vault gives counts at each login."""
    for name in ("ca", "own", "other"):
        keygen(tmp_path / name)
    trusting = Target(tmp_path / "trusting")
    trusting.start(f"TrustedUserCAKeys {tmp_path}/ca.pub")

    def signed(principal: str, key: str = "own", valid: str = "+5m") -> str:
        sign = [
            "ssh-keygen",
            "-q",
            "-s",
            str(tmp_path / "ca"),
            "-I",
            "hoop",
            "-n",
            principal,
            "-V",
            valid,
            str(tmp_path / f"{key}.pub"),
        ]
        subprocess.run(sign, check=True)
        return (tmp_path / f"{key}-cert.pub").read_text()

    vault = tmp_path / "certificate"
    resource = reached(trusting, private_key=f"file:{tmp_path}/own", certificate=f"file:{vault}")
    try:
        assert "does not let" in await says(replace(resource, upstream=replace(resource.upstream, certificate="")))
        for text, expected in (
            (signed(ACCOUNT), "in"), (signed("somebody"), "does not let"), (signed(ACCOUNT, valid="-2h:-1h"), "certificate of the gateway's key is over"),
            (signed(ACCOUNT, "other"), "for another key"), ("no certificate", "cannot be read"), (signed(ACCOUNT), "in"),
        ):  # fmt: skip
            vault.write_text(text)
            assert expected in await says(resource)
    finally:
        trusting.stop()


class Passwords(asyncssh.SSHServer):
    """A target that asks for a password, in one of two ways."""

    def __init__(self, *, interactive: bool) -> None:
        self._interactive = interactive

    def password_auth_supported(self) -> bool:
        return not self._interactive

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == ("deploy", "s3cret")

    def kbdint_auth_supported(self) -> bool:
        return self._interactive

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> Any:
        return "", "", "", [("Password: ", False)]

    def validate_kbdint_response(self, username: str, responses: Any) -> bool:
        return (username, list(responses)) == ("deploy", ["s3cret"])


@pytest.mark.parametrize("interactive", [False, True])
async def test_a_password_of_the_vault(tmp_path: Path, interactive: bool) -> None:
    host = asyncssh.generate_private_key("ssh-ed25519")
    server = await asyncssh.listen(
        "127.0.0.1", 0, server_factory=lambda: Passwords(interactive=interactive), server_host_keys=[host],
        process_factory=lambda process: (process.stdout.write("in\n"), process.exit(0)),
    )  # fmt: skip
    async with server:
        known = tmp_path / "known_hosts"
        known.write_text(f"[127.0.0.1]:{server.get_port()} {host.export_public_key().decode()}")
        upstream = Upstream("127.0.0.1", server.get_port(), "deploy", "", known_hosts=str(known))
        resource = Resource("web-1", Protocol.SSH, upstream)
        for password, expected in (("s3cret", "in"), ("wrong", "does not let deploy in")):
            secret = kept(tmp_path / "password", password)
            said = await says(replace(resource, upstream=replace(upstream, secret=secret)))
            assert expected in said
            assert password not in said


#: The account of the tests with the password "correct horse", instead of what /etc/shadow says; nothing of the machine changes.
SHADOW = r"""
#define _GNU_SOURCE
#include <shadow.h>
#include <pwd.h>
struct spwd *getspnam(const char *name) {
    static struct spwd one = {.sp_pwdp = "$6$hooptests$42itfnshcbBUh4cXabDLRBVQAHoPJ/rBGKJxFg59KwNhtQqj9L6yRJw/ta9sQ0VGIDAGszEW5a8li/EqBy3k7/",
                              .sp_lstchg = 20000, .sp_max = 99999, .sp_warn = 7, .sp_inact = -1, .sp_expire = -1};
    one.sp_namp = (char *)name;
    return &one;
}
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
async def test_a_password_at_openssh(tmp_path: Path) -> None:
    (tmp_path / "shadow.c").write_text(SHADOW)
    run("cc", "-shared", "-fPIC", "-o", tmp_path / "shadow.so", tmp_path / "shadow.c")
    asking = Target(tmp_path / "asking", environment={"LD_PRELOAD": str(tmp_path / "shadow.so")})
    asking.start("Match all", "PasswordAuthentication yes", "PermitRootLogin yes", "PubkeyAuthentication no")
    try:
        for password, expected in (
            ("correct horse", "in"),
            ("wrong", f"does not let {ACCOUNT} in"),
            ("", "credential"),
        ):
            said = await says(reached(asking, private_key="", secret=kept(tmp_path / "password", password)))
            assert expected in said
            assert not password or password not in said
        # the account's key is not taken there, so it was the password
        assert "does not let" in await says(reached(asking))
    finally:
        asking.stop()


async def test_hashed_names_in_known_hosts(target: Target, tmp_path: Path) -> None:
    """As `HashKnownHosts yes` writes them."""
    hashed, other = tmp_path / "hashed", tmp_path / "other"
    hashed.write_text(target.known_hosts.read_text())
    run("ssh-keygen", "-q", "-H", "-f", hashed)
    assert "127.0.0.1" not in hashed.read_text()
    assert await says(reached(target, known_hosts=str(hashed))) == "in"
    keygen(other)
    names = hashed.read_text().split()[0]
    hashed.write_text(f"{names} {other.with_suffix('.pub').read_text()}")
    assert "`hoop doctor web-1` shows both" in await says(reached(target, known_hosts=str(hashed)))


async def test_the_doctor_of_a_server(target: Target, tmp_path: Path) -> None:
    """A changed key is shown with the line to take in; root is named; what does not answer, too."""
    own = (target.directory / "host_key.pub").read_text().split()[1]
    async with pool() as one:
        right = await examine(one, reached(target))
    assert "knows" in right.notes[0]
    assert [problem.what for problem in right.problems] == (
        ["The gateway logs in as root, who is root there."] if ACCOUNT == "root" else []
    )
    keygen(tmp_path / "other")
    changed = tmp_path / "changed"
    changed.write_text(f"[127.0.0.1]:{target.port} {(tmp_path / 'other.pub').read_text()}")
    async with pool() as one:
        [problem] = (await examine(one, reached(target, known_hosts=str(changed)))).problems
        assert "another machine, or a changed key" in problem.what
        assert f"[127.0.0.1]:{target.port} ssh-ed25519 {own}" in problem.why
        [down] = (await examine(one, reached(target, port=1))).problems
    assert "shows no host key" in down.what
