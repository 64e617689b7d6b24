"""Presidio's recognisers behind the detector interface. They run in a worker process and are asked about few values: a model
of language costs milliseconds a text, so it reads free texts only.

Nobody waits for it on the event loop: a text is read `ahead`, in a thread, and whoever asks for one that was not read gets an
error, so it is redacted. A worker that fails or takes too long is ended, and for a while everything it would have read is
redacted (`Detectors` notes the failure, and the session tells it once). It is started again after that.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
from asyncio import get_running_loop
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from typing import IO

from access.errors import Invalid, Unavailable
from access.ports import Clock
from proxy.masking.context import Context
from proxy.masking.detectors_numbers import Span

#: Presidio's entities that are some of ours; others keep their name in lower case.
OURS: Mapping[str, str] = {
    "PERSON": "person", "LOCATION": "address", "ORGANIZATION": "organisation", "NRP": "nationality",
    "EMAIL_ADDRESS": "email", "PHONE_NUMBER": "phone", "CREDIT_CARD": "card", "IBAN_CODE": "iban", "US_SSN": "ssn",
    "IP_ADDRESS": "ip", "MAC_ADDRESS": "mac", "UK_NHS": "nhs",
}  # fmt: skip
#: Entities of the model that are no personal data, or no more than a guess at a date.
_NOT_PERSONAL = frozenset({"DATE_TIME", "CARDINAL", "ORDINAL", "QUANTITY", "PERCENT", "MONEY", "TIME", "EVENT"})
#: How long the worker may take to load its packages and model, and how long after a failure it is not asked, in seconds.
START_SECONDS, REST_SECONDS = 60.0, 30.0
#: A free text has at least this many spaces; longer values than `_MOST` characters are redacted unread.
FREE_TEXT_SPACES = 3
_MOST = 20_000
#: What was read lately, in characters of texts.
_KEPT = 16 << 20
_EACH = 100
#: Sessions that wait for it at the same time; others wait for them.
_THREADS = 8
#: Whether whoever asks may wait.
_PATIENT: ContextVar[bool] = ContextVar("_PATIENT", default=False)
_COMMAND = (sys.executable, "-m", "proxy.masking.presidio_worker")


class Worker:
    """The process and what it said lately. An answer is waited for at most `seconds`, and only in `ahead`."""

    def __init__(
        self, recognizers: Sequence[str], model: str, clock: Clock, *, seconds: float, command: Sequence[str] = _COMMAND
    ) -> None:
        self._wanted = {"recognizers": list(recognizers), "model": model}
        self._clock = clock
        self._seconds = seconds
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._rest = b""
        self._down_until = 0.0
        self._kept: dict[str, list[Span]] = {}
        self._kept_size = 0
        self._lock = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None

    def start(self) -> list[str]:
        """Load everything; returns our names of what it can find. Raises Invalid saying what is missing."""
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )  # fmt: skip
        try:
            answer = self._exchange(self._wanted, START_SECONDS)
        except Unavailable:
            answer = {"problem": "it did not start"}
        if not isinstance(answer, dict) or "ready" not in answer:
            self.stop()
            said = answer.get("problem", "") if isinstance(answer, dict) else ""
            hint = "pip install presidio-analyzer, and the spaCy model that masking.presidio.model names."
            raise Invalid(f"Presidio cannot be used: {said}", field="masking.presidio", hint=hint)
        return sorted({ours(entity) for entity in answer["ready"] if entity not in _NOT_PERSONAL})

    def close(self) -> None:
        """End it for good; what waits for it is redacted."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
        self.stop()

    async def ahead(self, work: Callable[[], object]) -> None:
        """Do some masking in a thread, where answers are waited for; afterwards it can be done at once."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_THREADS, "presidio")

        def patiently() -> None:
            token = _PATIENT.set(True)
            try:
                work()
            finally:
                _PATIENT.reset(token)

        await get_running_loop().run_in_executor(self._threads, patiently)

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
            self._process = None
        self._rest = b""

    def find(self, text: str) -> list[Span]:
        """All spans in a text. Raises Unavailable when the worker fails, is slow, or has failed a moment ago; and for a text
        that nobody had read ahead."""
        found = self._kept.get(text)
        if found is not None:
            return found
        if not _PATIENT.get():
            raise Unavailable("Presidio has not read it")
        with self._lock:
            found = self._kept.get(text)
            if found is None:
                found = self._found(text)
                while self._kept and self._kept_size > _KEPT:
                    oldest = next(iter(self._kept))
                    self._kept_size -= len(oldest) + _EACH
                    del self._kept[oldest]
                self._kept[text] = found
                self._kept_size += len(text) + _EACH
        return found

    def _found(self, text: str) -> list[Span]:
        if len(text) > _MOST:
            raise Unavailable("the text is too long for Presidio")
        if self._clock.monotonic() < self._down_until:
            raise Unavailable("Presidio failed a moment ago")
        try:
            if self._process is None:
                self.start()
            answer = self._exchange(text, self._seconds)
            if not isinstance(answer, list):
                raise TypeError("the answer is not a list of spans")
            return [
                Span(int(start), int(end), ours(str(entity)))
                for start, end, entity in answer
                if entity not in _NOT_PERSONAL
            ]
        except (Invalid, Unavailable, TypeError, ValueError):
            self.stop()
            self._down_until = self._clock.monotonic() + REST_SECONDS
            raise Unavailable("Presidio did not answer") from None

    def _exchange(self, value: object, seconds: float) -> object:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise Unavailable("Presidio is not running")
        try:
            process.stdin.write(json.dumps(value).encode() + b"\n")
            process.stdin.flush()
            return json.loads(self._line(process.stdout, self._clock.monotonic() + seconds))
        except (OSError, ValueError) as error:
            raise Unavailable(f"Presidio failed ({type(error).__name__})") from None

    def _line(self, pipe: IO[bytes], until: float) -> bytes:
        while b"\n" not in self._rest:
            left = until - self._clock.monotonic()
            ready = left > 0 and select.select([pipe], [], [], left)[0]
            piece = os.read(pipe.fileno(), 65536) if ready else b""
            if not piece:
                raise Unavailable("Presidio ended or took too long")
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        return line


@dataclass(frozen=True, slots=True)
class PresidioDetector:
    """What Presidio says of one entity; all of them share the worker and its answers."""

    entity: str
    worker: Worker

    def find(self, text: str, context: Context) -> Iterator[Span]:  # noqa: ARG002 - the interface
        if text.count(" ") >= FREE_TEXT_SPACES:
            yield from (span for span in self.worker.find(text) if span.entity == self.entity)


def ours(entity: str) -> str:
    """Our name of one of Presidio's entities."""
    return OURS.get(entity, entity.lower())


def detectors(worker: Worker) -> tuple[PresidioDetector, ...]:
    """Start the worker; a detector for each entity it finds. Raises Invalid."""
    return tuple(PresidioDetector(entity, worker) for entity in worker.start())
