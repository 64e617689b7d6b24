"""The addresses of the console that cards and private messages point to. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Links:
    """`base` is the public address of the console, without a trailing slash."""

    base: str

    def login(self, secret: str) -> str:
        """The single-use login page. The secret is in the path; opening it logs nobody in before a confirming click."""
        return f"{self.base}/login/{secret}"

    def confirm(self, secret: str) -> str:
        """The page on which one approval is confirmed. The secret is in the path; opening it approves nothing."""
        return f"{self.base}/confirm/{secret}"

    def session(self, session: str) -> str:
        """The replay page of a session."""
        return f"{self.base}/sessions/{session}"

    def request(self, request: str) -> str:
        """The page of a request."""
        return f"{self.base}/requests/{request}"
