"""`gateway topology`: the model, what the bus lacks, and what cannot be seen."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from bus.transport.embedded import EmbeddedTransport
from tests.monitor.deployments import deploy
from tests.services import free_ports

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.monitor.conftest import Done


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return deploy(tmp_path, {"chancheng": "440604"}, records=1)


def test_the_model_is_readable_at_80_columns(gateway: Callable[..., Done], config: Path) -> None:
    done = gateway("topology", "show", "--config", config)
    assert (done.code, done.err) == (0, "")
    assert "⟵ supervision approval.# oa.# notice.# manifest.# epoch.#" in done.out
    assert max(map(len, done.out.splitlines())) <= 85
    assert done.out.endswith("The bus is equal to the model.\n")
    assert gateway("topology", "show", "--config", config, "--json").json == {"differences": [], "not_seen": []}


def test_what_is_missing_is_created_and_what_is_beyond_is_named(gateway: Callable[..., Done], config: Path) -> None:
    done = gateway("topology", "apply", "--config", config)
    assert done.code == 0
    assert "Declared: 4 queues, 10 bindings." in done.out
    with sqlite3.connect(config.parent / "bus.db") as bus:
        bus.execute("INSERT INTO bindings VALUES ('supervision', 'core', 'sms.#')")
    done = gateway("topology", "apply", "--config", config, "--lang", "zh")
    assert done.code == 1
    assert "✗ 差别：binding supervision → core by 'sms.#': not in the model" in done.out


def test_other_arguments_are_refused_and_stay(gateway: Callable[..., Done], config: Path) -> None:
    gateway("topology", "apply", "--config", config)
    config.write_text(config.read_text(encoding="utf-8") + "journal_max_age: 7D\n", encoding="utf-8")
    done = gateway("topology", "apply", "--config", config, "--json")
    assert done.code == 1
    assert done.json["error"] == "fatal"
    assert "argument x-max-age is '400D', the model says '7D'" in done.json["problems"][0]


def test_another_account_may_be_named(gateway: Callable[..., Done], config: Path, tmp_path: Path) -> None:
    assert gateway("topology", "apply", "--bus", f"embedded:///{tmp_path}/other.db", "--config", config).code == 0
    assert (tmp_path / "other.db").exists()
    (port,) = free_ports(1)
    url = f"amqp://operator:s3cret@127.0.0.1:{port}/x"
    done = gateway("topology", "apply", "--bus", url, "--timeout", 0.2, "--config", config)
    assert done.code == 3
    assert "s3cret" not in done.err


def test_a_bus_that_lost_a_binding_is_found(
    gateway: Callable[..., Done], config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = ["binding supervision → core by 'oa.#': missing"]
    monkeypatch.setattr(EmbeddedTransport, "differences", lambda _self, _topology: missing)
    done = gateway("topology", "show", "--config", config, "--json")
    assert (done.code, done.json) == (1, {"differences": missing, "not_seen": []})


def test_what_cannot_be_seen_is_said(
    gateway: Callable[..., Done], config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EmbeddedTransport, "blind_spots", lambda _self: ["bindings are not compared"])
    done = gateway("topology", "show", "--config", config)
    assert done.code == 0
    assert "! not seen: bindings are not compared\nThe bus is equal to the model, as far as can be seen.\n" in done.out
