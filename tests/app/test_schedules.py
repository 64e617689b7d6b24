from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.schedules import due, trigger


@pytest.mark.parametrize(
    ("cron", "zone", "now", "at"),
    [
        ("30 2 * * *", "UTC", "2026-11-20T02:30:00", "2026-11-20T02:30:00"),
        ("30 2 * * *", "UTC", "2026-11-20T02:34:59", "2026-11-20T02:30:00"),
        ("30 2 * * *", "UTC", "2026-11-20T02:29:59", ""),
        ("30 2 * * *", "UTC", "2026-11-20T02:35:01", ""),
        ("*/2 * * * *", "UTC", "2026-11-20T02:35:00", "2026-11-20T02:34:00"),
        ("0 3 * * *", "Europe/Berlin", "2026-11-20T02:00:10", "2026-11-20T02:00:00"),
        ("0 3 * * *", "Europe/Berlin", "2026-07-20T01:00:10", "2026-07-20T01:00:00"),
        ("0 0 * * fri", "UTC", "2026-11-20T00:01:00", "2026-11-20T00:00:00"),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:31:00", "2026-10-25T00:30:00"),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T01:31:00", ""),
        ("30 1 * * *", "America/New_York", "2026-11-01T05:31:00", "2026-11-01T05:30:00"),
        ("30 1 * * *", "America/New_York", "2026-11-01T06:31:00", ""),
        ("30 * * * *", "Europe/Berlin", "2026-10-25T01:31:00", "2026-10-25T01:30:00"),
        ("*/30 * * * *", "Europe/Berlin", "2026-10-25T01:01:00", "2026-10-25T01:00:00"),
        ("30 2 * * *", "Europe/Berlin", "2026-03-29T00:31:00", ""),
        ("30 2 * * *", "Europe/Berlin", "2026-03-29T01:31:00", ""),
        ("30 3 * * *", "Europe/Berlin", "2026-03-29T01:31:00", "2026-03-29T01:30:00"),
        ("0 * * * *", "Europe/Berlin", "2026-03-29T01:01:00", "2026-03-29T01:00:00"),
        ("0 0 * * mon", "UTC", "2026-11-20T00:01:00", ""),
    ],
)
def test_what_is_due(cron: str, zone: str, now: str, at: str) -> None:
    found = due(trigger(cron, zone), datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert found == (datetime.fromisoformat(at).replace(tzinfo=UTC) if at else None)


@pytest.mark.parametrize(
    ("cron", "zone"),
    [("* * * *", "UTC"), ("60 * * * *", "UTC"), ("a b c d e", "UTC"), ("* * * * *", "Mars/Phobos"), ("", "UTC")],
)
def test_what_is_no_schedule(cron: str, zone: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        trigger(cron, zone)
