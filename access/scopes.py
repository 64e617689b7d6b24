"""What a grant allows: a standing level, or exactly one approved thing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from access.statements import Digest


class Level(IntEnum):
    """How far a standing scope reaches; ordered, so the ceiling of a session is a `max`."""

    NONE = 0
    READ = 1
    WRITE = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True)
class Read:
    """Reads only; the upstream connection itself is READ ONLY."""


@dataclass(frozen=True, slots=True)
class Write:
    """Reads and bounded writes; dangerous statements are still held."""


@dataclass(frozen=True, slots=True)
class Admin:
    """Also schema changes; deny-rules stay deny."""


@dataclass(frozen=True, slots=True)
class Once:
    """Exactly one execution of exactly what `digest` binds."""

    digest: Digest


@dataclass(frozen=True, slots=True)
class OfRunbook:
    """One run of a runbook at a pinned commit with exactly these parameters.

    `steps` are the digests of its statements in order, each to run once; `used` of them were consumed, `done` succeeded.
    `writes`: some step does more than read, so its session must not be READ ONLY (VACUUM and CREATE INDEX CONCURRENTLY
    cannot run in the transaction that would lift it for one statement).
    """

    commit: str
    name: str
    parameters: Digest
    steps: tuple[Digest, ...] = ()
    used: int = 0
    done: int = 0
    writes: bool = False

    @property
    def left(self) -> tuple[Digest, ...]:
        """What may still run: first the next step."""
        return self.steps[self.used :]


Scope = Read | Write | Admin | Once | OfRunbook

_STANDING: dict[str, Scope] = {"read": Read(), "write": Write(), "admin": Admin()}
_LEVELS: dict[type, Level] = {Read: Level.READ, Write: Level.WRITE, Admin: Level.ADMIN}


def standing_scope(name: str) -> Scope:
    """The standing scope called `read`, `write` or `admin`. Raises KeyError for another name."""
    return _STANDING[name]


def scope_name(scope: Scope) -> str:
    """One word for cards and lists."""
    match scope:
        case Once():
            return "once"
        case OfRunbook():
            return "runbook"
        case _:
            return type(scope).__name__.lower()


def level_of(scope: Scope) -> Level:
    """The standing level of a scope; single-use scopes have none."""
    return _LEVELS.get(type(scope), Level.NONE)


def scope_to_json(scope: Scope) -> dict[str, str]:
    """A scope as plain data for the store and events."""
    match scope:
        case Once(digest):
            return {"kind": "once", "digest": digest}
        case OfRunbook(commit, name, parameters, steps, used, done, writes):
            run = {"kind": "runbook", "commit": commit, "name": name, "parameters": parameters}
            progress = {"steps": " ".join(steps), "used": str(used), "done": str(done)}
            return run | progress | {"writes": "yes" if writes else "no"}
        case _:
            return {"kind": scope_name(scope)}


def scope_from_json(data: Mapping[str, str]) -> Scope:
    """The inverse of `scope_to_json`. Raises KeyError on an unknown kind: an unknown scope allows nothing."""
    match data["kind"]:
        case "once":
            return Once(Digest(data["digest"]))
        case "runbook":
            steps = tuple(Digest(step) for step in data["steps"].split())
            parameters = Digest(data["parameters"])
            used, done, writes = int(data["used"]), int(data["done"]), data["writes"] == "yes"
            return OfRunbook(data["commit"], data["name"], parameters, steps, used, done, writes)
        case kind:
            return _STANDING[kind]
