"""The README's figures are those of the newest run in the history."""

from __future__ import annotations

from tests.bench import history
from tests.bench.figures import Figure


def test_the_readme_shows_the_newest_run():
    text = history.README.read_text(encoding="utf-8")
    assert history.readme(text, history.newest()) == text, "python -m tests.bench.history"


def test_a_figure_says_whether_it_reaches_what_is_demanded():
    below = Figure("added", "µs", [31, 29, 40], least=50, goal=30)
    assert (below.median, below.verdict) == (31, "met") and "≤ 50" in below.line()
    above = Figure("share", "×", [0.7, 0.96, 0.95], least=0.7, goal=0.95, more=True)
    assert above.verdict == "goal" and "≥ 0.7" in above.line()
    assert Figure("share", "×", [0.5], least=0.7, more=True).verdict == "missed"
    assert Figure("direct", "s", [1.0]).verdict == ""
    assert Figure(**below.stored()) == Figure("added", "µs", [31.0, 29.0, 40.0], least=50, goal=30)
