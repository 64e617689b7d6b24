"""A certificate is changed while connections go on; a broken one changes nothing and is said."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest

from proxy.tls import ServerTls
from tests.fakes.certificates import self_signed


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return self_signed(tmp_path / "one.pem"), tmp_path / "one.pem"


def _put(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1_000_000_000))


def test_a_changed_file_is_a_new_context(files: tuple[Path, Path], tmp_path: Path):
    tls = ServerTls(*files)
    before = tls.context
    assert not tls.look() and tls.context is before
    _put(files[0], self_signed(tmp_path / "two.pem").read_bytes())
    assert tls.look() and tls.context is not before and tls.problem == ""
    assert not tls.look()


@pytest.mark.parametrize("broken", [b"", b"garbage", b"half"])
def test_a_broken_one_keeps_the_old_one_and_says_so_once(
    files: tuple[Path, Path], broken: bytes, caplog: pytest.LogCaptureFixture
):
    good = files[0].read_bytes()
    tls = ServerTls(*files)
    before = tls.context
    _put(files[0], good[: len(good) // 2] if broken == b"half" else broken)
    for _ in range(3):
        assert not tls.look()
    assert not tls.reload()
    assert tls.context is before and "the certificate before it stays" in tls.problem
    assert len(caplog.records) == 1
    _put(files[0], good)
    assert tls.look() and tls.problem == ""


def test_a_key_of_another_certificate_and_files_that_are_gone(tmp_path: Path):
    certificate, key = self_signed(tmp_path / "c.pem"), self_signed(tmp_path / "k.pem")
    with pytest.raises(ssl.SSLError):
        ServerTls(certificate, key)
    tls = ServerTls(certificate, certificate)
    certificate.unlink()
    assert not tls.look() and tls.problem
    with pytest.raises(FileNotFoundError):
        ServerTls(certificate, certificate)


def test_an_encrypted_key_is_an_error_and_no_prompt(tmp_path: Path):
    with pytest.raises(ssl.SSLError):
        ServerTls(*[self_signed(tmp_path / "e.pem", password=b"secret")] * 2)
