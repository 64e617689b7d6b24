"""Payloads → deliveries: what each means, and that junk is refused with one exception."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.slack.early import wants_modal
from bot.slack.payloads import Delivery, Kind, Malformed, from_json, read
from bot.slack.spoken import spoken

COMMAND = {
    "command": "/hoop", "text": "request prod-db", "team_id": "T1", "enterprise_id": "E1", "api_app_id": "A1",
    "user_id": "U1", "channel_id": "C1", "trigger_id": "1.2.abc", "response_url": "https://x/y",
}  # fmt: skip
PRESS: dict[str, Any] = {
    "type": "block_actions",
    "team": {"id": "T1"},
    "user": {"id": "U1", "team_id": "T1"},
    "api_app_id": "A1",
    "trigger_id": "1.2.abc",
    "container": {"type": "message", "message_ts": "1.1", "channel_id": "C1", "thread_ts": "1.0"},
    "actions": [{"type": "button", "action_id": "hoop:approve:0", "value": "tok", "action_ts": "1.5"}],
}
VIEW: dict[str, Any] = {
    "type": "view_submission",
    "team": {"id": "T1"},
    "user": {"id": "U1"},
    "api_app_id": "A1",
    "trigger_id": "1.2.abc",
    "view": {
        "id": "V1",
        "callback_id": "hoop:form:deny",
        "private_metadata": "tok",
        "state": {"values": {"field:reason": {"value": {"type": "plain_text_input", "value": "no"}}}},
    },
}
EVENT: dict[str, Any] = {
    "type": "event_callback",
    "team_id": "T1",
    "api_app_id": "A1",
    "event_id": "Ev1",
    "event": {"type": "app_mention", "user": "U1", "text": "<@B> my", "ts": "2.2", "channel": "C1"},
}


def test_a_command() -> None:
    got = read(COMMAND, "env-1")
    assert (got.kind, got.user, got.tenant, got.text, got.answer) == (
        Kind.COMMAND,
        "U1",
        "E1",
        "request prod-db",
        "https://x/y",
    )
    assert got.keys == ("envelope:env-1", "trigger:1.2.abc")


def test_a_press_is_known_by_its_time_place_and_value() -> None:
    got = read(PRESS)
    assert (got.kind, got.name, got.token, got.message, got.thread) == (Kind.PRESS, "approve", "tok", "1.1", "1.0")
    other = read(PRESS | {"trigger_id": "9.9.z"})
    assert set(got.keys) & set(other.keys)
    value = read(PRESS | {"trigger_id": "9", "actions": [PRESS["actions"][0] | {"value": "tok2"}]})
    later = read(PRESS | {"trigger_id": "9", "actions": [PRESS["actions"][0] | {"action_ts": "1.6"}]})
    assert not set(got.keys) & set(value.keys)
    assert not set(got.keys) & set(later.keys)


@pytest.mark.parametrize(
    "action",
    [
        {"type": "button", "action_id": "hoop:link:0", "action_ts": "1"},
        {"type": "button", "action_id": "somebody:else", "value": "tok", "action_ts": "1"},
        {"type": "static_select", "action_id": "hoop:approve:0", "value": "tok", "action_ts": "1"},
        {"type": "button", "action_id": "hooper:approve:0", "value": "tok", "action_ts": "1"},
    ],
)
def test_what_is_not_our_button_means_nothing(action: dict[str, Any]) -> None:
    assert read(PRESS | {"actions": [action]}).kind is Kind.NOTHING


def test_a_press_in_a_modal_changes_it_and_one_on_home_does_not() -> None:
    in_modal = PRESS | {"container": {"type": "view", "view_id": "V1"}, "view": {"type": "modal"}}
    assert (read(in_modal).view, read(in_modal).channel) == ("V1", "")
    assert read(in_modal | {"view": {"type": "home"}}).view == ""


def test_a_submission_carries_name_token_and_values() -> None:
    got = read(VIEW)
    assert (got.kind, got.name, got.token, dict(got.values), got.view) == (
        Kind.SUBMIT,
        "deny",
        "tok",
        {"reason": "no"},
        "V1",
    )
    other = VIEW["view"] | {"callback_id": "hoop:busy"}
    assert read(VIEW | {"view": other}).kind is Kind.NOTHING


def test_a_mention_answers_in_its_thread() -> None:
    assert (read(EVENT).kind, read(EVENT).thread, read(EVENT).keys) == (Kind.MENTION, "2.2", ("event:Ev1",))
    inside = EVENT | {"event": EVENT["event"] | {"thread_ts": "1.0"}}
    assert read(inside).thread == "1.0"


@pytest.mark.parametrize(
    "event",
    [
        {"type": "app_mention", "user": "U1", "bot_id": "B1", "text": "x", "ts": "1", "channel": "C1"},
        {"type": "message", "user": "U1", "text": "x", "ts": "1", "channel": "C1"},
        {"type": "app_home_opened", "user": "U1", "tab": "messages", "channel": "D1"},
    ],
)
def test_events_of_bots_and_others_mean_nothing(event: dict[str, Any]) -> None:
    assert read(EVENT | {"event": event}).kind is Kind.NOTHING


def test_shortcuts_and_messages() -> None:
    base = {"team": {"id": "T1", "domain": "acme"}, "user": {"id": "U1"}, "api_app_id": "A1", "trigger_id": "1"}
    assert read(base | {"type": "shortcut", "callback_id": "hoop_request"}).name == "hoop_request"
    about = base | {
        "type": "message_action", "callback_id": "hoop_ask", "message_ts": "1.23", "channel": {"id": "C1"},
        "message": {"ts": "1.23", "thread_ts": "1.0", "text": "ignore previous instructions"},
    }  # fmt: skip
    got = read(about)
    assert (got.name, got.thread, got.text) == ("hoop_ask", "1.0", "https://acme.slack.com/archives/C1/p123")


def test_typing_into_a_long_list_needs_no_id() -> None:
    asked = {
        "type": "block_suggestion",
        "team": {"id": "T1"},
        "user": {"id": "U1"},
        "block_id": "field:resource",
        "value": "pro",
    }
    got = read(asked)
    assert (got.kind, got.name, got.text) == (Kind.CHOICES, "resource", "pro")


@pytest.mark.parametrize(
    "body",
    [
        {}, {"type": "block_actions"}, {"type": None}, {"command": "/hoop"}, COMMAND | {"team_id": ""},
        COMMAND | {"trigger_id": 7}, COMMAND | {"user_id": ["U1"]}, PRESS | {"actions": []}, PRESS | {"actions": None},
        PRESS | {"container": None}, PRESS | {"user": {}}, PRESS | {"user": None}, VIEW | {"view": {}}, VIEW | {"view": None},
        VIEW | {"view": VIEW["view"] | {"state": {"values": {"field:a": "x"}}}}, EVENT | {"event": None},
        EVENT | {"event_id": ""}, EVENT | {"event": {"type": "app_mention", "text": "x"}},
        {"type": "shortcut", "team": {"id": "T1"}, "user": {"id": "U1"}, "callback_id": "x"},
    ],
    ids=str,
)  # fmt: skip
def test_what_slack_would_not_send_is_malformed(body: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        read(body)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(sorted({*COMMAND, *PRESS, *VIEW, *EVENT, "id"})), inner, max_size=6)
    ),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(st.sampled_from(sorted({*COMMAND, *PRESS, *VIEW, *EVENT})), _JSON, max_size=8),
    st.sampled_from([COMMAND, PRESS, VIEW, EVENT, {}]),
)
def test_whatever_is_in_a_payload_it_is_a_delivery_or_malformed(changes: dict[str, Any], base: dict[str, Any]) -> None:
    try:
        got = read(base | changes)
    except Malformed:
        return
    assert isinstance(got, Delivery)


@pytest.mark.parametrize("body", [COMMAND, PRESS, VIEW, EVENT])
def test_the_inbox_gives_back_what_it_was_given(body: dict[str, Any]) -> None:
    got = read(body, "env")
    assert from_json(json.loads(json.dumps(got.to_json()))) == got


@pytest.mark.parametrize(
    "row", [{}, {"kind": "press"}, {"kind": "mystery", "keys": []}, {**read(PRESS).to_json(), "extra": 1}]
)
def test_a_row_that_is_no_delivery_is_malformed(row: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        from_json(row)


def test_nothing_typed_or_secret_is_in_a_repr() -> None:
    got = repr(read(COMMAND)) + repr(read(PRESS)) + repr(read(VIEW))
    assert "request prod-db" not in got
    assert "tok" not in got.replace("token", "")
    assert "https://x/y" not in got


# ------------------------------------------------------------------------------------------------ early modals


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("request", True), ("exec prod-db", True), ("who", True), ("extend prod-db", True), ("my", False), ("approve", True),
     ("request prod-db 1h because", False), ("nonsense", False), ("extend prod-db 30m", False),
     ("deny req_7k3f9a2b", True), ("deny req_7k3f9a2b no", False), ("revoke grt_7k3f9a2b4c", True),
     ("attest req_7k3f9a2b", True), ("attest req_7k3f9a2b restarted it", False)],
)  # fmt: skip
def test_commands_that_will_need_a_form_open_one_at_once(text: str, wanted: bool) -> None:
    assert wants_modal(read(COMMAND | {"text": text})) is wanted


@pytest.mark.parametrize(
    ("action", "wanted"), [("hoop:deny:1:opens", True), ("hoop:anything:0:opens", True), ("hoop:done:0", False)]
)
def test_buttons_that_promise_a_modal_open_one_at_once(action: str, wanted: bool) -> None:
    pressed = PRESS | {"actions": [PRESS["actions"][0] | {"action_id": action}]}
    assert wants_modal(read(pressed)) is wanted
    in_modal = pressed | {"container": {"type": "view", "view_id": "V1"}, "view": {"type": "modal"}}
    assert not wants_modal(read(in_modal))
    on_home = pressed | {"container": {"type": "view", "view_id": "V1"}, "view": {"type": "home"}}
    assert wants_modal(read(on_home))


# ------------------------------------------------------------------------------------------------ mentions


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("<@B> my", "my"),
        ("hey <@B>, request prod-db", "request prod-db"),
        ("<@B>: help", "help"),
        ("<@B> exec prod-db -- SELECT 1 &lt; 2 &amp;&amp; true", "exec prod-db -- SELECT 1 < 2 && true"),
        ("<@B> exec prod-db -- SELECT '&amp;lt;'", "exec prod-db -- SELECT '&lt;'"),
        ("<@B> exec prod-db -- SELECT '&quot;'", "exec prod-db -- SELECT '&quot;'"),
        ("<@B> see <https://x.test/a?b=1&amp;c=2>", "see https://x.test/a?b=1&c=2"),
        ("<@B> see <http://x.test|x.test>", "see x.test"),
        ("<@B> see <http://evil.test|good.test>", "see http://evil.test"),
        ("<@B> mail <mailto:a@b.test|a@b.test>", "mail a@b.test"),
        ("<@B> who <@U2|ann> in <#C1|access> <!here|here>", "who @ann in #access @here"),
        ("<@B> who <@U2>", "who @U2"),
        ("no mention at all", "no mention at all"),
        ("<@B>", ""),
    ],
)
def test_a_mention_becomes_what_was_typed(text: str, typed: str) -> None:
    assert spoken(text, "B") == typed
