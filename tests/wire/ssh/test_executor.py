"""`/hoop exec web-1 -- …`: described before it is asked for, then run once by the gateway's own client."""

from __future__ import annotations

from pathlib import Path

import pytest

from access.actors import Actor
from access.errors import Denied, Invalid
from access.policy import Action, Policy, Rule
from access.ports import Outcome
from access.requests import AccessRequest, Choice, Place, RequestState
from access.resources import Protocol, Resource, Upstream
from app.by_protocol import Judges
from proxy.ssh.client import Executor, Listener
from proxy.ssh.judge import Judge
from tests.fakes.world import ANN, DANA
from tests.wire.ssh.site import Site

DANA_SELF = Actor(DANA.id, display="Dana")


async def asked(site: Site, text: str, policy: Policy | None = None) -> AccessRequest:
    judge = Judge(site.gateway.detectors, policy or site.gateway.policy, site.gateway.ports.clock)
    evidence = await judge.describe(DANA_SELF, DANA, site.resource, text)
    return (await site.desk.ask_command(DANA_SELF, "web-1", evidence, "a test", "", Place())).request


async def run(site: Site, request: AccessRequest) -> Outcome:
    decided = await site.desk.review(request.id, request.revision, ANN.id, Choice.APPROVE)
    assert decided.state is RequestState.APPROVED
    [grant] = await site.store.read(lambda tx: tx.grants(request=request.id))
    await site.book.refresh()
    executor = Executor(
        site.credentials, lambda: Listener("127.0.0.1", site.gateway.port, " ".join(site.host_key.split()[:2]))
    )
    return await executor.run(decided, grant, DANA, site.resource)


async def test_it_runs_once_and_brings_masked_output(site: Site, tmp_path: Path) -> None:
    made = tmp_path / "made"
    text = f"mkdir {made} && echo someone@example.com && echo done"
    outcome = await run(site, await asked(site, text))
    assert outcome.ok
    assert outcome.tag == "exit status 0"
    assert outcome.columns == ("output",)
    assert "someone@example.com" not in str(outcome.rows)
    assert outcome.rows[-1] == ("done",)
    assert outcome.total == 2
    assert made.is_dir()
    assert outcome.session == (await site.store.read(lambda tx: tx.sessions()))[0].id
    await site.gone()
    assert "grant.used" in await site.kinds()


async def test_a_failure_is_told(site: Site) -> None:
    outcome = await run(site, await asked(site, "ls /nowhere-at-all"))
    assert not outcome.ok
    assert outcome.known
    assert outcome.tag == "exit status 2"
    assert "nowhere-at-all" in outcome.message


async def test_somebody_elses_gateway_is_not_trusted(site: Site, tmp_path: Path) -> None:
    request = await asked(site, f"mkdir {tmp_path}/made")
    decided = await site.desk.review(request.id, request.revision, ANN.id, Choice.APPROVE)
    [grant] = await site.store.read(lambda tx: tx.grants(request=request.id))
    other = (site.target.directory / "host_key.pub").read_text()
    executor = Executor(site.credentials, lambda: Listener("127.0.0.1", site.gateway.port, other.strip()))
    outcome = await executor.run(decided, grant, DANA, site.resource)
    assert not outcome.ok
    assert "was not run" in outcome.message
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("text", ["", "ls )", "ls \u202e", "ls\x00", "ls\r", "scp -t /tmp", "rsync --server . /"])
async def test_what_is_not_even_asked(site: Site, text: str) -> None:
    with pytest.raises((Denied, Invalid)):
        await asked(site, text)


async def test_a_deny_rule_is_not_asked_around(site: Site) -> None:
    policy = Policy(rules=(Rule("no-deletes", Action.DENY, "Not here.", verbs=("RM",)),))
    with pytest.raises(Denied, match="Not here"):
        await asked(site, "true; rm /tmp/x", policy)


async def test_the_protocol_of_the_resource_decides(site: Site) -> None:
    class Postgres:
        async def describe(self, *_: object) -> str:
            return "sql"

    judges = Judges(Postgres(), Judge(site.gateway.detectors, site.gateway.policy, site.gateway.ports.clock))  # type: ignore[arg-type]
    database = Resource("db", Protocol.POSTGRES, Upstream("h", 1, "u", "d"))
    assert str(await judges.describe(DANA_SELF, DANA, database, "ls")) == "sql"
    assert (await judges.describe(DANA_SELF, DANA, site.resource, "ls")).shown == "ls"
