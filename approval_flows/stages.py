"""Who may decide, how far a request is, and whether it could ever be decided. Pure: functions of sets of people.

A stage is a row of places, each to be taken by one of a set of people. Votes are matched to places so that as many as
possible are taken, earlier stages first; with `distinct` one person takes one place in the whole flow. People are
counted, never groups: somebody in three groups takes one place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import MappingProxyType

from access.actors import PersonId
from access.ports import Directory
from access.resources import Resource
from approval_flows.model import Escalation, Flow, Sources, Stage

People = frozenset[PersonId]
#: Who takes whose place.
Stands = Mapping[PersonId, People]
#: Who is on call for a schedule now; nobody when it can not be known.
Duty = Callable[[str], People]


def nobody_on_duty(_schedule: str) -> People:
    """Where there are no schedules."""
    return frozenset()


@dataclass(frozen=True, slots=True)
class Step:
    """A stage with its places, resolved to people of now. `told` are those to be notified when it is reached, `whence`
    the people and groups the flow names."""

    name: str
    places: tuple[People, ...]
    told: People = frozenset()
    whence: str = ""

    @property
    def people(self) -> People:
        """Everybody who could take one of its places."""
        return frozenset[PersonId]().union(*self.places)


@dataclass(frozen=True, slots=True)
class Course:
    """The steps of a flow for one request at one moment."""

    steps: tuple[Step, ...]
    distinct: bool = True
    stands: Stands = field(default_factory=lambda: MappingProxyType({}))

    @property
    def people(self) -> People:
        """Everybody who has a say in any step: they may deny."""
        return frozenset[PersonId]().union(*(step.people for step in self.steps))

    def voices(self, voters: Iterable[PersonId]) -> list[PersonId]:
        """Those of them who are heard: of two of whom one takes the other's place, the first."""
        heard: list[PersonId] = []
        for one in dict.fromkeys(voters):
            if not any(self._same_voice(one, other) for other in heard):
                heard.append(one)
        return heard

    def _same_voice(self, one: PersonId, other: PersonId) -> bool:
        return other in self.stands.get(one, ()) or one in self.stands.get(other, ())

    def standing_in(self, stands: Stands) -> Course:
        """The same steps, where these people may take the places of others, too. Whom they stand in for is not called."""

        def widened(people: People) -> People:
            return people | {taker for taker, givers in stands.items() if people & givers}

        def told(people: People) -> People:
            return widened(people) - {giver for givers in stands.values() for giver in givers}

        steps = (
            replace(step, places=tuple(map(widened, step.places)), told=told(step.told) or step.told)
            for step in self.steps
        )
        return replace(self, steps=tuple(steps), stands=stands)

    def taken(self, voters: Iterable[PersonId]) -> tuple[int, ...]:
        """How many places of each step these voters take."""
        people = self.voices(voters)
        if not self.distinct:
            return tuple(sum(_match(step.places, people)) for step in self.steps)
        flat = iter(_match([place for step in self.steps for place in step.places], people))
        return tuple(sum(next(flat) for _ in step.places) for step in self.steps)

    def current(self, voters: Iterable[PersonId]) -> int:
        """The first step that wants more; their number when all have what they want."""
        taken = self.taken(voters)
        return next((i for i, step in enumerate(self.steps) if taken[i] < len(step.places)), len(self.steps))

    def complete(self, voters: Iterable[PersonId]) -> bool:
        """Whether the votes are enough. A course without steps or with an empty step is never complete."""
        return bool(self.steps) and all(s.places for s in self.steps) and self.current(voters) == len(self.steps)

    def helps(self, voters: Sequence[PersonId], person: PersonId) -> bool:
        """Whether this person's approval counts now: in the current step, or by freeing somebody for it."""
        if person in voters:
            return False
        upto = self.current(voters) + 1
        return sum(self.taken([*voters, person])[:upto]) > sum(self.taken(voters)[:upto])

    def open_to(self, voters: Sequence[PersonId]) -> People:
        """Everybody whose approval counts now."""
        return frozenset(person for person in self.people if self.helps(voters, person))

    def without(self, these: Collection[PersonId]) -> Course:
        """The same steps, decided by others than these."""
        gone = frozenset(these)
        return replace(
            self,
            steps=tuple(
                replace(step, places=tuple(place - gone for place in step.places), told=step.told - gone)
                for step in self.steps
            ),
        )

    def feasible(self, without: Collection[PersonId] = ()) -> bool:
        """Whether these people could complete it at all."""
        left = self.people - frozenset(without)
        return self.complete(sorted(left, key=lambda one: (one in self.stands, one)))


def _match(places: Sequence[People], people: Sequence[PersonId]) -> list[bool]:
    """Which places can be taken, earlier ones first (augmenting paths; Kuhn 1955)."""
    holder: dict[PersonId, int] = {}

    def seat(place: int, tried: set[PersonId]) -> bool:
        for person in people:
            if person in places[place] and person not in tried:
                tried.add(person)
                if person not in holder or seat(holder[person], tried):
                    holder[person] = place
                    return True
        return False

    return [seat(place, set()) for place in range(len(places))]


def course(
    flow: Flow,
    directory: Directory,
    resource: Resource,
    approvers: Sequence[str],
    *,
    asker: PersonId | None = None,
    since: timedelta = timedelta(0),
    duty: Duty = nobody_on_duty,
) -> Course:
    """The flow's steps now: active people, never `asker`; whoever is escalated to after `since` waiting may decide too.

    `approvers` are the groups the resource, or the rule that held the statement, names.
    """

    def groups(sources: Sources) -> tuple[str, ...]:
        owners, named = resource.owners if sources.owners else (), approvers if sources.approvers else ()
        return (*sources.groups, *owners, *named)

    def people(sources: Sources) -> People:
        named = (directory.by_name(one) for one in sources.people)
        members = (directory.members(group) for group in groups(sources))
        found = frozenset(p.id for p in named if p is not None).union(*members, *map(duty, sources.on_call))
        found |= _manager(directory, asker) if sources.manager else frozenset()
        return frozenset(
            one for one in found if one != asker and (known := directory.person(one)) is not None and known.active
        )

    tiers = frozenset[PersonId]().union(*(people(one.to) for one in flow.escalate if since >= one.after))

    def step(stage: Stage) -> Step:
        told = people(stage.sources) - people(stage.quiet)
        if stage.every:
            places = tuple(people(source) | tiers for source in stage.sources.split())
        else:
            places = ((people(stage.sources) | people(stage.quiet) | tiers),) * stage.need
        sources = stage.sources
        also = (*(f"on call for {one}" for one in sources.on_call), *(("the manager",) if sources.manager else ()))
        whence = (" + " if stage.every else ", ").join((*sources.people, *groups(sources), *also))
        return Step(stage.name, places, told or people(stage.quiet), whence or "nobody")

    return Course(tuple(step(stage) for stage in flow.stages), flow.distinct)


def _manager(directory: Directory, asker: PersonId | None) -> People:
    """Whom `asker` reports to; nobody when the directory does not know."""
    person = directory.person(asker) if asker else None
    return frozenset({person.manager}) if person and person.manager else frozenset()


def found_in(
    sources: Sources,
    directory: Directory,
    resource: Resource,
    approvers: Sequence[str],
    *,
    asker: PersonId | None = None,
    duty: Duty = nobody_on_duty,
) -> People:
    """The active people of some sources, as `course` resolves them; never `asker`."""
    alone = Flow("alone", stages=(Stage("alone", sources),))
    return course(alone, directory, resource, approvers, asker=asker, duty=duty).people


def escalated(
    tier: Escalation,
    directory: Directory,
    resource: Resource,
    approvers: Sequence[str],
    *,
    asker: PersonId | None = None,
    duty: Duty = nobody_on_duty,
) -> People:
    """The people of one escalation."""
    return found_in(tier.to, directory, resource, approvers, asker=asker, duty=duty)
