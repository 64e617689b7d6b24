"""Bytes ↔ values: every parser reads what is well-formed and raises FrameError, nothing else, on the rest."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.postgres import messages as m
from proxy.postgres.frames import FrameError
from tests.proxy.playbook import bind, close, described, execute, row

WELL_FORMED: list[tuple[Callable[[bytes], object], bytes, object]] = [
    (m.parse_query, m.query("SELECT 'é'"), "SELECT 'é'".encode()),
    (m.parse_parse, m.parse("s", "SELECT $1"), m.Parse("s", b"SELECT $1", ())),
    (m.parse_parse, m.message(m.PARSE, b"s\0q\0\0\x01\0\0\0\x17"), m.Parse("s", b"q", (23,))),
    (m.parse_bind, bind("s", "p", [b"1", None], [1]), m.Bind("p", "s", (), (b"1", None), (1,))),
    (m.parse_target, m.describe("S", "x"), m.Target("S", "x")),
    (m.parse_target, close("P", ""), m.Target("P", "")),
    (m.parse_execute, execute("p", 7), m.Execute("p", 7)),
    (m.parse_row_description, described("a"), (m.Field("a", 0, 0, 25, -1, -1, 0),)),
    (m.parse_parameter_types, m.message(m.PARAMETERS, b"\0\x01\0\0\0\x17"), (23,)),
    (m.parse_fields, m.error("42501", "no", detail="d", hint="h"), {"S": "ERROR", "V": "ERROR", "C": "42501", "M": "no", "D": "d", "H": "h"}),
    (m.parse_pair, m.parameter_status("a", "b"), ("a", "b")),
    (m.parse_tag, m.message(m.COMPLETE, b"SELECT 1\0"), "SELECT 1"),
    (m.parse_notification, m.notification(7, "c", "p"), (7, "c", "p")),
    (m.parse_key_data, m.key_data(9, b"1234"), (9, b"1234")),
    (m.parse_ready, m.ready(m.FAILED), m.FAILED),
]  # fmt: skip


@pytest.mark.parametrize(("parse", "frame", "value"), WELL_FORMED)
def test_well_formed(parse: Callable[[bytes], object], frame: bytes, value: object):
    assert parse(frame) == value
    assert int.from_bytes(frame[1:5], "big") == len(frame) - 1


@pytest.mark.parametrize(("parse", "frame", "value"), [case for case in WELL_FORMED if case[0] is not m.parse_key_data])
def test_one_byte_more_is_wrong(parse: Callable[[bytes], object], frame: bytes, value: object):
    with pytest.raises(FrameError):
        parse(frame + b"\0")


@pytest.mark.parametrize(("parse", "frame", "value"), WELL_FORMED)
def test_every_cut_is_wrong_or_read_and_never_another_error(
    parse: Callable[[bytes], object], frame: bytes, value: object
):
    for end in range(5, len(frame)):
        try:
            parse(frame[:end])
        except FrameError:
            continue


PARSERS = [m.parse_query, m.parse_parse, m.parse_bind, m.parse_target, m.parse_execute, m.parse_row_description,
           m.parse_fields, m.parse_pair, m.parse_ready]  # fmt: skip


@given(st.sampled_from(PARSERS), st.binary(max_size=80))
def test_garbage_is_a_frame_error_at_most(parse: Callable[[bytes], object], payload: bytes):
    try:
        parse(m.message(m.QUERY, payload))
    except FrameError:
        return


@pytest.mark.parametrize(
    "payload",
    [
        b"p\0s\0\0\x02\0\0\0\0\0\x01\0\0\0\x011\0\0",  # two formats for one value
        b"p\0s\0\0\x01\0\x07\0\0\0\0",  # format 7
        b"p\0s\0\0\0\0\x01\xff\xff\xff\xfe\0\0",  # a value of length -2
        b"p\0s\0\0\0\0\x01\x7f\xff\xff\xff\0\0",  # a value longer than the message
    ],
)
def test_bind_messages_that_cannot_be(payload: bytes):
    with pytest.raises(FrameError):
        m.parse_bind(m.message(m.BIND, payload))


def test_names_must_be_utf8_and_text_has_no_nul():
    with pytest.raises(FrameError):
        m.parse_parse(m.message(m.PARSE, b"\xff\0q\0\0\0"))
    with pytest.raises(FrameError):
        m.query("SELECT\0 1")
    assert m.parse_fields(m.notice("a\0b"))["M"] == "ab"


def test_a_refusal_has_no_routine():
    assert "R" not in m.parse_fields(m.error("42501", "no"))


def test_row_values():
    assert m.row_values(row("a", None, "")) == [b"a", None, b""]


def test_special_requests():
    assert m.special_request(m.SSL_REQUEST) == b"\0\0\0\x08\x04\xd2\x16\x2f"
    assert m.startup({"user": "x"}) == b"\0\0\0\x10\0\x03\0\0user\0x\0\0"
    assert m.negotiate(2, ["_pq_.a"])[5:] == b"\0\3\0\2\0\0\0\x01_pq_.a\0"
