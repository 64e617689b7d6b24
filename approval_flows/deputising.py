"""Delegations: another person decides in somebody's place, for a while, within what the owner allows.

Who delegates and whom is looked up again at every click. The two are one voice: whoever of them votes first has voted for
both. Nobody passes on what was passed on to them, and nobody decides for a person whose place they take.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from access.actors import Person, PersonId
from access.delegations import DELEGATION, Delegation
from access.errors import Conflict, Denied, HoopError, Invalid, together
from access.events import DelegationEnded, DelegationMade, OrderRefused
from access.ids import Prefix
from access.ports import EVERYTHING, Delegate, Tx
from approval_flows import flow
from approval_flows.lifecycle import clock_time
from approval_flows.office import Office
from approval_flows.stages import Stands

#: Open delegations of one person: nobody's are pushed out of sight by somebody else's.
MOST = 50
_HOW = "The owners set who may in approvals.delegation of hoop.yaml."


def delegate(office: Office, tx: Tx, by: PersonId, wanted: Delegate) -> Delegation | HoopError:
    """Hand one's decisions over."""
    made = _made(office, tx, by, wanted)
    if isinstance(made, HoopError):
        tx.append(OrderRefused(stream=by, actor=by, what="delegate", why=made.message))
        return made
    tx.put_doc(DELEGATION, made.id, made.to_json())
    tx.append(
        DelegationMade(
            stream=made.id,
            actor=by,
            to=made.to,
            resources=made.resources,
            start=made.start.isoformat(),
            until=made.until.isoformat(),
            why=made.why,
        )
    )
    return made


def _made(office: Office, tx: Tx, by: PersonId, wanted: Delegate) -> Delegation | HoopError:
    giver, taker = flow.active_person(office.directory, by), office.directory.by_name(wanted.person)
    if isinstance(giver, Denied):
        return giver
    known = taker is not None and taker.active
    nobody = None if known else Invalid(f"{wanted.person} is not an active person.", field="person")
    if taker is None or nobody is not None:
        return together(nobody, *_wrong(office, tx, by, wanted)) or Invalid("Say who.", field="person")
    barred = _not_allowed(office, giver, taker) or together(*_wrong(office, tx, by, wanted))
    if barred is not None:
        return barred
    start = wanted.start or tx.now
    made = Delegation(
        office.new_id(Prefix.DELEGATION), by, taker.id, wanted.resources, start, wanted.until, wanted.why.strip()
    )
    others = kept(tx)
    if sum(one.by == by for one in others) >= MOST:
        return Conflict(f"You have {MOST} delegations already.", hint="End some first: /hoop undelegate ID")
    return _crossing(office, made, others) or made


def _not_allowed(office: Office, giver: Person, taker: Person) -> HoopError | None:
    limits = office.limits
    if not limits.delegate_from or not limits.delegate_to:
        return Denied("Nobody delegates here.", rule="no-delegation", hint=_HOW)
    if taker.id == giver.id:
        return Invalid("You decide for yourself already.", field="person")
    if giver.groups.isdisjoint(limits.delegate_from):
        return Denied("You may not delegate your decisions.", rule="may-not-delegate", hint=_HOW)
    if taker.groups.isdisjoint(limits.delegate_to):
        hint = f"Members of {', '.join(limits.delegate_to)} may."
        return Denied(f"{taker.name} may not decide in somebody's place.", rule="may-not-stand-in", hint=hint)
    return None


def _wrong(office: Office, tx: Tx, by: PersonId, wanted: Delegate) -> list[Invalid]:
    """What is wrong with when and where, whoever it is."""
    found = []
    start, most = wanted.start or tx.now, office.limits.delegate_longest
    if start < tx.now or start > tx.now + office.limits.ahead:
        found.append(Invalid("It starts now or in the next days.", field="start"))
    if not start < wanted.until <= start + most:
        found.append(Invalid(f"It lasts at most {flow.shown_duration(most)}.", field="until"))
    if not any(Delegation("", by, by, wanted.resources, tx.now, tx.now).about(one) for one in office.resources):
        found.append(Invalid(f"{wanted.resources} is none of the resources.", field="resource", hint="See /hoop who"))
    return found


def _crossing(office: Office, made: Delegation, others: Iterable[Delegation]) -> HoopError | None:
    """Why another delegation is in the way: decisions are handed on once, to one person, and not back."""
    for one in others:
        if not (one.start < made.until and made.start < one.until and _meet(office, one, made)):
            continue
        if made.by == one.to or made.to == one.by:
            giver, taker = office.name(one.by), office.name(one.to)
            message = f"{giver} delegated to {taker} until {clock_time(one.until)}; that is not handed on or back."
            return Denied(message, rule="re-delegation", hint=f"It can be ended: /hoop undelegate {one.id}")
        if made.by == one.by:
            message = f"You delegated that to {office.name(one.to)} until {clock_time(one.until)} ({one.id})."
            return Conflict(message, hint=f"End it first: /hoop undelegate {one.id}")
    return None


def _meet(office: Office, one: Delegation, other: Delegation) -> bool:
    same = one.resources == other.resources
    return same or any(one.about(name) and other.about(name) for name in office.resources)


def end(office: Office, tx: Tx, id: str, by: PersonId, why: str) -> Delegation | HoopError:
    """Either of the two ends it, or the security group."""
    now = next((one for one in kept(tx) if one.id == id), None)
    if now is None:
        return Invalid(f"There is no delegation {id}, or it is over.", field="id", hint="See them: /hoop delegate")
    person, security = flow.active_person(office.directory, by), office.limits.security_group
    may = by in {now.by, now.to} or (bool(security) and by in office.directory.members(security))
    if isinstance(person, Denied) or not may:
        barred = person if isinstance(person, Denied) else Denied(f"{id} is not yours to end.", rule="may-not-end")
        tx.append(OrderRefused(stream=id, actor=by, what="undelegate", why=barred.message))
        return barred
    _over(tx, now, by, why.strip() or "ended")
    return now


def tick(office: Office, tx: Tx) -> int:
    """Write down which are over: their time, or one of the two left."""
    changed = 0
    for one in kept(tx):
        gone = any(isinstance(flow.active_person(office.directory, who), Denied) for who in (one.by, one.to))
        if tx.now >= one.until or gone:
            _over(tx, one, None, "one of the two is not active any more" if gone else "its time was over")
            changed += 1
    return changed


def _over(tx: Tx, one: Delegation, by: PersonId | None, why: str) -> None:
    if tx.take_doc(DELEGATION, one.id) is None:
        return
    fact = DelegationEnded(
        stream=one.id, actor=by or "gateway", giver=one.by, to=one.to, resources=one.resources, why=why
    )
    tx.append(fact)


def kept(tx: Tx) -> list[Delegation]:
    """All that were made and not ended."""
    return [Delegation.from_json(key, data) for key, data in tx.docs(DELEGATION, limit=EVERYTHING)]


def stands(office: Office, tx: Tx, resource: str, at: datetime) -> Stands:
    """`stands_of` what is kept."""
    return stands_of(office, kept(tx), resource, at)


def stands_of(office: Office, delegations: Iterable[Delegation], resource: str, at: datetime) -> Stands:
    """Who takes whose place on the resource now, by what the directory and the owner say now. What crosses (two processes
    at the same moment) counts for nobody."""
    live = [one for one in delegations if one.lasts(at) and one.about(resource) and _still(office, one)]
    givers, takers = {one.by for one in live}, {one.to for one in live}
    straight = [one for one in live if one.by not in takers and one.to not in givers]
    return {
        taker: frozenset(one.by for one in straight if one.to == taker) for taker in takers & {o.to for o in straight}
    }


def _still(office: Office, one: Delegation) -> bool:
    giver, taker = flow.active_person(office.directory, one.by), flow.active_person(office.directory, one.to)
    if isinstance(giver, Denied) or isinstance(taker, Denied):
        return False
    return _not_allowed(office, giver, taker) is None
