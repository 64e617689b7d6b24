"""Short-lived certificates that name a person: got once they proved who they are, good for minutes, taken back at once."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from access.actors import Agent
from access.errors import Conflict, Invalid
from access.ssh_certificates import serial_of
from app.cli_ssh_login import GATEWAY, PERSON, gate_of, good_until, request_of
from identity.ssh_certificates import GOOD_MAX
from proxy.ssh.certifying import SUBSYSTEM
from proxy.ssh.house import Settings
from proxy.ssh.personal import UnreadableRequest, Wanted, presented, read_request
from proxy.ssh.server import SshGateway
from tests.fakes.world import ANN, DANA
from tests.patience import LONG, SOON
from tests.wire.ssh.site import Site, Target, keygen, open_site
from tests.wire.ssh.table import noted
from tests.wire.ssh.test_confirming import Waiting, connecting, number_of, say

Key = tuple[asyncssh.SSHKey, asyncssh.SSHCertificate]


@pytest.fixture
async def site(target: Target, tmp_path: Path) -> AsyncIterator[Site]:
    keygen(tmp_path / "people")
    settings = Settings(login_seconds=3, people=(tmp_path / "people").read_text())
    async with open_site(target, tmp_path, settings=settings) as opened:
        yield opened


async def ask(connection: asyncssh.SSHClientConnection, public: str, **more: object) -> asyncssh.SSHCompletedProcess:
    return await connection.run(
        subsystem=SUBSYSTEM, input=request_of(public, int(str(more.get("minutes", 0))), here=bool(more.get("here")))
    )


async def by_key(site: Site) -> asyncssh.SSHClientConnection:
    """Dana, by her registered key."""
    return await come(site, asyncssh.read_private_key(await site.key()))


async def come(site: Site, *keys: asyncssh.SSHKey | Key, user: str = "web-1") -> asyncssh.SSHClientConnection:
    return await asyncssh.connect(
        "127.0.0.1", site.gateway.port, username=user, client_keys=list(keys), config=None, agent_path=None,
        known_hosts=f"[127.0.0.1]:{site.gateway.port} {site.host_key}\n".encode(), preferred_auth="publickey",
    )  # fmt: skip


async def certified(site: Site, **more: object) -> Key:
    """A new key of Dana's with its certificate."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    async with await by_key(site) as connection:
        answer = await ask(connection, key.export_public_key().decode(), **more)
    assert answer.exit_status == 0, answer.stderr
    return key, asyncssh.import_certificate(str(answer.stdout))


async def refusal(site: Site, *keys: Key, user: str = "web-1") -> str:
    """Why the ledger says this was not let in; nothing opened."""
    before = len(await site.facts("session.opened"))
    with pytest.raises(asyncssh.PermissionDenied):
        await come(site, *keys, user=user)
    await site.gone()
    assert len(await site.facts("session.opened")) == before
    return str((await site.facts("login.refused"))[-1].payload["why"])


# -------------------------------------------------------------------------------------------- getting one


async def test_a_certificate_logs_in_as_its_person(site: Site) -> None:
    await site.grant()
    mine = await certified(site)
    one = presented(mine[1])
    assert one.principals == ("dana",)
    assert 3500 < one.before - time.time() < 3601
    async with await come(site, mine) as connection:
        assert (await connection.run("echo in")).stdout == "in\n"
    async with await come(site, mine, user="dana+web-1") as connection:
        assert (await connection.run("rm -rf /x")).exit_status == 126  # it is a login, not a right
    [issued] = await site.facts("certificate.issued")
    assert issued.actor == DANA.id
    assert issued.payload["certificate"] == f"cert:{one.serial}"
    assert (await site.facts("session.opened"))[-1].payload["credential"] == f"cert:{one.serial}"


async def test_it_is_got_with_a_number_said_in_chat(site: Site) -> None:
    await site.grant()
    client = Waiting()
    coming = connecting(site, client)
    await say(site, await number_of(client))
    key = asyncssh.generate_private_key("ssh-ed25519")
    async with await asyncio.wait_for(coming, LONG) as connection:
        answer = await ask(connection, key.export_public_key().decode(), minutes=5, here=True)
    certificate = asyncssh.import_certificate(str(answer.stdout))
    assert presented(certificate).before - time.time() < 301
    assert [str(network) for network in presented(certificate).sources] == ["127.0.0.1/32"]
    async with await come(site, (key, certificate)) as connection:
        assert (await connection.run("echo in")).stdout == "in\n"


async def test_nobody_gets_one_by_a_token_or_a_certificate_or_for_an_agent(site: Site) -> None:
    await site.grant()
    public = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    mine = await certified(site)
    token, agents = await site.issue(), await site.issue(agent=Agent("claude"))
    connections = [
        await site.connect("dana+web-1", token.token), await site.connect("dana~claude+web-1", agents.token),
        await come(site, mine), await come(site, asyncssh.read_private_key(await site.key()), user="dana~claude+web-1"),
    ]  # fmt: skip
    for connection in connections:
        async with connection:
            answer = await ask(connection, public)
            assert answer.exit_status == 126
            assert "A certificate is for who logged in with a number" in str(answer.stderr)
    assert len(await site.facts("certificate.issued")) == 1
    assert {fact.payload["rule"] for fact in await site.facts("statement.refused")} == {"not-personal"}


NO_REQUESTS = (
    ("\n", "Send the line"), ("hello\n", "not a public key"), ("ssh-dss AAAA\n", "kind of key"), ("\xff\xfe\n", "not a public key"),
    ("KEY\nprincipals=root\n", "Behind the key"), ("KEY\nminutes=-1\n", "Behind the key"), ("KEY\nminutes=0\n", "Behind the key"),
    ("KEY\nKEY\n", "Behind the key"), ("x" * 20_000, "Send the line"), ("OWN\n", "logs in by itself"),
    ("-----BEGIN OPENSSH PRIVATE KEY-----\n", "not a public key"),
)  # fmt: skip


async def test_what_asks_for_no_certificate(site: Site) -> None:
    public = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    own = asyncssh.read_public_key(f"{await site.key()}.pub").export_public_key().decode().strip()
    async with await by_key(site) as connection:
        for sent, said in NO_REQUESTS:
            answer = await connection.run(subsystem=SUBSYSTEM, input=sent.replace("KEY", public).replace("OWN", own))
            assert answer.exit_status == 1
            assert said in str(answer.stderr), sent
    assert not await site.facts("certificate.issued")


def test_the_request() -> None:
    assert read_request("k a\n\nminutes=5\nsource=here\n") == Wanted("k a", 5, here=True)
    with pytest.raises(UnreadableRequest):
        read_request("k a\nminutes=99999999\n")


async def test_no_more_than_a_few(site: Site) -> None:
    key = f"{asyncssh.generate_private_key('ssh-ed25519').export_public_key().decode()}"
    async with await by_key(site) as connection:
        for _ in range(GOOD_MAX):
            assert (await ask(connection, key)).exit_status == 0
        refused = await ask(connection, key)
    assert f"You have {GOOD_MAX} certificates" in str(refused.stderr)


async def test_a_gateway_without_an_authority(target: Target, tmp_path: Path) -> None:
    keygen(tmp_path / "ca")
    async with open_site(target, tmp_path) as plain:
        async with await by_key(plain) as connection:
            answer = await ask(connection, (tmp_path / "ca.pub").read_text())
        assert answer.exit_status == 126
        ca, key = asyncssh.read_private_key(tmp_path / "ca"), asyncssh.generate_private_key("ssh-ed25519")
        assert "an authority" in await refusal(
            plain, (key, ca.generate_user_certificate(key, "x", principals=["dana"]))
        )
        both = replace(plain.gateway.settings, people=key.export_private_key().decode())
        both = replace(both, authority=both.people)
        with pytest.raises(ValueError, match="must not be the one"):
            SshGateway(plain.gateway.ports, plain.keys, both, {}, plain.gateway.policy, {})


# -------------------------------------------------------------------------------------------- what is not let in

SECTION = "Certificates of people"
Forge = Callable[[asyncssh.SSHKey, asyncssh.SSHKey, int], asyncssh.SSHCertificate]
NOW = time.time()


def forged(**changes: object) -> Forge:
    """The gateway's own authority signed it, so only what is in it can be wrong."""

    def make(ca: asyncssh.SSHKey, key: asyncssh.SSHKey, serial: int) -> asyncssh.SSHCertificate:
        given: dict[str, object] = {"serial": serial, "principals": ["dana"], **changes}
        return ca.generate_user_certificate(key, "x", **given)  # type: ignore[arg-type]

    return make


FORGERIES: dict[str, tuple[Forge, str]] = {
    "expired": (forged(valid_before=int(NOW) - 5), "an expired certificate"),
    "not good yet": (forged(valid_after=int(NOW) + 3600), "a certificate that is not good yet"),
    "another principal": (forged(principals=["eve"]), "a certificate with other principals than its person"),
    "a principal more": (forged(principals=["dana", "root"]), "a certificate with other principals than its person"),
    "no principal": (forged(principals=[]), "a certificate with other principals than its person"),
    "another source": (forged(source_address=["10.9.9.0/24"]), "a certificate that may not come from 127.0.0.1"),
    "a forced command": (forged(force_command="true"), "a certificate that was not issued here"),
    "another serial": (forged(serial=7), "a certificate that was not issued here"),
    "a host's": (lambda ca, key, serial: ca.generate_host_certificate(key, "x", serial=serial, principals=["dana"]), "a certificate for a host"),
    "another authority": (
        lambda _, key, serial: asyncssh.generate_private_key("ssh-ed25519").generate_user_certificate(key, "x", serial=serial, principals=["dana"]),
        "a certificate of an authority that is not this gateway's",
    ),
    "signed by itself": (
        lambda _, key, serial: key.generate_user_certificate(key, "x", serial=serial, principals=["dana"]),
        "a certificate of an authority that is not this gateway's",
    ),
}  # fmt: skip


async def test_what_is_wrong_in_a_certificate(site: Site, tmp_path: Path) -> None:
    await site.grant()
    key, good = await certified(site)
    ca = asyncssh.read_private_key(tmp_path / "people")
    for name, (make, why) in FORGERIES.items():
        assert await refusal(site, (key, make(ca, key, presented(good).serial))) == why, name
        noted(SECTION, name, f"not let in, recorded: {why}")
    async with await come(site, (key, good)):
        pass


async def test_another_key_in_a_certificate_and_another_name_at_the_door(site: Site, tmp_path: Path) -> None:
    await site.grant()
    key, good = await certified(site)
    ca, other = asyncssh.read_private_key(tmp_path / "people"), asyncssh.generate_private_key("ssh-ed25519")
    stolen = ca.generate_user_certificate(other, "x", serial=presented(good).serial, principals=["dana"])
    assert await refusal(site, (other, stolen)) == "a certificate that was not issued here"
    noted(
        SECTION,
        "signed for another key, with a serial that is good",
        "not let in, recorded: a certificate that was not issued here",
    )
    for what, user, why in (
        ("at somebody else's name", "ann+web-1", "a certificate of dana"), ("at an agent's name", "dana~claude+web-1", "a certificate of dana"),
        ("for a resource that is not there", "web-9", "no such resource"),
    ):  # fmt: skip
        assert await refusal(site, (key, good), user=user) == why
        noted(SECTION, f"a good one {what}", f"not let in, recorded: {why}")


async def test_an_offer_has_no_effect(site: Site) -> None:
    """Whoever saw a certificate can show it; without its key nothing happens."""
    await site.grant()
    key, good = await certified(site)
    await site.gone()
    before = await site.kinds()
    path = site.directory / "other"
    keygen(path)  # another private key under this certificate
    (site.directory / "shown-cert.pub").write_bytes(good.export_certificate("openssh"))
    options = await site.options("-o", f"CertificateFile={site.directory}/shown-cert.pub")
    options[options.index("-i") + 1] = str(path)
    process = await asyncio.create_subprocess_exec(
        "ssh", *options, "web-1@127.0.0.1", "true", stderr=asyncio.subprocess.PIPE
    )
    assert b"Permission denied" in (await process.communicate())[1]
    with pytest.raises(asyncssh.PermissionDenied):
        await come(site, _Wrong(key, good))  # type: ignore[arg-type]
    await site.gone()
    assert [kind for kind in (await site.kinds())[len(before) :] if kind != "login.refused"] == []
    noted(SECTION, "shown without its key, or signed with another", "not let in; no effect but login.refused")


class _Wrong(asyncssh.SSHKeyPair):
    """A client that shows a certificate and signs with another key."""

    def __init__(self, key: asyncssh.SSHKey, certificate: asyncssh.SSHCertificate) -> None:
        super().__init__(
            certificate.algorithm, certificate.algorithm, certificate.sig_algorithms, certificate.sig_algorithms,
            certificate.public_data, None,
        )  # fmt: skip
        self._other = asyncssh.generate_private_key("ssh-ed25519")
        assert self._other.public_data != key.public_data

    def sign(self, data: bytes) -> bytes:
        return self._other.sign(data, b"ssh-ed25519")


async def test_words_for_who_shows_it(site: Site) -> None:
    """OpenSSH prints why; to somebody else's authority nothing is said."""
    await site.grant()
    key, good = await certified(site)
    await site.keys.certificates.revoke(DANA.id, presented(good).serial, DANA.id)
    path = site.directory / "mine"
    path.write_bytes(key.export_private_key())
    path.chmod(0o600)
    (site.directory / "mine-cert.pub").write_bytes(good.export_certificate("openssh"))
    options = await site.options("-o", f"CertificateFile={path}-cert.pub")
    options[options.index("-i") + 1] = str(path)
    process = await asyncio.create_subprocess_exec(
        "ssh", *options, "web-1@127.0.0.1", "true", stderr=asyncio.subprocess.PIPE
    )
    assert b"hoop: refused: this certificate was revoked" in (await process.communicate())[1]


# -------------------------------------------------------------------------------------------- taking it back


@pytest.mark.parametrize("how", ["one", "all", "the key it was got with"])
async def test_what_is_revoked_is_cut_and_comes_in_no_more(site: Site, how: str) -> None:
    await site.grant()
    mine = await certified(site)
    serial = presented(mine[1]).serial
    async with await come(site, mine) as connection:
        process = await connection.create_process("sleep 30")
        await asyncio.sleep(0.3)
        began = time.monotonic()
        if how == "the key it was got with":
            [key] = await site.keys.of(DANA.id)
            await site.keys.remove(DANA.id, key.fingerprint)
        else:
            await site.keys.certificates.revoke(DANA.id, serial if how == "one" else None, DANA.id)
        result = await asyncio.wait_for(process.wait(), LONG)
        assert time.monotonic() - began < SOON
        assert "certificate it was opened with was revoked" in str(result.stderr)
    assert await refusal(site, mine) == "a revoked certificate"
    noted(
        SECTION,
        f"revoked while a command runs: {how}",
        "cut within a second with the reason on stderr; not let in again, recorded",
    )
    assert (await site.facts("certificate.revoked"))[0].payload["certificate"] == f"cert:{serial}"


async def test_a_removed_key_cuts_what_it_opened(site: Site) -> None:
    await site.grant()
    async with await by_key(site) as connection:
        process = await connection.create_process("sleep 30")
        await asyncio.sleep(0.3)
        [key] = await site.keys.of(DANA.id)
        await site.keys.remove(DANA.id, key.fingerprint)
        result = await asyncio.wait_for(process.wait(), 1)
    assert "the key it was opened with was removed" in str(result.stderr)
    noted(SECTION, "a key that is removed while its command runs", "cut within a second with the reason on stderr")


async def test_nobody_revokes_anothers(site: Site) -> None:
    mine = await certified(site)
    with pytest.raises(Invalid):
        await site.keys.certificates.revoke(ANN.id, presented(mine[1]).serial, ANN.id)
    assert [one.serial for one in await site.keys.certificates.of(DANA.id)] == [presented(mine[1]).serial]
    for text in ("cert:", "cert:-1", "cert:1 OR 1", "cert:" + "9" * 30, "cert:\u0661"):
        with pytest.raises(Invalid):
            serial_of(text)
    noted(SECTION, "revoking somebody else's, or a serial that is none", "refused; it goes on")
    with pytest.raises(Conflict):
        await site.keys.certificates.issue((await site.keys.certificates.of(DANA.id))[0])


# -------------------------------------------------------------------------------------------- hoop ssh


async def test_hoop_ssh_with_the_real_client(site: Site, tmp_path: Path) -> None:
    """A key, its certificate, then the system's ssh; the second time the certificate is there. `ssh` here adds a configuration."""
    await site.grant()
    config, binary = tmp_path / "config", tmp_path / "bin" / "ssh"
    known = tmp_path / "known"
    known.write_text(f"[127.0.0.1]:{site.gateway.port} {site.host_key}\n")
    config.write_text(f"UserKnownHostsFile {known}\nIdentityFile {await site.key()}\nBatchMode yes\n")
    binary.parent.mkdir()
    binary.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {config} "$@"\n')
    binary.chmod(0o755)
    environment = {
        **os.environ, "PATH": f"{binary.parent}:{os.environ['PATH']}", "XDG_CACHE_HOME": str(tmp_path / "cache"),
        GATEWAY: f"127.0.0.1:{site.gateway.port}", PERSON: "dana",
    }  # fmt: skip

    async def hoop(*words: str) -> tuple[int | None, str, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "app", "ssh", *words, env=environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, error = await asyncio.wait_for(process.communicate(), 30)
        return process.returncode, out.decode(), error.decode()

    status, out, error = await hoop("--minutes", "10", "web-1", "--", "echo", "in")
    assert (status, out) == (0, "in\n"), error
    assert "a certificate for Dana until" in error
    assert (await hoop("web-1", "echo again; ls /nowhere-at-all"))[:2] == (2, "again\n")
    assert len(await site.facts("certificate.issued")) == 1
    gate = gate_of(environment[GATEWAY], "dana", tmp_path / "cache" / "hoop" / "ssh")
    assert 0 < good_until(gate.certificate) - time.time() <= 600
    assert gate.key.stat().st_mode & 0o77 == gate.folder.stat().st_mode & 0o77 == 0
    status, out, _ = await hoop("--config-only", "web-1")
    assert f"CertificateFile {gate.certificate}" in out
    await site.keys.certificates.revoke(DANA.id, None, DANA.id)
    assert "this certificate was revoked" in (await hoop("web-1", "true"))[2]
    assert (await hoop("--renew", "web-1", "echo", "anew"))[1] == "anew\n"


@pytest.mark.parametrize("at", ["", "ex ample", "-oProxyCommand=x", "host:port", "host:999999", "a b:22"])
def test_what_is_no_gateway(at: str) -> None:
    with pytest.raises(Invalid):
        gate_of(at, "dana", Path("/x"))
    with pytest.raises(Invalid):
        gate_of("host", "../dana", Path("/x"))


def test_the_places_it_keeps() -> None:
    home = Path("/c")
    assert gate_of("gw.example.com", "dana", home).folder == Path("/c/gw.example.com_2222_dana")
    assert gate_of("[2001:db8::1]:2200", "dana", home).folder == Path("/c/2001_db8__1_2200_dana")
    assert good_until(Path("/nowhere")) == 0
