"""Logging in to the upstream: every method, no downgrade, and a server that must prove itself."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
import scramp
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from proxy.postgres import messages as m
from proxy.postgres.login import Login, LoginFailed, certificate_hash, salted

OK = m.authentication(0)
SCRAM = m.authentication(10, b"SCRAM-SHA-256\0\0")
READY = m.ready(m.IDLE)


def _login(password: str = "secret", *, encrypted: bool = False) -> Login:
    login = Login({"user": "app", "database": "db"}, password, encrypted=encrypted)
    assert login.begin() == m.startup({"user": "app", "database": "db"})
    return login


def test_trust():
    login = _login("")
    login.feed(OK + m.parameter_status("server_version", "18") + m.key_data(7, b"abcd") + READY)
    assert login.done and login.result.process == 7 and login.result.parameters == {"server_version": "18"}
    assert "abcd" not in repr(login.result)


def test_byte_by_byte():
    login = _login("")
    for byte in OK + m.key_data(7, b"abcd") + READY:
        login.feed(bytes([byte]))
    assert login.done


def test_md5():
    answer = _login().feed(m.authentication(5, b"salt"))
    inner = hashlib.md5(b"secretapp").hexdigest().encode()
    assert answer == m.password(b"md5" + hashlib.md5(inner + b"salt").hexdigest().encode() + b"\0")


def test_a_password_in_clear_goes_over_encrypted_connections_only():
    assert _login(encrypted=True).feed(m.authentication(3)) == m.password(b"secret\0")
    with pytest.raises(LoginFailed, match="in clear"):
        _login().feed(m.authentication(3))


def _scram(login: Login, password: str, *, lie: bool = False) -> None:
    mechanism = scramp.ScramMechanism("SCRAM-SHA-256")
    info = mechanism.make_auth_info(password)
    server = mechanism.make_server(lambda _: info)
    first = login.feed(SCRAM)
    server.set_client_first(first[first.index(b"\0", 5) + 5 :].decode())
    final = login.feed(m.authentication(11, server.get_server_first().encode()))
    server.set_client_final(final[5:].decode())
    said = server.get_server_final()
    login.feed(m.authentication(12, ("v=" + "A" * 43 + "=" if lie else said).encode()))


def test_scram():
    login = _login()
    _scram(login, "secret")
    login.feed(OK + READY)
    assert login.done


def test_the_salted_password_is_made_once_for_a_secret_and_a_salt():
    salted.cache_clear()
    info = scramp.ScramMechanism("SCRAM-SHA-256").make_auth_info("secret", salt=b"salt of a server")
    for _ in range(3):
        server = scramp.ScramMechanism("SCRAM-SHA-256").make_server(lambda _: info)
        login = _login()
        first = login.feed(SCRAM)
        server.set_client_first(first[first.index(b"\0", 5) + 5 :].decode())
        final = login.feed(m.authentication(11, server.get_server_first().encode()))
        server.set_client_final(final[5:].decode())
        login.feed(m.authentication(12, server.get_server_final().encode()) + OK + READY)
        assert login.done
    assert (salted.cache_info().misses, salted.cache_info().hits) == (1, 3)
    with pytest.raises(scramp.ScramException):
        _scram(_login("another"), "secret")
    assert salted.cache_info().misses >= 2


def test_a_server_that_does_not_know_the_password_is_not_believed():
    with pytest.raises(LoginFailed):
        _scram(_login(), "secret", lie=True)


def test_a_server_that_skips_its_proof_is_not_believed():
    login = _login()
    login.feed(SCRAM)
    with pytest.raises(LoginFailed, match="skipped"):
        login.feed(OK)


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        (READY, "without authentication"),
        (m.parameter_status("a", "b"), "without authentication"),
        (m.authentication(7), "method 7"),
        (m.authentication(11, b"r=x"), "method 11"),
        (m.authentication(10, b"OTHER\0\0"), "none of the gateway's login mechanisms"),
        (m.authentication(10, b"SCRAM-SHA-256-PLUS\0\0"), "none of the gateway's login mechanisms"),
        (OK + m.message(m.DATA_ROW, b"\0\0"), "unexpected message"),
        (m.negotiate(0, []), "3.0"),
        (b"HTTP/1.1 400", "PostgreSQL"),
        (m.error("28P01", "password authentication failed"), "28P01"),
        (OK + READY + READY, "after it was ready"),
        (b"R\0\0\0\x05\0", "wrong"),
    ],
)
def test_servers_that_are_refused(frames: bytes, said: str):
    with pytest.raises(LoginFailed, match=said) as failure:
        _login().feed(frames)
    assert "secret" not in str(failure.value)


def test_a_password_that_is_asked_for_and_not_there():
    with pytest.raises(LoginFailed, match="no secret"):
        _login("").feed(SCRAM)


def test_an_unknown_setting_is_named_so_that_it_can_be_left_out():
    text = 'unrecognized configuration parameter "client_connection_check_interval"'
    with pytest.raises(LoginFailed) as failure:
        _login().feed(m.error("42704", text))
    assert failure.value.retry_without == "client_connection_check_interval"


def _certificate() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "db")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(start).not_valid_after(start + timedelta(days=3650))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def test_scram_is_bound_to_the_channel_when_the_server_offers_it():
    certificate = _certificate()
    plus = "SCRAM-SHA-256-PLUS"
    for seen in (certificate, _certificate()):
        login = Login({"user": "app"}, "secret", encrypted=True, certificate=seen)
        mechanism = scramp.ScramMechanism(plus)
        info = mechanism.make_auth_info("secret")
        server = mechanism.make_server(
            lambda _, info=info: info, ("tls-server-end-point", certificate_hash(certificate))
        )
        first = login.feed(m.authentication(10, b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"))
        assert first[5:].startswith(plus.encode() + b"\0")
        server.set_client_first(first[first.index(b"\0", 5) + 5 :].decode())
        final = login.feed(m.authentication(11, server.get_server_first().encode()))
        if seen is certificate:
            server.set_client_final(final[5:].decode())
            login.feed(m.authentication(12, server.get_server_final().encode()) + OK + READY)
            assert login.done
        else:  # somebody in the middle shows another certificate
            with pytest.raises(scramp.ScramException):
                server.set_client_final(final[5:].decode())
