"""What the gate judges: a text with its values, in this session, now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from access.masking import ForApprover, Masked, declare_masked
from access.statements import Effect, Statement
from proxy.admission import Refusal, Unit
from proxy.conversation import Steps, Study
from proxy.masking.literals import Standing
from proxy.masking.presidio import FREE_TEXT_SPACES
from proxy.postgres import admitting
from proxy.postgres import messages as m
from proxy.postgres.exchange import Exchange
from proxy.postgres.protection import refused
from proxy.postgres.reader import NEAR, Reader
from proxy.postgres.reading import Part, Reading, bound
from proxy.postgres.scanning import wanted
from proxy.sql import judged as j

#: What a statement that is run in a transaction of the gateway's own may be, beside plain.
_ALONE = (j.CopyIn, j.CopyOut, j.Explain, j.CreateTemp, j.Redefine, j.Execute)

#: Statements longer than this, in bytes, are refused unread: looking at them would keep everybody waiting.
TEXT_CAP = 256 * 1024
#: No text in a message that is shorter is long.
NEAR_BYTES = NEAR
TOO_LONG = Refusal(
    "the statement is longer than the gateway reads",
    f"At most {TEXT_CAP // 1024} kB of text.",
    "Send values as parameters, rows with COPY, or several shorter statements.",
    code="54000",
)
UNSETTLED = Refusal("Names in it depend on what the end of the open transaction undoes; send what follows by itself.")
#: The server says nothing of a COMMIT before it has run the whole text, and others would go by what was before.
PUBLISHED = Refusal(
    "It commits what it defines anew, and goes on.", hint="Send what follows the COMMIT by itself.", code="0A000"
)
_UNREAD_SHOWN = 200
#: Controls of statements that take no time.
_QUICK = (j.Begin, j.Commit, j.Rollback)


def make(
    conv: Exchange,
    reading: Reading,
    text: bytes,
    *,
    values: tuple[bytes | None, ...] = (),
    exact: tuple[ForApprover | None, ...] = (),
    shown: tuple[Masked | None, ...] = (),
    complete: bool = True,
    form: tuple[tuple[str, str], ...] = (),
    wrappable: bool = True,
) -> Unit:
    """The unit of a text. `shown` and `exact` are its bound values, `complete` whether showing them lost nothing."""
    status, facts = conv.responses.status, conv.facts
    alone = len(reading.parts) == 1 and all(isinstance(c, _ALONE) for c in reading.parts[0].judged.controls)
    settings = (*_settings(conv, reading), *form)
    return Unit(
        statements=tuple(at_once(part) for part in reading.parts),
        whole=_whole(reading),
        shown=with_parameters(reading.shown.text, shown),
        complete=complete and reading.shown.complete,
        binding=bound(facts.bearer.resource, facts.database, facts.bearer.actor, text, values, settings),
        parameters=shown,
        exact_parameters=exact,
        in_transaction=status != m.IDLE,
        can_write=not facts.read_only,
        wrappable=wrappable and alone and status == m.IDLE and not conv.responses.working,
        unmasked=conv.unmasking.of(reading),
        looked_up=tuple(column for part in reading.parts for column in part.looked_up),
        lookups_per_hour=conv.reader.masker.lookups_per_hour,
    )


def study(conv: Exchange, text: str, values: Sequence[bytes | None] = ()) -> Steps[None]:
    """Have a long text understood elsewhere before it is read (empty: not known yet), and the tables it reads looked at that nobody knows yet."""
    ahead = conv.reader.masker.ahead
    if ahead is not None and any(_is_free(one) for one in (text.encode(), *values)):
        yield from conv.gate.ask(Study(partial(ahead, partial(_rehearsed, conv.reader, text, values))))
    if not text:
        return
    yield from _understand(conv, text)
    sampled = conv.reader.sampled
    if sampled is None:
        return
    missing = sampled.missing(conv.reader.catalog, conv.read(text))
    if missing:
        yield from conv.gate.ask(Study(partial(sampled.look, missing)))
        conv.responses.tell_failure("names", sampled.problem)
    if sampled.outdated():
        conv.understand_anew(sampled.anew(conv.reader.catalog))
        yield from _understand(conv, text)


def _is_free(value: bytes | None) -> bool:
    return value is not None and value.count(b" ") >= FREE_TEXT_SPACES


def _rehearsed(reader: Reader, text: str, values: Sequence[bytes | None]) -> None:
    """Have detectors that take their time read a statement and what it is bound with."""
    reader.masker.rendered(text, Standing())  # every token that any rendering looks at
    for value in values:
        reader.masker.text("" if value is None else value.decode("utf-8", "replace"))


def _understand(conv: Exchange, text: str) -> Steps[None]:
    if conv.reader.is_far(text, conv.state.epoch):
        yield from conv.gate.ask(Study(partial(conv.reader.study, text, conv.state.session(), conv.state.epoch)))


def unread(conv: Exchange, statement: str) -> Unit:
    """What is recorded of a text that is too long to be read: that there was one, and how it began."""
    beginning = statement[:_UNREAD_SHOWN] + "…"
    return make(conv, conv.read(beginning), beginning.encode(), complete=False, wrappable=False)


def refused_by_wire(conv: Exchange, reading: Reading, values: Sequence[bytes | None] = ()) -> Refusal | None:
    """What the wire itself knows cannot be let through, with the values it is bound with."""
    if conv.facts.scanning is not None and isinstance(asked := wanted(reading, conv.reader.catalog), Refusal):
        return asked
    if conv.responses.status != m.IDLE and conv.state.unsettled and _goes_on_after_an_end(reading):
        return UNSETTLED
    if _publishes_and_goes_on(conv, reading):
        return PUBLISHED
    for part in reading.parts:
        for control in part.judged.controls:
            if isinstance(control, j.Begin) and control.read_write and conv.facts.read_only:
                return Refusal(
                    "This session is read only; a transaction cannot be made READ WRITE.",
                    hint="Run a change by itself and have it approved, or ask for write access.",
                )
        if part.copy is not None:
            plan = conv.reader.masker.copy_plan(part.copy, part.output, part.touched)
            if plan.refuse:
                return Refusal(plan.refuse)
    return refused(reading, conv.reader.masker, values)


def _goes_on_after_an_end(reading: Reading) -> bool:
    """Whether statements follow the end of a transaction, or of a part of it, in the same text."""
    before = reading.parts[:-1]
    return any(isinstance(c, j.Commit | j.Rollback | j.RollbackTo) for part in before for c in part.judged.controls)


def _publishes_and_goes_on(conv: Exchange, reading: Reading) -> bool:
    """Whether statements that may take their time follow the commit of known names with another meaning, in the same text."""
    anew, committed = bool(conv.state.redefined.every), False
    for part in reading.parts:
        controls = part.judged.controls
        if committed and not (controls and all(isinstance(control, _QUICK) for control in controls)):
            return True
        anew = anew or any(isinstance(control, j.Redefine) and control.anew.every for control in controls)
        committed = committed or (anew and any(isinstance(control, j.Commit) for control in controls))
    return False


def _settings(conv: Exchange, reading: Reading) -> tuple[tuple[str, str], ...]:
    """What the text means also depends on: settings, and the bodies behind the names it executes."""
    return tuple(sorted([*conv.state.binding(), *bodies(conv, reading)]))


def bodies(conv: Exchange, reading: Reading) -> tuple[tuple[str, str], ...]:
    """The names that a text executes or fetches from, and what they stand for now."""
    prepared, cursors, found = conv.state.prepared, conv.state.cursors, []
    for control in (c for part in reading.parts for c in part.judged.controls):
        if isinstance(control, j.Execute) and control.name in prepared:
            found.append((f"prepared:{control.name}", prepared[control.name].parsed.text))
        elif isinstance(control, j.Fetch) and control.name in cursors:
            found.append((f"cursor:{control.name}", cursors[control.name].text))
    return tuple(found)


def at_once(part: Part) -> Statement:
    """What a statement does when it is sent. PREPARE runs nothing: its body is judged again, and held, at EXECUTE."""
    statement = part.judged.statement
    if any(isinstance(control, j.Prepare) for control in part.judged.controls):
        return replace(statement, effects=frozenset({Effect.READ}))
    return statement


def _whole(reading: Reading) -> Statement:
    parts = [at_once(part) for part in reading.parts]
    if all(new is part.judged.statement for new, part in zip(parts, reading.parts, strict=True)):
        return reading.judged.combined
    return replace(reading.judged.combined, effects=frozenset().union(*(one.effects for one in parts)))


def with_parameters(text: Masked, shown: tuple[Masked | None, ...]) -> Masked:
    """A statement and the values it was bound with, for people."""
    if not shown:
        return text
    lines = [f"-- ${i} = {'NULL' if value is None else value}" for i, value in enumerate(shown, 1)]
    return declare_masked("\n".join([text, *lines]))


def function_call(conv: Exchange) -> Steps[None]:
    """Refuse a FunctionCall message."""
    unit = make(conv, conv.read("-- a FunctionCall message"), b"", complete=False, wrappable=False)
    told = "function calls by protocol message do not pass the gateway"
    refusal = yield from conv.gate.refuse(unit, "wire", Refusal(told, hint="Use SELECT function(…)."))
    yield from admitting.refuse(conv, refusal)
