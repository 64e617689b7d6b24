"""The corpus against the gateway, with somebody behind it who sees what truly happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from access.scopes import Once, Read, Scope, Write
from tests.wire.attacks.corpus import Attack, attacks
from tests.wire.attacks.field import ALLOW, DENY, HOLD, NO_SUCH, Field, verdict
from tests.wire.attacks.oracle import State
from tests.wire.attacks.raw import Raw, Said

CORPUS = attacks()


class Attacker:
    """A connection that is made again when it was lost, and state that is put back when it was changed."""

    def __init__(self, field: Field, scope: Scope) -> None:
        self.field = field
        self._scope = scope
        self._client: Raw | None = field.connect(scope)
        self.before: State = field.oracle.state()

    def run(self, attack: Attack) -> list[Said]:
        client = self._client or self.field.another()
        said = [client.query(step) for step in attack.steps]
        self._client = client
        if isinstance(self._scope, Once) and said[-1].status == "I":
            return said
        clean = said[-1].status is not None and client.query("ROLLBACK").status == "I"
        if not clean or client.query("DISCARD ALL").refusals:
            client.socket.close()
            self._client = None
        return said

    def changed(self) -> set[str]:
        """What is not as it was; it is put back."""
        changed = self.field.oracle.changed(self.before)
        if changed:
            self.field.oracle.restore(changed)
        return changed

    def close(self) -> None:
        if self._client is not None:
            self._client.socket.close()


@contextmanager
def attacking(field: Field, scope: Scope) -> Iterator[Attacker]:
    attacker = Attacker(field, scope)
    try:
        yield attacker
    finally:
        attacker.close()


def test_the_corpus_is_as_large_as_it_should_be() -> None:
    assert len(CORPUS) >= 250
    assert sum(attack.kind == "tautologies" for attack in CORPUS) >= 40
    assert len({(attack.kind, attack.steps) for attack in CORPUS}) == len(CORPUS)
    assert min(Counter(attack.kind for attack in CORPUS).values()) >= 5


@pytest.mark.parametrize("scope", ["read", "write"])
def test_every_statement_gets_the_right_verdict_and_nothing_else_happens(field: Field, scope: str) -> None:
    """What was not allowed changed nothing; what is allowed under a read grant changed nothing either."""
    wrong, happened = [], []
    unsure: list[Attack] = []
    with attacking(field, Read() if scope == "read" else Write()) as attacker:
        for attack in CORPUS:
            right = getattr(attack, scope)
            may_change = scope == "write" and right == ALLOW
            if may_change:
                happened += unexpected(attacker, unsure)
            said = attacker.run(attack)
            if verdict(said[-1]) != right:
                found = [fields.get("M", "") for fields in said[-1].errors]
                wrong.append(f"{attack}: {verdict(said[-1])}, not {right} {found}")
            if may_change:
                attacker.changed()
            else:
                unsure.append(attack)
        happened += unexpected(attacker, unsure)
    assert not wrong, "\n".join(wrong)
    assert not happened, "\n".join(happened)


def unexpected(attacker: Attacker, unsure: list[Attack]) -> list[str]:
    """Which of the attacks since the last look changed something."""
    changed, tried = attacker.changed(), list(unsure)
    unsure.clear()
    found = []
    for attack in tried if changed else ():
        attacker.run(attack)
        again = attacker.changed()
        if again:
            found.append(f"{attack}: {sorted(again)}")
    return found or ([f"one of {len(tried)}: {sorted(changed)}"] if changed else [])


def test_a_grant_for_one_command_opens_nothing_else(field: Field) -> None:
    """An attacker with a single-use grant for another statement gets nothing through but empty texts."""
    through = []
    with attacking(field, Once(NO_SUCH)) as attacker:
        for attack in CORPUS:
            said = attacker.run(attack)
            if verdict(said[-1]) != DENY and said[-1].tags:
                through.append(str(attack))
        assert attacker.changed() == set()
    assert not through, "\n".join(through)


@pytest.mark.parametrize("scope", [Read(), Write()], ids=["read", "write"])
def test_the_extended_protocol_thinks_the_same(field: Field, scope: Scope) -> None:
    """Single statements prepared, bound and executed get the verdict they have as a Query; nothing else happens."""
    wrong = []
    with attacking(field, scope) as attacker:
        client = field.another()
        for attack in CORPUS:
            if len(attack.steps) > 1 or ";" in attack.steps[0]:
                continue
            right = attack.read if isinstance(scope, Read) else attack.write
            if right == ALLOW:
                continue
            said = client.extended(attack.steps[0])
            if verdict(said) not in {HOLD, DENY}:
                wrong.append(str(attack))
            if said.status is None or client.query("ROLLBACK").status is None:
                client = field.another()
        client.socket.close()
        assert attacker.changed() == set()
    assert not wrong, "\n".join(wrong)
