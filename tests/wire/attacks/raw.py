"""A client without manners: sends what it likes over a socket, and keeps every byte that comes back."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from struct import pack, unpack_from
from typing import Self

from proxy.postgres import messages as m
from proxy.postgres.login import Login, LoginFailed


@dataclass
class Said:
    """What came back up to a ReadyForQuery (or the end): `status` is None when the connection ended."""

    frames: list[bytes] = field(default_factory=list)
    status: str | None = None

    @property
    def kinds(self) -> str:
        return "".join(chr(frame[0]) for frame in self.frames)

    @property
    def errors(self) -> list[dict[str, str]]:
        return [m.parse_fields(frame) for frame in self.frames if frame[0] == m.ERROR]

    @property
    def refusals(self) -> list[dict[str, str]]:
        """The gateway's own errors: they have no routine."""
        return [fields for fields in self.errors if "R" not in fields]

    @property
    def rows(self) -> list[list[bytes | None]]:
        return [m.row_values(frame) for frame in self.frames if frame[0] == m.DATA_ROW]

    @property
    def tags(self) -> list[str]:
        return [m.parse_tag(frame) for frame in self.frames if frame[0] == m.COMPLETE]

    @property
    def raw(self) -> bytes:
        return b"".join(self.frames)


class Raw:
    """One connection. Context manager; `login` or not, as you like."""

    def __init__(self, address: tuple[str, int], timeout: float = 8) -> None:
        self.socket = socket.create_connection(address, timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray()
        self.process = 0
        self.secret = b""
        self.parameters: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def login(self, account: Mapping[str, str | int], **startup: str) -> Self:
        """SCRAM. Raises LoginFailed."""
        self.log_in_as(str(account["user"]), str(account["password"]), str(account["dbname"]), **startup)
        return self

    def log_in_as(self, user: str, password: str, database: str, **startup: str) -> None:
        login = Login({"user": user, "database": database, **startup}, password, encrypted=False)
        self.send(login.begin())
        while not login.done:
            data = self.socket.recv(65536)
            if not data:
                raise LoginFailed("the connection ended")
            self.send(login.feed(data))
        self.process, self.secret = login.result.process, login.result.secret
        self.parameters = login.result.parameters

    def send(self, *parts: bytes) -> Self:
        data = b"".join(parts)
        if data:
            self.socket.sendall(data)
        return self

    def frame(self) -> bytes | None:
        """The next message; None at the end of the connection."""
        while True:
            if len(self._buffer) >= 5:
                size = 1 + unpack_from(">I", self._buffer, 1)[0]
                if len(self._buffer) >= size:
                    found = bytes(self._buffer[:size])
                    del self._buffer[:size]
                    return found
            try:
                data = self.socket.recv(262144)
            except ConnectionError:
                return None
            if not data:
                return None
            self._buffer += data

    def until_ready(self, count: int = 1) -> Said:
        """Everything up to the `count`-th ReadyForQuery or the end. A COPY that waits for data is failed."""
        said = Said()
        while (frame := self.frame()) is not None:
            said.frames.append(frame)
            if frame[0] == m.READY:
                said.status = chr(frame[5])
                count -= 1
                if not count:
                    break
            elif frame[0] == m.COPY_IN:
                self.send(m.message(m.COPY_FAIL, b"no\0"))
        else:
            said.status = None
        return said

    def query(self, text: str | bytes) -> Said:
        raw = text.encode() if isinstance(text, str) else text
        with suppress(ConnectionError):
            self.send(m.message(m.QUERY, raw + b"\0"))
        return self.until_ready()

    def extended(self, text: str, values: Sequence[bytes | None] = (), types: Sequence[int] = ()) -> Said:
        """Parse, Bind, Describe, Execute, Sync with unnamed names."""
        self.send(parse("", text, types), bind("", "", values), m.describe("P", ""), execute(""), m.SYNC_MESSAGE)
        return self.until_ready()

    def rest(self, seconds: float = 3) -> bytes:
        """Whatever still comes until the connection ends or nothing comes any more."""
        self.socket.settimeout(seconds)
        data = bytes(self._buffer)
        self._buffer.clear()
        with suppress(OSError):
            while piece := self.socket.recv(65536):
                data += piece
        return data


def parse(name: str, text: str, types: Sequence[int] = ()) -> bytes:
    payload = m.cstring(name) + m.cstring(text) + pack(">H", len(types)) + b"".join(pack(">I", t) for t in types)
    return m.message(m.PARSE, payload)


def bind(
    portal: str,
    statement: str,
    values: Sequence[bytes | None] = (),
    formats: Sequence[int] = (),
    results: Sequence[int] = (),
) -> bytes:
    fields = b"".join(pack(">i", -1) if v is None else pack(">i", len(v)) + v for v in values)
    payload = m.cstring(portal) + m.cstring(statement) + pack(f">H{len(formats)}H", len(formats), *formats)
    payload += pack(">H", len(values)) + fields + pack(f">H{len(results)}H", len(results), *results)
    return m.message(m.BIND, payload)


def execute(portal: str, limit: int = 0) -> bytes:
    return m.message(m.EXECUTE, m.cstring(portal) + pack(">i", limit))


def close(kind: str, name: str) -> bytes:
    return m.message(m.CLOSE, kind.encode() + m.cstring(name))


def startup(pairs: Sequence[tuple[str, str]], version: int = m.PROTOCOL) -> bytes:
    """A startup packet with whatever is in it, duplicates too."""
    body = pack(">I", version) + b"".join(m.cstring(k) + m.cstring(v) for k, v in pairs) + b"\0"
    return pack(">I", len(body) + 4) + body
