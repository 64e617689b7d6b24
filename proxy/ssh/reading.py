"""One command line as the gate takes it: judged, shown, bound. The same for the wire and for whoever is asked before."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace

from access.actors import Actor
from access.masking import MaskPolicy, declare_masked
from access.resources import Resource
from access.statements import Binding, Effect, Statement
from proxy.admission import Unit
from proxy.masking.context import NO_CONTEXT, Context
from proxy.masking.detectors import Detectors
from proxy.masking.literals import SHOWN_LIMIT, Shown, make_visible
from proxy.ssh.classify import judge


class Counting(Detectors):
    """Detectors that count the pieces of text they changed."""

    def __init__(self, policy: MaskPolicy, key: bytes) -> None:
        super().__init__(policy, key)
        self.changed = 0

    def mask_text(self, text: str, context: Context = NO_CONTEXT) -> str:
        masked = super().mask_text(text, context)
        self.changed += masked != text
        return masked

    def noted(self, changed: int) -> None:
        self.changed += changed


def bound(resource: Resource, actor: Actor, text: str, protocol: str = "ssh") -> Binding:
    """What an approval of this line is bound to: its exact bytes, for this account of this target, for this person."""
    return Binding(
        protocol=protocol,
        resource=resource.name,
        database=resource.upstream.user,
        role=resource.upstream.user,
        text=text.encode(),
        person=actor.person,
        agent=actor.via.name if actor.via else "",
    )


def shown(text: str, detectors: Detectors) -> Shown:
    """The channel's rendering of a line."""
    visible = make_visible(detectors.mask_text(text))
    complete = visible == text and len(visible) <= SHOWN_LIMIT
    if len(visible) > SHOWN_LIMIT:
        visible = visible[: SHOWN_LIMIT - 1] + "…"
    return Shown(declare_masked(visible), complete)


def unit(text: str, resource: Resource, actor: Actor, detectors: Detectors) -> Unit:
    """A command line to be admitted."""
    return _unit(judge(text), resource, actor, detectors)


def request_unit(text: str, resource: Resource, actor: Actor, detectors: Detectors) -> Unit:
    """Something that is no command (a forward, another subsystem), to be refused and recorded."""
    return _unit(Statement("ssh", text, frozenset({Effect.OPAQUE})), resource, actor, detectors)


def statement_unit(statement: Statement, protocol: str, resource: Resource, actor: Actor, detectors: Detectors) -> Unit:
    """A shell or a file operation, to be admitted. `protocol` keeps its approvals apart from those of command lines."""
    return _unit(statement, resource, actor, detectors, protocol)


def with_environment(one: Unit, environment: Mapping[str, str], detectors: Detectors) -> Unit:
    """The same, run with these variables: they are shown and bound like the line itself."""
    if not environment:
        return one
    before = shown(" ".join(f"{name}={shlex.quote(value)}" for name, value in environment.items()) + " ", detectors)
    return replace(
        one, shown=declare_masked(before.text + one.shown), complete=before.complete and one.complete,
        binding=replace(one.binding, settings=tuple(environment.items())),
    )  # fmt: skip


def _unit(statement: Statement, resource: Resource, actor: Actor, detectors: Detectors, protocol: str = "ssh") -> Unit:
    rendering = shown(statement.text, detectors)
    return Unit(
        statements=(statement,), whole=statement, shown=rendering.text, complete=rendering.complete,
        binding=bound(resource, actor, statement.text, protocol),
    )  # fmt: skip
