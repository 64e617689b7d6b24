"""Every verb, as a person types it; and what goes wrong, as that person reads it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from access.actors import Person
from access.errors import Unavailable
from access.ids import RequestId
from access.ports import Tx
from access.requests import GrantState, RequestState
from access.scopes import Read
from bot.cards import Do, FieldKind, plain
from tests.bot.stage import Stage, has, token_of, words
from tests.fakes.world import ANN, BOB, DANA, EVE, IAN, OLGA, SAM


async def test_asking_says_who_can_decide(stage: Stage) -> None:
    reply = await stage.say(DANA, "request prod-db 1h INC-42 debugging checkout")
    assert reply.last.fallback == "Asked. Ann, Bob can decide."
    row = (await stage.world.requests())[0]
    assert (row.reason, row.ticket, row.duration.total_seconds()) == ("debugging checkout", "INC-42", 3600)


async def test_asking_the_same_again_shows_what_waits(stage: Stage) -> None:
    request = await stage.asked()
    reply = await stage.say(DANA, "request prod-db 2h the same")
    assert request in words(reply.last)
    assert has(reply.last, Do.CANCEL)
    assert len(await stage.world.requests()) == 1


async def test_an_incomplete_request_opens_the_form_prefilled(stage: Stage) -> None:
    form = (await stage.say(DANA, "request")).form_
    assert [f.name for f in form.fields] == ["resource", "scope", "duration", "start", "reason", "ticket"]
    assert form.fields[0].options[0].value == "prod-db"
    again, reply = await stage.submit(DANA, form, resource="prod-db", duration="45m", reason="look")
    assert again is None
    assert "Asked" in words(reply.last)


async def test_a_missing_reason_opens_the_form_with_everything_else_kept(stage: Stage) -> None:
    form = (await stage.say(DANA, "request prod-db 2h INC-7 --scope write")).form_
    given = {f.name: (f.value, f.error) for f in form.fields}
    assert given["scope"] == ("write", "")
    assert given["duration"] == ("2h", "")
    assert given["ticket"] == ("INC-7", "")
    assert "wants a reason" in given["reason"][1]
    chips = next(f for f in form.fields if f.kind is FieldKind.DURATION)
    assert [option.value for option in chips.options][-1] == "8h", "no chip is over the maximum"


@pytest.mark.parametrize(
    ("text", "field", "said"),
    [
        ("request prod-bd 1h x", "resource", "Did you mean prod-db?"),
        ("request prod-db 0m x", "duration", "more than zero"),
        ("request prod-db -5m x", "duration", "more than zero"),
        ("request prod-db 30s x", "duration", "one minute"),
        ("request prod-db 99h x", "duration", "at most 8h"),
        ("request prod-db 1h x --scope root", "scope", "read, write, admin or interactive"),
        ("request prod-db 1h x --as-agent Not_A_Name", "agent", "lower-case"),
        ("exec prod-db SELECT 1", "command", "Put -- between"),
        ("exec prod-bd --reason x -- SELECT 1", "resource", "Did you mean prod-db?"),
        ("agent token BAD! --on prod-db", "agent", "lower-case"),
    ],
)
async def test_what_is_wrong_is_said_at_its_field(quick: Stage, text: str, field: str, said: str) -> None:
    form = (await quick.say(DANA, text)).form_
    wrong = {f.name: f.error for f in form.fields if f.error}
    assert list(wrong) == [field]
    assert said in wrong[field]
    assert not await quick.world.requests()


async def test_a_form_with_wrong_values_comes_back_with_what_was_typed(quick: Stage) -> None:
    form = (await quick.say(DANA, "request")).form_
    again, _ = await quick.submit(DANA, form, resource="prod-db", duration="soon", reason="look", ticket="T" * 100)
    assert again
    errors = {f.name: f.error for f in again.fields if f.error}
    assert list(errors) == ["duration", "ticket"]
    again, _ = await quick.submit(DANA, form, resource="prod-db", duration="soon", reason="look")
    assert again
    assert {f.name: f.value for f in again.fields}["reason"] == "look"
    assert next(f.error for f in again.fields if f.name == "duration")


async def test_exec_keeps_the_exact_bytes(stage: Stage) -> None:
    request = await stage.asked("exec prod-db --reason x --  SELECT 1,\n\t'two'   ;\n")
    row = await stage.world.request(request)
    assert row.evidence
    assert row.evidence.exact.reveal() == " SELECT 1,\n\t'two'   ;\n"


async def test_exec_that_policy_refuses_is_said_at_once_and_asks_nobody(stage: Stage) -> None:
    reply = await stage.say(DANA, "exec prod-db --reason x -- DROP TABLE customers")
    assert "DROP is never allowed here." in words(reply.last)
    assert not await stage.world.requests()


async def test_exec_by_form_keeps_the_command_verbatim(quick: Stage) -> None:
    form = (await quick.say(DANA, "exec prod-db")).form_
    again, _ = await quick.submit(DANA, form, command="  SELECT 1 \n", reason="look")
    assert again is None
    row = (await quick.world.requests())[0]
    assert row.evidence
    assert row.evidence.exact.reveal() == "  SELECT 1 \n"


async def test_an_agents_request_names_the_person_and_the_agent(stage: Stage) -> None:
    await stage.asked("request prod-db 1h look --as-agent claude")
    card = stage.chat.in_channel()[0].card
    assert "Dana via claude asks for" in words(card)
    assert "(AI agent)" in words(card)


async def test_what_waits_is_shown_in_pages_however_much_it_is(quick: Stage) -> None:
    """The oldest first, also behind hundreds of newer ones of others, and what is over is not counted."""
    oldest = await quick.asked()
    row = (await quick.world.requests())[0]

    def work(tx: Tx) -> None:
        for number in range(460):
            over = number % 2 == 1
            until = quick.clock.now() if over else row.expires_at
            tx.insert_request(replace(row, id=RequestId(f"req_{number:08d}"), expires_at=until))

    await quick.world.store.transact(work)
    first, second, last = [words((await quick.say(ANN, f"pending {page}")).last) for page in (1, 2, 99)]
    assert oldest in first and "req_00000026" in first and "req_00000028" not in first
    assert "Page 1 of 16, 231 in all. Next: /hoop pending 2" in first
    assert "req_00000028" in second and oldest not in second
    assert "req_00000458" in last and "Page 16 of 16, 231 in all." in last and "Next:" not in last
    assert "Nothing waits for you." in words((await quick.say(EVE, "pending")).last)


async def test_my_shows_access_sessions_and_what_waits(stage: Stage) -> None:
    grant = await stage.live()
    await stage.session(grant)
    await stage.asked("exec prod-db --reason x -- SELECT 1")
    card = (await stage.say(DANA, "my")).last
    assert [has(card, do) for do in (Do.EXTEND, Do.DONE, Do.TOKEN, Do.KILL, Do.CANCEL)] == [True] * 5
    assert grant.id in words(card)
    assert "You have no access" in words((await stage.say(EVE, "my")).last)


async def test_pending_shows_only_what_the_viewer_could_decide(stage: Stage) -> None:
    request = await stage.asked()
    assert request in words((await stage.say(ANN, "pending")).last)
    for other in (DANA, EVE, OLGA):
        assert "Nothing waits for you." in words((await stage.say(other, "pending")).last)
    stage.clock.advance(3 * 3600)
    assert "Nothing waits for you." in words((await stage.say(ANN, "pending")).last)


async def test_approving_and_denying_without_an_id_shows_what_waits(stage: Stage) -> None:
    request = await stage.asked()
    for text in ("approve", "deny"):
        assert request in words((await stage.say(ANN, text)).last)


async def test_denying_without_a_reason_asks_for_it(stage: Stage) -> None:
    request = await stage.asked()
    form = (await stage.say(ANN, f"deny {request}")).form_
    await stage.submit(ANN, form, reason="no")
    assert (await stage.world.request(request)).state is RequestState.DENIED


async def test_a_typed_decision_of_somebody_who_may_not_is_refused(stage: Stage) -> None:
    request = await stage.asked()
    for who, verb in ((DANA, "approve"), (EVE, "approve"), (EVE, "cancel"), (ANN, "cancel")):
        reply = await stage.say(who, f"{verb} {request}")
        assert reply.last.state.word == "Not possible", (who.name, verb)
    assert (await stage.world.request(request)).state is RequestState.PENDING


@pytest.mark.parametrize(
    "text",
    [
        "approve req_00000000",
        "deny req_00000000 x",
        "cancel req_00000000",
        "show req_00000000",
        "show grt_0000000000",
        "show ses_000000000000",
        "extend grt_0000000000 30m",
        "done prod-db",
        "done req_00000000",
        "revoke grt_0000000000 x",
        "kill ses_000000000000",
        "replay ses_000000000000",
        "token prod-db",
        "token nothing",
        "agent token claude",
        "agent token claude --on prod-db",
        "who nothing",
        "why nothing",
    ],
)
async def test_what_is_not_there_is_said_in_one_clear_message(quick: Stage, text: str) -> None:
    reply = await quick.say(DANA, text)
    said = [*reply.cards, *reply.forms]
    assert len(said) == 1
    if reply.cards:
        assert reply.last.kind == "error", words(reply.last)
        assert reply.last.fallback


async def test_show_by_request_grant_and_session(stage: Stage) -> None:
    grant = await stage.live()
    session = await stage.session(grant)
    for name in (grant.request, grant.id):
        assert grant.request in words((await stage.say(EVE, f"show {name}")).last)
    assert "connected to prod-db" in words((await stage.say(EVE, f"show {session.id}")).last)


async def test_extending_by_an_approver_is_done_at_once(stage: Stage) -> None:
    grant = await stage.live()
    reply = await stage.say(ANN, f"extend {grant.id} 30m")
    assert "Extended by 30m" in words(reply.last)
    assert (await stage.world.grant(grant.id)).expires_at > grant.expires_at


async def test_extending_says_why(stage: Stage) -> None:
    await stage.live()
    assert "Asked" in words((await stage.say(DANA, "extend prod-db 30m the index still builds")).last)
    (row, *_) = await stage.store.read(lambda tx: tx.requests(limit=1))
    assert row.reason == "the index still builds"


async def test_asking_the_same_again_shows_what_waits_and_how_to_change_it(stage: Stage) -> None:
    request = await stage.asked()
    card = (await stage.say(DANA, "request prod-db 1h INC-42 debugging")).last
    assert "still waits" in words(card)
    assert f"/hoop change {request} 30m" in words(card)
    assert has(card, Do.CANCEL)
    assert len(await stage.store.read(lambda tx: tx.requests())) == 1


async def test_extending_without_a_length_opens_the_form(stage: Stage) -> None:
    await stage.live()
    form = (await stage.say(DANA, "extend prod-db")).form_
    again, reply = await stage.submit(DANA, form, duration="until 12:00")
    assert again is None
    assert "Asked" in words(reply.last)


async def test_done_gives_access_back(stage: Stage) -> None:
    grant = await stage.live()
    await stage.say(DANA, "done prod-db")
    assert (await stage.world.grant(grant.id)).state is GrantState.DONE


@pytest.mark.parametrize("person", [ANN, OLGA, SAM])
async def test_revoking_asks_why_and_cuts(stage: Stage, person: Person) -> None:
    grant = await stage.live()
    form = (await stage.say(person, f"revoke {grant.request}")).form_
    again, reply = await stage.submit(person, form, reason="left the company")
    assert again is None
    assert "Revoked: Dana's access" in words(reply.last)
    assert (await stage.world.grant(grant.id)).why_ended == "left the company"


@pytest.mark.parametrize("person", [OLGA, EVE])
async def test_live_access_is_revoked_from_its_card_by_those_who_may(stage: Stage, person: Person) -> None:
    grant = await stage.live()
    form = (await stage.press(person, token_of(stage.chat.in_channel("request")[-1].card, Do.REVOKE))).form_
    _, reply = await stage.submit(person, form, reason="left the company")
    assert ("Revoked: Dana's access" in words(reply.last)) is (person is OLGA)
    assert ((await stage.world.grant(grant.id)).state is GrantState.REVOKED) is (person is OLGA)
    await stage.settle()
    assert has(stage.chat.in_channel("request")[-1].card, Do.REVOKE) is (person is EVE)


async def test_what_an_operator_gave_says_so(quick: Stage) -> None:
    prod = quick.world.resources["prod-db"]
    await quick.world.desk.grant_directly(DANA, prod.name, Read(), timedelta(hours=1), "bootstrap", "root")
    await quick.settle()
    card = quick.chat.in_channel("request")[-1].card
    assert plain(card.title) == "Operator root gave Dana read access to prod-db"
    assert "without approval" in words(card)
    assert "Approved by" not in words(card)


async def test_a_stranger_cannot_revoke_or_kill(stage: Stage) -> None:
    grant = await stage.live()
    session = await stage.session(grant)
    for text in (f"revoke {grant.id} fun", f"kill {session.id} fun", f"done {grant.id}"):
        assert (await stage.say(EVE, text)).last.state.word == "Not possible", text


async def test_sessions_of_a_resource_are_for_those_who_oversee_it(stage: Stage) -> None:
    session = await stage.session(await stage.live())
    assert session.id in words((await stage.say(OLGA, "sessions prod-db")).last)
    assert session.id not in words((await stage.say(EVE, "sessions prod-db")).last)


async def test_replay_is_a_link(stage: Stage) -> None:
    session = await stage.session(await stage.live())
    reply = await stage.say(ANN, f"replay {session.id}")
    assert reply.last.buttons[0].url == f"https://hoop.test/sessions/{session.id}"


async def test_who_names_deciders_and_holders(stage: Stage) -> None:
    await stage.live()
    said = words((await stage.say(BOB, "who prod-db")).last)
    assert "Dana · read until" in said
    assert "Ann" in said
    asked = (await stage.say(BOB, "who prod-db")).last
    assert "Bob" not in words(asked).replace("Dana", ""), "nobody decides for themselves"


async def test_why_explains_access_and_a_statement(stage: Stage) -> None:
    assert "no live access" in words((await stage.say(DANA, "why prod-db")).last)
    said = words((await stage.say(DANA, 'why "DELETE FROM customers" on prod-db')).last)
    assert "would be refused" in said
    assert "No live grant" in said
    await stage.live()
    said = words((await stage.say(DANA, "why prod-db")).last)
    assert "allowed: read" in said
    assert "no-secrets" in said
    assert "would run" in words((await stage.say(DANA, "why prod-db -- SELECT 1")).last)
    assert "held for approval" in words((await stage.say(DANA, 'why "DELETE FROM customers" on prod-db')).last)
    said = words((await stage.say(DANA, 'why "DROP TABLE customers" on prod-db')).last)
    assert "would be refused" in said and "ddl" in said


async def test_token_is_two_messages_and_needs_live_access(stage: Stage) -> None:
    await stage.live()
    reply = await stage.say(DANA, "token prod-db")
    assert [card.kind for card in reply.cards] == ["connection", "token"]
    assert "secret-2" not in words(reply.cards[0])
    assert "PGPASSWORD" in words(reply.cards[0])
    assert "gw:5432:prod-db:dana" in words(reply.cards[0])


async def test_an_agent_token_is_for_the_person_and_ends_with_their_access(stage: Stage) -> None:
    grant = await stage.live()
    reply = await stage.say(DANA, "agent token claude")
    assert [card.kind for card in reply.cards] == ["agent", "token"]
    assert stage.credentials.issued[-1] == ("dana~claude", "prod-db", grant.expires_at)
    assert "Dana via claude" in words(reply.cards[0])
    assert "secret-2" in words(reply.cards[1])


async def test_console_gives_a_private_link(stage: Stage) -> None:
    reply = await stage.say(DANA, "console")
    assert "https://hoop.test/login/link-secret" in words(reply.last)
    assert reply.last.holds_secret
    assert stage.login_links.issued_to == [DANA.id]


async def test_whoami_and_help(stage: Stage) -> None:
    assert "directory|dana" in words((await stage.say(DANA, "whoami")).last)
    assert "/hoop request prod-db 1h INC-42" in words((await stage.say(DANA, "help request")).last)
    shown = (await stage.say(DANA, "")).last
    assert "agent a token for my AI agent" in [plain(line) for item in shown.items for line in item.lines]


async def test_somebody_unknown_or_inactive_can_do_nothing(quick: Stage) -> None:
    for text in (
        "request prod-db 1h x",
        "request",
        "my",
        "pending",
        "console",
        "whoami",
        "show req_00000000",
        "who prod-db",
    ):
        reply = await quick.say(IAN, text)
        assert reply.last.state.word == "Not possible", text
        assert not reply.forms


async def test_a_mistake_is_answered_with_the_nearest_verb_and_one_example(quick: Stage) -> None:
    reply = await quick.say(DANA, "requets prod-db")
    assert "Did you mean request?" in words(reply.last)
    assert "/hoop request prod-db 1h INC-42" in words(reply.last)


async def test_a_secret_is_refused_and_never_echoed(quick: Stage) -> None:
    reply = await quick.say(DANA, "exec prod-db -- ALTER ROLE app PASSWORD 'tr0ub4dor&3'")
    assert "rotate" in words(reply.last)
    assert "tr0ub4dor" not in words(reply.last)
    assert not await quick.world.requests()


async def test_a_store_that_does_not_answer_is_said_so(quick: Stage) -> None:
    quick.store.broken = True  # type: ignore[attr-defined]
    reply = await quick.say(DANA, "my")
    assert reply.last.state.word == "Not available"
    assert await quick.handlers.complete("req", quick.caller(DANA)) == []


async def test_an_error_nobody_foresaw_is_a_number_and_no_traceback(
    quick: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    async def describe(*_: object) -> None:
        raise RuntimeError("internal detail")

    quick.judge.describe = describe  # type: ignore[method-assign,assignment]
    reply = await quick.say(DANA, "exec prod-db --reason x -- SELECT 1")
    assert "internal detail" not in words(reply.last)
    number = words(reply.last).split("E-")[1][:8]
    assert f"E-{number}" in caplog.text


async def test_an_answer_that_cannot_be_shown_breaks_nothing(quick: Stage, caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        async def card(self, card: object) -> None:
            raise OSError("gone")

        async def form(self, form: object) -> None:
            raise OSError("gone")

    await quick.handlers.say("my", quick.caller(DANA), Broken())
    assert "could not be shown" in caplog.text


async def test_an_outage_gives_the_form_back_and_is_no_error_of_a_field(quick: Stage) -> None:
    form = (await quick.say(DANA, "request")).form_

    async def ask(*_: object) -> None:
        raise Unavailable("The store does not answer.")

    quick.world.desk.ask_access = ask  # type: ignore[method-assign,assignment]
    again, reply = await quick.submit(DANA, form, resource="prod-db", reason="x")
    assert again is not None
    assert again.error == "The store does not answer."
    assert {f.name: f.value for f in again.fields}["reason"] == "x", "what was typed is not lost"
    assert not any(f.error for f in again.fields)
    assert not reply.cards


@pytest.mark.parametrize("verb", ["who", "why"])
async def test_a_missing_resource_is_asked_for_by_form(quick: Stage, verb: str) -> None:
    form = (await quick.say(DANA, verb)).form_
    again, reply = await quick.submit(DANA, form, resource="prod-db")
    assert again is None
    assert reply.cards


@pytest.mark.parametrize(
    ("verb", "kind"), [("extend", "my"), ("done", "my"), ("revoke", "my"), ("show", "my"), ("kill", "sessions")]
)
async def test_a_missing_id_is_answered_with_the_list_to_choose_from(quick: Stage, verb: str, kind: str) -> None:
    assert (await quick.say(DANA, verb)).last.kind == kind


async def test_completion_knows_resources_ids_and_verbs(stage: Stage) -> None:
    request = await stage.asked()
    ann = stage.caller(ANN)
    assert "request" in [s.label for s in await stage.handlers.complete("re", ann)]
    assert [s.text for s in await stage.handlers.complete("approve ", ann)] == [f"approve {request}"]
    assert [s.text for s in await stage.handlers.complete("/hoop request pr", ann)] == ["/hoop request prod-db"]
    assert await stage.handlers.complete("approve ", stage.caller(EVE)) == []
