"""`gateway verify`: one line or object a finding, then the totals; from a file, a bus, or the deployment's own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bus.transport import connect
from bus.verify import write_jsonl
from monitor.commands import verify
from monitor.journal import read_held
from monitor.settings import load
from tests.monitor.deployments import deploy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bus.message import Message
    from tests.monitor.conftest import Done


@pytest.fixture
def messages(drained: Path) -> list[Message]:
    """The journal of the drained deployment, one stream after the other."""
    found = list(read_held(connect(load(drained).bus), timeout_s=5))
    return sorted(found, key=lambda message: message.routing_key.split(".")[1])


def write(path: Path, messages: list[Message]) -> Path:
    """A file of messages."""
    with path.open("wb") as file:
        write_jsonl(file, messages)
    return path


def test_a_sound_file_is_verified(
    gateway: Callable[..., Done], drained: Path, messages: list[Message], tmp_path: Path
) -> None:
    file = write(tmp_path / "j", messages)
    done = gateway("verify", file, "--trust", drained.parent / "trust.yaml")
    assert (done.code, done.err) == (0, "")
    assert "test/chancheng/e1" in done.out
    assert done.out.endswith("\nVerified: nothing missing, doubled, reordered or altered.\n")
    assert max(map(len, done.out.splitlines())) <= 80
    zh = gateway("verify", file, "--trust", drained.parent / "trust.yaml", "--lang", "zh")
    assert zh.out.endswith("核验通过：无缺失、无重复、无乱序、无篡改。\n")


def test_findings_come_one_a_line_and_one_an_object(
    gateway: Callable[..., Done], drained: Path, messages: list[Message], tmp_path: Path
) -> None:
    file = write(tmp_path / "j", [messages[0], *messages[2:]])
    done = gateway("verify", file, "--config", drained)
    assert done.code == 1
    assert "✗ gap: test/chancheng/e1 entry" in done.out
    assert done.out.endswith("\n1 finding.\n")
    done = gateway("verify", file, "--config", drained, "--json")
    finding, totals = (json.loads(line) for line in done.out.splitlines())
    assert finding["kind"] == "gap"
    assert totals["findings"] == 1
    assert totals["records"] == sum(total["records"] for total in totals["totals"])
    assert done.code == 1


def test_a_file_that_begins_in_the_middle_says_so_and_whole_makes_it_a_finding(
    gateway: Callable[..., Done], drained: Path, messages: list[Message], tmp_path: Path
) -> None:
    file = write(tmp_path / "j", messages[1:])
    done = gateway("verify", file, "--config", drained)
    assert done.code == 0
    assert "test/chancheng/e1 begins at entry " in done.out
    done = gateway("verify", file, "--whole", "--config", drained, "--lang", "zh")
    assert done.code == 1
    assert "发现 1 处问题" in done.out


def test_a_cut_file_is_found(
    gateway: Callable[..., Done], drained: Path, messages: list[Message], tmp_path: Path
) -> None:
    file = write(tmp_path / "j", messages)
    file.write_bytes(file.read_bytes()[:-50])
    done = gateway("verify", file, "--config", drained)
    assert done.code == 1
    assert "✗ tail: the file was cut" in done.out


def test_the_journal_of_a_bus_and_of_the_deployment(gateway: Callable[..., Done], drained: Path) -> None:
    settings = load(drained)
    named = gateway("verify", "--journal", settings.bus, "--trust", settings.signing.trust, "--json")
    own = gateway("verify", "--config", drained, "--json")
    assert named.code == own.code == 0
    assert named.json == own.json
    assert own.json["records"] > 100


def test_nothing_to_verify_is_not_called_verified(gateway: Callable[..., Done], tmp_path: Path) -> None:
    config = deploy(tmp_path, {"chancheng": "440604"}, records=1)
    (tmp_path / "empty").touch()
    done = gateway("verify", tmp_path / "empty", "--config", config)
    assert (done.code, done.out) == (0, "There is no message to verify.\n")


def test_what_was_named_must_be_there(
    gateway: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "FILE none: cannot be read" in gateway("verify", "none").err
    assert "无法读取" in gateway("verify", tmp_path, "--lang", "zh").err
    (tmp_path / "j").touch()
    assert gateway("verify", "j").err.startswith("trust.yaml: cannot read the trust file")
    done = gateway("verify", "j", "--journal", "embedded:///x")
    assert (done.code, done.err) == (2, "name either a FILE made by `gateway tap --raw` or --journal URL, not both\n")
    assert gateway("verify").code == 2


def test_a_bus_that_is_not_there_is_not_made(gateway: Callable[..., Done], drained: Path, tmp_path: Path) -> None:
    trust = drained.parent / "trust.yaml"
    done = gateway("verify", "--journal", f"embedded:///{tmp_path}/none.db", "--trust", trust)
    assert done.code == 2
    assert list(tmp_path.iterdir()) == []


def test_long_work_reports_its_progress() -> None:
    seen: list[int] = []
    assert sum(1 for _ in verify._counted(range(2500), seen.append)) == 2500
    assert seen == [1000, 2000]
