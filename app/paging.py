"""Alarms as pages: PagerDuty (Events API v2) and Opsgenie. The alarm's id makes a repeated one the same page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import aiohttp

from access.duty import Alarm
from access.errors import Unavailable

TIMEOUT_SECONDS = 10.0
TEXT_MOST = 1000
#: What is worth waking somebody; the rest is told quietly.
URGENT = frozenset({"emergency.opened", "emergency.escalated", "resource.frozen", "freeze.unconfirmed"})


class PagerDutyEvents:
    """https://developer.pagerduty.com/docs/send-alert-event"""

    def __init__(self, key: str, url: str = "") -> None:
        self._key = key
        self._url = (url or "https://events.pagerduty.com").rstrip("/") + "/v2/enqueue"

    async def page(self, alarm: Alarm) -> None:
        """Raises Unavailable unless it was taken."""
        await _post(
            "PagerDuty",
            self._url,
            {},
            {
                "routing_key": self._key,
                "event_action": "trigger",
                "dedup_key": alarm.id,
                **({"links": [{"href": alarm.link, "text": "Acknowledge, watch, Kill"}]} if alarm.link else {}),
                "payload": {
                    "summary": f"{alarm.who}: {alarm.text}"[:TEXT_MOST],
                    "source": alarm.resource or alarm.subject,
                    "severity": "critical" if alarm.kind in URGENT else "info",
                    "timestamp": alarm.at.isoformat(),
                    "class": alarm.kind,
                    "custom_details": {"subject": alarm.subject, "who": alarm.who},
                },
            },
        )


class OpsgenieAlerts:
    """https://docs.opsgenie.com/docs/alert-api → Create alert"""

    def __init__(self, key: str, url: str = "", team: str = "") -> None:
        self._key = key
        self._url = (url or "https://api.opsgenie.com").rstrip("/") + "/v2/alerts"
        self._team = team

    async def page(self, alarm: Alarm) -> None:
        """Raises Unavailable unless it was taken."""
        text = f"{alarm.who}: {alarm.text}"
        body = {
            "message": text[:130],
            "alias": alarm.id,
            "description": text[:TEXT_MOST],
            "entity": alarm.resource,
            "source": "hoop",
            "tags": [alarm.kind],
            "details": {"subject": alarm.subject, **({"link": alarm.link} if alarm.link else {})},
            "priority": "P1" if alarm.kind in URGENT else "P4",
            **({"responders": [{"type": "team", "name": self._team}]} if self._team else {}),
        }
        await _post("Opsgenie", self._url, {"Authorization": f"GenieKey {self._key}"}, body)


async def _post(name: str, url: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> None:
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    data = json.dumps(body, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json", **headers}
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.post(url, data=data, headers=headers, allow_redirects=False) as answer,
        ):
            if answer.status // 100 != 2:
                raise Unavailable(f"{name} answered {answer.status}.")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Unavailable(f"{name} does not answer: {type(error).__name__}.") from None
