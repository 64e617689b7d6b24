"""An organisation of several workspaces (Enterprise Grid): its id is the account's, whichever workspace somebody is in."""

from __future__ import annotations

from typing import Any

import pytest

from access.errors import Denied
from bot.slack.accounts import parse_account
from bot.slack.members import Members, member
from bot.slack.payloads import Kind, Malformed, read
from tests.bot.slack.office import Office, said, words
from tests.bot.slack.test_product import hold
from tests.fakes.clock import ManualClock

USER = {
    "id": "U1", "team_id": "T2", "deleted": False, "is_bot": False, "is_restricted": False, "is_ultra_restricted": False,
    "enterprise_user": {"id": "U1", "enterprise_id": "E1", "teams": ["T2", "T3"]},
}  # fmt: skip
PRESS: dict[str, Any] = {
    "type": "block_actions", "api_app_id": "A1", "trigger_id": "1.2.3", "team": None, "is_enterprise_install": True,
    "enterprise": {"id": "E1", "name": "Org"}, "user": {"id": "U1"},
    "container": {"type": "message", "channel_id": "C1", "message_ts": "1.0"},
    "actions": [{"type": "button", "action_id": "hoop:approve:0", "value": "token", "action_ts": "1.1"}],
}  # fmt: skip


def test_an_interaction_of_an_organisation_names_no_workspace() -> None:
    found = read(PRESS)
    assert (found.kind, found.team, found.enterprise, found.tenant) == (Kind.PRESS, "", "E1", "E1")


def test_one_without_either_is_none_of_slacks() -> None:
    with pytest.raises(Malformed):
        read({**PRESS, "enterprise": None})


def test_an_account_of_an_organisation_is_linked_by_its_id() -> None:
    assert parse_account("e0123abcd/u0123abcd") == "E0123ABCD/U0123ABCD"


@pytest.mark.parametrize(("teams", "ours"), [({"E1"}, True), ({"T3"}, True), ({"T9"}, False), ({"E9", "T1"}, False)])
async def test_members_of_the_organisation_are_admitted(clock: ManualClock, teams: set[str], ours: bool) -> None:
    members = Members(None, clock, frozenset(teams))  # type: ignore[arg-type]
    members._known["U1"] = (clock.monotonic(), member(USER))
    if ours:
        assert (await members.admit("U1")).id == "U1"
    else:
        with pytest.raises(Denied, match="another workspace"):
            await members.admit("U1")


# ------------------------------------------------------------------------------------------------ versions of a modal


async def test_a_modal_that_changed_since_is_not_written_over(quick_office: Office) -> None:
    """The view's hash: what was pressed in an old version is answered in private, and the modal keeps what it shows."""
    office = quick_office
    await office.live()
    held = await hold(office)
    await office.ann.press(held, "Review…")
    await office.idle()
    modal = office.ann.modal
    assert modal is not None
    shown = modal.content
    ack = await office.ann.press(modal, "Approve", view=office.ann._view(modal) | {"hash": "1.older"})
    assert ack.ok
    await office.settle()
    assert modal.content is shown
    assert "Approved" in said(held), "what was decided is decided"
    assert any(said(m).startswith("✅ Approved: req_") for m in office.ann.dm.messages)


async def test_a_modal_of_this_version_is_changed_in_place(quick_office: Office) -> None:
    office = quick_office
    await office.live()
    held = await hold(office)
    await office.ann.press(held, "Review…")
    await office.idle()
    modal = office.ann.modal
    assert modal is not None
    await office.ann.press(modal, "Approve")
    await office.settle()
    assert "Approved" in words(modal.content["blocks"])
    assert not any(said(m).startswith("✅ Approved: req_") for m in office.ann.dm.messages)
