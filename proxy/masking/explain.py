"""Query plans: conditions in them quote literals, which may be values of protected columns."""

from __future__ import annotations

import re

from proxy.masking import jsontext
from proxy.masking.detectors import Detectors
from proxy.masking.strategies import REDACTED
from proxy.masking.swift import Cell
from proxy.masking.types import Kind, kind_of
from proxy.masking.values import guarded

_REDACTED = REDACTED.encode()
_QUOTED = f"'{REDACTED}'"
#: An identifier or YAML string, a literal, or a literal that goes on in the next line.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.|"")*"|\'(?:[^\']|\'\')*\'(?!\')|\'(?:[^\']|\'\')*$', re.DOTALL)
_CLOSING = re.compile(r"(?:[^']|'')*'(?!')", re.DOTALL)
_INNER = re.compile(r"'.*'", re.DOTALL)


class PlanLines:
    """The lines of one EXPLAIN in order; a literal may span several. `touched`: literals are replaced."""

    def __init__(self, detectors: Detectors, touched: bool) -> None:  # noqa: FBT001 - the masker's word
        self._detectors = detectors
        self._touched = touched
        self._open = False

    def cell(self, type_oid: int) -> Cell:
        """The cell of the QUERY PLAN column: text, json or xml, by the FORMAT asked for."""
        if kind_of(type_oid) is Kind.JSON:
            return guarded(self._json, b'"%s"' % _REDACTED)
        return guarded(self._line, _REDACTED)

    def _line(self, value: bytes) -> bytes:
        before = value.decode()
        after = self._detectors.mask_text(self._literals(before))
        return value if after == before else after.encode()

    def _json(self, value: bytes) -> bytes:
        def leaf(text: str, string: bool, _keys: object) -> str:  # noqa: FBT001 - the interface of a leaf
            self._open = False
            after = self._detectors.mask_text(self._literals(text)) if string else text
            return text if after == text else after

        before = value.decode()
        after = jsontext.rewrite(before, leaf, lambda key: key)
        return value if after is before else after.encode()

    def _literals(self, line: str) -> str:
        if not self._touched:
            return line
        at = 0
        head = ""
        if self._open:
            closing = _CLOSING.match(line)
            if closing is None:
                return REDACTED
            head, at, self._open = REDACTED + "'", closing.end(), False
        return head + _TOKEN.sub(self._replace, line[at:])

    def _replace(self, token: re.Match[str]) -> str:
        text = token[0]
        if text[0] == '"':
            return _INNER.sub(_QUOTED, text)
        if len(text) > 1 and text[-1] == "'" and text[1:-1].count("'") % 2 == 0:
            return _QUOTED
        self._open = True
        return _QUOTED[:-1]
