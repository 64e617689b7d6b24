"""The judge: trees + catalog + session → what each statement does. Pure and total: it never raises."""

from __future__ import annotations

from access.statements import Effect, Statement
from proxy.sql.catalog import Catalog
from proxy.sql.judged import (
    Begin,
    CloseCursor,
    Commit,
    Control,
    CopyIn,
    CopyOut,
    CreateTemp,
    Deallocate,
    DeclareCursor,
    DiscardAll,
    DiscardTemp,
    Execute,
    Explain,
    Fetch,
    Judged,
    JudgedOne,
    Prepare,
    Release,
    Reset,
    Rollback,
    RollbackTo,
    Savepoint,
    SetSetting,
    SqlSession,
)
from proxy.sql.parse import Parsed

__all__ = [
    "Begin",
    "CloseCursor",
    "Commit",
    "Control",
    "CopyIn",
    "CopyOut",
    "CreateTemp",
    "Deallocate",
    "DeclareCursor",
    "DiscardAll",
    "DiscardTemp",
    "Execute",
    "Explain",
    "Fetch",
    "Judged",
    "JudgedOne",
    "Prepare",
    "Release",
    "Reset",
    "Rollback",
    "RollbackTo",
    "Savepoint",
    "SetSetting",
    "SqlSession",
    "judge",
]


def judge(parsed: Parsed, catalog: Catalog, session: SqlSession) -> Judged:
    """Judge every statement of a text as `session` would run it on the database of `catalog`."""
    combined = Statement(
        protocol="postgres",
        text=parsed.text,
        effects=frozenset({Effect.OPAQUE}),
        understood=False,
        problem=parsed.error or "The gateway cannot judge this statement.",
    )
    return Judged((), combined)
