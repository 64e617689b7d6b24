"""When a condition lets other data stand for a value: comparing it with a dictionary reads it out without showing it.

`WHERE n = ascii(email)` over `generate_series(1, 255) n` prints the value in the column `n`. A comparison that one item of
FROM (a table, a function, VALUES) takes part in chooses among its own rows; one that two take part in lets the rows of the
one tell about the other. A `Mix` says which columns of each item take part; an item without columns (a series, constants)
is an empty one. Whether that gives something away is for those to say who know which columns are protected.
"""

from __future__ import annotations

from collections.abc import Iterable

#: One column as it was named: the base columns it may be (a view's or parent's column is several), none for a series.
Column = tuple[str, ...]
#: Where a value comes from: the item of FROM (a path of node identities, the innermost last) and its column.
Item = tuple[tuple[int, ...], Column]
#: The columns of each item that takes part in one comparison.
Mix = tuple[tuple[Column, ...], ...]

NONE: frozenset[Mix] = frozenset()


def mixes(items: Iterable[Item]) -> frozenset[Mix]:
    """The mix of one comparison of values that come from these items; nothing when they come from one."""
    items = tuple(items)
    if len(items) < 2:
        return NONE
    grouped: dict[tuple[int, ...], set[Column]] = {}
    for path, column in items:
        grouped.setdefault(path, set()).add(column)
    if len(grouped) < 2 or not any(column for columns in grouped.values() for column in columns):
        return NONE
    return frozenset({tuple(sorted(tuple(sorted(columns)) for columns in grouped.values()))})


def counted(touches: Iterable[str]) -> frozenset[Mix]:
    """The mix of a number of rows that these columns decide: a count of them is the value."""
    column = tuple(sorted(touches))
    return frozenset({(((),), (column,))}) if column else NONE


def stamped(items: frozenset[Item], item: int, touches: frozenset[str]) -> frozenset[Item]:
    """The items of a column that enters FROM at the node `item`: a query that is named twice is two items."""
    if not items:
        return frozenset({((item,), tuple(sorted(touches)))})
    return frozenset((path if item in path else (item, *path), column) for path, column in items)
