"""One line of the corpus: a statement and what is true of it, whoever judges it."""

from __future__ import annotations

from dataclasses import dataclass

from access.scopes import Level
from access.statements import Effect, Flag


@dataclass(frozen=True, slots=True)
class Case:
    """`effects` exactly; `flags`, `reads` and `writes` exactly when given; `has` are flags that must be among them;
    `runs` False: not for a real server (it would wait, or it names what is not there)."""

    sql: str
    effects: frozenset[Effect]
    flags: frozenset[Flag] | None = None
    understood: bool = True
    reads: frozenset[str] | None = None
    writes: frozenset[str] | None = None
    has: frozenset[Flag] = frozenset()
    level: Level = Level.WRITE
    runs: bool = True

    def __str__(self) -> str:
        return " ".join(self.sql.split())[:70]


def case(
    effects: str,
    sql: str,
    *,
    flags: str | None = None,
    understood: bool = True,
    reads: str | None = None,
    writes: str | None = None,
    has: str = "",
    level: Level = Level.WRITE,
    runs: bool = True,
) -> Case:
    """A case written in words: `case("write danger", "DELETE FROM t", flags="unbounded_write")`."""
    return Case(
        sql,
        frozenset(map(Effect, effects.split())),
        None if flags is None else frozenset(map(Flag, flags.split())),
        understood,
        None if reads is None else frozenset(reads.split()),
        None if writes is None else frozenset(writes.split()),
        frozenset(map(Flag, has.split())),
        level,
        runs,
    )
