"""What an approval is bound to: any difference that could change what runs is another digest."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.statements import Binding, Statement, binding_digest

BINDING = Binding(
    protocol="postgres",
    resource="prod-db",
    database="app",
    role="app",
    text=b"DELETE FROM t WHERE id = $1",
    parameters=(b"7", None),
    person="okta|00u1",
    agent="claude",
    settings=(("search_path", "public"),),
    commit="abc",
)

OTHER = {
    "protocol": "ssh",
    "resource": "other",
    "database": "App",
    "role": "admin",
    "text": b"DELETE FROM t WHERE id = $1 ",
    "parameters": (b"8", None),
    "person": "okta|00u2",
    "agent": "",
    "settings": (("search_path", "evil, public"),),
    "commit": "abd",
}


def test_the_digest_is_stable_across_releases() -> None:
    """An approval given before an upgrade still matches after it: change the version in the encoding instead."""
    assert binding_digest(BINDING) == "95a162e61468b1569390aa77cd90cce63258801761b61d003fb37f0c70161446"


@pytest.mark.parametrize("name", [field.name for field in fields(Binding)])
def test_every_part_counts(name: str) -> None:
    assert binding_digest(replace(BINDING, **{name: OTHER[name]})) != binding_digest(BINDING)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "parameters",
    [
        (),
        (b"7",),
        (None, b"7"),
        (b"7", b""),
        (b"7", b"None"),
        (b"7", b"null"),
        (b"7", None, None),
        (b"7None",),
        (b"07", None),
    ],
)
def test_parameters_are_told_apart(parameters: tuple[bytes | None, ...]) -> None:
    assert binding_digest(replace(BINDING, parameters=parameters)) != binding_digest(BINDING)


BINDINGS = st.builds(
    Binding,
    protocol=st.sampled_from(["postgres", "ssh"]),
    resource=st.text(max_size=3),
    database=st.text(max_size=3),
    role=st.text(max_size=3),
    text=st.binary(max_size=6),
    parameters=st.lists(st.none() | st.binary(max_size=3), max_size=3).map(tuple),
    person=st.text(max_size=3),
    agent=st.text(max_size=3),
    settings=st.lists(st.tuples(st.text(max_size=2), st.text(max_size=2)), max_size=2).map(tuple),
    commit=st.text(max_size=2),
)


@given(BINDINGS, BINDINGS)
def test_equal_digests_mean_equal_bindings(one: Binding, other: Binding) -> None:
    assert (binding_digest(one) == binding_digest(other)) is (one == other)


def test_text_and_parameters_stay_out_of_reprs() -> None:
    shown = repr(replace(BINDING, text=b"secret text", parameters=(b"secret value",)))
    assert "secret" not in shown
    assert "secret" not in repr(Statement("postgres", "secret text", frozenset()))
