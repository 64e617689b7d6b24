"""Forms as modals, and what was typed back out of them."""

from __future__ import annotations

from typing import Any

import pytest

from bot.cards import FieldKind, Form, FormField, Option, text
from bot.slack import modals
from bot.slack.checked import checked_view
from tests.bot.slack.office import words
from tests.bot.slack.test_render import HOSTILE
from tests.fakes.slack.checks import view_problems

SCOPES = (Option("read", "Read"), Option("write", "Read and write"))


def form(*fields: FormField, **changes: Any) -> Form:
    return Form(**({"name": "request", "title": "Request access", "fields": fields, "submit": "Ask"} | changes))


def shown(made: Form) -> dict[str, Any]:
    view = modals.form_view(made)
    assert view_problems(view) == []
    return checked_view(view)


def element(made: Form) -> dict[str, Any]:
    found: dict[str, Any] = next(b for b in shown(made)["blocks"] if b["type"] == "input")["element"]
    return found


def test_name_and_token_travel_with_the_view_and_nothing_else_does() -> None:
    view = shown(form(FormField("reason", "Why"), name="deny", token="tok"))
    assert (view["callback_id"], view["private_metadata"]) == ("hoop:form:deny", "tok")
    assert modals.form_name(view["callback_id"]) == "deny"
    assert modals.form_name("hoop:card:request") is None


def test_fields_become_the_inputs_they_are() -> None:
    assert element(form(FormField("a", "A", value="typed")))["initial_value"] == "typed"
    lines = element(form(FormField("a", "A", FieldKind.LINES, placeholder="why")))
    assert (lines["multiline"], lines["placeholder"]["text"]) == (True, "why")
    choice = element(form(FormField("a", "A", FieldKind.CHOICE, "write", options=SCOPES)))
    assert (choice["type"], choice["initial_option"]["value"]) == ("static_select", "write")
    length = element(form(FormField("a", "A", FieldKind.DURATION, "90m", options=(Option("30m", "30m"),))))
    assert (length["type"], length["initial_value"], length["placeholder"]["text"]) == (
        "plain_text_input",
        "90m",
        "30m",
    )


def test_a_value_that_is_no_choice_is_not_preselected() -> None:
    assert "initial_option" not in element(form(FormField("a", "A", FieldKind.CHOICE, "other", options=SCOPES)))


def test_long_lists_are_looked_up_while_typing() -> None:
    many = tuple(Option(f"db-{n}", f"Database {n}") for n in range(250))
    made = element(form(FormField("resource", "What", FieldKind.CHOICE, "db-7", options=many)))
    assert (made["type"], made["min_query_length"], made["initial_option"]["value"]) == ("external_select", 0, "db-7")
    assert "options" not in made
    assert [o["value"] for o in modals.options(many, "db-24")][:3] == ["db-24", "db-240", "db-241"]
    assert next(o["value"] for o in modals.options(many, "BASE 17")) == "db-17"
    assert len(modals.options(many, "")) == 100
    assert modals.options(many, "nothing like it") == []


def test_a_command_that_does_not_fit_is_left_out_never_cut() -> None:
    made = form(FormField("command", "Command", FieldKind.LINES, "x" * 3_001, max_length=30_000))
    assert "initial_value" not in element(made)
    assert element(made)["max_length"] == 3_000
    assert "too long" in words(shown(made)["blocks"])


def test_errors_stand_at_their_fields_or_at_the_top() -> None:
    made = form(FormField("reason", "Why"), FormField("ticket", "Ticket"))
    at_field = made.with_errors({"reason": "say more"}, {"ticket": "INC-1"})
    assert modals.field_errors(at_field) == {"field:reason": "say more"}
    at_top = made.with_errors({"": "no approver"}, {})
    assert modals.field_errors(at_top) is None
    assert "no approver" in words(shown(at_top)["blocks"])
    assert "say more" in words(shown(at_field)["blocks"])


def test_a_form_can_be_kept_and_opened_later() -> None:
    made = form(
        FormField("scope", "Scope", FieldKind.CHOICE, "write", options=SCOPES, error="no"),
        FormField("reason", "Why", FieldKind.LINES, "x", required=False, hint="h"),
        intro=text("Say ", "why"),
        error="top",
    )
    again = modals.form_from_json(modals.form_to_json(made))
    assert again.fields == made.fields
    assert (again.name, again.error, again.intro) == (made.name, made.error, text("Say why"))


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_is_in_a_form_slack_takes_it(hostile: str) -> None:
    option = (Option(hostile or "x", hostile),)
    fields = [FormField(f"f{n}", hostile, kind, hostile, options=option, placeholder=hostile, hint=hostile, error=hostile)
              for n, kind in enumerate(FieldKind)]  # fmt: skip
    shown(form(*fields, title=hostile, submit=hostile, intro=text(hostile), error=hostile))


# ------------------------------------------------------------------------------------------------ what was typed


def test_typed_and_chosen_values_come_back_by_field() -> None:
    state = {
        "field:reason": {"value": {"type": "plain_text_input", "value": "because"}},
        "field:ticket": {"value": {"type": "plain_text_input", "value": None}},
        "field:scope": {"value": {"type": "static_select", "selected_option": {"value": "read"}}},
        "field:resource": {"hoop:choices": {"type": "external_select", "selected_option": {"value": "prod-db"}}},
        "field:none": {"value": {"type": "static_select", "selected_option": None}},
        "not-ours": {"value": {"type": "plain_text_input", "value": "x"}},
    }
    assert modals.values(state) == {
        "reason": "because", "ticket": "", "scope": "read", "resource": "prod-db", "none": "",
    }  # fmt: skip


@pytest.mark.parametrize("state", [{"field:a": "x"}, {"field:a": None}, {"field:a": 3}])
def test_a_state_that_slack_would_not_send_is_refused(state: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="view state"):
        modals.values(state)
