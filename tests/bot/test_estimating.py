"""What an approver may look at before deciding: the button, the private answer, and every way not to know."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from access.actors import Person
from access.explain import Estimate
from access.masking import declare_masked
from access.ports import Outcome
from access.requests import Grant, RequestState
from access.resources import Resource
from approval_flows.flow import Limits
from bot import estimating
from bot.cards import Card, Do, Snippet, plain
from bot.kit import Looks
from tests.bot.stage import FakeReply, Stage
from tests.fakes.world import ANN, BOB, DANA, EVE

TEXT = "DELETE FROM customers WHERE id < 9"
PLAN = [{"Plan": {"Node Type": "ModifyTable", "Operation": "Delete", "Relation Name": "customers", "Plan Rows": 0,
        "Total Cost": 8.5, "Plans": [{"Node Type": "Index Scan", "Relation Name": "customers", "Index Name": "pk",
        "Plan Rows": 1234, "Total Cost": 8.5, "Filter": "(id < 9)"}]}}]  # fmt: skip


def ok(*values: str) -> Outcome:
    return Outcome(
        True, "SELECT 1", (declare_masked("x"),), tuple((declare_masked(one),) for one in values), len(values)
    )


class Looking:
    """What the gateway answers."""

    def __init__(self, stage: Stage, *, on: frozenset[Estimate] = frozenset(Estimate)) -> None:
        self.asked: list[tuple[str, str]] = []
        self.answers = {"PLAN": ok(*json.dumps(PLAN, indent=1).splitlines()), "ROWS": ok("8")}
        self.raises: Exception | None = None
        self.waits = 0.0
        world = stage.world
        world.office = replace(world.office, limits=Limits(estimates=on))
        world.desk._office = world.office
        stage.kit = replace(stage.kit, looks=Looks(on, self.run))
        stage.handlers._kit = stage.kit

    async def run(self, grant: Grant, person: Person, resource: Resource, text: str) -> Outcome:
        self.asked.append((person.name, text))
        if self.raises:
            raise self.raises
        await asyncio.sleep(self.waits)
        return self.answers[text[:4]]


async def looked(stage: Stage, person: Person = ANN, text: str = TEXT) -> tuple[FakeReply, Card]:
    await stage.say(DANA, f"exec prod-db --reason INC-1 -- {text}")
    (row,) = await stage.world.requests(RequestState.PENDING)
    shown = (await stage.say(person, f"show {row.id}")).last
    button = next(one for one in shown.buttons if one.do is Do.ESTIMATE)
    return await stage.press(person, button.token), shown


def said(card: Card) -> dict[str, str]:
    return {field.label: plain(field.value) for field in card.fields}


async def test_the_one_who_asks_is_shown_rows_and_plan_in_private(stage: Stage) -> None:
    gateway = Looking(stage)
    reply, _ = await looked(stage)
    card = reply.last
    assert card.private
    assert said(card) == {
        "Rows it touches now": "8",
        "The server expects": "about 1,234 rows at most in a step, cost 8",
    }
    assert card.blocks == (
        Snippet("Delete on customers\n  Index Scan on customers using pk: 1,234 rows, cost 8", "Plan"),
    )
    assert gateway.asked == [("Ann", f"PLAN OF {TEXT}"), ("Ann", f"ROWS OF {TEXT}")]
    await stage.settle()
    assert stage.executor.runs == [], "a look is not a command"
    posted = [message.card for message in stage.chat.messages.values()]
    assert all("EXPLAIN" not in repr(one) and "OF DELETE" not in repr(one) for one in posted)
    assert len(stage.chat.in_channel("command")) == 1, "and has no card"
    (row,) = await stage.world.requests(RequestState.PENDING)
    assert row.revision == 1


async def test_what_is_off_is_not_offered(stage: Stage) -> None:
    Looking(stage, on=frozenset())
    await stage.say(DANA, f"exec prod-db --reason INC-1 -- {TEXT}")
    (row,) = await stage.world.requests(RequestState.PENDING)
    shown = (await stage.say(ANN, f"show {row.id}")).last
    assert Do.ESTIMATE not in {one.do for one in shown.buttons}
    Looking(stage, on=frozenset({Estimate.ROWS}))
    shown = (await stage.say(ANN, f"show {row.id}")).last
    button = next(one for one in shown.buttons if one.do is Do.ESTIMATE)
    assert said((await stage.press(ANN, button.token)).last) == {"Rows it touches now": "8"}


@pytest.mark.parametrize("person", [DANA, EVE])
async def test_nobody_else_is_offered_it(stage: Stage, person: Person) -> None:
    Looking(stage)
    await stage.say(DANA, f"exec prod-db --reason INC-1 -- {TEXT}")
    (row,) = await stage.world.requests(RequestState.PENDING)
    shown = (await stage.say(person, f"show {row.id}")).last
    assert Do.ESTIMATE not in {one.do for one in shown.buttons}


async def test_a_button_of_somebody_else_is_worth_nothing(stage: Stage) -> None:
    gateway = Looking(stage)
    _, shown = await looked(stage)
    button = next(one for one in shown.buttons if one.do is Do.ESTIMATE)
    gateway.asked.clear()
    for person in (BOB, EVE, DANA):
        await stage.press(person, button.token)
    assert gateway.asked == []


async def test_protected_columns_are_not_known_and_why(stage: Stage) -> None:
    gateway = Looking(stage)
    reply, _ = await looked(stage, text="DELETE FROM customers WHERE email < 'm'")
    assert set(said(reply.last).values()) == {"not known: It tests a protected column."}
    assert gateway.asked == []


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            Outcome(False, "", message=declare_masked("canceling statement due to statement timeout")),
            "statement timeout",
        ),
        (Outcome(True, "", known=False, message=declare_masked("The connection was lost")), "lost"),
        (Outcome(True, "SELECT 0"), "no answer"),
        (ok("many"), "could not be read"),
        (RuntimeError("secret"), "the log says how"),
    ],
)
async def test_whatever_fails_is_an_answer(stage: Stage, answer: Outcome | Exception, why: str) -> None:
    gateway = Looking(stage)
    if isinstance(answer, Exception):
        gateway.raises = answer
    else:
        gateway.answers = {"PLAN": answer, "ROWS": answer}
    reply, _ = await looked(stage)
    assert all(why in one and "secret" not in one for one in said(reply.last).values()), said(reply.last)
    (row,) = await stage.world.requests(RequestState.PENDING)
    await stage.say(ANN, f"approve {row.id}")
    assert (await stage.world.request(row.id)).state is RequestState.APPROVED


async def test_it_never_waits_long(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimating, "SECONDS", 0.01)
    Looking(stage).waits = 30
    reply, _ = await looked(stage)
    assert set(said(reply.last).values()) == {"not known: it took too long"}


async def test_more_than_is_counted(stage: Stage) -> None:
    gateway = Looking(stage, on=frozenset({Estimate.ROWS}))
    gateway.answers["ROWS"] = ok("100001")
    reply, _ = await looked(stage)
    assert said(reply.last) == {"Rows it touches now": "more than 100,000"}
