"""Logs and metrics. Neither ever carries statement text, data or secrets: only names, ids, counts and durations."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class _JsonFormatter(logging.Formatter):
    """One JSON object a line, for collectors."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def configure_logging(style: Literal["text", "json", "debug"] = "text") -> None:
    """Log to standard error; libraries only from WARNING on. `debug` is text with everything of ours."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _JsonFormatter() if style == "json" else logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    )
    logging.basicConfig(handlers=[handler], level=logging.DEBUG if style == "debug" else logging.INFO, force=True)
    for noisy in ("aiohttp", "alembic", "apscheduler", "asyncio", "sqlalchemy"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


Gauges = Callable[[], Mapping[str, float]]
Counts = Callable[[], Mapping[str, int]]


class _Figures(Collector):
    def __init__(self, gauges: Gauges, events: Counts) -> None:
        self._gauges = gauges
        self._events = events

    def collect(self) -> Iterable[Metric]:
        for name, value in self._gauges().items():
            yield GaugeMetricFamily(
                f"hoop_{name}", f"{name.replace('_', ' ').capitalize()} of this process.", value=value
            )
        events = CounterMetricFamily("hoop_events", "Ledger events by kind, seen by this process.", labels=["kind"])
        for kind, count in sorted(self._events().items()):
            events.add_metric([kind], count)
        yield events


def registry(gauges: Gauges, events: Counts) -> CollectorRegistry:
    """The metrics of one process, read when scraped."""
    made = CollectorRegistry(auto_describe=False)
    made.register(_Figures(gauges, events))
    return made
