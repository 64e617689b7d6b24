from __future__ import annotations

from dataclasses import replace

import pytest

from access.actors import PersonId
from access.policy import DEFAULT_MATRIX, Policy
from access.ports import OutboxItem
from access.requests import Place
from access.scopes import Admin, Once, Read
from access.statements import Digest
from bot.cases import allows
from bot.deliveries import Delivery, View, from_outbox, to_outbox
from bot.links import Links
from bot.platform import Places
from tests.fakes.world import PROD

CHANNEL = Delivery(View.REQUEST, "req_1", ("chat",), "#access", root="req_0", tokens={"a": "b"})


def test_a_delivery_survives_the_outbox() -> None:
    for delivery in (CHANNEL, replace(CHANNEL, audience="i|p", channel="", part="7", arguments={"x": "y"})):
        assert from_outbox(to_outbox(delivery)) == delivery


def test_what_must_stay_apart_has_keys_of_its_own() -> None:
    others = [
        replace(CHANNEL, about="req_2"),
        replace(CHANNEL, view=View.VOTE),
        replace(CHANNEL, part="1"),
        replace(CHANNEL, platforms=("other",)),
        replace(CHANNEL, channel="#db"),
        replace(CHANNEL, audience=PersonId("i|p")),
    ]
    assert len({d.key for d in [CHANNEL, *others]}) == len(others) + 1
    assert replace(CHANNEL, tokens={}).key == CHANNEL.key, "a newer rendering replaces the older one"


@pytest.mark.parametrize("payload", [{}, {"view": "nonsense"}, {"view": "request"}])
def test_garbage_is_not_a_delivery(payload: dict[str, str]) -> None:
    with pytest.raises((KeyError, ValueError)):
        from_outbox(OutboxItem("t", "chat", payload))


def test_places_give_every_platform_its_own_channel() -> None:
    places = Places(("console", "slack"), channels={("slack", "#db"): "C123"})
    assert places.of(replace(PROD, channel="#db")) == [Place("console", "#db"), Place("slack", "C123")]
    assert places.of(None) == [Place("console", "#access"), Place("slack", "#access")]
    assert places.fallback("slack") == "#access"


def test_links() -> None:
    links = Links("https://h")
    assert [links.login("s"), links.session("x"), links.request("y")] == [
        "https://h/login/s",
        "https://h/sessions/x",
        "https://h/requests/y",
    ]


def test_what_a_scope_allows_is_told_from_the_owners_matrix() -> None:
    policy = Policy(matrix=DEFAULT_MATRIX)
    assert allows(policy, Read()).startswith("allowed: read")
    assert "refused" not in allows(policy, Admin())
    assert allows(policy, Once(Digest("d"))) == ""
