"""A vault in memory."""

from __future__ import annotations

from access.errors import Unavailable


class Values:
    """A vault that can be changed."""

    def __init__(self, **values: str) -> None:
        self.values = values
        self.read: list[str] = []

    def secret(self, ref: str) -> str:
        self.read.append(ref)
        if ref not in self.values:
            raise Unavailable(f"The secret {ref} can not be read: it is not set.")
        return self.values[ref]
