"""Forms tell all that is wrong with a submission at once, each at its field, and lose nothing that was typed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from access.actors import Person
from access.errors import Conflict, Denied, Invalid, Unavailable, together
from access.ports import Tx
from access.resources import Protocol
from bot.cards import Do, Form
from bot.views import forms
from ledger.verify import verify
from tests.approval_flows.test_break_glass import glass
from tests.bot.stage import Stage, token_of, words
from tests.bot.test_running import publish
from tests.fakes.world import ANN, DANA, PROD

SECRET = "password=Tr0ub4dor&3"
TICKETED = "name: ticketed\nticket: {required: true, pattern: 'INC-[0-9]+', hint: Name an incident.}\nstages: [{name: a, any: {approvers: true}}]\n"

Opener = Callable[[Stage], Awaitable[tuple[Person, Form]]]


def typed(text: str, person: Person = DANA) -> Opener:
    async def opened(stage: Stage) -> tuple[Person, Form]:
        return person, (await stage.say(person, text)).form_

    return opened


async def less(stage: Stage) -> tuple[Person, Form]:
    await stage.asked("request prod-db 2h --scope write INC-42 debugging")
    card = stage.chat.in_channel("request")[-1].card
    return ANN, (await stage.press(ANN, token_of(card, Do.NARROW))).form_


async def break_glass(stage: Stage) -> tuple[Person, Form]:
    glass(stage.world)
    return DANA, (await stage.say(DANA, "break-glass prod-db")).form_


async def more_time(stage: Stage) -> tuple[Person, Form]:
    await stage.live()
    return DANA, (await stage.say(DANA, "extend prod-db")).form_


async def runbook(stage: Stage) -> tuple[Person, Form]:
    publish(stage)
    return DANA, (await stage.say(DANA, "run refund why=late")).form_


async def propose(stage: Stage) -> tuple[Person, Form]:
    await stage.asked("exec prod-db --reason fix -- UPDATE customers SET note = 'x'")
    card = stage.chat.in_channel("command")[-1].card
    return ANN, (await stage.press(ANN, token_of(card, Do.PROPOSE))).form_


LONG = "T" * 100
CASES: list[tuple[str, Opener, dict[str, str], dict[str, str]]] = [
    (
        "every field of a request",
        typed("request"),
        {"resource": "", "scope": "root", "duration": "soon", "start": "25:61", "reason": SECRET, "ticket": LONG},
        {
            "resource": "Choose a resource",
            "scope": "The scope is",
            "duration": "not a length of time",
            "start": "no time to start",
            "reason": "rotate",
            "ticket": "At most 64",
        },
    ),
    (
        "what the desk says of the rest comes along",
        typed("request"),
        {"resource": "prod-db", "duration": "99h", "start": "25:61", "reason": ""},
        {"duration": "at most 8h", "start": "no time to start", "reason": "wants a reason"},
    ),
    (
        "only the desk has something to say",
        typed("request"),
        {"resource": "prod-db", "duration": "99h", "start": "2020-01-01T02:00", "reason": "", "ticket": "no"},
        {"duration": "at most 8h", "start": "is over", "reason": "wants a reason", "ticket": "Name an incident"},
    ),
    (
        "an unknown resource beside an unreadable length",
        typed("request"),
        {"resource": "prod-bd", "duration": "soon", "reason": "x"},
        {"resource": "Did you mean prod-db", "duration": "not a length"},
    ),
    (
        "columns",
        typed("request prod-db --unmask nothing"),
        {"unmask": "nothing", "duration": "9x", "reason": ""},
        {"unmask": "", "duration": "not a length", "reason": "wants a reason"},
    ),
    (
        "one command",
        typed("exec"),
        {"resource": "", "command": " ", "ticket": LONG, "reason": SECRET},
        {"resource": "Choose", "command": "Write the command", "ticket": "At most", "reason": "rotate"},
    ),
    (
        "a command that policy refuses, at its text",
        typed("exec"),
        {"resource": "prod-db", "command": "DROP TABLE x", "reason": "why", "ticket": LONG},
        {"command": "DROP is never allowed here. Ask the owner.", "ticket": "At most"},
    ),
    (
        "an agent",
        typed("agent token BAD!"),
        {"agent": "Not A Name", "resource": "prod-bd"},
        {"agent": "lower-case", "resource": "Did you mean"},
    ),
    (
        "broken glass",
        break_glass,
        {"resource": "prod-db", "confirmed": "staging", "duration": "99h", "reason": "fire", "ticket": ""},
        {"confirmed": "Type prod-db", "duration": "at most", "reason": "at least"},
    ),
    (
        "broken glass, unreadable too",
        break_glass,
        {"resource": "prod-db", "confirmed": "", "duration": "soon", "scope": "root", "reason": "fire"},
        {"confirmed": "Type the name", "duration": "not a length", "scope": "The scope is", "reason": "at least"},
    ),
    (
        "less than was asked for",
        less,
        {"duration": "3h", "scope": "admin", "tables": "orders*", "note": SECRET},
        {"duration": "at most what was asked for", "scope": "at most what was asked", "tables": "", "note": "rotate"},
    ),
    (
        "less, unreadable",
        less,
        {"duration": "", "scope": "root"},
        {"duration": "Say how long", "scope": "The scope is"},
    ),
    ("more time", more_time, {"duration": "", "reason": SECRET}, {"duration": "Say how long", "reason": "rotate"}),
    ("too much more time", more_time, {"duration": "99h", "reason": SECRET}, {"duration": "8h", "reason": "rotate"}),
    (
        "a runbook",
        runbook,
        {"p_order": "7 OR 1=1", "p_why": "greed", "reason": SECRET},
        {"p_order": "whole number", "p_why": "", "reason": "rotate"},
    ),
    ("another text", propose, {"command": " ", "note": SECRET}, {"command": "Write the command", "note": "rotate"}),
]


@pytest.mark.parametrize(("opener", "values", "wrong"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
async def test_all_that_is_wrong_is_said_at_once_each_at_its_field(
    quick: Stage, opener: Opener, values: dict[str, str], wrong: dict[str, str]
) -> None:
    if "Name an incident" in str(wrong):
        quick.world.flows = (TICKETED,)
        assert quick.world.office.flows.reload(), quick.world.office.flows.problems
    person, form = await opener(quick)
    before = await quick.world.kinds()
    again, reply = await quick.submit(person, form, **values)
    assert again is not None, words(reply.last)
    assert {f.name for f in again.fields if f.error} == set(wrong)
    for field in again.fields:
        assert wrong.get(field.name, "") in field.error
    assert not again.error
    assert not reply.cards
    kept = {f.name: f.value for f in again.fields}
    assert kept == {f.name: values.get(f.name, f.value) for f in form.fields}, "nothing that was typed is lost"
    assert (again.name, again.token) == (form.name, form.token), "it can be sent again as it is"
    after = await quick.world.kinds()
    assert set(after[len(before) :]) <= {"request.refused", "emergency.refused"}


async def test_a_rehearsed_request_leaves_no_trace(stage: Stage, tmp_path: Path) -> None:
    """All but one field is right, so that a rehearsal would file it: nobody is asked, nothing is recorded, and the chain of
    what is recorded afterwards is whole."""
    form = (await stage.say(DANA, "request")).form_
    again, _ = await stage.submit(DANA, form, resource="prod-db", duration="1h", reason="look", ticket=LONG)
    assert again is not None
    assert {f.name for f in again.fields if f.error} == {"ticket"}
    await stage.settle()
    assert await stage.world.requests() == []
    assert await stage.world.kinds() == []
    assert stage.chat.messages == {}
    taken, _ = await stage.submit(DANA, form, resource="prod-db", duration="1h", reason="look")
    assert taken is None
    assert await stage.world.kinds() == ["access.requested"]
    if (database := tmp_path / "store.db").exists():
        assert verify(f"sqlite:///{database}").ok


@pytest.mark.parametrize(("opened", "wrong"), [(runbook, {"reason": SECRET}), (typed("request"), {"ticket": LONG})])
async def test_nor_does_what_is_done_around_the_desk(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, opened: Opener, wrong: dict[str, str]
) -> None:
    """A runbook's draft, and the Cancel of a request that waits already: their tokens and rows are undone, too."""
    await stage.asked("request prod-db 1h look")
    person, form = await opened(stage)
    real, kept = stage.store.transact, list[object]()

    async def counted(work: Callable[[Tx], Any]) -> Any:
        kept.append(result := await real(work))
        return result

    monkeypatch.setattr(stage.store, "transact", counted)
    values = {
        "resource": "prod-db",
        "p_order": "1",
        "p_why": "late",
        "duration": "1h",
        "scope": "read",
        "reason": "look",
    }
    values |= wrong
    again, _ = await stage.submit(person, form, **{f.name: values.get(f.name, "") for f in form.fields})
    assert again is not None
    assert {f.name for f in again.fields if f.error} == wrong.keys()
    assert kept == []


async def test_a_rehearsed_vote_decides_nothing(quick: Stage) -> None:
    person, form = await less(quick)
    again, _ = await quick.submit(person, form, duration="30m", note=SECRET)
    assert again is not None
    assert {f.name for f in again.fields if f.error} == {"note"}
    (request,) = await quick.world.requests()
    assert request.decided_at is None
    assert await quick.store.read(lambda tx: tx.grants()) == []


async def test_a_rehearsed_emergency_breaks_no_glass(quick: Stage) -> None:
    person, form = await break_glass(quick)
    reason = "the shop is down and orders pile up, looking for locks"
    again, _ = await quick.submit(person, form, resource="prod-db", confirmed="prod-db", reason=reason, ticket=LONG)
    assert again is not None
    await quick.settle()
    assert await quick.world.kinds() == []
    assert quick.chat.messages == {}


async def test_a_form_that_fails_comes_back_with_what_was_typed(quick: Stage, caplog: pytest.LogCaptureFixture) -> None:
    form = (await quick.say(DANA, "request")).form_

    async def ask(*_: object) -> None:
        raise RuntimeError("a bug, with data in it")

    quick.world.desk.ask_access = ask  # type: ignore[method-assign,assignment]
    again, reply = await quick.submit(DANA, form, resource="prod-db", reason="a long story")
    assert again is not None
    assert not reply.cards
    assert "our fault" in again.error
    assert "a bug" not in again.error
    assert again.error.rpartition(" ")[2] in caplog.text, "the number finds it in the log"
    assert next(f.value for f in again.fields if f.name == "reason") == "a long story"


async def test_who_may_not_ask_is_no_mistake_of_the_text(quick: Stage) -> None:
    """A refusal that no other text would change is an answer of its own."""
    form = (await quick.say(DANA, "exec")).form_
    quick.world.resources["prod-db"] = replace(quick.world.resources["prod-db"], approvers=(), owners=())
    again, reply = await quick.submit(DANA, form, resource="prod-db", command="SELECT 1", reason="x")
    assert again is None
    assert "Nobody could decide" in words(reply.last)


async def test_what_is_typed_with_several_mistakes_opens_the_form_with_all_of_them(quick: Stage) -> None:
    form = (await quick.say(DANA, "request prod-bd 0m --scope root x")).form_
    assert {f.name for f in form.fields if f.error} == {"resource", "duration", "scope"}
    form = (await quick.say(DANA, "request prod-db 99h")).form_
    assert {f.name for f in form.fields if f.error} == {"duration", "reason"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("request prod-db --for1 2 --tiket x", ("--for1", "--tiket")),
        (
            "allow @dana prod-db --length 5x --request 9q --scope root why",
            ("--length: ", "--request: ", "A scope is"),
        ),
        ("delegate @bob until 2026-13-40 from 99:99", ("2026-13-40 is no date", "no time to start")),
        ("delegate @bob 0m from 2026-13-40 09:00", ("more than zero", "2026-13-40 is no date")),
        ("delegate @bob until 9999-12-31", ("9999-12-31 is no date",)),
        (
            "allow @nobody staging --length 99d --request 2h",
            ("not an active person", "no resource", "Say why", "30 days"),
        ),
    ],
)
async def test_chat_words_are_told_all_at_once_too(quick: Stage, text: str, said: tuple[str, ...]) -> None:
    shown = words((await quick.say(DANA, text)).last)
    for one in said:
        assert one in shown


async def test_a_delegation_is_told_all_that_is_wrong_with_it(quick: Stage) -> None:
    quick.world.limits = replace(quick.world.limits, delegate_from=("dba",), delegate_to=("dba",))
    shown = words((await quick.say(ANN, "delegate @nobody 99d for staging-*")).last)
    assert "nobody is not an active person" in shown
    assert "lasts at most 14d" in shown
    assert "staging-* is none of the resources" in shown


def test_what_is_wrong_together() -> None:
    one, two = Invalid("No.", field="a", hint="Try."), Invalid("Nor.", field="b")
    again = Invalid("Not that either.", field="a", others={"c": "Hm."})
    found = together(None, one, two, again)
    assert found is not None
    assert found.errors == {"a": "No. Try.", "b": "Nor.", "c": "Hm."}
    assert str(found) == "No. Try. Nor. Hm."
    assert together(None) is None
    for refusal in (Denied("no"), Unavailable("no")):
        with pytest.raises(AttributeError):  # never lost among them
            together(one, refusal)  # type: ignore[arg-type]
    assert Conflict("Over.").errors == {"": "Over."}


@pytest.mark.parametrize(
    ("protocols", "chosen", "asked", "offered"),
    [
        ("postgres", "", "", "read write admin"),
        ("postgres ssh", "", "", "read write admin interactive"),
        ("postgres ssh", "one-0", "", "read write admin"),
        ("postgres ssh", "one-1", "", "read write admin interactive"),
        ("postgres", "one-0", "interactive", "read write admin interactive"),
    ],
)
def test_what_can_be_asked_for_is_offered_and_what_was_typed_is_not_lost(
    protocols: str, chosen: str, asked: str, offered: str
) -> None:
    resources = [replace(PROD, name=f"one-{n}", protocol=Protocol(one)) for n, one in enumerate(protocols.split())]
    form = forms.request_form(resources, {"resource": chosen, "scope": asked or "read"}, {})
    field = next(f for f in form.fields if f.name == "scope")
    assert [option.value for option in field.options] == offered.split()
    assert field.value in {option.value for option in field.options}
