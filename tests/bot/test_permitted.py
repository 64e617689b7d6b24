"""Help and completion show what the person may do here."""

from __future__ import annotations

from dataclasses import replace

import pytest

from access.actors import Person
from access.resources import Protocol
from bot.aims import AIMS
from bot.cards import plain
from bot.grammar import parse
from bot.intents import Mistake, Verb
from bot.permitted import Standing, verbs_of
from runbooks.catalog import Shelf
from tests.bot.stage import Stage, words
from tests.fakes.world import ANN, DANA, EVE, OLGA, SAM

DECIDE = {Verb.APPROVE, Verb.DENY, Verb.PENDING, Verb.PROPOSE, Verb.ALLOW, Verb.DISALLOW}
HAND_ON = {Verb.DELEGATE, Verb.UNDELEGATE}
GUARD = {Verb.ACK, Verb.CLOSE, Verb.DENY_ALL, Verb.LIFT}
SSH = {Verb.KEY, Verb.SSH_CONFIG, Verb.LOGIN}
GLASS = {Verb.BREAK_GLASS, Verb.ATTEST}
RUN = {Verb.RUN, Verb.RUNBOOKS, Verb.RUNS, Verb.RERUN}


async def helped(stage: Stage, person: Person) -> set[str]:
    card = (await stage.say(person, "help")).last
    return {plain(line).split()[0] for item in card.items for line in item.lines}


def test_everybody_asks_looks_and_ends_their_own() -> None:
    shown = set(verbs_of(Standing()))
    assert shown.isdisjoint(DECIDE | GUARD | RUN | SSH | GLASS | HAND_ON)
    assert {Verb.REQUEST, Verb.EXEC, Verb.MY, Verb.CANCEL, Verb.DONE, Verb.KILL, Verb.WHO, Verb.HELP} <= shown
    assert set(verbs_of(Standing(decides=True))) == shown | DECIDE
    assert set(verbs_of(Standing(guards=True))) == shown | GUARD | {Verb.PENDING, Verb.DISALLOW}
    assert set(verbs_of(Standing(runbooks=True))) == shown | RUN
    assert set(verbs_of(Standing(ssh=True))) == shown | SSH
    assert set(verbs_of(Standing(breaks_glass=True))) == shown | GLASS
    assert set(verbs_of(Standing(delegates=True))) == shown | HAND_ON


def test_every_verb_has_one_place_on_the_page_and_few_words() -> None:
    assert sorted(verb for verbs in AIMS.values() for verb in verbs) == sorted(Verb)
    for verb, says in (pair for said in AIMS.values() for pair in said.items()):
        assert says, verb
        assert len(says) <= 50, f"{verb}: it is a page to look over"
        assert not says.endswith("."), verb


async def test_the_page_is_grouped_by_what_somebody_wants(quick: Stage) -> None:
    card = (await quick.say(DANA, "help")).last
    titles = [plain(item.title) for item in card.items]
    assert titles == ["Get access", "Run something once", "Stop what runs", "Look", "You and your clients"]
    assert "Decide on requests" in [plain(item.title) for item in (await quick.say(ANN, "help")).last.items]
    assert len([line for item in card.items for line in item.lines]) < 30, "it fits on a page"
    assert "/hoop help request" in plain(card.notes[-1])


@pytest.mark.parametrize("verb", list(Verb))
async def test_each_verb_is_explained_with_an_example_that_is_understood(quick: Stage, verb: Verb) -> None:
    card = (await quick.say(DANA, f"help {verb.value}")).last
    said = {field.label: plain(field.value) for field in card.fields}
    assert plain(card.title).startswith(f"/hoop {verb.value}")
    assert not isinstance(parse(said["For example"]), Mistake)
    assert said["For example"].startswith("/hoop ")


async def test_help_on_one_names_its_other_words_and_its_neighbours(quick: Stage) -> None:
    said = {field.label: plain(field.value) for field in (await quick.say(ANN, "help deny")).last.fields}
    assert "reject" in said["Also understood"]
    assert said["See also"].startswith("pending, approve")
    assert "approve" not in str((await quick.say(DANA, "help deny")).last.fields), "nor what is not for the reader"


async def test_delegating_is_shown_where_it_is_set_up_to_who_may(quick: Stage) -> None:
    assert "delegate" not in await helped(quick, ANN)
    limits = replace(quick.world.limits, delegate_from=("dba",), delegate_to=("oncall",))
    quick.world.desk._office = replace(quick.world.office, limits=limits)
    assert {"delegate", "undelegate"} <= await helped(quick, ANN)
    assert "delegate" not in await helped(quick, OLGA)


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
