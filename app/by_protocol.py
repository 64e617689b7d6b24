"""Judge and executor of single commands and runbooks, chosen by the protocol of the resource."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from access.actors import Actor, Person
from access.errors import Invalid
from access.explain import Estimate, Understood
from access.ports import Outcome
from access.requests import AccessRequest, Evidence, Grant
from access.resources import Protocol, Resource
from access.runs import Run, RunStep
from access.scopes import OfRunbook
from proxy.postgres.client import Executor
from proxy.postgres.judge import Judge
from proxy.ssh.client import Executor as SshExecutor
from proxy.ssh.judge import Judge as SshJudge


@dataclass(frozen=True, slots=True)
class Judges:
    """Implements `access.ports.Judge`."""

    postgres: Judge
    ssh: SshJudge

    async def describe(self, actor: Actor, person: Person, resource: Resource, text: str) -> Evidence:
        judge = self.ssh if resource.protocol is Protocol.SSH else self.postgres
        return await judge.describe(actor, person, resource, text)

    async def understand(self, resource: Resource, text: str) -> Understood:
        judge = self.ssh if resource.protocol is Protocol.SSH else self.postgres
        return await judge.understand(resource, text)

    async def estimate(self, actor: Actor, person: Person, resource: Resource, text: str, what: Estimate) -> Evidence:
        if resource.protocol is Protocol.SSH:
            raise Invalid("Nothing tells what a command of a server would do before it runs.", field="statement")
        return await self.postgres.estimate(actor, person, resource, text, what)

    async def describe_run(
        self, actor: Actor, person: Person, resource: Resource, run: Run
    ) -> tuple[Evidence, OfRunbook]:
        judge = self.ssh if resource.protocol is Protocol.SSH else self.postgres
        return await judge.describe_run(actor, person, resource, run)


@dataclass(frozen=True, slots=True)
class Executors:
    """Implements `access.ports.Executor`."""

    postgres: Executor
    ssh: SshExecutor

    async def run(self, request: AccessRequest, grant: Grant, person: Person, resource: Resource) -> Outcome:
        executor = self.ssh if resource.protocol is Protocol.SSH else self.postgres
        return await executor.run(request, grant, person, resource)

    def run_steps(
        self, grant: Grant, person: Person, resource: Resource, database: str, steps: Sequence[RunStep]
    ) -> AsyncGenerator[Outcome, None]:
        executor = self.ssh if resource.protocol is Protocol.SSH else self.postgres
        return executor.run_steps(grant, person, resource, database, steps)
