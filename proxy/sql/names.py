"""How names are written and looked up: search_path and its implicit entries (PostgreSQL, 5.10.3)."""

from __future__ import annotations

from functools import lru_cache

from proxy.sql.catalog import PG_CATALOG, PG_TEMP


def words(text: str) -> frozenset[str]:
    """The words of a text: how the reviewed lists are written down."""
    return frozenset(text.split())


@lru_cache(maxsize=256)
def function_path(relation_path: tuple[str, ...]) -> tuple[str, ...]:
    """The schemas searched for functions and operators: as for relations, but never pg_temp."""
    return tuple(schema for schema in relation_path if schema != PG_TEMP)


@lru_cache(maxsize=256)
def effective_path(search_path: tuple[str, ...], role: str) -> tuple[str, ...]:
    """The schemas searched for relations, in order: `"$user"` replaced, pg_temp and pg_catalog put first unless the
    path names them."""
    path = [role if entry in {'"$user"', "$user"} else entry for entry in search_path]
    path = [entry for entry in path if entry]
    if PG_CATALOG not in path:
        path.insert(0, PG_CATALOG)
    if PG_TEMP not in path:
        path.insert(0, PG_TEMP)
    return tuple(path)


def quoted(name: str) -> str:
    """An identifier in double quotes."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def split_search_path(value: str) -> tuple[str, ...] | None:
    """The schemas in a search_path value as SHOW prints it; unquoted ones folded to lower case. None = malformed."""
    names: list[str] = []
    at = 0
    text = value.strip()
    while text:
        if text[0] == '"':
            name, at = _quoted(text)
            if at < 0:
                return None
        else:
            at = next((i for i, char in enumerate(text) if char == "," or char.isspace()), len(text))
            name = text[:at].lower()
            if not name or '"' in name:
                return None
        names.append(name)
        rest = text[at:].lstrip()
        if not rest:
            break
        if rest[0] != ",":
            return None
        text = rest[1:].lstrip()
        if not text:
            return None
    return tuple(names)


def _quoted(text: str) -> tuple[str, int]:
    """The identifier that starts with the quote at 0 and the offset after it; offset -1 = no closing quote."""
    out = []
    at = 1
    while at < len(text):
        if text[at] != '"':
            out.append(text[at])
            at += 1
        elif text[at + 1 : at + 2] == '"':
            out.append('"')
            at += 2
        else:
            return "".join(out), at + 1
    return "", -1
