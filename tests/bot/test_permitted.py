"""Help and completion show what the person may do here."""

from __future__ import annotations

from dataclasses import replace

import pytest

from access.actors import Person
from access.resources import Protocol
from bot.cards import plain
from bot.intents import Verb
from bot.permitted import Standing, verbs_of
from runbooks.catalog import Shelf
from tests.bot.stage import Stage, words
from tests.fakes.world import ANN, DANA, EVE, OLGA, SAM

DECIDE = {Verb.APPROVE, Verb.DENY, Verb.PENDING, Verb.PROPOSE, Verb.ALLOW, Verb.DELEGATE, Verb.UNDELEGATE}
GUARD = {Verb.ACK, Verb.CLOSE, Verb.DENY_ALL, Verb.LIFT}
SSH = {Verb.KEY, Verb.SSH_CONFIG, Verb.LOGIN}
GLASS = {Verb.BREAK_GLASS, Verb.ATTEST}
RUN = {Verb.RUN, Verb.RUNBOOKS, Verb.RUNS, Verb.RERUN}


async def helped(stage: Stage, person: Person) -> set[str]:
    card = (await stage.say(person, "help")).last
    return {plain(item.title).split()[0] for item in card.items}


def test_everybody_asks_looks_and_ends_their_own() -> None:
    shown = set(verbs_of(Standing()))
    assert shown.isdisjoint(DECIDE | GUARD | RUN | SSH | GLASS)
    assert {Verb.REQUEST, Verb.EXEC, Verb.MY, Verb.CANCEL, Verb.DONE, Verb.KILL, Verb.WHO, Verb.HELP} <= shown
    assert set(verbs_of(Standing(decides=True))) == shown | DECIDE
    assert set(verbs_of(Standing(guards=True))) == shown | GUARD | {Verb.PENDING}
    assert set(verbs_of(Standing(runbooks=True))) == shown | RUN
    assert set(verbs_of(Standing(ssh=True))) == shown | SSH
    assert set(verbs_of(Standing(breaks_glass=True))) == shown | GLASS


@pytest.mark.parametrize(("person", "decides"), [(ANN, True), (OLGA, True), (DANA, False), (EVE, False)])
async def test_deciding_is_shown_to_approvers_and_owners(stage: Stage, person: Person, decides: bool) -> None:
    assert ("approve" in await helped(stage, person)) is decides
    assert ("approve" in [s.text for s in await stage.handlers.complete("app", stage.caller(person))]) is decides


async def test_security_guards_and_does_not_decide(quick: Stage) -> None:
    shown = await helped(quick, SAM)
    assert {"ack", "deny-all", "lift", "pending"} <= shown
    assert "approve" not in shown
    assert "ack" not in await helped(quick, DANA)


async def test_deciding_is_shown_to_whoever_a_flow_asks_while_it_asks(quick: Stage) -> None:
    await quick.asked()
    prod = quick.world.resources["prod-db"]
    quick.world.resources["prod-db"] = replace(prod, approvers=(), owners=())
    assert "approve" in await helped(quick, ANN), "what waits carries its own groups"
    assert "approve" not in await helped(quick, EVE)


async def test_runbooks_are_shown_where_there_are_some(quick: Stage) -> None:
    assert "run" not in await helped(quick, DANA)
    quick.runbooks.shelves["ops"] = Shelf()
    assert "run" in await helped(quick, DANA)


async def test_keys_and_logins_are_shown_where_there_are_servers(quick: Stage) -> None:
    assert "key" not in await helped(quick, DANA)
    quick.world.resources["web-1"] = replace(quick.world.resources["prod-db"], name="web-1", protocol=Protocol.SSH)
    assert {"key", "ssh-config", "login"} <= await helped(quick, DANA)


async def test_a_verb_asked_for_by_name_is_explained_anyway(quick: Stage) -> None:
    said = words((await quick.say(DANA, "help approve")).last)
    assert "/hoop approve ID" in said
    assert "nothing you could do" in said
    assert "nothing you could do" not in words((await quick.say(ANN, "help approve")).last)


async def test_security_sees_the_sessions_that_it_may_end(quick: Stage) -> None:
    session = await quick.world.session()
    assert session in words((await quick.say(SAM, "sessions prod-db")).last)
    assert session in words((await quick.say(OLGA, "sessions prod-db")).last)
    assert session not in words((await quick.say(EVE, "sessions prod-db")).last)
