"""`gateway tap`: shows what is verified as what it is, from where it was asked, and writes files that verify."""

from __future__ import annotations

import json
import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from bus import clock
from bus.transport import connect
from bus.verify import read_jsonl
from monitor.journal import read_held
from monitor.settings import load
from tests.monitor.deployments import deploy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bus.message import Message
    from tests.monitor.conftest import Done


def journal_of(config: Path) -> list[Message]:
    """Everything that the deployment has published."""
    return list(read_held(connect(load(config).bus), timeout_s=5))


def test_records_are_shown_as_verified_until_it_is_enough(gateway: Callable[..., Done], drained: Path) -> None:
    done = gateway("tap", "--from", "first", "--count", 3, "--config", drained)
    lines = done.out.splitlines()
    assert (done.code, done.err, len(lines)) == (0, "", 4)
    assert lines[0].startswith("verified  test/")
    assert lines[-1] == "3 records, 0 findings."
    one = gateway("tap", "--from", "first", "--count", 1, "--full", "--config", drained, "--lang", "zh")
    assert one.out.splitlines()[1].strip().startswith("<")
    assert one.out.endswith("1 条记录，发现 0 处问题。\n")


def test_filters_by_kind_division_and_number(gateway: Callable[..., Done], drained: Path) -> None:
    done = gateway(
        "tap", "--from", 20, "--kind", "SPCL", "--division", "440608", "--idle", 0.3, "--json", "--config", drained
    )
    *lines, last = [json.loads(line) for line in done.out.splitlines()]
    assert lines
    assert {line["kind"] for line in lines} == {"SPCL"}
    assert {line["stream"] for line in lines} == {"test/gaoming"}
    assert min(line["seq"] for line in lines) >= 20
    assert lines[0]["state"] == "verified"
    assert lines[0]["record"].startswith("<approvalStep")
    assert last == {"records": len(lines), "findings": 0}


def test_from_a_time_on(gateway: Callable[..., Done], drained: Path) -> None:
    after = clock.to_text(clock.now())
    done = gateway("tap", "--from", after, "--idle", 0.3, "--config", drained)
    assert (done.code, done.out) == (0, "0 records, 0 findings.\n")
    before = gateway("tap", "--from", "2010-03-01T08:00:00+08:00", "--idle", 0.3, "--config", drained, "--json")
    assert before.json["records"] > 100


def test_a_raw_file_is_whole_and_verifies(gateway: Callable[..., Done], drained: Path, tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    done = gateway("tap", "--raw", "--out", file, "--from", "first", "--idle", 0.3, "--config", drained)
    assert done.code == 0
    assert list(read_jsonl(file)) == journal_of(drained)
    assert gateway("verify", file, "--whole", "--config", drained).code == 0
    streamed = gateway("tap", "--raw", "--from", "first", "--idle", 0.3, "--config", drained)
    assert streamed.out == file.read_text(encoding="utf-8")
    assert streamed.err.endswith("0 findings.\n")


def test_a_raw_file_of_one_division_verifies_too(gateway: Callable[..., Done], drained: Path, tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    options = ("--raw", "--out", file, "--division", "440604", "--from", "first", "--idle", 0.3)
    assert gateway("tap", *options, "--config", drained).code == 0
    done = gateway("verify", file, "--whole", "--config", drained, "--json")
    assert (done.code, [total["stream"] for total in done.json["totals"]]) == (0, ["test/chancheng"])


def test_what_is_altered_or_doubled_is_said_and_not_shown(gateway: Callable[..., Done], tmp_path: Path) -> None:
    config = deploy(tmp_path, {"chancheng": "440604"}, records=20)
    gateway("run", "--drain", "--config", config)
    message = next(m for m in journal_of(config) if m.routing_key.startswith("approval."))
    publisher = connect(load(config).bus).publisher()
    publisher.publish([message._replace(body=message.body + b" "), message])
    publisher.close()
    done = gateway("tap", "--from", "first", "--idle", 0.5, "--config", config)
    assert done.code == 1
    assert "✗ altered: test/chancheng/e1" in done.out
    assert "✗ double: test/chancheng/e1" in done.out
    assert done.out.count("verified  test/chancheng #") == 20
    assert "\n20 records, " in done.out


def test_what_no_checkpoint_signs_is_shown_after_a_moment_as_chained(
    gateway: Callable[..., Done], tmp_path: Path
) -> None:
    config = deploy(tmp_path / "a", {"chancheng": "440604"}, records=20)
    gateway("run", "--drain", "--config", config)
    unsigned = [m for m in journal_of(config) if not m.routing_key.startswith("checkpoint.")]
    other = deploy(tmp_path / "b", {"chancheng": "440604"}, records=1)
    (tmp_path / "b" / "trust.yaml").write_bytes((tmp_path / "a" / "trust.yaml").read_bytes())
    gateway("tap", "--idle", 0, "--config", other)
    publisher = connect(load(other).bus).publisher()
    publisher.publish(unsigned)
    publisher.close()
    done = gateway("tap", "--from", "first", "--idle", 1.5, "--config", other)
    assert done.code == 0
    assert done.out.count("chained   test/chancheng #") == 20


def test_a_signal_ends_it_cleanly(gateway: Callable[..., Done], drained: Path) -> None:
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    done = gateway("tap", "--from", "last", "--json", "--config", drained)
    timer.join()
    assert done.code == 0
    assert done.json["findings"] == 0


@pytest.mark.parametrize(
    ("options", "zh", "en"),
    [
        (("--out", "x"), "--out：是 --raw 的输出文件；请加 --raw", "--out: is where --raw writes; add --raw"),
        (
            ("--raw", "--kind", "SL"),
            "--raw --kind：缺了条目的文件无法核验",
            "--raw --kind: a file with entries left out",
        ),
        (("--kind", "XX"), "--kind XX：未知；已知 SB", "--kind XX: unknown; known are SB"),
        (("--from", "soon"), "--from soon：可用 first、last", "--from soon: use first, last"),
        (("--from", "2010-03-01"), "时间须带时区", "--from 2010-03-01: the time needs a zone, e.g. 2010-03-01+08:00"),
        (("--raw", "--out", "/nowhere/x"), "无法写入", "--out /nowhere/x: cannot be written"),
    ],
)
def test_options_that_do_not_fit_are_misuse(
    gateway: Callable[..., Done], drained: Path, options: tuple[str, ...], zh: str, en: str
) -> None:
    done = gateway("tap", *options, "--config", drained)
    assert (done.code, done.out) == (2, "")
    assert en in done.err
    assert zh in gateway("tap", *options, "--config", drained, "--lang", "zh").err


def test_stdout_is_for_one_thing_only(gateway: Callable[..., Done], drained: Path) -> None:
    done = gateway("tap", "--raw", "--json", "--config", drained)
    assert done.code == 2
    assert done.json["problems"] == [
        "--raw --json: stdout cannot hold both messages and the result; name a file with --out"
    ]
