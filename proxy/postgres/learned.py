"""What sessions learned about forms of statements (`proxy.sql.forms`), for those that come after them in the same process.

An application opens connections all the time and sends the same statements over each. What a text of a known form means
depends on the catalog, on what the masker is made of, and on the session but for the names it gives; where all of that is the
same, the answer is. It is compared, not assumed: the catalog by identity (whatever is read anew is another one), policies by
value, the key of hashes and pseudonyms (which belongs to one request), detectors by identity, and every field of `SqlSession`
there is or will be. Only the templates are shared. How results are rewritten is decided by each session for itself.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from weakref import WeakKeyDictionary

from proxy.masking.plan import MadeOf
from proxy.postgres.templates import Template, standing_of
from proxy.sql.catalog import Catalog
from proxy.sql.forms import FormMemory
from proxy.sql.judged import SqlSession

#: Different conditions that are remembered for a catalog, those of the longest ago go first; forms and templates (7 KB) for each.
SHELVES, FORMS, TEMPLATES = 32, 256, 256

Shelf = FormMemory[Template]


class Learned:
    """The memories of one process, by what the answers depend on. They go with their catalog."""

    def __init__(self) -> None:
        self._shelves: WeakKeyDictionary[Catalog, list[tuple[MadeOf, Hashable, Shelf]]] = WeakKeyDictionary()

    def shelf(self, catalog: Catalog, made_of: MadeOf, session: SqlSession) -> Shelf:
        """The memory of all sessions for which a text of a known form means the same as for this one."""
        shelves = self._shelves.setdefault(catalog, [])
        standing = _hashable(standing_of(session))
        for at, (other, its, shelf) in enumerate(shelves):
            if its == standing and made_of.is_like(other):
                shelves.append(shelves.pop(at))
                return shelf
        found = Shelf(forms=FORMS, most=TEMPLATES)
        shelves.append((made_of, standing, found))
        del shelves[:-SHELVES]
        return found


def _hashable(values: tuple[object, ...]) -> Hashable:
    """The same, not changed by whoever changes a mapping later."""
    return tuple(frozenset(one.items()) if isinstance(one, Mapping) else one for one in values)
