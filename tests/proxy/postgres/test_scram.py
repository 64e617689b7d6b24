"""SCRAM-SHA-256 to the client: the right token, wrong ones, and people who do not exist."""

from __future__ import annotations

import pytest
import scramp

from identity.tokens import scram_verifier
from proxy.postgres import messages as m
from proxy.postgres.scram import ScramServer
from proxy.verifiers import MECHANISM, AuthenticationFailed, Verifier

VERIFIER = Verifier.parse(scram_verifier("the token", b"s" * 16))
KEY = b"k" * 32


def _initial(data: bytes, mechanism: str = MECHANISM) -> bytes:
    return m.password(m.cstring(mechanism) + len(data).to_bytes(4, "big") + data)


def _exchange(verifier: Verifier, password: str, *, libpq: bool = False) -> None:
    client = scramp.ScramClient([MECHANISM], "dana", password, c_nonce="client")
    server = ScramServer(verifier, "server")
    first = client.get_client_first()
    if libpq:  # an empty user name, as libpq sends it
        first = first.replace("n=dana", "n=")
        client.client_first_bare = client.client_first_bare.replace("n=dana", "n=")
    client.set_server_first(server.first(_initial(first.encode())).decode())
    client.set_server_final(server.final(m.password(client.get_client_final().encode())).decode())


@pytest.mark.parametrize("libpq", [True, False])
def test_the_token_lets_in_and_the_server_proves_itself(libpq: bool):
    _exchange(VERIFIER, "the token", libpq=libpq)


def test_another_password_does_not():
    with pytest.raises(AuthenticationFailed):
        _exchange(VERIFIER, "the Token")


def test_somebody_unknown_fails_at_the_same_place_and_always_alike():
    mock = Verifier.mock("prod/eve", KEY)
    with pytest.raises(AuthenticationFailed):
        _exchange(mock, "anything")
    assert mock == Verifier.mock("prod/eve", KEY) != Verifier.mock("prod/dan", KEY)
    assert mock.iterations == VERIFIER.iterations and len(mock.salt) == len(VERIFIER.salt)


@pytest.mark.parametrize(
    "frame",
    [
        _initial(b"n,,n=x,r=abc", "SCRAM-SHA-256-PLUS"),
        _initial(b"p=tls-server-end-point,,n=x,r=abc"),
        _initial(b"n,a=other,n=x,r=abc"),
        _initial(b"garbage"),
        _initial(b"n,,n=x"),
        _initial(b"\xff\xff"),
        m.password(b""),
        m.password(m.cstring(MECHANISM) + b"\xff\xff\xff\xff"),
        _initial(b"n,,n=x,r=abc") + b"more",
    ],
)
def test_first_messages_that_are_none(frame: bytes):
    with pytest.raises(AuthenticationFailed):
        ScramServer(VERIFIER, "server").first(frame)


def test_a_final_message_with_another_nonce_or_none():
    for final in (b"c=biws,r=other,p=AAAA", b"", b"\xff"):
        server = ScramServer(VERIFIER, "server")
        server.first(_initial(b"n,,n=x,r=abc"))
        with pytest.raises(AuthenticationFailed):
            server.final(m.password(final))


@pytest.mark.parametrize("text", ["", "md5abc", "SCRAM-SHA-1$4096:AA==$AA==:AA==", "SCRAM-SHA-256$x:AA==$AA==:AA==",
                                  "SCRAM-SHA-256$4096:??$AA==:AA=="])  # fmt: skip
def test_verifiers_that_are_none_let_nobody_in(text: str):
    with pytest.raises(AuthenticationFailed):
        Verifier.parse(text)


def test_keys_stay_out_of_representations():
    assert "stored_key" not in repr(VERIFIER) and "server_key" not in repr(VERIFIER)
