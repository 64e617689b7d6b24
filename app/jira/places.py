"""Placeholders of templates. Pure, and without the library, so that checking a configuration is quick."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

PLACES = ("who", "what", "resource", "scope", "reason", "ticket", "id", "link", "minutes")
_PLACE = re.compile(r"\{([a-z]+)\}")


def unknown_places(value: Any) -> list[str]:
    """Placeholders that mean nothing, anywhere in a template."""
    if isinstance(value, str):
        return sorted({*_PLACE.findall(value)} - {*PLACES})
    inside = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return sorted({found for one in inside for found in unknown_places(one)})


def filled(value: Any, values: Mapping[str, str]) -> Any:
    """A template with its placeholders replaced, once: what a person wrote is never a template."""
    if isinstance(value, str):
        return _PLACE.sub(lambda found: values.get(found[1], found[0]), value)
    if isinstance(value, Mapping):
        return {key: filled(one, values) for key, one in value.items()}
    return [filled(one, values) for one in value] if isinstance(value, list) else value
