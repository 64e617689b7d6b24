"""Texts that stand for themselves (literals, parameters, names of columns): masked at once where it is certain what is in them.

It is the same knowledge as for cells of texts (`swift`), which is written for exactly what `Detectors.mask` says.
"""

from __future__ import annotations

from proxy.masking.certain import Certain
from proxy.masking.context import NO_CONTEXT
from proxy.masking.detectors import Detectors
from proxy.masking.messages import Mask
from proxy.masking.sifting import suspects
from proxy.masking.swift import looks_for
from proxy.native import native


def quickly(detectors: Detectors) -> Mask:
    """`detectors.mask_text` without a context: asked only where nothing else is certain."""
    flags = looks_for(detectors, NO_CONTEXT)
    if flags is None:
        return detectors.mask_text
    return _native(detectors) if native is not None else _here(detectors, flags)


def _native(detectors: Detectors) -> Mask:
    certain, ask = Certain(detectors).masked, detectors.mask_text

    def mask(text: str) -> str:
        found = certain(text)
        return ask(text) if found is None else found

    return mask


def _here(detectors: Detectors, flags: int) -> Mask:
    suspect, ask = suspects(flags), detectors.mask_text

    def mask(text: str) -> str:
        try:  # a detector may have come since (`Detectors.also`)
            return ask(text) if detectors.own or suspect(text.encode()) else text
        except UnicodeError:
            return ask(text)

    return mask
