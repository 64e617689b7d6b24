"""Single commands with OpenSSH's own client: allow, hold, deny, masks, exactly once, everything recorded."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

from access.requests import Choice, RequestState
from access.scopes import Write
from tests.fakes.world import DANA
from tests.patience import LONG, SOON
from tests.wire.ssh.site import Site


async def test_a_read_runs_at_once(site: Site) -> None:
    await site.grant()
    status, out, error = await site.ssh("echo hello; ls /nowhere-at-all")
    assert (status, out) == (2, b"hello\n")
    assert "/nowhere-at-all" in error
    entries = await site.recorded()
    ran = next(entry for entry in entries if entry.number == 1)
    assert ran.text == "echo hello; ls /nowhere-at-all"
    assert ran.outcome == "exit status 2"
    assert ran.verdict == "allow"
    assert ran.rows[0] == ("hello",)
    assert not await site.facts("statement.allowed")  # a plain read is in the recording only


async def test_without_a_grant_the_terminal_says_what_to_do(site: Site) -> None:
    status, out, error = await site.ssh("ls")
    assert (status, out) == (126, b"")
    assert "No live grant on web-1." in error
    assert "/hoop request web-1" in error
    assert "statement.refused" in await site.kinds()


async def test_a_refusal_keeps_the_connection(site: Site, tmp_path: Path) -> None:
    await site.grant()
    mux = ("-o", "ControlMaster=auto", "-o", f"ControlPath={tmp_path}/mux", "-o", "ControlPersist=20")
    victim = tmp_path / "victim"
    victim.mkdir()
    refused = await site.ssh(f"rm -rf {victim}", options=mux)
    allowed = await site.ssh("echo still here", options=mux)
    assert refused[0] == 126
    assert "RM on" in refused[2]
    assert victim.exists()
    assert allowed[:2] == (0, b"still here\n")
    assert len(site.gateway.sessions) == 1
    await site.ssh("-O", options=("-O", "exit", *mux))


async def test_a_held_command_waits_and_runs_once(site: Site, tmp_path: Path) -> None:
    await site.grant()
    made = tmp_path / "made"
    process = await site.start(f"mkdir {made}")
    request = await site.pending()
    assert request.evidence is not None
    assert request.evidence.shown == f"mkdir {made}"
    assert request.evidence.complete
    assert not made.exists()
    await site.decide()
    _, error = await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 0
    assert made.is_dir()
    assert f"held for approval: {request.id}" in error.decode()
    await site.gone()
    assert "grant.used" in await site.kinds()
    [outcome] = await site.facts("statement.completed")
    assert outcome.payload["outcome"] == "succeeded"


async def test_a_denied_command_is_not_run(site: Site, tmp_path: Path) -> None:
    await site.grant()
    made = tmp_path / "made"
    process = await site.start(f"mkdir {made}")
    await site.decide(Choice.DENY, "not on a Friday")
    _, error = await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 126
    assert "not on a Friday" in error.decode()
    assert not made.exists()


async def test_going_away_takes_the_request_back(site: Site, tmp_path: Path) -> None:
    await site.grant()
    process = await site.start(f"mkdir {tmp_path}/made")
    await site.pending()
    process.terminate()
    await process.wait()
    async with asyncio.timeout(LONG):
        while not await site.store.read(lambda tx: tx.requests(states=[RequestState.CANCELLED])):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert not (tmp_path / "made").exists()


async def test_what_was_approved_is_what_runs(site: Site, tmp_path: Path) -> None:
    """A single-use grant is for exact bytes: a blank, a suffix or a second time is something else."""
    made = tmp_path / "made"
    line = f"mkdir {made}"
    async with await site.connect(*await site.once(line)) as connection:
        for other in (f" {line}", f"{line} ", f"{line}; id", f"{line}\n", f"mkdir  {made}", f"mkdir {made}x", "mkdir"):
            refused = await connection.run(other)
            assert refused.exit_status == 126, other
            assert "not the command that was approved" in str(refused.stderr)
        assert not made.exists()
        both = await asyncio.gather(connection.run(line), connection.run(line))
        assert sorted(one.exit_status or 0 for one in both) == [0, 126]
        made.rmdir()
        assert (await connection.run(line)).exit_status == 126
        assert not made.exists()


async def test_masks_across_writes(site: Site) -> None:
    await site.grant()
    status, out, _ = await site.ssh("echo one; echo mail to someone@example.com; echo two >&2")
    assert status == 0
    assert b"someone@example.com" not in out
    assert out.startswith(b"one\nmail to ")
    entries = await site.recorded()
    assert "someone@example.com" not in repr(entries)
    assert next(entry for entry in entries if entry.number).masked >= 1


async def test_a_value_split_over_reads_is_masked(site: Site) -> None:
    await site.grant(Write())
    process = await site.start("printf someone@exam; sleep 0.2; printf 'ple.com\\n'")
    out, _ = await asyncio.wait_for(process.communicate(), 10)
    assert b"someone@example.com" not in out
    assert out.endswith(b"\n")


async def test_input_and_binary_output_pass_unchanged(site: Site) -> None:
    await site.grant()
    data = bytes(range(256)) * 4000
    status, out, _ = await site.ssh("cat", stdin=data)
    assert status == 0
    assert out == data
    status, out, _ = await site.ssh("sha256sum", stdin=data)
    assert out.split()[0] == hashlib.sha256(data).hexdigest().encode()


async def test_utf8_passes_unchanged(site: Site) -> None:
    await site.grant()
    text = "größe 日本 \U0001f680\n" * 3000
    _, out, _ = await site.ssh("cat", stdin=text.encode())
    assert out.decode() == text


async def test_all_of_the_output_comes_before_the_status(site: Site) -> None:
    """A slow reader gets everything: the status is sent when the last byte has left."""
    await site.grant()
    process = await site.start("head -c 8000000 /dev/zero; false")
    assert process.stdout is not None
    await asyncio.sleep(0.7)
    size = 0
    while chunk := await process.stdout.read(65536):
        size += len(chunk)
    assert await process.wait() == 1
    assert size == 8_000_000


async def test_large_output_is_counted_and_hashed(site: Site) -> None:
    await site.grant()
    await site.ssh("head -c 6000000 /dev/zero")
    entries = await site.recorded()
    ran = next(entry for entry in entries if entry.number == 1)
    digest = hashlib.sha256(bytes(6_000_000)).hexdigest()
    assert any(digest in remark and "6000000" in remark for remark in ran.remarks)


async def test_a_signal_of_the_command_reaches_the_client(site: Site) -> None:
    await site.grant(Write())
    process = await site.start("kill -9 $$")
    await site.decide()
    await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 255  # as ssh itself says it


async def test_the_environment_does_not_pass(site: Site) -> None:
    line = "echo $LC_HOOP $LD_PRELOAD"
    async with await site.connect(*await site.once(line)) as connection:
        result = await connection.run(line, env={"LC_HOOP": "1", "LD_PRELOAD": "/x"})
        assert (result.exit_status, result.stdout) == (0, "\n")


async def test_parallel_channels_are_judged_each(site: Site, tmp_path: Path) -> None:
    await site.grant()
    mux = ("-o", "ControlMaster=auto", "-o", f"ControlPath={tmp_path}/mux", "-o", "ControlPersist=20")
    await site.ssh("true", options=mux)
    answers = await asyncio.gather(*(site.ssh(f"echo {n}; sleep 0.2", options=mux) for n in range(9)))
    assert [out for _, out, _ in answers] == [f"{n}\n".encode() for n in range(9)]
    await site.ssh("-O", options=("-O", "exit", *mux))


async def test_revocation_cuts_a_running_command(site: Site) -> None:
    grant = await site.grant()
    process = await site.start("sleep 30")
    await asyncio.sleep(0.5)
    began = asyncio.get_running_loop().time()
    await site.desk.revoke(grant.id, DANA.id, "enough")
    _, error = await asyncio.wait_for(process.communicate(), LONG)
    assert asyncio.get_running_loop().time() - began < SOON
    assert process.returncode not in {0, None}
    assert "revoked" in error.decode()
    await site.gone()
    [closed] = await site.facts("session.closed")
    assert "revoked" in closed.payload["why"]
