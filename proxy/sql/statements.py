"""Statements about the session itself: transactions, settings, prepared statements, cursors, COPY, EXPLAIN."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from access.scopes import Level
from access.statements import Effect, Flag
from proxy.sql import judged, relations, rows, settings
from proxy.sql.coercions import coerces
from proxy.sql.dml import INSERT
from proxy.sql.judged import CopyIn, CopyOut, DeclareCursor, Explain, Prepare, Reset
from proxy.sql.names import quoted
from proxy.sql.parse import Parsed, ParsedStatement
from proxy.sql.trees import UNCERTAIN, Fields, Tree, constant
from proxy.sql.utility import UtilityWalk

_TRANSACTIONS = {
    "TRANS_STMT_BEGIN": "BEGIN",
    "TRANS_STMT_START": "BEGIN",
    "TRANS_STMT_COMMIT": "COMMIT",
    "TRANS_STMT_ROLLBACK": "ROLLBACK",
    "TRANS_STMT_SAVEPOINT": "SAVEPOINT",
    "TRANS_STMT_RELEASE": "RELEASE",
    "TRANS_STMT_ROLLBACK_TO": "ROLLBACK TO",
}
_CURSOR_BINARY, _CURSOR_HOLD = 0x0001, 0x0020
_ROW_SHARE_LOCK = 2
_CALLS = (judged.Execute, judged.Fetch)
_UNREAL = frozenset({Effect.WRITE, Effect.DANGER, Effect.DDL})


class StatementWalk(UtilityWalk):
    """The complete walk. `text` is the statement's."""

    text = ""

    def top(self, node: str, fields: Fields) -> None:
        """One whole statement as it runs: at the top level of a text, or by EXECUTE."""
        self.root = {node: fields}
        if node == "SelectStmt":
            self.sure = _bare_calls(fields)
            self._query(fields, "SELECT")
        else:
            self.node(self.root)
        # What a temporary table's columns run when it is written is seen here only.
        temporary = any(isinstance(control, judged.CreateTemp) for control in self.controls)
        if self.coded and (temporary or coerces(self.root)):
            for call in self.coded:
                self.called(call)
        if not self.effects:
            self.effects.add(Effect.READ)

    def _query(self, fields: Fields, verb: str | None) -> None:
        """A SELECT whose rows go to the client."""
        self.found(Effect.READ)
        self.node({"SelectStmt": fields})
        if verb is not None:
            self.verbs.append("SELECT INTO" if "intoClause" in fields else verb)
        if rows.unbounded(fields, self):
            self.flags.add(Flag.UNBOUNDED_READ)

    def rows_of(self, query: Tree) -> None:
        for node, fields in query.items():
            if node == "SelectStmt":
                self._query(fields, None)
            else:
                self.node({node: fields})

    def _nested(self, query: Tree) -> Parsed:
        """The statement inside another, as something the wire can keep; its text is the whole statement's."""
        return Parsed(
            self.text, tuple(ParsedStatement(node, dict(fields), self.text) for node, fields in query.items())
        )

    # -- what the session itself made or changed

    def type_name(self, fields: Fields) -> None:
        anew = self.session.redefined
        if anew.names or anew.harmless:
            parts = [one["String"]["sval"] for one in fields.get("names", ())]
            names = {parts[-1], parts[-1].removeprefix("_")} if parts else set()
            found = names & anew.names
            if found:
                self.functions.update(dict.fromkeys(found))
            elif names & anew.harmless:
                self.nodes(fields.get("typmods", ()))
                return
        super().type_name(fields)

    def func_call(self, fields: Fields) -> None:
        if self.session.redefined.names:
            parts = [one["String"]["sval"] for one in fields["funcname"]]
            if parts[-1] in self.session.redefined:
                self.functions[".".join(parts)] = None
        super().func_call(fields)

    # -- transactions and settings

    def transaction(self, fields: Fields) -> None:
        kind = fields["kind"]
        verb = _TRANSACTIONS.get(kind)
        if verb is None:
            self.refuse("Two-phase commit does not work through the gateway.")
            return
        self.verbs.append(verb)
        self.found(Effect.READ)
        self.flags.add(Flag.TRANSACTION)
        name, chain = fields.get("savepoint_name", ""), bool(fields.get("chain"))
        if verb == "BEGIN":
            self.controls.append(judged.Begin(self._modes(fields.get("options", ()))))
        elif verb == "COMMIT":
            self.controls.append(judged.Commit(chain))
        elif verb == "ROLLBACK":
            self.controls.append(judged.Rollback(chain))
        elif verb == "SAVEPOINT":
            self.controls.append(judged.Savepoint(name))
        elif verb == "RELEASE":
            self.controls.append(judged.Release(name))
        else:
            self.controls.append(judged.RollbackTo(name))

    def _modes(self, options: Iterable[Tree]) -> bool | None:
        """READ WRITE among transaction modes; not when the session is read only."""
        read_write: bool | None = None
        for option in options:
            mode = option["DefElem"]
            if mode["defname"] == "transaction_read_only":
                read_write = not constant(mode["arg"])
        if read_write and self.session.level <= Level.READ:
            self.found(Effect.ADMIN)
            self.problem("This session is read only; ask for write access to begin a READ WRITE transaction.")
        return read_write

    def set_variable(self, fields: Fields) -> None:
        kind, name = fields["kind"], fields.get("name", "").lower()
        local = bool(fields.get("is_local"))
        self.found(Effect.READ)
        self.flags.add(Flag.SETTING)
        self.verbs.append("RESET" if kind in {"VAR_RESET", "VAR_RESET_ALL"} else "SET")
        if kind == "VAR_RESET_ALL":
            self.controls.append(Reset(None))
        elif kind == "VAR_RESET":
            self.setting(name, None, local=False)
            self.controls[-1:] = [Reset(name)]
        elif kind == "VAR_SET_DEFAULT":
            self.setting(name, None, local=local)
        elif kind == "VAR_SET_VALUE":
            value = _set_value(name, fields.get("args", ()))
            if value is None:
                self.refuse(f"The gateway cannot read the value given to {name}.")
            else:
                self.setting(name, value, local=local)
        elif kind == "VAR_SET_MULTI":
            self._set_transaction(name, fields.get("args", ()))
        else:
            self.refuse("SET … FROM CURRENT only makes sense in a function's definition.")

    def _set_transaction(self, name: str, args: Iterable[Tree]) -> None:
        """SET TRANSACTION and SET SESSION CHARACTERISTICS; a snapshot changes nothing."""
        self.flags.add(Flag.TRANSACTION)
        if name != "transaction snapshot":
            self._modes(args)

    def show(self, fields: Fields) -> None:
        self.verbs.append("SHOW")
        self.found(Effect.READ)
        why = settings.readable(fields["name"].lower())
        if why:
            self.found(Effect.ADMIN)
            self.problem(why)

    def discard(self, fields: Fields) -> None:
        self.verbs.append("DISCARD")
        self.found(Effect.READ)
        if fields["target"] == "DISCARD_ALL":
            self.flags.add(Flag.SETTING)
            self.controls.append(judged.DiscardAll())
        elif fields["target"] == "DISCARD_TEMP":
            self.controls.append(judged.DiscardTemp())

    # -- prepared statements and cursors

    def prepare(self, fields: Fields) -> None:
        self.verbs.append("PREPARE")
        types = self._inside(self.session)
        types.nodes(fields.get("argtypes", ()))
        if types.effects:  # it would run when EXECUTE gives a value, where no text shows the type
            self.refuse("A parameter of this prepared statement is of a type that runs code.")
        self.controls.append(Prepare(fields["name"], self._nested(fields["query"])))
        self.found(Effect.READ)
        self.rows_of(fields["query"])

    def execute(self, fields: Fields) -> None:
        name = fields["name"]
        self.verbs.append("EXECUTE")
        self.found(Effect.READ)
        self.controls.append(judged.Execute(name))
        self.nodes(fields.get("params", ()))
        body = self.session.prepared.get(name)
        if body is None or body.error is not None or len(body.statements) > 1:
            self.refuse("The gateway does not know this prepared statement.")
        elif ("EXECUTE", name) in self.visiting:
            self.refuse("A prepared statement executes itself.")
        else:
            self.visiting |= {("EXECUTE", name)}
            outer = self.root
            for one in body.statements:
                self.top(one.node, one.tree)
            self.root = outer
            self.visiting -= {("EXECUTE", name)}

    def deallocate(self, fields: Fields) -> None:
        self.verbs.append("DEALLOCATE")
        self.found(Effect.READ)
        self.controls.append(judged.Deallocate(fields.get("name")))

    def declare_cursor(self, fields: Fields) -> None:
        options = fields.get("options", 0)
        self.verbs.append("DECLARE")
        query = self._nested(fields["query"])
        hold, binary = bool(options & _CURSOR_HOLD), bool(options & _CURSOR_BINARY)
        self.controls.append(DeclareCursor(fields["portalname"], query, hold, binary))
        self.rows_of(fields["query"])

    def fetch(self, fields: Fields) -> None:
        """The cursor's query was judged when it was opened; which tables it reads still matters."""
        name, move = fields["portalname"], bool(fields.get("ismove"))
        self.verbs.append("MOVE" if move else "FETCH")
        self.found(Effect.READ)
        self.controls.append(judged.Fetch(name, move))
        body = self.session.cursors.get(name)
        if body is None:
            self.found(Effect.OPAQUE)
            self.problem("The gateway did not see this cursor being opened.")
            return
        if all(one.node == "SelectStmt" for one in body.statements):
            inside = StatementWalk(self.catalog, self.session)
            for one in body.statements:
                inside.top(one.node, one.tree)
            self.reads.update(inside.reads)
        elif ("FETCH", name) in self.visiting:
            self.refuse("A cursor fetches from itself.")
        else:  # a portal that was bound and not run is run by this, and what it calls by name may be another by now
            self.visiting |= {("FETCH", name)}
            outer = self.root
            for one in body.statements:
                self.top(one.node, one.tree)
            self.root = outer
            self.visiting -= {("FETCH", name)}
            if self.effects - {Effect.READ}:
                self.refuse(
                    "It would run what a portal was bound to, which does more than read: execute that by itself."
                )

    def close(self, fields: Fields) -> None:
        self.verbs.append("CLOSE")
        self.found(Effect.READ)
        self.controls.append(judged.CloseCursor(fields.get("portalname")))

    # -- COPY, EXPLAIN and the rest

    def copy(self, fields: Fields) -> None:
        self.verbs.append("COPY")
        into = bool(fields.get("is_from"))
        if fields.get("is_program") or "filename" in fields:
            self.found(Effect.ADMIN, Effect.DANGER)
            self.problem("COPY with a file or program of the server is administration.")
        else:
            self.flags.add(Flag.COPY_IN if into else Flag.COPY_OUT)
        options = {one["DefElem"]["defname"]: one["DefElem"].get("arg", {}) for one in fields.get("options", ())}
        encoding = constant(_argument(options.get("encoding")))
        if isinstance(encoding, str) and settings.change("client_encoding", encoding, self.session)[1]:
            self.refuse("COPY through the gateway is in UTF8.")
        if "whereClause" in fields:
            self.node(fields["whereClause"])
        table = self.resolve(fields["relation"])[0] if "relation" in fields else None
        if into and table is not None:
            self.write(fields["relation"], INSERT)
            self.controls.append(CopyIn(table, _text(options.get("format")) or "text"))
        elif table is not None:
            self.range_var(fields["relation"])
            if not relations.is_system(table.rpartition(".")[0]):
                self.flags.add(Flag.UNBOUNDED_READ)
            columns = tuple(one["String"]["sval"] for one in fields.get("attlist", ()))
            self.controls.append(_copy_out(options, table=table, columns=columns, query=None))
        else:
            self.found(Effect.READ)
            self.rows_of(fields["query"])
            self.controls.append(_copy_out(options, table=None, columns=(), query=self._nested(fields["query"])))

    def explain(self, fields: Fields) -> None:
        analyze = any(
            option["DefElem"]["defname"] == "analyze" and _is_on(option["DefElem"].get("arg"))
            for option in fields.get("options", ())
        )
        self.verbs.append("EXPLAIN")
        self.flags.add(Flag.EXPLAIN)
        self.found(Effect.READ)
        inside = self if analyze else StatementWalk(self.catalog, self.session)
        before = len(self.controls)
        inside.root = self.root
        inside.rows_of(fields["query"])
        self.flags.discard(Flag.UNBOUNDED_READ)
        if not analyze:
            self._explained(inside)
        named = [one for one in (self.controls[before:] if analyze else inside.controls) if isinstance(one, _CALLS)]
        self.controls[before:] = [Explain(analyze, self._nested(fields["query"])), *named]

    def _explained(self, inside: StatementWalk) -> None:
        """Planning runs stable and immutable functions, and nothing else of the statement."""
        self.effects |= inside.effects - _UNREAL
        self.flags |= inside.flags & {Flag.UNREGISTERED_FUNCTION}
        self.reads.update(inside.reads)
        self.reads.update(inside.writes)
        self.functions.update(inside.functions)
        self.understood = self.understood and inside.understood
        if self.effects - {Effect.READ}:
            self.problems.extend(inside.problems)

    def lock(self, fields: Fields) -> None:
        self.verbs.append("LOCK TABLE")
        self.flags.add(Flag.LOCK)
        self.nodes(fields.get("relations", ()))
        if fields.get("mode", 0) >= _ROW_SHARE_LOCK:
            self.found(Effect.WRITE)
            self.problem("LOCK TABLE keeps others from changing the table.")

    def simple(self, verb: str, effect: Effect) -> None:
        """A statement that is only what its verb says."""
        self.verbs.append(verb)
        self.found(effect)

    def constraints(self, _: Fields) -> None:
        self.flags.add(Flag.TRANSACTION)
        self.simple("SET CONSTRAINTS", Effect.READ)


def _bare_calls(select: Fields) -> frozenset[int]:
    """The calls that surely run exactly once: outputs of a SELECT that has nothing else."""
    if not select.keys() <= {"targetList", "limitOption", "op"}:
        return frozenset()
    values = (one["ResTarget"].get("val", {}) for one in select.get("targetList", ()))
    return frozenset(id(value["FuncCall"]) for value in values if "FuncCall" in value)


def _set_value(name: str, args: Iterable[Tree]) -> str | None:
    """The value of SET as PostgreSQL would show it; None when it is not made of constants."""
    values: list[str] = []
    for arg in args:
        inner = arg["TypeCast"]["arg"] if "TypeCast" in arg and name == "timezone" else arg
        value = constant(inner)
        if value is UNCERTAIN or value is None:
            return None
        text = str(value)
        values.append(quoted(text) if name == "search_path" else text)
    return ", ".join(values)


def _copy_out(options: dict[str, Any], *, table: str | None, columns: tuple[str, ...], query: Parsed | None) -> CopyOut:
    return CopyOut(
        table=table,
        columns=columns,
        query=query,
        format=_text(options.get("format")) or "text",
        delimiter=_text(options.get("delimiter")),
        null=_text(options.get("null")),
        header="header" in options and _is_on(options["header"]),
        quote=_text(options.get("quote")),
        escape=_text(options.get("escape")),
    )


def _argument(arg: Tree | None) -> Tree:
    """An option's argument as a constant: `String` and `Integer` stand bare in DefElem."""
    if arg and "String" in arg:
        return {"A_Const": {"sval": arg["String"]}}
    if arg and "Integer" in arg:
        return {"A_Const": {"ival": arg["Integer"]}}
    if arg and "Boolean" in arg:
        return {"A_Const": {"boolval": arg["Boolean"]}}
    return arg or {}


def _text(arg: Tree | None) -> str | None:
    value = constant(_argument(arg))
    return value if isinstance(value, str) else None


def _is_on(arg: Tree | None) -> bool:
    """Whether an option is switched on: no argument, or anything but a clear no."""
    value = constant(_argument(arg)) if arg else True
    if isinstance(value, str):
        return settings.parse_bool(value) is not False
    return value is UNCERTAIN or bool(value)


StatementWalk.handlers = {
    **UtilityWalk.handlers,
    "ClosePortalStmt": StatementWalk.close,
    "ConstraintsSetStmt": StatementWalk.constraints,
    "CopyStmt": StatementWalk.copy,
    "DeallocateStmt": StatementWalk.deallocate,
    "DeclareCursorStmt": StatementWalk.declare_cursor,
    "DiscardStmt": StatementWalk.discard,
    "ExecuteStmt": StatementWalk.execute,
    "ExplainStmt": StatementWalk.explain,
    "FetchStmt": StatementWalk.fetch,
    "FuncCall": StatementWalk.func_call,
    "ListenStmt": lambda walk, _: walk.simple("LISTEN", Effect.READ),
    "LockStmt": StatementWalk.lock,
    "NotifyStmt": lambda walk, _: walk.simple("NOTIFY", Effect.WRITE),
    "PrepareStmt": StatementWalk.prepare,
    "TransactionStmt": StatementWalk.transaction,
    "TypeName": StatementWalk.type_name,
    "UnlistenStmt": lambda walk, _: walk.simple("UNLISTEN", Effect.READ),
    "VariableSetStmt": StatementWalk.set_variable,
    "VariableShowStmt": StatementWalk.show,
}
