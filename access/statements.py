"""One unit of work as the wire saw it, and what an approval of it is bound to."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

Digest = NewType("Digest", str)
DIGEST_SHOWN = 8


class Effect(StrEnum):
    """What a statement does to the target. OPAQUE: it was read, but runs something whose effect nobody declared
    (an unregistered function, DO); a statement that could not be read at all is `understood=False`. INTERACTIVE: a shell,
    in which nothing is judged."""

    READ = "read"
    WRITE = "write"
    DDL = "ddl"
    DANGER = "danger"
    ADMIN = "admin"
    OPAQUE = "opaque"
    INTERACTIVE = "interactive"


class Flag(StrEnum):
    """A property policy can match, beyond the effect. UNCOUNTED: it changes rows that the server does not count (TRUNCATE,
    a foreign table); OUTSIDE_TRANSACTION: the server runs it only by itself, never inside of a transaction."""

    UNBOUNDED_WRITE = "unbounded_write"
    UNBOUNDED_READ = "unbounded_read"
    MULTI = "multi"
    TRANSACTION = "transaction"
    SETTING = "setting"
    COPY_IN = "copy_in"
    COPY_OUT = "copy_out"
    EXPLAIN = "explain"
    DROP = "drop"
    TRUNCATE = "truncate"
    LOCK = "lock"
    UNREGISTERED_FUNCTION = "unregistered_function"
    HIDDEN_TEXT = "hidden_text"
    CASCADE = "cascade"
    UNCOUNTED = "uncounted"
    OUTSIDE_TRANSACTION = "outside_transaction"


@dataclass(frozen=True, slots=True)
class Statement:
    """A judged statement. `text` is exact and unmasked: it stays in `proxy/` (see `masking.ForApprover`).

    `reads`/`writes` are qualified names (`schema.table`); `verbs` the commands in order (`DELETE`, `DROP TABLE`);
    `understood` is False when the judge could not tell, `problem` says why in words fit for the requester.
    """

    protocol: str
    text: str = field(repr=False)
    effects: frozenset[Effect]
    verbs: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    flags: frozenset[Flag] = frozenset()
    understood: bool = True
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Binding:
    """Everything a single-command approval is bound to (DESIGN: what you see is what runs).

    `parameters` are the decoded wire values in order (None = SQL NULL); `settings` the tracked session settings that
    change what the text means (search_path, DateStyle, …) as sorted pairs; `commit` a runbook's pinned commit.
    """

    protocol: str
    resource: str
    database: str
    role: str
    text: bytes = field(repr=False)
    parameters: tuple[bytes | None, ...] = field(default=(), repr=False)
    person: str = ""
    agent: str = ""
    settings: tuple[tuple[str, str], ...] = ()
    commit: str = ""


def binding_digest(binding: Binding) -> Digest:
    """SHA-256 over the canonical JSON of the binding. Bytes go in as hex, so no two bindings share an encoding."""
    canonical = {
        "v": 1,
        "protocol": binding.protocol,
        "resource": binding.resource,
        "database": binding.database,
        "role": binding.role,
        "text": binding.text.hex(),
        "parameters": [None if value is None else value.hex() for value in binding.parameters],
        "person": binding.person,
        "agent": binding.agent,
        "settings": [list(pair) for pair in binding.settings],
        "commit": binding.commit,
    }
    encoded = json.dumps(canonical, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
    return Digest(hashlib.sha256(encoded).hexdigest())


def short_digest(digest: str) -> str:
    """The first characters people compare between card, terminal and audit."""
    return digest[:DIGEST_SHOWN]
