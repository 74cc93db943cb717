"""Files that hold what is written about people are their owner's alone from the first byte on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def make_private(path: Path) -> None:
    """An empty file with mode 0600 where none is; SQLite gives its log and index files the same mode.

    A file that exists keeps its mode: who may read it was somebody's decision.

    Raises:
        OSError: the folder is missing or cannot be written.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return
