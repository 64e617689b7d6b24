"""The front guard: only what Slack signed just now, once; whatever else comes, no exception."""

from __future__ import annotations

import pytest

from bot.slack.guard import MOST, REMEMBERED, Nonces, refusal, signature_of
from bot.slack.limits import BODY
from tests.fakes.slack.deliveries import sign

NOW = 1_772_443_800.0
BODY_ = b"payload=%7B%7D"


def headers(
    timestamp: str | None = None, signature: str | None = None, secret: str = "s", body: bytes = BODY_
) -> dict[str, str]:
    stamp = str(int(NOW)) if timestamp is None else timestamp
    signed = signature_of(secret, stamp, body) if signature is None else signature
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signed}


def ask(given: dict[str, str], body: bytes = BODY_, secrets: tuple[str, ...] = ("s",), now: float = NOW) -> str | None:
    return refusal(given, body, secrets, Nonces(), now)


def test_our_signature_is_the_one_of_slacks_sdk() -> None:
    from slack_sdk.signature import SignatureVerifier

    own = signature_of("s", "1", BODY_)
    assert own == sign("s", "1", BODY_) == SignatureVerifier("s").generate_signature(timestamp="1", body=BODY_)


def test_a_fresh_signed_request_is_served() -> None:
    assert ask(headers()) is None


@pytest.mark.parametrize("age", [0, 299, 300, -59, -60])
def test_the_window_is_five_minutes_back_and_one_ahead(age: int) -> None:
    assert ask(headers(str(int(NOW) - age))) is None


@pytest.mark.parametrize("age", [301, 3_600, -61, -299, 10**9])
def test_outside_the_window_nothing_is_served(age: int) -> None:
    assert ask(headers(str(int(NOW) - age))) is not None


@pytest.mark.parametrize(
    "timestamp",
    ["", "abc", "1e9", "+1772443800", " 1772443800", "1772443800 ", "1772443800.0", "-1", "0x10", "9" * 20, "9" * 5_000,
     "١٧٧٢٤٤٣٨٠٠", "1772443800\n", "1_772_443_800", "nan", "inf", "\x00"],
)  # fmt: skip
def test_malformed_timestamps_are_refused_without_an_exception(timestamp: str) -> None:
    assert ask(headers(timestamp)) in {"timestamp missing or malformed", "timestamp outside the window"}


@pytest.mark.parametrize(
    "signature",
    ["", "v0=", "v0=" + "0" * 64, "v1=" + "0" * 64, "0" * 64, "v0=" + "0" * 63, "v0=" + "0" * 65, "v0=" + "G" * 64,
     "V0=" + "0" * 64, "v0=" + "é" * 64, "v0=" + "٠" * 64, "v0=" + "0" * 100_000, "\x00"],
)  # fmt: skip
def test_forged_and_malformed_signatures_are_refused(signature: str) -> None:
    assert ask(headers(signature=signature)) in {"signature missing or malformed", "signature does not match"}


def test_missing_headers_are_refused() -> None:
    assert ask({}) is not None
    assert ask({"X-Slack-Signature": headers()["X-Slack-Signature"]}) is not None
    assert ask({"X-Slack-Request-Timestamp": str(int(NOW))}) is not None


def test_another_body_or_timestamp_does_not_fit_the_signature() -> None:
    assert ask(headers(), BODY_ + b" ") == "signature does not match"
    moved = headers() | {"X-Slack-Request-Timestamp": str(int(NOW) - 1)}
    assert ask(moved) == "signature does not match"
    # the version and the separator are part of what is signed: digits cannot move from the time into the body
    shifted = headers(str(int(NOW))[:-1], headers()["X-Slack-Signature"])
    assert ask(shifted, str(int(NOW))[-1:].encode() + b":" + BODY_) is not None


def test_two_secrets_are_good_while_one_is_being_replaced() -> None:
    assert ask(headers(secret="old"), secrets=("new", "old")) is None
    assert ask(headers(secret="new"), secrets=("new", "old")) is None
    assert ask(headers(secret="older"), secrets=("new", "old")) == "signature does not match"


@pytest.mark.parametrize("secrets", [(), ("",), ("", "")])
def test_without_a_secret_nothing_is_served_not_even_what_the_empty_one_signed(secrets: tuple[str, ...]) -> None:
    assert ask(headers(secret=""), secrets=secrets) == "signature does not match"


def test_a_body_over_the_cap_is_refused_before_it_is_hashed() -> None:
    large = b"x" * (BODY + 1)
    assert ask(headers(signature="v0=" + "0" * 64), large) == "body too large"
    exact = b"x" * BODY
    assert ask(headers(body=exact), exact) is None


def test_a_replay_is_refused_but_only_after_the_first_was_served() -> None:
    nonces, given = Nonces(), headers()
    assert refusal(given, BODY_, ("s",), nonces, NOW) is None
    assert refusal(given, BODY_, ("s",), nonces, NOW) is None  # Slack's retry within the second, after a failure
    nonces.served(given["X-Slack-Signature"], NOW)
    assert refusal(given, BODY_, ("s",), nonces, NOW + 299) == "replayed"


def test_signatures_are_forgotten_when_their_time_is_over_and_when_there_are_too_many() -> None:
    nonces = Nonces()
    nonces.served("a", NOW)
    assert nonces.known("a", NOW + REMEMBERED)
    assert not nonces.known("a", NOW + REMEMBERED + 1)
    for number in range(MOST + 10):
        nonces.served(str(number), NOW)
    assert not nonces.known("0", NOW)
    assert nonces.known(str(MOST + 9), NOW)
