"""The demo's small server, where there is no sshd: commands as sshd runs them, one key only."""

from __future__ import annotations

from pathlib import Path

import asyncssh
import pytest

from app.demo import ssh_host


async def test_without_sshd_a_small_one_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_host, "sshd_program", lambda: None)
    async with ssh_host.ssh_host(tmp_path) as server:
        known = str(server.folder / "known_hosts")
        key = str(server.folder / "gateway_key")
        async with asyncssh.connect("127.0.0.1", server.port, known_hosts=known, client_keys=[key], config=None) as to:
            result = await to.run(f"tail -n 1 {server.log}; cat; exit 4", input="typed")
            assert (result.exit_status, str(result.stdout).splitlines()[-1]) == (4, "typed")
            assert (await to.run()).exit_status == 1  # no shells
            async with to.start_sftp_client() as files:
                assert await files.exists(str(server.log))
        with pytest.raises(asyncssh.PermissionDenied):
            await asyncssh.connect(
                "127.0.0.1", server.port, known_hosts=known, client_keys=[str(server.folder / "host_key")], config=None
            )
