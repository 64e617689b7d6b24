"""What the gateway waits for from the upstream, in order: one step for each message it sent that is answered."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from proxy.admission import Admitted
from proxy.masking.copyout import CopyPlan
from proxy.masking.rows import RowPlan
from proxy.postgres.messages import Bind, Field
from proxy.postgres.protection import CopyWatch
from proxy.postgres.reading import Reading
from proxy.postgres.state import Prepared
from proxy.postgres.unmasking import Lens
from proxy.sql.parse import Parsed


class Expect(Enum):
    """The message whose answer a step is."""

    QUERY = "Query"
    PARSE = "Parse"
    BIND = "Bind"
    DESCRIBE = "Describe"
    EXECUTE = "Execute"
    CLOSE = "Close"
    SYNC = "Sync"


@dataclass(slots=True)
class Portal:
    """A bound statement. `admitted` once it was let through: all its Executes are one use. `bodies` is what the names that it
    executes stood for when it was bound."""

    name: str
    parsed: Parsed
    reading: Reading | None = None
    results: tuple[int, ...] = ()
    prepared: Prepared | None = None
    columns: tuple[Field, ...] | None = None
    described: bool = False
    bind: Bind | None = None
    admitted: Admitted | None = None
    bodies: tuple[tuple[str, str], ...] = ()

    def known_columns(self) -> tuple[Field, ...] | None:
        """The result's columns with the formats that Bind asked for; None when they were never described."""
        if self.described:
            return self.columns or ()
        if self.prepared is None or not self.prepared.described:
            return None
        columns = self.prepared.columns or ()
        formats = self.results if len(self.results) == len(columns) else (self.results or (0,))[:1] * len(columns)
        return tuple(
            Field(c.name, c.table_oid, c.attnum, c.type_oid, c.size, c.modifier, form)
            for c, form in zip(columns, formats, strict=True)
        )


@dataclass(slots=True)
class Run:
    """One execution under way: a whole Query, or one Execute.

    `wrapped`: it is not told to be done before the gateway's own COMMIT: `outcome` is kept here, and `withheld` is the
    last completion. With `passing` that goes on at once, because other answers follow it. `shown`: the client has seen
    what its rows look like.
    """

    admitted: Admitted
    reading: Reading
    portal: Portal | None = None
    index: int = 0
    columns: tuple[Field, ...] | None = None
    plan: RowPlan | None = None
    lens: Lens | None = None
    planned: bool = False
    masked_before: int = 0
    rows: int = 0
    copy_plan: CopyPlan | None = None
    copy_bytes: int = 0
    copy_hash: hashlib._Hash = field(default_factory=hashlib.sha256)
    copy_in: bool = False
    copy_watch: CopyWatch = field(default_factory=CopyWatch)
    copy_refused: bool = False
    wrapped: bool = False
    passing: bool = False
    shown: bool = False
    withheld: bytes = b""
    outcome: str = ""
    detail: str = ""

    def next_result(self) -> None:
        """The next statement of the text begins."""
        self.index += 1
        self.columns, self.plan, self.lens, self.planned, self.copy_plan = None, None, None, False, None
        self.rows = 0


@dataclass(slots=True)
class Step:
    """One awaited answer. `hidden`: the gateway's own message, the client hears nothing of it. `instead`: that message is
    a part of this run of the client's, whose error its error is.

    `done` is called when the upstream confirmed; `error` holds the fields of a hidden step's ErrorResponse, `tag` its
    last CommandComplete, `rows` its rows.
    """

    expect: Expect
    hidden: bool = False
    run: Run | None = None
    instead: Run | None = None
    described: Portal | Prepared | None = None
    done: Callable[[], None] | None = None
    error: dict[str, str] = field(default_factory=dict)
    tag: str = ""
    rows: list[list[bytes | None]] = field(default_factory=list)
