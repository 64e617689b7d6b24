"""Freezes: one person stops everything on a resource at once, a second one confirms that, two people let it go on.

An emergency stop waits for nobody. That one person alone stopped everything is not left at that either: the others are
called by name, one of them says within a while that it is right, and when nobody does, more people are called. It stays in
force meanwhile: what is stopped by mistake is lifted, never forgotten.

The data path knows a freeze through the book of grants; the desk checks it again in every transaction that would give or
use anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from access.actors import PersonId
from access.errors import Conflict, Denied, HoopError, Invalid
from access.events import (
    FreezeConfirmed,
    FreezeUnconfirmed,
    OrderRefused,
    ResourceFrozen,
    ResourceThawed,
    SessionKillAsked,
    ThawAsked,
)
from access.orders import FREEZE, Freeze
from access.ports import EVERYTHING, Directory, Tx
from access.resources import Resource
from approval_flows import flow
from approval_flows.lifecycle import clock_time
from approval_flows.office import Office

EVERY_RESOURCE = "*"
#: Sessions in which things run that nobody judges one by one.
UNJUDGED = frozenset({"ssh"})


def frozen(office: Office, tx: Tx, resource: str) -> Denied | None:
    """Why nothing may be given or used on the resource now; None while it is not frozen."""
    data = tx.doc(FREEZE, resource)
    if data is None:
        return None
    freeze = Freeze.from_json(data)
    return Denied(said(office.name(freeze.by), freeze), rule="frozen", hint="Two people can lift it: /hoop lift")


def said(by: str, freeze: Freeze) -> str:
    """What people are told."""
    return f"{freeze.resource} is frozen by {by} since {clock_time(freeze.at)}: {freeze.why}"


def freeze(office: Office, tx: Tx, name: str, by: PersonId, why: str, *, cut: bool) -> list[Freeze] | HoopError:
    """Stop everything on a resource, or with `*` on every one that `by` may stop."""
    asked = _resources(office, name, by)
    if isinstance(asked, HoopError):
        return _refused(tx, name, by, "deny-all", asked)
    fresh = [one for one in asked if tx.doc(FREEZE, one.name) is None]
    if not fresh:
        return _confirm_all(office, tx, name, asked, by)
    reason = why.strip()
    if not reason:
        return Invalid("Say why: everybody who is stopped reads it.", field="reason")
    return [_begin(office, tx, one, by, reason, cut=cut) for one in fresh]


def _begin(office: Office, tx: Tx, resource: Resource, by: PersonId, why: str, *, cut: bool) -> Freeze:
    within = office.limits.freeze_confirmed
    first = (*resource.owners, office.limits.security_group)
    told = others(office.directory, first, by) or others(office.directory, resource.approvers, by)
    confirm_by = tx.now + within if within and _may_confirm(office, resource, by) else None
    begun = Freeze(resource.name, by, why, tx.now, confirm_by=confirm_by)
    tx.put_doc(FREEZE, resource.name, begun.to_json())
    fact = ResourceFrozen(
        stream=resource.name,
        actor=by,
        resource=resource.name,
        why=why,
        cut=cut,
        told=[str(one) for one in told],
        confirm_by=confirm_by.isoformat() if confirm_by else "",
    )
    tx.append(fact)
    _cut(tx, begun, said(office.name(by), begun), everything=cut)
    return begun


def others(directory: Directory, groups: Iterable[str], by: PersonId) -> list[PersonId]:
    """The active members of these groups, without `by`."""
    found = frozenset[PersonId]().union(*(directory.members(group) for group in groups if group))
    return sorted(one for one in found if one != by and not isinstance(flow.active_person(directory, one), Denied))


def confirmers(directory: Directory, resource: Resource, security: str, by: PersonId) -> list[PersonId]:
    """Who can stand behind what `by` froze: its owners, its approvers and the security group, as they are now."""
    return others(directory, (*resource.owners, *resource.approvers, security), by)


def _may_confirm(office: Office, resource: Resource, by: PersonId) -> list[PersonId]:
    return confirmers(office.directory, resource, office.limits.security_group, by)


def waiting_for(
    tx: Tx, directory: Directory, resources: Mapping[str, Resource], security: str, person: PersonId
) -> list[Freeze]:
    """The freezes this person could confirm now, the oldest first. It waits for whoever may, not only for who was called."""

    def theirs(one: Freeze) -> bool:
        resource = resources.get(one.resource)
        return one.alone and resource is not None and person in confirmers(directory, resource, security, one.by)

    found = (Freeze.from_json(data) for _, data in tx.docs(FREEZE, limit=EVERYTHING))
    return sorted(filter(theirs, found), key=lambda one: one.at)


def confirm(office: Office, tx: Tx, name: str, by: PersonId) -> Freeze | HoopError:
    """A second person stands behind a freeze."""
    asked = _resources(office, name, by)
    if isinstance(asked, HoopError):
        return _refused(tx, name, by, "confirm the freeze", asked)
    if all(tx.doc(FREEZE, one.name) is None for one in asked):
        return Conflict(f"{name} is not frozen.")
    found = _confirm_all(office, tx, name, asked, by)
    return found if isinstance(found, HoopError) else found[0]


def _confirm_all(office: Office, tx: Tx, name: str, asked: Iterable[Resource], by: PersonId) -> list[Freeze] | Conflict:
    """What somebody else froze and nobody confirmed; Conflict when that is nothing."""
    frozen_now = [Freeze.from_json(data) for one in asked if (data := tx.doc(FREEZE, one.name)) is not None]
    # Whoever says that it is right does not want it lifted: who asked for that before asks again.
    confirmed = [replace(one, confirmed_by=by, lift_by=None) for one in frozen_now if one.alone and one.by != by]
    for one in confirmed:
        tx.put_doc(FREEZE, one.resource, one.to_json())
        tx.append(FreezeConfirmed(stream=one.resource, actor=by, resource=one.resource))
    if confirmed:
        return confirmed
    if any(one.alone for one in frozen_now):
        mine = next(one for one in frozen_now if one.alone)
        who = ", ".join(map(office.name, _may_confirm(office, office.resources[mine.resource], by)))
        return Conflict(f"You froze {name} yourself; another person confirms it.", hint=f"These people can: {who}.")
    return Conflict(f"{name} is frozen already.", hint=f"To let it go on: /hoop lift {name}")


def nudge(office: Office, tx: Tx) -> int:
    """Call more people where nobody confirmed a freeze in time; each once. Returns how many facts."""
    written = 0
    for _, data in tx.docs(FREEZE, limit=EVERYTHING):
        one = Freeze.from_json(data)
        if not one.alone or one.reported or one.confirm_by is None or tx.now < one.confirm_by:
            continue
        tx.put_doc(FREEZE, one.resource, replace(one, reported=True).to_json())
        resource = office.resources.get(one.resource)
        told = [str(who) for who in _may_confirm(office, resource, one.by)] if resource is not None else []
        tx.append(FreezeUnconfirmed(stream=one.resource, actor="gateway", resource=one.resource, told=told))
        written += 1
    return written


def _cut(tx: Tx, freeze: Freeze, why: str, *, everything: bool) -> None:
    """End the open sessions; those in which nothing is judged any more in any case."""
    for session in tx.sessions(open_only=True, resource=freeze.resource, limit=EVERYTHING):
        stays = not everything and session.protocol not in UNJUDGED
        if not stays and session.kill_at is None and tx.ask_kill(session.id, freeze.by, why):
            tx.append(SessionKillAsked(stream=session.id, actor=freeze.by, why=why))


def lift(office: Office, tx: Tx, name: str, by: PersonId, why: str) -> Freeze | HoopError | None:
    """Let a resource go on: the first person asks, a second one does it. None once it is lifted."""
    asked = _resources(office, name, by)
    if isinstance(asked, HoopError):
        return _refused(tx, name, by, "lift", asked)
    data = tx.doc(FREEZE, asked[0].name)
    if len(asked) > 1 or name == EVERY_RESOURCE:
        return Invalid("A freeze is lifted one resource at a time.", field="resource")
    if data is None:
        return Conflict(f"{name} is not frozen.")
    now = Freeze.from_json(data)
    if now.lift_by is None or not _still_may(office, now.lift_by, asked[0]):
        asking = replace(now, lift_by=by)
        tx.put_doc(FREEZE, name, asking.to_json())
        tx.append(ThawAsked(stream=name, actor=by, resource=name, why=why.strip()))
        return asking
    if now.lift_by == by:
        return Conflict("You asked for that already; a second person lifts it.", hint=f"/hoop lift {name}")
    tx.take_doc(FREEZE, name)
    tx.append(ResourceThawed(stream=name, actor=by, resource=name, by=[now.lift_by, by]))
    return None


def _still_may(office: Office, by: PersonId, resource: Resource) -> bool:
    """Whether who asked first to lift it could still ask: people are counted as they are now."""
    active = not isinstance(flow.active_person(office.directory, by), Denied)
    return active and may_order(office, by, resource)


def may_order(office: Office, by: PersonId, resource: Resource) -> bool:
    """Whether `by` is one of its owners, its approvers or the security group."""
    groups = (office.limits.security_group, *resource.owners, *resource.approvers)
    return any(by in office.directory.members(group) for group in groups if group)


def _resources(office: Office, name: str, by: PersonId) -> list[Resource] | HoopError:
    person = flow.active_person(office.directory, by)
    if isinstance(person, Denied):
        return person
    if name == EVERY_RESOURCE:
        mine = [one for one in office.resources.values() if may_order(office, by, one)]
        return mine or _not_for(by, "every resource")
    resource = flow.find_resource(office.resources, name)
    if isinstance(resource, Invalid):
        return resource
    return [resource] if may_order(office, by, resource) else _not_for(by, resource.name)


def _not_for(_: PersonId, what: str) -> Denied:
    message = f"Freezing {what}, and lifting that, is for its owners, its approvers and the security group."
    return Denied(message, rule="may-not-freeze")


def _refused(tx: Tx, name: str, by: PersonId, what: str, error: HoopError) -> HoopError:
    tx.append(OrderRefused(stream=name[:63], actor=by, what=what, why=error.message))
    return error
