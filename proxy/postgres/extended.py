"""The extended query protocol: a batch is everything up to a Sync or Flush, judged as a whole before any of it goes on.

(Documentation, chapter "Message Flow", "Extended Query" and "Pipelining".) Names are looked up as the server will see
them: those it confirmed, then those this batch makes. A portal is one use, however often it is executed; binding again
is another one. A held statement is asked about when it is executed, or, when it is only bound, then: planning runs code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from access.masking import ForApprover, declare_masked
from access.policy import Action
from access.scopes import Level
from proxy.admission import Admitted, Refusal, Unit
from proxy.conversation import Steps
from proxy.postgres import admitting, giving, hidden, sending, units, writable
from proxy.postgres import messages as m
from proxy.postgres.admitting import CANCELLED
from proxy.postgres.batches import Batch, Item
from proxy.postgres.counting import mixed
from proxy.postgres.exchange import Exchange
from proxy.postgres.frames import FrameError
from proxy.postgres.lane import Lane
from proxy.postgres.reading import Reading
from proxy.postgres.sending import NOTHING
from proxy.postgres.spending import controls
from proxy.postgres.state import Prepared
from proxy.postgres.steps import Portal
from proxy.postgres.values import exact_value
from proxy.sql import judged as j
from proxy.sql.parse import Parsed

#: A batch longer than this is judged and sent in pieces, so that a client cannot fill the memory before its Sync.
BATCH_CAP = 8 * 1024 * 1024
#: The same in messages: small ones cost more memory than their bytes.
BATCH_MESSAGES = 2000

#: Controls after which names mean what they meant before.
_STEADY = (j.CopyIn, j.CopyOut, j.Execute, j.Explain, j.Fetch)
_KINDS = frozenset({m.PARSE, m.BIND, m.DESCRIBE, m.EXECUTE, m.CLOSE, m.FLUSH, m.SYNC})


#: NAMEDATALEN of the server, without the end.
NAME_BYTES = 63


class Stop(Exception):
    """The batch is refused. `unit` is what to record; None when there is no statement to it (an unknown name)."""

    def __init__(self, refusal: Refusal, unit: Unit | None = None, rule: str = "wire") -> None:
        super().__init__(refusal.message)
        self.refusal = refusal
        self.unit = unit
        self.rule = rule


def segment(conv: Exchange, lane: Lane, first: bytes) -> Steps[None]:
    """Take a batch from its first message to its end."""
    if conv.facts.scanning is not None:
        raise FrameError("a session that samples tables takes simple queries only")
    conv.collecting = True
    conv.collecting = yield from _segment(conv, lane, first)
    conv.cancelled = conv.cancelled and conv.collecting


def _segment(conv: Exchange, lane: Lane, first: bytes) -> Steps[bool]:
    """Whether only a part of it was sent, which the gateway has cut off itself: a cancel means the rest of it as well."""
    if conv.responses.skipping:
        if first[0] == m.SYNC:
            yield from sending.send_sync(conv, Batch())
        return False
    frames, part = yield from _collect(conv, first)
    closed = frames[-1][0] == m.SYNC
    yield from _study(conv, frames)
    if _cancelled(conv, frames):
        yield from _refuse(conv, CANCELLED, closed=closed)
        return False
    try:
        batch = look(conv, frames)
    except Stop as stop:
        refusal = stop.refusal
        if stop.unit is not None:
            refusal = yield from conv.gate.refuse(stop.unit, stop.rule, refusal)
        yield from _refuse(conv, refusal, closed=closed)
        return False
    if batch.rest:
        for frame in reversed(batch.rest):
            conv.put_back(frame)
        frames, closed, part = [m.FLUSH_MESSAGE], False, True
    problem = yield from _admit(conv, batch)
    if problem is None:
        problem = yield from _given(conv, batch)
    if problem is not None:
        yield from _refuse(conv, problem, closed=closed)
        return False
    pieces = batch.pieces()
    unprepared = yield from writable.prepare(conv, pieces)
    if unprepared is not None:
        yield from writable.not_prepared(conv, [admitted for _, admitted, _ in pieces], unprepared)
        yield from _discard(conv, closed=closed)
        return False
    if _cancelled(conv, (item.frame for item in batch.items)):
        _forget(conv, batch, "not run: cancelled by the client")
        yield from _refuse(conv, CANCELLED, closed=closed)
        return False
    repeatable = closed and conv.own is None and not part
    yield from sending.send(conv, batch, closing=frames[-1])
    if repeatable:
        lane.remember_batch(conv, batch)
    return part


def _cancelled(conv: Exchange, frames: Iterable[bytes]) -> bool:
    """Whether a cancel came that means a batch with these messages: one that runs something, here or before them."""
    return conv.cancelled and (conv.responses.working or any(frame[0] == m.EXECUTE for frame in frames))


def _collect(conv: Exchange, first: bytes) -> Steps[tuple[list[bytes], bool]]:
    """The messages up to a Sync or Flush; and whether it is one that the gateway has put there to keep to its limits."""
    frames, size = [first], len(first)
    while frames[-1][0] not in {m.SYNC, m.FLUSH}:
        if size > BATCH_CAP or len(frames) >= BATCH_MESSAGES:
            return [*frames, m.FLUSH_MESSAGE], True
        frame = yield from conv.next_frame(collecting=True)
        if frame[0] not in _KINDS:
            conv.put_back(frame)
            frames.append(m.FLUSH_MESSAGE)
            break
        frames.append(frame)
        size += len(frame)
    return frames, False


# ------------------------------------------------------------------------------------------------ looking


def _study(conv: Exchange, frames: list[bytes]) -> Steps[None]:
    """Have the long texts of a batch understood before it is looked at: those it parses, and those it binds."""
    conv.state.set_level(conv.gate.level())
    for frame in frames:
        if (
            frame[0] == m.PARSE
            and (len(frame) > units.NEAR_BYTES or conv.reader.sampled)
            and len(frame) <= units.TEXT_CAP
        ):
            yield from units.study(conv, m.text(m.parse_parse(frame).text))
        elif frame[0] == m.BIND:
            bind = m.parse_bind(frame)
            prepared = conv.state.prepared.get(bind.statement)
            yield from units.study(conv, "" if prepared is None else prepared.parsed.text, bind.values)


def _name(name: str) -> str:
    """A statement's or portal's name as it is. The server looks only at the first 63 bytes of it (hash tables with keys
    of NAMEDATALEN), so longer ones could mean what somebody else prepared, or SQL did. Raises Stop."""
    if len(name.encode()) > NAME_BYTES:
        raise Stop(Refusal(f"the name of a statement or portal is longer than {NAME_BYTES} bytes", code="42622"))
    return name


def look(conv: Exchange, frames: list[bytes]) -> Batch:
    """What a batch means and whether it may go on at all; changes nothing. Raises Stop."""
    conv.state.set_level(conv.gate.level())
    batch = Batch()
    for at, frame in enumerate(frames, 1):
        try:
            behind = _look_one(conv, batch, frame, frames[at : at + 1])
        except Stop as stop:
            if stop.unit is not None or not batch.items:
                raise
            behind = -1  # a name that is not there: what comes before it is answered first
        if behind is not None:
            batch.rest = frames[at + behind :]
            break
    closed = frames[-1][0] == m.SYNC and not batch.rest
    for item in batch.items:
        if item.portal is not None and item.kind in {m.BIND, m.EXECUTE}:
            _judge(conv, batch, item, closed=closed)
    return batch


def _look_one(conv: Exchange, batch: Batch, frame: bytes, following: list[bytes]) -> int | None:
    """Add one message; where what can only be judged later begins: -1 at this message, 0 behind it, None nowhere."""
    kind = frame[0]
    if kind in {m.PARSE, m.BIND}:
        item = _look_parse(conv, batch, frame) if kind == m.PARSE else _look_bind(conv, batch, frame)
        if item is None:
            return -1
        batch.items.append(item)
    elif kind == m.DESCRIBE:
        batch.items.append(_look_target(conv, batch, frame))
    elif kind == m.EXECUTE:
        name = _name(m.parse_execute(frame).portal)
        portal = _portal(conv, batch, name)
        if _means_what_is_before(conv, batch, portal.parsed) or _commits_what_is_before(conv, batch, portal):
            return -1
        batch.items.append(Item(frame, kind, name, portal=portal))
        if following[0][0] not in {m.SYNC, m.FLUSH} and _renames(conv, portal):
            return 0
    elif kind == m.CLOSE:
        batch.items.append(_look_close(batch, frame))
    return None


def _renames(conv: Exchange, portal: Portal) -> bool:
    """Whether running it may change what the messages behind it mean: settings, names, the transaction."""
    parts = conv.read_body(portal.parsed).parts
    return any(not isinstance(control, _STEADY) for part in parts for control in part.judged.controls)


def _means_what_is_before(conv: Exchange, batch: Batch, parsed: Parsed) -> bool:
    """Whether what this calls by name (EXECUTE, FETCH) is made or closed by the messages before it: it is judged when they
    are done, by what the name stands for then."""
    if not (batch.statements or batch.portals):
        return False
    calls = (c for part in conv.read_body(parsed).parts for c in part.judged.controls)
    return any(
        (isinstance(c, j.Execute) and c.name in batch.statements)
        or (isinstance(c, j.Fetch) and c.name in batch.portals)
        for c in calls
    )


def _commits_what_is_before(conv: Exchange, batch: Batch, portal: Portal) -> bool:
    """Whether the rows of what runs before it must be counted first."""
    policy = conv.facts.bearer.policy
    counts = policy.max_rows or any(rule.max_rows is not None for rule in policy.rules)
    executes = any(item.kind == m.EXECUTE for item in batch.items)
    return bool(counts and executes and any(isinstance(c, j.Commit) for c in controls(conv.read_body(portal.parsed))))


def _look_parse(conv: Exchange, batch: Batch, frame: bytes) -> Item | None:
    message = m.parse_parse(frame)
    if len(message.text) > units.TEXT_CAP:
        raise Stop(units.TOO_LONG, units.unread(conv, m.text(message.text)), "too-long")
    reading = conv.read(m.text(message.text))
    if _means_what_is_before(conv, batch, reading.parsed):
        return None
    prepared = Prepared(reading.parsed, message.types)
    batch.statements[_name(message.name)] = prepared
    unit = units.make(conv, reading, message.text, wrappable=False)
    if reading.parsed.statements or reading.parsed.error is not None:
        wire = units.refused_by_wire(conv, reading) or conv.reader.refused_types(message.types)
        if wire is not None:
            raise Stop(wire, unit)
        verdict = conv.gate.decide(unit)
        # With a standing grant no parameter changes a refusal, so it is told where the client prepares.
        if verdict.action is Action.DENY and verdict.level is not Level.NONE:
            raise Stop(Refusal(verdict.message, hint=verdict.hint), unit, verdict.rule)
    return Item(frame, m.PARSE, message.name, prepared=prepared)


def _prepared(conv: Exchange, batch: Batch, name: str) -> Prepared:
    found = batch.statements[name] if name in batch.statements else conv.state.prepared.get(name)
    if found is None:
        shown = conv.reader.masker.text(name)
        raise Stop(Refusal(f'prepared statement "{shown}" does not exist', code="26000"))
    return found


def _portal(conv: Exchange, batch: Batch, name: str) -> Portal:
    """A portal by name; a cursor that was declared in SQL is one too."""
    found = batch.portals[name] if name in batch.portals else conv.portals.get(name)
    if found is not None and name not in batch.portals and not conv.state.opened(name, found.parsed):
        found = None  # SQL closed it or declared another, or its names mean something else by now
    cursor = None if name in batch.portals else conv.state.cursor(name)
    if found is None and cursor is not None:
        found = batch.portals[name] = Portal(name, cursor)
    if found is None:
        raise Stop(_no_portal(conv, name))
    return found


def _no_portal(conv: Exchange, name: str) -> Refusal:
    return Refusal(f'portal "{conv.reader.masker.text(name)}" does not exist', code="34000")


def _look_bind(conv: Exchange, batch: Batch, frame: bytes) -> Item | None:
    message = m.parse_bind(frame)
    prepared = _prepared(conv, batch, _name(message.statement))
    if _means_what_is_before(conv, batch, prepared.parsed):
        return None
    portal = Portal(message.portal, prepared.parsed, results=message.results, prepared=prepared, bind=message)
    batch.portals[_name(message.portal)] = portal
    return Item(frame, m.BIND, message.portal, prepared=prepared, portal=portal)


def _look_target(conv: Exchange, batch: Batch, frame: bytes) -> Item:
    target = m.parse_target(frame)
    _name(target.name)
    if target.kind == "S":
        return Item(frame, m.DESCRIBE, target.name, prepared=_prepared(conv, batch, target.name))
    return Item(frame, m.DESCRIBE, target.name, portal=_portal(conv, batch, target.name))


def _look_close(batch: Batch, frame: bytes) -> Item:
    target = m.parse_target(frame)
    _name(target.name)
    if target.kind == "S":
        batch.statements[target.name] = None
    else:
        batch.portals[target.name] = None
    return Item(frame, m.CLOSE, target.kind + target.name)


def _judge(conv: Exchange, batch: Batch, item: Item, *, closed: bool) -> None:
    """The unit of a portal, once; refused here when it cannot run at all."""
    portal = item.portal
    if portal is None:
        return
    if id(portal) in batch.units:
        item.unit = batch.units[id(portal)]
        return
    reading = conv.read_body(portal.parsed)
    bodies = units.bodies(conv, reading)
    if portal.reading is not None and bodies != portal.bodies:
        raise Stop(_no_portal(conv, portal.name))  # an approval of it, and its columns, are those of something else
    portal.reading, portal.bodies = reading, bodies
    if not reading.parts and reading.parsed.error is None:
        portal.admitted = portal.admitted or Admitted(0, NOTHING)
        return
    item.unit = batch.units[id(portal)] = _unit(conv, portal, reading, wrappable=closed and batch.alone())
    verdict = conv.gate.decide(item.unit)
    used = portal.admitted is not None and portal.admitted.verdict.consumes is not None
    if verdict.action is Action.DENY and not used:
        raise Stop(Refusal(verdict.message, hint=verdict.hint), item.unit, verdict.rule)
    values = () if portal.bind is None else portal.bind.values
    wire = units.refused_by_wire(conv, reading, values) or mixed(conv, item.unit, reading)
    if wire is not None:
        raise Stop(wire, item.unit)


def _unit(conv: Exchange, portal: Portal, reading: Reading, *, wrappable: bool) -> Unit:
    bind = portal.bind
    text = portal.parsed.text.encode()
    # The text of PREPARE is not what runs: an approval of the one is none of the other.
    form = (("run", "what it prepares"),) if reading.prepared_by_sql else ()
    if bind is None or not bind.values:
        return units.make(conv, reading, text, form=form, wrappable=wrappable)
    types = portal.prepared.types if portal.prepared is not None else ()
    shown = conv.reader.masker.parameters(bind.values, types, bind.formats, reading.shown)
    exact = tuple(_exact(bind, types))
    complete = all(e is None or (s is not None and e.reveal() == s) for e, s in zip(exact, shown, strict=True))
    return units.make(conv,
        reading, text, values=bind.values, exact=exact, shown=shown, complete=complete, wrappable=wrappable,
        form=bound_form(bind.formats, types),
    )  # fmt: skip


def bound_form(formats: tuple[int, ...], types: tuple[int, ...]) -> tuple[tuple[str, str], ...]:
    """How the bind values are written, which is part of what they mean."""
    return (("formats", repr(formats)), ("types", repr(types)))


def _exact(bind: m.Bind, types: tuple[int, ...]) -> Iterator[ForApprover | None]:
    for index, value in enumerate(bind.values):
        form = bind.formats[index] if len(bind.formats) > 1 else (bind.formats or (0,))[0]
        oid = types[index] if index < len(types) else 0
        if value is None:
            yield None
        else:
            text = exact_value(value, oid, form)
            yield ForApprover("\\x" + value.hex() if text is None else text)


# ------------------------------------------------------------------------------------------------ admitting


def _admit(conv: Exchange, batch: Batch) -> Steps[Refusal | None]:
    """Run the gate for every portal this batch uses, in order."""
    for item in batch.items:
        portal = item.portal
        if portal is None or item.unit is None or portal.admitted is not None:
            continue
        if item.kind == m.BIND and (batch.executed(portal) or conv.gate.decide(item.unit).action is Action.ALLOW):
            continue
        admitted = yield from admitting.admit(conv, item.unit)
        if isinstance(admitted, Refusal):
            _forget(conv, batch)
            return admitted
        portal.admitted = admitted
    return None


def _given(conv: Exchange, batch: Batch) -> Steps[Refusal | None]:
    """Put secrets in their places; what was let through without them did not run."""
    problem = yield from giving.put(conv, batch)
    if problem is not None:
        _forget(conv, batch, f"not run: {problem.message}")
    return problem


def _forget(conv: Exchange, batch: Batch, why: str = "not run: a later one was refused") -> None:
    """What was let through of a batch that is not sent did not run."""
    for portal in {id(i.portal): i.portal for i in batch.items if i.kind == m.BIND and i.portal}.values():
        if portal.admitted is not None:
            conv.gate.conclude(portal.admitted, "failed", declare_masked(why))


def _refuse(conv: Exchange, refusal: Refusal, *, closed: bool) -> Steps[None]:
    """One error, everything up to the Sync discarded, one ReadyForQuery."""
    yield from hidden.fail_transaction(conv)
    conv.say_refusal(refusal)
    yield from _discard(conv, closed=closed)


def _discard(conv: Exchange, *, closed: bool) -> Steps[None]:
    """What comes before the next Sync is not looked at."""
    while not closed:
        frame = yield from conv.next_frame()
        if frame[0] == m.TERMINATE:
            conv.put_back(frame)
            return
        closed = frame[0] == m.SYNC
    if conv.own is not None:  # what an earlier part of the batch ran in it was failed above
        yield from writable.end(conv)
    if not conv.closing:
        conv.out.to_client.append(m.ready(conv.responses.status))
