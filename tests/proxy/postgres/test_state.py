"""Settings, names and temporary tables through transactions and savepoints, as the server keeps them."""

from __future__ import annotations

import pytest

from access.scopes import Level
from proxy.postgres.messages import FAILED, IDLE, IN_TRANSACTION
from proxy.postgres.state import Prepared, SqlState
from proxy.sql import judged as j
from proxy.sql.parse import parse

DEFAULT = '"$user", public'


def _state() -> SqlState:
    return SqlState("app", {"search_path": DEFAULT, "timezone": "UTC"})


def _run(state: SqlState, *steps: j.Control | int | str) -> SqlState:
    """Controls complete; an int is the status at ReadyForQuery (a unit ends), `!` before it: the unit failed."""
    failed, fresh, status = False, True, IDLE
    for step in steps:
        if fresh:
            state.begin_unit(status)
            fresh = False
        if isinstance(step, int):
            state.end_unit(step, failed=failed)
            status, failed, fresh = step, False, True
        elif step == "!":
            failed = True
        elif isinstance(step, str):
            pytest.fail(step)
        else:
            state.apply(step, "ROLLBACK" if isinstance(step, j.Rollback) else type(step).__name__.upper())
    return state


def _set(value: str | None, *, local: bool = False) -> j.SetSetting:
    return j.SetSetting("search_path", value, local)


T, E, I = IN_TRANSACTION, FAILED, IDLE  # noqa: E741 - the protocol's letters


@pytest.mark.parametrize(
    ("steps", "path"),
    [
        ((_set("a"), I), "a"),
        ((_set("a"), I, j.Reset("search_path"), I), DEFAULT),
        ((_set("a"), I, j.Reset(None), I), DEFAULT),
        ((_set("a"), I, _set(None), I), DEFAULT),
        ((_set("a"), I, j.DiscardAll(), I), DEFAULT),
        ((j.Begin(), T, _set("a"), T, j.Commit(), I), "a"),
        ((j.Begin(), T, _set("a"), T, j.Rollback(), I), DEFAULT),
        ((j.Begin(), T, _set("a", local=True), T), "a"),
        ((j.Begin(), T, _set("a", local=True), T, j.Commit(), I), DEFAULT),
        ((j.Begin(), T, _set("a"), T, j.Savepoint("s"), T, _set("b"), T, j.RollbackTo("s"), T), "a"),
        ((j.Begin(), T, j.Savepoint("s"), T, _set("b"), T, j.Release("s"), T, j.Commit(), I), "b"),
        ((j.Begin(), T, j.Savepoint("s"), T, _set("b"), T, j.RollbackTo("s"), T, _set("c"), T, j.Commit(), I), "c"),
        ((j.Begin(), T, _set("a"), T, "!", E, j.Rollback(), I), DEFAULT),
        ((_set("a"), "!", I), DEFAULT),  # several statements in one Query that failed: none of it happened
        ((_set("a"), j.Commit(), _set("b"), "!", I), "a"),
        ((_set("a", local=True), I), DEFAULT),
        ((_set("a"), I, _set("b", local=True), I), "a"),
    ],
)
def test_the_search_path(steps: tuple[j.Control | int | str, ...], path: str):
    assert _run(_state(), *steps).setting("search_path") == path


def test_a_commit_of_a_failed_transaction_is_a_rollback():
    state = _run(_state(), j.Begin(), T, _set("a"), T, "!", E)
    state.begin_unit(E)
    state.apply(j.Commit(), "ROLLBACK")
    state.end_unit(I, failed=False)
    assert state.setting("search_path") == DEFAULT


def test_what_the_server_reports_is_how_it_is():
    state = _run(_state(), _set("a"), I)
    state.observe("search_path", "b")
    assert state.setting("search_path") == "b"


def test_temporary_tables_go_with_their_transaction():
    assert _run(_state(), j.CreateTemp("x"), I).session().temporary == {"x"}
    assert _run(_state(), j.Begin(), T, j.CreateTemp("x"), T, j.Rollback(), I).session().temporary == frozenset()
    assert _run(_state(), j.CreateTemp("x"), I, j.DiscardTemp(), I).session().temporary == frozenset()


def test_prepared_statements_do_not_roll_back():
    body = parse("SELECT 1")
    state = _run(_state(), j.Begin(), T, j.Prepare("p", body), T, j.Rollback(), I)
    assert state.session().prepared == {"p": body}
    assert _run(state, j.Deallocate(None), I).session().prepared == {}


@pytest.mark.parametrize("end", [j.Deallocate("p"), j.Deallocate(None), j.DiscardAll()])
def test_ends_of_prepared_statements(end: j.Control):
    state = _state()
    state.define("p", Prepared(parse("SELECT 1")))
    assert _run(state, end, I).prepared == {}


def test_cursors_and_portals_share_names():
    state = _run(_state(), j.DeclareCursor("c", parse("SELECT 1")), T)
    state.open_portal("p", parse("SELECT 2"))
    state.open_portal("", parse("SELECT 3"))
    assert set(state.session().cursors) == {"c", "p"}
    assert set(_run(state, j.CloseCursor("c"), I).session().cursors) == {"p"}


def test_the_epoch_grows_with_every_change_that_matters():
    state = _state()
    before = state.epoch
    state.session()
    assert state.epoch == before
    for change in (_set("a"), j.Prepare("p", parse("SELECT 1")), j.Deallocate("p"), j.CreateTemp("t")):
        _run(state, change, I)
        assert state.epoch > before
        before = state.epoch
    state.set_level(Level.READ)
    assert state.epoch > before


def test_the_binding_names_what_differs_from_the_server():
    assert _state().binding() == ()
    assert _run(_state(), _set("a"), I).binding() == (("search_path", "a"),)
    assert _run(_state(), j.SetSetting("application_name", "x"), I).binding() == ()
    assert SqlState("app", {}, given={"datestyle": "German"}).binding() == (("datestyle", "German"),)


def test_a_search_path_that_cannot_be_read_finds_nothing():
    assert _run(_state(), _set('"broken'), I).session().search_path == ()
