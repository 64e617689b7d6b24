"""A real psql in a child process. The token goes by PGPASSWORD: a command line is visible to everybody on the machine."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Self

from access.errors import Unavailable

OPTIONS = ("--no-psqlrc", "--set", "ON_ERROR_STOP=0", "--pset", "pager=off", "--pset", "null=∅")


class Psql:
    """One psql session: statements go in by its standard input, everything it prints comes back as text."""

    def __init__(self, program: Path, url: str, token: str) -> None:
        self._program = program
        self._url = url
        self._token = token
        self._process: asyncio.subprocess.Process | None = None
        self._printed = ""

    async def __aenter__(self) -> Self:
        environment = {**os.environ, "PGPASSWORD": self._token, "PGCONNECT_TIMEOUT": "10"}
        self._process = await asyncio.create_subprocess_exec(
            self._program,
            *OPTIONS,
            self._url,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environment,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            if self._process.stdin is not None:
                self._process.stdin.close()
            try:
                await asyncio.wait_for(self._process.wait(), 5)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()

    def send(self, statement: str) -> None:
        """Type a statement and Enter; `printed_until` waits for what it gives."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{statement}\n".encode())

    async def run(self, statement: str, seconds: float = 15.0) -> str:
        """A statement and all that it prints. Raises Unavailable when psql is still waiting after `seconds`."""
        end = "\\echo ---end-of-statement---"
        self.send(f"{statement}\n{end}")
        return (await self.printed_until("---end-of-statement---", seconds)).removesuffix("---end-of-statement---\n")

    async def printed_until(self, mark: str, seconds: float = 15.0) -> str:
        """What was printed since the last call, up to and including the line with `mark`, or to the end of psql."""
        assert self._process is not None
        assert self._process.stdout is not None
        lines = ""
        try:
            async with asyncio.timeout(seconds):
                while mark not in lines:
                    line = await self._process.stdout.readline()
                    if not line:
                        break
                    lines += line.decode("utf-8", "replace")
        except TimeoutError:
            raise Unavailable(f"psql printed no “{mark}” within {seconds:g} s, only: {lines[-300:]}") from None
        return lines
