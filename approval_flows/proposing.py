"""Edit and propose: somebody who decides on one command writes another text for it, its requester accepts or declines.

An accepted text is a new revision with a new digest, decided from the start; every vote for the old one is void. Whoever
wrote the text counts as its requester, too: they do not approve it. The bytes of a statement held on the wire are never
replaced: its client gets an error, and the text is asked for as one command that the gateway runs.
"""

from __future__ import annotations

from dataclasses import replace

from access.actors import PersonId
from access.errors import Conflict, Denied, HoopError, Invalid
from access.events import Fact, ProposalAnswered, ProposalMade, ProposalRefused
from access.ids import Prefix, RequestId
from access.ports import Proposal, Tx
from access.proposals import PROPOSAL, proposal_from_json, proposal_to_json
from access.requests import AccessRequest, Ask, Choice, Evidence, RequestState
from access.resources import Protocol, Resource
from access.scopes import Once
from access.statements import Effect, Flag
from approval_flows import asking, deputising, flow, freezing, revising, routing
from approval_flows.deciding import expire, vote_refusal, withdraw
from approval_flows.lifecycle import RequestCommand, request_refusal
from approval_flows.office import Office

#: The most open proposals of one request; a person has one, a newer one takes its place.
MOST = 5
NOTE_MAX = 500


def propose(
    office: Office, tx: Tx, id: RequestId, revision: int, by: PersonId, evidence: Evidence, note: str
) -> Proposal | HoopError:
    """Offer a judged text to the requester. The request waits as before, with its votes."""
    request = tx.request(id)
    if request is None:
        return Invalid(f"There is no request {id}.", field="id", hint="What waits for you: /hoop pending")
    if request.state is RequestState.PENDING and not flow.waits(request, tx.now):
        request = expire(office, tx, request)
    barred = vote_refusal(office, tx, request, revision, by, Choice.DENY)
    barred = barred or freezing.frozen(office, tx, request.resource)
    if barred is not None:
        return _refused(tx, id, by, "propose", barred)
    made = Proposal(office.new_id(Prefix.PROPOSAL), id, revision, by, evidence, note.strip())
    wrong = _unfit(office, tx, request, made)
    if wrong is not None:
        return wrong
    others = [one for one in open_of(tx, id) if one.by != by]
    if len(others) >= MOST:
        return Conflict(f"{len(others)} texts are proposed for {id} already; its requester answers those first.")
    for old in open_of(tx, id):
        if old.by == by:
            tx.take_doc(PROPOSAL, old.id)
            tx.append(_answered(old, by, "replaced", id, ""))
    tx.put_doc(PROPOSAL, made.id, proposal_to_json(made), group=id, expires_at=request.expires_at)
    tx.append(
        ProposalMade(
            stream=id, actor=by, proposal=made.id, revision=revision, statement=evidence.shown,
            digest=evidence.digest, note=made.note,
        )
    )  # fmt: skip
    return made


def accept(office: Office, tx: Tx, id: str, by: PersonId) -> AccessRequest | HoopError:
    """The requester takes the text. What can not be asked for leaves the request and the proposal as they are."""
    found = _open(office, tx, id)
    if isinstance(found, HoopError):
        return found
    proposal, request = found
    if by != request.actor.person:
        other = Denied(f"Only {office.name(request.actor.person)} accepts it: it is their command.", rule="not-yours")
        return _refused(tx, request.id, by, "accept", other)
    over = request_refusal(request, RequestCommand.CANCEL, office.name)
    if over is not None:
        return over
    if proposal.revision != request.revision:
        return Conflict(f"{request.id} is at revision {request.revision} now; this was proposed for an earlier one.")
    wrong = _unfit(office, tx, request, proposal)
    if wrong is not None:
        return wrong
    taken = _from_the_wire if request.ask is Ask.STATEMENT else _in_place
    after = taken(office, tx, request, proposal)
    if isinstance(after, HoopError):
        return after
    tx.take_doc(PROPOSAL, id)
    tx.append(_answered(proposal, by, "accepted", after.id, ""))
    return after


def decline(office: Office, tx: Tx, id: str, by: PersonId, note: str) -> AccessRequest | HoopError:
    """The requester does not take the text, or its author takes it back. The request waits as before."""
    found = _open(office, tx, id)
    if isinstance(found, HoopError):
        return found
    proposal, request = found
    person = flow.active_person(office.directory, by)
    if isinstance(person, Denied):
        return person
    if by not in {request.actor.person, proposal.by}:
        other = Denied(f"Only {office.name(request.actor.person)} answers it.", rule="not-yours")
        return _refused(tx, request.id, by, "decline", other)
    tx.take_doc(PROPOSAL, id)
    word = "declined" if by == request.actor.person else "took back"
    tx.append(_answered(proposal, by, word, request.id, note.strip()[:NOTE_MAX]))
    return request


def open_of(tx: Tx, request: RequestId) -> list[Proposal]:
    """The texts that are proposed for a request and not answered."""
    return [proposal_from_json(key, data) for key, data in tx.docs(PROPOSAL, group=request)]


def authored(request: AccessRequest, proposal: Proposal) -> AccessRequest:
    """The request as the accepted text makes it. Everybody who wrote a text of it stays an author."""
    authors = tuple(dict.fromkeys((*request.authors, proposal.by)))
    scope = Once(proposal.evidence.digest)
    return replace(request, scope=scope, evidence=proposal.evidence, authors=authors)


# ------------------------------------------------------------------------------------------------ pieces


def _open(office: Office, tx: Tx, id: str) -> tuple[Proposal, AccessRequest] | HoopError:
    data = tx.doc(PROPOSAL, id)
    request = tx.request(RequestId(data["request"])) if data else None
    if data is None or request is None:
        hint = "It was answered, replaced by a newer one, or its request is decided."
        return Conflict(f"The proposal {id} is not open any more.", hint=hint)
    if request.state is RequestState.PENDING and not flow.waits(request, tx.now):
        request = expire(office, tx, request)
    return proposal_from_json(id, data), request


def _unfit(office: Office, tx: Tx, request: AccessRequest, proposal: Proposal) -> HoopError | None:
    """Why this text can not be asked for in place of the request's; None if it can."""
    old, new = request.evidence, proposal.evidence
    resource = office.resources.get(request.resource)
    if resource is None:
        return Conflict(f"{request.resource} is not configured any more.")
    if old is None or not isinstance(request.scope, Once):
        hint = "Give less of an access: /hoop approve ID --for 15m. A runbook is changed in Git."
        return Conflict("Another text is proposed for one command only.", hint=hint)
    if old.in_transaction:
        hint = "Deny it and say what you would approve."
        return Conflict("It is part of an open transaction of its client, which nobody else can go on with.", hint=hint)
    if old.database != new.database:
        hint = "Deny it and say what you would approve."
        return Conflict(
            f"It is for the database {old.database}, and commands from here run in {new.database}.", hint=hint
        )
    if new.exact == old.exact and not old.parameters:
        return Invalid("That is the text that was asked for.", field="command")
    if Flag.HIDDEN_TEXT in new.flags:
        return Invalid("The text has characters that nobody can see.", field="command", hint="Write it without them.")
    wider = _wider(resource, old, new)
    if wider:
        hint = "A proposal asks for less or for the same. For more, its requester asks."
        return Invalid(f"That is more than was asked for: {wider}.", field="command", hint=hint)
    draft = authored(request, proposal)
    if not routing.course_of(
        office, draft, resource, tx.now, deputising.stands(office, tx, resource.name, tx.now)
    ).feasible():
        hint = "Deny it and say what you would approve: then the text is theirs."
        return Denied("Nobody could approve your text: its author does not.", rule="no-approver", hint=hint)
    return None


def _wider(resource: Resource, old: Evidence, new: Evidence) -> str:
    """What the new text does that the old did not, in words; empty when it does no more."""
    if not new.effects:
        return "nobody can tell what it does"
    effects = sorted(effect.value for effect in new.effects - old.effects - {Effect.READ})
    flags = sorted(flag.value.replace("_", " ") for flag in new.flags - old.flags - {Flag.EXPLAIN})
    known = set(old.tables)
    tables = [one for one in new.tables if one not in known] if resource.protocol is Protocol.POSTGRES else []
    said = (("it is ", effects), ("it has ", flags), ("it uses ", tables[:4]))
    return ", ".join(lead + ", ".join(words) for lead, words in said if words)


def _in_place(office: Office, tx: Tx, request: AccessRequest, proposal: Proposal) -> AccessRequest | HoopError:
    """The next revision of the same request."""
    return revising.file_anew(office, tx, request, authored(request, proposal), author=proposal.by)


def _from_the_wire(office: Office, tx: Tx, request: AccessRequest, proposal: Proposal) -> AccessRequest | HoopError:
    """A request for one command, in the thread of the same access, in place of the statement that is held."""
    note = f"The client that waited in {request.session} got an error: this runs by itself, in a session of its own."
    evidence = proposal.evidence
    proposal = replace(proposal, evidence=replace(evidence, notes=(*evidence.notes, note)))
    asked = asking.ask_instead(office, tx, authored(request, proposal))
    if isinstance(asked, HoopError):
        return asked
    withdraw(
        office,
        tx,
        request,
        f"{office.name(proposal.by)}'s text was accepted instead: it is asked for as {asked.request.id}, not here",
    )
    return asked.request


def _answered(proposal: Proposal, by: PersonId, answer: str, into: RequestId, note: str) -> Fact:
    return ProposalAnswered(
        stream=proposal.request, actor=by, proposal=proposal.id, answer=answer, author=proposal.by, into=into, note=note
    )


def _refused(tx: Tx, request: RequestId, by: PersonId, what: str, error: HoopError) -> HoopError:
    tx.append(ProposalRefused(stream=request, actor=by, what=what, why=error.message))
    return error
