"""A reason that nobody can read is none."""

from __future__ import annotations

import pytest

from access.errors import Invalid
from approval_flows.wording import readable
from tests.fakes.world import World


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("debugging  checkout", "debugging checkout"),
        ("\u200b\u200d\ufeff\u2060", ""),
        ("\u3164\u115f\u2800 \u00a0", ""),
        ("\x00\x1b\t\n", ""),
        ("a\u202eb", "a b"),
        ("❤\ufe0f", "❤"),
        ("देखना", "देखना"),
    ],
)
def test_what_can_be_read(text: str, seen: str) -> None:
    assert readable(text) == seen


@pytest.mark.parametrize("reason", ["\u200b" * 40, "\u3164\u2800", "\u202e"])
async def test_it_is_no_reason(world: World, reason: str) -> None:
    with pytest.raises(Invalid, match="wants a reason"):
        await world.ask(reason=reason)
