"""What an approver looks at runs through the gateway: judged, recorded, read only, for a second at most."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from access.actors import Actor
from access.errors import Denied, HoopError, Invalid
from access.explain import Estimate
from access.ports import Outcome
from access.requests import RequestState
from approval_flows.flow import Limits
from proxy.masking.plan import Masker
from proxy.postgres.client import Executor, Listener
from proxy.postgres.judge import Judge
from tests.fakes.world import ANN, DANA, PLACE
from tests.wire.conftest import MASK
from tests.wire.site import Site


def judge_of(site: Site, *, strict: bool = False) -> Judge:
    gateway = site.gateway
    assert gateway.catalogs is not None
    mask = replace(MASK, strict=True) if strict else MASK
    return Judge(
        lambda: gateway.catalogs,  # type: ignore[arg-type, return-value]
        lambda _, catalog: Masker(mask, catalog, b"k" * 32),
        gateway.policy,
        gateway.ports.clock,
    )


async def look(site: Site, text: str, what: Estimate) -> Outcome:
    """As `bot.estimating` does it, in Ann's name."""
    judge = judge_of(site)
    evidence = await judge.describe(Actor(DANA.id), DANA, site.resource, text)
    asked = await site.desk.ask_command(Actor(DANA.id), site.resource.name, evidence, "INC-1", "", PLACE)
    read = await judge.estimate(Actor(ANN.id), ANN, site.resource, text, what)
    site.desk._office = replace(site.desk._office, limits=Limits(estimates=frozenset(Estimate)))
    probe, grant = await site.desk.look(asked.request.id, 1, ANN.id, what, read)
    await site.book.refresh()
    executor = Executor(site.credentials, lambda: Listener("127.0.0.1", site.gateway.port))
    assert probe.evidence is not None
    outcome = await executor.look(grant, ANN, site.resource, probe.evidence.exact.reveal())
    again = await executor.look(grant, ANN, site.resource, probe.evidence.exact.reveal())
    assert not again.ok, "once"
    row = await site.store.read(lambda tx: tx.request(asked.request.id))
    assert row is not None and row.state is RequestState.PENDING
    await site.desk.cancel(row.id, DANA.id)
    return outcome


async def test_the_plan_of_a_change_that_never_runs(site: Site):
    outcome = await look(site, "DELETE FROM orders WHERE id < 10", Estimate.PLAN)
    assert outcome.ok, outcome.message
    plan = json.loads("\n".join(str(row[0]) for row in outcome.rows))[0]["Plan"]
    assert (plan["Operation"], plan["Relation Name"]) == ("Delete", "orders")
    async with await site.direct() as connection:
        assert await (await connection.execute("SELECT count(*) FROM orders WHERE id < 10")).fetchone() != (0,)
    events = await site.store.read(lambda tx: tx.events(kinds=["statement.allowed", "session.opened"]))
    mine = [event for event in events if event.actor == ANN.id]
    assert mine, "it is recorded as a read of hers"


async def test_the_rows_it_touches_now(site: Site):
    outcome = await look(site, "UPDATE customers SET note = 'x' WHERE id <= 7 RETURNING id", Estimate.ROWS)
    assert outcome.ok and outcome.rows == (("7",),), outcome
    async with await site.direct() as connection:
        found = await (await connection.execute("SELECT count(*) FROM customers WHERE note = 'x'")).fetchone()
    assert found == (0,)


async def test_the_server_ends_it_after_a_second(site: Site):
    slow = "SELECT count(*) FROM generate_series(1, 200000000) AS g(i) WHERE i % 7 = 3"
    outcome = await look(site, slow, Estimate.ROWS)
    assert not outcome.ok
    assert "statement timeout" in outcome.message


VOLATILE = [
    "DELETE FROM orders WHERE random() < 0.5",
    "DELETE FROM orders WHERE pg_sleep(1) IS NULL",
    "UPDATE orders SET total = 1 WHERE nextval('orders_id_seq') > 0",
    "UPDATE orders SET total = 1 WHERE clock_timestamp() > now()",
    "DELETE FROM orders USING random() AS r WHERE r < 0.5",
]


@pytest.mark.parametrize("what", Estimate)
@pytest.mark.parametrize("text", VOLATILE)
async def test_nothing_volatile_is_run_to_estimate(site: Site, text: str, what: Estimate):
    with pytest.raises(HoopError):
        await judge_of(site).estimate(Actor(ANN.id), ANN, site.resource, text, what)


async def test_rows_are_not_locked_to_be_counted(site: Site):
    with pytest.raises(HoopError):
        await judge_of(site).estimate(
            Actor(ANN.id), ANN, site.resource, "SELECT id FROM orders FOR UPDATE", Estimate.ROWS
        )


async def test_no_word_of_the_text_becomes_an_option(site: Site):
    for text in ("ANALYZE orders", "ANALYZE DELETE FROM orders", "VERBOSE SELECT 1", "(ANALYZE) DELETE FROM orders"):
        with pytest.raises(HoopError):
            await judge_of(site).estimate(Actor(ANN.id), ANN, site.resource, text, Estimate.PLAN)


LEAKS = [
    "DELETE FROM customers WHERE email LIKE 'a%'",
    "UPDATE customers SET note = 'x' WHERE email < 'm'",
    "UPDATE customers SET note = 'x' WHERE email = 'person1@example.com'",
    "SELECT id FROM customers WHERE email < 'm'",
    "DELETE FROM orders WHERE customer IN (SELECT id FROM customers WHERE email < 'm')",
]


@pytest.mark.parametrize("what", Estimate)
@pytest.mark.parametrize("text", LEAKS)
async def test_estimates_tell_nothing_of_protected_columns_in_strict_mode(site: Site, text: str, what: Estimate):
    with pytest.raises(Denied) as refused:
        await judge_of(site, strict=True).estimate(Actor(ANN.id), ANN, site.resource, text, what)
    assert refused.value.rule == "masking"


async def test_a_policy_that_refuses_her_the_read_refuses_the_look(site: Site):
    with pytest.raises((Denied, Invalid)):
        await judge_of(site).estimate(Actor(ANN.id), ANN, site.resource, "SELECT * FROM pg_authid", Estimate.ROWS)
