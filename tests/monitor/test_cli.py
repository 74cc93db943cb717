"""The command line as the contract has it: commands, options, examples, exit codes, JSON."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import typer
from typer.main import get_command

from monitor import cli
from monitor.menu import service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.monitor.conftest import Done

#: Commands of the contract's first release.
CONTRACT = (
    "demo", "init", "check", "run", "status", "tap", "verify", "simulate", "bench",
    "mapping lint", "mapping test", "mapping explain", "mapping coverage", "schema docs",
    "topology apply", "topology show", "keys new", "keys list", "keys export",
)  # fmt: skip


def commands() -> Iterator[str]:
    """Every command there is."""
    root = get_command(cli.app)
    assert isinstance(root, typer.core.TyperGroup)
    for name, command in root.commands.items():
        if isinstance(command, typer.core.TyperGroup):
            yield from (f"{name} {inner}" for inner in command.commands)
        else:
            yield name


def test_the_commands_are_those_of_the_contract() -> None:
    assert sorted(commands()) == sorted(CONTRACT)


@pytest.mark.parametrize("command", CONTRACT)
def test_each_command_has_help_with_an_example_and_the_common_options(
    gateway: Callable[..., Done], command: str
) -> None:
    done = gateway(*command.split(), "--help")
    assert (done.code, done.err) == (0, "")
    assert f"Example:  gateway {command}" in done.out
    assert {"--json", "--lang"} <= set(done.out.split())
    assert "DIR" not in command
    assert any("\u4e00" <= letter <= "\u9fff" for letter in done.out)


@pytest.mark.parametrize("command", CONTRACT)
def test_each_command_takes_a_configuration_file(command: str) -> None:
    root = get_command(cli.app)
    for name in command.split():
        assert isinstance(root, typer.core.TyperGroup)
        root = root.commands[name]
    options = {option for parameter in root.params for option in parameter.opts}
    assert {"--config", "--json", "--lang"} <= options


def test_the_menu_lists_every_command_and_where_to_begin(gateway: Callable[..., Done]) -> None:
    done = gateway("--help")
    assert done.code == 0
    assert "Start here:  gateway demo" in done.out
    assert all(f"  {command.split()[0]} " in done.out for command in CONTRACT)


def test_without_a_command_the_help_is_shown_and_it_is_misuse(gateway: Callable[..., Done]) -> None:
    done = gateway()
    assert done.code == 2
    assert "Commands:" in done.err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("frobnicate",), "No such command 'frobnicate'"),
        (("run", "--nope"), "No such option: --nope"),
        (("init",), "Missing argument 'DIR'"),
        (("verify", "a", "b"), "Got unexpected extra argument(s) (b)"),
        (("status", "--lang", "fr"), "'--lang'"),
        (("tap", "--count", "many"), "'--count'"),
        (("run", "--timeout", "-1"), "'--timeout'"),
    ],
)
def test_misuse_is_said_clearly_and_ends_with_2(
    gateway: Callable[..., Done], arguments: tuple[str, ...], text: str
) -> None:
    done = gateway(*arguments)
    assert (done.code, done.out) == (2, "")
    assert text in done.err
    assert "--help" in done.err


def test_misuse_is_a_json_object_for_whoever_asked_for_one(gateway: Callable[..., Done]) -> None:
    done = gateway("run", "--nope", "--json")
    assert done.code == 2
    assert done.json == {"error": "usage", "exit": 2, "problems": ["No such option: --nope"]}


def test_an_error_of_the_parser_without_a_page_of_its_own_is_shown(
    gateway: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object, **_options: object) -> None:
        raise typer.exceptions.TyperException("bad")

    monkeypatch.setattr(cli, "app", broken)
    done = gateway("status")
    assert (done.code, done.err) == (1, "bad\n")


def test_an_import_error_of_our_own_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object, **_options: object) -> None:
        raise ImportError("ours")

    monkeypatch.setattr(cli, "app", broken)
    with pytest.raises(ImportError, match="ours"):
        cli.main(["status"])


def test_a_terminal_that_cannot_show_chinese_ends_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.BytesIO()
    narrow = io.TextIOWrapper(shown, encoding="ascii", write_through=True)
    monkeypatch.setattr(sys, "stdout", narrow)
    with pytest.raises(SystemExit) as ended:
        cli.main(["mapping", "lint", "cgs", "--lang", "zh"])
    assert ended.value.code == 0
    assert b"\\u" in shown.getvalue()


def test_ctrl_c_before_the_work_is_done_is_130(gateway: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(service, "open_terminal", interrupted)
    assert gateway("check").code == 130


def test_arguments_come_from_the_command_line(gateway: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["gateway", "--help"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "monitor", "--help"], capture_output=True, check=True, encoding="utf-8"
    )
    assert done.stdout.startswith("Usage: gateway [OPTIONS] COMMAND")
