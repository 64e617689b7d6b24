"""The data of a COPY: out through the masker, in past the watch for masks; both counted and hashed for the record."""

from __future__ import annotations

from proxy.masking.plan import Masker
from proxy.postgres import messages as m
from proxy.postgres.frames import HEADER, payloads
from proxy.postgres.framing import DROP, KEEP, Violation
from proxy.postgres.protection import WRITTEN_BACK
from proxy.postgres.reading import Part
from proxy.postgres.steps import Run

_DATA = frozenset({m.COPY_DATA, m.COPY_DONE, m.COPY_FAIL})
_IGNORED = frozenset({m.SYNC, m.FLUSH})
_UNEXPECTED = m.message(m.COPY_FAIL, m.cstring("unexpected message during COPY from stdin"))


def in_order(frame: bytes, taking: Run | None, *, quiet: bool) -> bytes | None:
    """What the server gets for the client's next message around a COPY FROM STDIN: empty when the message is dropped,
    None when it is not for the COPY. (copyfromparse.c, CopyGetData.)

    While the server takes data it ignores Sync and Flush, and every other message ends the COPY. When nothing runs, data
    is what is left of a COPY that failed, and dropped.
    """
    if frame[0] in _DATA:
        return frame if taking is not None else (b"" if quiet else None)
    if taking is None:
        return None
    return b"" if frame[0] in _IGNORED else _UNEXPECTED


def start_out(run: Run, part: Part, masker: Masker) -> None:
    """COPY TO STDOUT begins. Raises Violation when it was not judged as one, or cannot be masked."""
    if part.copy is None:
        raise Violation("the server copies out of a statement that was not judged as COPY TO STDOUT")
    run.copy_plan = masker.copy_plan(part.copy, part.output, part.touched)
    if run.copy_plan.refuse:
        raise Violation(run.copy_plan.refuse)


def data_out(run: Run, data: bytes, at: int, after: int) -> bytes | None:
    """What the client gets for a run of CopyData messages of the server, `data[at:after]`."""
    plan = run.copy_plan
    if plan is None:
        raise Violation("the server sent COPY data that nobody asked for")
    if plan.passes:
        _count(run, payloads(data, at, after))
        return KEEP
    told: list[bytes] = []
    while at < after:
        at, frames, payload = plan.messages(data, at, after)
        _count(run, payload)
        told.append(frames)
        if at < after:  # something else than a plain line
            start, at = at, at + 1 + int.from_bytes(data[at + 1 : at + HEADER])
            told.append(_copied(run, plan.feed(data[start + HEADER : at])))
    return b"".join(told)


def done_out(run: Run, frame: bytes) -> bytes:
    """What the client gets for the CopyDone of the server."""
    if run.copy_plan is None:
        raise Violation("the server ended a COPY that nobody asked for")
    return _copied(run, run.copy_plan.finish()) + frame


def _count(run: Run, masked: bytes) -> None:
    run.copy_bytes += len(masked)
    run.copy_hash.update(masked)


def _copied(run: Run, masked: bytes) -> bytes:
    _count(run, masked)
    return m.message(m.COPY_DATA, masked) if masked else DROP


def data_in(run: Run, frame: bytes) -> bytes:
    """What goes upstream for a CopyData of the client: a mask in it ends the COPY (`run.copy_refused`)."""
    run.copy_bytes += len(frame) - HEADER
    run.copy_hash.update(memoryview(frame)[HEADER:])
    if run.copy_watch.found(frame[HEADER:]):
        run.copy_refused = True
        return m.message(m.COPY_FAIL, m.cstring(WRITTEN_BACK.message))
    return frame


def summary(run: Run) -> dict[str, object]:
    """The data of a `copy` record."""
    return {
        "direction": "in" if run.copy_in else "out",
        "bytes": run.copy_bytes,
        "sha256": run.copy_hash.hexdigest(),
    }
