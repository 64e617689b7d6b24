"""What is looked at of what the target sends to the client's side: places to listen, requests to an agent, X11's first bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.ssh.agent import MESSAGE_MAX, NotAgent, Requests, purpose_of, wanted
from proxy.ssh.display import COOKIE, Display, NotAllowed, Opening
from proxy.ssh.places import everywhere, may_listen


@pytest.mark.parametrize(
    ("host", "port", "places", "may"),
    [
        ("localhost", 9000, ["localhost:9000"], True), ("LOCALHOST", 9000, ["localhost:9000"], True), ("localhost", 9001, ["localhost:9000"], False),
        ("localhost", 9000, ["localhost:*"], True), ("localhost", 1023, ["localhost:*"], False), ("localhost", 22, ["localhost:22"], True),
        ("localhost", 0, ["localhost:*"], True), ("localhost", 0, ["localhost:9000"], False), ("127.0.0.1", 9000, ["localhost:*"], False),
        ("10.0.0.5", 9000, ["10.0.0.5:9000"], True), ("::1", 9000, ["[::1]:9000"], True), ("", 9000, [":9000", "localhost:*"], False),
        ("*", 9000, ["*:9000", "*:*"], False), ("0.0.0.0", 9000, ["0.0.0.0:9000"], False), ("::", 9000, ["[::]:9000"], False),
        ("localhost", 9000, [], False),
    ],
)  # fmt: skip
def test_where_something_may_listen(host: str, port: int, places: list[str], may: bool) -> None:
    assert may_listen(host, port, places) is may


@pytest.mark.parametrize(
    "host",
    [
        "",
        "*",
        "0",
        "0.0",
        "0x0",
        "00.0.0.0",
        "0.0.0.0",
        "::",
        "[::]",
        "0:0:0:0:0:0:0:0",
        "::ffff:0.0.0.0",
        "0.0.0.0.",
        " ",
    ],
)
def test_every_spelling_of_everywhere(host: str) -> None:
    assert everywhere(host)
    assert not may_listen(host, 9000, [f"{host}:9000", f"{host}:*"])


def test_hosts_that_are_one() -> None:
    assert not any(map(everywhere, ["localhost", "127.0.0.1", "10.0.0.1", "::1", "web-1.internal", "fe80::1"]))


def string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def sign(data: bytes, key: bytes = b"key") -> bytes:
    return b"\x0d" + string(key) + string(data) + b"\0\0\0\0"


LOGIN = string(b"session") + b"\x32" + string(b"deploy") + string(b"ssh-connection") + string(b"publickey") + b"\x01"
FAILS = string(b"\x1b" + string(b"refused@hoop"))


@pytest.mark.parametrize(
    ("body", "passed", "refused"),
    [
        (b"\x0b", True, ""), (sign(LOGIN), True, ""), (b"\x1b" + string(b"session-bind@openssh.com") + b"x", True, ""),
        (b"\x11" + b"a key", False, "a request of kind 17"), (b"\x12", False, "a request of kind 18"), (b"\x13", False, "a request of kind 19"),
        (b"\x16" + string(b"secret"), False, "a request of kind 22"), (b"\x19", False, "a request of kind 25"), (b"\x01", False, "a request of kind 1"),
        (b"\x0bmore", False, "a request of kind 11"), (b"\x1b" + string(b"query"), False, "the extension query"), (b"\xff", False, "a request of kind 255"),
    ],
)  # fmt: skip
def test_what_an_agent_is_asked(body: bytes, passed: bool, refused: str) -> None:
    one = wanted(body)
    assert one.refused == refused
    assert one.message == (string(body) if passed else FAILS)


@pytest.mark.parametrize(
    ("data", "purpose"),
    [
        (LOGIN, "a login as deploy"), (b"SSHSIG" + string(b"git") + string(b"") + string(b"sha512"), "a signature for git"),
        (b"", "something that is no login"), (b"\xff\xff\xff\xff", "something that is no login"), (string(b"x") + b"\x32", "something that is no login"),
        (LOGIN.replace(b"publickey", b"password "), "something that is no login"),
    ],
)  # fmt: skip
def test_what_is_signed(data: bytes, purpose: str) -> None:
    assert purpose_of(data) == purpose
    one = wanted(sign(data))
    assert one.purpose == purpose
    assert one.key == "SHA256:LHDhK3oGRvkiefQnx7OOczTY5Tic/xZ6HcMOc/gmtoM"


@pytest.mark.parametrize(
    "data",
    [b"\0\0\0\0", (MESSAGE_MAX + 1).to_bytes(4, "big"), b"\xff\xff\xff\xff", string(b"\x0d" + b"\0\0\xff\xff"), string(sign(b"x") + b"!"), string(b"\x1b\0")],
)  # fmt: skip
def test_what_is_no_request(data: bytes) -> None:
    with pytest.raises(NotAgent):
        Requests().feed(data)


@given(st.lists(st.sampled_from([b"\x0b", sign(LOGIN), b"\x11key", b"\x13"]), max_size=6), st.data())
def test_requests_are_found_however_they_are_cut(bodies: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(map(string, bodies))
    at = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    requests = Requests()
    found = [
        one for start, end in zip([0, *at], [*at, len(stream)], strict=True) for one in requests.feed(stream[start:end])
    ]
    assert found == [wanted(body) for body in bodies]


GIVEN, OWN = b"g" * 16, b"o" * 16


def opening(order: str, name: bytes = COOKIE, cookie: bytes = GIVEN, rest: bytes = b"request") -> bytes:
    def number(value: int) -> bytes:
        return value.to_bytes(2, "big" if order == "B" else "little")

    def filled(value: bytes) -> bytes:
        return value + bytes(-len(value) % 4)

    sizes = number(len(name)) + number(len(cookie))
    return order.encode() + b"\0" + number(11) + number(0) + sizes + b"\0\0" + filled(name) + filled(cookie) + rest


@given(st.sampled_from("Bl"), st.lists(st.integers(0, 60), max_size=6))
def test_the_cookie_is_exchanged_however_it_is_cut(order: str, cuts: list[int]) -> None:
    sent, at = opening(order), sorted(cuts)
    one = Opening(GIVEN, Display(COOKIE, OWN, 0))
    passed = b"".join(one.feed(sent[start:end]) for start, end in zip([0, *at], [*at, len(sent)], strict=True))
    assert passed == opening(order, cookie=OWN)
    assert one.feed(b"more") == b"more"


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (opening("l", cookie=OWN), "does not show the cookie"), (opening("l", cookie=b""), "does not show the cookie"), (opening("B", cookie=GIVEN[:15]), "does not"),
        (opening("l", name=b""), "does not show the cookie"), (opening("l", name=b"XDM-AUTHORIZATION-1"), "does not show"), (opening("l", cookie=b"g" * 300), "longer"),
        (b"GET / HTTP/1.0\r\n", "not X11"), (bytes(12), "not X11"),
    ],
)  # fmt: skip
def test_who_does_not_show_it_is_not_let_through(sent: bytes, why: str) -> None:
    with pytest.raises(NotAllowed, match=why):
        Opening(GIVEN, Display(COOKIE, OWN, 0)).feed(sent)
