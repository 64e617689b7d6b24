"""Cards and forms as JSON-ready data: for the console's page, for golden files, for telling two renderings apart. Pure.

A private card's exact text and secrets are in it: send it only to the reader it was made for, never store or log it.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from bot.cards import (
    Block,
    Button,
    Card,
    Code,
    CodeBlock,
    ExactBlock,
    Form,
    Item,
    Link,
    Mention,
    Moment,
    SecretBlock,
    Snippet,
    Span,
    Strong,
    Table,
    Text,
)


def text_to_json(line: Text) -> list[Any]:
    """A line as a list of strings and one-key objects (`code`, `strong`, `moment`, `mention`, `link`)."""
    return [_span(span) for span in line]


def _span(span: Span) -> Any:
    match span:
        case str():
            return str(span)
        case Code(text):
            return {"code": text}
        case Strong(text):
            return {"strong": text}
        case Moment(at, style):
            return {"moment": at.isoformat(), "style": style.value}
        case Mention(person, name, ping):
            return {"mention": person, "name": name, "ping": ping}
        case Link(label, url):
            return {"link": url, "label": label}


def _block(block: Block) -> dict[str, Any]:
    match block:
        case CodeBlock(text, label):
            return {"type": "code", "text": str(text), "label": label}
        case ExactBlock(_, label):
            return {"type": "exact", "text": block.shown(), "label": label}
        case Snippet(text, label):
            return {"type": "snippet", "text": text, "label": label}
        case SecretBlock(text, label):
            return {"type": "secret", "text": text, "label": label}
        case Table(columns, rows, note):
            cells = [[None if cell is None else str(cell) for cell in row] for row in rows]
            return {"type": "table", "columns": [str(c) for c in columns], "rows": cells, "note": note}


def _button(button: Button) -> dict[str, Any]:
    return {
        "label": button.label,
        "do": button.do.value,
        "style": button.style.value,
        "token": button.token,
        "confirm": button.confirm,
        "url": button.url,
    }


def _item(item: Item) -> dict[str, Any]:
    return {
        "title": text_to_json(item.title),
        "lines": [text_to_json(line) for line in item.lines],
        "buttons": [_button(button) for button in item.buttons],
    }


def card_to_json(card: Card) -> dict[str, Any]:
    """The whole card."""
    return {
        "kind": card.kind,
        "state": {"word": card.state.word, "icon": card.state.icon, "tone": card.state.tone.value},
        "title": text_to_json(card.title),
        "lines": [text_to_json(line) for line in card.lines],
        "fields": [{"label": f.label, "value": text_to_json(f.value)} for f in card.fields],
        "blocks": [_block(block) for block in card.blocks],
        "items": [_item(item) for item in card.items],
        "notes": [text_to_json(note) for note in card.notes],
        "buttons": [_button(button) for button in card.buttons],
        "footer": text_to_json(card.footer),
        "fallback": card.fallback,
        "private": card.private,
    }


def form_to_json(form: Form) -> dict[str, Any]:
    """The whole form."""
    return {
        "name": form.name,
        "token": form.token,
        "title": form.title,
        "intro": text_to_json(form.intro),
        "error": form.error,
        "submit": form.submit,
        "fields": [
            {
                "name": f.name,
                "label": f.label,
                "kind": f.kind.value,
                "value": f.value,
                "required": f.required,
                "options": [{"value": o.value, "label": o.label} for o in f.options],
                "placeholder": f.placeholder,
                "hint": f.hint,
                "error": f.error,
                "max_length": f.max_length,
            }
            for f in form.fields
        ],
    }


def fingerprint(card: Card) -> str:
    """Equal for two renderings that show the same (button tokens aside): then nothing needs to be sent again."""
    data = card_to_json(card)
    for button in [*data["buttons"], *(b for item in data["items"] for b in item["buttons"])]:
        button["token"] = ""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:32]
