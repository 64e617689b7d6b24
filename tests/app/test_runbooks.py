from __future__ import annotations

from pathlib import Path

import pytest

from app.__main__ import main
from app.config_check import check
from app.config_file import load
from app.runbooks import catalog
from app.settings import Settings
from app.settings_runbooks import RunbookSettings

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJxhkJxLq7YJ0PZxE5c3wz8qC9pEkzJdD8xVxAFMqK0a"
BROKEN = {
    "action": ("SELECT {{ if .x }}1{{ end }}", "is not supported"),
    "alias": ("---\ntitle: &a T\n---\nSELECT 1", "anchors"),
    "comment": ("SELECT 1 -- {{ .x }}", "a parameter in a comment"),
    "duplicate": ("---\ntitle: T\ntitle: U\n---\nSELECT 1", "there twice"),
    "function": ("SELECT {{ .x | exec }}", "there is no function exec"),
    "name": ('SELECT * FROM "{{ .x }}"', "needs options"),
    "secret": ('SELECT {{ .x | type "password" }}', "does not travel through chat"),
    "syntax": ("SELEC 1", "not a statement PostgreSQL understands"),
    "transaction": ("BEGIN; SELECT 1; COMMIT", "each in a transaction of its own"),
    "unknown": ("---\ntitle: T\n---\nSELECT {{ .x }}", "not among the parameters"),
}


def test_lint_says_file_line_and_reason_of_ten_broken_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, (text, _) in BROKEN.items():
        (tmp_path / f"{name}.runbook.sql").write_text(text)
    (tmp_path / "good.runbook.sql").write_text("SELECT 1")
    assert main(["runbooks", "lint", str(tmp_path)]) == 1
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1] == "11 runbooks, 10 errors."
    for line, (name, (_, said)) in zip(printed, sorted(BROKEN.items()), strict=False):
        assert line.startswith(f"{tmp_path}/{name}.runbook.sql:")
        assert said in line


def test_lint_is_content_with_what_loads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "good.runbook.sql"
    path.write_text("SELECT {{ .x | pattern `[0-9]+` }}")
    assert main(["runbooks", "lint", str(path)]) == 0
    assert "note:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("repository", "said"),
    [
        ("{name: library, url: /srv/x}", "library is taken"),
        ("{name: x, url: 'ext::sh'}", "url: cannot be fetched from"),
        ("{name: x, url: 'file:///x'}", "url: cannot be fetched from"),
        ("{name: x, url: 'ssh://git@h/x'}", "needs deploy_key and host_keys"),
        ("{name: x, url: 'https://h/x', deploy_key: 'env:K'}", "is not ssh"),
        ("{name: x, url: /srv/x, token: 'env:T'}", "used only with https"),
        ("{name: x, url: /srv/x, signers: [ssh-rsa AAAA]}", "is no key"),
        ("{name: x, url: /srv/x, deploy_key: plain}", "must be a secret reference"),
    ],
)
def test_what_cannot_be_a_repository_is_said_with_its_line(tmp_path: Path, repository: str, said: str) -> None:
    path = tmp_path / "hoop.yaml"
    path.write_text(f"runbooks:\n  repositories:\n    - {repository}\n")
    found = [str(problem) for problem in check(load(path)) if "runbooks" in str(problem)]
    assert any(said in problem for problem in found), found


def test_secrets_are_resolved_by_reference_and_stay_out_of_texts(tmp_path: Path) -> None:
    class Vault:
        def secret(self, ref: str) -> str:
            return f"the value of {ref}"

    entry = {"name": "ops", "url": "ssh://git@h.example/x", "deploy_key": "env:K", "host_keys": [KEY]}
    settings = Settings(runbooks=RunbookSettings(repositories=[entry]))  # type: ignore[list-item]
    found = catalog(settings, tmp_path, Vault())
    assert list(found.mirrors) == ["library", "ops"]
    origin = found.mirrors["ops"].origin
    assert origin.key == "the value of env:K"
    assert "the value of" not in repr(origin)
