"""Describes a command before anybody is asked: the same reading, the same digest, the same decision as on the wire."""

from __future__ import annotations

from collections.abc import Callable

from access.actors import Actor, Person
from access.errors import Denied, Invalid
from access.ids import GrantId, RequestId
from access.masking import ForApprover
from access.policy import Action, Policy, decide
from access.ports import Clock
from access.requests import EXECUTOR, Evidence, Grant
from access.resources import Resource
from access.scopes import Level, Once
from access.statements import Digest, binding_digest
from proxy.catalogs import Catalogs
from proxy.masking.plan import Masker
from proxy.postgres.reading import Reader, Reading, bound
from proxy.postgres.state import SqlState
from proxy.sql.catalog import Catalog

#: What `/hoop exec` shows as the rule that made it ask.
EXEC_RULE = "single-command"
#: What names are resolved by here. The wire judges again by the path that the server reports when the command runs.
DEFAULT_PATH = '"$user", public'


class Judge:
    """Implements `access.ports.Judge`."""

    def __init__(
        self,
        catalogs: Callable[[], Catalogs],
        masker: Callable[[Resource, Catalog], Masker],
        policy: Policy,
        clock: Clock,
    ) -> None:
        self._catalogs = catalogs
        self._masker = masker
        self._policy = policy
        self._clock = clock

    async def describe(self, actor: Actor, person: Person, resource: Resource, text: str) -> Evidence:
        """Raises Denied when policy would refuse it anyway, Invalid when it cannot be one command, Unavailable when the
        target's catalog is not there to judge it by."""
        database = resource.upstream.database
        catalog = await self._catalogs().get(resource, database)
        reader = Reader(catalog, self._masker(resource, catalog))
        state = SqlState(resource.upstream.user, {"search_path": DEFAULT_PATH}, level=Level.NONE)
        reading = reader.read(text, state.session(), state.epoch)
        _one_command(reading)
        whole = reading.judged.combined
        digest = binding_digest(bound(resource, database, actor, text.encode()))
        grant = self._as_if_approved(actor, resource, digest)
        verdict = decide(self._policy, [grant], person, resource, whole, digest, self._clock.now())
        if verdict.action is not Action.ALLOW:
            raise Denied(verdict.message, rule=verdict.rule, hint=verdict.hint)
        return Evidence(
            shown=reading.shown.text, exact=ForApprover(text), complete=reading.shown.complete, digest=digest,
            database=database, effects=whole.effects, verbs=whole.verbs,
            tables=tuple(dict.fromkeys((*whole.writes, *whole.reads))), flags=whole.flags, rule=EXEC_RULE,
        )  # fmt: skip

    def _as_if_approved(self, actor: Actor, resource: Resource, digest: Digest) -> Grant:
        """The grant that an approval would make: what is refused even then need not be asked."""
        now = self._clock.now()
        return Grant(
            GrantId(""), RequestId(""), actor, resource.name, Once(digest), now, now + resource.max_duration, (),
            holder=EXECUTOR,
        )  # fmt: skip


def _one_command(reading: Reading) -> None:
    """One statement that stands by itself."""
    if reading.parsed.error is not None:
        raise Invalid(reading.parsed.error, field="command")
    if len(reading.parts) != 1:
        found = len(reading.parts)
        raise Invalid(f"This is {found} statements; one command is approved at a time.", field="command")
    if reading.parts[0].judged.controls:
        hint = "Connect with psql for transactions, settings, cursors and COPY from or to the client."
        raise Invalid("This only makes sense inside of a session.", field="command", hint=hint)
