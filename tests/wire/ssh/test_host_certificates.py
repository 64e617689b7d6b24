"""Host certificates on both sides: targets known by their authority, and the gateway known to people by theirs."""

from __future__ import annotations

import asyncio
import subprocess
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from proxy.ssh.house import Settings
from proxy.ssh.server import SshGateway
from tests.wire.ssh.site import Target, keygen, open_site


def sign(ca: Path, key: Path, principal: str) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-s", str(ca), "-I", "host", "-h", "-n", principal, f"{key}.pub"], check=True)
    return key.with_name(f"{key.name}-cert.pub")


@pytest.mark.parametrize(("principal", "lets"), [("127.0.0.1", True), ("db-9", False)])
async def test_a_target_is_known_by_its_authority(tmp_path: Path, target: Target, principal: str, lets: bool) -> None:
    keygen(tmp_path / "ca")
    own = Target(tmp_path / "own")
    own.directory.mkdir()
    keygen(own.directory / "host_key")
    certificate = sign(tmp_path / "ca", own.directory / "host_key", principal)
    own.start(f"HostCertificate {certificate}")
    try:
        own.known_hosts.write_text(f"@cert-authority [127.0.0.1]:{own.port} {(tmp_path / 'ca.pub').read_text()}")
        async with open_site(own, tmp_path) as site:
            await site.grant()
            status, out, error = await site.ssh("echo in")
            assert (status, out) == ((0, b"in\n") if lets else (255, b""))
            if not lets:
                assert "cannot reach web-1" in error
                assert "host key" in (await site.facts("upstream.failed"))[0].payload["why"]
    finally:
        own.stop()


async def test_a_revoked_host_key_is_refused(tmp_path: Path, target: Target) -> None:
    own = Target(tmp_path / "own")
    own.start()
    try:
        own.known_hosts.write_text(
            own.known_hosts.read_text() + f"@revoked * {(own.directory / 'host_key.pub').read_text()}"
        )
        async with open_site(own, tmp_path) as site:
            await site.grant()
            assert (await site.ssh("echo in"))[:2] == (255, b"")
    finally:
        own.stop()


async def test_the_gateway_shows_a_certificate(tmp_path: Path, target: Target) -> None:
    """People's known_hosts name the authority only."""
    keygen(tmp_path / "ca")
    keygen(tmp_path / "gate")
    certificate = sign(tmp_path / "ca", tmp_path / "gate", "127.0.0.1").read_text()
    async with open_site(target, tmp_path) as site:
        own = replace(site.gateway.settings, host_key=(tmp_path / "gate").read_text(), host_certificate=certificate)
        ports, given = site.gateway.ports, site.gateway
        gateway = SshGateway(ports, site.keys, own, given.resources, given.policy, {"web-1": given._masking["web-1"]})
        await gateway.start()
        try:
            await site.grant()
            known = tmp_path / "known"
            known.write_text(f"@cert-authority [127.0.0.1]:{gateway.port} {(tmp_path / 'ca.pub').read_text()}")
            process = await asyncio.create_subprocess_exec(
                "ssh", "-F", "none", "-p", str(gateway.port), "-i", str(await site.key()), "-o", "BatchMode=yes",
                "-o", f"UserKnownHostsFile={known}", "-o", "StrictHostKeyChecking=yes", "web-1@127.0.0.1", "echo in",
                stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            assert (await process.communicate())[0] == b"in\n"
        finally:
            await gateway.stop()
        for wrong in ("not a certificate", asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()):
            with pytest.raises((ValueError, ExceptionGroup)):
                await SshGateway(
                    ports, site.keys, Settings(host_key=own.host_key, host_certificate=wrong), {}, given.policy, {}
                ).start()
