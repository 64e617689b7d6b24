"""What people and attackers send that is wrong, through Slack, beside what the other files here hold: signatures and
replays (`test_http`, `test_guard`), foreign accounts (`test_identity`), tokens and copies (`test_product`), versions of a
modal (`test_grid`)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from access.requests import RequestState
from tests.bot.slack.office import Office, said, words
from tests.fakes.slack import Message
from tests.fakes.world import EVERYBODY, GROUPS, a_person

HOSTILE = "<!channel> <@U0ADMIN> *b* `c` ```d``` & </script> \u202eevil\u200b <http://evil.test|ok>"


async def states(office: Office) -> list[RequestState]:
    return [row.state for row in await office.store.read(lambda tx: tx.requests())]


def sent(office: Office) -> list[Message]:
    """Everything hoop said, to everybody and to single people."""
    return [m for c in office.slack.workspace.channels.values() for m in c.messages if m.bot_id]


async def filled_in(office: Office, **values: str) -> Any:
    """Dana opens the request form, types these values and submits: the acknowledgement."""
    await office.dana.slash("request --as-agent claude", office.channel)
    await office.idle()
    modal = office.dana.modal
    assert modal is not None
    given = {"resource": "prod-db", "scope": "read", "duration": "1h", "reason": "because", "agent": "claude"} | values
    for name, value in given.items():
        chosen = {"type": "static_select", "selected_option": {"value": value}}
        typed = {"type": "plain_text_input", "value": value}
        modal.state[f"field:{name}"] = {"value": chosen if name in {"resource", "scope"} else typed}
    ack = await office.dana.submit({})
    await office.settle()
    return ack


# ------------------------------------------------------------------------------------------------ who decides


async def test_twenty_approvers_at_once_are_one_decision_and_the_others_are_told_by_whom(quick_office: Office) -> None:
    office = quick_office
    crowd = [a_person(f"admin{number:02}") for number in range(20)]
    handles = (*GROUPS["dba"], *(person.wire_name for person in crowd))
    office.stage.world.directory.replace((*EVERYBODY, *crowd), GROUPS | {"dba": handles})
    members = [await office.join(person) for person in crowd]
    card = await office.asked()
    await asyncio.gather(*(member.press(card, "Approve") for member in members))
    await office.settle()
    assert len(await office.store.read(lambda tx: tx.grants())) == 1
    (row,) = await office.store.read(lambda tx: tx.requests())
    name = office.stage.bot.mention(row.decided_by or crowd[0].id).name
    answers = [[said(m) for m in member.whispers(office.channel)] for member in members]
    assert all(len(one) == 1 for one in answers)
    lost = [one[0] for one in answers if f"already approved by {name}" in one[0]]
    assert len(lost) == 19
    assert sum(1 for m in office.thread(card) if "approved" in said(m) and m.text.startswith("✅")) == 1


@pytest.mark.parametrize(("button", "values"), [("Approve less…", {}), ("Deny…", {"reason": "no"})])
async def test_the_modal_of_a_superseded_request_decides_nothing_and_shows_the_new_one(
    quick_office: Office, button: str, values: dict[str, str]
) -> None:
    office = quick_office
    card = await office.asked()
    await office.ann.press(card, button)
    await office.idle()
    (row,) = await office.store.read(lambda tx: tx.requests())
    await office.dana.slash(f"change {row.id} 30m --scope write", office.channel)
    await office.settle()
    modal = office.ann.modal
    assert modal is not None
    given = {"duration": "15m", "scope": "", "note": "", "usual": ""} | values
    for name, value in given.items():
        modal.state[f"field:{name}"] = {"value": {"type": "plain_text_input", "value": value}}
    await office.ann.submit({})
    await office.settle()
    assert await states(office) == [RequestState.PENDING]
    shown = words(modal.content["blocks"])
    assert "revision" in shown
    assert "write access" in shown


# ------------------------------------------------------------------------------------------------ what is typed


@pytest.mark.parametrize("field", ["resource", "scope", "duration", "reason", "ticket", "agent"])
async def test_what_is_typed_into_any_field_calls_nobody_and_formats_nothing(quick_office: Office, field: str) -> None:
    office = quick_office
    ack = await filled_in(office, **{field: HOSTILE})
    assert ack.ok
    assert not any("<!channel>" in m.text or "<@U0ADMIN>" in m.text or "\u202e" in m.text for m in sent(office))
    shown = json.dumps([m.blocks for m in sent(office)], ensure_ascii=False)
    assert '"mrkdwn"' not in shown
    assert "\u202e" not in shown
    assert "\u200b" not in shown
    assert len(await states(office)) == int(field == "reason"), "only a reason may be anything"


@pytest.mark.parametrize("field", ["resource", "scope", "duration", "reason", "ticket", "agent"])
async def test_100_kilobytes_in_any_field_are_refused_at_it(quick_office: Office, field: str) -> None:
    ack = await filled_in(quick_office, **{field: "x" * 100_000})
    assert await states(quick_office) == []
    told = json.dumps(ack.body, ensure_ascii=False)
    assert "x" * 1000 not in told
    modal = quick_office.dana.modal
    assert "errors" in told or (modal is not None and "x" * 1000 not in json.dumps(modal.content))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("request prod-db 1h because " + "y" * 100_000, "at most 40,000"),
        ("deny " + "z" * 30_000, "too long"),
        ("request prod-db 1h --root yes because", "no --root"),
        ("request prod-db --scpoe write because", "Did you mean --scope"),
        ("sudo rm -rf /", "I do not know"),
        ("approve req_00000000", "no request"),
        ("approve ../../etc/passwd", "not an id"),
    ],
)
async def test_a_command_that_cannot_be_understood_says_what_is_wrong(
    quick_office: Office, text: str, told: str
) -> None:
    office = quick_office
    await office.dana.slash(text, office.channel)
    await office.idle()
    answer = [said(m) for m in office.dana.whispers(office.channel)]
    modal = office.dana.modal
    answer += [words(modal.content["blocks"])] if modal is not None else []
    assert any(told in one for one in answer), answer
    assert all(len(one) < 2_000 for one in answer)
    assert await states(office) == []


@pytest.mark.parametrize("field", ["reason", "ticket", "agent", "duration"])
async def test_a_secret_in_a_form_is_refused_at_its_field_and_never_echoed(quick_office: Office, field: str) -> None:
    secret = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
    ack = await filled_in(quick_office, **{field: secret})
    assert "rotate" in ack.body["errors"][f"field:{field}"]
    assert secret not in json.dumps(ack.body)
    assert not any(secret in said(m) for m in sent(quick_office))
    assert await states(quick_office) == []


# ------------------------------------------------------------------------------------------------ what nobody made


async def test_actions_forms_and_shortcuts_of_others_are_acknowledged_and_do_nothing(quick_office: Office) -> None:
    office = quick_office
    card = await office.asked()
    row = next(b for b in card.blocks if b["type"] == "actions")
    for change in ({"action_id": "other:approve:0"}, {"type": "static_select"}, {"value": ""}):
        payload = office.ann.press_payload(card, row, row["elements"][0])
        payload["actions"][0] |= change
        assert (await office.slack.deliveries.send("interactive", payload)).ok
    await office.ann.shortcut("other_app")
    await office.settle()
    assert await states(office) == [RequestState.PENDING]
