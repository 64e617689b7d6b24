"""Cards and forms as HTML. Pure.

Input is the JSON form of a card (`bot.card_json`), which is also what is stored. Every string is escaped; links lead to
http(s) addresses only; hidden and bidirectional characters are visible and marked; times are in the viewer's zone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from markupsafe import Markup, escape

from bot.console.icons import icon
from bot.console.sql_colours import coloured
from bot.visible import visible

_JOIN = Markup("")
_TONES = {"waiting": "wait", "good": "good", "bad": "bad", "warning": "wait", "quiet": "calm"}
_TONE_ICONS = {"wait": "clock", "good": "check", "bad": "stop", "calm": "dot"}
_DOTS = {"🟢": "good", "🟡": "wait", "🔴": "bad"}
_STATE_ICONS = {
    "✅": "check",
    "✔": "check",
    "🟢": "check",
    "⏳": "clock",
    "⌛": "clock",
    "⏰": "clock",
    "✋": "hand",
    "⛔": "stop",
    "🚫": "stop",
    "❌": "cross",
    "⏹": "ended",
    "⚠": "warning",
    "🔑": "key",
    "🔒": "lock",
    "🔌": "plug",
    "📼": "play",
    "▶": "play",
    "ℹ": "info",
    "❔": "info",
    "💬": "thread",
}
_RUNE = re.compile(r"⟨U\+[0-9A-F]{4,6}⟩")
_WEB = re.compile(r"\Ahttps?://[^\s\x00-\x20]+\Z")


@dataclass(frozen=True, slots=True)
class Viewer:
    """For whom something is drawn: their id and zone, the time it is, and the prefix of their pages.

    `origin` is the console's public address: links to it become links inside the viewer's own pages.
    """

    person: str
    now: datetime
    zone: tzinfo = UTC
    base: str = ""
    origin: str = ""

    def moment(self, at: datetime, style: str) -> Markup:
        """A time element for this viewer."""
        return moment(at, style, self)


# ------------------------------------------------------------------------------------------------ words and times


def words(value: str) -> Markup:
    """Text with hidden characters written out and marked, kept apart from its surroundings' direction."""
    return _marked(escape(visible(value)))


def _plain(value: str) -> Markup:
    """Words of a line. A mark of risk at their beginning is drawn: not every machine has a font with it."""
    tone = _DOTS.get(value[:1])
    return (
        words(value) if tone is None else Markup('<span class="mark-dot {}"></span>{}').format(tone, words(value[1:]))
    )


def _marked(shown: Markup) -> Markup:
    if "⟨U+" not in shown:
        return shown
    return Markup(_RUNE.sub(lambda match: f'<span class="rune">{match[0]}</span>', str(shown)))  # noqa: S704 - is escaped


def moment(at: datetime, style: str, viewer: Viewer) -> Markup:
    """A time element. `style`: `time` (14:05), `date_time` (3 Mar, 14:05), `countdown` (in 58 min; the page ticks it)."""
    local, now = at.astimezone(viewer.zone), viewer.now.astimezone(viewer.zone)
    exact = f"{local:%A} {local.day} {local:%B %Y, %H:%M:%S %Z}"
    if style == "countdown":
        html = Markup('<time datetime="{}" title="{}" data-countdown>{}</time>')
        return html.format(at.isoformat(), exact, left(at - viewer.now))
    shown = f"{local:%H:%M}" if style == "time" else _date_time(local, now)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(at.isoformat(), exact, shown)


def _date_time(local: datetime, now: datetime) -> str:
    if local.date() == now.date():
        return f"today, {local:%H:%M}"
    year = "" if local.year == now.year else f" {local.year}"
    return f"{local.day} {local:%b}{year}, {local:%H:%M}"


def day_name(at: datetime, viewer: Viewer) -> str:
    """The heading of a day's messages."""
    day, today = at.astimezone(viewer.zone).date(), viewer.now.astimezone(viewer.zone).date()
    if day == today:
        return "Today"
    if day == today - timedelta(days=1):
        return "Yesterday"
    return f"{day:%A}, {day.day} {day:%B}" + ("" if day.year == today.year else f" {day.year}")


def left(rest: timedelta) -> str:
    """Time left in words; the page's script writes the same."""
    seconds = int(rest.total_seconds())
    if seconds <= 0:
        return "over"
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s" if seconds < 600 else f"{seconds // 60} min"
    hours, minutes = divmod(seconds // 60, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min"
    return f"{hours // 24} days"


def initials(name: str) -> str:
    """One or two letters of a name for its avatar."""
    parts = [part for part in re.split(r"[\s._-]+", name) if part[:1].isalnum()]
    letters = parts[0][0] + (parts[-1][0] if len(parts) > 1 else "") if parts else "?"
    return letters.upper()


def avatar(person: str, name: str, *, tiny: bool = False) -> Markup:
    """A person's square, always the same colour for the same person."""
    colour = hashlib.sha256(person.encode()).digest()[0] % 8
    size = " tiny" if tiny else ""
    return Markup('<span class="avatar t{}{}" aria-hidden="true">{}</span>').format(colour, size, initials(name))


def bot_avatar() -> Markup:
    """The square of hoop itself."""
    return Markup('<span class="avatar bot" aria-hidden="true">{}</span>').format(icon("hoop"))


# ------------------------------------------------------------------------------------------------ lines


def line(spans: Iterable[Any], viewer: Viewer) -> Markup:
    """One line of a card. Raises ValueError on a span of unknown shape."""
    return _JOIN.join(_span(span, viewer) for span in spans)


def _span(span: Any, viewer: Viewer) -> Markup:
    match span:
        case str():
            return _plain(span)
        case {"code": str(value)}:
            return Markup("<code>{}</code>").format(words(value))
        case {"strong": str(value)}:
            return Markup("<strong>{}</strong>").format(words(value))
        case {"moment": str(at), "style": str(style)}:
            return moment(datetime.fromisoformat(at), style, viewer)
        case {"mention": str(person), "name": str(name)}:
            you = Markup(" (you)") if person == viewer.person else ""
            return Markup('<strong class="mention"><bdi>{}</bdi></strong>{}').format(words(name), you)
        case {"link": str(url), "label": str(label)}:
            return link(label, url, viewer)
        case _:
            raise ValueError(f"a card line cannot hold {type(span).__name__}")


def local_address(url: str, viewer: Viewer) -> str | None:
    """Where a link leads: into the viewer's own pages, elsewhere on the web, or None when it is no web address."""
    if not _WEB.match(url) or visible(url) != url:
        return None
    if viewer.origin and url.startswith(viewer.origin + "/"):
        return viewer.base + url[len(viewer.origin) :]
    return url


def link(label: str, url: str, viewer: Viewer, *, css: str = "") -> Markup:
    """A link, or just its label when the address is not one to follow."""
    address = local_address(url, viewer)
    if address is None:
        return words(label)
    foreign = Markup(' rel="noopener noreferrer" target="_blank"') if address.startswith("http") else ""
    classes = Markup(' class="{}"').format(css) if css else ""
    return Markup('<a href="{}"{}{}>{}</a>').format(address, classes, foreign, words(label))


# ------------------------------------------------------------------------------------------------ cards


def state_chip(state: Mapping[str, str]) -> Markup:
    """The state word with its icon: never colour alone."""
    tone = _TONES.get(state["tone"], "calm")
    drawing = icon(_STATE_ICONS.get(state["icon"].rstrip("\ufe0f"), _TONE_ICONS[tone]))
    return Markup('<span class="chip {}">{}{}</span>').format(tone, drawing, words(state["word"]))


def card(data: Mapping[str, Any], viewer: Viewer, files: str = "") -> Markup:
    """A card; its tables can be taken along from below `files`. Raises KeyError or ValueError on data that is not one."""
    tone = _TONES.get(data["state"]["tone"], "calm")
    rows = [
        Markup('<div class="card-top">{}</div>').format(state_chip(data["state"])),
        Markup("<h3>{}</h3>").format(line(data["title"], viewer)) if data["title"] else "",
        _lines(data["lines"], viewer),
        _JOIN.join(block(b, files and f"{viewer.base}{files}/{at}") for at, b in enumerate(data["blocks"])),
        _fields(data["fields"], viewer),
        _notes(data["notes"], viewer),
        _items(data["items"], viewer),
        buttons(data["buttons"], viewer),
        Markup('<p class="card-foot">{}</p>').format(line(data["footer"], viewer)) if data["footer"] else "",
    ]
    compact = not any(data[part] for part in ("blocks", "fields", "items", "notes", "buttons"))
    return Markup('<article class="card {}{}" data-kind="{}"><div class="card-inner">{}</div></article>').format(
        tone, " compact" if compact else "", visible(data["kind"]), _JOIN.join(rows)
    )


def _lines(lines: Iterable[Any], viewer: Viewer) -> Markup:
    shown = _JOIN.join(Markup("<p>{}</p>").format(line(spans, viewer)) for spans in lines)
    return Markup('<div class="lines">{}</div>').format(shown) if shown else Markup("")


def _fields(fields: Iterable[Any], viewer: Viewer) -> Markup:
    shown = _JOIN.join(_field(f["label"], line(f["value"], viewer)) for f in fields)
    return Markup('<dl class="facts">{}</dl>').format(shown) if shown else Markup("")


def _field(label: str, value: Markup) -> Markup:
    return Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(words(label), value)


def _notes(notes: Iterable[Any], viewer: Viewer) -> Markup:
    return _JOIN.join(_note(list(note), viewer) for note in notes)


def _note(note: list[Any], viewer: Viewer) -> Markup:
    """A note; one that starts with the warning sign gets the drawing and the colour instead of the sign."""
    tone, drawing = "calm", "info"
    if note and isinstance(note[0], str) and note[0].startswith("⚠"):
        tone, drawing = "wait", "warning"
        note[0] = note[0].lstrip("⚠\ufe0f ")
    html = Markup('<p class="notice {}">{}<span>{}</span></p>')
    return html.format(tone, icon(drawing), line(note, viewer))


def _items(items: Iterable[Any], viewer: Viewer) -> Markup:
    shown = _JOIN.join(
        Markup('<li class="row"><div class="head">{}</div>{}{}</li>').format(
            line(item["title"], viewer),
            _JOIN.join(Markup('<p class="sub">{}</p>').format(line(spans, viewer)) for spans in item["lines"]),
            Markup('<div class="do">{}</div>').format(
                _JOIN.join(button(b, viewer, small=True) for b in item["buttons"])
            )
            if item["buttons"]
            else "",
        )
        for item in items
    )
    return Markup('<ul class="rows">{}</ul>').format(shown) if shown else Markup("")


def buttons(data: Iterable[Any], viewer: Viewer) -> Markup:
    """A row of buttons; nothing when there are none."""
    shown = _JOIN.join(button(b, viewer) for b in data)
    return Markup('<div class="actions">{}</div>').format(shown) if shown else Markup("")


def button(data: Mapping[str, str], viewer: Viewer, *, small: bool = False) -> Markup:
    """One button: a link, or something to press that sends its opaque token back."""
    look = {"primary": "good" if data["do"] == "approve" else "primary", "danger": "bad"}.get(data["style"], "")
    css = " ".join(part for part in ("button", look, "small" if small else "") if part)
    if data["url"]:
        return link(data["label"], data["url"], viewer, css=css)
    confirm = Markup(' data-confirm="{}"').format(visible(data["confirm"])) if data["confirm"] else ""
    html = Markup('<button type="button" class="{}" data-press="{}" data-do="{}"{}>{}</button>')
    return html.format(css, data["token"], data["do"], confirm, words(data["label"]))


# ------------------------------------------------------------------------------------------------ blocks


def block(data: Mapping[str, Any], file: str = "") -> Markup:
    """One block; a table can be taken along from `file`. Raises ValueError on an unknown kind."""
    match data["type"]:
        case "code":
            return code(data["text"], data["label"], colour=True)
        case "exact":
            return code(data["text"], data["label"] or "Exact text, only for you", colour=True)
        case "snippet":
            return code(data["text"], data["label"], copy=True)
        case "secret":
            return code(data["text"], data["label"] or "Secret", copy=True)
        case "withheld":
            html = Markup('<p class="notice calm">{}<span>{}</span></p>')
            return html.format(icon("lock"), words(data["text"]))
        case "table":
            return table(data["columns"], data["rows"], data["note"], file)
        case _:
            raise ValueError("a card cannot hold a block of this kind")


def code(text: str, label: str, *, colour: bool = False, copy: bool = False) -> Markup:
    """Text in fixed width. `copy` adds a button for it; SQL gets colours with `colour`."""
    shown = _marked(coloured(visible(text))) if colour else words(text)
    caption = Markup('<p class="small muted code-label">{}</p>').format(words(label)) if label else ""
    press = (
        Markup('<button type="button" class="icon-button copy" data-copy aria-label="Copy">{}</button>').format(
            icon("copy")
        )
        if copy or len(text) > 24
        else ""
    )
    html = Markup('<figure>{}<div class="code"><pre tabindex="0"><code>{}</code></pre>{}</div></figure>')
    return html.format(caption, shown, press)


def table(columns: Iterable[str], rows: Iterable[Iterable[str | None]], note: str, file: str = "") -> Markup:
    """A masked extract, and where it is as a file."""
    head = _JOIN.join(Markup('<th scope="col">{}</th>').format(words(name)) for name in columns)
    null = Markup('<span class="null">null</span>')
    body = _JOIN.join(
        Markup("<tr>{}</tr>").format(
            _JOIN.join(Markup("<td>{}</td>").format(null if cell is None else words(cell)) for cell in row)
        )
        for row in rows
    )
    html = Markup(
        '<figure><div class="table-scroll data" tabindex="0" role="region" aria-label="Result">'
        "<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>{}</figure>"
    )
    taken = (
        Markup('<a class="download" href="{}" download>{}Download</a>').format(file, icon("download")) if file else ""
    )
    shown = words(note) if note else Markup("")
    caption = Markup('<figcaption class="small muted">{} {}</figcaption>').format(shown, taken) if note or file else ""
    return html.format(head, body, caption)
