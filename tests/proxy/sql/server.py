"""Raw access to a real server: text in, what it did out. The oracle of the judge's tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import pq, sql

_CHANGES = b"""
    SELECT schemaname || '.' || relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables
     WHERE n_tup_ins + n_tup_upd + n_tup_del > 0"""


class Server:
    """One connection, spoken to by simple queries."""

    def __init__(self, dsn: str) -> None:
        self._connection = pq.PGconn.connect(dsn.encode())
        assert self._connection.status == pq.ConnStatus.OK, self._connection.error_message

    def run(self, text: str) -> str:
        """Run a text as psql would; the SQLSTATE of its error, or empty. What comes back is thrown away."""
        state = ""
        self._connection.send_query(text.encode())
        while (result := self._connection.get_result()) is not None:
            if result.status == pq.ExecStatus.COPY_OUT:
                while self._connection.get_copy_data(0)[0] > 0:
                    pass
            elif result.status in {pq.ExecStatus.COPY_IN, pq.ExecStatus.COPY_BOTH}:
                self._connection.put_copy_end(b"not now")
            elif result.status == pq.ExecStatus.FATAL_ERROR:
                state = state or (result.error_field(pq.DiagnosticField.SQLSTATE) or b"?????").decode()
        return state

    def rows(self, query: bytes) -> list[tuple[str, ...]]:
        result = self._connection.exec_(query)
        assert result.status == pq.ExecStatus.TUPLES_OK, result.error_message
        columns = range(result.nfields)
        return [tuple((result.get_value(row, at) or b"").decode() for at in columns) for row in range(result.ntuples)]

    def syntax_error(self, text: str) -> bool:
        """Whether the server's parser refuses the text. Nothing is run."""
        result = self._connection.prepare(b"", text.encode())
        message = result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b""
        return result.status == pq.ExecStatus.FATAL_ERROR and any(
            part in message for part in (b"syntax error", b"unterminated", b"at or near")
        )

    def changed(self) -> dict[str, int]:
        """Table → rows changed so far, as the server counts them."""
        return {name: int(count) for name, count in self.rows(_CHANGES)}

    def fresh(self) -> None:
        """Back to a session as it was when connected."""
        self.run("ROLLBACK")
        self.run("DISCARD ALL")

    def close(self) -> None:
        self._connection.finish()


@contextmanager
def copy_of(dsn: str, admin: str, name: str) -> Iterator[str]:
    """A throw-away copy of the database in `dsn`, made through the `admin` connection string."""
    source = psycopg.conninfo.conninfo_to_dict(dsn)["dbname"]
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(str(source)))
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(create)
        yield psycopg.conninfo.make_conninfo(dsn, dbname=name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
