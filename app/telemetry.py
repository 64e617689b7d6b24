"""Logs and metrics. Neither ever carries statement text, data or secrets: only names, ids, counts and durations."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
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
        if record.exc_info or record.exc_text:
            entry["exception"] = record.exc_text or self.formatException(record.exc_info)  # type: ignore[arg-type]
        return json.dumps(entry, ensure_ascii=False)


def configure_logging(style: Literal["text", "json", "debug"] = "text") -> None:
    """Log to standard error; libraries only from WARNING on. `debug` is text with everything of ours."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _JsonFormatter() if style == "json" else logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    )
    logging.basicConfig(handlers=[handler], level=logging.DEBUG if style == "debug" else logging.INFO, force=True)
    for noisy in ("aiohttp", "alembic", "apscheduler", "asyncio", "asyncssh", "sqlalchemy"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


@contextmanager
def filtered_logs(taking_out: logging.Filter) -> Iterator[None]:
    """Every record that is logged meanwhile passes this filter first, whoever logs it."""
    handlers = list(logging.getLogger().handlers)
    for handler in handlers:
        handler.addFilter(taking_out)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(taking_out)


@dataclass(frozen=True, slots=True)
class Figure:
    """One number for /metrics: name without the `hoop_` prefix, and what it counts."""

    name: str
    help: str
    value: float


class _Figures(Collector):
    def __init__(self, figures: Iterable[Figure]) -> None:
        self._figures = list(figures)

    def collect(self) -> Iterable[Metric]:
        for figure in self._figures:
            yield GaugeMetricFamily(f"hoop_{figure.name}", figure.help, value=figure.value)


def exposition(figures: Iterable[Figure]) -> bytes:
    """The figures in Prometheus' text format, with the process' own (CPU, memory, open files)."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(figures))
    ProcessCollector(registry=registry)
    return generate_latest(registry)
