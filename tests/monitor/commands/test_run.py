"""`gateway run`: drains or serves, ends cleanly, and always shows the equation."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from typing import TYPE_CHECKING

import pytest

from adapters.simulators.cgs_quirks import Quirks
from tests.monitor.deployments import deploy, feed
from tests.services import free_ports

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.monitor.conftest import Done


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return deploy(tmp_path, {"chancheng": "440604", "gaoming": "440608"}, records=30)


def test_draining_shows_the_equation_and_a_second_run_finds_nothing_new(
    gateway: Callable[..., Done], config: Path
) -> None:
    done = gateway("run", "--drain", "--config", config)
    assert (done.code, done.err) == (0, "")
    assert "= published           30         30         60" in done.out
    feed(config.parent / "gaoming.db", "440608", 5, first_case=900)
    done = gateway("run", "--drain", "--config", config, "--json")
    assert done.code == 0
    assert {name: s["published"] for name, s in done.json["sources"].items()} == {"chancheng": 30, "gaoming": 35}


def test_held_records_are_no_failure_and_are_explained(gateway: Callable[..., Done], tmp_path: Path) -> None:
    config = deploy(tmp_path, {"chancheng": "440604"}, records=60, quirks=Quirks(undecodable=0.1))
    done = gateway("run", "--drain", "--config", config, "--lang", "zh")
    assert (done.code, done.err) == (0, "")
    assert "不符合统一标准" in done.out
    assert "DECODE: " in done.out


def test_one_source_alone(gateway: Callable[..., Done], config: Path) -> None:
    done = gateway("run", "--drain", "--source", "gaoming", "--config", config, "--json")
    assert list(done.json["sources"]) == ["gaoming"]
    done = gateway("run", "--drain", "--source", "nowhere", "--config", config)
    assert (done.code, done.err) == (2, "--source nowhere: unknown; known are chancheng, gaoming\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_service_ends_cleanly_at_a_signal(
    gateway: Callable[..., Done], config: Path, number: signal.Signals
) -> None:
    handler = signal.getsignal(number)
    timer = threading.Timer(1.5, os.kill, (os.getpid(), number))
    timer.start()
    done = gateway("run", "--config", config)
    timer.join()
    assert done.code == 0
    assert "Running: chancheng, gaoming. Stop with Ctrl-C." in done.out
    assert "= published           30         30         60" in done.out
    assert '"action": "append"' in done.err
    assert signal.getsignal(number) is handler


def test_a_bus_that_stays_away_ends_with_3_and_what_was_read_is_kept(
    gateway: Callable[..., Done], config: Path
) -> None:
    (port,) = free_ports(1)
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("embedded:///bus.db", f"amqp://u:s3cret@127.0.0.1:{port}/x"), encoding="utf-8")
    began = time.monotonic()
    done = gateway("run", "--drain", "--timeout", 1, "--config", config, "--json")
    assert done.code == 3
    assert 1 <= time.monotonic() - began < 15
    assert done.json["error"] == "unreachable"
    assert [source["pending"] for source in done.json["sources"].values()] == [30, 30]
    assert "s3cret" not in done.out + done.err


def test_a_store_that_stays_away_ends_with_3(gateway: Callable[..., Done], config: Path) -> None:
    (port,) = free_ports(1)
    store = f"postgresql+psycopg://u:s3cret@127.0.0.1:{port}/x"
    config.write_text(config.read_text(encoding="utf-8").replace("sqlite:///gateway.db", store), encoding="utf-8")
    done = gateway("run", "--timeout", 0.5, "--config", config)
    assert done.code == 3
    assert done.out == ""
    assert "a service is away, trying for 0.5 s more: the store" in done.err
    assert "s3cret" not in done.err


def test_a_source_without_its_tables_is_wrong_configuration_and_the_other_goes_on(
    gateway: Callable[..., Done], config: Path
) -> None:
    (config.parent / "chancheng.db").unlink()
    done = gateway("run", "--drain", "--config", config, "--json")
    assert done.code == 2
    assert done.json["error"] == "configuration"
    assert done.json["problems"][0].startswith("sources.chancheng: ")
    assert done.json["sources"]["gaoming"]["published"] == 30


def test_an_equation_that_does_not_balance_is_found(gateway: Callable[..., Done], config: Path) -> None:
    gateway("run", "--drain", "--config", config)
    with sqlite3.connect(config.parent / "gateway.db") as store:
        store.execute("UPDATE sources SET read = read + 1 WHERE name = 'gaoming'")
    done = gateway("run", "--drain", "--config", config)
    assert done.code == 1
    assert "  balanced              ✓          ✗          ✗" in done.out


def test_a_missing_file_says_how_to_make_one(gateway: Callable[..., Done], tmp_path: Path) -> None:
    done = gateway("run", "--config", tmp_path / "none.yaml", "--json")
    assert done.code == 2
    assert "gateway init DIR" in done.json["problems"][0]
