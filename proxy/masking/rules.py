"""The owner's column rules applied to base columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import lru_cache

from access.masking import ColumnRule, Strategy
from proxy.sql.catalog import Catalog
from proxy.sql.lineage_functions import BOUNDS
from proxy.sql.lineage_mixing import Mix

#: Entity of columns that hold other people's statements: their literals are data, the rest is what people look for.
STATEMENT = "statement"

#: Columns of the server's own catalogs that hold copies of user data: statistics, large objects, statements. They are
#: protected as soon as anything is.
_COPIES_OF_DATA = (
    ColumnRule("pg_catalog.pg_stat_activity.query", STATEMENT, Strategy.REDACT),
    ColumnRule("*.pg_stat_statements.query", STATEMENT, Strategy.REDACT),
    ColumnRule("pg_catalog.pg_prepared_statements.statement", STATEMENT, Strategy.REDACT),
    ColumnRule("pg_catalog.pg_cursors.statement", STATEMENT, Strategy.REDACT),
    ColumnRule("pg_catalog.pg_statistic.stavalues*", "statistics", Strategy.NULL),
    ColumnRule("pg_catalog.pg_statistic_ext_data.*", "statistics", Strategy.NULL),
    ColumnRule("pg_catalog.pg_statistic.stawidth", "statistics", Strategy.NULL),
    ColumnRule("pg_catalog.pg_statistic.stanumbers*", "statistics", Strategy.NULL),
    ColumnRule("pg_catalog.pg_stats.most_common_*", "statistics", Strategy.NULL),
    ColumnRule("pg_catalog.pg_stats.avg_width", "statistics", Strategy.NULL),
    ColumnRule("pg_catalog.pg_stats.correlation", "statistics", Strategy.NULL),
    ColumnRule("pg_catalog.pg_stats.histogram_bounds", "statistics", Strategy.NULL),
    ColumnRule("pg_catalog.pg_stats.*_histogram", "statistics", Strategy.NULL),
    ColumnRule("pg_catalog.pg_stats_ext*.most_common_*", "statistics", Strategy.NULL),
    ColumnRule("pg_catalog.pg_stats_ext*.histogram_bounds", "statistics", Strategy.NULL),
    ColumnRule("pg_catalog.pg_largeobject.data", "large object", Strategy.NULL),
)

#: Protected where a column is by which a table is divided into partitions.
_BOUNDS = ColumnRule(BOUNDS, "bounds of partitions", Strategy.REDACT)

_CLEAR = ColumnRule("", "", Strategy.KEEP)

#: Remembered sets of columns; beyond that the memory starts anew.
_REMEMBERED = 4096


class Rules:
    """Column rules in the owner's order: the first that matches a column decides."""

    def __init__(
        self, rules: Sequence[ColumnRule], clear: Collection[str] = (), catalog: Catalog | None = None
    ) -> None:
        """`clear` are columns (`schema.table.column`, exactly) that pass whatever the rules say of them; `catalog` tells
        which columns' values are bounds of partitions."""
        #: Whether any column is protected at all.
        self.protecting = any(rule.strategy is not Strategy.KEEP for rule in rules)
        #: Whether bounds of partitions are values of protected columns.
        self.bounds = self.protecting and catalog is not None and _divided_by_protected(rules, catalog)
        always = (*_COPIES_OF_DATA, _BOUNDS) if self.bounds else _COPIES_OF_DATA
        every = (*rules, *always) if self.protecting else tuple(rules)
        self._clear = frozenset(clear)
        self._rules = [(rule, _matcher(rule.pattern)) for rule in every]
        self._order = {id(rule): index for index, rule in enumerate(every)}
        self._known: dict[str, ColumnRule | None] = {}
        self._protecting: dict[frozenset[str], bool] = {}

    def of(self, column: str) -> ColumnRule | None:
        """The rule of one base column (`schema.table.column`), KEEP rules included."""
        try:
            return self._known[column]
        except KeyError:
            pass
        found = next((rule for rule, matches in self._rules if matches(column)), None)
        if column in self._clear and found not in (*_COPIES_OF_DATA, _BOUNDS):
            found = _CLEAR
        self._known[column] = found
        return found

    def protecting_rules(self, columns: Iterable[str]) -> list[ColumnRule]:
        """The rules that protect any of these columns, in the owner's order, each once."""
        found = {id(rule): rule for column in columns if (rule := self.of(column)) is not None}
        protecting = [rule for rule in found.values() if rule.strategy is not Strategy.KEEP]
        return sorted(protecting, key=lambda rule: self._order[id(rule)])

    def protects(self, columns: frozenset[str]) -> bool:
        """Whether any of these columns is protected."""
        known = self._protecting.get(columns)
        if known is None:
            if len(self._protecting) >= _REMEMBERED:
                self._protecting.clear()
            known = self._protecting[columns] = bool(self.protecting_rules(columns))
        return known

    def told(self, mixed: Iterable[Mix]) -> bool:
        """Whether a mix lets a protected column be read off data that is not protected itself."""
        if not self.protecting:
            return False
        for items in mixed:
            hidden = [any(self.protecting_rules(column) for column in columns) for columns in items]
            shown = [any(not self.protecting_rules(column) for column in columns) for columns in items]
            if any(
                hides and any(shows for at, shows in enumerate(shown) if at != index)
                for index, hides in enumerate(hidden)
            ):
                return True
        return False

    def kept(self, columns: Iterable[str]) -> bool:
        """Whether the owner said of every one of these columns that it may pass as it is."""
        rules = [self.of(column) for column in columns]
        return bool(rules) and all(rule is not None and rule.strategy is Strategy.KEEP for rule in rules)


def _divided_by_protected(rules: Sequence[ColumnRule], catalog: Catalog) -> bool:
    """Whether a column by whose values tables are divided into partitions is protected, whoever may see it clear."""
    own = Rules(rules)
    return any(
        own.protecting_rules(catalog.origins(relation.oid, column.attnum))
        for relation in catalog.divided
        for column in relation.columns
        if column.name in relation.divided_by
    )


@lru_cache(4096)
def _matcher(pattern: str) -> Callable[[str], bool]:
    """`customers.email` as a test of `schema.table.column`: a glob for each part, the last part first.

    A quoted name may hold a dot itself; then nobody can tell the parts, and wildcards match across dots.
    """
    parts = pattern.removeprefix(_SAMPLED).lower().split(".")
    missing = r"(?:.*\.)?" if len(parts) < 3 else ""
    exact, loose = (
        re.compile(missing + r"\.".join(_glob(part, any_character) for part in parts), re.DOTALL)
        for any_character in ("[^.]", ".")
    )
    return lambda column: (exact if column.count(".") == 2 else loose).fullmatch(column.lower()) is not None


#: Before the pattern of a rule that nobody wrote: a sample of the column's table made it.
_SAMPLED = "sample:"


def by_sample(column: str, entity: str, strategy: Strategy) -> ColumnRule:
    """The rule for a column that holds names by a sample of its table."""
    return ColumnRule(_SAMPLED + literal(column), entity, strategy)


def made_by_sample(rule: ColumnRule) -> bool:
    """Whether nobody wrote it."""
    return rule.pattern.startswith(_SAMPLED)


def literal(column: str) -> str:
    """A pattern for this column alone; characters that mean something in patterns match any one."""
    return re.sub(r"[*?\[\]]", "?", column)


def _glob(part: str, any_character: str) -> str:
    return "".join({"*": f"{any_character}*", "?": any_character}.get(char) or re.escape(char) for char in part)
