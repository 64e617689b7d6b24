"""Options that a query lists: under the person's own read access, masked as everything is, kept for a minute."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from access.actors import Person
from access.errors import Unavailable
from access.ports import Outcome
from access.requests import Grant
from access.resources import Resource
from access.scopes import Write
from bot.cards import FieldKind
from bot.choices import Choices
from tests.bot.stage import Stage
from tests.bot.test_running import publish
from tests.fakes.world import DANA

PICK = "---\nparameters:\n  r: {type: enum, query: SELECT name FROM regions}\n---\nUPDATE t SET r = {{ .r }}"


class Looking:
    """A gateway that lists three regions."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.asked: list[tuple[str, str]] = []
        self.problem: Exception | None = None

    async def __call__(self, grant: Grant, person: Person, resource: Resource, text: str) -> Outcome:
        self.asked.append((grant.id, text))
        if self.problem:
            raise self.problem
        return self.outcome


@pytest.fixture
def looking(stage: Stage) -> Looking:
    publish(stage, pick=PICK)
    rows = (("north",), ("n***",), (None,), ("north",), ("x" * 200,))
    made = Looking(replace(stage.executor.outcome, rows=rows, total=5))  # type: ignore[arg-type]
    stage.kit = replace(stage.kit, choices=Choices(made, stage.store, stage.clock))
    stage.handlers._kit = stage.kit
    return made


async def options(stage: Stage) -> list[str]:
    field = (await stage.say(DANA, "run pick")).form_.fields[0]
    assert field.kind is (FieldKind.CHOICE if field.options else FieldKind.TEXT)
    return [option.value for option in field.options]


async def test_the_form_has_what_the_query_lists(stage: Stage, looking: Looking) -> None:
    await stage.world.access()
    assert await options(stage) == ["north", "n***"]
    assert await options(stage) == ["north", "n***"]
    assert [text for _, text in looking.asked] == ["SELECT name FROM regions"]
    stage.clock.advance(61)
    await options(stage)
    assert len(looking.asked) == 2


async def test_nobody_sees_a_list_without_read_access(stage: Stage, looking: Looking) -> None:
    assert await options(stage) == []
    await stage.world.access(scope=Write())
    assert await options(stage) == []
    assert not looking.asked


async def test_a_list_that_fails_or_takes_too_long_is_a_field_to_type_in(
    stage: Stage, looking: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.world.access()
    looking.problem = Unavailable("gone")
    assert await options(stage) == []
    looking.problem = None
    monkeypatch.setattr("bot.choices.WAIT_SECONDS", 0.01)

    async def never(*_: object) -> Outcome:
        await asyncio.Event().wait()
        raise AssertionError

    assert stage.kit.choices is not None
    stage.kit.choices.look = never
    assert await options(stage) == []
