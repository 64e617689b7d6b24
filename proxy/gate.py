"""Judge → record → forward → outcome: what must happen before one unit of work may go to an upstream.

Protocol-neutral and without I/O. A wire conversation hands in a `Unit` and runs `admit`; the answer is `Admitted`
(everything that must be recorded is, forward it now) or `Refusal` (tell the client, forward nothing).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from access.actors import Person, PersonId, actor_key
from access.budget import Budget
from access.errors import Conflict, Denied, HoopError
from access.events import (
    Fact,
    MaskingFailed,
    StatementAllowed,
    StatementBlocks,
    StatementCompleted,
    StatementHeld,
    StatementRefused,
    ValuesLookedUp,
    ValuesUnmasked,
)
from access.masking import ForApprover, Masked, declare_masked
from access.policy import Action, Verdict, decide, standing_level
from access.ports import Clock
from access.requests import AccessRequest, Evidence, Grant, RequestState
from access.scopes import Level
from access.statements import Effect, Statement, binding_digest
from proxy.admission import CANCELLED, Admitted, Bearer, Client, Counters, Refusal, Unit, Unmasked
from proxy.conversation import (
    Answer,
    Await,
    Commit,
    Conclude,
    Consume,
    FileHold,
    Outputs,
    Question,
    Steps,
    Study,
    Withdraw,
)
from proxy.lookups import uncounted
from proxy.recording import Kind, assembled, head, packed, record
from proxy.refusals import CHANGES, completed, not_approved, unwrappable, who_decides

#: How often a waiting client hears that it still waits, in seconds.
KEEP_ALIVE = 15.0
#: How often it is looked whom a hold in a transaction keeps waiting, and how often the upstream is kept awake otherwise.
PULSE_LOCKING, PULSE = 0.5, 1.0
#: How long an approval may take to reach this process before the hold gives up, in seconds.
GRANT_LAG = 5.0

#: How long a verdict on a plain read may be used again, in seconds.
VERDICT_SECONDS = 1.0

_STATEMENT = head(Kind.STATEMENT)

_READ_ONLY = frozenset({Effect.READ})


@dataclass(slots=True)
class Gate:
    """One session's gate."""

    bearer: Bearer
    clock: Clock
    out: Outputs
    client: Client
    counters: Counters = field(default_factory=Counters)
    #: Counts questions for exact values: person, resource, how many, most an hour. Raises HoopError when it is too many.
    count_lookups: Callable[[PersonId, str, int, int], Awaitable[None]] = uncounted
    answer: Answer | None = None
    asked: Question | None = None
    #: Keeps the upstream from ending an idle session while people decide; whom it keeps waiting for its locks.
    pulse: Callable[[], tuple[str, ...]] | None = None

    # ---------------------------------------------------------------------------------------- judging

    def level(self) -> Level:
        """The standing ceiling at this moment."""
        return standing_level(self.bearer.grants(), self.clock.now())

    def decide(self, unit: Unit) -> Verdict:
        """The strictest verdict over the unit's statements. Fails closed when the person is unknown."""
        person = self.bearer.person()
        if person is None:
            return Verdict(Action.DENY, "person-unknown", "You are not in the directory any more.")
        grants, now = self.bearer.grants(), self.clock.now()
        return self._strictest(unit, person, grants, now)

    def _strictest(self, unit: Unit, person: Person, grants: Sequence[Grant], now: datetime) -> Verdict:
        b = self.bearer
        single = standing_level(grants, now) is Level.NONE
        if single and len(unit.statements) > 1:
            return Verdict(Action.DENY, "one-command", "Access to a single command does not cover several statements.")
        digest = binding_digest(unit.binding)
        verdicts = [
            decide(b.policy, grants, person, b.resource, statement, digest, now)
            for statement in (unit.statements or (unit.whole,))
        ]
        strictest = max(verdicts, key=lambda verdict: verdict.action)
        consumes = next((verdict for verdict in verdicts if verdict.consumes is not None), None)
        found = consumes if consumes is not None and strictest.action is Action.ALLOW else strictest
        budgets = tuple(dict.fromkeys(budget for verdict in verdicts for budget in verdict.budgets))
        return found if found.budgets == budgets else replace(found, budgets=budgets)

    # ---------------------------------------------------------------------------------------- admitting

    def admit(self, unit: Unit) -> Steps[Admitted | Refusal]:
        """Everything between a statement and its way to the upstream."""
        number = self._count()
        verdict = self.decide(unit)
        refusal = unwrappable(unit, verdict)
        if verdict.action is Action.DENY or refusal is not None:
            return (yield from self._refuse(unit, number, verdict, refusal))
        if (again := (yield from self._guessed_enough(unit))) is not None:
            return (yield from self._refuse(unit, number, replace(verdict, rule="lookups"), again))
        request = ""
        if verdict.action is Action.HOLD:
            held = yield from self._hold(unit, number, verdict)
            if isinstance(held, Refusal):
                return held
            request, verdict = held
        registered = yield from self._register(unit, number, verdict, request)
        if isinstance(registered, Refusal):
            return registered
        self.out.records.append(self._statement(unit, number, verdict, request))
        wrap, noted = _needs_wrap(unit, verdict), _noteworthy(unit, verdict)
        return Admitted(number, verdict, wrap=wrap, noted=noted, unmasked=unit.unmasked, consumed=registered)

    def overdrawn(
        self, unit: Unit, admitted: Admitted, budget: Budget, refusal: Refusal, *, ask: bool
    ) -> Steps[Admitted | Refusal]:
        """What was run would have changed more rows than its budget, and was rolled back. Where people may lift the
        budget they are asked, with the numbers; an approval of this is good for this one run."""
        self.conclude(admitted, "failed", declare_masked(refusal.message))
        level = admitted.verdict.level
        verdict = Verdict(
            Action.HOLD, budget.rule, refusal.message, refusal.hint, level=level, approvers=budget.approvers
        )
        if not (ask and budget.hold) or level is Level.NONE:
            return (yield from self._refuse(unit, admitted.number, verdict, refusal))
        held = yield from self._hold(unit, admitted.number, verdict, spend=True)
        if isinstance(held, Refusal):
            return held
        request, approved = held
        registered = yield from self._register(unit, admitted.number, approved, request)
        if isinstance(registered, Refusal):
            return registered
        self.out.records.append(self._statement(unit, admitted.number, approved, request))
        return Admitted(admitted.number, approved, wrap=_needs_wrap(unit, approved), noted=True)

    def refuse(self, unit: Unit, rule: str, refusal: Refusal) -> Steps[Refusal]:
        """Refuse for a reason of the wire's own; recorded like any refusal."""
        verdict = Verdict(Action.DENY, rule, refusal.message, refusal.hint)
        return (yield from self._refuse(unit, self._count(), verdict, refusal))

    def conclude(self, admitted: Admitted, outcome: str, detail: Masked) -> None:
        """What became of it: `succeeded`, `failed` or `unknown`. Nothing waits for this to be stored."""
        if not admitted.noted:
            return
        grant = admitted.verdict.consumes
        if grant is not None:
            self.out.tell.append(Conclude(grant.id, outcome, detail))
            return
        session = self.bearer.session
        fact = StatementCompleted(
            stream=session, actor=actor_key(self.bearer.actor), session=session, outcome=outcome, detail=detail,
            number=admitted.number,
        )  # fmt: skip
        self.out.tell.append(Commit((fact,)))

    def masking_failed(self, detector: str, why: str) -> None:
        """A detector failed and values were redacted whole; told once."""
        session = self.bearer.session
        fact = MaskingFailed(stream=session, actor=actor_key(self.bearer.actor), detector=detector, why=why)
        self.out.tell.append(Commit((fact,)))

    def ask(self, question: Study | Commit | FileHold | Await | Withdraw | Consume) -> Steps[Answer]:
        """Park until the question is answered."""
        self._put(question)
        while (answer := self._answered()) is None:
            yield
        return answer

    def take(self, question: Question, answer: Answer) -> None:
        """The answer to a question. One that is not waited for any more (a decision that came while the client gave
        up) is nothing: it must never be taken for the answer to the next question."""
        if question is self.asked:
            self.asked, self.answer = None, answer

    def _put(self, question: Question) -> None:
        self.answer, self.asked, self.out.ask = None, question, question

    def _answered(self) -> Answer | None:
        answer, self.answer = self.answer, None
        return answer

    def lasting(self, unit: Unit, verdict: Verdict) -> float:
        """Until when (monotonic) the same statement gets the same verdict while nothing changes; 0.0 = ask again.

        Only plain reads under a standing grant: everything else is looked at every time.
        """
        if verdict.action is not Action.ALLOW or _noteworthy(unit, verdict):
            return 0.0
        now = self.clock.now()
        edges = [edge for g in self.bearer.grants() for edge in (g.starts_at, g.expires_at) if edge > now]
        left = min(((edge - now).total_seconds() for edge in edges), default=0.0)
        return self.clock.monotonic() + min(left, VERDICT_SECONDS)

    def again(self, packed_statement: bytes) -> tuple[int, bytes]:
        """A statement whose verdict still lasts: its number, and the record that must be written before it goes on."""
        number = self._count()
        return number, assembled(_STATEMENT, self.at_ms(), number, packed_statement)

    def packed(self, unit: Unit, verdict: Verdict) -> bytes:
        """What `again` records."""
        return packed(_data(unit, verdict, ""))

    def _count(self) -> int:
        self.counters.statements += 1
        return self.counters.statements

    # ---------------------------------------------------------------------------------------- refusing

    def _refuse(self, unit: Unit, number: int, verdict: Verdict, refusal: Refusal | None) -> Steps[Refusal]:
        self.counters.refused += 1
        if refusal is None:
            refusal = Refusal(verdict.message, hint=verdict.hint)
        refusal = completed(refusal, verdict.rule, self.level(), self.bearer.resource.name)
        yield from self.ask(Commit((self._refused(unit, number, verdict, refusal),)))
        # Nothing is forwarded, so a ledger that does not answer changes nothing for the client: it is refused.
        self.out.records.append(self._statement(unit, number, replace(verdict, action=Action.DENY), ""))
        return refusal

    def _refused(self, unit: Unit, number: int, verdict: Verdict, refusal: Refusal) -> StatementRefused:
        return StatementRefused(
            stream=self.bearer.session, actor=actor_key(self.bearer.actor), number=number, statement=unit.shown,
            effects=_effects(unit.whole), tables=_tables(unit.whole), rule=verdict.rule, message=refusal.message,
        )  # fmt: skip

    # ---------------------------------------------------------------------------------------- recording

    def _register(self, unit: Unit, number: int, verdict: Verdict, request: str) -> Steps[Refusal | Grant | None]:
        """The event rows that must be committed first: more than a plain read, or a consumption (the grant after it)."""
        grant = verdict.consumes
        if not _noteworthy(unit, verdict):
            return None
        digest = binding_digest(unit.binding)
        fact = StatementAllowed(
            stream=self.bearer.session, actor=actor_key(self.bearer.actor), number=number, statement=unit.shown,
            digest=digest, effects=_effects(unit.whole), tables=_tables(unit.whole), rule=verdict.rule,
            request=request or ("" if grant is None else grant.request),
        )  # fmt: skip
        facts: tuple[Fact, ...] = (fact,)
        if unit.unmasked is not None:
            facts += (self._shows(unit.unmasked, number),)
        if unit.looked_up:
            asked = ValuesLookedUp(
                stream=self.bearer.session,
                actor=actor_key(self.bearer.actor),
                number=number,
                columns=list(unit.looked_up),
            )
            facts += (asked,)
        question = Commit(facts) if grant is None else Consume(grant.id, digest, facts)
        answer = yield from self.ask(question)
        if grant is not None and isinstance(answer, Grant):
            return answer
        if grant is None and answer is True:
            return None
        self.counters.refused += 1
        if isinstance(answer, Conflict):
            return Refusal(answer.message, "What was approved runs once.", answer.hint)
        why, hint = (answer.message, answer.hint) if isinstance(answer, HoopError) else ("", "")
        return Refusal("The gateway could not record this statement, so it was not run.", why, hint)

    def _guessed_enough(self, unit: Unit) -> Steps[Refusal | None]:
        """Where protected columns may only be asked for one exact value, each question is one guess, and they are counted."""
        if not unit.looked_up:
            return None
        who, where = self.bearer.actor.person, self.bearer.resource.name
        count = partial(self.count_lookups, who, where, len(unit.looked_up), unit.lookups_per_hour)
        answer = yield from self.ask(Study(count))
        return Refusal(answer.message, hint=answer.hint) if isinstance(answer, HoopError) else None

    def _shows(self, unmasked: Unmasked, number: int) -> ValuesUnmasked:
        return ValuesUnmasked(
            stream=self.bearer.session, actor=actor_key(self.bearer.actor), number=number,
            columns=sorted(unmasked.columns), grants=list(unmasked.grants),
        )  # fmt: skip

    def _statement(self, unit: Unit, number: int, verdict: Verdict, request: str) -> bytes:
        return assembled(_STATEMENT, self.at_ms(), number, packed(_data(unit, verdict, request)))

    def at_ms(self) -> int:
        return int(self.clock.now().timestamp() * 1000)

    # ---------------------------------------------------------------------------------------- holding

    def _hold(
        self, unit: Unit, number: int, verdict: Verdict, *, spend: bool = False
    ) -> Steps[tuple[str, Verdict] | Refusal]:
        """File the request, tell the client, wait. Returns the request and the verdict under the approval, which must
        use a grant up with `spend`."""
        seconds = self.bearer.policy.hold_in_transaction if unit.in_transaction else self.bearer.policy.hold_seconds
        if seconds <= 0:
            hint = "Run it outside of a transaction, or ask for write access."
            refusal = Refusal(verdict.message, "Approval cannot be awaited while a transaction holds locks.", hint)
            return (yield from self._refuse(unit, number, verdict, refusal))
        self.counters.held += 1
        filed = yield from self.ask(self._filing(unit, number, verdict, seconds))
        if not isinstance(filed, AccessRequest):
            return (yield from self._not_filed(unit, number, verdict, filed))
        self.out.records.append(record(Kind.HELD, self.at_ms(), number, {"request": filed.id, "text": unit.shown}))
        self.client.say(f"held for approval: {filed.id} ({verdict.message})", who_decides(filed, seconds))
        decided = yield from self._decision(filed, seconds, unit, number)
        self._note_decision(decided, number)
        if decided.state is not RequestState.APPROVED:
            self.counters.refused += 1
            by = self.bearer.name(decided.decided_by) if decided.decided_by else ""
            return not_approved(decided, by, self.client.gave_up)
        approved = yield from self._approved(unit, spend=spend)
        return approved if isinstance(approved, Refusal) else (filed.id, approved)

    def _filing(self, unit: Unit, number: int, verdict: Verdict, seconds: float) -> FileHold:
        digest = binding_digest(unit.binding)
        whole = unit.whole
        evidence = Evidence(
            shown=unit.shown, exact=ForApprover(whole.text), complete=unit.complete, digest=digest,
            database=unit.binding.database, parameters=unit.exact_parameters, effects=whole.effects,
            verbs=whole.verbs, tables=tuple(_tables(whole)), flags=whole.flags, rule=verdict.rule,
            message=verdict.message, in_transaction=unit.in_transaction,
        )  # fmt: skip
        fact = StatementHeld(
            stream=self.bearer.session, actor=actor_key(self.bearer.actor), number=number, statement=unit.shown,
            digest=digest, effects=_effects(whole), tables=_tables(whole), rule=verdict.rule, request="",
        )  # fmt: skip
        return FileHold(evidence, verdict.approvers, seconds, fact)

    def _not_filed(self, unit: Unit, number: int, verdict: Verdict, problem: Answer) -> Steps[Refusal]:
        if isinstance(problem, Denied):
            refusal = Refusal(verdict.message, problem.message, problem.hint)
        else:
            detail = problem.message if isinstance(problem, HoopError) else ""
            refusal = Refusal("The gateway could not ask for approval, so this was not run.", detail)
        return (yield from self._refuse(unit, number, verdict, refusal))

    def _decision(self, filed: AccessRequest, seconds: float, unit: Unit, number: int) -> Steps[AccessRequest]:
        """Wait for the decision, for the client to give up, or for the time to run out."""
        started = spoke = beat = self.clock.monotonic()
        blocked: tuple[str, ...] = ()
        self._put(Await(filed.id, seconds))
        while (row := self._answered()) is None and not self.client.gave_up:
            yield
            now = self.clock.monotonic()
            if now - started > seconds + GRANT_LAG:
                break
            if self.pulse is not None and now - beat >= (PULSE_LOCKING if unit.in_transaction else PULSE):
                beat = now
                waiting = self.pulse()
                if waiting != blocked:
                    blocked = waiting
                    self._blocks(filed, number, blocked)
            if now - spoke >= KEEP_ALIVE:
                spoke = now
                self.client.say(f"still waiting for approval: {filed.id} ({int(now - started)} s)")
        if isinstance(row, AccessRequest) and row.state is not RequestState.PENDING:
            return row
        # Whoever approves from here on approves nothing: only this waiting session could have used it.
        why = self.client.gave_up or "nobody decided in time"
        row = yield from self.ask(Withdraw(filed.id, why))
        if isinstance(row, AccessRequest) and row.state is not RequestState.APPROVED:
            return row
        return replace(filed, state=RequestState.CANCELLED, note=why)

    def _blocks(self, filed: AccessRequest, number: int, blocked: tuple[str, ...]) -> None:
        """Say who waits for the locks of this hold: to its client, and on its card."""
        if blocked:
            self.client.say(f"{filed.id} is holding locks; waiting for them: {', '.join(blocked)}")
        actor = actor_key(self.bearer.actor)
        fact = StatementBlocks(stream=filed.id, actor=actor, number=number, blocked=list(blocked))
        self.out.tell.append(Commit((fact,)))

    def _note_decision(self, decided: AccessRequest, number: int) -> None:
        data = {
            "request": decided.id,
            "state": str(decided.state),
            "by": self.bearer.name(decided.decided_by) if decided.decided_by else "",
            "note": decided.note,
        }
        self.out.records.append(record(Kind.DECIDED, self.at_ms(), number, data))

    def _approved(self, unit: Unit, *, spend: bool) -> Steps[Verdict | Refusal]:
        """Wait until the grant of the approval is known here, and judge anew: the world moved while we waited."""
        started = self.clock.monotonic()
        while True:
            verdict = self.decide(unit)
            if verdict.action is Action.ALLOW and (verdict.consumes is not None or not spend):
                return verdict
            if self.client.gave_up:
                return Refusal(f"{self.client.gave_up}; the statement was not run.", code=CANCELLED)
            if verdict.action is Action.DENY or self.clock.monotonic() - started > GRANT_LAG:
                self.counters.refused += 1
                return Refusal(verdict.message, "It was approved, but cannot run any more.", verdict.hint)
            yield


def _data(unit: Unit, verdict: Verdict, request: str) -> dict[str, object]:
    """The data of a `statement` record."""
    data: dict[str, object] = {
        "text": unit.shown,
        "effects": _effects(unit.whole),
        "verdict": verdict.action.name.lower(),
        "rule": verdict.rule,
        "request": request,
    }
    if unit.parameters:
        data["parameters"] = list(unit.parameters)
    return data


def _noteworthy(unit: Unit, verdict: Verdict) -> bool:
    """A plain read of masked values needs the recording only; everything else is an event."""
    return (
        unit.unmasked is not None
        or bool(unit.looked_up)
        or verdict.consumes is not None
        or not unit.whole.effects <= _READ_ONLY
        or not unit.whole.understood
    )


def _needs_wrap(unit: Unit, verdict: Verdict) -> bool:
    lifted = verdict.consumes is not None or bool(unit.whole.effects & CHANGES)
    return lifted and not unit.can_write and not unit.whole.effects <= _READ_ONLY


def _effects(statement: Statement) -> list[str]:
    return sorted(statement.effects)


def _tables(statement: Statement) -> list[str]:
    return list(dict.fromkeys((*statement.writes, *statement.reads)))
