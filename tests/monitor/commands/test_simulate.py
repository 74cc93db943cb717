"""`gateway simulate`: a platform's database, at once or at a rate, with the quirks that were asked for."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from typing import TYPE_CHECKING

import pytest

from adapters.simulators.cgs_quirks import Quirks
from monitor.commands.simulate import read_quirks
from monitor.terminal import WrongUseError
from tests.services import free_ports

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.monitor.conftest import Done


def rows(database: Path) -> int:
    """Rows of the seven tables."""
    with sqlite3.connect(database) as store:
        names = [
            name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE name LIKE 't\\_%' ESCAPE '\\'")
        ]
        return sum(store.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names)


def simulate(database: Path) -> tuple[str, ...]:
    """Arguments for a platform in a file."""
    return ("simulate", "cgs", "--url", f"sqlite:///{database}", "--division", "440604")


def test_rows_are_written_at_once_and_more_are_added(gateway: Callable[..., Done], tmp_path: Path) -> None:
    database = tmp_path / "x.db"
    done = gateway(*simulate(database), "--records", 50, "--quirk", "padded=0.5")
    assert (done.code, done.out) == (0, "50 rows written.\n")
    again = gateway(*simulate(database), "--records", 50)
    assert again.code == 2
    assert "--first-case 0: the database holds these cases already; use a higher number" in again.err
    more = gateway(*simulate(database), "--records", 25, "--first-case", 500, "--json")
    assert (more.code, more.json) == (0, {"rows": 25})
    assert rows(database) == 75


def test_rows_come_at_a_rate_until_there_are_enough(gateway: Callable[..., Done], tmp_path: Path) -> None:
    began = time.monotonic()
    done = gateway(*simulate(tmp_path / "x.db"), "--records", 10, "--rate", 50, "--lang", "zh")
    assert (done.code, done.out) == (0, "已写入 10 行。\n")
    assert time.monotonic() - began >= 0.2
    assert rows(tmp_path / "x.db") == 10


def test_a_signal_ends_it_cleanly(gateway: Callable[..., Done], tmp_path: Path) -> None:
    timer = threading.Timer(0.8, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    done = gateway(*simulate(tmp_path / "x.db"), "--records", 10_000, "--rate", 20, "--json")
    timer.join()
    assert done.code == 0
    assert done.json["rows"] == rows(tmp_path / "x.db") < 100


def test_a_database_that_stays_away_ends_with_3(gateway: Callable[..., Done]) -> None:
    (port,) = free_ports(1)
    url = f"mysql+pymysql://u:s3cret@127.0.0.1:{port}/x"
    done = gateway("simulate", "cgs", "--url", url, "--division", "440604", "--timeout", 0.2)
    assert done.code == 3
    assert "the platform's database did not answer" in done.err
    assert "s3cret" not in done.err


def test_a_database_that_refuses_a_row_ends_with_3(gateway: Callable[..., Done], tmp_path: Path) -> None:
    gateway(*simulate(tmp_path / "x.db"), "--records", 10)
    with sqlite3.connect(tmp_path / "x.db") as store:
        store.execute("DROP TABLE t_shouli")
        store.execute("CREATE TABLE t_shouli (other TEXT)")
    done = gateway(*simulate(tmp_path / "x.db"), "--records", 10, "--first-case", 99)
    assert done.code == 3
    assert "did not answer: " in done.err


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--url", "nonsense", "--division", "440604"), "--url: is not a database URL"),
        (("--url", "nosuch://x", "--division", "440604"), "--url: is not a database URL"),
        (
            ("--url", "sqlite://", "--division", "440605"),
            "--division 440605: cgs is installed in 440604, 440607, 440608",
        ),
        (("--url", "sqlite://", "--division", "440604", "--quirk", "x"), "--quirk x: unknown; known are padded, "),
    ],
)
def test_misuse_is_said(gateway: Callable[..., Done], options: tuple[str, ...], text: str) -> None:
    done = gateway("simulate", "cgs", *options)
    assert done.code == 2
    assert text in done.err


def test_quirks_have_shares() -> None:
    assert read_quirks(["padded", "deletes=0.5", "late_s=7200"]) == Quirks(padded=0.05, deletes=0.5, late_s=7200)
    with pytest.raises(WrongUseError) as caught:
        read_quirks(["padded=2", "deletes=many", "purges=-1", "nothing"])
    assert [problem.partition(": ")[0] for problem in caught.value.problems] == [
        "--quirk padded=2",
        "--quirk deletes=many",
        "--quirk purges=-1",
        "--quirk nothing",
    ]
