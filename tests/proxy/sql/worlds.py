"""Schemas and changes made by chance: foreign keys, inheritance, partitions, rules, triggers and views over each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")


@dataclass
class Dice:
    """The same throws for the same seed (a linear congruential generator)."""

    state: int

    def below(self, most: int) -> int:
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        return (self.state >> 33) % most

    def one(self, things: Sequence[T]) -> T:
        return things[self.below(len(things))]

    def sometimes(self, out_of: int = 3) -> bool:
        return self.below(out_of) == 0


_ACTIONS = ("CASCADE", "SET NULL", "SET DEFAULT", "NO ACTION")


@dataclass
class World:
    """One schema. `tables` have id, a, b, ref; `views` show id, a, b of a table or of each other."""

    name: str
    dice: Dice
    tables: list[str] = field(default_factory=list)
    views: list[str] = field(default_factory=list)
    ddl: list[str] = field(default_factory=list)

    def build(self) -> str:
        """The schema's definition, with rows in it."""
        self.ddl += [f"CREATE SCHEMA {self.name}", f"SET search_path = {self.name}"]
        for number in range(5):
            self._table(f"t{number}")
        self._partitioned("p")
        self._child("c")
        rows = "SELECT g, g, g % 3, NULL FROM generate_series(1, 6) g"
        self.ddl += [f"INSERT INTO {name} {rows}" for name in self.tables if name != "p0"]
        for number in range(4):
            self._reaction(number)
        for number in range(3):
            self._view(f"v{number}")
        return ";\n".join(self.ddl)

    def _table(self, name: str) -> None:
        key = ""
        if self.tables and not self.dice.sometimes(4):
            on_delete, on_update = self.dice.one(_ACTIONS), self.dice.one(_ACTIONS)
            key = f" REFERENCES {self.dice.one(self.tables)} ON DELETE {on_delete} ON UPDATE {on_update}"
            key += " DEFERRABLE INITIALLY DEFERRED" if self.dice.sometimes() else ""
        self.ddl.append(f"CREATE TABLE {name} (id int PRIMARY KEY, a int, b int, ref int{key})")
        self.tables.append(name)

    def _partitioned(self, name: str) -> None:
        on = self.dice.one(self.tables)
        self.ddl.append(
            f"CREATE TABLE {name} (id int PRIMARY KEY, a int, b int, ref int REFERENCES {on} ON DELETE CASCADE)"
            f" PARTITION BY RANGE (id)"
        )
        self.ddl += [
            f"CREATE TABLE {name}{low} PARTITION OF {name} FOR VALUES FROM ({low}) TO ({low + 50})" for low in (0, 50)
        ]
        self.tables += [name, f"{name}0"]

    def _child(self, name: str) -> None:
        self.ddl.append(f"CREATE TABLE {name} (extra int) INHERITS ({self.dice.one(self.tables[:5])})")

    def _reaction(self, number: int) -> None:
        """A rule or a trigger: a change of one table changes another one."""
        on, other = self.dice.one(self.tables[:5]), self.dice.one(self.tables)
        event = self.dice.one(("INSERT", "UPDATE", "DELETE"))
        row = "old" if event == "DELETE" else "new"
        does = self.dice.one((
            f"DELETE FROM {other} WHERE id = {row}.id + 100",
            f"UPDATE {other} SET b = b + 1 WHERE id = {row}.a",
            f"INSERT INTO {other} VALUES ({row}.id + 1000, 0, 0, NULL) ON CONFLICT DO NOTHING",
        ))  # fmt: skip
        if self.dice.sometimes() and other != on:
            self.ddl.append(
                f"CREATE RULE r{number} AS ON {event} TO {on} DO ALSO {does.removesuffix(' ON CONFLICT DO NOTHING')}"
            )
            return
        body = f"BEGIN {does}; RETURN {row}; END"
        self.ddl.append(f"CREATE FUNCTION f{number}() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$")
        when = self.dice.one(("BEFORE", "AFTER"))
        self.ddl.append(
            f"CREATE TRIGGER g{number} {when} {event} ON {on} FOR EACH ROW WHEN (pg_trigger_depth() < 3) EXECUTE FUNCTION f{number}()"
        )

    def _view(self, name: str) -> None:
        self.ddl.append(f"CREATE VIEW {name} AS SELECT id, a, b FROM {self.dice.one([*self.tables, *self.views])}")
        self.views.append(name)

    # -- changes

    def change(self) -> str:
        """One statement that changes something."""
        statement = self._plain()
        if self.dice.sometimes():
            return f"WITH x AS ({self._plain(returning=True)}) {statement}"
        if self.dice.sometimes(5):
            return f"WITH x AS ({self._plain(returning=True)}), y AS ({self._plain(returning=True)}) SELECT * FROM x, y"
        return f"EXPLAIN ANALYZE {statement}" if self.dice.sometimes(6) else statement

    def _plain(self, *, returning: bool = False) -> str:
        target, other = self.dice.one([*self.tables, *self.views, "c"]), self.dice.one(self.tables)
        number, more = self.dice.below(7), self.dice.below(90) + 10
        kind = self.dice.below(6)
        if kind == 0:
            text = f"INSERT INTO {target} (id, a, b) VALUES ({more}, {number}, 1)"
        elif kind == 1:
            text = f"INSERT INTO {other} (id, a) VALUES ({number}, 1) ON CONFLICT (id) DO UPDATE SET b = excluded.a"
        elif kind == 2:
            text = f"UPDATE {target} SET {self.dice.one(('a', 'b', 'id'))} = {more} WHERE id = {number}"
        elif kind == 3:
            text = f"DELETE FROM {target} USING {other} o WHERE {target}.id = o.id AND o.id = {number}"
        elif kind == 4 and not returning:
            act = self.dice.one(("DELETE", "UPDATE SET b = 9"))
            return (
                f"MERGE INTO {other} m USING (VALUES ({number})) s(id) ON m.id = s.id WHEN MATCHED THEN {act}"
                f" WHEN NOT MATCHED THEN INSERT (id, a) VALUES ({more}, 1)"
            )
        else:
            text = f"DELETE FROM {target} WHERE id = {number}"
        return f"{text} RETURNING {number}" if returning else text
