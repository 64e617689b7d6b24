"""The page on which an approval is confirmed that takes more than a click.

Its link is the approver's alone, good for one vote and five minutes; it logs nobody in. What is approved is shown from the
store; the digest and the number are typed from the card, so that neither a forged card nor a forwarded link is enough.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import parse_qs

from aiohttp import web

from access.actors import PersonId
from access.errors import HoopError, Invalid
from access.requests import AccessRequest
from access.scopes import scope_asked
from bot.console import guard
from bot.console.context import Context
from bot.console.guard import Limiter, Refused
from bot.console.identity import browser_zone
from bot.durations import format_duration
from bot.visible import visible
from bot.zones import clock_in

FORM_LIMIT = 4_096
TRIES = 20
MINUTES = 5

Alone = Callable[..., web.Response]


class Confirm:
    """Two handlers for whoever holds a link."""

    def __init__(self, context: Context, alone: Alone) -> None:
        self._context = context
        self._alone = alone
        self._failures = Limiter(context.ports.clock, TRIES, timedelta(minutes=MINUTES))

    async def page(self, request: web.Request) -> web.Response:
        """What would be approved. Raises Refused 404 or 429."""
        return await self._shown(request, request.match_info["secret"])

    async def submit(self, request: web.Request) -> web.Response:
        """Vote, when what was typed is right; else the page again."""
        guard.check_same_origin(request, self._context.origins)
        fields = parse_qs((await guard.read_body(request, FORM_LIMIT)).decode("utf-8", "replace"))
        secret, code, number = (fields.get(name, [""])[0] for name in ("secret", "code", "number"))
        self._check(request, secret)
        try:
            row = await self._context.ports.desk.finish_step_up(secret, code, number)
        except Invalid as wrong:
            self._failures.hit(request.remote or "")
            if wrong.field != "code":
                raise Refused(404, "This was not approved", str(wrong)) from None
            return await self._shown(request, secret, wrong.message)
        said = "The people who wait see it now." if row.decided_at else "It needs more approvals; its card says whose."
        return self._alone("alone.html", request, f"Approved: {row.id}", said)

    async def _shown(self, request: web.Request, secret: str, error: str = "") -> web.Response:
        self._check(request, secret)
        try:
            row, by = await self._context.ports.desk.step_up(secret)
        except HoopError as dead:
            self._failures.hit(request.remote or "")
            raise Refused(404, "This link does not work", str(dead)) from None
        person = self._context.ports.directory.person(by)
        return self._alone(
            "confirm.html",
            request,
            "Confirm your approval",
            f"You approve as {person.name if person else by}.",
            facts=facts(
                row, self._name(row.actor.person), (person.time_zone if person else "") or browser_zone(request)
            ),
            statement=row.evidence.shown if row.evidence else "",
            secret=secret,
            error=error,
        )

    def _check(self, request: web.Request, secret: str) -> None:
        if self._failures.full(request.remote or ""):
            raise Refused(429, "Too many attempts", "Wait five minutes, then press Approve again.")
        if not secret or len(secret) > 100 or not secret.isascii():
            self._failures.hit(request.remote or "")
            raise Refused(404, "This link does not work", "Press Approve again for a new one.")

    def _name(self, person: PersonId) -> str:
        known = self._context.ports.directory.person(person)
        return known.name if known else str(person).rpartition("|")[2]


def _from(row: AccessRequest, zone: str) -> str:
    return f", from {clock_in(row.starts_at, zone)} on" if row.starts_at else ""


def facts(row: AccessRequest, name: str, zone: str) -> list[tuple[str, str]]:
    """What is approved, from the row itself."""
    via = f" via {row.actor.via.name} (AI agent)" if row.actor.via else ""
    found = [("Who", f"{name}{via}"), ("Resource", row.resource)]
    if row.evidence is None:
        found.append(
            ("What", f"{scope_asked(row.scope)} {row.resource} for {format_duration(row.duration)}{_from(row, zone)}")
        )
    else:
        effects = ", ".join(sorted(effect.value for effect in row.evidence.effects))
        found.append(("What", f"one statement ({effects})"))
    why = " ".join(part for part in (row.ticket, row.reason) if part)
    found += [("Why", visible(why))] if why else []
    return [*found, ("Request", row.id)]
