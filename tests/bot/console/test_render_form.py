from __future__ import annotations

from dataclasses import replace

import pytest

from bot.card_json import form_to_json
from bot.cards import FieldKind, Form, FormField, Option, text
from bot.console.render_form import form
from tests.bot.console.test_render import EVIL, VIEWER, Shape

OPTIONS = tuple(Option(str(n), f"Option {n}") for n in range(8))


def full_form(evil: str) -> Form:
    base = FormField(
        "name", evil, FieldKind.TEXT, evil, placeholder=evil, hint=evil, error=evil, options=(Option(evil, evil),)
    )
    kinds = [replace(base, name=kind.value, kind=kind) for kind in FieldKind]
    many = replace(base, name="many", kind=FieldKind.CHOICE, options=(*OPTIONS, Option(evil, evil)))
    return Form(evil, evil, (*kinds, many), evil, evil, text(evil), evil)


PLAIN = Shape(form(form_to_json(full_form("x")), VIEWER))


@pytest.mark.parametrize("evil", EVIL)
def test_no_string_of_a_form_becomes_markup(evil: str) -> None:
    shape = Shape(form(form_to_json(full_form(evil)), VIEWER))
    assert shape.tags <= PLAIN.tags
    assert shape.attributes <= PLAIN.attributes


def test_hints_and_errors_are_tied_to_their_input() -> None:
    html = form(form_to_json(full_form("x")), VIEWER)
    for kind in ("text", "lines", "duration"):
        assert f'<label for="field-{kind}">' in html
    assert html.count('aria-describedby="field-text-hint field-text-error"') == 1
    for name in ("text", "lines", "duration", "choice", "many"):
        assert f'id="field-{name}-error"' in html
        assert f'id="field-{name}-hint"' in html
        assert f'<a href="#field-{name}" data-field="field-{name}">' in html, "the top leads to it, wherever it is"
    assert html.count('aria-invalid="true"') == 5
    assert html.count('role="alert"') == 1, "one announcement, not six"


def test_a_form_without_faults_says_none() -> None:
    field = FormField("reason", "Reason", FieldKind.LINES, "\nkept", required=False)
    html = form(form_to_json(Form("deny", "Deny", (field,), "Deny")), VIEWER)
    assert "aria-invalid" not in html
    assert "role" not in html
    assert "(optional)" in html
    assert ">\n\nkept</textarea>" in html, "the first line break belongs to the markup, the second to the person"


def test_few_choices_are_chips_and_many_a_list() -> None:
    few = FormField("scope", "What for", FieldKind.CHOICE, "1", options=OPTIONS[:3])
    html = form(form_to_json(Form("f", "F", (few, replace(few, name="r", options=OPTIONS)), "Go")), VIEWER)
    assert html.count('type="radio"') == 3
    assert html.count(" checked") == 1
    assert html.count("<option") == 8
    assert html.count(" selected") == 1


@pytest.mark.parametrize(("options", "required", "checked"), [(1, True, 1), (1, False, 0), (2, True, 0)])
def test_where_there_is_no_choice_it_is_made(options: int, required: bool, checked: int) -> None:
    field = FormField("r", "Resource", FieldKind.CHOICE, options=OPTIONS[:options], required=required)
    assert form(form_to_json(Form("f", "F", (field,), "Go")), VIEWER).count(" checked") == checked


def test_a_value_that_is_no_option_chooses_nothing() -> None:
    field = FormField("r", "Resource", FieldKind.CHOICE, "gone", options=OPTIONS)
    html = form(form_to_json(Form("f", "F", (field,), "Go")), VIEWER)
    assert '<option value="" selected>Choose …</option>' in html


def test_durations_offer_what_is_usual() -> None:
    field = FormField("duration", "How long", FieldKind.DURATION, options=(Option("30m", "30m"),))
    html = form(form_to_json(Form("f", "F", (field,), "Go")), VIEWER)
    assert 'data-fill="field-duration" data-value="30m"' in html


def test_an_unknown_kind_is_refused() -> None:
    data = form_to_json(full_form("x"))
    data["fields"][0]["kind"] = "html"
    with pytest.raises(ValueError, match="kind"):
        form(data, VIEWER)


def test_the_only_choice_is_taken_for_granted_but_not_after_it_was_missing() -> None:
    one = FormField("resource", "Resource", FieldKind.CHOICE, options=(Option("prod-db", "prod-db"),))
    made = Form("request", "Request", (one,), "Ask")
    assert " checked" in form(form_to_json(made), VIEWER)
    again = made.with_errors({"resource": "Choose a resource."}, {"resource": ""})
    assert " checked" not in form(form_to_json(again), VIEWER), "an error at something chosen is a riddle"
