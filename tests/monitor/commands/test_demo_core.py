"""The demonstration's core keeps records and notices, counts findings, and waits no longer than it says."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from bus.topology import JOURNAL
from bus.transport import connect
from bus.trust import Trust, load_trust
from monitor.bootstrap import build
from monitor.commands import demo_core
from monitor.commands.demo_core import DemoCore
from monitor.settings import load
from tests.monitor.deployments import deploy

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_everything_published_arrives_once(tmp_path: Path) -> None:
    settings = load(deploy(tmp_path, {"chancheng": "440604"}, records=20))
    gateway = build(settings)
    core = DemoCore(settings, tmp_path / "core.db")
    gateway.run(threading.Event(), drain=True, timeout_s=20)
    core.catch_up(20)
    assert (core.records, core.notices, core.findings) == (20, 0, 0)
    assert core.newest.startswith("test/chancheng #20 440604:")
    core.close()
    gateway.close()


def test_what_is_wrong_is_counted_and_waiting_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_core, "_CATCH_UP_S", 0.3)
    settings = load(deploy(tmp_path, {"chancheng": "440604"}, records=20))
    gateway = build(settings)
    gateway.run(threading.Event(), drain=True, timeout_s=20)
    gateway.close()
    monkeypatch.setattr(demo_core, "load_trust", lambda path: Trust(load_trust(path).key_hash, ()))
    core = DemoCore(settings, tmp_path / "core.db")
    began = time.monotonic()
    core.catch_up(20)
    assert 0.3 <= time.monotonic() - began < 3
    core.close()
    assert core.records == 0
    assert core.findings > 0
    assert connect(settings.bus).consumer(JOURNAL, prefetch=1, start="first").receive(1, timeout_s=1)
