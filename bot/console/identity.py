"""Who is asking: a session from a single-use login link, or in the demo, on loopback only, whoever the tab says it is.

A link's page logs nobody in: chat programs open links for previews. Only its button does, with a POST.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from urllib.parse import parse_qs

from aiohttp import web

from access.actors import WIRE_NAME, Person, PersonId
from access.ports import Clock, Directory, Entropy, LoginLinks
from bot.console import guard
from bot.console.guard import Limiter, Origins, Refused
from bot.console.render import Viewer
from bot.zones import known, zone_of

FAILURES = 20
FAILURE_WINDOW = timedelta(minutes=5)
SECRET_LIMIT = 200
FORM_LIMIT = 4096
DEMO_COOKIE = "hoop-demo"
ZONE_COOKIE = "hoop-zone"


class SignedOut(Exception):
    """Nobody is logged in here."""


@dataclass(frozen=True, slots=True)
class Me:
    """Who is asking. `base` is the prefix of their pages (`/~dana` in the demo), `session` the cookie's secret, `browser` the
    time zone that their browser told."""

    person: Person
    base: str
    session: str = field(repr=False)
    demo: bool
    browser: str = ""

    @property
    def zone(self) -> str:
        """In which times are shown and read: the directory's word, else the browser's, else UTC."""
        return self.person.time_zone or self.browser or "UTC"

    @property
    def csrf(self) -> str:
        return guard.csrf_token(self.session, self.person.id)


class Identity:
    """Resolves requests to people; every call looks the person up anew."""

    def __init__(
        self, origins: Origins, directory: Directory, links: LoginLinks, clock: Clock, entropy: Entropy
    ) -> None:
        self._origins = origins
        self._directory = directory
        self._links = links
        self._clock = clock
        self._entropy = entropy
        self._failures = Limiter(clock, FAILURES, FAILURE_WINDOW)
        secure = origins.scheme == "https"
        self._cookie = "__Host-hoop" if secure else "hoop"
        self._secure = secure

    # -------------------------------------------------------------------------------------------- who

    def may_demo(self, request: web.Request) -> bool:
        """Whether this very connection may use the demo's person switcher."""
        host = request.headers.get("Host", "")
        return self._origins.demo and guard.is_direct_loopback(request.remote or "", host, request.headers)

    async def me(self, request: web.Request) -> Me:
        """Who is asking. Raises SignedOut, or Refused 429 after too many wrong cookies."""
        name = request.match_info.get("as")
        return self._demo_person(request, name) if name is not None else await self._session_person(request)

    def _demo_person(self, request: web.Request, name: str) -> Me:
        if not self.may_demo(request):
            raise SignedOut
        person = self._directory.by_name(name) if WIRE_NAME.match(name) else None
        if person is None or not person.active:
            raise Refused(404, "Nobody of that name", f"The demo has no {name[:40]}. Pick somebody from the list.")
        session = request.cookies.get(DEMO_COOKIE, "")
        return Me(person, f"/~{person.wire_name}", session, demo=True, browser=browser_zone(request))

    async def _session_person(self, request: web.Request) -> Me:
        session = request.cookies.get(self._cookie, "")
        if not session or len(session) > SECRET_LIMIT:
            raise SignedOut
        found = await self._links.who(session)
        person = self._directory.person(found) if found is not None else None
        if person is None or not person.active:
            self._count(request, "Wait five minutes, then try again.")
            raise SignedOut
        return Me(person, "", session, demo=False, browser=browser_zone(request))

    def viewer(self, me: Me) -> Viewer:
        """For whom pages are drawn now."""
        zone = zone_of(me.zone)
        return Viewer(me.person.id, self._clock.now(), zone, me.base, self._origins.base_url.rstrip("/"))

    def demo_cookie(self, me: Me, response: web.StreamResponse) -> Me:
        """Give a demo browser its session, which its CSRF tokens are bound to."""
        if not me.demo or me.session:
            return me
        session = self._entropy.token(24).hex()
        response.set_cookie(DEMO_COOKIE, session, httponly=True, samesite="Strict", path="/")
        return replace(me, session=session)

    # -------------------------------------------------------------------------------------------- logging in and out

    async def peek(self, request: web.Request) -> Person:
        """Whom the link would log in; it stays unused. Raises Refused 404 or 429."""
        secret = self._checked(request.match_info["secret"])
        return self._known(request, await self._links.peek(secret))

    async def login(self, request: web.Request) -> web.Response:
        """Use the link of the page the button was on. Raises Refused 403, 404 or 429."""
        guard.check_same_origin(request, self._origins)
        fields = parse_qs((await guard.read_body(request, FORM_LIMIT)).decode("utf-8", "replace"))
        secret = self._checked(fields.get("secret", [""])[0])
        self._known(request, await self._links.peek(secret))
        session = await self._links.redeem(secret)
        if session is None:
            raise self._no_link(request)
        response = _back_home()
        response.set_cookie(self._cookie, session, httponly=True, samesite="Strict", secure=self._secure, path="/")
        return response

    async def logout(self, request: web.Request) -> web.Response:
        """End the session everywhere and forget the cookie."""
        guard.check_same_origin(request, self._origins)
        me = await self._session_person(request)
        fields = parse_qs((await guard.read_body(request, FORM_LIMIT)).decode("utf-8", "replace"))
        guard.check_csrf(fields.get("csrf", [""])[0], me.session, me.person.id)
        await self._links.logout(me.session)
        response = _back_home()
        response.del_cookie(self._cookie, path="/", secure=self._secure, httponly=True, samesite="Strict")
        return response

    def _count(self, request: web.Request, hint: str) -> None:
        """A wrong secret. Raises Refused 429 after too many: nobody finds one by trying, and who has a right one goes on,
        however many wrong ones came from the same address (of a proxy that everybody comes through)."""
        if self._failures.full(request.remote or ""):
            raise Refused(429, "Too many attempts", hint)
        self._failures.hit(request.remote or "")

    @staticmethod
    def _checked(secret: str) -> str:
        return secret if 0 < len(secret) <= SECRET_LIMIT and secret.isascii() else "-"

    def _known(self, request: web.Request, found: PersonId | None) -> Person:
        person = self._directory.person(found) if found is not None else None
        if person is None or not person.active:
            raise self._no_link(request)
        return person

    def _no_link(self, request: web.Request) -> Refused:
        self._count(request, "Wait five minutes, then ask for a new link.")
        text = "Login links work once and for five minutes. Ask for a new one with /hoop console."
        return Refused(404, "This link does not work", text)


def browser_zone(request: web.Request) -> str:
    """The time zone that the page's script wrote down; empty for none, and for what is no zone."""
    return known(request.cookies.get(ZONE_COOKIE, ""))


def _back_home() -> web.Response:
    return web.Response(status=303, headers=guard.security_headers() | {"Location": "/"})
