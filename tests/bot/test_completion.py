from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.completion import MOST, Known, complete
from bot.grammar import parse
from bot.intents import Mistake

KNOWN = Known(
    resources=[("prod-db", "orders"), ("odd name", "")],
    requests=[("req_7k3f9a2b", "Dana")],
    mine=[("req_00000001", "mine")],
    grants=[("grt_7k3f9a2b4c", "read")],
    sessions=[("ses_7k3f9a2b4c5d", "prod-db")],
)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("", "request"),
        ("ap", "approve"),
        ("AP", "approve"),
        ("/hoop ap", "/hoop approve"),
        ("request ", "request prod-db"),
        ("request o", None),
        ('request "o', 'request "odd name"'),
        ("request prod-db ", "request prod-db 30m"),
        ("request prod-db 1h ", "request prod-db 1h --for"),
        ("request prod-db --s", "request prod-db --scope"),
        ("request prod-db --scope w", "request prod-db --scope write"),
        ("request prod-db --for ", "request prod-db --for 30m"),
        ("request prod-db --reason ", None),
        ("approve ", "approve req_7k3f9a2b"),
        ("cancel ", "cancel req_00000001"),
        ("extend g", "extend grt_7k3f9a2b4c"),
        ("revoke ", "revoke grt_7k3f9a2b4c"),
        ("kill ", "kill ses_7k3f9a2b4c5d"),
        ("agent ", "agent token"),
        ("agent token claude --on ", "agent token claude --on prod-db"),
        ("help ex", "help exec"),
        ("exec prod-db ", "exec prod-db -- "),
        ("exec prod-db -- SEL", None),
        ("nonsense ", None),
        ("my ", None),
    ],
)
def test_what_could_follow(text: str, first: str | None) -> None:
    found = complete(text, KNOWN)
    assert (found[0].text if found else None) == first
    assert len(found) <= MOST


def test_names_with_blanks_are_quoted() -> None:
    assert 'who "odd name"' in [s.text for s in complete("who ", KNOWN)]


@given(st.text(max_size=60))
def test_any_input_gives_suggestions_that_begin_with_it(text: str) -> None:
    for suggestion in complete(text, KNOWN):
        assert suggestion.label


def test_a_completed_verb_is_never_a_mistake() -> None:
    for suggestion in complete("", KNOWN):
        assert not isinstance(parse(suggestion.text), Mistake)
