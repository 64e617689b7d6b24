"""Secret references: what each reads, clear errors without values, and no value in any log."""

from __future__ import annotations

import io
import logging
import sys
from pathlib import Path

import pytest

from access.errors import Unavailable
from access.ports import Vault
from identity import vault as module
from identity.vault import REMEMBERED, RedactingFilter, SecretVault

SECRET = "s3cr3t/with?chars"


@pytest.fixture
def vault() -> SecretVault:
    return SecretVault({"DB_PASSWORD": SECRET, "EMPTY": "", "PIN": "123"})


def test_from_the_environment(vault: SecretVault) -> None:
    port: Vault = vault
    assert port.secret("env:DB_PASSWORD") == SECRET


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"pw", "pw"),
        (b"pw\n", "pw"),
        (b"pw\r\n", "pw"),
        (b"pw\n\n", "pw\n"),
        (b" pw ", " pw "),
        ("pä\n".encode(), "pä"),
    ],
)
def test_from_a_file(vault: SecretVault, tmp_path: Path, content: bytes, value: str) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    assert vault.secret(f"file:{path}") == value
    path.write_bytes(b"rotated")
    assert vault.secret(f"file:{path}") == "rotated"


def test_a_relative_file_is_found_below_the_base(tmp_path: Path) -> None:
    (tmp_path / "hoop.key").write_text("from the base\n")
    assert SecretVault({}, base=tmp_path).secret("file:hoop.key") == "from the base"
    with pytest.raises(Unavailable, match=r"file:other\.key"):
        SecretVault({}, base=tmp_path).secret("file:other.key")


def test_from_a_command_without_a_shell(vault: SecretVault, tmp_path: Path) -> None:
    assert vault.secret("cmd:printf '%s\\n' 'a b'") == "a b"
    assert vault.secret("cmd:echo $HOME; touch x && echo") == "$HOME; touch x && echo"
    assert not (tmp_path / "x").exists()


WRONG = [
    ("env:NOT_SET", "not set"),
    ("env:EMPTY", "it is empty"),
    ("file:/does/not/exist", "no such file"),
    ("file:/", "is a directory"),
    ("file:bad\0path", "not a path"),
    ("cmd:/does/not/exist --token", "could not be started: no such file"),
    ("cmd:echo 'unclosed", "not a command"),
    ("cmd: ", "could not be started"),
    ("cmd:false", "status 1"),
    ("cmd:true", "it is empty"),
    (r"cmd:printf '\377'", "not UTF-8"),
]


@pytest.mark.parametrize(("ref", "says"), WRONG)
def test_errors_name_the_reference(vault: SecretVault, ref: str, says: str) -> None:
    with pytest.raises(Unavailable, match=says) as refused:
        vault.secret(ref)
    assert ref in str(refused.value)


@pytest.mark.parametrize("ref", ["hunter2", "", "env:", "file:", "vault:secret/x", "ENV:X", "postgres://u:pw@h/"])
def test_what_is_no_reference_may_be_the_secret_and_is_not_repeated(vault: SecretVault, ref: str) -> None:
    with pytest.raises(Unavailable) as refused:
        vault.secret(ref)
    assert str(refused.value) == "A secret reference is env:NAME, file:PATH or cmd:COMMAND."


def test_what_a_failing_command_printed_stays_out(vault: SecretVault) -> None:
    with pytest.raises(Unavailable) as refused:
        vault.secret(f'cmd:{sys.executable} -c "import sys; sys.stdout.write(chr(115)*9); sys.exit(3)"')
    assert "s" * 9 not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_command_that_hangs_is_ended_with_what_it_started(
    vault: SecretVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COMMAND_SECONDS", 0.2)
    with pytest.raises(Unavailable, match=r"longer than 0\.2 s"):
        vault.secret("cmd:sh -c 'sleep 60 & sleep 60'")


def test_an_endless_file_is_refused(vault: SecretVault) -> None:
    with pytest.raises(Unavailable, match="larger than 64 KiB"):
        vault.secret("file:/dev/zero")


def test_values_are_taken_out_of_texts(vault: SecretVault) -> None:
    vault.secret("env:DB_PASSWORD")
    assert vault.redact(f"cannot log in with {SECRET}!") == "cannot log in with [secret]!"
    assert vault.redact("postgres://u:s3cr3t%2Fwith%3Fchars@h/") == "postgres://u:[secret]@h/"
    assert vault.redact("nothing here") == "nothing here"


def test_very_short_values_do_not_blank_out_everything(vault: SecretVault) -> None:
    vault.secret("env:PIN")
    assert vault.redact("port 12345") == "port 12345"


def test_a_secret_that_is_another_one_at_each_login_does_not_pile_up() -> None:
    environment = {"TOKEN": "", "FIXED": "a fixed one"}
    vault = SecretVault(environment)
    vault.secret("env:FIXED")
    for number in range(10_000):
        environment["TOKEN"] = f"token-{number:05}"
        vault.secret("env:TOKEN")
    assert len(vault._hidden) <= 2 * (REMEMBERED + 1)
    said = vault.redact("a fixed one, token-09999, token-09990, token-00001")
    assert said == "[secret], [secret], [secret], token-00001"


def test_the_vault_itself_shows_nothing(vault: SecretVault) -> None:
    vault.secret("env:DB_PASSWORD")
    assert SECRET not in repr(vault)
    assert SECRET not in str(vault)


@pytest.mark.parametrize("broken", [("%d of %s", ("one",)), ("%s", (object, "more")), ("%(name)s", ({},))])
def test_a_record_that_does_not_fit_its_arguments_stops_nobody(
    broken: tuple[str, tuple[object, ...]], vault: SecretVault
) -> None:
    record = logging.LogRecord("lib", logging.INFO, "f.py", 1, broken[0], None, None)
    record.args = broken[1]
    assert RedactingFilter(vault).filter(record)
    assert "could not be filled in" in record.getMessage()


def test_no_value_reaches_a_log(vault: SecretVault) -> None:
    vault.secret("env:DB_PASSWORD")
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.addFilter(RedactingFilter(vault))
    log = logging.Logger("test")  # noqa: LOG001 - one of its own, not in the tree
    log.addHandler(handler)
    log.warning("password %s, in a list %r", SECRET, [SECRET])
    log.warning("%s", {"password": SECRET})
    try:
        raise ValueError(f"bad password {SECRET}")
    except ValueError as error:
        try:
            raise RuntimeError("while connecting") from error
        except RuntimeError:
            log.exception("failed with %s", SECRET, stack_info=True)
    text = out.getvalue()
    assert SECRET not in text
    assert text.count("[secret]") >= 5
    assert "RuntimeError: while connecting" in text
    assert "ValueError: bad password [secret]" in text
