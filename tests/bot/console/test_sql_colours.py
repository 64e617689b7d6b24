from __future__ import annotations

import time

import pytest

from bot.console.sql_colours import LONGEST, coloured
from tests.bot.console.test_render import EVIL


@pytest.mark.parametrize(
    ("sql", "html"),
    [
        ("SELECT 1", '<span class="w">SELECT</span> <span class="n">1</span>'),
        ("select a1 from t", '<span class="w">select</span> a1 <span class="w">from</span> t'),
        ("SELECT 'it''s'", '<span class="w">SELECT</span> <span class="s">&#39;it&#39;&#39;s&#39;</span>'),
        ('SELECT "from"', '<span class="w">SELECT</span> &#34;from&#34;'),
        ("SELECT -- all\n x", '<span class="w">SELECT</span> <span class="c">-- all</span>\n x'),
        ("SELECT /* from", '<span class="w">SELECT</span> <span class="c">/* from</span>'),
        ("(SELECT 2.5)", '(<span class="w">SELECT</span> <span class="n">2.5</span>)'),
        ("DELETE 1", '<span class="w">DELETE</span> <span class="n">1</span>'),
        ("INSERT ⟨U+202E⟩", '<span class="w">INSERT</span> ⟨U+202E⟩'),
        ("ls -la where from", "ls -la where from"),
        ("", ""),
    ],
)
def test_sql_gets_colours_and_nothing_else(sql: str, html: str) -> None:
    assert coloured(sql) == html


@pytest.mark.parametrize("evil", EVIL)
def test_colours_never_change_the_text(evil: str) -> None:
    sql = f"SELECT '{evil}', {evil} -- {evil}"
    assert coloured(sql).striptags() == " ".join(sql.split())
    assert "<script" not in coloured(sql)
    assert "<img" not in coloured(sql)


@pytest.mark.parametrize("part", ["'", "/*", '"', "''", "-- ", "1.", "a", "(", "'\n"])
def test_long_texts_take_linear_time(part: str) -> None:
    sql = ("SELECT " + part * LONGEST)[:LONGEST]
    begin = time.thread_time()
    coloured(sql)
    assert time.thread_time() - begin < 2
