"""What a session that samples tables (`scanning`) hears: counts and names, as the rows of an ordinary result."""

from __future__ import annotations

import json
from functools import partial

from access.errors import HoopError
from access.masking import Masked, declare_masked
from proxy.admission import Admitted, Refusal
from proxy.conversation import Steps, Study
from proxy.masking.scan import Found
from proxy.postgres import admitting
from proxy.postgres import messages as m
from proxy.postgres.exchange import Exchange
from proxy.postgres.messages import Field
from proxy.postgres.reading import Reading
from proxy.postgres.scanning import COLUMNS, Scanning, wanted
from proxy.recording import packed, result

_TEXT = 25


def answer(conv: Exchange, scanning: Scanning, reading: Reading, admitted: Admitted) -> Steps[None]:
    """Answer an admitted sample."""
    asked = wanted(reading, conv.reader.catalog)
    if isinstance(asked, Refusal):  # the catalog changed in between
        yield from admitting.refuse(conv, asked)
        return
    found: list[Found] = []
    looked = yield from conv.gate.ask(Study(partial(scanning.look, *asked, found)))
    if isinstance(looked, HoopError):
        conv.out.to_client.append(m.error("58000", looked.message) + m.ready(conv.responses.status))
        outcome, detail = "failed", declare_masked(looked.message)
    else:
        _tell(conv, admitted.number, [_row(one) for one in found])
        outcome, detail = "succeeded", declare_masked(f"SELECT {len(found)}")
    conv.gate.conclude(admitted, outcome, detail)


def _tell(conv: Exchange, number: int, rows: list[list[Masked]]) -> None:
    fields = tuple(Field(name, 0, 0, _TEXT, -1, -1, 0) for name in COLUMNS)
    tag = f"SELECT {len(rows)}"
    frames = [m.row_description(fields), *(m.data_row([value.encode() for value in row]) for row in rows)]
    frames += [m.message(m.COMPLETE, m.cstring(tag)), m.ready(conv.responses.status)]
    conv.out.to_client.append(b"".join(frames))
    values = b"".join(packed(row) for row in rows)
    conv.out.results.append(result(conv.gate.at_ms(), number, packed(list(COLUMNS)), values, packed(tag), len(rows), 0))


def _row(one: Found) -> list[Masked]:
    """Counts and names: nothing of the sample is in a finding."""
    cells = (one.column, one.entity, f"{one.confidence:.4f}", str(one.hits), str(one.looked), json.dumps(one.evidence),
             str(one.inside), str(one.rule))  # fmt: skip
    return [declare_masked(cell) for cell in cells]
