"""`gateway check` finds everything at once, tries services, and changes nothing."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bus.errors import TransientError
from mappings.library import shipped
from monitor.commands.check import _NoKeys, _try
from monitor.terminal import Terminal
from tests.monitor.deployments import deploy
from tests.services import free_ports

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.monitor.conftest import Done


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return deploy(tmp_path, {"chancheng": "440604"}, records=10)


def change(config: Path, *pairs: tuple[str, str]) -> None:
    """Replace texts in the configuration."""
    text = config.read_text(encoding="utf-8")
    for before, after in pairs:
        assert before in text
        text = text.replace(before, after)
    config.write_text(text, encoding="utf-8")


def test_a_good_deployment_is_good_and_stays_untouched(gateway: Callable[..., Done], config: Path) -> None:
    before = sorted(each.name for each in config.parent.rglob("*"))
    done = gateway("check", "--config", config)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("✓ configuration, keys, mappings, schema\n")
    done = gateway("check", "--connect", "--config", config, "--json")
    assert done.code == 0
    assert done.json == {
        "connected": {"store": True, "bus": True, "sources.chancheng": True},
        "problems": [],
        "warnings": [],
    }
    assert sorted(each.name for each in config.parent.rglob("*")) == before


def test_all_problems_are_listed_at_once_with_their_places(gateway: Callable[..., Done], config: Path) -> None:
    change(
        config,
        ("node: test-1", "node: 7"),
        ("late_poll_s: 1", "late_pol_s: 1"),
        ("embedded:///bus.db", "amqp://u:${env:NO_SUCH_VARIABLE}@h/x"),
    )
    (config.parent / "trust.yaml").write_text("version: 1\n", encoding="utf-8")
    done = gateway("check", "--config", config, "--json")
    assert done.code == 2
    places = [line.replace(f"{config.parent}/", "").split(": ")[:2] for line in done.json["problems"]]
    assert ["gateway.yaml:1:1", "node"] in places
    assert ["gateway.yaml:4:1", "bus"] in places
    assert ["gateway.yaml:10:59", "sources.chancheng.options.late_pol_s"] in places
    assert any(place.startswith("trust.yaml:1:") for place, _ in places)
    assert done.err.splitlines() == done.json["problems"]


def test_warnings_of_configuration_and_mappings_do_not_fail(gateway: Callable[..., Done], config: Path) -> None:
    shutil.copytree(Path(str(shipped())) / "cgs", config.parent / "own" / "cgs")
    document = config.parent / "own" / "cgs" / "BJ.yaml"
    lines = document.read_text(encoding="utf-8").splitlines(keepends=True)
    document.write_text("".join(line for line in lines if "yearlyReview" not in line), encoding="utf-8")
    change(
        config,
        ("    adapter: cgs", "    mappings: own\n    adapter: cgs"),
        ("embedded:///bus.db", "amqp://u:secret@h/x"),
    )
    done = gateway("check", "--config", config, "--json")
    assert done.code == 0
    assert "holds a password in clear" in done.json["warnings"][0]
    assert "secret" not in done.out + done.err


def test_a_mapping_folder_that_is_missing_is_a_problem(gateway: Callable[..., Done], config: Path) -> None:
    change(config, ("    adapter: cgs", "    mappings: nowhere\n    adapter: cgs"))
    done = gateway("check", "--config", config)
    assert done.code == 2
    assert "nowhere/cgs:1:1: cgs: no such folder of mappings" in done.err


def test_services_that_are_away_end_with_3_and_no_password_shows(gateway: Callable[..., Done], config: Path) -> None:
    ports = free_ports(2)
    change(
        config,
        ("embedded:///bus.db", f"amqp://u:s3cret@127.0.0.1:{ports[0]}/x"),
        ("sqlite:///gateway.db", f"postgresql+psycopg://u:s3cret@127.0.0.1:{ports[1]}/x"),
    )
    done = gateway("check", "--connect", "--config", config, "--json")
    assert done.code == 3
    assert done.json["connected"] == {"store": False, "bus": False, "sources.chancheng": True}
    assert [line.partition(":")[0] for line in done.json["problems"]] == ["store", "bus"]
    assert "s3cret" not in done.out + done.err


def test_no_password_leaves_a_check_that_failed() -> None:
    def away() -> None:
        raise TransientError("no answer from amqp://u:s3cret@h/x")

    tried = _try(Terminal("en", is_json=False), "bus", away, timeout_s=0)
    assert tried == ("bus", "no answer from amqp://u:***@h/x", True)


def test_a_check_knows_no_key() -> None:
    keys = _NoKeys()
    assert (keys.seen(["a"]), keys.parked("no-parent"), keys.ordinals(after=0, limit=9)) == ({}, (), ())


def test_a_bus_with_other_queues_and_a_source_without_tables_are_found(
    gateway: Callable[..., Done], config: Path
) -> None:
    assert gateway("run", "--drain", "--config", config).code == 0
    with sqlite3.connect(config.parent / "bus.db") as bus:
        bus.execute("DELETE FROM bindings WHERE key = 'approval.#'")
    (config.parent / "chancheng.db").unlink()
    sqlite3.connect(config.parent / "chancheng.db").execute("CREATE TABLE x (y)").connection.close()
    done = gateway("check", "--connect", "--config", config)
    assert done.code == 1
    assert "✗ bus: binding supervision → core by 'approval.#': missing\nrun `gateway topology apply`" in done.out
    assert "✗ sources.chancheng: " in done.out
    assert "✓ store" in done.out
