"""As a newcomer does it: real processes, no service, from an empty folder to a verified journal."""

from __future__ import annotations

import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import pytest

from tests.monitor.test_cli import CONTRACT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def command(*arguments: object) -> list[str]:
    """The command line of `gateway`, measured for coverage where the tests are."""
    return [sys.executable, "-m", "monitor", *map(str, arguments)]


def run(*arguments: object, code: int = 0) -> str:
    """Run to the end; the expected exit code, and stdout."""
    done = subprocess.run(command(*arguments), capture_output=True, check=False, encoding="utf-8", timeout=120)
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


@contextmanager
def started(
    *arguments: object, stderr: int = subprocess.DEVNULL
) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """A command at work and its stdout; killed at the end of the block when it has not ended by itself."""
    process = subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, stderr=stderr)
    assert process.stdout is not None
    try:
        yield process, process.stdout
    finally:
        process.kill()
        process.communicate()


def last(text: str) -> dict[str, Any]:
    """The object on the last line."""
    found: dict[str, Any] = json.loads(text.splitlines()[-1])
    return found


def test_from_an_empty_folder_to_a_verified_journal(tmp_path: Path) -> None:
    folder = tmp_path / "gateway"
    config = folder / "gateway.yaml"
    run("init", folder)
    run("simulate", "cgs", "--url", f"sqlite:///{folder}/chancheng.db", "--division", "440604", "--records", 300)
    run("check", "--connect", "--config", config)
    drained = last(run("run", "--drain", "--config", config, "--json"))["sources"]["chancheng"]
    assert (drained["read"], drained["published"], drained["balanced"]) == (300, 300, True)
    tapped = run("tap", "--from", "first", "--idle", 1, "--config", config, "--json").splitlines()
    assert len(tapped) == 301
    assert {json.loads(line)["state"] for line in tapped[:-1]} == {"verified"}
    run("tap", "--raw", "--out", folder / "journal.jsonl", "--from", "first", "--idle", 1, "--config", config)
    verified = last(run("verify", folder / "journal.jsonl", "--whole", "--trust", folder / "trust.yaml", "--json"))
    assert (verified["records"], verified["findings"]) == (300, 0)
    lines = (folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "journal.jsonl").write_bytes(b"".join(lines[:1] + lines[2:]))
    assert "✗ gap" in run("verify", folder / "journal.jsonl", "--trust", folder / "trust.yaml", "--lang", "en", code=1)


def test_another_process_listens_while_the_service_runs_and_both_end_at_a_signal(tmp_path: Path) -> None:
    config = tmp_path / "gateway" / "gateway.yaml"
    run("init", config.parent)
    simulate = ("simulate", "cgs", "--url", f"sqlite:///{config.parent}/chancheng.db", "--division", "440604")
    run(*simulate, "--records", 20)
    with (
        started("tap", "--from", "first", "--config", config) as (tap, listening),
        started("run", "--config", config, "--json") as (service, running),
    ):
        heard = [listening.readline() for _ in range(20)]
        run(*simulate, "--records", 5, "--rate", 20, "--first-case", 1000)
        heard += [listening.readline() for _ in range(5)]
        service.send_signal(signal.SIGTERM)
        tap.send_signal(signal.SIGINT)
        assert last(running.read().decode())["sources"]["chancheng"]["published"] == 25
        assert (service.wait(20), tap.wait(20)) == (0, 0)
    assert all(line.startswith((b"verified", b"chained")) for line in heard)


def test_a_reader_that_goes_away_leaves_no_trace(tmp_path: Path) -> None:
    config = tmp_path / "gateway" / "gateway.yaml"
    run("init", config.parent)
    url = f"sqlite:///{config.parent}/chancheng.db"
    run("simulate", "cgs", "--url", url, "--division", "440604", "--records", 2000)
    run("run", "--drain", "--config", config)
    options = ("--from", "first", "--full", "--config", config)
    with started("tap", *options, stderr=subprocess.PIPE) as (tap, listening):
        assert tap.stderr is not None
        listening.readline()
        listening.close()
        assert tap.stderr.read() == b""
        assert tap.wait(20) == 141


def cpu_s(arguments: list[str]) -> float:
    """Processor time of one command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(arguments, capture_output=True, check=True, env=_without_coverage())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _without_coverage() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("COV")}


@pytest.mark.parametrize("name", ["", *CONTRACT])
def test_help_is_quick(name: str) -> None:
    """300 ms is promised; twice that is allowed here, since the machine may have other work."""
    arguments = command(*name.split(), "--help")
    assert statistics.median(cpu_s(arguments) for _ in range(3)) < 0.6


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom monitor.cli import main\n"
        "try:\n    main(['run', '--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'lxml', 'sqlalchemy', 'ruamel', 'structlog', 'pika', 'kombu', 'cryptography', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, encoding="utf-8")
    assert done.stdout.endswith("[]\n")


def test_the_demonstration_is_done_in_well_under_a_minute() -> None:
    began = time.monotonic()
    shown = last(run("demo", "--json"))
    assert shown["verified"]["records"] >= 2000
    assert shown["verified"]["findings"] == 0
    assert time.monotonic() - began < 45
