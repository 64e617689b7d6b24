"""The second line: a target that trusts the gateway's authority runs the one command of a certificate, whatever it is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import asyncssh
import pytest

from access.resources import SshRules
from access.scopes import Interactive, Read
from app.clock import SystemClock
from proxy.ssh.house import Settings
from proxy.ssh.upstream import Authority
from tests.wire.ssh.site import ACCOUNT, Site, Target, keygen, open_site
from tests.wire.ssh.table import noted


class Shifted(SystemClock):
    """A clock that is wrong by some time."""

    def __init__(self, by: timedelta) -> None:
        self._by = by

    def now(self):
        return super().now() + self._by


@pytest.fixture
async def trusting(tmp_path: Path, target: Target) -> AsyncIterator[Site]:
    """A gateway with an authority, and a target that trusts it."""
    keygen(tmp_path / "ca")
    own = Target(tmp_path / "own")
    own.start(f"TrustedUserCAKeys {tmp_path}/ca.pub")
    settings = Settings(login_seconds=3, authority=(tmp_path / "ca").read_text())
    try:
        async with open_site(own, tmp_path, settings=settings) as site:
            resource = replace(site.resource, ssh=SshRules(certificates=True))
            site.gateway.resources = {resource.name: resource}
            yield site
    finally:
        own.stop()


async def test_commands_run_under_a_certificate(trusting: Site) -> None:
    await trusting.grant(Read())
    status, out, error = await trusting.ssh("echo one; ls /nowhere-at-all")
    assert (status, out) == (2, b"one\n"), error
    # the account's ordinary key is not what let it in: a shell, which has no certificate, goes without one
    await trusting.grant(Interactive())
    assert (await trusting.ssh(stdin=b"echo in\n"))[1] == b"in\n"


SECTION = "Certificates for single commands"


async def at_target(
    site: Site, authority: Authority, line: str, asked: str | None, **more: object
) -> asyncssh.SSHCompletedProcess:
    """Somebody who got hold of a certificate, past the gateway."""
    async with asyncssh.connect(
        "127.0.0.1", site.target.port, username=ACCOUNT, client_keys=[authority.for_command(ACCOUNT, line)],
        known_hosts=str(site.target.known_hosts), config=None, agent_path=None,
    ) as connection:  # fmt: skip
        return await connection.run(asked, **more)  # type: ignore[arg-type]


async def test_the_target_runs_nothing_else(trusting: Site, tmp_path: Path) -> None:
    authority = Authority((tmp_path / "ca").read_text(), SystemClock())
    for asked in (f"touch {tmp_path}/canary", "", "echo two"):
        result = await at_target(trusting, authority, "echo one", asked or None)
        assert result.stdout == "one\n"
    with pytest.raises(asyncssh.ChannelOpenError):
        await at_target(trusting, authority, "echo one", "echo one", term_type="xterm")
    assert not (tmp_path / "canary").exists()
    noted(
        SECTION,
        "another line, or a shell, under a command's certificate",
        "the target runs the judged line, whatever is asked",
    )
    noted(SECTION, "a terminal under it", "the target opens none")


@pytest.mark.parametrize("minutes", [-5, 5])
async def test_a_certificate_is_good_for_a_minute(trusting: Site, tmp_path: Path, minutes: int) -> None:
    authority = Authority((tmp_path / "ca").read_text(), Shifted(timedelta(minutes=minutes)))
    with pytest.raises(asyncssh.PermissionDenied):
        await at_target(trusting, authority, "echo one", "echo one")
    noted(
        SECTION,
        f"used {abs(minutes)} minutes {'after' if minutes < 0 else 'before'} its minute",
        "the target does not let it in",
    )


async def test_another_authority_is_not_let_in(trusting: Site, tmp_path: Path) -> None:
    keygen(tmp_path / "other")
    with pytest.raises(asyncssh.PermissionDenied):
        await at_target(trusting, Authority((tmp_path / "other").read_text(), SystemClock()), "echo one", "echo one")
    noted(SECTION, "signed by another authority", "the target does not let it in")


async def test_a_target_that_does_not_trust_it_runs_nothing(site: Site, tmp_path: Path) -> None:
    keygen(tmp_path / "ca")
    resource = replace(site.resource, ssh=SshRules(certificates=True))
    site.gateway.resources = {resource.name: resource}
    await site.grant(Read())
    status, out, error = await site.ssh("echo one")  # no authority at all
    assert (status, out) == (255, b"")
    assert "cannot reach web-1" in error
    site.gateway.pool._authority = Authority((tmp_path / "ca").read_text(), SystemClock())
    status, out, _ = await site.ssh("echo one")
    assert (status, out) == (255, b"")
    assert "does not let" in (await site.facts("upstream.failed"))[-1].payload["why"]


def test_a_key_that_is_none() -> None:
    with pytest.raises(ValueError, match="authority"):
        Authority("not a key", SystemClock())
