"""The demonstration shows a newcomer every state and that nothing was lost."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from typing import TYPE_CHECKING

from monitor.commands import demo
from monitor.commands.verify import read_journal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from tests.monitor.conftest import Done


def test_three_districts_are_drained_verified_and_explained(gateway: Callable[..., Done], tmp_path: Path) -> None:
    began = time.monotonic()
    done = gateway("demo", "--records", 2100, "--dir", tmp_path / "new")
    assert (done.code, done.err) == (0, "")
    assert time.monotonic() - began < 30
    for word in ("duplicate 3", "conflict 2", "quarantined", "parked", "(behind)", "(no-parent)"):
        assert word in done.out
    verified = re.search(
        r"verified and handled once each (\d+) records \((\d+) published\), 2 notices, 0 find", done.out
    )
    assert verified is not None
    assert verified[1] == verified[2]
    assert int(verified[1]) >= 2000
    assert f"audit of the journal: {verified[1]} records, 0 findings: nothing missing" in done.out
    assert {"gateway.yaml", "chancheng.db", "gateway.db", "bus.db", "core.db"} <= {
        each.name for each in (tmp_path / "new").iterdir()
    }


def test_for_programs_there_is_one_object(gateway: Callable[..., Done]) -> None:
    done = gateway("demo", "--records", 300, "--json", "--lang", "zh")
    assert done.code == 0
    assert len(done.out.splitlines()) == 1
    assert set(done.json) == {"sources", "verified"}
    sources = done.json["sources"]
    assert set(sources) == {"chancheng", "gaoming", "sanshui"}
    assert all(source["balanced"] and source["pending"] == 0 for source in sources.values())
    assert done.json["verified"] == {"records": sum(s["published"] for s in sources.values()), "findings": 0}
    assert "核心：已核验" in done.err


def test_serving_shows_life_until_the_signal(gateway: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "_SERVED_EVERY_S", 0.5)
    timer = threading.Timer(4, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    done = gateway("demo", "--records", 300, "--serve")
    timer.join()
    assert (done.code, done.err) == (0, "")
    assert re.search(r"gateway tap --config /\S+/gateway.yaml", done.out)
    counts = [int(number) for number in re.findall(r"verified by the core (\d+) ", done.out)]
    assert len(counts) >= 2
    assert counts[-1] > counts[0]
    assert "nothing missing, doubled, reordered or altered" in done.out


def test_a_folder_in_use_is_left_alone(gateway: Callable[..., Done], tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    done = gateway("demo", "--dir", tmp_path)
    assert (done.code, done.err) == (2, f"--dir {tmp_path}: is not empty; choose a new folder\n")


def test_too_few_records_to_show_anything_are_misuse(gateway: Callable[..., Done]) -> None:
    assert gateway("demo", "--records", 3).code == 2


def test_an_altered_journal_is_found(gateway: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> None:
    def without_one(url: str, *, timeout_s: float) -> object:
        messages = list(read_journal(url, timeout_s=timeout_s))
        second = [index for index, message in enumerate(messages) if message.routing_key.startswith("approval.")][1]
        return messages[:second] + messages[second + 1 :]

    monkeypatch.setattr(demo, "read_journal", without_one)
    done = gateway("demo", "--records", 300, "--lang", "zh")
    assert done.code == 1
    assert re.search(r"✗ demo/\w+/e1 第 .*缺失", done.out)
    assert "见上" in done.out
