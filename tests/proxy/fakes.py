"""A judge and a masker simple enough to see through, for tests of the wire alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from access.masking import Masked, declare_masked
from access.statements import Effect, Flag, Statement
from proxy.masking.copyout import CopyFormat, CopyPlan
from proxy.masking.literals import Shown, Standing
from proxy.masking.plan import Column, Masker
from proxy.masking.rows import RowPlan
from proxy.postgres.messages import row_values
from proxy.sql import judged as j
from proxy.sql.catalog import Catalog
from proxy.sql.forms import Form
from proxy.sql.lineage import Lineage, OutputColumn, Tree
from proxy.sql.parse import Parsed, ParsedStatement, parse

EFFECTS = {
    "SelectStmt": Effect.READ,
    "VariableShowStmt": Effect.READ,
    "VariableSetStmt": Effect.READ,
    "TransactionStmt": Effect.READ,
    "PrepareStmt": Effect.READ,
    "ExecuteStmt": Effect.READ,
    "DeallocateStmt": Effect.READ,
    "DeclareCursorStmt": Effect.READ,
    "FetchStmt": Effect.READ,
    "ClosePortalStmt": Effect.READ,
    "DiscardStmt": Effect.READ,
    "ExplainStmt": Effect.READ,
    "NotifyStmt": Effect.READ,
    "ListenStmt": Effect.READ,
    "UnlistenStmt": Effect.READ,
    "InsertStmt": Effect.WRITE,
    "UpdateStmt": Effect.WRITE,
    "DeleteStmt": Effect.WRITE,
    "DropStmt": Effect.DANGER,
    "TruncateStmt": Effect.DANGER,
    "CreateStmt": Effect.DDL,
    "IndexStmt": Effect.DDL,
    "ViewStmt": Effect.DDL,
    "DoStmt": Effect.OPAQUE,
}


def _controls(s: ParsedStatement) -> tuple[j.Control, ...]:
    t = s.tree
    match s.node:
        case "TransactionStmt":
            kinds: dict[str, Callable[[], j.Control]] = {
                "TRANS_STMT_BEGIN": lambda: j.Begin("READ WRITE" in s.text.upper() or None),
                "TRANS_STMT_START": j.Begin,
                "TRANS_STMT_COMMIT": j.Commit,
                "TRANS_STMT_ROLLBACK": j.Rollback,
                "TRANS_STMT_SAVEPOINT": lambda: j.Savepoint(t["savepoint_name"]),
                "TRANS_STMT_ROLLBACK_TO": lambda: j.RollbackTo(t["savepoint_name"]),
                "TRANS_STMT_RELEASE": lambda: j.Release(t["savepoint_name"]),
            }
            return (kinds[t["kind"]](),)
        case "PrepareStmt":
            return (j.Prepare(t["name"], parse(s.text[s.text.upper().index(" AS ") + 4 :])),)
        case "ExecuteStmt":
            return (j.Execute(t["name"]),)
        case "DeallocateStmt":
            return (j.Deallocate(t.get("name")),)
        case "DeclareCursorStmt":
            return (j.DeclareCursor(t["portalname"], parse(s.text[s.text.upper().index(" FOR ") + 5 :])),)
        case "FetchStmt":
            return (j.Fetch(t["portalname"]),)
        case "VariableSetStmt":
            name = t.get("name", "").lower()
            if t["kind"] == "VAR_SET_VALUE":
                value = next(iter(t["args"][0]["A_Const"].values()))
                return (j.SetSetting(name, str(value.get("sval", value.get("ival", ""))), t.get("is_local", False)),)
            return (j.Reset(name or None),)
        case "DiscardStmt":
            return (j.DiscardAll(),)
        case "CopyStmt":
            return (j.CopyIn("x"),) if t.get("is_from") else (j.CopyOut("x"),)
    return ()


def simple_judge(parsed: Parsed, catalog: Catalog, session: j.SqlSession) -> j.Judged:
    ones = []
    for s in parsed.statements:
        effect = EFFECTS.get(s.node, Effect.ADMIN)
        body = s
        if s.node == "ExecuteStmt" and s.tree["name"] in session.prepared:
            body = session.prepared[s.tree["name"]].statements[0]
            effect = EFFECTS.get(body.node, Effect.ADMIN)
        if s.node == "CopyStmt":
            effect = Effect.WRITE if s.tree.get("is_from") else Effect.READ
        verb = s.text.split()[0].upper() if s.text.split() else ""
        ones.append(j.JudgedOne(Statement("postgres", s.text, frozenset({effect}), verbs=(verb,)), _controls(s)))
    effects = frozenset(e for one in ones for e in one.statement.effects) or frozenset({Effect.READ})
    flags = frozenset({Flag.MULTI}) if len(ones) > 1 else frozenset[Flag]()
    whole = Statement(
        "postgres", parsed.text, effects, verbs=tuple(v for one in ones for v in one.statement.verbs), flags=flags,
        understood=parsed.error is None, problem=parsed.error or "",
    )  # fmt: skip
    return j.Judged(tuple(ones), whole)


def simple_trace(
    tree: Tree,
    catalog: Catalog,
    search_path: Sequence[str] = (),
    bodies: Mapping[str, Tree] | None = None,
    temporary: Collection[str] = (),
    anew: j.Anew = j.NOTHING,
) -> Lineage:
    return Lineage(resolved=True)


class Starring(RowPlan):
    """Replaces the values of some columns by three stars."""

    def __init__(self, columns: frozenset[int]) -> None:
        self.masked = 0
        self._columns = columns

    def rewrite(self, frames: bytes | bytearray | memoryview) -> bytes:
        data, out, at = bytes(frames), b"", 0
        while at < len(data):
            after = at + 1 + int.from_bytes(data[at + 1 : at + 5], "big")
            values = row_values(data[at:after])
            for index in self._columns & set(range(len(values))):
                values[index] = b"***"
            self.masked += len(self._columns)
            body = len(values).to_bytes(2, "big")
            for value in values:
                body += b"\xff\xff\xff\xff" if value is None else len(value).to_bytes(4, "big") + value
            out += b"D" + (len(body) + 4).to_bytes(4, "big") + body
            at = after
        return out


class PlainMasker(Masker):
    """Masks columns named `secret` and the word `classified`; bound values are masked by the policy, everything else passes."""

    def touched(self, lineage: Lineage) -> bool:
        return False

    def plan(self, columns: Sequence[Column], output: Sequence[OutputColumn] | None, touched: bool) -> RowPlan | None:
        secret = frozenset(index for index, c in enumerate(columns) if c.name == "secret")
        return Starring(secret) if secret else None

    def copy_plan(self, fmt: CopyFormat, output: Sequence[OutputColumn] | None, touched: bool) -> CopyPlan:
        return CopyPlan(fmt, None, {})

    def error(self, fields: Mapping[str, str], touched: bool) -> dict[str, str]:
        return {key: self.hide(value) for key, value in fields.items()}

    def parameter_status(self, name: str, value: str, *, touched: bool = False) -> str:
        return self.hide(value)

    def notification(self, payload: str) -> str:
        return self.hide(payload)

    def column_name(self, name: str) -> str:
        return self.hide(name)

    def rendered(self, text: str, standing: Standing, form: Form | None = None) -> Shown:
        return Shown(declare_masked(self.hide(text)), "classified" not in text)

    def text(self, value: str) -> Masked:
        return declare_masked(self.hide(value))

    @staticmethod
    def hide(text: str) -> str:
        return text.replace("classified", "[hidden]")
