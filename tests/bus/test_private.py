"""What is written about people is their owner's alone."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

import pytest

from bus.errors import TransientError
from bus.ledger.ledger import Ledger
from bus.private import make_private
from bus.topology import supervision
from bus.transport.embedded import EmbeddedTransport
from tests.bus.parts import KEY_HASH

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Under the umask that machines have by default."""
    former = os.umask(0o022)
    yield tmp_path
    os.umask(former)


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def test_the_store_is_its_owners_alone_with_its_log(folder: Path) -> None:
    with contextlib.closing(Ledger(f"sqlite:///{folder}/gateway.db", key_hash=KEY_HASH)) as ledger:
        ledger.source("chancheng", group="foshan", division="440604", is_explicit=True)
        assert modes(folder) == dict.fromkeys(("gateway.db", "gateway.db-wal", "gateway.db-shm"), 0o600)


def test_the_embedded_bus_is_its_owners_alone(folder: Path) -> None:
    EmbeddedTransport(f"embedded:///{folder}/bus.db").declare(supervision())
    assert modes(folder)["bus.db"] == 0o600


def test_a_file_that_exists_keeps_its_mode_and_its_content(folder: Path) -> None:
    file = folder / "file"
    file.write_text("here")
    file.chmod(0o640)
    make_private(file)
    assert (modes(folder), file.read_text()) == ({"file": 0o640}, "here")


def test_a_folder_that_is_missing_is_said(folder: Path) -> None:
    with pytest.raises(TransientError, match="cannot be made: No such file or directory"):
        Ledger(f"sqlite:///{folder}/none/gateway.db", key_hash=KEY_HASH)
    with pytest.raises(FileNotFoundError):
        make_private(folder / "none" / "file")
