"""Fixtures for tests of the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bus.ledger.ledger import Ledger
from tests.bus.parts import KEY_HASH

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests import services


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty store, on both databases that a ledger may live in."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/gateway.db"
    server: services.PostgreSQL = request.getfixturevalue("postgres")
    return server.url(server.database())


@pytest.fixture
def ledger(store_url: str) -> Iterator[Ledger]:
    """A ledger on it."""
    opened = Ledger(store_url, key_hash=KEY_HASH)
    yield opened
    opened.close()
