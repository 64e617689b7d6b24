from __future__ import annotations

import pytest

from access.errors import Invalid
from access.resources import Protocol, Resource, Upstream
from bot.targets import chosen


def host(name: str, **labels: str) -> Resource:
    return Resource(name, Protocol.SSH, Upstream("h", 22, "u", ""), labels=labels)


HOSTS = [
    host("web-1", role="web", env="prod"),
    host("web-2", role="web", env="test"),
    host("db-1", role="db", env="prod"),
]


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("", []),
        ("web-1", ["web-1"]),
        ("db-1, web-1", ["db-1", "web-1"]),
        ("web-1,web-1", ["web-1"]),
        ("role=web", ["web-1", "web-2"]),
        ("role=web,env=prod", ["web-1"]),
        ("all", ["web-1", "web-2", "db-1"]),
    ],
)
def test_what_is_meant(typed: str, names: list[str]) -> None:
    assert [one.name for one in chosen(typed, HOSTS)] == names


@pytest.mark.parametrize(
    "typed", ["web-9", "web-1,web-9", "role=none", "role=", "=web", "*", "web-1;db-1", "role=web,web-1"]
)
def test_what_is_not(typed: str) -> None:
    with pytest.raises(Invalid):
        chosen(typed, HOSTS)


def test_the_only_one_needs_no_name_and_a_name_is_stronger_than_a_word() -> None:
    assert [one.name for one in chosen("", HOSTS[:1])] == ["web-1"]
    assert [one.name for one in chosen("all", [host("all"), host("b")])] == ["all"]
    with pytest.raises(Invalid, match="at most 50"):
        chosen("all", [host(f"h{number}") for number in range(51)])
