"""The rendering of statements that differ only in their literals: what stands around them is masked once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from proxy.masking import sqltext
from proxy.masking.literals import Hides, Shown, Standing, finished, token
from proxy.masking.messages import Mask


@dataclass(frozen=True, slots=True)
class Outline:
    """`pieces` is the masked text around the literals, one more than them; `hides` how much of each must not be seen."""

    pieces: tuple[str, ...]
    hides: tuple[Hides, ...]
    parameters: frozenset[int]


def outline(
    encoded: bytes, literals: Sequence[str], places: Mapping[int, int], standing: Standing, mask: Mask
) -> Outline | None:
    """Around `literals`, which stand at these bytes; None when the text does not fall into the same tokens."""
    pieces, hides = [""], list[Hides]()
    at = 0
    for part in sqltext.parts(encoded):
        index = places.get(part.start)
        inner = encoded[part.inner_start : part.inner_end].decode("utf-8", "replace")
        pieces[-1] += encoded[at : part.inner_start].decode("utf-8", "replace")
        at = part.inner_end
        hidden = standing.hides(part)
        if index is None:
            pieces[-1] += token(part.kind, inner, hidden, mask)
            continue
        if index != len(hides) or literals[index] != encoded[part.start : part.end].decode("utf-8", "replace"):
            return None
        pieces.append("")
        hides.append(hidden)
    pieces[-1] += encoded[at:].decode("utf-8", "replace")
    if len(hides) != len(literals):
        return None
    return Outline(tuple(pieces), tuple(hides), frozenset(standing.parameters))


def filled(outline: Outline, text: str, literals: Sequence[str], mask: Mask) -> Shown:
    """The rendering of `text`, which has these literals in their places."""
    masked = [outline.pieces[0]]
    for literal, hides, piece in zip(literals, outline.hides, outline.pieces[1:], strict=True):
        string = literal[0] == "'"
        masked.append(token("string" if string else "number", literal[1:-1] if string else literal, hides, mask))
        masked.append(piece)
    return finished(text, "".join(masked), outline.parameters)
