from __future__ import annotations

import pytest

from bot.cards import Code, Link, Strong, Text
from bot.markdown import MOST_LINES, documented, inline


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("plain words", ("plain words",)),
        ("run `ls -l` *now* or **never**", ("run ", Code("ls -l"), " ", "now", " or ", Strong("never"))),
        ("see [the page](https://example.com/a_b)", ("see ", Link("the page", "https://example.com/a_b"))),
        ("2 * 3 * 4 and snake_case_name", ("2 * 3 * 4 and snake_case_name",)),
        ("[x](javascript:alert(1))", ("[x](javascript:alert(1)", ")")),
        ("[x](https://user:pw@example.com)", ("[x](https://user:pw@example.com)",)),
        ("[x](file:///etc/passwd)", ("[x](file:///etc/passwd)",)),
        ("<b>not html</b> <@U123> &amp;", ("<b>not html</b> <@U123> &amp;",)),
        ("an open ` tick and ** stars", ("an open ` tick and ** stars",)),
    ],
)
def test_marks_in_a_line(written: str, shown: Text) -> None:
    assert inline(written) == shown


def test_lines_of_a_page() -> None:
    page = "# Title\nOne paragraph\nover two lines.\n\n- first `a`\n- second\n1. number\n\n```\nls -l\n\nid\n```\nend"
    assert documented(page) == [
        (Strong("Title"),),
        ("One paragraph over two lines.",),
        ("• ", "first ", Code("a")),
        ("• ", "second"),
        ("1. ", "number"),
        (Code("ls -l"),),
        (Code("id"),),
        ("end",),
    ]
    assert documented("") == []
    assert len(documented("- a\n" * 100)) == MOST_LINES + 1
