"""When access may be: a start that lies ahead, and the windows of a resource or a flow. Pure.

A window is kept three times: what is asked must begin in one, what is given ends with it, and on the data path
`access.policy` refuses statements outside of the resource's windows whatever was granted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from access.errors import Invalid
from access.requests import AccessRequest, Ask
from access.resources import Resource
from access.windows import Window, closes, inside, opens
from approval_flows.flow import Limits, shown_duration
from approval_flows.lifecycle import clock_time
from approval_flows.model import Flow

#: A start so little in the past was typed for now.
_JUST_NOW = timedelta(minutes=2)


def wanted_at(request: AccessRequest, now: datetime) -> datetime:
    """When the access is wanted: its conditions on the time of day are looked at then."""
    return now if request.starts_at is None else max(request.starts_at, now)


def check_start(starts_at: datetime | None, now: datetime, limits: Limits) -> Invalid | None:
    """Why access can not be asked for from then on; None if it can."""
    if starts_at is None:
        return None
    if starts_at < now - _JUST_NOW:
        hint = "Leave the start out for now, or name the day: tomorrow 02:00."
        return Invalid(f"{clock_time(starts_at)} is over.", field="start", hint=hint)
    if starts_at > now + limits.ahead:
        return Invalid(f"At most {shown_duration(limits.ahead)} ahead can be asked for.", field="start")
    return None


def check_windows(name: str, resource: Resource, taken: Flow | None, at: datetime) -> Invalid | None:
    """Why access can not begin at `at`: the windows of the resource, then those of its flow."""
    for whose, windows in _windows(resource, taken):
        if windows and not inside(windows, at):
            when = opens(windows, at)
            next_time = f"It opens at {clock_time(when)}." if when else "It does not open in the next days."
            again = f" Ask for then: /hoop request {name} from {when:%Y-%m-%dT%H:%M}Z" if when else ""
            return Invalid(f"{whose} only {said(windows)}. {next_time}", field="start", hint=again.strip())
    return None


def check_opening(request: AccessRequest, resource: Resource, taken: Flow | None, now: datetime) -> Invalid | None:
    """Why what this request asks for can not begin when it is wanted. The windows of a resource are looked at for a held
    statement where it runs: under broken glass they do not count."""
    here = replace(resource, windows=()) if request.ask is Ask.STATEMENT else resource
    return check_windows(resource.name, here, taken, wanted_at(request, now))


def said(windows: Sequence[Window]) -> str:
    """`22:00-02:00 Europe/Berlin on sat or …`."""
    return " or ".join(map(str, windows))


def closing(resource: Resource, taken: Flow | None, at: datetime) -> datetime | None:
    """When access that lives at `at` has to end because a window closes; None where there is no window."""
    ends = [closes(windows, at) for _, windows in _windows(resource, taken) if windows]
    return min((one for one in ends if one is not None), default=None)


def until(end: datetime, resource: Resource, taken: Flow | None, at: datetime) -> datetime:
    """`end`, or the moment the window closes when that is earlier."""
    closed = closing(resource, taken, at)
    return end if closed is None else min(end, closed)


def check_end(end: datetime, resource: Resource, taken: Flow | None, at: datetime) -> Invalid | None:
    """Why access can not last until `end`: a window closes before. None if it can."""
    closed = closing(resource, taken, at)
    if closed is None or end <= closed:
        return None
    return Invalid(f"The window closes at {clock_time(closed)}, and access ends with it.", field="duration")


def begin_by(request: AccessRequest, resource: Resource, taken: Flow, now: datetime, limits: Limits) -> datetime | None:
    """Until when approved access can be begun; None where it begins by its approval."""
    within = taken.activate_within
    if within is None and request.starts_at is None:
        return None
    start = wanted_at(request, now)
    return until(start + (within or limits.begin_within), resource, taken, start)


def _windows(resource: Resource, taken: Flow | None) -> tuple[tuple[str, tuple[Window, ...]], ...]:
    mine = (f"Access to {resource.name} is", resource.windows)
    return (mine, (f"The flow {taken.name} gives access", taken.windows)) if taken else (mine,)
