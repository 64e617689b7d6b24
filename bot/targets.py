"""Which resources `--on` means: one, several, or all with some labels. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from access.errors import Invalid
from access.resources import Resource

MOST = 50
EVERYWHERE = "all"


def chosen(typed: str, candidates: Sequence[Resource]) -> list[Resource]:
    """The resources meant, in the order they are run on: `web-1`, `web-1,web-2`, `role=web,env=production`, `all`.

    Empty when nothing was typed and there are several to choose from. Raises Invalid, naming what it may run on.
    """
    typed = typed.strip()
    if not typed:
        return list(candidates) if len(candidates) == 1 else []
    named = {resource.name: resource for resource in candidates}
    words = [word.strip() for word in typed.split(",") if word.strip()]
    if typed == EVERYWHERE and typed not in named:
        found = list(candidates)
    elif any("=" in word for word in words):
        found = _labelled(words, candidates)
    else:
        found = [named[word] for word in dict.fromkeys(words) if word in named]
        if len(found) != len(dict.fromkeys(words)):
            found = []
    if not found:
        names = ", ".join(one.name for one in candidates[:8])
        raise Invalid(f"It runs on {names}.", field="resource")
    if len(found) > MOST:
        raise Invalid(f"{len(found)} resources at once; at most {MOST}.", field="resource")
    return found


def _labelled(words: Sequence[str], candidates: Sequence[Resource]) -> list[Resource]:
    wanted = [word.partition("=") for word in words]
    if not all(equals and key and value for key, equals, value in wanted):
        raise Invalid("Give labels as name=value, separated by commas.", field="resource")
    return [one for one in candidates if all(one.labels.get(key) == value for key, _, value in wanted)]
