"""The drawings: one stroke width, 24 × 24, drawn with the colour of the text around them. Pure."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType

from markupsafe import Markup

_PATHS = MappingProxyType(
    {
        "hoop": '<ellipse cx="12" cy="12" rx="8.5" ry="8.5"/>',
        "check": '<path d="M20 6.5 9.5 17.5 4 12"/>',
        "clock": '<circle cx="12" cy="12" r="8.5"/><path d="M12 7.2V12l3.2 2"/>',
        "stop": '<circle cx="12" cy="12" r="8.5"/><path d="m6.2 6.2 11.6 11.6"/>',
        "cross": '<path d="m6 6 12 12M18 6 6 18"/>',
        "warning": '<path d="M12 4 2.8 19.5h18.4L12 4Z"/><path d="M12 10v4.2M12 17.1v.1"/>',
        "info": '<circle cx="12" cy="12" r="8.5"/><path d="M12 11v5M12 7.9v.1"/>',
        "dot": '<circle cx="12" cy="12" r="4.2"/>',
        "play": '<path d="M7.5 5.2v13.6L18.5 12 7.5 5.2Z"/>',
        "hash": '<path d="M9.5 4 7.5 20M16.5 4l-2 16M4.5 9h16M3.5 15h16"/>',
        "lock": '<rect x="5" y="10.5" width="14" height="9.5" rx="2.2"/><path d="M8 10.5V8a4 4 0 0 1 8 0v2.5"/>',
        "hand": '<path d="M8 12.5V6.2a1.4 1.4 0 0 1 2.8 0V11V4.9a1.4 1.4 0 0 1 2.8 0V11V6.2a1.4 1.4 0 0 1 2.8 0v7.3'
        'a6.5 6.5 0 0 1-6.3 6.5c-2.6 0-3.9-1.2-5-3.2l-1.6-3a1.35 1.35 0 0 1 2.2-1.5L8 14"/>',
        "plug": '<path d="M9 3.5V8M15 3.5V8M6.5 8h11v3.2a5.5 5.5 0 0 1-11 0V8ZM12 16.7v3.8"/>',
        "ended": '<rect x="6" y="6" width="12" height="12" rx="2.5"/>',
        "key": '<circle cx="8" cy="15.5" r="4"/><path d="m11 12.5 8.5-8.5M16.5 7l2.6 2.6M14 9.5l1.8 1.8"/>',
        "inbox": '<path d="M4 13.5 6.5 5h11l2.5 8.5V19H4v-5.5Z"/><path d="M4 13.5h4.5l1.2 2.5h4.6l1.2-2.5H20"/>',
        "list": '<path d="M8.5 6.5H20M8.5 12H20M8.5 17.5H20M4.2 6.5h.1M4.2 12h.1M4.2 17.5h.1"/>',
        "terminal": '<rect x="3.5" y="5" width="17" height="14" rx="2.5"/><path d="m7.5 9.5 3 2.5-3 2.5M12.5 15h4"/>',
        "send": '<path d="M12 19.5v-15M5.5 11 12 4.5l6.5 6.5"/>',
        "download": '<path d="M12 4.5v10M7.5 10.5 12 15l4.5-4.5M5 19.5h14"/>',
        "copy": '<rect x="8.5" y="8.5" width="11" height="11" rx="2.2"/>'
        '<path d="M15.5 8.5V6.7a2.2 2.2 0 0 0-2.2-2.2H6.7a2.2 2.2 0 0 0-2.2 2.2v6.6a2.2 2.2 0 0 0 2.2 2.2h1.8"/>',
        "menu": '<path d="M4 7h16M4 12h16M4 17h16"/>',
        "thread": '<path d="M4.5 5.5h15v10h-8l-4 3.5v-3.5h-3v-10Z"/>',
        "right": '<path d="m9.5 6 6 6-6 6"/>',
        "eye": '<path d="M2.8 12S6 5.8 12 5.8 21.2 12 21.2 12 18 18.2 12 18.2 2.8 12 2.8 12Z"/><circle cx="12" cy="12" r="2.8"/>',
        "leave": '<path d="M14 4.5h4a1.5 1.5 0 0 1 1.5 1.5v12a1.5 1.5 0 0 1-1.5 1.5h-4M10 8l-4 4 4 4M6.5 12H15"/>',
        "half": '<circle cx="12" cy="12" r="8.5"/><path d="M12 3.5v17a8.5 8.5 0 0 0 0-17Z" fill="currentColor"/>',
        "bulb": '<path d="M9.2 17.5h5.6M10 20.5h4M12 3.5a6 6 0 0 0-3.3 11c.4.3.6.8.6 1.3v1.7h5.4v-1.7c0-.5.2-1 .6-1.3a6 6 0 0 0-3.3-11Z"/>',
        "person": '<circle cx="12" cy="8.2" r="3.9"/><path d="M4.5 19.8a7.6 7.6 0 0 1 15 0"/>',
        "bolt": '<path d="M13.2 3.2 5 13.6h6l-1 7.2 8.4-10.6h-6.2l1-7Z"/>',
        "search": '<circle cx="11" cy="11" r="6.5"/><path d="m20 20-4.2-4.2"/>',
        "wifi": '<path d="M2.5 9a14 14 0 0 1 19 0M5.8 12.6a9.2 9.2 0 0 1 12.4 0M9 16.1a4.4 4.4 0 0 1 6 0M12 19.4v.1"/>',
    }
)


@cache
def icon(name: str) -> Markup:
    """The drawing called `name`, hidden from screen readers: the word beside it says the same. KeyError for another name."""
    return Markup('<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">{}</svg>').format(
        Markup(_PATHS[name])  # noqa: S704 - our own constants
    )
