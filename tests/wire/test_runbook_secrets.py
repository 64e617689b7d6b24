"""Secrets that a step is given, on a real server: there as a value, nowhere else as anything but a name."""

from __future__ import annotations

import base64
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from access.requests import GrantState
from access.runs import RunStep
from access.scopes import OfRunbook
from runbooks.model import Known, Part, Runbook
from runbooks.parse import parse
from runbooks.render import check, render
from runbooks.secrets import RunSecrets, SecretRule
from tests.fakes.vault import Values
from tests.wire.test_runbooks import COMMIT, Runs, good, runs

__all__ = ["runs"]

NAME = "billing/api-token"
VALUE = 'k3y-of the\'billing "service"\u00fc'
FILE = b"""---
parameters:
  token: {type: secret}
  who: {}
---
-- step: Keep it
UPDATE customers SET city = {{ .token }} WHERE id = 1
-- step: It comes back
SELECT city AS a, 'x' || city || 'y' AS b, encode(convert_to(city, 'UTF8'), 'base64') AS c,
       encode(convert_to(city, 'UTF8'), 'hex') AS d, to_json(city)::text AS e, quote_literal(city) AS f, {{ .token }} AS g, {{ .who }} AS h
FROM customers WHERE id = 1
"""


def giving(runs: Runs, vault: Values, **rule: tuple[str, ...]) -> None:
    """Let the gateway give the secret."""
    found = SecretRule(NAME, "ref", **({"runbooks": ("ops/*",)} | rule))
    runs.site.gateway.ports = replace(runs.site.gateway.ports, secrets=RunSecrets([found], vault))


def steps_of(runbook: Runbook, **typed: str) -> tuple[RunStep, ...]:
    values, wrong = check(runbook, typed, Known(secrets=frozenset({NAME})))
    assert not wrong
    return render(runbook, COMMIT, Part.RUN, values).steps


async def asked(runs: Runs, text: bytes = FILE, **typed: str) -> tuple[object, tuple[RunStep, ...]]:
    runbook = parse("x.runbook.sql", text)
    values, wrong = check(runbook, {"token": NAME} | typed, Known(secrets=frozenset({NAME})))
    assert not wrong, wrong
    made = replace(render(runbook, COMMIT, Part.RUN, values), name="ops/x")
    return await runs.granted(made), made.steps


def everything_written(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_the_target_gets_the_value_and_nobody_else(
    runs: Runs, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    vault = Values(ref=VALUE)
    giving(runs, vault)
    grant, steps = await asked(runs, who=NAME)
    outcomes = await runs.execute(grant, steps)  # type: ignore[arg-type]
    assert good(outcomes) == ["UPDATE 1", "SELECT 1"]
    assert await runs.truth("SELECT city FROM customers WHERE id = 1") == [(VALUE,)]
    *hidden, typed = (str(cell) for cell in outcomes[1].rows[0])
    assert typed == NAME  # a value that only looks like the name stays one
    looks = [VALUE, base64.b64encode(VALUE.encode()).decode(), VALUE.encode().hex()]
    assert not [(cell, look) for cell in hidden for look in looks if look.rstrip("=") in cell]
    assert hidden[0] == hidden[6]
    assert hidden[1].startswith("x")
    (request,) = await runs.site.store.read(lambda tx: tx.requests(limit=1))
    assert request.evidence is not None
    shown = request.evidence.exact.reveal() + str(request.evidence)
    assert f"-- $1 = (the secret {NAME})" in shown
    assert "Step 1 is given the secret billing/api-token." in request.evidence.notes
    events = await runs.site.store.read(lambda tx: tx.events(limit=500))
    records = [str(entry) for entry in await runs.site.recorded()]
    assert NAME in str(records)
    for trace in (shown, str(events), str(records), caplog.text, everything_written(tmp_path).decode("latin-1")):
        assert "k3y-of" not in trace
    assert vault.read == ["ref", "ref"]


async def test_an_error_of_the_server_does_not_say_it(runs: Runs) -> None:
    giving(runs, Values(ref=VALUE))
    text = b"---\nparameters:\n  token: {type: secret}\n---\nSELECT {{ .token }}::text::int"
    grant, steps = await asked(runs, text)
    (outcome,) = await runs.execute(grant, steps)  # type: ignore[arg-type]
    assert not outcome.ok
    assert "invalid input syntax" in outcome.message
    assert "k3y-of" not in outcome.message


@pytest.mark.parametrize(
    ("values", "rule", "said"),
    [
        ({}, {}, "The secret ref can not be read"),
        ({"ref": "short"}, {}, "does not have 6 to 1000 characters"),
        ({"ref": VALUE}, {"runbooks": ("other/*",)}, "is not for ops/x"),
        ({"ref": VALUE}, {"resources": ("stage-*",)}, "on prod-db"),
        ({"ref": VALUE}, {"groups": ("payments",)}, "when you run it"),
    ],
    ids=["unreadable", "short", "runbook", "resource", "group"],
)
async def test_what_may_not_be_had_when_it_runs_stops_the_step(
    runs: Runs, values: dict[str, str], rule: dict[str, tuple[str, ...]], said: str
) -> None:
    before = await runs.truth("SELECT city FROM customers WHERE id = 1")
    giving(runs, Values(**values), **rule)
    grant, steps = await asked(runs, who="x")
    (outcome,) = await runs.execute(grant, steps)  # type: ignore[arg-type]
    assert not outcome.ok
    assert said in outcome.message
    assert await runs.truth("SELECT city FROM customers WHERE id = 1") == before
    await runs.state(grant, GrantState.FAILED)  # type: ignore[arg-type]


async def test_a_run_that_gives_a_name_as_a_value_is_not_one_that_gives_the_secret(runs: Runs) -> None:
    """The same bytes on the wire, another approval: what was approved as text is text."""
    vault = Values(ref=VALUE)
    giving(runs, vault)
    plain = parse("x.runbook.sql", FILE.replace(b"{type: secret}", b"{}"))
    made = replace(runs.made(plain, token=NAME, who="x"), name="ops/x")
    grant = await runs.granted(made)
    secret = steps_of(parse("x.runbook.sql", FILE), token=NAME, who="x")
    assert [(step.text, step.values) for step in secret] == [(step.text, step.values) for step in made.steps]
    good(await runs.execute(grant, secret))
    assert await runs.truth("SELECT city FROM customers WHERE id = 1") == [(NAME,)]
    assert vault.read == []
    described = [(await runs.describe(replace(made, steps=steps)))[0].digest for steps in (made.steps, secret)]
    assert described[0] != described[1]


async def test_another_persons_own_session_gets_nothing(runs: Runs) -> None:
    vault = Values(ref=VALUE)
    giving(runs, vault)
    async with await runs.site.connect() as own:
        row = await (await own.execute("SELECT %s::text", (NAME,))).fetchone()
        assert row == (NAME,)
    assert vault.read == []
    grant, _ = await asked(runs, who="x")
    assert isinstance(grant.scope, OfRunbook)  # type: ignore[attr-defined]
    assert [(use.step, use.place, use.name) for use in grant.scope.secrets] == [  # type: ignore[attr-defined]
        (0, 0, NAME), (1, 0, NAME),
    ]  # fmt: skip
