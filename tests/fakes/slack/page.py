"""The workspace as a page to look at: channels, private messages, modals and Home, as one person sees them."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.fakes.slack.model import Channel, Json, Message, View

if TYPE_CHECKING:
    from tests.fakes.slack.server import FakeSlack

STYLE = """
body{font:15px/1.46 Lato,'Noto Sans',system-ui,sans-serif;margin:0;background:#f4f4f6;color:#1d1c1d}
nav{background:#3f0e40;color:#fff;padding:10px 20px}nav a{color:#fff;margin-right:14px}nav b{margin-right:14px}
main{columns:640px;column-gap:18px;padding:18px}
section.col{background:#fff;border:1px solid #ddd;border-radius:8px;padding:8px 18px 14px;margin:0 0 18px;break-inside:avoid}
section.col>h2{font-size:16px;border-bottom:1px solid #eee;padding-bottom:6px}
.msg{padding:8px 0;border-top:1px solid #f2f2f2}.msg.reply{margin-left:34px}.msg.only{background:#fbf7e9}
.who{font-weight:900}.ts{color:#616061;font-size:12px;margin-left:6px}.push{color:#616061;font-size:12px;font-style:italic}
.blk{margin:5px 0;overflow-wrap:anywhere}h3.hdr{margin:6px 0;font-size:18px}
.fields{display:grid;grid-template-columns:1fr 1fr;gap:4px 14px}
pre{background:#f8f8f8;border:1px solid #ddd;border-radius:4px;padding:8px;margin:4px 0;white-space:pre-wrap;font:12px/1.5 'DejaVu Sans Mono',monospace}
code{background:#f6f6f6;border:1px solid #ddd;border-radius:3px;color:#c01343;font:12px 'DejaVu Sans Mono',monospace;padding:1px 3px}
.ctx{color:#616061;font-size:13px}.btn{border:1px solid #bbb;border-radius:4px;background:#fff;padding:5px 11px;margin:2px 6px 2px 0;font-weight:700;display:inline-block}
.btn.primary{background:#007a5a;border-color:#007a5a;color:#fff}.btn.danger{background:#e01e5a;border-color:#e01e5a;color:#fff}
.user{background:#e8f5fa;color:#1264a3;border-radius:3px;padding:0 2px}.view{border:2px solid #1264a3;border-radius:10px;padding:10px 16px;margin:12px 0;background:#fff}
label{display:block;font-weight:700;margin-top:8px}input,textarea,select{font:inherit;width:96%;border:1px solid #888;border-radius:4px;padding:6px;background:#fff}
.hint{color:#616061;font-size:12px}.err{color:#e01e5a;font-size:13px}.row{display:flex;justify-content:space-between;gap:12px}
"""


def workspace(slack: FakeSlack, user: str = "") -> str:
    """Everything, as `user` (an id or a name) sees it."""
    people = [u for u in slack.workspace.users.values() if not u.bot]
    chosen = next((u for u in people if user in {u.id, u.name}), people[0] if people else None)
    links = "".join(f'<a href="?user={_e(u.id)}">{_e(u.name)}{" ◂" if u is chosen else ""}</a>' for u in people)
    if chosen is None:
        return _document("nobody here", f"<nav>{links}</nav>")
    member = slack.person(chosen.id)
    columns = [_channel(slack, c, member.sees(c)) for c in slack.workspace.channels.values() if not c.with_user]
    if any(c.with_user == chosen.id for c in slack.workspace.channels.values()):
        columns.append(_channel(slack, member.dm, member.sees(member.dm)))
    if member.modal:
        columns.append(f'<section class="col"><h2>Modal</h2>{_view(slack, member.modal)}</section>')
    if member.home:
        columns.append(f'<section class="col"><h2>Home</h2>{_view(slack, member.home)}</section>')
    return _document("fake Slack", f"<nav><b>fake Slack</b>{links}</nav><main>{''.join(columns)}</main>")


def cards(slack: FakeSlack, shown: Iterable[tuple[str, Message | View]]) -> str:
    """Some messages and views side by side, each under its title."""
    parts = []
    for title, one in shown:
        drawn = _view(slack, one) if isinstance(one, View) else _message(slack, one)
        parts.append(f'<section class="col"><h2>{_e(title)}</h2>{drawn}</section>')
    return _document("cards", f"<main>{''.join(parts)}</main>")


def _document(title: str, body: str) -> str:
    head = f'<meta charset="utf-8"><title>{_e(title)}</title><style>{STYLE}</style>'
    return f"<!doctype html><html><head>{head}</head><body>{body}</body></html>"


def _e(text: Any) -> str:
    return html.escape(str(text))


def _channel(slack: FakeSlack, channel: Channel, messages: list[Message]) -> str:
    title = f"#{channel.name}" if not channel.with_user else "Direct messages with hoop"
    roots = [m for m in messages if not m.thread or m.broadcast]
    body = []
    for root in roots:
        body.append(_message(slack, root))
        body += [_message(slack, m, reply=True) for m in messages if m.thread == root.ts and m is not root]
    return f'<section class="col"><h2>{_e(title)}</h2>{"".join(body)}</section>'


def _message(slack: FakeSlack, message: Message, *, reply: bool = False) -> str:
    name = slack.workspace.users[message.user].name
    at = datetime.fromtimestamp(float(message.ts), UTC).strftime("%H:%M:%S")
    marks = ("only visible to you · " if message.only_for else "") + ("edited" if message.edited else "")
    kind = f"msg{' reply' if reply else ''}{' only' if message.only_for else ''}"
    shown = (
        _blocks(slack, message.blocks) if message.blocks else f'<div class="blk">{_mrkdwn(slack, message.text)}</div>'
    )
    push = f'<div class="push">push: {_mrkdwn(slack, message.text)}</div>' if message.blocks else ""
    files = "".join(f'<div class="blk">📎 {_e(slack.workspace.files[f].name)}</div>' for f in message.files)
    return (
        f'<div class="{kind}"><span class="who">{_e(name)}</span><span class="ts">{at} {marks}</span>'
        f"{shown}{files}{push}</div>"
    )


def _view(slack: FakeSlack, view: View) -> str:
    content = view.content
    title = _e(content.get("title", {}).get("text", "Home"))
    submit = content.get("submit")
    foot = f'<div class="btn primary">{_e(submit["text"])}</div>' if submit else ""
    errors = view.state.get("errors", {})
    return f'<div class="view"><h3 class="hdr">{title}</h3>{_blocks(slack, content["blocks"], errors)}{foot}</div>'


def _blocks(slack: FakeSlack, blocks: list[Json], errors: Json | None = None) -> str:
    return "".join(f'<div class="blk">{_block(slack, block, errors or {})}</div>' for block in blocks)


def _block(slack: FakeSlack, block: Json, errors: Json) -> str:
    match block["type"]:
        case "header":
            return f'<h3 class="hdr">{_text(slack, block["text"])}</h3>'
        case "divider":
            return "<hr>"
        case "section":
            text = _text(slack, block["text"]) if "text" in block else ""
            fields = "".join(f"<div>{_text(slack, one)}</div>" for one in block.get("fields", []))
            side = _element(block["accessory"]) if "accessory" in block else ""
            return f'<div class="row"><div>{text}<div class="fields">{fields}</div></div><div>{side}</div></div>'
        case "context":
            return f'<div class="ctx">{" ".join(_text(slack, one) for one in block["elements"])}</div>'
        case "actions":
            return "".join(_element(one) for one in block["elements"])
        case "input":
            error = errors.get(block.get("block_id", ""), "")
            hint = f'<div class="hint">{_text(slack, block["hint"])}</div>' if "hint" in block else ""
            wrong = f'<div class="err">{_e(error)}</div>' if error else ""
            return f"<label>{_text(slack, block['label'])}</label>{_element(block['element'])}{hint}{wrong}"
        case "rich_text":
            return "".join(_rich(slack, one) for one in block["elements"])
        case kind:
            return f"<pre>{_e(kind)}</pre>"


def _rich(slack: FakeSlack, element: Json) -> str:
    if element["type"] == "rich_text_list":
        return "<ul>" + "".join(f"<li>{_rich(slack, one)}</li>" for one in element["elements"]) + "</ul>"
    inner = "".join(_part(slack, part) for part in element["elements"])
    return f"<pre>{inner}</pre>" if element["type"] == "rich_text_preformatted" else f"<div>{_lines(inner)}</div>"


def _lines(text: str) -> str:
    return text.replace("\n", "<br>")


def _part(slack: FakeSlack, part: Json) -> str:
    match part["type"]:
        case "user":
            return _user(slack, part["user_id"])
        case "date":
            return _date(part["timestamp"], part["format"])
        case "link":
            return f'<a href="#">{_e(part.get("text") or part["url"])}</a>'
        case _:
            shown = _e(part.get("text", ""))
            style = part.get("style", {})
            for name, tag in (("bold", "b"), ("italic", "i"), ("strike", "s"), ("code", "code")):
                if style.get(name):
                    shown = f"<{tag}>{shown}</{tag}>"
            return shown


def _user(slack: FakeSlack, id: str) -> str:
    user = slack.workspace.users.get(id)
    return f'<span class="user">@{_e(user.name if user else id)}</span>'


def _date(timestamp: int, pattern: str) -> str:
    at = datetime.fromtimestamp(timestamp, UTC)
    shown = pattern
    for token, value in (
        ("{date_short_pretty}", at.strftime("%b %-d, %Y")),
        ("{date_short}", at.strftime("%b %-d, %Y")),
        ("{date}", at.strftime("%B %-d")),
        ("{time}", at.strftime("%H:%M")),
        ("{ago}", "soon"),
    ):
        shown = shown.replace(token, value)
    return _e(shown)


def _text(slack: FakeSlack, text: Json) -> str:
    return _mrkdwn(slack, text["text"]) if text["type"] == "mrkdwn" else _lines(_e(text["text"]))


def _mrkdwn(slack: FakeSlack, text: str) -> str:
    """Slack's own order: entities are text, `<…>` is markup, the rest is decoration."""

    def markup(match: re.Match[str]) -> str:
        inner = match[1]
        if inner.startswith("@"):
            return _user(slack, inner[1:].split("|")[0])
        if inner.startswith("!date^"):
            _, stamp, pattern, *_ = re.split(r"[\^|]", inner)
            return _date(int(stamp), pattern)
        if inner.startswith("!"):
            return f'<span class="user">@{_e(inner[1:])}</span>'
        address, _, label = inner.partition("|")
        return f'<a href="#">{_e(label or address)}</a>'

    pieces, last = [], 0
    for match in re.finditer(r"<([^<>]+)>", text):
        pieces += [_decorate(text[last : match.start()]), markup(match)]
        last = match.end()
    return _lines("".join([*pieces, _decorate(text[last:])]))


def _decorate(text: str) -> str:
    shown = _e(html.unescape(text))
    shown = re.sub(r"```(.+?)```", r"<pre>\1</pre>", shown, flags=re.DOTALL)
    shown = re.sub(r"`([^`\n]+)`", r"<code>\1</code>", shown)
    return re.sub(r"(?<!\w)\*([^*\n]+)\*(?!\w)", r"<b>\1</b>", shown)


def _element(element: Json) -> str:
    kind = element["type"]
    if kind == "button":
        return f'<span class="btn {_e(element.get("style", ""))}">{_e(element["text"]["text"])}</span>'
    if kind == "plain_text_input":
        value, hint = element.get("initial_value", ""), element.get("placeholder", {}).get("text", "")
        if element.get("multiline"):
            return f'<textarea placeholder="{_e(hint)}">{_e(value)}</textarea>'
        return f'<input value="{_e(value)}" placeholder="{_e(hint)}">'
    chosen = element.get("initial_option", {}).get("text", {}).get("text", "")
    shown = chosen or element.get("placeholder", {}).get("text", "choose …")
    return f"<select><option>{_e(shown)}</option></select>"
