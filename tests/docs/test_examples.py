"""The examples of the documentation run as they are printed."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, text

from monitor.settings import load
from tests.docs.pages import example, page

if TYPE_CHECKING:
    from pathlib import Path

_RECORDS = 300


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Files of a demonstration, and what it said."""
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "monitor", "demo", "--records", str(_RECORDS), "--dir", "demo-files", "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return folder, said


def test_the_consumer_of_the_cores_page_keeps_every_record_once(demo: tuple[Path, dict[str, Any]]) -> None:
    folder, said = demo
    (folder / "core.py").write_text(example("docs/howto/core.md", "core.py"), encoding="utf-8")
    bus, trust, database = "embedded:///demo-files/bus.db", "demo-files/trust.yaml", "sqlite:///core.db"
    process = subprocess.Popen(
        [sys.executable, "core.py", bus, trust, database, "journal"], cwd=folder, stdout=subprocess.PIPE, text=True
    )
    try:
        _wait_for_rows(folder, said["verified"]["records"])
    finally:
        process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    (last,) = output.splitlines()
    assert re.fullmatch(r"handled \d+ entries", last), "records and notices, and no finding"
    assert f"python core.py {bus} {trust} {database} journal" in page("docs/howto/core.md")


def _wait_for_rows(folder: Path, wanted: int) -> None:
    engine = create_engine(f"sqlite:///{folder}/core.db")
    deadline = time.monotonic() + 30
    found = -1
    while found < wanted and time.monotonic() < deadline:
        time.sleep(0.1)
        with engine.connect() as connection:
            has_table = connection.scalar(text("SELECT count(*) FROM sqlite_master WHERE name = 'records'"))
            found = connection.scalar(text("SELECT count(*) FROM records")) if has_table else -1
    engine.dispose()
    assert found == wanted


def test_the_configuration_of_the_readme_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = re.search(r"<<'YAML'\n(.*?)^YAML$", page("README.md"), re.DOTALL | re.MULTILINE)
    assert found is not None
    (tmp_path / "gateway.yaml").write_text(found[1], encoding="utf-8")
    for name, value in re.findall(r"(\w+_PASSWORD)=([\w-]+)", page("README.md")):
        monkeypatch.setenv(name, value)
    settings = load(tmp_path / "gateway.yaml")
    assert [(name, source.division) for name, source in settings.sources.items()] == [
        ("chancheng", "440604"),
        ("gaoming", "440608"),
        ("sanshui", "440607"),
    ]
    assert settings.bus == "amqp://gateway:gateway-demo@127.0.0.1:5672/supervision"


def test_the_readme_shows_what_the_demo_prints() -> None:
    command = [sys.executable, "-m", "monitor", "demo", "--lang", "en"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = re.search(r"<!-- demo -->\n```\n(.*?)```", page("README.md"), re.DOTALL)
    assert found is not None
    assert _lines(found[1]) == _lines(done.stdout)


def _lines(output: str) -> list[str]:
    """Without the blanks that fill a table up, and without durations."""
    lines = [re.sub(r"[ ─]+", " ", line).strip() for line in output.splitlines() if line.strip()]
    return [re.sub(r"\b[0-9.]+ s\b", "… s", line) for line in lines]
