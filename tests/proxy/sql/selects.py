"""SELECTs made by chance over the tables of `shop.sql`: mostly plain ones, some of them nearly."""

from __future__ import annotations

from collections.abc import Iterator

from tests.proxy.sql.worlds import Dice

TABLES = {
    "customers": ("id", "name", "email", "country", "active", "age", "created_at", "data", "tags"),
    "orders": ("id", "customer_id", "status", "total", "created_at"),
    "order_items": ("order_id", "line", "product", "qty"),
    "notes": ("id", "customer_id", "body"),
    "crm.leads": ("id", "email"),
    "crm.customers": ("id", "secret"),
    "events": ("id", "at", "kind"),
    "events_2024": ("id", "at", "kind"),
    "animals": ("id", "name"),
    "dogs": ("id", "name", "breed"),
    "v_customers": ("id", "mail", "name"),
    "v_nested": ("id", "mail", "total"),
    "m_totals": ("customer_id", "total"),
    "counters": ("name", "n"),
    "v_wipe": ("done",),
    "v_settings": ("name", "setting"),
    "nowhere": ("id",),
    "pg_class": ("relname", "oid", "relpartbound"),
}
#: Three of four tables are ordinary ones, so that most statements are plain.
USUAL = (
    "customers",
    "customers",
    "orders",
    "orders",
    "order_items",
    "notes",
    "crm.leads",
    "events",
    "dogs",
    "counters",
    "m_totals",
)
OPERATORS = ("=", "=", "=", "<>", "<", ">=", "~", "||", "->>", "@>", "/", "===", "%")
CALLS = (
    "count(*)", "count({})", "count(DISTINCT {})", "sum({})", "max({})", "lower({})", "substr({}, 2)", "left({}, 12345)", "coalesce({}, {})",
    "nullif({}, {})", "date_trunc('day', {})", "now()", "length(trim({}))", "num_nulls({}, {})", "upper({})", "concat({}, ' ', {})", "abs({} - {})",
)  # fmt: skip
ODD = (
    "array_agg({})", "string_agg({}, ',')", "wipe()", "harmless({})", "registered_fn({})", "pg_sleep({})", "setseed({})", "generate_series(1, {})",
    "unnest({})", "row_number() OVER (ORDER BY {})", "sum({}) FILTER (WHERE {} > 1)", "(SELECT 1)", "evil_sum({})", "nothing({})",
    "current_setting('x.y')", "pg_get_expr({}, 1)", "ARRAY[{}, {}]", "({})::checked", "({})::mood", "ROW({}, {})", "current_user", "GREATEST({}, {})",
    "public.upper({})", "({}).x", '{} COLLATE "C"', "{} IS DISTINCT FROM {}", "{} AT TIME ZONE 'UTC'", "EXTRACT(year FROM {})", "{}[1]",
    "EXISTS (SELECT 1)", "{} IN (SELECT 1)", "XMLELEMENT(NAME a, {})", "pg_catalog.lower({})", "{} OPERATOR(pg_catalog.=) {}", "c.evil", "notes.email",
)  # fmt: skip
CASTS = ("text", "int", "numeric(10, 2)", "varchar(20)", "timestamptz", "date", "pg_catalog.text", "text[]", "jsonb")


class Maker:
    """Makes them; `scope` are the tables of the one at hand."""

    def __init__(self, seed: int) -> None:
        self.dice = Dice(seed)
        self.scope: list[tuple[str, str]] = []

    def column(self) -> str:
        if not self.scope or self.dice.sometimes(60):
            return self.dice.one(("id", "nothing.id", "o", "ctid", "customers.evil", "public.customers.id"))
        table, name = self.dice.one(self.scope)
        column = self.dice.one(TABLES[table]) if not self.dice.sometimes(80) else "missing"
        return column if self.dice.sometimes(4) else f"{name}.{column}"

    def constant(self) -> str:
        return self.dice.one(
            (
                "1",
                "0",
                "12345",
                "-7",
                "1.5",
                "10000000000",
                "'ana@example.com'",
                "'DE'",
                "''",
                "NULL",
                "true",
                "$1",
                "$2",
            )
        )

    def value(self, depth: int = 0) -> str:
        throw = self.dice.below(12)
        if depth > 2 or throw < 5:
            return self.column()
        if throw < 7:
            return self.constant()
        if throw == 7:
            return (
                f"{self.value(depth + 1)}::{self.dice.one(CASTS)}"
                if self.dice.sometimes(2)
                else f"CAST({self.value(depth + 1)} AS text)"
            )
        if throw == 8:
            return f"({self.value(depth + 1)} {self.dice.one(OPERATORS)} {self.value(depth + 1)})"
        if throw == 9:
            end = f" ELSE {self.value(depth + 1)}" if self.dice.sometimes(2) else ""
            first = (
                f" {self.value(depth + 1)} WHEN {self.constant()}"
                if self.dice.sometimes(4)
                else f" WHEN {self.condition(depth + 1)}"
            )
            return f"CASE{first} THEN {self.value(depth + 1)}{end} END"
        call = self.dice.one(ODD if self.dice.sometimes(12) else CALLS)
        return call.format(*(self.value(depth + 1) for _ in range(call.count("{}"))))

    def condition(self, depth: int = 0) -> str:
        throw = self.dice.below(14)
        if depth < 3 and throw < 4:
            parts = (self.condition(depth + 1) for _ in range(2 + self.dice.below(2)))
            return f"({self.dice.one((' AND ', ' AND ', ' OR ')).join(parts)})"
        if throw == 4:
            return f"NOT {self.condition(depth + 1)}" if depth < 3 else "true"
        if throw == 5:
            return f"{self.value(1)} IS {self.dice.one(('', 'NOT '))}NULL"
        if throw == 6:
            return f"{self.column()} {self.dice.one(('', 'NOT '))}IN ({self.constant()}, {self.constant()}, {self.value(2)})"
        if throw == 7:
            return f"{self.column()} BETWEEN {self.value(2)} AND {self.value(2)}"
        if throw == 8:
            return f"{self.column()} {self.dice.one(('LIKE', 'NOT ILIKE', '= ANY', '<> ALL'))} ({self.constant()})"
        if throw == 9:
            return f"{self.constant()}::text = {self.column()}"
        if throw == 10:
            return f"{self.column()} = {self.constant()}::int"
        if throw == 11:
            return self.value()
        return f"{self.column()} {self.dice.one(OPERATORS)} {self.dice.one((self.column, self.constant))()}"

    def table(self) -> str:
        table = self.dice.one(tuple(TABLES)) if self.dice.sometimes(10) else self.dice.one(USUAL)
        name = table.rpartition(".")[2]
        written = f"public.{table}" if "." not in table and self.dice.sometimes(5) else table
        if self.dice.sometimes(3) or any(name == known for _, known in self.scope):
            name = f"{name[0]}{len(self.scope)}"
            written += f" AS {name}"
        self.scope.append((table, name))
        return written

    def joined(self) -> str:
        text = self.table()
        for _ in range(self.dice.below(3)):
            kind = self.dice.below(9)
            if kind == 0:
                text += f", {self.table()}"
            elif kind == 1:
                text += f" CROSS JOIN {self.table()}"
            elif kind == 2 and self.dice.sometimes(3):
                text += f" JOIN {self.table()} USING (id)"
            elif kind == 3:
                text += f" LEFT JOIN ({self.table()} JOIN {self.table()} ON {self.condition(1)}) ON {self.condition(1)}"
            else:
                text += (
                    f"{self.dice.one((' JOIN ', ' LEFT JOIN ', ' FULL JOIN '))}{self.table()} ON {self.condition(1)}"
                )
        return text

    def output(self) -> str:
        if self.dice.sometimes(12):
            return self.dice.one(("*", f"{self.scope[0][1]}.*")) if self.scope else "1"
        text = self.value()
        return f"{text} AS {self.dice.one(('total', 'id', 'name', 'x'))}" if self.dice.sometimes(3) else text

    def grouping(self) -> str:
        throw = self.dice.below(6)
        return (
            self.column()
            if throw < 3
            else self.dice.one(("1", "2", "9", "total", "id", "name", self.value(), self.condition(2)))
        )

    def select(self) -> str:
        self.scope = []
        source = "" if self.dice.sometimes(20) else f" FROM {self.joined()}"
        distinct = self.dice.one(("", "", "", "", "DISTINCT ", f"DISTINCT ON ({self.grouping()}) "))
        text = f"SELECT {distinct}{', '.join(self.output() for _ in range(1 + self.dice.below(4)))}{source}"
        if self.dice.sometimes(2):
            text += f" WHERE {self.condition()}"
        if self.dice.sometimes(4):
            text += f" GROUP BY {self.grouping()}, {self.grouping()}"
        if self.dice.sometimes(8):
            text += f" HAVING {self.condition()}"
        if self.dice.sometimes(3):
            text += f" ORDER BY {self.grouping()}{self.dice.one(('', ' DESC', ' NULLS LAST', ' USING <'))}, {self.grouping()}"
        if self.dice.sometimes(3):
            text += f" LIMIT {self.dice.one(('1', '50', '100000', '100001', '$3', 'ALL', 'NULL', '1.5', '(1 + 1)', '0', '-1'))}"
        if self.dice.sometimes(9):
            text += f" OFFSET {self.dice.one(('1', '$4'))}"
        return text + (
            self.dice.one((" FOR UPDATE", " UNION SELECT 1", ";", " FETCH FIRST ROW ONLY"))
            if self.dice.sometimes(15)
            else ""
        )


def made(seed: int, count: int) -> Iterator[str]:
    maker = Maker(seed)
    for _ in range(count):
        yield maker.select()
