"""Fetching over SSH from a real OpenSSH server: deploy keys, pinned host keys, and what is refused."""

from __future__ import annotations

import gc
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from access.errors import Unavailable
from runbooks.mirror import Mirror
from runbooks.transports import Origin
from tests.runbooks.test_mirror import GOOD, Work
from tests.wire.ssh.site import ACCOUNT, SSHD, Target, keygen


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    if not Path(SSHD).exists() or shutil.which("ssh") is None:
        pytest.skip("OpenSSH's client and server are not installed")
    if shutil.which("git") is None:
        pytest.skip("needs git to make repositories")
    target = Target(tmp_path_factory.mktemp("git-host"))
    target.start()
    yield target
    target.stop()


def origin(host: Target, work: Work) -> Origin:
    return Origin(
        "ops",
        f"ssh://{ACCOUNT}@127.0.0.1:{host.port}{work.folder}",
        key=host.key.read_text(),
        host_keys=(" ".join((host.directory / "host_key.pub").read_text().split()[:2]),),
    )


def test_it_fetches_by_deploy_key_from_the_pinned_host(host: Target, tmp_path: Path) -> None:
    work = Work(tmp_path / "work")
    first = work.commit(refund=GOOD)
    mirror = Mirror(origin(host, work), tmp_path / "mirror.git")
    assert mirror.refresh() == first
    assert list(mirror.files(first)[0]) == ["refund.runbook.sql"]
    second = work.commit("More", other=GOOD)
    assert mirror.refresh() == second
    assert sorted(mirror.files(second)[0]) == ["other.runbook.sql", "refund.runbook.sql"]
    assert list(mirror.files(first)[0]) == ["refund.runbook.sql"]
    left = [
        path for path in tmp_path.rglob("*") if path.is_file() and host.key.read_text().encode() in path.read_bytes()
    ]
    assert left == []


def test_what_ssh_refuses(host: Target, tmp_path: Path) -> None:
    work = Work(tmp_path / "work")
    work.commit(refund=GOOD)
    good = origin(host, work)
    keygen(tmp_path / "other")
    other = (tmp_path / "other.pub").read_text().split()
    changed = {
        "another host key": replace(good, host_keys=(" ".join(other[:2]),)),
        "no host key": replace(good, host_keys=()),
        "another deploy key": replace(good, key=(tmp_path / "other").read_text()),
        "no deploy key": replace(good, key=""),
        "no such repository": replace(good, url=good.url + "-gone"),
    }
    for number, (what, bad) in enumerate(changed.items()):
        said = refusal(Mirror(bad, tmp_path / f"{number}.git"))
        assert "PRIVATE KEY" not in said, what
        assert "ops" in said, what


def refusal(mirror: Mirror) -> str:
    """What a fetch that must fail says. dulwich leaves its side of such a connection to the garbage collector, which warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        with pytest.raises(Unavailable) as refused:
            mirror.refresh()
        said = str(refused.value)
        del refused
        gc.collect()
    return said
