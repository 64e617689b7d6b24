"""Single commands with OpenSSH's own client: allow, hold, deny, masks, exactly once, everything recorded."""

from __future__ import annotations


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
