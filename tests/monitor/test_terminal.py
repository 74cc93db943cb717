"""Text for people, one JSON object for programs, and exit codes that say what to do."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bus.errors import ConfigurationError, ExchangeError, FatalError, TransientError
from monitor.terminal import PIPE_CLOSED, Stopped, Terminal, WrongUseError, cannot_read, cannot_write, exit_codes


def test_texts_go_to_stdout_and_step_aside_for_json_or_messages(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal("zh", is_json=False).say(zh="好", en="good")
    Terminal("en", is_json=True).say(zh="好", en="good")
    Terminal("en", is_json=False, is_reserved=True).say(zh="好", en="better")
    Terminal("en", is_json=False).warn(zh="好", en="amqp://u:p@h")
    assert capsys.readouterr() == ("好\n", "good\nbetter\namqp://u:***@h\n")


def test_tables_are_for_people_only(capsys: pytest.CaptureFixture[str]) -> None:
    for terminal in (Terminal("en", is_json=True), Terminal("en", is_json=False, is_reserved=True)):
        terminal.table(("a",), [("b",)])
        terminal.sheet(("a",), [("b", (1,))])
    Terminal("en", is_json=False).sheet(("a",), [])
    assert capsys.readouterr() == ("", "")
    Terminal("en", is_json=False).table(("a",), [("b",)])
    Terminal("en", is_json=False).sheet(("a",), [("b", (1,))])
    assert capsys.readouterr().out == "\na\n─\nb\n\n   b\na  1\n"


def test_a_terminal_is_as_wide_as_it_says(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "30")
    Terminal("en", is_json=False).table(("q", "text"), [("core", "one two three four five six")])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 30


def test_a_result_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal("zh", is_json=False).result({"a": 1})
    Terminal("zh", is_json=True).result({"来源": "禅城\n"})
    assert capsys.readouterr().out == '{"来源": "禅城\\n"}\n'


def test_a_progress_bar_needs_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with Terminal("en", is_json=False).progress(zh="进度", en="rows", total=2) as update:
        update(1)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with Terminal("en", is_json=False).progress(zh="进度", en="rows", total=2) as update:
        update(1)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "rows" in shown.err


@pytest.mark.parametrize(
    ("error", "code", "word", "en", "zh"),
    [
        (ConfigurationError(["a:1:1: bus: amqp://u:p@h"]), 2, "configuration", "a:1:1: bus: amqp://u:***@h", "a:1:1"),
        (WrongUseError(("坏", "bad")), 2, "usage", "bad", "坏"),
        (TransientError("no\n\tanswer"), 3, "unreachable", "a service is away: no answer", "服务不可用：no answer"),
        (FatalError("broken"), 1, "fatal", "stopped: broken", "已停止：broken"),
    ],
)
def test_an_error_says_what_to_do(
    capsys: pytest.CaptureFixture[str], error: ExchangeError, code: int, word: str, en: str, zh: str
) -> None:
    def fail() -> None:
        with exit_codes(Terminal("en", is_json=True)) as known:
            known["sources"] = {}
            raise error

    with pytest.raises(SystemExit) as ended:
        fail()
    assert ended.value.code == code
    shown = capsys.readouterr()
    assert shown.err == f"{en}\n"
    assert json.loads(shown.out) == {"error": word, "exit": code, "problems": [en], "sources": {}}
    with pytest.raises(SystemExit), exit_codes(Terminal("zh", is_json=False)):
        raise error
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(zh)


def test_being_stopped_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, exit_codes(Terminal("en", is_json=True)):
        raise Stopped
    assert ended.value.code == 0
    assert capsys.readouterr() == ('{"stopped": true}\n', "Stopped.\n")


def test_a_reader_that_has_gone_away_ends_the_command_quietly(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, exit_codes(Terminal("en", is_json=False)):
        raise BrokenPipeError
    assert ended.value.code == PIPE_CLOSED
    assert capfd.readouterr() == ("", "")


def test_files_that_the_user_named_are_named(tmp_path: Path) -> None:
    error = OSError(13, "Permission denied")
    assert cannot_write("--out", tmp_path / "x", error).texts == (
        (
            f"--out {tmp_path}/x：无法写入（Permission denied）",
            f"--out {tmp_path}/x: cannot be written (Permission denied)",
        ),
    )
    assert cannot_read("FILE", Path("y"), error).problems == ("FILE y: cannot be read (Permission denied)",)


def test_what_a_record_says_does_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "440604:SL:A\x1b[2J\r\x9b31m\u202eB\ud800"
    shown = "440604:SL:A\\u001b[2J\\u000d\\u009b31m\\u202eB\\ud800\n"
    terminal = Terminal("zh", is_json=False)
    terminal.say(zh=hostile, en="")
    terminal.warn(zh=hostile, en="")
    with pytest.raises(SystemExit), exit_codes(terminal):
        raise FatalError(hostile)
    terminal.table(("键",), [("𠮷\t中 文",)])
    out, err = capsys.readouterr()
    assert out.startswith(shown)
    assert "𠮷" in out
    assert err == f"{shown}已停止：{shown}"
