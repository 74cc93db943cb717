"""What commands print: text and tables for people, one JSON object on the last line for programs, and exit codes."""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

from bus.errors import ConfigurationError, ExchangeError, TransientError
from monitor.masking import mask
from monitor.tables import sheet, table
from monitor.texts import Language, printable, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

_PIPE_WIDTH: Final = 80

PIPE_CLOSED: Final = 141
"""What shells expect of a command whose reader has gone away (128 + SIGPIPE)."""


class Exit(IntEnum):
    """Exit codes of every command (architecture §5)."""

    DONE = 0
    FOUND = 1
    WRONG_USE = 2
    UNREACHABLE = 3


class WrongUseError(ConfigurationError):
    """A command was used wrongly; said in the language of its user.

    Args:
        problems: zh and en of each.
    """

    def __init__(self, *problems: tuple[str, str]) -> None:
        self.texts = problems
        super().__init__([en for _, en in problems])


class Stopped(Exception):  # noqa: N818 - a signal, named like StopIteration
    """A person or the service manager has ended the command while it waited."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where a command writes, and how.

    Attributes:
        language: of every text.
        is_json: one JSON object on the last line of stdout.
        is_reserved: stdout belongs to something else (messages as JSON Lines): texts go to stderr.
    """

    language: Language
    is_json: bool
    is_reserved: bool = False

    @property
    def _is_aside(self) -> bool:
        return self.is_json or self.is_reserved

    def say(self, *, zh: str, en: str) -> None:
        """One line for a person; on stderr when stdout belongs to a program."""
        self.write(say(self.language, zh=zh, en=en))

    def write(self, *lines: str) -> None:
        """Lines for a person that are the same in every language; on stderr when stdout belongs to a program."""
        print(*map(printable, lines), sep="\n", file=sys.stderr if self._is_aside else sys.stdout, flush=True)

    def warn(self, *, zh: str, en: str) -> None:
        """One line for a person, always on stderr, secrets masked."""
        print(printable(mask(say(self.language, zh=zh, en=en))), file=sys.stderr, flush=True)

    def result(self, value: Mapping[str, Any]) -> None:
        """A line of stdout under `--json`, the last one is the command's result; nothing otherwise."""
        if self.is_json:
            print(json.dumps(value, ensure_ascii=False), flush=True)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """One line a row; nothing under `--json`."""
        if not self._is_aside:
            self.write("", *table(columns, rows, width=_width()))

    def sheet(self, labels: Sequence[str], columns: Sequence[tuple[str, Sequence[object]]]) -> None:
        """One column a thing; nothing under `--json`."""
        if not self._is_aside and columns:
            self.write("", *sheet(labels, columns, width=_width()))

    @contextmanager
    def progress(self, *, zh: str, en: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """Yields `update(done)`: a progress bar when a terminal is there, silence otherwise."""
        if self.is_json or not sys.stderr.isatty():
            yield lambda _done: None
            return
        from rich.console import Console  # noqa: PLC0415 - `--help` must not pay for it
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(file=sys.stderr), transient=True) as bar:
            task = bar.add_task(say(self.language, zh=zh, en=en), total=total)
            yield lambda done: bar.update(task, completed=done)


def cannot_write(what: str, path: Path, error: OSError) -> WrongUseError:
    """The error for a file that the user named and that cannot be written."""
    reason = error.strerror
    return WrongUseError((f"{what} {path}：无法写入（{reason}）", f"{what} {path}: cannot be written ({reason})"))


def cannot_read(what: str, path: Path, error: OSError) -> WrongUseError:
    """The error for a file that the user named and that cannot be read."""
    reason = error.strerror
    return WrongUseError((f"{what} {path}：无法读取（{reason}）", f"{what} {path}: cannot be read ({reason})"))


def one_line(error: Exception) -> str:
    """A driver's text without its line breaks."""
    return " ".join(str(error).split())


def _width() -> int:
    """Columns of the terminal; a pipe is read at 80."""
    return shutil.get_terminal_size((_PIPE_WIDTH, 24)).columns if sys.stdout.isatty() else _PIPE_WIDTH


@contextmanager
def exit_codes(terminal: Terminal) -> Iterator[dict[str, Any]]:
    """Errors of the house become a text on stderr and the exit code that says what to do.

    Yields:
        What the JSON object of an error says besides; a command may put what it has into it.
    """
    known: dict[str, Any] = {}
    try:
        yield known
    except WrongUseError as error:
        _fail(
            terminal, "usage", Exit.WRONG_USE, [say(terminal.language, zh=zh, en=en) for zh, en in error.texts], known
        )
        raise SystemExit(Exit.WRONG_USE) from error
    except ConfigurationError as error:
        _fail(terminal, "configuration", Exit.WRONG_USE, error.problems, known)
        raise SystemExit(Exit.WRONG_USE) from error
    except TransientError as error:
        reason = one_line(error)
        text = say(terminal.language, zh=f"服务不可用：{reason}", en=f"a service is away: {reason}")
        _fail(terminal, "unreachable", Exit.UNREACHABLE, [text], known)
        raise SystemExit(Exit.UNREACHABLE) from error
    except ExchangeError as error:
        text = say(terminal.language, zh=f"已停止：{error}", en=f"stopped: {error}")
        _fail(terminal, "fatal", Exit.FOUND, [text], known)
        raise SystemExit(Exit.FOUND) from error
    except Stopped as error:
        terminal.say(zh="已停止。", en="Stopped.")
        terminal.result({**known, "stopped": True})
        raise SystemExit(Exit.DONE) from error
    except BrokenPipeError as error:  # `gateway tap | head`: whoever read has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes at its end
        raise SystemExit(PIPE_CLOSED) from error


def _fail(terminal: Terminal, kind: str, code: Exit, problems: Sequence[str], known: Mapping[str, Any]) -> None:
    masked = [mask(problem) for problem in problems]
    for problem in masked:
        print(printable(problem), file=sys.stderr, flush=True)
    terminal.result({"error": kind, "exit": int(code), "problems": masked, **known})
