"""Another text that an approver proposes for one command, and evidence as plain JSON. Pure.

The JSON holds the exact text: keep it only where the store seals it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from access.actors import PersonId
from access.ids import RequestId
from access.masking import ForApprover, declare_masked
from access.requests import Evidence
from access.statements import Digest, Effect, Flag

Json = dict[str, Any]
#: The kind of its sealed document.
PROPOSAL = "proposal"


@dataclass(frozen=True, slots=True)
class Proposal:
    """What `by` would rather approve than revision `revision` of `request`: the judged text, and why. The requester accepts
    or declines it."""

    id: str
    request: RequestId
    revision: int
    by: PersonId
    evidence: Evidence
    note: str = ""


def proposal_to_json(proposal: Proposal) -> Json:
    """For a sealed document of the store."""
    return {
        "request": proposal.request,
        "revision": proposal.revision,
        "by": proposal.by,
        "shown": evidence_shown(proposal.evidence),
        "exact": evidence_exact(proposal.evidence),
        "note": proposal.note,
    }


def proposal_from_json(id: str, data: Mapping[str, Any]) -> Proposal:
    """The inverse of `proposal_to_json`."""
    evidence = evidence_from(data["shown"], data["exact"])
    return Proposal(id, RequestId(data["request"]), data["revision"], PersonId(data["by"]), evidence, data["note"])


def evidence_shown(evidence: Evidence) -> Json:
    """What a channel may show."""
    return {
        "shown": evidence.shown,
        "complete": evidence.complete,
        "digest": evidence.digest,
        "database": evidence.database,
        "effects": sorted(evidence.effects),
        "verbs": list(evidence.verbs),
        "tables": list(evidence.tables),
        "flags": sorted(evidence.flags),
        "rule": evidence.rule,
        "message": evidence.message,
        "in_transaction": evidence.in_transaction,
        "notes": list(evidence.notes),
    }


def evidence_exact(evidence: Evidence) -> Json:
    """What is sealed."""
    parameters = [None if value is None else value.reveal() for value in evidence.parameters]
    return {"exact": evidence.exact.reveal(), "parameters": parameters}


def evidence_from(shown: Mapping[str, Any], exact: Mapping[str, Any]) -> Evidence:
    """The inverse of the two."""
    return Evidence(
        shown=declare_masked(shown["shown"]),
        exact=ForApprover(exact["exact"]),
        complete=shown["complete"],
        digest=Digest(shown["digest"]),
        database=shown["database"],
        parameters=tuple(None if value is None else ForApprover(value) for value in exact["parameters"]),
        effects=frozenset(Effect(effect) for effect in shown["effects"]),
        verbs=tuple(shown["verbs"]),
        tables=tuple(shown["tables"]),
        flags=frozenset(Flag(flag) for flag in shown["flags"]),
        rule=shown["rule"],
        message=shown["message"],
        in_transaction=shown["in_transaction"],
        notes=tuple(shown["notes"]),
    )
