"""What commands print: text and tables for people, one JSON object on the last line for programs, and exit codes."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, Literal

from bus.errors import ConfigurationError, ExchangeError, TransientError
from monitor.texts import Language, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class Exit(IntEnum):
    """Exit codes of every command (architecture §5)."""

    DONE = 0
    FOUND = 1
    WRONG_USE = 2
    UNREACHABLE = 3


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where a command writes, and how."""

    language: Language
    is_json: bool

    def say(self, *, zh: str, en: str) -> None:
        """One line for a person; on stderr when stdout belongs to a program."""
        print(say(self.language, zh=zh, en=en), file=sys.stderr if self.is_json else sys.stdout, flush=True)

    def result(self, value: Mapping[str, Any]) -> None:
        """The last line of stdout under `--json`; nothing otherwise."""
        if self.is_json:
            print(json.dumps(value, ensure_ascii=False), flush=True)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table for a person; nothing under `--json`."""
        if self.is_json:
            return
        from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - `--help` must not pay for it
        from rich.console import Console  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415

        table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1))
        for index, column in enumerate(columns):
            justify: Literal["left", "right"] = "right" if _is_numeric(rows, index) else "left"
            table.add_column(column, justify=justify, overflow="fold")
        for row in rows:
            table.add_row(*(str(cell) for cell in row))
        Console(width=None if sys.stdout.isatty() else _FILE_WIDTH).print(table)

    @contextmanager
    def progress(self, *, zh: str, en: str, total: int | None) -> Iterator[Any]:
        """Yields `update(done)`: a progress bar when a terminal is there, silence otherwise."""
        if self.is_json or not sys.stdout.isatty():
            yield lambda _done: None
            return
        from rich.progress import Progress  # noqa: PLC0415 - `--help` must not pay for it

        with Progress(transient=True) as bar:
            task = bar.add_task(say(self.language, zh=zh, en=en), total=total)
            yield lambda done: bar.update(task, completed=done)


_FILE_WIDTH: Final = 200
"""Columns of a table that goes into a file or a pipe, where nothing has to be folded."""


def _is_numeric(rows: Sequence[Sequence[object]], index: int) -> bool:
    return all(isinstance(row[index], int | float) for row in rows)


@contextmanager
def exit_codes(terminal: Terminal) -> Iterator[None]:
    """Errors of the house become a text on stderr and the exit code that says what to do."""
    try:
        yield
    except ConfigurationError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        terminal.result({"error": "configuration", "problems": list(error.problems)})
        raise SystemExit(Exit.WRONG_USE) from error
    except TransientError as error:
        print(say(terminal.language, zh=f"服务不可用: {error}", en=f"a service is away: {error}"), file=sys.stderr)
        terminal.result({"error": "unreachable", "problems": [str(error)]})
        raise SystemExit(Exit.UNREACHABLE) from error
    except ExchangeError as error:
        print(say(terminal.language, zh=f"已停止: {error}", en=f"stopped: {error}"), file=sys.stderr)
        terminal.result({"error": "fatal", "problems": [str(error)]})
        raise SystemExit(Exit.FOUND) from error
