"""The gate by itself, the ports played: in which order things happen, and what never goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from access.actors import Actor, PersonId
from access.errors import Conflict, Denied, HoopError, Unavailable
from access.ids import RequestId
from access.masking import declare_masked
from access.policy import Policy
from access.requests import AccessRequest, Ask, Grant, RequestState
from access.scopes import Once, Write
from access.statements import Binding, Effect, Statement
from proxy.admission import CANCELLED, Admitted, Bearer, Refusal, Unit
from proxy.conversation import Answer, Await, Commit, Conclude, Consume, FileHold, Outputs, Question, Withdraw
from proxy.gate import GRANT_LAG, KEEP_ALIVE, Gate
from proxy.recording import unpack
from tests.fakes.clock import ManualClock
from tests.proxy.playbook import DANA, RESOURCE, SESSION, grant

ANN = PersonId("directory|ann")


def unit(effect: Effect = Effect.WRITE, text: str = "DELETE FROM t") -> Unit:
    statement = Statement("postgres", text, frozenset({effect}), verbs=(text.split(maxsplit=1)[0],))
    binding = Binding("postgres", "prod-db", "app", "app", text.encode())
    return Unit((statement,), statement, declare_masked(text), True, binding)


@dataclass
class Bench:
    """One gate and what a driver does with it: records first, then the question, then the forwarding. `ports` answers a
    question (None: not yet); `log` is everything that happened, in order."""

    ports: Callable[[Question], Answer | None] = lambda _: True
    live: list[Grant] = field(default_factory=lambda: [grant(Write())])
    policy: Policy = field(default_factory=Policy)
    recordable: bool = True
    gave_up: str = ""

    def __post_init__(self) -> None:
        self.clock, self.out = ManualClock(), Outputs()
        self.log: list[str] = []
        self.said: list[str] = []
        self.asked: list[Question] = []
        self.told: list[Question] = []
        bearer = Bearer(
            SESSION, Actor(DANA.id), RESOURCE, self.policy, lambda: DANA, lambda: self.live, str, lambda: 0
        )  # fmt: skip
        self.gate = Gate(bearer, self.clock, self.out, client=self)
        self.result: Admitted | Refusal | None = None

    def say(self, text: str, hint: str = "") -> None:
        self.said.append(text)

    def admit(self, one: Unit) -> Bench:
        self.steps = self.gate.admit(one)
        return self.go()

    def go(self, seconds: float = 0) -> Bench:
        """Time passes; the steps go on as far as they can. Raises Unavailable when a record could not be written."""
        self.clock.advance(seconds)
        while self.result is None:
            try:
                next(self.steps)
            except StopIteration as through:
                self.result = through.value
            self.record()
            if not self.ask():
                break
        if isinstance(self.result, Admitted):
            self.log.append("forward")
        return self

    def record(self) -> None:
        for one in self.out.records:
            if not self.recordable:
                raise Unavailable("the disk is full")
            self.log.append(f"record {unpack(one)[0]}")
        self.out.records.clear()

    def ask(self) -> bool:
        """Whether the question of these steps was answered."""
        question, self.out.ask = self.out.ask, None
        if question is None:
            return False
        self.log.append(type(question).__name__.lower())
        self.asked.append(question)
        answer = self.ports(question)
        if answer is not None:
            self.gate.take(question, answer)
        return answer is not None

    def answer(self, answer: Answer) -> Bench:
        self.gate.take(self.asked[-1], answer)
        return self.go()


@dataclass
class Approvals:
    """The desk's side of a hold. `decided` None: the decision is not there yet."""

    bench: Bench
    decided: RequestState | None = RequestState.APPROVED
    withdrawn: RequestState = RequestState.CANCELLED
    request: AccessRequest | None = None

    def __call__(self, question: Question) -> Answer | None:
        match question:
            case FileHold(evidence, _, _, _):
                now = self.bench.clock.now()
                self.request = AccessRequest(
                    RequestId("req_held"), Actor(DANA.id), "prod-db", Ask.STATEMENT, Once(evidence.digest),
                    timedelta(minutes=5), "", now, now + timedelta(minutes=5), evidence=evidence, approvers=(ANN,),
                )  # fmt: skip
                return self.request
            case Await():
                return None if self.decided is None else self.row(self.decided)
            case Withdraw():
                return self.row(self.withdrawn)
            case Consume(id, _, _):
                return next(one for one in self.bench.live if one.id == id)
        return True

    def row(self, state: RequestState) -> AccessRequest:
        assert self.request is not None
        if state is RequestState.APPROVED:
            self.bench.live.append(grant(self.request.scope, id="grt_once", holder=SESSION))
        return replace(self.request, state=state, decided_by=ANN, note="no" if state is RequestState.DENIED else "")


def held(decided: RequestState | None = RequestState.APPROVED, **more: object) -> tuple[Bench, Approvals]:
    bench = Bench(live=[grant()], **more)  # type: ignore[arg-type]
    approvals = Approvals(bench, decided)
    bench.ports = approvals
    return bench, approvals


# ---------------------------------------------------------------------------------------------------- record, forward


def test_a_read_is_recorded_then_forwarded() -> None:
    assert Bench().admit(unit(Effect.READ, "SELECT 1")).log == ["record statement", "forward"]


def test_a_write_is_committed_then_recorded_then_forwarded() -> None:
    assert Bench().admit(unit()).log == ["commit", "record statement", "forward"]


def test_nothing_goes_on_while_the_commit_is_under_way() -> None:
    bench = Bench(ports=lambda _: None).admit(unit()).go(60).go(600)
    assert bench.log == ["commit"] and bench.result is None
    assert bench.answer(True).log == ["commit", "record statement", "forward"]


@pytest.mark.parametrize("effect", [Effect.READ, Effect.WRITE])
def test_what_cannot_be_recorded_is_not_forwarded(effect: Effect) -> None:
    bench = Bench(recordable=False)
    with pytest.raises(Unavailable):
        bench.admit(unit(effect))
    assert "forward" not in bench.log


@pytest.mark.parametrize("answer", [False, Unavailable("down"), Conflict("no"), Denied("no"), grant()])
def test_only_a_plain_yes_means_committed(answer: Answer) -> None:
    bench = Bench(ports=lambda _: answer).admit(unit())
    assert isinstance(bench.result, Refusal) and bench.log == ["commit"]


@pytest.mark.parametrize("ports", [lambda _: True, lambda _: Unavailable("down")])
def test_a_refusal_is_a_refusal_also_when_the_ledger_is_down(ports: Callable[[Question], Answer]) -> None:
    bench = Bench(ports=ports, live=[]).admit(unit())
    assert isinstance(bench.result, Refusal)
    assert bench.log == ["commit", "record statement"]


# --------------------------------------------------------------------------------------------------------------- holds


def test_an_approved_statement_is_consumed_then_recorded_then_forwarded_then_concluded() -> None:
    bench, _ = held()
    bench.admit(unit())
    assert bench.log == ["filehold", "record held", "await", "record decided", "consume", "record statement", "forward"]
    assert isinstance(bench.result, Admitted) and bench.out.tell == []
    bench.gate.conclude(bench.result, "succeeded", declare_masked("DELETE 1"))
    assert [type(one) for one in bench.out.tell] == [Conclude]


@pytest.mark.parametrize("problem", [Conflict("It was used already."), Unavailable("down"), Denied("no")])
def test_what_was_not_consumed_is_not_forwarded(problem: HoopError) -> None:
    bench, approvals = held()
    bench.ports = lambda question: problem if isinstance(question, Consume) else approvals(question)
    bench.admit(unit())
    assert isinstance(bench.result, Refusal) and "forward" not in bench.log and "record statement" not in bench.log


@pytest.mark.parametrize("answer", [True, False])
def test_a_consumption_is_answered_with_the_grant_only(answer: bool) -> None:
    bench, approvals = held()
    bench.ports = lambda question: answer if isinstance(question, Consume) else approvals(question)
    assert isinstance(bench.admit(unit()).result, Refusal) and "forward" not in bench.log


def test_a_denied_statement_is_not_run_and_the_reason_is_told() -> None:
    bench, _ = held(RequestState.DENIED)
    bench.admit(unit())
    assert isinstance(bench.result, Refusal) and "denied by directory|ann: no" in bench.result.message
    assert "consume" not in bench.log and "forward" not in bench.log


def test_a_client_that_cancels_withdraws_its_request() -> None:
    bench, _ = held(None)
    bench.admit(unit())
    bench.gave_up = "the client cancelled"
    bench.go()
    assert isinstance(bench.result, Refusal) and bench.result.code == CANCELLED
    assert bench.log[-2:] == ["withdraw", "record decided"] and "forward" not in bench.log


def test_a_hold_ends_in_time_and_speaks_meanwhile() -> None:
    bench, _ = held(None)
    bench.admit(unit()).go(KEEP_ALIVE)
    assert "still waiting" in bench.said[-1]
    bench.go(bench.policy.hold_seconds + GRANT_LAG)
    assert isinstance(bench.result, Refusal) and bench.result.code == CANCELLED
    assert isinstance(bench.asked[-1], Withdraw) and "forward" not in bench.log


def test_an_approval_that_crosses_the_cancel_is_used_by_nobody() -> None:
    bench, approvals = held(None)
    approvals.withdrawn = RequestState.APPROVED
    bench.admit(unit())
    bench.gave_up = "the client cancelled"
    bench.go()
    assert isinstance(bench.result, Refusal) and "consume" not in bench.log and "forward" not in bench.log


def test_a_late_answer_is_nobodys() -> None:
    bench, approvals = held(None)
    bench.admit(unit())
    waited = bench.asked[-1]
    bench.ports = lambda question: None if isinstance(question, Withdraw) else approvals(question)
    bench.gave_up = "the client cancelled"
    bench.go()
    assert isinstance(waited, Await) and isinstance(bench.asked[-1], Withdraw)
    bench.gate.take(waited, approvals.row(RequestState.APPROVED))
    bench.go()
    assert bench.result is None, "the decision was taken for the answer to the withdrawal"
    bench.answer(approvals.row(RequestState.CANCELLED))
    assert isinstance(bench.result, Refusal) and "forward" not in bench.log


def test_an_approval_whose_grant_never_arrives_runs_nothing() -> None:
    bench, approvals = held()
    bench.ports = lambda question: (
        replace(approvals.request, state=RequestState.APPROVED)
        if isinstance(question, Await) and approvals.request
        else approvals(question)
    )
    bench.admit(unit())
    assert bench.result is None
    bench.go(GRANT_LAG + 1)
    assert isinstance(bench.result, Refusal) and "forward" not in bench.log


@pytest.mark.parametrize("problem", [Denied("Nobody can decide."), Unavailable("down")])
def test_a_hold_that_cannot_be_filed_is_refused(problem: HoopError) -> None:
    bench = Bench(ports=lambda q: problem if isinstance(q, FileHold) else True, live=[grant()]).admit(unit())
    assert isinstance(bench.result, Refusal) and bench.log == ["filehold", "commit", "record statement"]


def test_outcomes_are_told_for_what_was_noted_only() -> None:
    for one, told in [(unit(), [Commit]), (unit(Effect.READ, "SELECT 1"), [])]:
        bench = Bench().admit(one)
        assert isinstance(bench.result, Admitted)
        bench.gate.conclude(bench.result, "failed", declare_masked("22012"))
        assert [type(question) for question in bench.out.tell] == told
