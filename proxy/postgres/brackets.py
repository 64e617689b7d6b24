"""`BEGIN; changes; COMMIT` as one text, where changes have a row budget: they must be counted before the COMMIT.

The gateway takes the text apart: its own transaction stands for the client's BEGIN and COMMIT, what is between them goes
to the server as it was written, and is counted. Nothing else can have opened or ended a transaction in between, so what
the client hears is what it would hear of the whole text.
"""

from __future__ import annotations

from dataclasses import replace

from proxy.admission import Unit
from proxy.postgres import messages as m
from proxy.postgres import spending
from proxy.postgres.exchange import Exchange
from proxy.postgres.reading import Part, Reading
from proxy.sql import judged as j
from proxy.sql.parse import ParsedStatement

BEGUN, COMMITTED = (m.message(m.COMPLETE, m.cstring(tag)) for tag in ("BEGIN", "COMMIT"))
_PLAIN = {"kind", "location"}
_LEAST = 3


def inside(conv: Exchange, unit: Unit, reading: Reading) -> Reading | None:
    """What stands between a plain BEGIN and a plain COMMIT; None when the text is anything else, when something in it has to
    do with transactions or the session, or when a transaction is open already."""
    statements, parts = reading.parsed.statements, reading.parts
    if len(parts) < _LEAST or len(statements) != len(parts) or spending.ends_transactions(unit):
        return None
    open_already = conv.responses.status != m.IDLE or conv.state.explicit or conv.responses.unsynced
    if open_already or conv.own is not None or conv.facts.read_only:
        return None
    bare = all(_is_plain(statements[at], kind) for at, kind in ((0, "TRANS_STMT_BEGIN"), (-1, "TRANS_STMT_COMMIT")))
    begun = parts[0].judged.controls == (j.Begin(),) and parts[-1].judged.controls == (j.Commit(),)
    if not (bare and begun) or any(part.copy or not _defines(part) for part in parts[1:-1]):
        return None
    first, last = statements[1], statements[-2]
    text = reading.text.encode()[first.location : last.location + last.length].decode()
    return replace(
        reading,
        text=text,
        parsed=replace(reading.parsed, text=text, statements=statements[1:-1]),
        judged=j.Judged(reading.judged.statements[1:-1], reading.judged.combined),
        parts=parts[1:-1],
        shapes={},
    )


def _defines(part: Part) -> bool:
    """Whether all that a part does to the session is what it defines."""
    return all(isinstance(control, j.Redefine) for control in part.judged.controls)


def _is_plain(statement: ParsedStatement, kind: str) -> bool:
    """A BEGIN or COMMIT that says nothing else (an isolation level, AND CHAIN)."""
    tree = statement.tree
    return statement.node == "TransactionStmt" and tree.get("kind") == kind and tree.keys() <= _PLAIN
