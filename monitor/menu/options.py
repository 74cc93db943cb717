"""Options that several commands share, and the terminal that they ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from monitor.ownership import ownership_problems
from monitor.terminal import Exit, Terminal
from monitor.texts import default_language

Config = Annotated[Path, typer.Option("--config", metavar="FILE", help="配置文件 · The deployment's file.")]
UnusedConfig = Annotated[Path | None, typer.Option("--config", metavar="FILE", hidden=True)]
"""Every command takes `--config`, so that a script may pass it always; these have no use for it."""
Json = Annotated[bool, typer.Option("--json", help="末行输出 JSON · One JSON object on the last line of stdout.")]
Lang = Annotated[
    Literal["zh", "en"],
    typer.Option("--lang", default_factory=default_language, show_default="locale", help="语言 · Language."),
]
Timeout = Annotated[
    float,
    typer.Option(
        "--timeout", metavar="SECONDS", min=0, help="服务不可用时最多等待的秒数 · Seconds to wait for a service."
    ),
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="随机种子 · Equal seeds give equal cases.")]

CONFIG: Final = Path("gateway.yaml")
TIMEOUT_S: Final = 300.0
SEED: Final = 20100301


def group(text: str) -> typer.Typer:
    """A group of commands."""
    return typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=text)


def open_terminal(language: Literal["zh", "en"], *, is_json: bool) -> Terminal:
    """Where the command writes.

    Raises:
        SystemExit: another distribution owns one of our names: nothing that we import can be trusted to be ours.
    """
    terminal = Terminal(language, is_json)
    problems = ownership_problems()
    if problems:
        for problem in problems:
            terminal.warn(zh=problem, en=problem)
        terminal.result({"error": "configuration", "exit": int(Exit.WRONG_USE), "problems": problems})
        raise SystemExit(Exit.WRONG_USE)
    return terminal
