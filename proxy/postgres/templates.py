"""What a reader keeps: readings by exact text, and templates of readings by form (`proxy.sql.forms`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from operator import attrgetter

from access.statements import Statement
from proxy.masking.outline import Outline
from proxy.masking.plan import Masker
from proxy.postgres.reading import Reading
from proxy.sql import judged as j
from proxy.sql.forms import Form, Unparsed
from proxy.sql.lineage import Tree
from proxy.sql.parse import Parsed


@dataclass(frozen=True, slots=True)
class Template:
    """What holds for every text of a form: its reading without text, and the rendering around the literals."""

    node: str
    reading: Reading
    outline: Outline

    def reading_of(self, text: str, form: Form, masker: Masker) -> Reading:
        """The reading of a text of this form."""
        model, part = self.reading, self.reading.parts[0]
        one = part.judged.statement
        statement = Statement(
            one.protocol, text, one.effects, one.verbs, one.reads, one.writes, one.functions, one.flags, one.understood, one.problem,
        )  # fmt: skip
        judged = j.JudgedOne(statement, unsure=part.judged.unsure)
        parsed = Parsed(text, (Unparsed(self.node, text),))
        shown = masker.filled(self.outline, form, text)
        return model.like(text, parsed, j.Judged((judged,), statement), shown, (part.like(judged),))

    def anew(self) -> Template:
        """The same for another session, which decides by itself how results are rewritten."""
        return Template(self.node, self.reading.anew(), self.outline)


def around(model: Reading, text: str, before: str, after: str, masker: Masker) -> Reading | None:
    """The reading of `text`, which is that of `model` between these comments; None when all of it cannot be shown. Comments mean
    nothing, but people see them."""
    shown = masker.between(before, model.shown, after)
    if shown is None:
        return None
    one, part = model.judged.statements[0], model.parts[0]
    judged = replace(one, statement=replace(one.statement, text=text))
    its = replace(part.judged, statement=replace(part.judged.statement, text=text))
    parsed = Parsed(text, (Unparsed(model.parsed.statements[0].node, text),))
    combined = replace(model.judged.combined, text=text)
    return model.like(text, parsed, j.Judged((judged,), combined), shown, (part.like(its),))


@dataclass(slots=True)
class Kept:
    """A reading, and what it was made under. `session`: it depends on no names that the session gives."""

    reading: Reading
    epoch: int
    session: j.SqlSession | None = None

    def holds(self, session: j.SqlSession, epoch: int) -> bool:
        """Whether it still is what it was: the epoch grows with every name, also where no name matters."""
        if self.epoch == epoch:
            return True
        if self.session is None or not same_names(session, self.session):
            return False
        self.epoch, self.session = epoch, session
        return True


#: What a session is but for the names it gives to prepared statements and cursors.
_NAMES = frozenset({"prepared", "cursors"})
standing_of: Callable[[j.SqlSession], tuple[object, ...]] = attrgetter(
    *(one.name for one in fields(j.SqlSession) if one.name not in _NAMES)
)


def same_names(one: j.SqlSession, other: j.SqlSession) -> bool:
    """Whether two sessions are the same but for the names of prepared statements and cursors."""
    return standing_of(one) == standing_of(other)


class Bodies(Mapping[str, Tree]):
    """The trees behind the session's names; a name that is both a statement and a cursor means neither."""

    def __init__(self, session: j.SqlSession) -> None:
        self._prepared, self._cursors = session.prepared, session.cursors

    def __getitem__(self, name: str) -> Tree:
        found = [names[name] for names in (self._prepared, self._cursors) if name in names]
        if len(found) != 1 or len(found[0].statements) != 1:
            raise KeyError(name)
        one = found[0].statements[0]
        return {one.node: one.tree}

    def __iter__(self) -> Iterator[str]:
        return iter({**self._prepared, **self._cursors})

    def __len__(self) -> int:
        return len({**self._prepared, **self._cursors})
