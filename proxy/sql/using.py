"""Statements that use what their own session defined anew, which the catalog does not show yet."""

from __future__ import annotations

from access.statements import Effect, Flag
from proxy.sql.redefining import EVERYTHING
from proxy.sql.trees import Fields
from proxy.sql.walk import Walk

#: What they name is not looked into before somebody uses it, who is asked then.
_ONLY_STORED = frozenset({"CreateFunctionStmt", "CreateTrigStmt", "RuleStmt", "ViewStmt"})
#: They compute nothing, and show nothing that is stored.
_STILL = frozenset({
    "CheckPointStmt", "ClosePortalStmt", "DeallocateStmt", "DiscardStmt", "ListenStmt", "NotifyStmt", "TransactionStmt",
    "UnlistenStmt", "VariableSetStmt", "VariableShowStmt",
})  # fmt: skip
#: Definitions alone use nothing of what they are of.
_RUNS = frozenset({Effect.READ, Effect.WRITE, Effect.DANGER, Effect.OPAQUE})


def unsure(node: str, fields: Fields, walk: Walk) -> bool:
    """Whether nobody can tell what a statement shows. One of which nobody can tell what it runs is not understood any more."""
    if node in _ONLY_STORED or node in _STILL:
        return False
    anew, runs = walk.session.redefined, bool(walk.effects & _RUNS)
    writes = {name: _bare(name) for name in walk.writes} if runs else {}
    names = {**{name: _bare(name) for name in (*walk.reads, *walk.functions)}, **writes}
    found = next((name for name, bare in names.items() if bare in anew.names), "")
    if not found and EVERYTHING in anew.names and runs:
        found = "What it computes with"
    found = found or next((name for name, bare in writes.items() if bare in anew.written), "")
    if not found and not _only_inserts(node, fields, walk):
        found = next((name for name, bare in writes.items() if bare in anew.cascading), "")
    if found:
        walk.refuse(
            f"{found} was defined anew, and the gateway has not read how yet: end the transaction, or wait a moment."
        )
    return bool(found) or EVERYTHING in anew.shown or not anew.shown.isdisjoint(names.values())


def _bare(name: str) -> str:
    return name.rpartition(".")[2]


def _only_inserts(node: str, fields: Fields, walk: Walk) -> bool:
    """Whether it changes and removes no row that is there."""
    upsert = fields.get("onConflictClause", {}).get("action") == "ONCONFLICT_UPDATE"
    return node == "InsertStmt" and not upsert and walk.verbs == ["INSERT"] and Flag.CASCADE not in walk.flags
