"""What an owner wants to know of a server that is reached by SSH: who it says it is, whether the gateway gets in, and as what."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import asyncssh

from access.resources import Resource, Upstream
from proxy.problems import SERIOUS, Problem
from proxy.ssh.login import fingerprint
from proxy.ssh.upstream import CONNECT_SECONDS, Pool, UpstreamUnreachable


@dataclass(frozen=True, slots=True)
class Examined:
    """`notes` are facts, `problems` what an owner may want to change."""

    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


async def examine(pool: Pool, resource: Resource) -> Examined:
    """Look at the server as the gateway would; the only thing that runs there is `id -u`."""
    upstream = resource.upstream
    try:
        shown = await _host_key(upstream)
    except (OSError, asyncssh.Error, TimeoutError) as problem:
        words = f"{upstream.host}:{upstream.port} shows no host key ({type(problem).__name__})."
        return Examined(problems=(Problem(SERIOUS, words, "Nothing listens there, or it is no SSH server."),))
    line = f"{_pattern(upstream)} {shown.export_public_key().decode().split(' #')[0].strip()}"
    says = f"{upstream.host}:{upstream.port} shows the host key {fingerprint(shown.public_data)}"
    try:
        async with pool.lease(resource) as connection:
            answer = await connection.run("id -u", encoding="utf-8", timeout=CONNECT_SECONDS)
            root = str(answer.stdout).strip() == "0"
    except UpstreamUnreachable as problem:
        why = f"When it is the one that `ssh-keygen -lf` prints on the server itself, this is its line for {upstream.known_hosts}:\n         {line}"
        return Examined((f"{says}.",), (Problem(SERIOUS, f"{problem}.", why if "host key" in str(problem) else _HINT),))
    except (asyncssh.Error, OSError, TimeoutError) as problem:
        return Examined(
            (f"{says}.",),
            (Problem(SERIOUS, f"It runs nothing ({type(problem).__name__}).", "Look at its shell and limits."),),
        )
    notes = (f"{says}, which {upstream.known_hosts} knows.", f"{upstream.user} is let in.")
    if not root:
        return Examined(notes)
    why = "Nothing on the server limits what gets past the gateway, and an approved command can do anything: use an account with few rights."
    return Examined(notes, (Problem(SERIOUS, f"The gateway logs in as {upstream.user}, who is root there.", why),))


_HINT = "The server's own log (journalctl -u ssh) says more."


async def _host_key(upstream: Upstream) -> asyncssh.SSHKey:
    async with asyncio.timeout(CONNECT_SECONDS):
        key = await asyncssh.get_server_host_key(upstream.host, upstream.port, config=None)
    if key is None:
        raise OSError("no key")
    return key


def _pattern(upstream: Upstream) -> str:
    return upstream.host if upstream.port == 22 else f"[{upstream.host}]:{upstream.port}"
