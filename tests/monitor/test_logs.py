"""Log lines: JSON for machines, plain for a person, never a password."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import structlog

from monitor import logs

if TYPE_CHECKING:
    import pytest


def test_lines_are_json_with_readable_chinese_and_masked_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(is_quiet=False)
    structlog.get_logger().info("批次", action="append", error="amqp://u:p@h")
    shown = capsys.readouterr()
    line = json.loads(shown.err)
    assert shown.out == ""
    assert "批次" in shown.err
    assert (line["event"], line["level"], line["error"]) == ("批次", "info", "amqp://u:***@h")
    assert line["timestamp"].endswith("Z")


def test_quiet_means_warnings_and_errors(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(is_quiet=True)
    structlog.get_logger().info("batch")
    structlog.get_logger().warning("away")
    assert json.loads(capsys.readouterr().err)["event"] == "away"


def test_a_person_who_looks_on_gets_plain_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    logs.configure(is_quiet=False)
    structlog.get_logger().warning("source is away", source="chancheng", failures=2)
    line = capsys.readouterr().err
    assert line[8:] == " warning source is away  source=chancheng failures=2\n"


def test_a_trace_follows_its_line() -> None:
    event = {"event": "boom", "level": "error", "exception": "Traceback: x"}
    assert logs.plain_line(None, "error", event) == "error boom\nTraceback: x"
