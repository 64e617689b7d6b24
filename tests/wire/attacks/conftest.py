"""One field for the whole corpus."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.embedded_postgres import EmbeddedPostgres
from tests.wire.attacks.field import AT_ONCE, Field, open_field


@pytest.fixture(scope="session")
def battlefield(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    with open_field(postgres, tmp_path_factory.mktemp("attacks")) as field:
        yield field


@pytest.fixture
def field(battlefield: Field) -> Field:
    """The field with its usual policy: nobody waits."""
    battlefield.policy(AT_ONCE)
    return battlefield
