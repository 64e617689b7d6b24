"""Texts that stand for themselves are masked as the detectors say, with and without asking them."""

from __future__ import annotations

import pytest

from access.masking import MaskPolicy, Strategy
from app.config_build import DEFAULT_DETECTION
from proxy.masking import quick
from proxy.masking.detectors import BY_NAME, ENTITIES, Detectors, own_detectors
from proxy.masking.quick import quickly
from proxy.native import native
from tests.proxy.masking import samples

EVERY = MaskPolicy(entities=dict.fromkeys(ENTITIES - BY_NAME, Strategy.SHAPE))
POLICIES = {
    "default": MaskPolicy(entities=DEFAULT_DETECTION),
    "every": EVERY,
    "none": MaskPolicy(),
    "hashed": MaskPolicy(entities={"email": Strategy.HASH, "phone": Strategy.NULL, "card": Strategy.PSEUDONYM}),
    "own": MaskPolicy(entities=DEFAULT_DETECTION, words={"project": ("DE", "zz")}, patterns={"code": ("[0-9]{5}",)}),
}
PLAIN = (
    "", "a", "KA", "10010", "50", "2026-11-11", "2026-11-20 10:33:44.123", "2010-11-11T10:00:00Z", "%ada%", "Müller", "日本", "12.50", "\ud800", "a\0b",
    "0123456789", "4111111111111111", "ada@example.com", "tel. +49 170 1234567", "DE89370400440532013000", "password=hunter22",
)  # fmt: skip


@pytest.fixture(params=["c", "python"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "python":
        monkeypatch.setattr(quick, "native", None)
    elif native is None:
        pytest.skip("the compiled part is not installed (or HOOP_NATIVE=0)")
    return str(request.param)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("policy", POLICIES.values(), ids=list(POLICIES))
def test_a_text_is_masked_as_the_detectors_say(policy: MaskPolicy) -> None:
    detectors = Detectors(policy, b"k")
    mask = quickly(detectors)
    for text in (*PLAIN, *(sample.text for sample in samples.samples(5, 6))):
        for around in (text, f"see {text}, please", f"x{text}", f"{text}9"):
            assert mask(around) == detectors.mask_text(around), around


@pytest.mark.usefixtures("way")
def test_a_detector_that_comes_later_is_asked() -> None:
    detectors = Detectors(POLICIES["default"], b"k")
    mask = quickly(detectors)
    assert mask("B-1234") == "B-1234"
    detectors.also(own_detectors(MaskPolicy(patterns={"badge": ("B-[0-9]+",)}))[0])
    assert mask("B-1234") == "«masked»"


def test_the_detectors_are_not_asked_about_what_is_certain(monkeypatch: pytest.MonkeyPatch) -> None:
    detectors = Detectors(POLICIES["default"], b"k")
    monkeypatch.setattr(detectors, "mask_text", lambda text: f"asked about {text}")
    mask = quickly(detectors)
    for text in PLAIN[:10]:
        assert mask(text) == text
