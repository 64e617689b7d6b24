"""The judge: trees + catalog + session → what each statement does. Pure and total: it never raises."""

from __future__ import annotations

from dataclasses import replace

from access.statements import Effect, Flag, Statement
from proxy.sql.catalog import Catalog
from proxy.sql.following import after
from proxy.sql.hidden import has_hidden_text
from proxy.sql.judged import (
    NOTHING,
    Anew,
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
    Redefine,
    Release,
    Reset,
    Rollback,
    RollbackTo,
    Savepoint,
    SetSetting,
    SqlSession,
)
from proxy.sql.parse import Parsed, ParsedStatement
from proxy.sql.redefining import redefined
from proxy.sql.redefining_relations import ALL
from proxy.sql.statements import StatementWalk
from proxy.sql.using import unsure
from proxy.sql.walk import TooDeep

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
    "Redefine",
    "Release",
    "Reset",
    "Rollback",
    "RollbackTo",
    "Savepoint",
    "SetSetting",
    "SqlSession",
    "judge",
]


#: A text with more statements than this is not judged.
MAX_STATEMENTS = 200

_PROTOCOL = "postgres"
_READ = frozenset({Effect.READ})
#: What a statement that may define something does; everything else is left alone, and fast.
_DEFINES = frozenset({Effect.DDL, Effect.ADMIN, Effect.OPAQUE})
_ENDS = (Commit, Rollback, RollbackTo)


def judge(parsed: Parsed, catalog: Catalog, session: SqlSession) -> Judged:
    """Judge every statement of a text as `session` would run it on the database of `catalog`.

    Each statement is judged in the session that the ones before it leave behind. Never raises: what fails is not
    understood.
    """
    flags = frozenset({Flag.HIDDEN_TEXT}) if has_hidden_text(parsed.text) else frozenset()
    if parsed.error is not None:
        return _refused(parsed.text, parsed.error, flags)
    if len(parsed.statements) > MAX_STATEMENTS:
        refused = _refused(parsed.text, f"The text has more than {MAX_STATEMENTS} statements.", flags)
        return replace(refused, statements=tuple(JudgedOne(refused.combined) for _ in parsed.statements))
    if len(parsed.statements) == 1:
        one = _judge_one(parsed.statements[0], parsed.text, catalog, session, flags)
        return Judged((one,), one.statement)
    judged: list[JudgedOne] = []
    lost = False
    followed = False
    for statement in parsed.statements:
        one = _judge_one(statement, statement.text, catalog, session, flags)
        if lost and (one.statement.reads or one.statement.writes or one.statement.functions):
            one = _unsure(one)
        judged.append(one)
        session = after(session, one.controls)
        followed = followed or any(_is_followed(control) for control in one.controls)
        lost = lost or (followed and any(isinstance(control, _ENDS) for control in one.controls))
        lost = lost or any(_leads_astray(control) for control in one.controls)
    return Judged(tuple(judged), _combined(parsed.text, [one.statement for one in judged], flags))


def _judge_one(
    one: ParsedStatement, text: str, catalog: Catalog, session: SqlSession, flags: frozenset[Flag]
) -> JudgedOne:
    walk = StatementWalk(catalog, session)
    walk.text = text
    try:
        walk.top(one.node, one.tree)
    except (TooDeep, RecursionError):
        walk.refuse("The statement is nested too deeply to be judged.")
    except Exception as error:  # noqa: BLE001 - a tree of a shape nobody thought of is one that is not understood
        walk.refuse(f"The gateway could not judge this statement ({type(error).__name__}).")
    unknown, anew = _anew(walk, one)
    if anew:
        walk.controls.append(Redefine(anew))
    statement = Statement(
        protocol=_PROTOCOL,
        text=text,
        effects=frozenset(walk.effects),
        verbs=tuple(walk.verbs),
        reads=tuple(walk.reads),
        writes=tuple(walk.writes),
        functions=tuple(walk.functions),
        flags=flags.union(walk.flags),
        understood=walk.understood,
        problem=" ".join(walk.problems[:_SHOWN_PROBLEMS]),
    )
    return JudgedOne(statement, tuple(walk.controls), unknown)


_SHOWN_PROBLEMS = 2


def _anew(walk: StatementWalk, one: ParsedStatement) -> tuple[bool, Anew]:
    """Whether it uses what its session defined anew, and what it defines anew itself."""
    try:
        unknown = bool(walk.session.redefined) and unsure(one.node, one.tree, walk)
        return unknown, redefined(one.node, one.tree, walk) if walk.effects & _DEFINES else NOTHING
    except Exception as error:  # noqa: BLE001 - as above
        walk.refuse(f"The gateway could not tell what this statement defines ({type(error).__name__}).")
        return True, ALL


def _combined(text: str, statements: list[Statement], flags: frozenset[Flag]) -> Statement:
    """All of them as one: every effect and flag; the problem of the first that was not understood, or the first."""
    problems = sorted((one for one in statements if one.problem), key=lambda one: one.understood)
    return Statement(
        protocol=_PROTOCOL,
        text=text,
        effects=frozenset().union(*(one.effects for one in statements)) or _READ,
        verbs=tuple(verb for one in statements for verb in one.verbs),
        reads=tuple(dict.fromkeys(name for one in statements for name in one.reads)),
        writes=tuple(dict.fromkeys(name for one in statements for name in one.writes)),
        functions=tuple(dict.fromkeys(name for one in statements for name in one.functions)),
        flags=flags.union({Flag.MULTI} if len(statements) > 1 else (), *(one.flags for one in statements)),
        understood=all(one.understood for one in statements),
        problem=problems[0].problem if problems else "",
    )


def _refused(text: str, problem: str, flags: frozenset[Flag]) -> Judged:
    opaque = frozenset({Effect.OPAQUE})
    return Judged((), Statement(_PROTOCOL, text, opaque, flags=flags, understood=False, problem=problem))


def _unsure(one: JudgedOne) -> JudgedOne:
    problem = "Names in it depend on what a transaction's end undoes in the same text; send it by itself."
    effects = one.statement.effects | {Effect.OPAQUE}
    return replace(one, statement=replace(one.statement, effects=effects, understood=False, problem=problem))


def _leads_astray(control: Control) -> bool:
    """Whether nobody can tell from the text alone what the search_path is after this."""
    if isinstance(control, SetSetting) and control.name.lower() == "search_path":
        return control.local or control.value is None
    return isinstance(control, DiscardAll) or (isinstance(control, Reset) and control.name in {None, "search_path"})


def _is_followed(control: Control) -> bool:
    """Whether a control changes what later names mean, and may be undone by the end of a transaction."""
    if isinstance(control, SetSetting | Reset):
        return control.name is None or control.name.lower() == "search_path"
    return isinstance(control, CreateTemp | DiscardAll | DiscardTemp)
