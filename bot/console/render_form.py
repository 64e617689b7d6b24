"""Forms as HTML: labels, hints and errors tied to their inputs. Pure. Input is the JSON form of `bot.card_json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from bot.console.icons import icon
from bot.console.render import Viewer, line, words

CHIPS_AT_MOST = 5
_JOIN = Markup("")


def form(data: Mapping[str, Any], viewer: Viewer) -> Markup:
    """The content of the dialog. Raises KeyError or ValueError on data that is not a form."""
    html = Markup(
        '<form class="form" data-form="{}" data-token="{}" novalidate>'
        '<header class="form-head"><h2 id="dialog-title">{}</h2>'
        '<button type="button" class="icon-button" data-close aria-label="Close">{}</button></header>'
        '<div class="form-body">{}{}{}</div>'
        '<footer class="form-foot"><button type="button" class="button" data-close>Cancel</button>'
        '<button type="submit" class="button primary">{}</button></footer></form>'
    )
    intro = Markup('<p class="intro">{}</p>').format(line(data["intro"], viewer)) if data["intro"] else ""
    fields = _JOIN.join(field(f) for f in data["fields"])
    top = _summary(data)
    return html.format(
        data["name"], data["token"], words(data["title"]), icon("cross"), intro, top, fields, words(data["submit"])
    )


def _summary(data: Mapping[str, Any]) -> Markup:
    """What is wrong with the whole form, and which fields need a change: all but the first, which has the focus, may be out of
    sight."""
    wrong = [f for f in data["fields"] if f["error"]]
    links = Markup(", ").join(
        Markup('<a href="#{0}" data-field="{0}">{1}</a>').format(f"field-{f['name']}", words(f["label"].rstrip(".?")))
        for f in wrong
    )
    said = [words(data["error"])] if data["error"] else []
    said += [Markup("Not sent yet. Look at: {}.").format(links)] if len(wrong) > 1 else []
    if not said:
        return Markup("")
    html = Markup('<p class="notice bad" role="alert">{}<span>{}</span></p>')
    return html.format(icon("warning"), Markup(" ").join(said))


def field(data: Mapping[str, Any]) -> Markup:
    """One input with its label, hint and error. Raises ValueError on an unknown kind."""
    control_id = f"field-{data['name']}"
    described = " ".join(f"{control_id}-{part}" for part in ("hint", "error") if data[part])
    marks = Markup(' aria-describedby="{}"').format(described) if described else Markup("")
    if data["error"]:
        marks += Markup(' aria-invalid="true"')
    if data["required"]:
        marks += Markup(' aria-required="true"')
    match data["kind"]:
        case "text":
            control = _text(data, control_id, marks)
        case "lines":
            control = _lines(data, control_id, marks)
        case "duration":
            control = _text(data, control_id, marks) + _suggestions(data, control_id)
        case "choice" if len(data["options"]) <= CHIPS_AT_MOST:
            return _group(data, control_id, _chips(data, control_id, marks))
        case "choice":
            control = _select(data, control_id, marks)
        case _:
            raise ValueError("a form cannot hold a field of this kind")
    label = Markup('<label for="{}">{}{}</label>').format(control_id, words(data["label"]), _optional(data))
    return Markup('<div class="field">{}{}{}</div>').format(label, control, _below(data, control_id))


def _optional(data: Mapping[str, Any]) -> Markup:
    return Markup("") if data["required"] else Markup(' <span class="muted">(optional)</span>')


def _below(data: Mapping[str, Any], id: str) -> Markup:
    hint = Markup('<p class="help" id="{}-hint">{}</p>').format(id, words(data["hint"])) if data["hint"] else ""
    error = (
        Markup('<p class="wrong" id="{}-error">{}<span>{}</span></p>').format(id, icon("warning"), words(data["error"]))
        if data["error"]
        else ""
    )
    return Markup("{}{}").format(hint, error)


def _text(data: Mapping[str, Any], id: str, marks: Markup) -> Markup:
    html = Markup(
        '<input type="text" id="{}" name="{}" value="{}" placeholder="{}" maxlength="{}" autocomplete="off"{}>'
    )
    return html.format(id, data["name"], data["value"], data["placeholder"], data["max_length"], marks)


def _lines(data: Mapping[str, Any], id: str, marks: Markup) -> Markup:
    html = Markup('<textarea id="{}" name="{}" rows="3" placeholder="{}" maxlength="{}"{}>\n{}</textarea>')
    return html.format(id, data["name"], data["placeholder"], data["max_length"], marks, data["value"])


def _suggestions(data: Mapping[str, Any], id: str) -> Markup:
    chip = Markup('<button type="button" class="button small" data-fill="{}" data-value="{}">{}</button>')
    chips = _JOIN.join(chip.format(id, o["value"], words(o["label"])) for o in data["options"])
    return Markup('<div class="choices">{}</div>').format(chips) if chips else chips


def _chips(data: Mapping[str, Any], id: str, marks: Markup) -> Markup:
    alone = (
        data["required"] and len(data["options"]) == 1 and not data["error"]
    )  # what was missing is not filled in by us
    chosen = data["value"] or (data["options"][0]["value"] if alone else "")
    html = Markup('<label class="choice"><input type="radio" name="{}" value="{}" id="{}"{}><span>{}</span></label>')
    chips = _JOIN.join(
        html.format(
            data["name"],
            o["value"],
            id if number == 0 else f"{id}-{number}",
            Markup(" checked") if o["value"] == chosen else "",
            words(o["label"]),
        )
        for number, o in enumerate(data["options"])
    )
    return Markup('<div class="choices" role="radiogroup" aria-labelledby="{}-label"{}>{}</div>').format(
        id, marks, chips
    )


def _group(data: Mapping[str, Any], id: str, control: Markup) -> Markup:
    html = Markup('<div class="field"><span class="label" id="{}-label">{}{}</span>{}{}</div>')
    return html.format(id, words(data["label"]), _optional(data), control, _below(data, id))


def _select(data: Mapping[str, Any], id: str, marks: Markup) -> Markup:
    known = any(o["value"] == data["value"] for o in data["options"])
    first = Markup("") if known else Markup('<option value="" selected>Choose …</option>')
    options = _JOIN.join(
        Markup('<option value="{}"{}>{}</option>').format(
            o["value"], Markup(" selected") if o["value"] == data["value"] else "", words(o["label"])
        )
        for o in data["options"]
    )
    return Markup('<select id="{}" name="{}"{}>{}{}</select>').format(id, data["name"], marks, first, options)
