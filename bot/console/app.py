"""The rim: routes, and around every one of them the same guard. What goes wrong is told in words, never as a traceback."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from access.errors import Conflict, Denied, HoopError, Unavailable
from bot.console.actions import Actions
from bot.console.confirm import Confirm
from bot.console.context import ACTIONS_PER_MINUTE, ONE_MINUTE, Context, Pace, Ports, Settings
from bot.console.draw import Draw, environment
from bot.console.files import Files
from bot.console.guard import Limiter, Origins, Refused, check_host, security_headers
from bot.console.identity import Identity, Me, SignedOut
from bot.console.lists import Lists, channels_of
from bot.console.live import Live
from bot.console.pages import Pages, theme
from bot.console.platform import NAME
from bot.console.replays import Replays
from bot.console.replies import Answers
from bot.console.statics import Statics
from bot.console.watching import Watching

log = logging.getLogger(__name__)

#: What other servers log for a client that closed its connection.
GONE = 499

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
PersonHandler = Callable[[web.Request, Me], Awaitable[web.StreamResponse]]


def create_app(ports: Ports, settings: Settings, *, pace: Pace | None = None) -> web.Application:
    """The console as an aiohttp application. Mount other routes (health, webhooks) beside it with `app.add_routes`: the
    guard is around each of the console's own handlers, not around the application."""
    app = web.Application()
    console = Console(_context(ports, settings, pace or Pace()))
    app.add_routes(console.routes())
    app.on_shutdown.append(console.live.close)
    app.on_shutdown.append(console.watching.close)
    return app


def _context(ports: Ports, settings: Settings, pace: Pace) -> Context:
    origins = Origins(settings.base_url.rstrip("/"), frozenset(h.lower() for h in settings.hosts), settings.demo)
    channels = channels_of(
        ports.resources,
        ports.places.fallback(NAME),
        lambda resource: next(p.channel for p in ports.places.of(resource) if p.platform == NAME),
    )
    lists = Lists(ports.resources, channels, ports.directory, ports.connection_url, ports.security_group)
    templates = environment()
    return Context(
        ports,
        settings,
        origins,
        Identity(origins, ports.directory, ports.links, ports.clock, ports.entropy),
        lists,
        templates,
        Draw(templates, lists),
        Answers(ports.clock, ports.entropy),
        Statics(),
        Limiter(ports.clock, ACTIONS_PER_MINUTE, ONE_MINUTE),
        pace,
    )


class Console:
    """All handlers, guarded."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._pages = Pages(context)
        self._replays = Replays(context, self._pages)
        self._files = Files(context)
        self._actions = Actions(context)
        self._confirm = Confirm(context, self._alone)
        self.live = Live(context)
        self.watching = Watching(context, self._replays)

    def routes(self) -> list[web.RouteDef]:
        """The routes; in the demo every page exists once more for every person, under `/~name`."""
        pages, actions = self._pages, self._actions
        gets: dict[str, PersonHandler] = {
            "/": pages.home,
            "/c/{channel}": pages.channel,
            "/private": pages.private,
            "/waiting": pages.waiting,
            "/access": pages.access,
            "/requests": pages.requests,
            "/requests/{id}": pages.request,
            "/sessions": pages.sessions,
            "/data": pages.data,
            "/sessions/{id}": self._replays.page,
            "/sessions/{id}/cast": self._replays.cast,
            "/sessions/{id}/live": self.watching.follow,
            "/files/{message}/{number}": self._files.result,
            "/complete": actions.complete,
        }
        posts: dict[str, PersonHandler] = {
            "/say": actions.say,
            "/press": actions.press,
            "/submit": actions.submit,
            "/dismiss": actions.dismiss,
        }
        routes = [
            web.get("/static/{version}/{name:.+}", self._guarded(self._context.statics.serve)),
            web.get("/login/{secret}", self._guarded(self._login_page)),
            web.get("/confirm/{secret}", self._guarded(self._confirm.page)),
            web.post("/confirm", self._guarded(self._confirm.submit)),
            web.post("/login", self._guarded(self._context.identity.login)),
            web.post("/logout", self._guarded(self._context.identity.logout)),
        ]
        for prefix in ("", "/~{as}") if self._context.settings.demo else ("",):
            routes += [web.get(prefix + path, self._for_person(handler)) for path, handler in gets.items()]
            routes += [web.post(prefix + path, self._for_person(handler)) for path, handler in posts.items()]
            routes.append(web.get(f"{prefix}/events", self._guarded(self.live.events)))
        routes += [web.get("/~{as}", self._for_person(pages.home))] if self._context.settings.demo else []
        return [*routes, web.get("/{anything:.*}", self._guarded(self._nothing_here))]

    # -------------------------------------------------------------------------------------------- the guard

    def _for_person(self, handler: PersonHandler) -> Handler:
        async def resolved(request: web.Request) -> web.StreamResponse:
            return await handler(request, await self._context.identity.me(request))

        return self._guarded(resolved)

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            try:
                check_host(request, self._context.origins)
                return await handler(request)
            except Refused as refused:
                return self._refuse(request, refused)
            except SignedOut:
                return self._signed_out(request)
            except HoopError as error:
                return self._refuse(request, Refused(_status(error), error.message, error.hint))
            except web.HTTPException:
                raise
            except ConnectionError:
                return web.Response(status=GONE)  # the browser went away: nobody reads this, and no error is logged
            except Exception:
                number = self._context.ports.entropy.token(4).hex()
                log.exception("console error %s", number)
                message = f"It is our fault. Tell the gateway's operator this number: {number}"
                return self._refuse(request, Refused(500, "Something went wrong", message))

        return guarded

    async def _nothing_here(self, _request: web.Request) -> web.StreamResponse:
        raise Refused(404, "No such page", "The address may be mistyped, or what was here is gone.")

    def _refuse(self, request: web.Request, refused: Refused) -> web.StreamResponse:
        if _wants_json(request):
            data = {"error": refused.title, "message": refused.message}
            return web.json_response(data, status=refused.status, headers=security_headers())
        return self._alone("alone.html", request, refused.title, refused.message, status=refused.status)

    # -------------------------------------------------------------------------------------------- nobody yet

    async def _login_page(self, request: web.Request) -> web.StreamResponse:
        person = await self._context.identity.peek(request)
        return self._alone(
            "login.html",
            request,
            "Log in to the console",
            "This link is for you alone and works once.",
            person=person,
            secret=request.match_info["secret"],
        )

    def _signed_out(self, request: web.Request) -> web.StreamResponse:
        if _wants_json(request):
            data = {"error": "You are logged out", "message": "Log in again, then repeat what you did."}
            return web.json_response(data, status=401, headers=security_headers())
        if self._context.identity.may_demo(request) and "as" not in request.match_info:
            people = sorted((p for p in self._context.ports.directory.people() if p.active), key=lambda p: p.name)
            text = "Pick a person; open a second window to be another one. This works on your own machine only."
            here = "" if request.path == "/" else request.path
            return self._alone("people.html", request, "Who are you in this demo?", text, people=people, here=here)
        if request.headers.get("Sec-Fetch-Site") in {"cross-site", "same-site"}:
            # A strict cookie is not sent along with a link from elsewhere; loading once more from our own page sends it.
            return self._alone("alone.html", request, "Opening …", "", again=True)
        text = "Type /hoop console in chat for a private login link, or run hoop login-link on the gateway's own host."
        return self._alone("alone.html", request, "Please log in", text, status=401)

    def _alone(
        self, template: str, request: web.Request, title: str, message: str, *, status: int = 200, **values: object
    ) -> web.Response:
        text = self._context.templates.get_template(template).render(
            title=title,
            message=message,
            theme=theme(request),
            static=self._context.statics.address,
            again=values.pop("again", False),
            **values,
        )
        return web.Response(
            text=text, status=status, content_type="text/html", charset="utf-8", headers=security_headers()
        )


def _wants_json(request: web.Request) -> bool:
    if request.path in {"/login", "/logout", "/confirm"}:
        return False
    return request.method == "POST" or request.path.endswith(("/events", "/complete", "/cast", "/live"))


def _status(error: HoopError) -> int:
    return {Denied: 403, Conflict: 409, Unavailable: 503}.get(type(error), 400)
