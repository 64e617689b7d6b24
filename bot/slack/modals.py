"""Form → modal, and what was typed back out of Slack's state. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from bot.cards import FieldKind, Form, FormField, Option, plain, text
from bot.slack import limits, rich
from bot.slack.render import NOBODY, PREFIX, modal, plain_text
from bot.slack.rich import Json

VALUE = "value"
CHOICES = f"{PREFIX}:choices"
FORM = f"{PREFIX}:form:"
_TYPED_LONG = "What you typed is too long for a Slack form and is not shown: type the whole command instead."


def form_view(form: Form) -> Json:
    """A form as a modal. Its name is in the callback id, its token (opaque) in the private metadata."""
    top = rich.section([[rich.plain_part(f"⚠ {form.error}", bold=True)]]) if form.error else []
    top += rich.section([rich.line(form.intro, NOBODY)]) if form.intro else []
    blocks = [block for field in form.fields for block in _field(field)]
    view = modal(form.title, [*top, *blocks], callback=FORM + form.name, close="Cancel")
    return view | {"submit": plain_text(form.submit, limits.TITLE), "private_metadata": form.token}


def busy_view(what: str = "One moment …") -> Json:
    """What is opened at once, while the trigger is fresh, and replaced as soon as there is an answer."""
    return modal("hoop", rich.section([[rich.plain_part(what)]]), callback=f"{PREFIX}:busy")


def field_errors(form: Form) -> dict[str, str] | None:
    """The errors by block, for `response_action: errors`; None when one belongs to no field and the view must change."""
    if form.error:
        return None
    return {_block_id(field): limits.fit(field.error, limits.HINT) for field in form.fields if field.error}


def form_name(callback: str) -> str | None:
    """Which form a callback id names."""
    return callback.removeprefix(FORM) if callback.startswith(FORM) else None


def field_of(block_id: str) -> str:
    """Which field a block is."""
    return block_id.removeprefix("field:")


def values(state: Mapping[str, Any]) -> dict[str, str]:
    """What was typed or chosen, by field name. Raises ValueError for a state that is none of ours."""
    found: dict[str, str] = {}
    for block_id, actions in state.items():
        if not isinstance(actions, Mapping):
            raise ValueError("not a view state")  # noqa: TRY004 - one error for everything malformed
        for answer in actions.values():
            if block_id.startswith("field:") and isinstance(answer, Mapping):
                found[field_of(block_id)] = _typed(answer)
    return found


def _typed(answer: Mapping[str, Any]) -> str:
    if answer.get("type") == "plain_text_input":
        return str(answer.get("value") or "")
    option = answer.get("selected_option")
    return str(option.get("value") or "") if isinstance(option, Mapping) else ""


def form_to_json(form: Form) -> Json:
    """A form to be opened later (`form_from_json`)."""
    return asdict(replace(form, intro=())) | {"intro": plain(form.intro)}


def form_from_json(data: Mapping[str, Any]) -> Form:
    """The inverse of `form_to_json`; the introduction comes back as plain words."""
    fields = [
        FormField(**{**one, "kind": FieldKind(one["kind"]), "options": tuple(Option(**o) for o in one["options"])})
        for one in data["fields"]
    ]
    return Form(**{**data, "fields": tuple(fields), "intro": text(data["intro"]) if data["intro"] else ()})


def options(choices: Sequence[Option], typed: str) -> list[Json]:
    """The choices that contain what was typed, those that begin with it first; at most as many as Slack shows."""
    wanted = typed.strip().lower()
    found = [one for one in choices if wanted in one.value.lower() or wanted in one.label.lower()]
    found.sort(key=lambda one: not one.value.lower().startswith(wanted))
    return [_option(one) for one in found[: limits.OPTIONS]]


# ------------------------------------------------------------------------------------------------ pieces


def _block_id(field: FormField) -> str:
    return f"field:{field.name}"


def _field(field: FormField) -> list[Json]:
    element, lost = _element(field)
    block: Json = {
        "type": "input",
        "block_id": _block_id(field),
        "label": plain_text(field.label, limits.LABEL),
        "element": element,
        "optional": not field.required,
    }
    hint = " ".join(part for part in (field.hint, _TYPED_LONG if lost else "") if part)
    if hint:
        block["hint"] = plain_text(hint, limits.HINT)
    wrong = rich.section([[rich.plain_part(f"⚠ {field.error}")]]) if field.error else []
    return [block, *wrong]


def _element(field: FormField) -> tuple[Json, bool]:
    """The input, and whether a prefilled value had to be left out."""
    if field.kind is FieldKind.CHOICE:
        return _select(field), False
    element: Json = {
        "type": "plain_text_input",
        "action_id": VALUE,
        "multiline": field.kind is FieldKind.LINES,
        "max_length": min(field.max_length, limits.INPUT),
    }
    placeholder = field.placeholder or " · ".join(option.label for option in field.options)
    if placeholder:
        element["placeholder"] = plain_text(placeholder, limits.PLACEHOLDER)
    if not field.value:
        return element, False
    if len(field.value) > element["max_length"]:
        return element, True  # cutting a command would change it
    return element | {"initial_value": field.value}, False


def _select(field: FormField) -> Json:
    chosen = next((option for option in field.options if option.value == field.value), None)
    element: Json = {"type": "external_select", "action_id": CHOICES, "min_query_length": 0}
    if 1 <= len(field.options) <= limits.OPTIONS:
        options = [_option(one) for one in field.options]
        element = {"type": "static_select", "action_id": VALUE, "options": options}
    if chosen is not None:
        element["initial_option"] = _option(chosen)
    return element


def _option(option: Option) -> Json:
    return {"text": plain_text(option.label, limits.OPTION_TEXT), "value": option.value[: limits.OPTION_VALUE]}
