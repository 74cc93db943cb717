"""What every command shares."""

from __future__ import annotations

from pathlib import Path

from monitor.menu.options import CONFIG, SEED, TIMEOUT_S, open_terminal


def test_defaults_are_those_of_the_contract() -> None:
    assert (Path("gateway.yaml"), 300.0) == (CONFIG, TIMEOUT_S)
    assert isinstance(SEED, int)


def test_a_terminal_is_what_was_asked_for() -> None:
    terminal = open_terminal("zh", is_json=True)
    assert (terminal.language, terminal.is_json, terminal.is_reserved) == ("zh", True, False)
