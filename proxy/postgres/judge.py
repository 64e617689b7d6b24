"""Describes a command before anybody is asked: the same reading, the same digest, the same decision as on the wire."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from access.actors import Actor, Person
from access.errors import Denied, Invalid
from access.explain import Estimate, Understood
from access.ids import GrantId, RequestId
from access.masking import ForApprover
from access.policy import Action, Policy, decide
from access.ports import Clock
from access.requests import EXECUTOR, Evidence, Grant
from access.resources import Resource
from access.runs import Run
from access.scopes import Level, OfRunbook, Once
from access.statements import Digest, Effect, binding_digest
from proxy.catalogs import Catalogs
from proxy.masking.plan import Masker
from proxy.postgres.client import LOOKING
from proxy.postgres.extended import bound_form
from proxy.postgres.protection import refused
from proxy.postgres.reader import Reader
from proxy.postgres.reading import Reading, bound
from proxy.postgres.state import SqlState
from proxy.postgres.units import TEXT_CAP, TOO_LONG, at_once, with_parameters
from proxy.runs import described
from proxy.sql.catalog import Catalog, Volatility
from proxy.sql.judged import Control, Explain, Redefine
from proxy.sql.twin import twin

#: The options stand in brackets, so that no word of the text can become one (EXPLAIN ANALYZE runs it).
PLAN_OF = "EXPLAIN (ANALYZE false, FORMAT json) "
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
        reader = await self._reader(resource)
        return self._describe(reader, actor, person, resource, text, ())

    async def understand(self, resource: Resource, text: str) -> Understood:
        """Raises Unavailable when the target's catalog is not there to judge by."""
        if len(text.encode()) > TEXT_CAP:
            raise Invalid(f"{TOO_LONG.message}. {TOO_LONG.detail}", field="statement", hint=TOO_LONG.hint)
        return understood(await self._reader(resource), resource, text)

    async def estimate(self, actor: Actor, person: Person, resource: Resource, text: str, what: Estimate) -> Evidence:
        """EXPLAIN of it, or the twin that counts its rows: a plain read by the same rules as any. Whatever its conditions
        would tell of protected columns is not estimated, where the strict mode guards them."""
        if len(text.encode()) > TEXT_CAP:
            raise Invalid(f"{TOO_LONG.message}.", field="statement")
        reader = await self._reader(resource)
        state = SqlState(resource.upstream.user, {"search_path": DEFAULT_PATH}, level=Level.NONE)
        _untold(reader, reader.read(text, state.session(), state.epoch))
        asked = PLAN_OF + text if what is Estimate.PLAN else twin(text)
        reading = reader.read(asked, state.session(), state.epoch)
        _untold(reader, reading)
        found = self._describe(reader, actor, person, resource, asked, (), given=tuple(sorted(LOOKING.items())))
        _only_reads(reader.catalog, reading, found)
        return found

    async def describe_run(
        self, actor: Actor, person: Person, resource: Resource, run: Run
    ) -> tuple[Evidence, OfRunbook]:
        """Every step as `describe`, with its bind values; the whole as one evidence. The errors name the step."""
        reader = await self._reader(resource)
        return described(
            run,
            lambda step: self._describe(reader, actor, person, resource, step.text, step.values, step.secrets),
            "--",
        )

    async def _reader(self, resource: Resource) -> Reader:
        catalog = await self._catalogs().get(resource, resource.upstream.database)
        return Reader(catalog, self._masker(resource, catalog))

    def _describe(
        self, reader: Reader, actor: Actor, person: Person, resource: Resource, text: str,
        values: tuple[str | None, ...], secrets: tuple[tuple[int, str], ...] = (),
        given: tuple[tuple[str, str], ...] = (),
    ) -> Evidence:  # fmt: skip
        database = resource.upstream.database
        state = SqlState(resource.upstream.user, {"search_path": DEFAULT_PATH}, level=Level.NONE)
        reading = reader.read(text, state.session(), state.epoch)
        _one_command(reading)
        whole = reading.judged.combined
        wire = tuple(None if value is None else value.encode() for value in values)
        refusal = refused(reading, reader.masker, wire)
        if refusal is not None:  # the wire would refuse it as well: nobody needs to be asked
            raise Denied(refusal.message, rule="masking", hint=refusal.hint)
        shown = reader.masker.parameters(wire, (), (), reading.shown)
        same = all(exact == masked for exact, masked in zip(values, shown, strict=True))
        digest = binding_digest(
            bound(resource, database, actor, text.encode(), wire, bound_form((), ()) if wire else given)
        )
        grant = self._as_if_approved(actor, resource, digest)
        verdict = decide(self._policy, [grant], person, resource, whole, digest, self._clock.now())
        if verdict.action is not Action.ALLOW:
            raise Denied(verdict.message, rule=verdict.rule, hint=verdict.hint)
        return Evidence(
            shown=with_parameters(reading.shown.text, shown), exact=ForApprover(_with_values(text, values, secrets)),
            complete=reading.shown.complete and same, digest=digest, database=database, effects=whole.effects, verbs=whole.verbs,
            tables=tuple(dict.fromkeys((*whole.writes, *whole.reads))), flags=whole.flags, rule=EXEC_RULE,
        )  # fmt: skip

    def _as_if_approved(self, actor: Actor, resource: Resource, digest: Digest) -> Grant:
        """The grant that an approval would make: what is refused even then need not be asked."""
        now = self._clock.now()
        return Grant(
            GrantId(""), RequestId(""), actor, resource.name, Once(digest), now, now + resource.max_duration, (),
            holder=EXECUTOR,
        )  # fmt: skip


def understood(reader: Reader, resource: Resource, text: str) -> Understood:
    """A text as a new session of the resource would run it, by this catalog and masker."""
    state = SqlState(resource.upstream.user, {"search_path": DEFAULT_PATH}, level=Level.NONE)
    reading = reader.read(text, state.session(), state.epoch)
    parts = tuple(at_once(part) for part in reading.parts) or (reading.judged.combined,)
    refusal = refused(reading, reader.masker)
    bare = tuple(replace(one, text="") for one in parts)
    why = tuple(line for part in reading.parts for line in reader.masker.why(part.output, touched=part.touched))
    if refusal is None:
        return Understood(reading.shown.text, bare, masked=why)
    return Understood(reading.shown.text, bare, refusal.message, "masking")


def _untold(reader: Reader, reading: Reading) -> None:
    """Raises Denied for what the strict mode would not let anybody ask, also where it lets single values be asked."""
    refusal = refused(reading, reader.masker)
    if refusal is not None:
        raise Denied(refusal.message, rule="masking", hint=refusal.hint)
    if any(part.looked_up for part in reading.parts):
        raise Denied("It asks for an exact value of a protected column.", rule="masking")


def _only_reads(catalog: Catalog, reading: Reading, found: Evidence) -> None:
    """Raises Invalid for an estimate that does more than read, or calls what is not IMMUTABLE or STABLE."""
    if found.effects != {Effect.READ}:
        raise Invalid("Its estimate would do more than read.", field="statement")
    for called in reading.judged.combined.functions:
        schema, _, name = called.rpartition(".")
        overloads = [one for key, all_ in catalog.functions.items() if key[1] == name for one in all_]
        meant = [one for one in overloads if schema in {"", one.schema}]
        if not meant or any(one.volatility is Volatility.VOLATILE for one in meant):
            raise Invalid(f"It calls {name}, which is neither IMMUTABLE nor STABLE.", field="statement")


def _with_values(text: str, values: tuple[str | None, ...], secrets: tuple[tuple[int, str], ...] = ()) -> str:
    """The exact text with what it is bound with, for those who decide; a secret by its name."""
    named = dict(secrets)
    shown = [f"(the secret {named[i]})" if i in named else "NULL" if v is None else v for i, v in enumerate(values)]
    return "\n".join([text, *(f"-- ${i} = {value}" for i, value in enumerate(shown, 1))])


def _alone(control: Control) -> bool:
    """Whether a control means something for a command that is all of its session."""
    return isinstance(control, Redefine) or (isinstance(control, Explain) and not control.analyze)


def _one_command(reading: Reading) -> None:
    """One statement that stands by itself."""
    if reading.parsed.error is not None:
        raise Invalid(reading.parsed.error, field="command")
    if len(reading.parts) != 1:
        found = len(reading.parts)
        raise Invalid(f"This is {found} statements; one command is approved at a time.", field="command")
    if any(not _alone(one) for one in reading.parts[0].judged.controls):
        hint = "Connect with psql for transactions, settings, cursors and COPY from or to the client."
        raise Invalid("This only makes sense inside of a session.", field="command", hint=hint)
