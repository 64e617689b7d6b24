"""Freezes: one person stops everything on a resource at once, two people let it go on.

The data path knows a freeze through the book of grants; the desk checks it again in every transaction that would give or
use anything.
"""

from __future__ import annotations

from dataclasses import replace

from access.actors import PersonId
from access.errors import Conflict, Denied, HoopError, Invalid
from access.events import OrderRefused, ResourceFrozen, ResourceThawed, SessionKillAsked, ThawAsked
from access.orders import FREEZE, Freeze
from access.ports import EVERYTHING, Tx
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
    reason = why.strip()
    if not reason:
        return Invalid("Say why: everybody who is stopped reads it.", field="reason")
    fresh = [one for one in asked if tx.doc(FREEZE, one.name) is None]
    if not fresh:
        return Conflict(f"{name} is frozen already.", hint=f"To let it go on: /hoop lift {name}")
    made = [Freeze(one.name, by, reason, tx.now) for one in fresh]
    for one in made:
        tx.put_doc(FREEZE, one.resource, one.to_json())
        tx.append(ResourceFrozen(stream=one.resource, actor=by, resource=one.resource, why=reason, cut=cut))
        _cut(tx, one, said(office.name(by), one), everything=cut)
    return made


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
    if now.lift_by is None:
        asking = replace(now, lift_by=by)
        tx.put_doc(FREEZE, name, asking.to_json())
        tx.append(ThawAsked(stream=name, actor=by, resource=name, why=why.strip()))
        return asking
    if now.lift_by == by:
        return Conflict("You asked for that already; a second person lifts it.", hint=f"/hoop lift {name}")
    tx.take_doc(FREEZE, name)
    tx.append(ResourceThawed(stream=name, actor=by, resource=name, by=[now.lift_by, by]))
    return None


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
