"""Reads statement texts for one session: parses, judges, traces and renders them, and keeps what it read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from access.errors import HoopError
from access.masking import MaskPolicy, declare_masked
from access.resources import Resource
from access.statements import Effect
from proxy.admission import Refusal
from proxy.masking.copyout import CopyFormat
from proxy.masking.impressions import Impressions, stored
from proxy.masking.literals import Shown, Standing
from proxy.masking.plan import Masker
from proxy.postgres.learned import Learned
from proxy.postgres.reading import Part, Reading
from proxy.postgres.templates import Bodies, Kept, Template, around, same_names
from proxy.postgres.unsure import nobody_knows
from proxy.sql import judged as j
from proxy.sql.catalog import Catalog, Relation
from proxy.sql.classify import judge
from proxy.sql.following import after
from proxy.sql.forms import KINDS, Form, FormMemory, Hiding, Unparsed, within
from proxy.sql.forms import form as form_of
from proxy.sql.known import known
from proxy.sql.lineage import UNSEEN, Lineage, Tree, trace
from proxy.sql.names import effective_path
from proxy.sql.parse import Parsed, parse, parse_anew
from proxy.sql.plain import plain_text
from proxy.sql.plainly import Plainly, plainly

_KEPT = 256
#: Types, like everything else, that came with the server have smaller oids (transam.h).
_FIRST_USER_OID = 16384
_KEPT_BYTES = 4096

Judging = Callable[[Parsed, Catalog, j.SqlSession], j.Judged]
Tracing = Callable[[Tree, Catalog, Sequence[str], Mapping[str, Tree], Collection[str], j.Anew], Lineage]

#: Understands a text elsewhere. Raises HoopError.
Far = Callable[[str, j.SqlSession], Awaitable["Reading"]]

#: Texts of at most this many characters are understood where they arrive.
NEAR = 2048
_LONG_KEPT = 16
_BEGINNING = 200

_OWN = (judge, trace)
UNSHOWN = Shown(declare_masked(""), complete=False)
_NAMED = (j.Execute, j.Fetch, j.Prepare, j.Deallocate, j.DeclareCursor, j.CloseCursor, j.DiscardAll)


@dataclass(slots=True)
class Sampled:
    """The verdicts of samples on one database: `version` of them is in the masker of this reader, `anew` makes the next."""

    impressions: Impressions
    resource: Resource
    database: str
    policy: MaskPolicy
    version: int
    anew: Callable[[Catalog], Reader]
    #: Why a table could not be sampled.
    problem: str = ""

    def missing(self, catalog: Catalog, reading: Reading) -> list[Relation]:
        """Tables of this text that nobody has looked at yet."""
        relations = [catalog.by_oid[oid] for part in reading.parts for oid in part.stored if oid in catalog.by_oid]
        return self.impressions.missing((self.resource.name, self.database), relations) if relations else []

    def outdated(self) -> bool:
        """Whether more is known by now."""
        return self.impressions.version((self.resource.name, self.database)) != self.version

    async def look(self, relations: Sequence[Relation]) -> None:
        """Have these tables looked at."""
        self.problem = await self.impressions.look(self.resource, self.database, self.policy, relations)


class Reader:
    """Reads for one session: its catalog, its masker, its cache by exact text."""

    def __init__(
        self,
        catalog: Catalog,
        masker: Masker,
        *,
        judge: Judging = judge,
        trace: Tracing = trace,
        far: Far | None = None,
        sampled: Sampled | None = None,
        forms: bool = True,
        learned: Learned | None = None,
    ) -> None:
        self.catalog = catalog
        self.masker = masker
        self._judge = judge
        self._trace = trace
        self._cache: dict[str, Kept] = {}
        self._far = far
        #: What samples of the tables said when this reader was made.
        self.sampled = sampled
        self._long: dict[str, Kept] = {}
        self._failed: set[str] = set()
        #: None where somebody else judges, who may look at the text itself, or where what is masked grows meanwhile.
        self.forms = FormMemory[Template]() if forms and (judge, trace) == _OWN else None
        #: What other sessions of this process learned, and the part of it that holds for the session that was there last.
        self._learned = learned if masker.catalog is catalog else None
        self._shelf: FormMemory[Template] | None = None
        #: How plain statements are read under the session that was there last.
        self._ways: Plainly | None = None
        #: The session that was there last, and the same without names.
        self._session: j.SqlSession | None = None
        self._bare = j.SqlSession(prepared={}, cursors={})

    def read(self, text: str, session: j.SqlSession, epoch: int, *, fresh: bool = False) -> Reading:
        """`epoch` is that of the session's state: a reading is used again while nothing changed what names mean; never
        with `fresh`."""
        if fresh:
            return self._read(text, session)
        kept = self._cache.get(text) or self._long.get(text)
        if kept is not None and kept.holds(session, epoch):
            if text in self._failed:  # the next time it may be understood
                self._failed.discard(text)
                self._long.pop(text, None)
            return kept.reading
        reading, by_form = self._within(text, session) or self._by_form(text, session)
        if len(text) <= _KEPT_BYTES:
            if len(self._cache) >= _KEPT:
                self._cache.pop(next(iter(self._cache)))
            self._cache[text] = Kept(reading, epoch, session if by_form else None)
        return reading

    def is_far(self, text: str, epoch: int) -> bool:
        """Whether a text is so long that `study` must come before `read`: elsewhere, while others go on."""
        if self._far is None or len(text) <= NEAR:
            return False
        kept = self._cache.get(text) or self._long.get(text)
        return kept is None or kept.epoch != epoch

    async def study(self, text: str, session: j.SqlSession, epoch: int) -> None:
        """Understand a long text elsewhere; `read` knows it then. What fails is not understood, so it is refused."""
        if self._far is None:
            return
        try:
            reading = await self._far(text, session)
            if reading.standing is not None:
                shown = self.masker.rendered(text, reading.standing)
                reading = replace(reading, shown=shown, standing=None)
        except HoopError as problem:
            self._failed.add(text)
            parsed = Parsed(text, error=problem.message)
            beginning = self.masker.statement(text[:_BEGINNING], Parsed(text[:_BEGINNING], error=problem.message), ())
            shown = replace(beginning, text=declare_masked(beginning.text + "…"), complete=False)
            reading = Reading(text, parsed, judge(parsed, self.catalog, session), shown, (), touched=True, stable=False)
        while len(self._long) >= _LONG_KEPT:
            oldest = next(iter(self._long))
            self._long.pop(oldest)
            self._failed.discard(oldest)
        self._long[text] = Kept(reading, epoch)

    def read_body(self, body: Parsed, session: j.SqlSession, epoch: int) -> Reading:
        """What a portal runs. A name that SQL made (PREPARE, DECLARE) keeps its whole text, but runs only what is in it."""
        outer = self.read(body.text, session, epoch)
        if [one.node for one in outer.parsed.statements] == [one.node for one in body.statements]:
            return outer
        inner, _ = self._understood(body, session)
        return replace(
            inner, shown=outer.shown, touched=inner.touched or outer.touched, stable=False, prepared_by_sql=True
        )

    def refused_types(self, types: Sequence[int]) -> Refusal | None:
        """Why parameters may not be of these types: reading a value of some types runs code, which no text shows."""
        for oid in types:
            if oid < _FIRST_USER_OID:
                continue
            name = self.catalog.type_names.get(oid)
            call = known(self.catalog).type(name, ()) if name is not None else None
            if name is None or call is not None:
                shown = "unknown to the gateway" if name is None else f"{name[0]}.{name[1]}, which runs code"
                return Refusal(
                    f"a parameter is of a type {shown}", hint="Pass it as text and cast it in the statement."
                )
        return None

    def _read(self, text: str, session: j.SqlSession) -> Reading:
        return self._understood(parse(text), session)[0]

    def understand(self, text: str, session: j.SqlSession, *, show: bool) -> tuple[Reading, Standing]:
        """A reading and what in it stands against protected columns; rendered by whoever has all detectors, if not here."""
        return self._understood(parse(text), session, show=show)

    def _within(self, text: str, session: j.SqlSession) -> tuple[Reading, bool] | None:
        """`_by_form` of a text between comments, by what is known of it without them; None for any other."""
        pieces = None if self.forms is None else within(text)
        if pieces is None:
            return None
        before, core, after = pieces
        reading, by_form = self._by_form(core, session)
        found = around(reading, text, before, after, self.masker) if by_form else None
        return None if found is None else (found, True)

    def _by_form(self, text: str, session: j.SqlSession) -> tuple[Reading, bool]:
        """As `_read`, by what is known of texts that differ from this one in their literals; and whether it is one that no
        name of the session matters to."""
        form = None if self.forms is None else form_of(text)
        if self.forms is None or form is None:
            return self._read(text, session), False
        if session is not self._session:
            self._turn_to(session, self.forms)
        known = self.forms.find(form) or self._of_others(form, self.forms)
        if known is not None:
            return known.reading_of(text, form, self.masker), True
        # Nothing of these kinds asks for names that the session gives: where there are none, none can be asked for.
        worthwhile = (self.forms if self._shelf is None else self._shelf).worthwhile(form)
        plainly, parsed = (None, parse_anew(text)) if worthwhile else self._plainly(text, form)
        if plainly is not None:
            return plainly, True
        if len(parsed.statements) != 1 or parsed.statements[0].node not in KINDS:
            return self._understood(parsed, session)[0], False
        learned = self._learn(parsed, form, self.forms) if worthwhile else None
        return learned or self._understood(parsed, self._bare, light=True)[0], True

    def _plainly(self, text: str, form: Form) -> tuple[Reading | None, Parsed]:
        """The reading of a plain SELECT that has a form, in a short way; what it was parsed to where it is something else."""
        if self._ways is None:
            return None, parse_anew(text)
        plain, known = plain_text(text)
        try:
            found = None if plain is None else self._ways.read(text, plain)
        except Exception:  # noqa: BLE001 - whatever the short way trips over is read the long way, which never raises
            found = None
        if found is None:
            return None, known if isinstance(known, Parsed) else parse_anew(text, known)
        statement, lineage = found
        one = j.JudgedOne(statement)
        parsed = Parsed(text, (Unparsed("SelectStmt", text),))
        part = self._part({}, one, lineage)
        path = effective_path(self._bare.search_path, self._bare.role)
        shown = self.masker.rendered(text, self.masker.standing(text, parsed, path, lineage), form)
        judged = j.Judged((part.judged,), part.judged.statement)
        return Reading(text, parsed, judged, shown, (part,), part.touched, stable=True), parsed

    def _turn_to(self, session: j.SqlSession, forms: FormMemory[Template]) -> None:
        """Another state of the session: what is known of forms holds only where nothing but its names is another."""
        if not same_names(session, self._bare):
            forms.clear()
            self._bare = replace(session, prepared={}, cursors={})
            self._shelf = None
            self._ways = plainly(self.catalog, self._bare)
        if self._shelf is None and self._learned is not None:
            self._shelf = self._learned.shelf(self.catalog, self.masker.made_of, self._bare)
        self._session = session

    def _of_others(self, form: Form, forms: FormMemory[Template]) -> Template | None:
        """What another session learned about this form, from here on known to this one."""
        found = None if self._shelf is None else self._shelf.found(form)
        if found is None:
            return None
        template = found[1].anew()
        forms.keep(form, found[0], template)
        return template

    def _learn(self, parsed: Parsed, form: Form, forms: FormMemory[Template]) -> Reading | None:
        """The reading of a text, made without looking at its literals as far as that goes, and kept for others like it. The
        trees must be nobody else's."""
        statement = parsed.statements[0]
        hiding = Hiding(form, parsed.text, statement.tree)
        with hiding:
            reading, standing = self._understood(parsed, self._bare, light=True)
        outline = self.masker.outline(form, parsed.text, hiding.places, standing)
        judged = reading.judged.statements[0]
        if outline is None or judged.controls or not judged.statement.understood:
            forms.give_up(form)
            if self._shelf is not None:
                self._shelf.give_up(form)
            return None
        template = Template(statement.node, reading, outline)
        forms.keep(form, hiding.looked_at(), template)
        if self._shelf is not None and not self.masker.failures:  # what failed here need not fail for others
            self._shelf.keep(form, hiding.looked_at(), template.anew())
        return reading

    def _understood(
        self, parsed: Parsed, session: j.SqlSession, *, show: bool = True, light: bool = False
    ) -> tuple[Reading, Standing]:
        """`light`: of one statement, whose tree is not kept. It is ten times as large as its text, and hardly ever asked for."""
        judged = self._judge(parsed, self.catalog, session)
        known, first_path = None, effective_path(session.search_path, session.role)
        parts = []
        for statement, one in zip(parsed.statements, judged.statements, strict=True):
            tree = {statement.node: statement.tree}
            path = effective_path(session.search_path, session.role)
            lineage = self._trace(tree, self.catalog, path, Bodies(session), session.temporary, session.redefined)
            part = self._part(tree, one, lineage)
            parts.append(part)
            if len(parsed.statements) == 1 and statement.node in KINDS and not session.temporary:
                known = lineage
            # What the ones before it set is what the next one means, for the masker as for the judge.
            session = after(session, one.controls)
        named = any(isinstance(c, _NAMED) for one in judged.statements for c in one.controls)
        # A text nobody could read touches whatever it likes.
        touched = any(part.touched for part in parts) if parts else parsed.error is not None
        judged = _with_parts(judged, parts)
        standing = self.masker.standing(parsed.text, parsed, first_path, known)
        shown = self.masker.rendered(parsed.text, standing) if show else UNSHOWN
        if light:
            parsed = Parsed(parsed.text, (Unparsed(parsed.statements[0].node, parsed.text),))
        return Reading(parsed.text, parsed, judged, shown, tuple(parts), touched, stable=not named), standing

    def _part(self, tree: Tree, one: j.JudgedOne, lineage: Lineage) -> Part:
        if not one.statement.understood or one.unsure:
            lineage = nobody_knows(lineage, one)
        out = next((c for c in one.controls if isinstance(c, j.CopyOut)), None) if one.controls else None
        copy = None if out is None else CopyFormat.of(tree)
        judged = _copying(one, self.masker.copied(lineage))
        return Part(
            judged,
            lineage.output,
            self.masker.touched(lineage),
            copy,
            self.masker.refused_tests(lineage),
            self.masker.looked_up(lineage),
            stored(self.catalog, lineage) if self.masker.by_sample else frozenset(),
        )


def _copying(one: j.JudgedOne, copied: Sequence[tuple[str, str]]) -> j.JudgedOne:
    """Protected values that are written where nothing protects them would leave by the next SELECT: people decide."""
    if not copied:
        return one
    source, into = copied[0]
    if source == UNSEEN and (one.unsure or "." in into):
        problem = f"It may copy protected values to {into}: what it reads was defined anew in this transaction."
    elif source == UNSEEN:
        problem = f"Whatever the temporary view {into} shows later could be copied to where nothing protects it."
    else:
        problem = f"It copies protected values ({source}) to {into}, which is not protected."
    effects = one.statement.effects | {Effect.DANGER}
    return replace(one, statement=replace(one.statement, effects=effects, problem=problem))


def _with_parts(judged: j.Judged, parts: Sequence[Part]) -> j.Judged:
    """The judgement with what the masker adds to it."""
    if len(parts) == 1 and parts[0].judged is judged.statements[0]:
        return judged
    if all(part.judged is one for part, one in zip(parts, judged.statements, strict=True)):
        return judged
    added = next(
        part.judged.statement for part, one in zip(parts, judged.statements, strict=True) if part.judged is not one
    )
    combined = replace(judged.combined, effects=judged.combined.effects | added.effects, problem=added.problem)
    return j.Judged(tuple(part.judged for part in parts), combined)
