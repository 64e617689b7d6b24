"""Runbooks in conversation: pick, fill in, see, ask, watch, again, apply, roll back, stop."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from access.errors import Unavailable
from access.masking import Masked
from access.ports import Outcome
from access.requests import GrantState
from access.scopes import OfRunbook
from bot.cards import Do, FieldKind
from runbooks.catalog import Shelf
from runbooks.mirror import Head
from runbooks.parse import parse
from runbooks.transports import Origin
from tests.bot.stage import FakeReply, Stage, has, token_of, words
from tests.fakes.world import ANN, DANA, EVE

REFUND = """---
title: Refund an order
description: What support asks for.
lock: "refund {{ .order }}"
parameters:
  order: {type: integer, min: 1}
  why: {type: enum, options: [fraud, late], default: fraud}
---
-- step: Refund it
UPDATE orders SET status = 'refunded', why = {{ .why }} WHERE id = {{ .order }}
-- step: Look
SELECT * FROM orders WHERE id = {{ .order }}
-- rollback: Back
UPDATE orders SET status = 'paid' WHERE id = {{ .order }}
"""
PLAN = "-- dry run: Look\nSELECT 1\n-- step: Do\nUPDATE t SET a = 1 WHERE id = {{ .id }}"
OLD, NEW = "a" * 40, "b" * 40


@dataclass
class FakeMirror:
    commits: dict[str, dict[str, bytes]]

    @property
    def origin(self) -> Any:
        return Origin("ops", "https://github.com/acme/ops.git")

    def files(self, commit: str) -> tuple[dict[str, bytes], list[Any]]:
        if commit not in self.commits:
            raise Unavailable(f"The commit {commit[:12]} is not in the mirror.")
        return self.commits[commit], []


def publish(stage: Stage, commit: str = OLD, **files: str) -> None:
    """What the repository holds at a commit that becomes the branch's."""
    texts = {"refund": REFUND, "plan": PLAN, **files}
    data = {f"{name}.runbook.sql": text.encode() for name, text in texts.items()}
    mirror = stage.runbooks.mirrors.get("ops") or FakeMirror({})
    mirror.commits[commit] = data  # type: ignore[union-attr]
    stage.runbooks.mirrors = {"ops": mirror}  # type: ignore[dict-item]
    loaded = tuple(parse(path, text) for path, text in data.items())
    head = Head(commit, "Ann Admin", datetime(2026, 11, 20, tzinfo=UTC), "Reviewed")
    stage.runbooks.shelves["ops"] = Shelf(head, loaded)


@pytest.fixture
def runs(stage: Stage) -> Stage:
    publish(stage)
    return stage


async def asked(stage: Stage, command: str = "run refund order=7") -> str:
    """A run that was asked for; its request."""
    preview = (await stage.say(DANA, command)).last
    return await confirmed(stage, preview)


async def confirmed(stage: Stage, preview: Any) -> str:
    reply = await stage.press(DANA, token_of(preview, Do.START))
    assert reply.last.kind == "done", words(reply.last)
    await stage.settle()
    return (await stage.store.read(lambda tx: tx.requests(limit=1)))[0].id


async def done(stage: Stage, command: str = "run refund order=7") -> str:
    """A run that was approved and ended."""
    request = await asked(stage, command)
    await approve(stage)
    return request


async def approve(stage: Stage) -> None:
    await stage.press(ANN, token_of(stage.chat.in_channel("command")[-1].card, Do.APPROVE))
    await stage.settle()


def result(stage: Stage) -> Any:
    return stage.chat.in_channel("result")[-1]


async def test_the_list_has_what_there_is_and_the_callers_own_first(runs: Stage) -> None:
    card = (await runs.say(DANA, "run")).last
    assert card.kind == "runbooks"
    assert [words(replace(card, items=(item,))).count("ops/") for item in card.items] == [1, 1]
    await done(runs)
    assert "ops/refund" in str((await runs.say(DANA, "runbooks")).last.items[0])
    assert len((await runs.say(DANA, "runbooks support refund")).last.items) == 1
    assert not (await runs.say(DANA, "runbooks nothing like it")).last.items


async def test_a_complete_command_shows_what_will_run_and_asks_nobody_yet(runs: Stage) -> None:
    card = (await runs.say(DANA, "run refund order=7 why=late")).last
    said = words(card)
    assert card.private
    assert "Nothing has run yet" in said
    assert "WHERE id = $2 ('late', '7')" in said
    assert "aaaaaaaaaaaa by Ann Admin" in said
    assert not await runs.store.read(lambda tx: tx.requests())


async def test_an_incomplete_one_opens_the_form_the_file_makes(runs: Stage) -> None:
    form = (await runs.say(DANA, "run refund why=late")).form_
    assert [(f.name, f.kind, f.value, f.required) for f in form.fields[:2]] == [
        ("p_order", FieldKind.TEXT, "", True), ("p_why", FieldKind.CHOICE, "late", False),
    ]  # fmt: skip
    assert form.fields[0].error == "This is needed."
    again, _ = await runs.submit(DANA, form, p_order="7 OR 1=1")
    assert again is not None
    assert "whole number" in again.fields[0].error
    taken, reply = await runs.submit(DANA, form, p_order="7")
    assert taken is None
    assert reply.last.kind == "run_preview"


@pytest.mark.parametrize(("word", "chosen"), [("no", "false"), ("off", "false"), ("yes", "true"), ("1", "true")])
async def test_a_default_of_yes_or_no_is_chosen_in_the_form(stage: Stage, word: str, chosen: str) -> None:
    loud = f"  id: {{type: integer}}\n  loud: {{type: boolean, default: '{word}'}}\n"
    publish(
        stage, report=f"---\ntitle: Report\nparameters:\n{loud}---\nSELECT {{{{ .id }}}}, {{{{ .loud }}}}::boolean\n"
    )
    form = (await stage.say(DANA, "run report")).form_
    assert [(f.name, f.value) for f in form.fields[:2]] == [("p_id", ""), ("p_loud", chosen)]
    assert chosen in {option.value for option in form.fields[1].options}


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("run refund order=7 sql=x", "There is no such parameter"),
        ("run refun order=7", "Did you mean refund"),
        ("run refund order=7 order=8", "order is there twice"),
        ("run refund 7", "name=value"),
        ("run ../../etc/passwd", "There is no runbook"),
        ("run refund order=7 --on nowhere", "It runs on prod-db"),
    ],
)
async def test_what_cannot_be_meant_is_said(runs: Stage, command: str, said: str) -> None:
    assert said in words((await runs.say(DANA, command)).last)


async def test_a_run_from_asking_to_its_one_card(runs: Stage) -> None:
    request = await done(runs)
    card = result(runs).card
    assert result(runs).thread == runs.head(request)
    assert card.state.word == "Done"
    assert "2 of 2 steps done" in words(card)
    assert "d***@***" in words(card)
    assert runs.executor.steps[0][1] == ("fraud", "7")
    grant = (await runs.world.grants(request))[0]  # type: ignore[arg-type]
    assert grant.state is GrantState.SUCCEEDED
    assert has(card, Do.RERUN)
    assert has(card, Do.ROLLBACK)
    channel = words(runs.chat.in_channel("command")[0].card)
    assert "the runbook ops/refund on" in channel


async def test_two_clicks_are_one_request_and_a_stranger_has_none(runs: Stage) -> None:
    preview = (await runs.say(DANA, "run refund order=7")).last
    assert "somebody else" in words((await runs.press(EVE, token_of(preview, Do.START))).last)
    await confirmed(runs, preview)
    again = await runs.press(DANA, token_of(preview, Do.START))
    assert "asked already" in words(again.last)
    assert len(await runs.store.read(lambda tx: tx.requests())) == 1


async def test_a_draft_is_too_old_after_a_while(runs: Stage) -> None:
    preview = (await runs.say(DANA, "run refund order=7")).last
    runs.clock.advance(16 * 60)
    assert "too old" in words((await runs.press(DANA, token_of(preview, Do.START))).last)


async def test_what_was_approved_runs_from_its_commit_while_the_branch_moves(runs: Stage) -> None:
    await asked(runs)
    publish(runs, NEW, refund=REFUND.replace("'refunded'", "'stolen'"))
    await approve(runs)
    assert "'refunded'" in runs.executor.steps[0][0]
    card = (await runs.say(DANA, "run refund order=8")).last
    assert "⚠ Changed since its last run at aaaaaaaaaaaa" in words(card)


async def test_a_commit_that_vanished_runs_nothing(runs: Stage) -> None:
    request = await asked(runs)
    publish(runs, NEW)
    del runs.runbooks.mirrors["ops"].commits[OLD]  # type: ignore[attr-defined]
    await approve(runs)
    assert not runs.executor.steps
    assert "not in the mirror" in words(result(runs).card)
    assert (await runs.world.grants(request))[0].state is GrantState.ACTIVE  # type: ignore[arg-type]


async def test_the_step_that_fails_ends_it_and_says_how_far_it_came(runs: Stage) -> None:
    good = replace(runs.executor.outcome, columns=(), rows=())
    runs.executor.answers = [good, Outcome(False, "", message=Masked("ERROR: no such thing"))]
    await done(runs)
    said = words(result(runs).card)
    assert "1 of 2 steps done" in said
    assert "Step 2 of 2 (Look) did not succeed. Step 1 is done and stays done." in said
    assert "no such thing" in said
    assert has(result(runs).card, Do.ROLLBACK)


async def test_a_crash_leaves_a_stated_state_and_never_a_second_run(runs: Stage) -> None:
    runs.executor.fails_after = OSError("reset")
    await done(runs)
    for _ in range(2):
        runs.restart()
        await runs.settle()
    assert result(runs).card.state.word == "Outcome unknown"
    assert len(runs.executor.runs) == 1


async def test_apply_is_bound_to_its_dry_run_once_and_for_half_an_hour(runs: Stage) -> None:
    await done(runs, "run plan id=3")
    looked = result(runs).card
    assert runs.executor.steps == [("SELECT 1", ())]
    late = token_of(looked, Do.APPLY)
    preview = (await runs.press(DANA, late)).last
    await confirmed(runs, preview)
    await approve(runs)
    assert runs.executor.steps[1:] == [("UPDATE t SET a = 1 WHERE id = $1", ("3",))]
    again = (await runs.press(DANA, late)).last
    assert "applied already" in words((await runs.press(DANA, token_of(again, Do.START))).last)
    runs.clock.advance(31 * 60)
    assert "older than 30 minutes" in words((await runs.press(DANA, late)).last)


async def test_rollback_and_again_are_the_requesters(runs: Stage) -> None:
    request = await done(runs)
    card = result(runs).card
    for do in (Do.ROLLBACK, Do.RERUN, Do.CHANGE):
        assert "Only the person who ran it" in words((await runs.press(EVE, token_of(card, do))).last)
    back = (await runs.press(DANA, token_of(card, Do.ROLLBACK))).last
    assert f"It follows {request}" in words(back)
    assert "status = 'paid'" in words(back)
    assert "WHERE id = $2" in words((await runs.say(DANA, f"rerun {request}")).last)
    form = (await runs.press(DANA, token_of(card, Do.CHANGE))).form_
    assert form.fields[0].value == "7"


async def test_one_lock_one_run(runs: Stage) -> None:
    await asked(runs)

    async def meanwhile(*_: Any) -> None:
        refused: FakeReply = await runs.say(DANA, "run refund order=7 why=late --reason again")
        assert "Already running, started by Dana" in words(refused.last)

    key = []

    async def steps(*given: Any) -> Any:
        docs = await runs.store.read(lambda tx: tx.docs("run-lock"))
        key.append(len(docs))
        await meanwhile()
        yield runs.executor.outcome

    runs.executor.run_steps = steps  # type: ignore[method-assign, assignment]
    await approve(runs)
    assert key == [1]
    assert not await runs.store.read(lambda tx: tx.docs("run-lock"))


async def test_runs_lists_and_stop_needs_something_that_runs(runs: Stage) -> None:
    request = await done(runs)
    card = (await runs.say(DANA, "runs")).last
    assert request in words(card)
    row = (await runs.store.read(lambda tx: tx.requests(limit=1)))[0]
    assert isinstance(row.scope, OfRunbook)
    reply = await runs.say(DANA, "rerun req_zzzzzzzz")
    assert "There is no request" in words(reply.last)


async def test_values_are_sealed_and_never_on_the_parent_card_in_clear(runs: Stage) -> None:
    request = await done(runs)
    row = await runs.store.read(lambda tx: tx.request(request))  # type: ignore[arg-type]
    assert row is not None
    assert row.evidence is not None
    assert '"order":"7"' not in repr(row)
    assert row.evidence.parameters[0].reveal() == '{"order":"7","why":"fraud"}'  # type: ignore[union-attr]


async def test_a_value_outside_of_its_querys_list_ends_the_run(runs: Stage) -> None:
    """The query went well and found nothing: that is a failed run, whatever the gate thought of the query."""
    publish(
        runs,
        NEW,
        pick="---\nparameters:\n  r: {type: enum, query: SELECT name FROM regions}\n---\nUPDATE t SET r = {{ .r }}",
    )
    runs.executor.answers = [replace(runs.executor.outcome, rows=(), total=0)]
    await done(runs, "run pick r=nowhere")
    said = words(result(runs).card)
    assert "r is not among its choices" in said
    assert "0 of 2 steps done" in said
    assert len(await runs.store.read(lambda tx: tx.grants(states=[GrantState.FAILED]))) == 1


async def test_a_table_that_stands_as_a_name_must_be_known_there(runs: Stage) -> None:
    """The fake judge knows customers only. As a value (`to_regclass`) the target itself says what there is."""
    head = "---\nparameters:\n  t: {type: table}\n---\n"
    publish(runs, NEW, named=f"{head}ANALYZE {{{{ .t }}}}", looked=f"{head}SELECT to_regclass({{{{ .t | squote }}}})")
    assert "no such table there" in words((await runs.say(DANA, "run named t=orders")).last)
    assert (await runs.say(DANA, "run named t=customers")).last.kind == "run_preview"
    assert (await runs.say(DANA, "run looked t=orders")).last.kind == "run_preview"
