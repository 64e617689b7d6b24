"""Describes a command before anybody is asked: the same reading, the same digest, the same decision as on the wire."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from access.actors import Actor, Person, PersonId
from access.errors import Denied, Invalid
from access.explain import Understood
from access.ids import GrantId, RequestId
from access.masking import ForApprover
from access.policy import Action, Policy, decide
from access.ports import Clock
from access.requests import EXECUTOR, Evidence, Grant
from access.resources import Resource
from access.runs import Run
from access.scopes import OfRunbook, Once
from access.statements import binding_digest
from proxy.masking.detectors import Detectors
from proxy.runs import described
from proxy.ssh.classify import TRANSFER, is_transfer
from proxy.ssh.reading import unit

#: What `/hoop exec` shows as the rule that made it ask.
EXEC_RULE = "single-command"


class Judge:
    """Describes commands for SSH targets, as `access.ports.Judge`."""

    def __init__(self, detectors: Callable[[Resource], Detectors], policy: Policy, clock: Clock) -> None:
        self._detectors = detectors
        self._policy = policy
        self._clock = clock

    async def describe(self, actor: Actor, person: Person, resource: Resource, text: str) -> Evidence:
        """Raises Denied when policy would refuse it anyway, Invalid when it cannot be read as a command."""
        return self._describe(actor, person, resource, text)

    async def understand(self, resource: Resource, text: str) -> Understood:
        """What a shell command does."""
        if is_transfer(text):
            raise Denied(TRANSFER, rule="transfer-off")
        one = unit(text, resource, Actor(PersonId("")), self._detectors(resource))
        return Understood(one.shown, (replace(one.whole, text=""),))

    async def describe_run(
        self, actor: Actor, person: Person, resource: Resource, run: Run
    ) -> tuple[Evidence, OfRunbook]:
        """Every step as `describe`, the whole as one evidence. The errors name the step."""
        return described(run, lambda step: self._describe(actor, person, resource, step.text), "#")

    def _describe(self, actor: Actor, person: Person, resource: Resource, text: str) -> Evidence:
        if is_transfer(text):
            raise Denied(TRANSFER, rule="transfer-off")
        one = unit(text, resource, actor, self._detectors(resource))
        whole = one.whole
        if not whole.understood:
            raise Invalid(whole.problem, field="command")
        digest, now = binding_digest(one.binding), self._clock.now()
        # The grant that an approval would make: what is refused even then need not be asked.
        grant = Grant(
            GrantId(""), RequestId(""), actor, resource.name, Once(digest), now, now + resource.max_duration, (),
            holder=EXECUTOR,
        )  # fmt: skip
        verdict = decide(self._policy, [grant], person, resource, whole, digest, now)
        if verdict.action is not Action.ALLOW:
            raise Denied(verdict.message, rule=verdict.rule, hint=verdict.hint)
        return Evidence(
            shown=one.shown, exact=ForApprover(text), complete=one.complete, digest=digest,
            database=one.binding.database, effects=whole.effects, verbs=whole.verbs,
            tables=tuple(dict.fromkeys((*whole.writes, *whole.reads))), flags=whole.flags, rule=EXEC_RULE,
            notes=(whole.problem,) if whole.problem else (),
        )  # fmt: skip
