from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.wire.ssh.site import SSHD, Site, Target, open_site


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """One OpenSSH server for all tests."""
    if not Path(SSHD).exists() or shutil.which("ssh") is None:
        pytest.skip("OpenSSH's client and server are not installed")
    found = Target(tmp_path_factory.mktemp("sshd"))
    found.start()
    yield found
    found.stop()


@pytest.fixture
async def site(target: Target, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(target, tmp_path) as opened:
        yield opened
