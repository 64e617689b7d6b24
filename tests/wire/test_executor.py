"""A single command, asked for in chat and run by the gateway's own client."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from access.actors import Actor
from access.errors import Denied, Invalid
from access.ports import Outcome
from access.requests import Choice, Grant
from access.scopes import Once
from proxy.masking.plan import Masker
from proxy.postgres.client import Executor, Listener
from proxy.postgres.judge import Judge
from tests.fakes.world import ANN, DANA, PLACE
from tests.wire.conftest import MASK
from tests.wire.site import Site


def _judge(site: Site) -> Judge:
    gateway = site.gateway
    assert gateway.catalogs is not None
    return Judge(
        lambda: gateway.catalogs,  # type: ignore[arg-type, return-value]
        lambda _, catalog: Masker(MASK, catalog, b"k" * 32),
        gateway.policy,
        gateway.ports.clock,
    )


async def _approved(site: Site, text: str) -> tuple[Grant, Callable[[], object]]:
    evidence = await _judge(site).describe(Actor(DANA.id), DANA, site.resource, text)
    asked = await site.desk.ask_command(Actor(DANA.id), site.resource.name, evidence, "INC-1", "", PLACE)
    await site.desk.review(asked.request.id, 1, ANN.id, Choice.APPROVE)
    grant = (await site.store.read(lambda tx: tx.grants(request=asked.request.id)))[0]
    await site.book.refresh()
    executor = Executor(site.credentials, lambda: Listener("127.0.0.1", site.gateway.port))
    return grant, partial(executor.run, asked.request, grant, DANA, site.resource)


async def _run(run: Callable[[], object]) -> Outcome:
    outcome = await run()  # type: ignore[misc]
    assert isinstance(outcome, Outcome)
    return outcome


async def test_an_approved_update_runs_once(site: Site):
    grant, run = await _approved(site, "UPDATE scratch SET value = 'new' WHERE id = 3 RETURNING id, value")
    assert isinstance(grant.scope, Once)
    outcome = await _run(run)
    assert outcome.ok and outcome.tag == "UPDATE 1" and outcome.columns == ("id", "value")
    assert outcome.rows == (("3", "new"),) and outcome.total == 1 and outcome.session.startswith("ses_")
    again = await _run(run)
    assert not again.ok
    row = await site.store.read(lambda tx: tx.grant(grant.id))
    assert row is not None and row.state.value == "succeeded"
    async with await site.direct() as connection:
        found = await (await connection.execute("SELECT value FROM scratch WHERE id = 3")).fetchone()
    assert found == ("new",)


async def test_a_read_comes_back_masked_and_capped(site: Site):
    _, run = await _approved(site, "SELECT id, email FROM customers ORDER BY id")
    outcome = await _run(run)
    assert outcome.ok and outcome.total == 50 and len(outcome.rows) == 50
    assert all("@example.com" not in str(row) for row in outcome.rows)


async def test_an_error_of_the_server_is_an_outcome(site: Site):
    grant, run = await _approved(site, "INSERT INTO scratch VALUES (1, 'twice')")
    outcome = await _run(run)
    assert not outcome.ok and outcome.known and "duplicate key" in outcome.message
    row = await site.store.read(lambda tx: tx.grant(grant.id))
    assert row is not None and row.state.value == "failed"


async def test_another_text_than_the_approved_one_is_refused(site: Site):
    grant, _ = await _approved(site, "DELETE FROM scratch WHERE id = 5")
    other = await _judge(site).describe(Actor(DANA.id), DANA, site.resource, "DELETE FROM scratch WHERE id = 6")
    request = await site.store.read(lambda tx: tx.request(grant.request))
    assert request is not None
    executor = Executor(site.credentials, lambda: Listener("127.0.0.1", site.gateway.port))
    outcome = await executor.run(replace(request, evidence=other), grant, DANA, site.resource)
    assert not outcome.ok and "not the command that was approved" in outcome.message


async def test_a_gateway_that_is_not_there_ran_nothing(site: Site):
    grant, _ = await _approved(site, "DELETE FROM scratch WHERE id = 5")
    request = await site.store.read(lambda tx: tx.request(grant.request))
    assert request is not None
    outcome = await Executor(site.credentials, lambda: Listener("127.0.0.1", 1)).run(
        request, grant, DANA, site.resource
    )
    assert not outcome.ok and "was not run" in outcome.message


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", Invalid),
        ("SELECT 1; SELECT 2", Invalid),
        ("DELETE FROM", Invalid),
        ("BEGIN", Invalid),
        ("SET search_path = x", Invalid),
        ("COPY scratch FROM STDIN", Invalid),
        ("PREPARE x AS SELECT 1", Invalid),
    ],
)
async def test_what_is_not_one_command(site: Site, text: str, error: type[Exception]):
    assert site.gateway.catalogs is not None
    with pytest.raises((error, Denied)):
        await _judge(site).describe(Actor(DANA.id), DANA, site.resource, text)


async def test_a_grant_that_is_over_runs_nothing(site: Site):
    grant, run = await _approved(site, "DELETE FROM scratch WHERE id = 5")
    await site.desk.revoke(grant.id, ANN.id, "changed my mind")
    await site.book.refresh()
    outcome = await _run(run)
    assert not outcome.ok and "no live grant" in outcome.message


@pytest.mark.parametrize(
    "text",
    [
        "VACUUM scratch",
        "VACUUM (ANALYZE) scratch",
        "CREATE INDEX CONCURRENTLY scratch_value ON scratch (value)",
        "REINDEX TABLE CONCURRENTLY scratch",
        "ANALYZE scratch",
    ],
)
async def test_what_cannot_run_in_a_transaction_runs_alone(site: Site, text: str):
    """An approved write normally runs in a transaction that lifts READ ONLY; these refuse to run in any."""
    grant, run = await _approved(site, text)
    outcome = await _run(run)
    assert outcome.ok, str(outcome.message)
    assert outcome.tag == text.partition(" ")[0] or outcome.tag in {"CREATE INDEX", "REINDEX"}
    row = await site.store.read(lambda tx: tx.grant(grant.id))
    assert row is not None and row.state.value == "succeeded"
    assert not (await _run(run)).ok


async def test_a_warning_of_the_server_is_told_with_the_success(site: Site):
    """Whoever may not vacuum a table is told so in a warning, and the command succeeds. Masked: its text may be anything."""
    _, run = await _approved(site, "DO $$ BEGIN RAISE WARNING 'skipping %', 'it'; END $$")
    outcome = await _run(run)
    assert outcome.ok and outcome.message and "skipping it" not in outcome.message
