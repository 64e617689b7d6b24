from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from access.errors import Conflict, Unavailable
from access.masking import Masked
from access.ports import Outcome
from access.requests import GrantState
from bot.cards import Do, Table
from bot.executing import Runner
from tests.bot.stage import Stage, token_of, words
from tests.fakes.world import ANN, DANA
from tests.patience import LONG

COMMAND = "exec prod-db --reason fix -- UPDATE customers SET note = 'x' WHERE id = 7"


async def approved(stage: Stage) -> str:
    request = await stage.asked(COMMAND)
    await stage.press(ANN, token_of(stage.chat.in_channel("command")[0].card, Do.APPROVE))
    return request


async def test_an_approved_command_runs_once_and_its_masked_result_is_in_the_thread_and_with_the_requester(
    stage: Stage,
) -> None:
    request = await approved(stage)
    await stage.settle()
    assert len(stage.executor.runs) == 1
    (result,) = stage.chat.in_channel("result")
    assert result.thread == stage.head(request)
    table = next(block for block in result.card.blocks if isinstance(block, Table))
    assert table.columns == ("id", "email")
    assert table.rows == (("7", "d***@***"), ("8", None))
    assert "UPDATE 1" in words(result.card)
    assert "d***@***" in words(stage.chat.to(DANA, "result")[0].card)
    assert not stage.credentials.issued, "a command hands no credential to the person"


async def test_two_runners_run_it_once(stage: Stage) -> None:
    await approved(stage)
    other = Runner(stage.store, stage.bot, stage.executor, stage.entropy)
    await asyncio.gather(stage.runner.step(), other.step())
    await stage.settle()
    assert len(stage.executor.runs) == 1


async def test_a_restart_after_the_claim_never_runs_it_and_the_grant_expires_unused(quick: Stage) -> None:
    await approved(quick)
    await quick.runner._next()
    quick.restart()
    await quick.settle()
    assert not quick.executor.runs
    quick.clock.advance(24 * 3600)
    await quick.world.desk.tick()
    await quick.settle()
    assert quick.chat.in_channel("command")[0].card.state.word == "Approved, never ran"


@pytest.mark.parametrize("error", [Unavailable("The gateway does not answer."), OSError("reset")])
async def test_a_failure_before_the_consumption_is_stated_as_not_run(quick: Stage, error: Exception) -> None:
    quick.executor.fails_before = error
    request = await approved(quick)
    await quick.settle()
    (result,) = quick.chat.in_channel("result")
    assert result.card.state.word == "Failed"
    assert (await quick.world.grants(request))[0].state is GrantState.ACTIVE  # type: ignore[arg-type]
    assert "reset" not in words(result.card)
    assert len(quick.executor.runs) == 1, "never retried"


@pytest.mark.parametrize("error", [Unavailable("The gateway went away."), OSError("reset")])
async def test_a_failure_after_the_consumption_is_unknown_and_never_run_again(quick: Stage, error: Exception) -> None:
    quick.executor.fails_after = error
    await approved(quick)
    for _ in range(3):
        quick.restart()
        await quick.settle()
    (result,) = quick.chat.in_channel("result")
    assert result.card.state.word == "Outcome unknown"
    assert "look before you repeat it" in words(result.card)
    assert len(quick.executor.runs) == 1


async def test_an_error_of_the_target_is_shown_masked(quick: Stage) -> None:
    quick.executor.outcome = Outcome(False, "", message=Masked("ERROR: duplicate key (***)"))
    await approved(quick)
    await quick.settle()
    (result,) = quick.chat.in_channel("result")
    assert result.card.state.word == "Failed"
    assert "duplicate key (***)" in words(result.card)


async def test_a_large_result_is_cut_to_twenty_rows_and_eight_columns_and_says_so(quick: Stage) -> None:
    columns = tuple(Masked(f"c{number}") for number in range(12))
    rows = tuple(tuple(Masked("x" * 500) for _ in columns) for _ in range(100))
    quick.executor.outcome = Outcome(True, "SELECT 1000", columns, rows, 1000)
    await approved(quick)
    await quick.settle()
    table = next(b for b in quick.chat.in_channel("result")[0].card.blocks if isinstance(b, Table))
    assert (len(table.rows), len(table.columns)) == (20, 8)
    assert table.note == "20 of 1000 rows, 8 of 12 columns"
    assert all(len(cell or "") <= 120 for row in table.rows for cell in row)


async def test_a_requester_who_left_meanwhile_runs_nothing(quick: Stage) -> None:
    await approved(quick)
    quick.world.deactivate(DANA)
    await quick.settle()
    assert not quick.executor.runs
    assert "not active" in words(quick.chat.in_channel("result")[0].card)


async def test_a_resource_that_is_gone_runs_nothing(quick: Stage) -> None:
    await approved(quick)
    del quick.world.resources["prod-db"]
    await quick.settle()
    assert not quick.executor.runs


async def test_a_revoked_grant_is_not_run(quick: Stage) -> None:
    request = await approved(quick)
    grant = (await quick.world.grants(request))[0]  # type: ignore[arg-type]
    await quick.world.desk.revoke(grant.id, ANN.id, "no")
    await quick.settle()
    assert not quick.executor.runs


async def test_standing_access_and_held_statements_are_nothing_to_run(quick: Stage) -> None:
    grant = await quick.live()
    session = await quick.session(grant)
    held = await quick.world.hold(session.id)
    await quick.world.approve(held)
    await quick.settle()
    assert not quick.executor.runs


async def test_an_outcome_that_cannot_be_recorded_is_logged_and_not_run_again(
    quick: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    await approved(quick)
    real = quick.store.transact
    fails = [False]

    async def run(*arguments: Any) -> Any:
        quick.executor.runs.append(arguments[1].id)
        fails[0] = True
        return replace(quick.executor.outcome)

    async def transact(work: Callable[[Any], Any]) -> Any:
        if fails[0]:
            raise Conflict("full")
        return await real(work)

    quick.executor.run = run  # type: ignore[method-assign, assignment]
    quick.store.transact = transact  # type: ignore[method-assign]
    await quick.runner.step()
    assert "could not be recorded" in caplog.text
    assert len(quick.executor.runs) == 1


async def test_the_loop_runs_until_cancelled_and_survives_errors(
    quick: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("bot.loops.TROUBLE_SECONDS", 0.01)
    await approved(quick)
    real = quick.store.read
    fails = [Unavailable("locked"), RuntimeError("bug")]

    async def read(work: Callable[[Any], Any]) -> Any:
        if fails:
            raise fails.pop()
        return await real(work)

    quick.store.read = read  # type: ignore[method-assign]
    await _until(quick.runner.run, lambda: bool(quick.executor.runs))
    assert "bug" in caplog.text
    assert "locked" in caplog.text


async def _until(run: Callable[[], Coroutine[Any, Any, None]], done: Callable[[], bool]) -> None:
    async with asyncio.timeout(LONG), asyncio.TaskGroup() as group:
        task = group.create_task(run())
        while not done():  # noqa: ASYNC110 - nothing signals the end of a fake's work
            await asyncio.sleep(0.005)
        task.cancel()
