"""Every statement of the corpus gets the effects, flags and tables that are true of it."""

from __future__ import annotations

from proxy.sql.catalog import Catalog
from proxy.sql.classify import judge
from proxy.sql.judged import SqlSession
from proxy.sql.parse import parse
from tests.proxy.sql.corpus import clients, dangers, held, reads, structure, writes
from tests.proxy.sql.corpus.case import Case
from tests.tables import every

CORPUS = [one for module in (reads, writes, dangers, structure, held, clients) for one in module.CASES]


def test_judged_as_it_is(catalog: Catalog) -> None:
    every(CORPUS, lambda case: _judged_as_it_is(case, catalog), str)


def _judged_as_it_is(case: Case, catalog: Catalog) -> None:
    session = SqlSession(role="app", level=case.level)
    judged = judge(parse(case.sql), catalog, session).combined
    assert (judged.effects, judged.understood) == (case.effects, case.understood), judged.problem
    if case.flags is not None:
        assert judged.flags == case.flags
    assert case.has <= judged.flags
    if case.reads is not None:
        assert frozenset(judged.reads) == case.reads
    if case.writes is not None:
        assert frozenset(judged.writes) == case.writes
    assert "could not judge" not in judged.problem
    assert bool(judged.problem) or (judged.understood and judged.effects.isdisjoint({"danger", "admin", "opaque"}))


def test_the_corpus_is_large_enough_to_mean_something() -> None:
    assert len({case.sql for case in CORPUS}) >= 600
