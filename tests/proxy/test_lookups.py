"""Questions for one exact value are counted by person and resource, over an hour."""

from __future__ import annotations

from datetime import timedelta

from access.actors import PersonId
from proxy.lookups import HOUR, Lookups
from tests.fakes.clock import ManualClock

DANA, EVE = PersonId("d|dana"), PersonId("d|eve")


def test_an_hour_has_so_many() -> None:
    lookups, now = Lookups(), ManualClock().now()
    assert lookups.take(DANA, "db", 2, 3, now) is None
    assert lookups.take(DANA, "db", 2, 3, now + timedelta(minutes=1)) == now + HOUR, "none of the two is counted"
    assert lookups.take(DANA, "db", 1, 3, now + timedelta(minutes=2)) is None
    assert lookups.take(DANA, "db", 1, 3, now + timedelta(minutes=3)) == now + HOUR
    assert lookups.take(EVE, "db", 3, 3, now) is None
    assert lookups.take(DANA, "other", 3, 3, now) is None
    assert lookups.take(DANA, "db", 2, 3, now + HOUR) is None
    assert lookups.take(EVE, "x", 4, 3, now) == now + HOUR
