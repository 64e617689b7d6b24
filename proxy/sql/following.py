"""What a session is after a statement ran: the part of its state that later judgements depend on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from proxy.sql.judged import (
    CloseCursor,
    Control,
    CreateTemp,
    Deallocate,
    DeclareCursor,
    DiscardAll,
    DiscardTemp,
    Prepare,
    Redefine,
    SetSetting,
    SqlSession,
)
from proxy.sql.names import split_search_path


def after(session: SqlSession, controls: Sequence[Control]) -> SqlSession:
    """The session as it is when the statement with these controls has succeeded.

    Ends of transactions undo nothing here, and a setting's default is not known: the wire, which follows the server's
    own reports, does that.
    """
    for control in controls:
        session = _after(session, control)
    return session


def _after(session: SqlSession, control: Control) -> SqlSession:
    match control:
        case SetSetting(name=name, value=str(value)) if name.lower() == "search_path":
            # What is open keeps the names it was opened with, which are not those of this session any more.
            return replace(session, search_path=split_search_path(value) or (), cursors={})
        case Prepare(name=name, body=body):
            return replace(session, prepared={**session.prepared, name: body})
        case Deallocate(name=name):
            kept = {key: body for key, body in session.prepared.items() if name is not None and key != name}
            return replace(session, prepared=kept)
        case DeclareCursor(name=name, query=query):
            return replace(session, cursors={**session.cursors, name: query})
        case CloseCursor(name=name):
            open_ones = {key: query for key, query in session.cursors.items() if name is not None and key != name}
            return replace(session, cursors=open_ones)
        case CreateTemp(name=name):
            return replace(session, temporary=session.temporary | {name}, cursors={})
        case Redefine(anew=anew):
            return replace(session, redefined=session.redefined | anew)
        case DiscardTemp():
            return replace(session, temporary=frozenset(), cursors={})
        case DiscardAll():
            return replace(session, prepared={}, cursors={}, temporary=frozenset())
        case _:
            return session
